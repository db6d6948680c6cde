-- Grain: one campaign of one account that belongs to a segment today.
-- Why: a campaign whose row could not be believed is named with the segment that it holds.
select
    external_id,
    segment_id::text as segment_id
from channel_sources
where
    channel = %(channel)s
    and account = %(account)s
    and is_active
    and lead_today() between coalesce(valid_from, '-infinity') and coalesce(valid_to, 'infinity')
order by external_id
