"""The log and the account's own change history tell one story; where they do not, a person is told."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from lead_demand import database
from lead_demand.budgets import decisions, settling
from lead_demand.channels import registry
from lead_demand.channels.google_ads import history
from lead_demand.channels.google_ads.channel import GoogleAds
from lead_demand.database import sql
from lead_demand.errors import ChangesFailed
from lead_demand.planner.finding_codes import ADVICE
from lead_demand.planner.reasons import Reason
from tests.budgets.conftest import RUN, DayByHand
from tests.sql.statements import UNKNOWN

ACCOUNT, NINE, MUTATE = "1234567890", Decimal(9), "MutateCampaignBudgets"
LOGGED = """
insert into channel_orchestration_log (
    id, segment_id, channel, action_type, old_value, new_value, account, external_id, dag_run_id, created_at
)
values (
    %(id)s, %(segment_id)s, 'google_ads', 'budget_increase', %(old)s, %(new)s, '1234567890', %(budget_id)s, 'a run',
    %(at)s
)
"""
CLOSED = """
update channel_orchestration_log set status = %(status)s, error_code = %(code)s, error_detail = %(detail)s,
closed_at = %(at)s::timestamptz + interval '1 minute' where id = %(id)s
"""


@pytest.fixture
def change(by_hand: DayByHand) -> dict[str, Any]:
    """A budget, and the amounts before and after a change of it, which needs nobody's approval."""
    by_hand.set(approval_threshold=1_000)
    row = by_hand.segments[0]
    return row | {"old": row["amount"], "new": row["amount"] + NINE}


def log(by_hand: DayByHand, change: dict[str, Any], ago: timedelta, status: str = "success", **closing: Any) -> Any:
    """A row of the log, claimed so long ago and closed a minute later; returns its id."""
    at = by_hand.db.value("select now() - %s", [ago])
    found = uuid4()
    by_hand.db.restore(LOGGED, change | {"id": found, "at": at})
    values = {"id": found, "at": at, "status": status, "code": None, "detail": None} | closing
    if status != "pending":
        by_hand.db.restore(CLOSED, values)
    return found


def send(change: dict[str, Any]) -> None:
    """A change in our name that passes the log by."""
    outcomes = GoogleAds().set_budgets(ACCOUNT, {change["budget_id"]: change["new"]})
    assert outcomes[change["budget_id"]].applied


def open_findings(by_hand: DayByHand) -> list[dict[str, Any]]:
    return [*by_hand.open_findings("change_not_logged"), *by_hand.open_findings("change_not_in_history")]


def blocks(by_hand: DayByHand, code: str) -> set[str]:
    values = {"channel": "google_ads", "dag_run_id": RUN, "is_complete": True, "kill_switch": False}
    with database.connect() as connection:
        rows = sql.read_rows(
            connection,
            sql.render("lead_budgets/select_segments.sql"),
            values | {"currency": "EUR", "time_zone": "Europe/Amsterdam"} | UNKNOWN,
        )
    return next(set(row["blocks"]) for row in rows if row["code"] == code)


@pytest.mark.advice("change_not_logged")
def test_a_change_in_our_name_that_the_log_lacks_stops_its_segment_until_a_person_has_looked(
    by_hand: DayByHand, change: dict[str, Any]
) -> None:
    send(change)
    by_hand.read()
    (found,) = open_findings(by_hand)
    assert (found["name"], found["level"], found["segment_id"]) == ("change_not_logged", "stop", change["segment_id"])
    ours = GoogleAds().hook.own_email(ACCOUNT)
    for fact in (change["budget_id"], f"{change['old']:.2f} → {change['new']:.2f}", ours, change["code"]):
        assert fact in found["detail"]
    assert "change_not_logged" in blocks(by_hand, change["code"])
    assert (found["remediation"], found["amount"]) == (Reason.CHANGE_NOT_LOGGED.what_to_do, change["new"])
    by_hand.db.fetch("update pipeline_findings set level = 'info' where id = %s", [found["id"]])
    by_hand.read()
    assert [row["level"] for row in open_findings(by_hand)] == ["info"], "what a person has answered is not asked again"
    assert "change_not_logged" not in blocks(by_hand, change["code"])


def test_it_is_closed_when_the_log_has_its_row(by_hand: DayByHand, change: dict[str, Any]) -> None:
    send(change)
    by_hand.read()
    assert open_findings(by_hand)
    log(by_hand, change, timedelta(minutes=1))
    by_hand.read()
    assert open_findings(by_hand) == []


def test_a_change_that_the_log_says_was_not_made_is_named_with_its_row(
    by_hand: DayByHand, change: dict[str, Any]
) -> None:
    row = log(by_hand, change, timedelta(minutes=1), "failed", code="approval_rejected")
    send(change)
    by_hand.read()
    (found,) = open_findings(by_hand)
    assert found["name"] == "change_not_logged" and f"{row} (failed)" in found["detail"]


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "without an answer, then settled"])
def test_our_own_changes_of_minutes_ago_are_in_both(by_hand: DayByHand, answered: bool) -> None:
    by_hand.set(approval_threshold=1_000)
    by_hand.decide({row["code"]: NINE for row in by_hand.segments})
    if not answered:
        by_hand.sandbox.fault("unavailable_after_apply", MUTATE)
    decisions.apply_changes("increase", registry.STEERED, RUN)
    settling.settle_open_changes(registry.STEERED)
    assert {row["status"] for row in by_hand.log()} == {"success"} and by_hand.sandbox.changes()
    by_hand.read()
    assert open_findings(by_hand) == []


