"""budget_edits: what people change in the channel itself is kept, edit by edit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.budgets.conftest import DayByHand


def edits(day: DayByHand, budget_id: str) -> list[dict[str, Any]]:
    query = "select * from budget_edits where budget_id = %s and edited_by like '%%@leads.example' order by edited_at"
    return day.db.fetch(query, [budget_id])


def test_of_two_edits_in_a_morning_each_keeps_who_and_its_amounts(by_hand: DayByHand) -> None:
    row = by_hand.segments[0]
    by_hand.sandbox.set_budget(row["budget_id"], 77_770_000, "anke@leads.example")
    by_hand.sandbox.set_budget(row["budget_id"], 88_880_000, "bert@leads.example")
    by_hand.read()
    found = edits(by_hand, row["budget_id"])
    assert [(edit["edited_by"], edit["old_value"], edit["new_value"]) for edit in found] == [
        ("anke@leads.example", row["amount"], Decimal("77.77")),
        ("bert@leads.example", Decimal("77.77"), Decimal("88.88")),
    ]
    assert {edit["segment_id"] for edit in found} == {row["segment_id"]}


def test_an_edit_that_is_read_again_stays_as_it_was_first_read(by_hand: DayByHand) -> None:
    row = by_hand.segments[0]
    by_hand.sandbox.set_budget(row["budget_id"], 77_770_000, "anke@leads.example")
    by_hand.read()
    first = edits(by_hand, row["budget_id"])
    assert len(first) == 1
    by_hand.read()
    assert edits(by_hand, row["budget_id"]) == first


def test_a_change_of_our_own_is_no_edit(by_hand: DayByHand) -> None:
    by_hand.read()
    ours = by_hand.db.value("select count(*) from budget_edits where edited_by not like '%%@%%'")
    assert ours == 0
