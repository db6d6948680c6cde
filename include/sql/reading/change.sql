-- noqa: disable=all
-- Grain: the columns of one change of the log `log` and its segment `segments`.
-- Why: what was claimed is read as the same object (`Change`) wherever it comes from.
log.id,
log.segment_id,
segments.code as segment,
log.channel,
log.account,
log.external_id as budget_id,
log.action_type,
log.old_value,
log.new_value,
log.created_at as claimed_at
