-- Grain: one (segment, channel, account, day) as the source gave it.
-- Why: sources correct their past; equal rows are left alone. A day's first recorded budget stays: later ones follow today's
-- change. Without spend nothing of an account compares, its budget of that day neither.
{%- from 'lead_stats/figures.jinja' import amounts, counts, pulled %}
{%- macro of_row(stored, row) %}
{%- for figure in pulled %}
{%- if figure == 'daily_budget' %}
        case when {{ row }}.spend is not null then coalesce({{ stored }}.daily_budget, {{ row }}.daily_budget) end,
{%- else %}
        {{ row }}.{{ figure }},
{%- endif %}
{%- endfor %}
        {{ row }}.is_final, {{ row }}.is_empty
{%- endmacro %}
{%- macro as_stored(stored) %}
{%- for figure in pulled %}
        {{ stored }}.{{ figure }},
{%- endfor %}
        {{ stored }}.is_final, {{ stored }}.is_empty
{%- endmacro %}
with known as (
    select
        segment_id,
        date,
        {%- for amount in amounts %}
        {{ amount }}_micros * 0.000001 as {{ amount }},
        {%- endfor %}
        {%- for count in counts %}
        {{ count }},
        {%- endfor %}
        is_final,
        is_empty
    from pulled_metrics
)

insert into channel_metrics as metrics (segment_id, channel, account, date, {{ pulled | join(', ') }}, is_final, is_empty)
select
    known.segment_id,
    %(channel)s,
    %(account)s,
    known.date,
    {%- for figure in pulled %}
    known.{{ figure }},
    {%- endfor %}
    known.is_final,
    known.is_empty
from known
-- ON CONFLICT locks a row before it compares: what is unchanged is left out first.
left join channel_metrics as stored
    on
        known.segment_id = stored.segment_id
        and known.date = stored.date
        and stored.channel = %(channel)s
        and stored.account = %(account)s
        and stored.date between %(first)s::date and %(last)s::date
where
    stored.segment_id is null
    or ({{ as_stored('stored') }}
    ) is distinct from ({{ of_row('stored', 'known') }}
    )
order by known.segment_id, known.date
on conflict (segment_id, channel, account, date) do update
set
    ({{ pulled | join(', ') }}, is_final, is_empty) = row({{ of_row('metrics', 'excluded') }}
    )
where
    ({{ as_stored('metrics') }}
    ) is distinct from ({{ of_row('metrics', 'excluded') }}
    )
