-- noqa: disable=all
-- Grain: one row for the segment `segments` and the day `day`: who put its change of that day back, and when; or which change of
-- an earlier day was reverted that day. NULL = nothing was.
-- Why: a decision and its log row are never rewritten, so a revert is a row of its own that everything for people has to look for.
select string_agg(each_revert.said, '; ' order by each_revert.at) as said
from (
    select
        min(back.closed_at) as at,
        format(
            '%%s%%s by %%s at %%s%%s',
            case when log.decision_date = {{ day }} then 'reverted' else 'the change of ' || log.decision_date || ' was reverted' end,
            case when changed.budgets > 1 then format(' (%%s of %%s budgets)', count(*), changed.budgets) else '' end,
            coalesce(back.decided_by, 'unknown'),
            to_char(min(back.closed_at) at time zone 'Europe/Amsterdam', 'HH24:MI'),
            case when back.decision_date = {{ day }} then '' else ' on ' || back.decision_date end
        ) as said
    from channel_orchestration_log as back
    inner join channel_orchestration_log as log on back.reverts = log.id
    cross join lateral (
        select count(*) as budgets
        from channel_orchestration_log as made
        where
            made.segment_id = log.segment_id
            and made.channel = log.channel
            and made.decision_date = log.decision_date
            and made.kind = 'plan'
            and made.status = 'success'
    ) as changed
    where
        back.segment_id = segments.id
        and back.channel = %(channel)s
        and back.kind = 'revert'
        and back.status = 'success'
        and back.decision_date >= {{ day }}
        and {{ day }} in (log.decision_date, back.decision_date)
    group by log.decision_date, back.decision_date, back.decided_by, changed.budgets
) as each_revert
