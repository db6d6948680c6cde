-- noqa: disable=all
-- Grain: an expression: whether the row `of` of limit_changes is one of more than a handful that one person set within a second;
-- `after` set: and not the last of them.
-- Why: one statement by hand changes as many rows as there are segments.
(
    (
        select count(*)
        from (
            select
            from limit_changes as beside
            where
                beside.changed_at between {{ of }}.changed_at - interval '1 second' and {{ of }}.changed_at + interval '1 second'
                and beside.changed_by = {{ of }}.changed_by
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
            and later.changed_by = {{ of }}.changed_by
    )
    {%- endif %}
)
