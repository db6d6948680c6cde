"""Dividing a segment's budget over its campaigns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_demand.budgets.shares import shares_of, split
from lead_demand.channels.paid import from_micros, to_micros

CENT = Decimal("0.01")
AMOUNTS = st.decimals(Decimal("0.01"), Decimal("5000"), places=2)


@given(st.dictionaries(st.text(min_size=1, max_size=4), AMOUNTS, min_size=1, max_size=6), AMOUNTS)
def test_the_parts_add_up_and_are_billable(amounts: dict[str, Decimal], total: Decimal) -> None:
    parts = split(amounts, total, CENT)
    assert sum(parts.values()) == total
    assert all(part >= 0 and part == part.quantize(CENT) for part in parts.values())
    assert parts.keys() == amounts.keys()


@given(st.dictionaries(st.text(min_size=1, max_size=4), AMOUNTS, min_size=1, max_size=6), AMOUNTS)
def test_each_part_stays_in_proportion_but_for_the_rounding(amounts: dict[str, Decimal], total: Decimal) -> None:
    parts = split(amounts, total, CENT)
    now = sum(amounts.values())
    for budget, amount in amounts.items():
        assert abs(parts[budget] - amount * total / now) <= CENT * len(amounts)


def test_budgets_that_add_up_to_nothing_cannot_be_divided() -> None:
    with pytest.raises(ValueError, match="no proportion"):
        split({"a": Decimal(0)}, Decimal(10), CENT)


@given(AMOUNTS)
def test_an_amount_survives_the_way_to_micros_and_back(amount: Decimal) -> None:
    assert from_micros(to_micros(amount)) == amount


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity"])
def test_an_amount_that_is_not_finite_and_positive_is_never_sent(amount: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        to_micros(Decimal(amount))


def rows(*budgets: tuple[str, str, bool | None], step: str | None = "20") -> list[dict[str, Any]]:
    """Budgets as they are decided on: name, amount, whether it limits its campaigns."""
    return [
        {
            "budget_id": name,
            "amount": Decimal(amount),
            "is_budget_limited": limited,
            "max_increase_pct": None if step is None else Decimal(step),
        }
        for name, amount, limited in budgets
    ]


def test_a_raise_goes_to_the_budgets_that_limit_and_the_others_stay() -> None:
    budgets = rows(("a", "90", True), ("b", "50", False), ("c", "30", True))
    assert shares_of(budgets, Decimal("194"), CENT) == {"a": Decimal("108"), "b": Decimal("50"), "c": Decimal("36")}


def test_a_decrease_is_taken_from_all_in_proportion() -> None:
    budgets = rows(("a", "90", True), ("b", "50", False))
    assert shares_of(budgets, Decimal("70"), CENT) == {"a": Decimal("45"), "b": Decimal("25")}


@pytest.mark.parametrize("limited", [False, None])
def test_no_budget_is_raised_that_limits_nothing(limited: bool | None) -> None:
    with pytest.raises(ValueError, match="none of its campaigns is limited"):
        shares_of(rows(("a", "90", limited), ("b", "50", limited)), Decimal("150"), CENT)


@pytest.mark.parametrize("step", ["20", None])
def test_no_budget_is_raised_by_more_than_its_own_step(step: str | None) -> None:
    with pytest.raises(ValueError, match="left alone"):
        shares_of(rows(("a", "90", True), ("b", "50", False), step=step), Decimal("158.01"), CENT)


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.tuples(AMOUNTS, st.booleans()), min_size=1),
    st.decimals(Decimal("-0.3"), Decimal("0.2"), places=4),
)
def test_shares_add_up_and_none_moves_the_other_way(given_: dict[str, tuple[Decimal, bool]], step: Decimal) -> None:
    budgets = rows(*((name, str(amount), limited) for name, (amount, limited) in given_.items()))
    now = sum(row["amount"] for row in budgets)
    wanted = (now * (1 + step)).quantize(CENT)
    try:
        shares = shares_of(budgets, wanted, CENT)
    except ValueError:
        assert wanted > now and not all(row["is_budget_limited"] for row in budgets)
        return
    assert sum(shares.values()) == wanted
    for row in budgets:
        # Of the rounding the largest budget takes the rest.
        moved = shares[row["budget_id"]] - row["amount"]
        assert moved * (wanted - now) >= 0 or abs(moved) <= CENT * len(budgets)
        assert wanted <= now or row["is_budget_limited"] or moved == 0
