-- Grain: one active segment, on the latest whole day only; a segment that the adapter does not name has no partners.
-- Why: capacity is known only as it is now; past days keep what was recorded then, so a backfill cannot rewrite a year. An
-- adapter that lost most of the segments is a source that failed: then nothing is written, and the row that is returned says so.
-- Who is away today is not in the total: it stands beside it, so that what all take together is known on every day.
with partners as ({% include 'lead_stats/select_partner_capacity.sql' %}
),

added_up as (
    select
        segments.id as segment_id,
        count(distinct partners.partner_id) as partners,
        count(partners.daily_leads) filter (where partners.is_possible) as answers,
        -- One partner of unknown capacity makes the sum unknown: a guess would move money.
        case
            when count(partners.segment_id) = count(partners.daily_leads) filter (where partners.is_possible)
                then coalesce(round(sum(partners.daily_leads)), 0)
        end as all_leads,
        coalesce(round(sum(partners.daily_leads) filter (where not partners.is_absent)), 0) as leads_today,
        sum(partners.daily_leads * partners.absent_days) filter (where partners.absent_days > 0) / 7 as absent_week,
        nullif(
            max(coalesce(partners.absent_until, 'infinity')) filter (where partners.absent_days > 0), 'infinity'
        ) as absent_until
    from lead_segments as segments
    left join partners on segments.id = partners.segment_id
    where segments.is_active and %(last)s::date = lead_today() - 1
    group by segments.id
),

capacity as (
    select
        added_up.segment_id,
        added_up.partners,
        added_up.answers,
        known.total_leads,
        known.absent_leads,
        known.absent_week,
        known.absent_until
    from added_up
    left join lateral (
        select
            added_up.leads_today as total_leads,
            case when added_up.absent_week is not null then added_up.all_leads - added_up.leads_today end as absent_leads,
            added_up.absent_week,
            added_up.absent_until
        where added_up.all_leads <= 2147483647
    ) as known on true
),

-- The last recorded day, and what an earlier run of this morning recorded: neither may be lost in one step.
before as (
    select
        segment_id,
        max(capacity_partners) > 0 as had_partners,
        bool_or(capacity_partners > 0 and capacity_total_leads is not null) as had_capacity,
        bool_or(capacity_total_leads > 0) as had_some
    from channel_metrics
    where
        channel = 'partner_capacity'
        and account = 'leads_db'
        and date between (
            select coalesce(max(earlier.date), %(last)s::date)
            from channel_metrics as earlier
            where earlier.channel = 'partner_capacity' and earlier.date < %(last)s::date
        ) and %(last)s::date
    group by segment_id
),

counted as (
    select
        count(*) as segments,
        count(*) filter (where capacity.partners > 0) as named,
        count(*) filter (where before.had_capacity) as had,
        -- One partner on holiday is nothing; that all of most segments went on the same morning is a column gone wrong.
        count(*) filter (
            where before.had_capacity
            and (capacity.answers = 0 or (before.had_some and capacity.total_leads = 0 and capacity.absent_leads > 0))
        ) as lost,
        -- A company that is known to have no partner has none today either.
        coalesce(bool_and(not before.had_partners), false) as had_none
    from capacity
    left join before on capacity.segment_id = before.segment_id
),

judged as (
    select
        counted.*,
        (
            (counted.segments > 0 and counted.named = 0 and not counted.had_none)
            or (counted.lost >= 3 and 2 * counted.lost > counted.had)
        ) and not exists (
            select 1
            from capacity_confirmations as confirmed
            where
                confirmed.segment_id is null
                and confirmed.confirmed_at >= lead_today()::timestamp at time zone 'Europe/Amsterdam'
        ) as is_failed
    from counted
),

written as (
    insert into channel_metrics (
        segment_id, channel, account, date, capacity_partners, capacity_total_leads,
        capacity_absent_leads, capacity_absent_week, capacity_absent_until, is_final
    )
    select
        capacity.segment_id,
        'partner_capacity',
        'leads_db',
        %(last)s::date,
        capacity.partners,
        capacity.total_leads,
        capacity.absent_leads,
        capacity.absent_week,
        capacity.absent_until,
        true
    from capacity
    inner join judged on not judged.is_failed
    order by capacity.segment_id
    on conflict (segment_id, channel, account, date) do update
    set
        capacity_partners = excluded.capacity_partners,
        capacity_total_leads = excluded.capacity_total_leads,
        capacity_absent_leads = excluded.capacity_absent_leads,
        capacity_absent_week = excluded.capacity_absent_week,
        capacity_absent_until = excluded.capacity_absent_until
    where
        (
            channel_metrics.capacity_partners, channel_metrics.capacity_total_leads,
            channel_metrics.capacity_absent_leads, channel_metrics.capacity_absent_week, channel_metrics.capacity_absent_until
        ) is distinct from (
            excluded.capacity_partners, excluded.capacity_total_leads,
            excluded.capacity_absent_leads, excluded.capacity_absent_week, excluded.capacity_absent_until
        )
    returning 1
),

fetched as (
    insert into channel_fetches (channel, account, date_from, date_to, row_count, dag_run_id)
    select
        'partner_capacity',
        'leads_db',
        %(last)s::date,
        %(last)s::date,
        (select count(*) from written),
        %(dag_run_id)s
    from judged
    where not judged.is_failed and %(last)s::date = lead_today() - 1
    returning row_count
)

select
    coalesce((select sum(fetched.row_count) from fetched), 0)::integer as written,
    judged.is_failed,
    judged.segments::integer as segments,
    judged.named::integer as named,
    judged.had::integer as had,
    judged.lost::integer as lost,
    %(last)s::date = lead_today() - 1 as is_latest
from judged
