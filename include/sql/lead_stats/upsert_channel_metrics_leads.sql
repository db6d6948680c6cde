-- Grain: one (segment, day) of the window; of active segments zeros included: the leads were read, so none means none.
-- Why: counts by day of creation in Amsterdam; acceptance comes later, so the whole window is counted again each time. A status that
-- is not known is still pending, and counted apart: above a tenth of a segment's leads it holds the budget.
with days as (
    select day::date as date
    from generate_series(%(first)s::date, %(last)s::date, interval '1 day') as day
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
        sum(status_unknown)::integer as status_unknown,
        -- Written as text and read once: half the time of jsonb_object_agg over jsonb_build_object.
        ('{' || string_agg(
            to_json(source_channel) || ':{"generated":' || generated || ',"accepted":' || accepted
            || ',"rejected":' || rejected || ',"pending":' || pending || '}',
            ','
        ) || '}')::jsonb as by_source
    from counted_leads
    where segment_id is not null
    group by segment_id, date
),

inactive as (
    select id as segment_id from lead_segments where not is_active
),

expected as (
    select
        segments.id as segment_id,
        days.date
    from lead_segments as segments
    cross join days
    where segments.is_active
    union all
    -- What came before a segment was deactivated is still accepted and rejected afterwards.
    (
        select
            by_day.segment_id,
            by_day.date
        from by_day
        inner join inactive on by_day.segment_id = inactive.segment_id
        union
        select
            metrics.segment_id,
            metrics.date
        from channel_metrics as metrics
        inner join inactive on metrics.segment_id = inactive.segment_id
        where
            metrics.channel = 'leads'
            and metrics.account = 'leads_db'
            and metrics.date between %(first)s::date and %(last)s::date
    )
),

known as (
    select
        expected.segment_id,
        expected.date,
        coalesce(by_day.generated, 0) as generated,
        coalesce(by_day.accepted, 0) as accepted,
        coalesce(by_day.rejected, 0) as rejected,
        coalesce(by_day.pending, 0) as pending,
        coalesce(by_day.status_unknown, 0) as status_unknown,
        coalesce(by_day.by_source, '{}') as by_source
    from expected
    left join by_day on expected.segment_id = by_day.segment_id and expected.date = by_day.date
),

written as (
    insert into channel_metrics (
        segment_id, channel, account, date,
        leads_generated, leads_accepted, leads_rejected, leads_pending, leads_status_unknown, leads_by_source,
        is_final
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
        known.status_unknown,
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
            stored.leads_status_unknown, stored.leads_by_source, stored.is_final
        ) is distinct from (
            known.generated, known.accepted, known.rejected, known.pending,
            known.status_unknown, known.by_source, known.pending = 0
        )
    order by known.segment_id, known.date
    on conflict (segment_id, channel, account, date) do update
    set
        leads_generated = excluded.leads_generated,
        leads_accepted = excluded.leads_accepted,
        leads_rejected = excluded.leads_rejected,
        leads_pending = excluded.leads_pending,
        leads_status_unknown = excluded.leads_status_unknown,
        leads_by_source = excluded.leads_by_source,
        is_final = excluded.is_final
    where
        (
            channel_metrics.leads_generated, channel_metrics.leads_accepted, channel_metrics.leads_rejected,
            channel_metrics.leads_pending, channel_metrics.leads_status_unknown, channel_metrics.leads_by_source,
            channel_metrics.is_final
        ) is distinct from (
            excluded.leads_generated, excluded.leads_accepted, excluded.leads_rejected,
            excluded.leads_pending, excluded.leads_status_unknown, excluded.leads_by_source,
            excluded.is_final
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
