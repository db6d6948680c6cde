-- Grain: one active segment that has partners, on the latest whole day only.
-- Why: capacity is known only as it is now; past days keep what was recorded then, so a backfill cannot rewrite a year.
with {% include 'reading/capacity.sql' %}

capacity as (
    select
        segment_id,
        count(*) as partners,
        -- One partner of unknown capacity makes the sum unknown: a guess would move money.
        case when count(*) = count(daily_leads) then sum(daily_leads) end as total_leads
    from partner_areas
    where %(last)s::date = lead_today() - 1
    group by segment_id
),

written as (
    insert into channel_metrics (
        segment_id, channel, account, date, capacity_partners, capacity_total_leads, is_final
    )
    select
        segment_id,
        'partner_capacity',
        'leads_db',
        %(last)s::date,
        partners,
        total_leads,
        true
    from capacity
    order by segment_id
    on conflict (segment_id, channel, account, date) do update
    set
        capacity_partners = excluded.capacity_partners,
        capacity_total_leads = excluded.capacity_total_leads
    where
        (channel_metrics.capacity_partners, channel_metrics.capacity_total_leads)
        is distinct from (excluded.capacity_partners, excluded.capacity_total_leads)
    returning 1
)

insert into channel_fetches (channel, account, date_from, date_to, row_count, dag_run_id)
select
    'partner_capacity',
    'leads_db',
    %(last)s::date,
    %(last)s::date,
    (select count(*) from written),
    %(dag_run_id)s
where %(last)s::date = lead_today() - 1
returning row_count
