-- Grain: one row for each budget that was ever changed: the amount that the log says is in force.
-- Why: `make show` compares it with the live amount.
select distinct on (external_id)
    external_id,
    new_value,
    closed_at
from public.channel_orchestration_log
where channel = 'google_ads' and status = 'success' and kind <> 'manual'
order by external_id, closed_at desc;
