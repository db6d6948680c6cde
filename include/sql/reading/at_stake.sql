-- noqa: disable=all
-- Grain: an expression: EUR per day that a budget is away from what its target would take within floor and cap; NULL = cannot be said.
-- Why: rows are sorted by it and show it.
case
    when {{ target }} is not null
        then abs(least(greatest({{ wanted }}, coalesce({{ floor }}, 0)), coalesce({{ cap }}, {{ wanted }})) - {{ old }})
end
