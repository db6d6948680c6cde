-- Grain: one (active segment, day) of the window, zeros included: the leads were read, so none means none.
-- Why: counts by day of creation in Amsterdam; acceptance comes later, so the whole window is counted again each time.
with days as (
    select day::date as date
    from generate_series(%(first)s::date, %(last)s::date, interval '1 day') as day
),

by_source as (
    select
        source.segment_id,
        (source.created_at at time zone 'Europe/Amsterdam')::date as date,
        coalesce(source.source_channel, 'unknown') as source_channel,
        count(*) as generated,
        count(*) filter (where source.status = 'accepted') as accepted,
        count(*) filter (where source.status = 'rejected') as rejected,
        count(*) filter (where source.status = 'pending') as pending
    from ({% include 'sources/leads.sql' %}) as source
    where
        source.segment_id is not null
        and source.created_at >= %(first)s::date::timestamp at time zone 'Europe/Amsterdam'
        and source.created_at < (%(last)s::date + 1)::timestamp at time zone 'Europe/Amsterdam'
    group by 1, 2, 3
),

-- Materialized: joined by (segment, day) at once, and not each segment's days with each other.
by_day as materialized (
    select
        segment_id,
        date,
        sum(generated)::integer as generated,
        sum(accepted)::integer as accepted,
        sum(rejected)::integer as rejected,
        sum(pending)::integer as pending,
        -- Written as text and read once: half the time of jsonb_object_agg over jsonb_build_object.
        ('{' || string_agg(
            to_json(source_channel) || ':{"generated":' || generated || ',"accepted":' || accepted
            || ',"rejected":' || rejected || ',"pending":' || pending || '}',
            ','
        ) || '}')::jsonb as by_source
    from by_source
    group by segment_id, date
),

known as (
    select
        segments.id as segment_id,
        days.date,
        coalesce(by_day.generated, 0) as generated,
        coalesce(by_day.accepted, 0) as accepted,
        coalesce(by_day.rejected, 0) as rejected,
        coalesce(by_day.pending, 0) as pending,
        coalesce(by_day.by_source, '{}') as by_source
    from lead_segments as segments
    cross join days
    left join by_day on segments.id = by_day.segment_id and days.date = by_day.date
    where segments.is_active
),

written as (
    insert into channel_metrics (
        segment_id, channel, account, date,
        leads_generated, leads_accepted, leads_rejected, leads_pending, leads_by_source, is_final
    )
    select
        known.segment_id,
        'leads',
        'leads_db',
        known.date,
        known.generated,
        known.accepted,
        known.rejected,
        known.pending,
        known.by_source,
        known.pending = 0
    from known
    -- ON CONFLICT locks a row before it compares: what is unchanged is left out first.
    left join channel_metrics as stored
        on
            known.segment_id = stored.segment_id
            and known.date = stored.date
            and stored.channel = 'leads'
            and stored.account = 'leads_db'
            and stored.date between %(first)s::date and %(last)s::date
    where
        stored.segment_id is null
        or (
            stored.leads_generated, stored.leads_accepted, stored.leads_rejected, stored.leads_pending,
            stored.leads_by_source, stored.is_final
        ) is distinct from (
            known.generated, known.accepted, known.rejected, known.pending, known.by_source, known.pending = 0
        )
    order by known.segment_id, known.date
    on conflict (segment_id, channel, account, date) do update
    set
        leads_generated = excluded.leads_generated,
        leads_accepted = excluded.leads_accepted,
        leads_rejected = excluded.leads_rejected,
        leads_pending = excluded.leads_pending,
        leads_by_source = excluded.leads_by_source,
        is_final = excluded.is_final
    where
        (
            channel_metrics.leads_generated, channel_metrics.leads_accepted, channel_metrics.leads_rejected,
            channel_metrics.leads_pending, channel_metrics.leads_by_source, channel_metrics.is_final
        ) is distinct from (
            excluded.leads_generated, excluded.leads_accepted, excluded.leads_rejected,
            excluded.leads_pending, excluded.leads_by_source, excluded.is_final
        )
    returning 1
)

insert into channel_fetches (channel, account, date_from, date_to, row_count, dag_run_id)
select
    'leads',
    'leads_db',
    %(first)s::date,
    %(last)s::date,
    (select count(*) from written),
    %(dag_run_id)s
returning row_count
