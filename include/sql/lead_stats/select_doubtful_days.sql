-- Grain: one day of one account that gave no row, and that leads or other channels contradict; to be asked for again.
-- Why: such a silence is not a zero. Leads speak for a paid channel, clicks for the visits of GA4, visits for Search Console: more
-- than a tenth of what is usual, because some leads of a night belong to clicks of the evening before. And where the other accounts
-- were silent too, it is rather the source that failed, unless the same weekday is silent every week.
with empty_rows as materialized (
    select
        metrics.segment_id,
        metrics.channel,
        metrics.account,
        metrics.date
    from channel_metrics as metrics
    where
        metrics.is_empty
        and metrics.date between %(first)s::date and %(last)s::date
        and not exists (
            select 1
            from channel_zero_days as stated
            where
                stated.channel = metrics.channel
                and stated.account = metrics.account
                and stated.date = metrics.date
                and stated.is_zero
        )
),

empty_days as materialized (
    select distinct
        channel,
        account,
        date
    from empty_rows
),

-- A segment that has the channel from another account too says nothing about this one.
witnesses as materialized (
    select distinct
        empty_rows.segment_id,
        empty_rows.channel,
        empty_rows.account
    from empty_rows
    where not exists (
        select 1
        from channel_metrics as others
        where
            others.segment_id = empty_rows.segment_id
            and others.channel = empty_rows.channel
            and others.account <> empty_rows.account
            and others.date between %(first)s::date - 7 and %(last)s::date
            and (others.spend > 0 or others.impressions > 0 or others.clicks > 0 or others.visits > 0)
    )
),

signs as materialized (
    select
        witnesses.channel,
        witnesses.account,
        metrics.date,
        sum(
            case witnesses.channel
                when 'search_console' then metrics.visits
                when 'ga4' then metrics.clicks
                else (metrics.leads_by_source -> witnesses.channel ->> 'generated')::integer
            end
        ) as amount
    from witnesses
    inner join channel_metrics as metrics
        on
            witnesses.segment_id = metrics.segment_id
            and witnesses.channel <> metrics.channel
            and metrics.date between %(first)s::date - 7 and %(last)s::date
            and metrics.channel in ('google_ads', 'search_console', 'ga4', 'leads')
    group by witnesses.channel, witnesses.account, metrics.date
),

usual as (
    select
        signs.channel,
        signs.account,
        avg(coalesce(signs.amount, 0)) as amount
    from signs
    left join empty_days
        on signs.channel = empty_days.channel and signs.account = empty_days.account and signs.date = empty_days.date
    where empty_days.date is null
    group by signs.channel, signs.account
),

-- Days on which several accounts of the channel were read and none had anything.
silent_everywhere as (
    select
        metrics.channel,
        metrics.date
    from channel_metrics as metrics
    inner join (
        select distinct
            channel,
            date
        from empty_days
    ) as days
        on metrics.channel = days.channel and metrics.date = days.date
    where
        metrics.date between %(first)s::date and %(last)s::date
        and coalesce(metrics.impressions, metrics.visits) is not null
    group by metrics.channel, metrics.date
    having bool_and(metrics.is_empty) and count(distinct metrics.account) > 1
)

select
    empty_days.channel,
    empty_days.account,
    empty_days.date,
    signs.amount,
    round(usual.amount, 1) as usual,
    silent_everywhere.date is not null as are_all_silent
from empty_days
left join signs
    on empty_days.channel = signs.channel and empty_days.account = signs.account and empty_days.date = signs.date
left join usual on empty_days.channel = usual.channel and empty_days.account = usual.account
left join silent_everywhere on empty_days.channel = silent_everywhere.channel and empty_days.date = silent_everywhere.date
where
    signs.amount > 0.1 * coalesce(usual.amount, 0)
    or (
        silent_everywhere.date is not null
        and not exists (
            select 1
            from channel_metrics as weekly
            where
                weekly.channel = empty_days.channel
                and weekly.account = empty_days.account
                and weekly.date in (empty_days.date - 7, empty_days.date + 7)
                and weekly.is_empty
        )
    )
order by empty_days.channel, empty_days.account, empty_days.date
