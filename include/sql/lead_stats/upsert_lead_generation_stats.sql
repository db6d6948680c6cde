-- Grain: one (segment, day) whose leads were read in the window.
-- Why: one row per segment per day with every channel; a channel with an account missing that day is NULL, never a partial sum.
{%- from 'lead_stats/figures.jinja' import channels, columns, given, of_accounts, of_several %}
{%- macro each(row) %}
{%- for column in columns %}
        {{ row }}.{{ column }}{{ '' if loop.last else ',' }}
{%- endfor %}
{%- endmacro %}
with spans as materialized (
    select
        segment_id,
        channel,
        account,
        greatest(valid_from, %(first)s::date) as first,
        least(valid_to, %(last)s::date) as last
    from channel_sources
    where
        is_active
        and channel in ('{{ of_accounts | join("', '") }}')
        and coalesce(valid_from, '-infinity') <= %(last)s::date
        and coalesce(valid_to, 'infinity') >= %(first)s::date
),

moving as materialized (
    select distinct segment_id
    from spans
    where first > %(first)s::date or last < %(last)s::date
),

-- How many accounts have to be there: on every day alike, which is nearly always so, or day by day.
expected as (
    select
        segment_id
        {%- for channel in of_accounts %},
        count(distinct account) filter (where channel = '{{ channel }}') as {{ channel }}
        {%- endfor %}
    from spans
    where segment_id not in (select moving.segment_id from moving)
    group by segment_id
),

expected_daily as (
    select
        spans.segment_id,
        day::date as date
        {%- for channel in of_accounts %},
        count(distinct spans.account) filter (where spans.channel = '{{ channel }}') as {{ channel }}
        {%- endfor %}
    from spans
    inner join moving on spans.segment_id = moving.segment_id
    cross join lateral generate_series(spans.first, spans.last, interval '1 day') as day
    group by spans.segment_id, day::date
),

doubtful as materialized (
    select
        channel,
        account,
        date
    from (
        {% include 'lead_stats/select_doubtful_days.sql' %} -- noqa: PRS
    ) as doubtful_days
),

-- Each channel's rows are read once, and leads that were read are never NULL. A row without a figure is of an account that was
-- re-mapped, or whose amounts or days do not compare: it is no account of the segment, or asked and not known.
daily as (
    select
        segment_id,
        date
        {%- for channel, figures in of_accounts.items() %},
        count({{ figures.values() | first }}) filter (where channel = '{{ channel }}') as {{ channel }}
        {%- for column, figure in figures.items() %},
        sum({{ figure }}){% if figure in of_several %} filter (where channel = '{{ channel }}'){% endif %} as {{ column }}
        {%- endfor %}
        {%- endfor %}
        {%- for column in given %},
        max({{ column }}) as {{ column }}
        {%- endfor %}
    from channel_metrics
    where
        date between %(first)s::date and %(last)s::date
        and channel in ('{{ channels | join("', '") }}')
        and (
            not is_empty
            or not exists (
                select 1
                from doubtful
                where
                    doubtful.channel = channel_metrics.channel
                    and doubtful.account = channel_metrics.account
                    and doubtful.date = channel_metrics.date
            )
        )
    group by segment_id, date
),

known as (
    select
        daily.segment_id,
        daily.date
        {%- for column in given %},
        daily.{{ column }}
        {%- endfor %}
        {%- for channel, figures in of_accounts.items() %}
        {%- for column in figures %},
        case
            when daily.{{ channel }} >= coalesce(expected_daily.{{ channel }}, expected.{{ channel }}, 0)
                then daily.{{ column }}
        end as {{ column }}
        {%- endfor %}
        {%- endfor %}
    from daily
    -- FULL and COALESCE leave no nested loop to choose: of rows just written there are no statistics, and it expects one.
    full join expected on daily.segment_id = expected.segment_id
    full join expected_daily on daily.segment_id = expected_daily.segment_id and daily.date = expected_daily.date
    where coalesce(daily.leads_generated, -1) >= 0
)

insert into lead_generation_stats as kept (segment_id, date, {{ columns | join(', ') }})
select
    known.segment_id,
    known.date,
    {{- each('known') }}
from known
-- ON CONFLICT locks a row before it compares: what is unchanged is left out first.
left join lead_generation_stats as stats
    on
        known.segment_id = stats.segment_id
        and known.date = stats.date
        and stats.date between %(first)s::date and %(last)s::date
where
    stats.segment_id is null
    or ({{ each('stats') }}
    ) is distinct from ({{ each('known') }}
    )
order by known.segment_id, known.date
on conflict (segment_id, date) do update
set
    ({{ columns | join(', ') }}) = row({{ each('excluded') }}
    )
where
    ({{ each('kept') }}
    ) is distinct from ({{ each('excluded') }}
    )
