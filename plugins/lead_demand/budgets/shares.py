"""How the change of a segment is divided over its budgets, in billable units."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any

from lead_demand.text import euros


def split(amounts: Mapping[str, Decimal], total: Decimal, unit: Decimal) -> dict[str, Decimal]:
    """Divide `total` over budgets in proportion to what they have now, in billable units; the largest takes the rest.

    :param amounts: budget -> amount in force. Their sum must be positive.
    :returns: budget -> new amount; they add up to `total` rounded down to the unit.
    """
    now = sum(amounts.values(), Decimal(0))
    if now <= 0:
        raise ValueError(f"Budgets {sorted(amounts)} add up to {now}: there is no proportion to divide by.")
    total = (total / unit).to_integral_value(ROUND_DOWN) * unit
    shares = {
        budget: (amount * total / now / unit).to_integral_value(ROUND_DOWN) * unit for budget, amount in amounts.items()
    }
    largest = max(sorted(amounts), key=lambda budget: amounts[budget])
    shares[largest] += total - sum(shares.values(), Decimal(0))
    return shares


def shares_of(budgets: list[dict[str, Any]], wanted: Decimal, unit: Decimal) -> dict[str, Decimal]:
    """The new amount of each budget of a decision; they add up to `wanted` rounded down to the unit.

    A decrease is taken from all in proportion. A raise goes, in proportion, to the budgets that limit their campaigns:
    elsewhere it would buy nothing. Raises ValueError where none does any more, or where so few still do that one would
    rise by more than `max_increase_pct`.

    :param budgets: rows with `budget_id`, `amount`, `is_budget_limited` and `max_increase_pct`.
    """
    amounts = {row["budget_id"]: row["amount"] for row in budgets}
    now = sum(amounts.values(), Decimal(0))
    taking = {row["budget_id"]: row["amount"] for row in budgets if row["is_budget_limited"]}
    if wanted <= now or len(taking) == len(amounts):
        return split(amounts, wanted, unit)
    if not taking:
        raise ValueError("none of its campaigns is limited by its budget any more; it was left alone")
    part, step = sum(taking.values(), Decimal(0)), wanted - now
    most = budgets[0]["max_increase_pct"]
    if most is None or step > part * most / 100:
        raise ValueError(f"+{euros(step)} is more than {most}% of the {euros(part)} that limit it now; left alone")
    return amounts | split(taking, part + step, unit)