@pytest.mark.advice("change_not_in_history")
def test_a_change_of_the_log_that_the_account_does_not_know_stops_its_segment_until_a_person_has_looked(
    by_hand: DayByHand, change: dict[str, Any]
) -> None:
    row = log(by_hand, change, timedelta(minutes=12))
    by_hand.read()
    (found,) = open_findings(by_hand)
    assert (found["name"], found["level"], found["segment_id"]) == (
        "change_not_in_history",
        "stop",
        change["segment_id"],
    )
    for fact in (str(row), change["budget_id"], f"{change['old']:.2f} to {change['new']:.2f}", "by run a run"):
        assert fact in found["detail"]
    assert "change_not_in_history" in blocks(by_hand, change["code"])
    by_hand.db.fetch("update pipeline_findings set level = 'info' where id = %s", [found["id"]])
    by_hand.read()
    assert [row["level"] for row in open_findings(by_hand)] == ["info"]
    assert "change_not_in_history" not in blocks(by_hand, change["code"])


@pytest.mark.parametrize(
    ("ago", "status"), [(timedelta(minutes=5), "success"), (timedelta(minutes=12), "pending"), (timedelta(1), "failed")]
)
def test_what_google_may_not_show_yet_and_what_was_not_made_need_no_entry(
    by_hand: DayByHand, change: dict[str, Any], ago: timedelta, status: str
) -> None:
    log(by_hand, change, ago, status)
    by_hand.read()
    assert open_findings(by_hand) == []


def test_a_budget_that_a_person_had_set_already_was_not_changed(by_hand: DayByHand, change: dict[str, Any]) -> None:
    by_hand.sandbox.edit(change["budget_id"], days_ago=1, amount_micros=int(change["new"] * 1_000_000))
    log(by_hand, change, timedelta(minutes=12), detail="already in force")
    by_hand.read()
    assert open_findings(by_hand) == []


def test_an_account_is_not_judged_by_what_was_done_before_it_was_ours(
    by_hand: DayByHand, change: dict[str, Any]
) -> None:
    send(change)
    by_hand.db.fetch("update channel_sources set created_at = now()")
    by_hand.read()
    assert open_findings(by_hand) == []


def test_other_tools_and_people_are_not_us(by_hand: DayByHand, change: dict[str, Any]) -> None:
    by_hand.sandbox.set_budget(change["budget_id"], 77_000_000, user="bureau@reclame.example")
    # A person in Google's own pages, under the user that our credentials act for.
    by_hand.sandbox.edit(
        by_hand.segments[1]["budget_id"], user=GoogleAds().hook.own_email(ACCOUNT), amount_micros=5_000_000
    )
    by_hand.read()
    assert open_findings(by_hand) == []
    changed = by_hand.db.fetch(
        "select distinct budget_id from channel_budgets where changed_at > now() - interval '1 hour'"
    )
    edited = {change["budget_id"], by_hand.segments[1]["budget_id"]}
    assert edited <= {row["budget_id"] for row in changed}, "both are edits by somebody else, which are left alone"


def test_a_history_that_is_cut_off_proves_nothing_against_the_log(
    by_hand: DayByHand, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    log(by_hand, change, timedelta(minutes=12))
    by_hand.sandbox.set_budget(by_hand.segments[1]["budget_id"], 77_000_000)
    monkeypatch.setattr(history, "MOST_CHANGE_EVENTS", 1)
    by_hand.read()
    assert open_findings(by_hand) == []


def test_a_campaign_that_got_another_budget_keeps_the_history_of_the_first(
    by_hand: DayByHand, change: dict[str, Any]
) -> None:
    by_hand.decide({change["code"]: NINE})
    decisions.apply_changes("increase", registry.STEERED, RUN)
    campaign = by_hand.db.value("select campaign_id from channel_budgets where budget_id = %s", [change["budget_id"]])
    by_hand.sandbox.edit(f"customers/{ACCOUNT}/campaigns/{campaign}", campaign_budget=by_hand.segments[1]["budget_id"])
    by_hand.read()
    assert open_findings(by_hand) == []


def test_a_person_who_logs_what_was_done_by_hand_is_no_change_of_a_budget(
    by_hand: DayByHand, change: dict[str, Any]
) -> None:
    by_hand.db.fetch(
        "insert into channel_orchestration_log (segment_id, channel, action_type, status, kind)"
        " values (%s, 'seo', 'page_written', 'success', 'manual')",
        [change["segment_id"]],
    )
    by_hand.read()
    assert open_findings(by_hand) == []


def test_what_the_history_no_longer_reaches_stays_open_for_a_person(by_hand: DayByHand, change: dict[str, Any]) -> None:
    send(change)
    by_hand.read()
    by_hand.db.fetch("update pipeline_findings set date = date - 40 where name = 'change_not_logged'")
    key = {"channel": "google_ads", "account": ACCOUNT, "changes": Jsonb([]), "advice": ADVICE}
    with database.connect() as connection:
        now = connection.execute("select now(), now() - interval '29 days'").fetchone()
        assert now
        connection.execute(
            sql.render("lead_budgets/insert_pipeline_findings_history.sql"), key | {"until": now[0], "since": now[1]}
        )
    assert [row["level"] for row in open_findings(by_hand)] == ["stop"]


def test_a_change_by_somebody_else_is_refused_and_no_contradiction(by_hand: DayByHand, change: dict[str, Any]) -> None:
    by_hand.decide({change["code"]: NINE})
    by_hand.sandbox.set_budget(change["budget_id"], 77_000_000)
    with pytest.raises(ChangesFailed):
        decisions.apply_changes("increase", registry.STEERED, RUN)
    by_hand.read()
    assert open_findings(by_hand) == []
