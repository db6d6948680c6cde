"""Dividing a segment's budget over its campaigns."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_demand.budgets import split
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
