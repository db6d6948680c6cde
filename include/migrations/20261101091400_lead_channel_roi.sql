-- lead_channel_roi: what an accepted lead cost, by segment, channel and month. From the daily aggregates, so without any lead.

set local lock_timeout = '5s';

-- View (invoker: the policies of the reader apply) --------------------------------------------------------------------

create view public.lead_channel_roi
with (security_invoker = true) as
with daily as (
    select
        m.segment_id,
        m.channel,
        m.date,
        m.spend,
        null::integer as leads_generated,
        null::integer as leads_accepted,
        null::integer as leads_pending
    from public.channel_metrics as m
    where m.spend is not null
    union all
    select
        m.segment_id,
        by_source.key as channel,
        m.date,
        null::numeric as spend,
        (by_source.value ->> 'generated')::integer as leads_generated,
        (by_source.value ->> 'accepted')::integer as leads_accepted,
        (by_source.value ->> 'pending')::integer as leads_pending
    from public.channel_metrics as m
    cross join lateral jsonb_each(m.leads_by_source) as by_source
    where m.channel = 'leads'
),

monthly as (
    select
        segment_id,
        channel,
        date_trunc('month', date::timestamp)::date as month,
        sum(spend) as spend,
        sum(leads_generated) as leads_generated,
        sum(leads_accepted) as leads_accepted,
        sum(leads_pending) as leads_pending
    from daily
    group by 1, 2, 3
)

select
    m.segment_id,
    s.code as segment_code,
    m.channel,
    m.month,
    m.spend,
    m.leads_generated,
    m.leads_accepted,
    m.leads_pending,
    m.spend / nullif(m.leads_generated, 0) as cost_per_lead,
    m.spend / nullif(m.leads_accepted, 0) as cost_per_accepted_lead
from monthly as m
inner join public.lead_segments as s on m.segment_id = s.id;

comment on view public.lead_channel_roi is
'EUR and leads by segment, channel (as in leads.source_channel) and month. Free channels have no spend: NULL, not 0.';

-- Privileges -----------------------------------------------------------------------------------------------------------

revoke all on public.lead_channel_roi from public, anon, authenticated, service_role;
grant select on public.lead_channel_roi to authenticated, service_role;
