"""Every guard rail fails closed: taken away, NULL, NaN or unreadable, it ends in a hold that names it."""

from __future__ import annotations

from contextlib import suppress

import psycopg
import pytest

from lead_demand.budgets import decisions, planning
from lead_demand.planner.reasons import Reason
from tests.fixtures.morning import Morning

SETTINGS = {
    "kill_switch": "boolean",
    "dry_run": "boolean",
    "total_daily_cap": "numeric",
    "max_daily_increase": "numeric",
    "approval_threshold": "numeric",
    "approval_deadline": "time",
    "currency": "text",
    "time_zone": "text",
}
LIMITS = {
    "min_daily_budget": "numeric",
    "max_daily_budget": "numeric",
    "max_increase_pct": "numeric",
    "max_decrease_pct": "numeric",
    "cooldown_days": "integer",
    "is_automated": "boolean",
}
SEEN = {
    "is_learning": Reason.LEARNING_UNKNOWN,
    "is_budget_limited": Reason.BUDGET_LIMITED_UNKNOWN,
}


def break_column(morning: Morning, table: str, column: str, how: str) -> None:
    """Break one column as a careless migration or a careless hand would: constraints give way first."""
    with morning.db.connect() as owner:
        if how == "removed":
            owner.execute(f"delete from {table}")
            return
        if how == "unreadable":
            owner.execute(f"alter table {table} rename column {column} to {column}_renamed")
            return
        named = owner.execute(
            "select conname from pg_constraint where conrelid = %s::regclass and contype = 'c'", [table]
        ).fetchall()
        for row in named:
            name = row["conname"] if isinstance(row, dict) else row[0]
            owner.execute(f"alter table {table} drop constraint {name}")
        owner.execute(f"alter table {table} alter column {column} drop not null")
        if how == "NaN":
            owner.execute(f"alter table {table} alter column {column} type numeric")
        owner.execute(f"update {table} set {column} = {'NULL' if how == 'NULL' else chr(39) + 'NaN' + chr(39)}")


def decide(morning: Morning) -> None:
    for account in ("1234567890", "2345678901"):
        planning.read_budgets("google_ads", account, "test-run")
    planning.plan("google_ads", "test-run")


def assert_nothing_is_sent(morning: Morning) -> None:
    for action in ("decrease", "increase"):
        # What the plan could not read, a claim cannot read either: that ends the task, and sends nothing.
        with suppress(psycopg.errors.UndefinedColumn):
            decisions.apply_changes(action, "google_ads", "test-run")
    assert morning.log() == []
    assert morning.sandbox.calls("MutateCampaignBudgets") == []
    assert morning.sandbox.budgets() == morning.first_budgets


def test_unbroken_the_same_morning_does_change_budgets(morning: Morning) -> None:
    decide(morning)
    assert {row["action"] for row in morning.decisions().values()} == {"increase", "decrease", "hold"}


def cases(columns: dict[str, str]) -> list[tuple[str, str]]:
    """Every column in every way that its type allows: only a number can be NaN, and a row is removed once."""
    ways = [(column, how) for column in columns for how in ("NULL", "unreadable")]
    ways += [(column, "NaN") for column, kind in columns.items() if kind in ("numeric", "integer")]
    return [*ways, (next(iter(columns)), "removed")]


@pytest.mark.parametrize(("column", "how"), [*cases(SETTINGS), ("monthly_budget", "unreadable")])
def test_a_setting_that_is_not_known_holds_every_segment(morning: Morning, column: str, how: str) -> None:
    break_column(morning, "orchestration_settings", column, how)
    decide(morning)
    decisions = morning.decisions()
    assert {row["action"] for row in decisions.values()} == {"hold"}
    assert all(Reason.SETTINGS_MISSING in row["reasons"] and row["is_blocked"] for row in decisions.values())
    assert bool(morning.findings("settings_missing")) == (how == "unreadable")
    assert_nothing_is_sent(morning)


@pytest.mark.parametrize(("column", "how"), cases(LIMITS))
def test_a_limit_that_is_not_known_holds_its_segments(morning: Morning, column: str, how: str) -> None:
    break_column(morning, "lead_segment_channels", column, how)
    decide(morning)
    off = how == "removed" or (column == "is_automated" and how != "unreadable")
    code = Reason.AUTOMATION_OFF if off else Reason.MISSING_LIMITS
    for row in morning.decisions().values():
        # A segment without a campaign has no limits to break.
        assert row["action"] == "hold" and {code, Reason.NO_CAMPAIGN} & set(row["reasons"]), row["reasons"]
    assert bool(morning.findings("missing_limits")) == (how == "unreadable")
    assert_nothing_is_sent(morning)


@pytest.mark.parametrize("column", SEEN)
def test_what_google_did_not_say_about_a_campaign_holds_its_segment(morning: Morning, column: str) -> None:
    for account in ("1234567890", "2345678901"):
        planning.read_budgets("google_ads", account, "test-run")
    morning.db.fetch(f"update channel_budgets set {column} = null")
    planning.plan("google_ads", "test-run")
    for row in morning.decisions().values():
        assert row["action"] == "hold" and {SEEN[column], Reason.NO_CAMPAIGN} & set(row["reasons"]), row["reasons"]
        assert row["is_blocked"]
    assert_nothing_is_sent(morning)


def test_budgets_of_an_earlier_run_are_not_decided_on(morning: Morning) -> None:
    for account in ("1234567890", "2345678901"):
        planning.read_budgets("google_ads", account, "an earlier run")
    planning.plan("google_ads", "test-run")
    assert all(
        row["action"] == "hold" and {Reason.MISSING_CURRENT_BUDGET, Reason.NO_CAMPAIGN} & set(row["reasons"])
        for row in morning.decisions().values()
    )
    assert_nothing_is_sent(morning)


@pytest.mark.parametrize(
    "spoil",
    [
        "delete from channel_fetches",
        "update channel_fetches set date_to = date_to - 1, date_from = date_from - 1",
        "update channel_fetches set fetched_at = fetched_at - interval '1 day'",
    ],
    ids=["never fetched", "not up to yesterday", "not today"],
)
def test_data_that_is_not_fresh_holds_every_segment(morning: Morning, spoil: str) -> None:
    morning.db.fetch(spoil)
    decide(morning)
    for row in morning.decisions().values():
        assert row["action"] == "hold" and {Reason.STALE_CHANNEL, Reason.NO_CAMPAIGN} & set(row["reasons"])
    assert_nothing_is_sent(morning)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-5", "0", "0.004"])
def test_an_amount_that_cannot_be_a_budget_is_never_sent(morning: Morning, amount: str) -> None:
    from decimal import Decimal

    from lead_demand.channels import registry

    (budget, *_) = morning.first_budgets
    channel = registry.get_paid("google_ads")
    outcome = channel.set_budgets(budget.split("/")[1], {budget: Decimal(amount)})[budget]
    assert (outcome.applied, outcome.error_code) == (False, "invalid_amount")
    assert_nothing_is_sent(morning)
