-- Grain: one (segment, day) of the account that is being pulled; money in micros, as the source gives it.
-- Why: COPY is the fastest way in, and one ordered upsert from here never deadlocks with another pull.
{%- from 'lead_stats/figures.jinja' import amounts, counts %}
create temporary table pulled_metrics (
    segment_id uuid not null,
    date date not null,
    {%- for amount in amounts %}
    {{ amount }}_micros bigint,
    {%- endfor %}
    {%- for count in counts %}
    {{ count }} bigint,
    {%- endfor %}
    is_final boolean not null,
    is_empty boolean not null default false
) on commit drop
