"""The month's budget holds from the decision to the send, and people are told how far the month is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from lead_demand import database
from lead_demand.budgets import decisions, digest, month, planning
from lead_demand.errors import ChangesFailed
from lead_demand.planner.reasons import Reason
from lead_demand.runs import day
from lead_demand.text import euros
from tests.budgets.conftest import RUN, DayByHand
from tests.fixtures.morning import Morning


def plan(morning: Morning, room: Any = None) -> dict[str, dict[str, Any]]:
    """The morning's decisions, with a month's budget that is so many EUR, for each day that is left, above what the
    budgets in force come to; None = no month's budget.
    """
    for account in ("1234567890", "2345678901"):
        planning.read_budgets("google_ads", account, "test-run")
    if room is not None:
        morning.db.fetch(
            "update orchestration_settings set monthly_budget ="
            " (select at_most + days_left * %s::numeric from month_pace)",
            [room],
        )
    planning.plan("google_ads", "test-run")
    return morning.decisions()


def total(morning: Morning, column: str = "new_budget") -> Decimal:
    return Decimal(morning.db.value(f"select sum({column}) from budget_decisions where {column} is not null"))


def test_without_room_in_the_month_nothing_goes_up_and_what_was_going_down_still_does(morning: Morning) -> None:
    decisions = plan(morning, room=0)
    actions = {row["action"] for row in decisions.values()}
    assert actions == {"decrease", "hold"}
    assert any(Reason.MONTH_BUDGET in row["reasons"] for row in decisions.values())


def test_a_month_that_is_short_lowers_budgets_within_their_steps_and_the_changes_are_made(morning: Morning) -> None:
    decided = plan(morning, room=-200)
    lowered = {code: row for code, row in decided.items() if Reason.MONTH_BUDGET in row["reasons"]}
    assert any(row["action"] == "decrease" for row in lowered.values())
    assert "increase" not in {row["action"] for row in decided.values()}
    fallen = [row["new_budget"] / row["old_budget"] for row in lowered.values() if row["action"] == "decrease"]
    saved = total(morning, "old_budget") - total(morning)
    assert saved >= 200 or max(fallen) < Decimal("0.71"), "one step of 30% is all that a day allows"
    decisions.apply_changes("decrease", "google_ads", "test-run")
    changed = {code for code, row in decided.items() if row["action"] == "decrease"}
    assert {row["code"] for row in morning.log() if row["status"] == "success"} == changed
    morning.assert_log_is_the_truth()


def test_a_month_with_room_decides_as_if_there_were_no_limit(morning: Morning) -> None:
    decisions = plan(morning, room=10_000)
    assert {row["action"] for row in decisions.values()} == {"increase", "decrease", "hold"}
    assert not any(Reason.MONTH_BUDGET in row["reasons"] for row in decisions.values())


@pytest.mark.parametrize("given", ["0", "at_most", "NaN"])
def test_a_month_that_was_used_up_after_the_decision_lets_no_increase_through(by_hand: DayByHand, given: str) -> None:
    by_hand.decide({row["code"]: Decimal(9) for row in by_hand.segments[:2]})
    if given == "at_most":
        by_hand.db.fetch("update orchestration_settings set monthly_budget = (select at_most from month_pace)")
    else:
        by_hand.db.fetch(
            "alter table orchestration_settings drop constraint orchestration_settings_monthly_budget_check;"
            f" update orchestration_settings set monthly_budget = '{given}'"
        )
    if given == "NaN":
        assert decisions.apply_changes("increase", "google_ads", RUN).switched_off
    else:
        with pytest.raises(ChangesFailed, match="monthly_budget"):
            decisions.apply_changes("increase", "google_ads", RUN)
    assert by_hand.sandbox.budgets() == by_hand.first_budgets
    assert not [row for row in by_hand.log() if row["status"] != "failed"]


def test_a_month_budget_that_is_no_number_holds_everything_and_says_so(morning: Morning) -> None:
    morning.db.fetch(
        "alter table orchestration_settings drop constraint orchestration_settings_monthly_budget_check;"
        " update orchestration_settings set monthly_budget = 'NaN'"
    )
    decisions = plan(morning)
    assert {row["action"] for row in decisions.values()} == {"hold"}
    assert all(Reason.SETTINGS_MISSING in row["reasons"] for row in decisions.values())


def test_the_month_is_told_in_the_report_and_in_the_digest(morning: Morning) -> None:
    plan(morning, room=10_000)
    with database.connect() as connection:
        (pace,) = month.pace(connection)
    spent = morning.db.value("select spent from month_pace")
    assert f"{euros(spent)} of €" in pace
    with database.connect() as connection:
        assert pace in digest.compose(digest.read(connection, "google_ads", day.today())).lines


@pytest.mark.parametrize("limit", [None, Decimal(2000)])
def test_the_sentence_names_what_is_assumed_and_whether_there_is_a_limit(limit: Decimal | None) -> None:
    row = {"month": date(2026, 2, 1), "monthly_budget": limit, "spent": Decimal("900.5"), "assumed": Decimal(50)}
    said = month.sentence(row | {"projected": Decimal(1800), "at_most": Decimal(2100)})
    assert said == (
        f"February: €900.50 {'of €2000.00 ' if limit else ''}spent up to yesterday, "
        "and €50.00 assumed for days that were not read. By its end €1800.00 at the pace of the last seven days, "
        f"and €2100.00 if Google charges all that the budgets allow.{'' if limit else ' No monthly_budget is set.'}"
    )
