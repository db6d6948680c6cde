-- noqa: disable=all
-- Grain: an expression: whether the row `of` of limit_changes is one of more than a handful of segments whose same limit one person set
-- within a second; `after` set: and not the last of them.
-- Why: one statement by hand changes as many rows as there are segments. What is of everything together is never one of many.
{%- macro alike(other) -%}
{{ other }}.changed_by = {{ of }}.changed_by and {{ other }}.column_name = {{ of }}.column_name and {{ other }}.segment_id is not null
{%- endmacro %}
(
    {{ of }}.segment_id is not null
    and (
        select count(*)
        from (
            select
            from limit_changes as beside
            where
                beside.changed_at between {{ of }}.changed_at - interval '1 second' and {{ of }}.changed_at + interval '1 second'
                and {{ alike('beside') }}
            limit 6
        ) as few
    ) > 5
    {%- if after %}
    and exists (
        select
        from limit_changes as later
        where
            later.changed_at > {{ of }}.changed_at
            and later.changed_at <= {{ of }}.changed_at + interval '1 second'
            and {{ alike('later') }}
    )
    {%- endif %}
)
