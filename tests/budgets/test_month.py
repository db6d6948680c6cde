"""The month's budget holds from the decision to the send, and people are told how far the month is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from lead_demand import database
from lead_demand.budgets import decisions, digest, month, planning, reverts
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


def limit_branch(morning: Morning, branch: str, amount: str) -> None:
    """A monthly budget for a branch, as SQL about its row of month_pace_of_branches."""
    morning.db.fetch(
        "insert into lead_branch_channels (country, branch, channel, monthly_budget)"
        f" select country, branch, 'google_ads', {amount} from month_pace_of_branches where branch = %s"
        " on conflict (country, branch, channel) do update set monthly_budget = excluded.monthly_budget",
        [branch],
    )


def of_branch(decided: dict[str, dict[str, Any]], branch: str) -> list[dict[str, Any]]:
    return [row for code, row in decided.items() if code.startswith(f"{branch}_")]


def test_a_branch_that_is_short_lowers_its_own_segments_and_leaves_the_others_alone(morning: Morning) -> None:
    for account in ("1234567890", "2345678901"):
        planning.read_budgets("google_ads", account, "test-run")
    limit_branch(morning, "schilder", "at_most - days_left * 100")
    decided = plan(morning)
    mine = of_branch(decided, "schilder")
    lowered = [row for row in mine if Reason.BRANCH_MONTH_BUDGET in row["reasons"]]
    assert any(row["action"] == "decrease" for row in lowered)
    assert "increase" not in {row["action"] for row in mine}
    others = [row for code, row in decided.items() if not code.startswith("schilder_")]
    assert "increase" in {row["action"] for row in others}
    assert not any(Reason.BRANCH_MONTH_BUDGET in row["reasons"] for row in others)


def test_a_segment_does_not_rise_past_what_its_month_leaves(morning: Morning) -> None:
    free = plan(morning)
    (code, row), *_ = [(code, row) for code, row in free.items() if row["action"] == "increase"]
    for today in ("budget_decisions where decision_date", "lead_segment_plans where date"):
        morning.db.restore(f"delete from {today} = lead_today()")  # the budgets of past days stay known
    half = (row["old_budget"] + row["new_budget"]) / 2
    morning.db.fetch(
        "update lead_segment_channels as limits set monthly_budget ="
        " at_most + greatest(30.4, days_left) * (%s - in_force) from month_pace_levels as paces"
        " where limits.segment_id = paces.segment_id and limits.segment_id = %s",
        [half, row["segment_id"]],
    )
    again = plan(morning)
    assert row["old_budget"] < again[code]["new_budget"] <= half
    assert Reason.SEGMENT_MONTH_BUDGET in again[code]["reasons"]
    kept = again[code]["inputs"]["limits_set"]
    assert Decimal(kept["segment_month_cap"]) == pytest.approx(half) and kept["branch_month_cap"] is None
    shared = {Reason.TOTAL_CAP, Reason.DAILY_INCREASE_LIMIT}
    for other in free.keys() - {code}:
        before, after = free[other], again[other]
        if shared & set(before["reasons"]):
            assert after["new_budget"] >= before["new_budget"], "what one may not have is there for others"
        else:
            assert after["new_budget"] == before["new_budget"], "no limit, no difference"


@pytest.mark.parametrize("table", ["lead_segment_channels", "lead_branch_channels"])
def test_a_month_of_a_segment_or_branch_that_is_no_number_holds_what_it_binds(morning: Morning, table: str) -> None:
    limit_branch(morning, "schilder", "1000000")
    morning.db.fetch(f"alter table {table} drop constraint {table}_monthly_budget_check")
    of_schilder = "(select id from lead_segments where branch = 'schilder')"
    bound = f"where segment_id in {of_schilder}" if table == "lead_segment_channels" else ""
    morning.db.fetch(f"update {table} set monthly_budget = 'NaN' {bound}")
    decided = plan(morning)
    for code, row in decided.items():
        is_unknown = Reason.MISSING_LIMITS in row["reasons"]
        limited = morning.db.value(
            "select count(*) from lead_segment_channels where segment_id = %s", [row["segment_id"]]
        )
        assert is_unknown == (code.startswith("schilder_") and bool(limited)), code
        assert not is_unknown or (row["action"] == "hold" and row["is_blocked"])
    assert {"increase", "decrease"} <= {row["action"] for row in decided.values()}


def test_months_that_cannot_be_read_hold_everything_and_say_so(morning: Morning) -> None:
    morning.db.fetch("revoke select on lead_branch_channels from lead_pipeline")
    decided = plan(morning)
    assert {row["action"] for row in decided.values()} == {"hold"}
    assert morning.open_findings("missing_limits")


@pytest.mark.parametrize("level", ["segment", "branch"])
def test_a_month_of_a_segment_or_branch_that_was_lowered_after_the_decision_lets_no_increase_through(
    by_hand: DayByHand, level: str
) -> None:
    first, second, _ = by_hand.segments
    by_hand.decide({first["code"]: Decimal(9), second["code"]: Decimal(-9)})
    if level == "segment":
        by_hand.db.fetch("update lead_segment_channels set monthly_budget = 0")
    else:
        for branch in ("schilder", "dakdekker", "stukadoor"):
            limit_branch(by_hand, branch, "at_most")
    decisions.apply_changes("decrease", "google_ads", RUN)
    with pytest.raises(ChangesFailed, match="the monthly_budget of"):
        decisions.apply_changes("increase", "google_ads", RUN)
    assert [(row["code"], row["status"]) for row in by_hand.log()] == [(second["code"], "success")]
    by_hand.assert_log_is_the_truth()


def test_of_a_branch_no_more_is_claimed_than_its_month_leaves(by_hand: DayByHand) -> None:
    by_hand.set(approval_threshold=100)
    branches = {row["code"].partition("_")[0] for row in by_hand.segments}
    by_hand.decide({row["code"]: Decimal(9) for row in by_hand.segments})
    for branch in branches:
        limit_branch(by_hand, branch, "at_most + greatest(30.4, days_left) * 9.01")
    of = [row["code"].partition("_")[0] for row in by_hand.segments]
    if len(of) == len(branches):
        decisions.apply_changes("increase", "google_ads", RUN)
    else:
        with pytest.raises(ChangesFailed, match="the monthly_budget of all"):
            decisions.apply_changes("increase", "google_ads", RUN)
    made = [row["code"].partition("_")[0] for row in by_hand.log() if row["status"] == "success"]
    assert sorted(made) == sorted(branches), "one step fits below each"


def test_a_revert_upwards_keeps_to_the_month_of_its_branch(by_hand: DayByHand) -> None:
    (row, *_) = by_hand.segments
    by_hand.decide({row["code"]: Decimal(-9)})
    decisions.apply_changes("decrease", "google_ads", RUN)
    limit_branch(by_hand, row["code"].partition("_")[0], "0")
    (change,) = by_hand.log()
    with pytest.raises(ChangesFailed, match="the monthly_budget of all"):
        reverts.revert_changes(change["id"], None, "google_ads", "a revert", "anke")
    assert by_hand.sandbox.budgets() != by_hand.first_budgets
    by_hand.db.fetch("update lead_branch_channels set monthly_budget = null")
    reverts.revert_changes(change["id"], None, "google_ads", "another revert", "anke")
    assert by_hand.sandbox.budgets() == by_hand.first_budgets


def test_the_months_of_branches_are_told_below_that_of_all(morning: Morning) -> None:
    plan(morning)
    limit_branch(morning, "schilder", "2000")
    with database.connect() as connection:
        _, line = month.pace(connection)
    spent = morning.db.value("select spent from month_pace_of_branches where branch = 'schilder'")
    assert line.startswith(f"schilder (NL): {euros(spent)} of €2000.00 spent. By the end €")
    with database.connect() as connection:
        assert line in digest.compose(digest.read(connection, "google_ads", day.today())).lines


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
