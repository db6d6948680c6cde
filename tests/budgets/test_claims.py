"""Only a decision moves money: whatever row stands in the log, what is sent is compared with its decision, the limits
of that moment and its approval, and what does not pass is closed, named and reported.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from lead_demand import database
from lead_demand.budgets import decisions, limits_now, reverts
from lead_demand.database import sql
from lead_demand.errors import ChangesFailed, ChangesUnsettled
from tests.faults.cases import STRUCK, write_a_row
from tests.faults.conftest import wrapped_protocol
from tests.faults.invariants import contradictions, gather
from tests.fixtures.claims import approve, log
from tests.fixtures.morning import Morning
from tests.fixtures.postgres import MEMBER

MUTATE = "MutateCampaignBudgets"
ANY_AMOUNT = Decimal("98765.43")


def apply(action: str) -> str:
    """One try of the task; gives what Airflow would see, empty where it succeeds."""
    try:
        decisions.apply_changes(action, "google_ads", "test-run")
    except (ChangesFailed, ChangesUnsettled) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def some_budget(morning: Morning, action: str = "hold") -> dict[str, Any]:
    """A budget whose segment's decision is of that kind; `hold`: of none, since its decision is taken away."""
    (row,) = morning.db.fetch(
        "select decisions.segment_id, segments.code, budgets.account, budgets.budget_id, budgets.amount"
        " from budget_decisions as decisions join lead_segments as segments on decisions.segment_id = segments.id"
        " join channel_sources as sources on decisions.segment_id = sources.segment_id"
        " and sources.channel = decisions.channel"
        " join channel_budgets as budgets on sources.external_id = budgets.campaign_id"
        " where %s in ('hold', decisions.action) and budgets.account = '1234567890'"
        " order by decisions.old_budget, budgets.budget_id limit 1",
        [action],
    )
    if action == "hold":
        morning.db.restore("delete from budget_decisions where segment_id = %s", [row["segment_id"]])
    return row


def forge(connection: psycopg.Connection[Any], budget: dict[str, Any], **columns: Any) -> None:
    """Write a pending row of any amount."""
    row = {"account": budget["account"], "old_value": budget["amount"], "new_value": ANY_AMOUNT, "status": "pending"}
    log(connection, budget["segment_id"], budget["budget_id"], **row | columns)


def forge_past_the_guard(morning: Morning, budget: dict[str, Any], **columns: Any) -> None:
    """The same with the triggers off, as only the owner of the table can."""
    with morning.db.connect() as owner:
        owner.execute("set session_replication_role = replica")
        forge(owner, budget, **columns)


def sent(morning: Morning, budget: str) -> list[int]:
    """Every amount in micros that the pipeline set the budget to."""
    changes = morning.sandbox.changes()
    ours = [edit for edit in changes if edit["user_email"].startswith("lead-pipeline")]
    return [edit["new_micros"] for edit in ours if edit["resource_name"] == budget]


def assert_refused(morning: Morning, budget: str, code: str) -> dict[str, Any]:
    """The budget's row is failed with that code and never sent, and a finding names it with what to do."""
    (row,) = [row for row in morning.log() if row["external_id"] == budget]
    assert (row["status"], row["error_code"]) == ("failed", code) and row["error_detail"]
    assert sent(morning, budget) == []
    (found,) = [found for found in morning.open_findings(code) if found["subject"].endswith(budget)]
    assert found["level"] == "stop" and str(row["id"]) in found["detail"]
    assert found["segment_id"] == row["segment_id"] and "resolved_at" in found["remediation"]
    return row


def assert_the_others_went_through(morning: Morning, budget: str) -> None:
    others = [row for row in morning.log() if row["external_id"] != budget]
    assert others and {row["status"] for row in others} == {"success"}


# -- who writes a row of any amount ------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["admin", "service_role", None])
def test_a_pending_row_of_a_person_is_a_record_and_never_sent(ten_percent: Morning, who: str | None) -> None:
    budget = some_budget(ten_percent)
    claims = ten_percent.db.add_user(is_admin=True) if who == "admin" else None
    with ten_percent.db.connect("authenticated" if who == "admin" else who, claims) as person:
        forge(person, budget)
    assert [apply("decrease"), apply("increase")] == ["", ""]
    (row,) = [row for row in ten_percent.log() if row["external_id"] == budget["budget_id"]]
    assert (row["kind"], row["status"], row["new_value"]) == ("manual", "success", ANY_AMOUNT)
    assert sent(ten_percent, budget["budget_id"]) == []
    assert_the_others_went_through(ten_percent, budget["budget_id"])


@pytest.mark.parametrize("who", ["lead_pipeline", MEMBER])
@pytest.mark.parametrize("action", ["hold", "increase", "decrease"])
def test_the_pipelines_own_login_claims_no_more_than_was_decided(ten_percent: Morning, who: str, action: str) -> None:
    budget = some_budget(ten_percent, action)
    decisions = ten_percent.db.fetch("select id from budget_decisions order by segment_id = %s", [budget["segment_id"]])
    with ten_percent.db.connect(who) as login:
        for decision in (None, decisions[0]["id"], decisions[-1]["id"]):
            with pytest.raises(psycopg.errors.CheckViolation, match="cannot be claimed"):
                forge(login, budget, decision_id=decision)
    assert ten_percent.log() == []


# -- a row that got past the guard, or was there before it -------------------------------------------------------------


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"decision_id": "of another segment"},
        {"new_value": "within its limits"},
        {"decided_by": "somebody"},
    ],
    ids=["no decision", "decision of another segment", "small", "said to be approved"],
)
def test_a_row_that_no_decision_covers_is_not_sent_and_the_others_are(
    ten_percent: Morning, columns: dict[str, Any]
) -> None:
    budget = some_budget(ten_percent)
    values: dict[str, Any] = {
        "of another segment": ten_percent.db.value("select id from budget_decisions where action = 'increase' limit 1"),
        "within its limits": budget["amount"] + 1,
    }
    forge_past_the_guard(ten_percent, budget, **{name: values.get(value, value) for name, value in columns.items()})
    error = apply("increase")
    assert error.startswith("ChangesFailed") and budget["code"] in error and "no decision of today" in error
    assert_refused(ten_percent, budget["budget_id"], "not_of_a_decision")
    assert_the_others_went_through(ten_percent, budget["budget_id"])
    assert ten_percent.sandbox.budgets()[budget["budget_id"]] == ten_percent.first_budgets[budget["budget_id"]]


def test_a_row_in_the_place_of_a_decided_change_is_not_sent(ten_percent: Morning) -> None:
    budget = some_budget(ten_percent, "increase")
    decision = ten_percent.db.value("select id from budget_decisions where segment_id = %s", [budget["segment_id"]])
    forge_past_the_guard(ten_percent, budget, decision_id=decision)
    assert "the claims of it add up to" in apply("increase")
    assert_refused(ten_percent, budget["budget_id"], "not_of_a_decision")


def test_a_row_without_a_decision_is_work_so_that_somebody_hears_of_it(ten_percent: Morning) -> None:
    budget = some_budget(ten_percent)
    ten_percent.db.restore("delete from budget_decisions")
    forge_past_the_guard(ten_percent, budget)
    with database.connect() as connection:
        key = {"channel": "google_ads", "dag_run_id": "test-run"}
        (work,) = sql.read_rows(connection, sql.render("lead_budgets/select_work.sql"), key)
    assert (work["increase"], work["decrease"]) == (True, False)
    assert apply("increase").startswith("ChangesFailed")


@pytest.mark.parametrize("shift", [{"old_value": 1}, {"new_value": ANY_AMOUNT}, {"reverts": None}])
def test_a_revert_that_is_not_the_opposite_of_a_change_is_not_sent(ten_percent: Morning, shift: dict[str, Any]) -> None:
    assert apply("decrease") == ""
    row, other = [row for row in ten_percent.log() if row["status"] == "success"][:2]
    back = {"kind": "revert", "action_type": "budget_revert", "reverts": row["id"]}
    forged = {"old_value": row["new_value"], "new_value": row["old_value"], **back, **shift}
    ten_percent.db.restore(
        "alter table channel_orchestration_log drop constraint channel_orchestration_log_reverts_check"
    )
    budget = {"segment_id": row["segment_id"], "budget_id": row["external_id"], "account": row["account"], "amount": 0}
    if "old_value" in shift:  # so that it is in force
        ten_percent.sandbox.set_budget(row["external_id"], 1_000_000)
    forge_past_the_guard(ten_percent, budget, **forged)
    with pytest.raises(ChangesFailed, match="is no change of this budget"):
        reverts.revert_changes(other["id"], None, "google_ads", "revert-run", "anke")
    (refused,) = [row for row in ten_percent.log() if row["kind"] == "revert" and row["status"] == "failed"]
    assert refused["error_code"] == "not_of_a_decision" and ten_percent.open_findings("not_of_a_decision")
    assert ten_percent.sandbox.budgets()[other["external_id"]] == other["old_value"] * 1_000_000


@pytest.mark.parametrize("decided", [False, True], ids=["no decision", "a decision"])
@pytest.mark.parametrize("who", ["admin", "service_role", "lead_pipeline", MEMBER, None])
def test_whoever_writes_whatever_nothing_is_sent_that_no_decision_covers(
    ten_percent: Morning, who: str | None, decided: bool
) -> None:
    write_a_row(ten_percent, who, decided=decided)
    for action in ("decrease", "increase"):
        apply(action)
    assert contradictions(gather(ten_percent), settled=False) == []
    assert ten_percent.sandbox.changes(), "the decided changes went through"


# -- limits and approvals at the moment of sending ---------------------------------------------------------------------

LOWERED = {
    "cap": ("increase", "update lead_segment_channels set max_daily_budget = 1"),
    "cap gone": ("increase", "update lead_segment_channels set max_daily_budget = null"),
    "step up": ("increase", "update lead_segment_channels set max_increase_pct = 5"),
    "step down": ("decrease", "update lead_segment_channels set max_decrease_pct = 5"),
    "floor": ("decrease", "update lead_segment_channels set min_daily_budget = 360"),
    "automation": ("decrease", "update lead_segment_channels set is_automated = false"),
    "limits gone": ("increase", "delete from lead_segment_channels"),
}


@pytest.mark.parametrize("left_open", [False, True], ids=["just claimed", "left open by an earlier try"])
@pytest.mark.parametrize("name", LOWERED)
def test_a_limit_that_was_lowered_after_the_claim_is_kept(ten_percent: Morning, name: str, left_open: bool) -> None:
    action, lower = LOWERED[name]
    budget = some_budget(ten_percent, action)
    mine = f"{lower} where segment_id = '{budget['segment_id']}'"
    if left_open:
        ten_percent.sandbox.fault("unavailable", MUTATE, times=100)
        assert apply(action).startswith("ChangesUnsettled")
        ten_percent.sandbox.clear()
        ten_percent.db.fetch(mine)
        error = apply(action)
    else:
        with wrapped_protocol() as strikes:
            strikes.at(action, "claims_committed", lambda: ten_percent.db.fetch(mine))
            error = apply(action)
    assert error.startswith("ChangesFailed") and budget["code"] in error
    refused = {row["external_id"] for row in ten_percent.log() if row["segment_id"] == budget["segment_id"]}
    for each in refused:
        assert_refused(ten_percent, each, "beyond_limits")
    others = [row for row in ten_percent.log() if row["external_id"] not in refused]
    assert others and {row["status"] for row in others} == {"success"}


@pytest.mark.parametrize("limit", ["total_daily_cap", "max_daily_increase"])
def test_a_shared_limit_that_was_lowered_after_the_claim_is_not_passed(ten_percent: Morning, limit: str) -> None:
    with database.connect() as connection:
        before, _ = limits_now.room_taken(connection, "google_ads")
    steps = ten_percent.db.fetch(
        "select new_budget - old_budget as step from budget_decisions where action = 'increase' order by 1"
    )
    room = steps[0]["step"] + steps[1]["step"] + Decimal("0.01")
    now = room if limit == "max_daily_increase" else before + room
    with wrapped_protocol() as strikes:
        strikes.at("increase", "claims_committed", lambda: ten_percent.set(**{limit: now}))
        assert apply("increase").startswith("ChangesFailed")
    rows = ten_percent.log()
    raised = sum((row["new_value"] - row["old_value"] for row in rows if row["status"] == "success"), Decimal(0))
    assert raised <= room and {row["error_code"] for row in rows} <= {None, "beyond_limits"}
    assert "beyond_limits" in {row["error_code"] for row in rows}
    ten_percent.assert_log_is_the_truth()


def test_a_row_that_is_refused_takes_no_room_from_the_others(ten_percent: Morning) -> None:
    budget = some_budget(ten_percent)
    forge_past_the_guard(ten_percent, budget, created_at="2020-01-01")
    apply("increase")
    assert_refused(ten_percent, budget["budget_id"], "not_of_a_decision")
    apply("increase")
    assert_the_others_went_through(ten_percent, budget["budget_id"])


@pytest.mark.parametrize("approved", [True, False])
def test_a_large_increase_is_sent_only_with_its_approval(ten_percent: Morning, approved: bool) -> None:
    large = ten_percent.db.value("select max(new_budget - old_budget) from budget_decisions")
    segment = ten_percent.db.value(
        "select segment_id from budget_decisions where new_budget - old_budget = %s", [large]
    )
    if approved:  # as the task after the question claims it
        ten_percent.sandbox.fault("unavailable", MUTATE, times=100)
        apply("increase")
        ten_percent.sandbox.clear()
        ten_percent.db.restore("update channel_orchestration_log set decided_by = 'Anke de Wit'")
        approve(ten_percent.db)
        ten_percent.set(approval_threshold=large - Decimal("0.01"))
        assert apply("increase") == ""
        assert {row["status"] for row in ten_percent.log()} == {"success"}
        return
    with wrapped_protocol() as strikes:
        lower = {"approval_threshold": large - Decimal("0.01")}
        strikes.at("increase", "claims_committed", lambda: ten_percent.set(**lower))
        error = apply("increase")
    assert "nobody approved it" in error
    rows = [row for row in ten_percent.log() if row["segment_id"] == segment]
    assert rows
    for row in rows:
        assert_refused(ten_percent, row["external_id"], "not_approved")


def test_the_kill_switch_still_stops_and_fails_nothing(ten_percent: Morning) -> None:
    with wrapped_protocol() as strikes:
        strikes.at("increase", "claims_committed", lambda: ten_percent.set(kill_switch=True, total_daily_cap=1))
        report = decisions.apply_changes("increase", "google_ads", "test-run")
    assert report.stopped and not report.failed
    assert {row["status"] for row in ten_percent.log()} == {"pending"}


def test_a_change_that_was_sent_without_an_answer_is_not_called_refused_before_it_is_read_back(
    ten_percent: Morning,
) -> None:
    ten_percent.sandbox.fault("unavailable", MUTATE, times=100)
    with wrapped_protocol() as strikes:
        lower = "update lead_segment_channels set max_daily_budget = 1"
        strikes.at("increase", "answered", lambda: ten_percent.db.fetch(lower))
        assert apply("increase").startswith("ChangesUnsettled")
    first = {row["account"]: row["status"] for row in ten_percent.log()}
    assert first["1234567890"] == "pending"
    assert len([call for call in ten_percent.sandbox.calls(MUTATE) if "1234567890" in str(call)]) == 1
    ten_percent.sandbox.clear()
    assert apply("increase").startswith("ChangesFailed")
    assert {row["error_code"] for row in ten_percent.log()} == {"beyond_limits"}
    assert ten_percent.sandbox.budgets() == ten_percent.first_budgets


# -- a person closes a claim -------------------------------------------------------------------------------------------


def close_by_hand(morning: Morning) -> Callable[[], None]:
    claims = morning.db.add_user(is_admin=True)

    def close() -> None:
        with morning.db.connect("authenticated", claims) as admin:
            admin.execute(
                "update channel_orchestration_log set status = 'failed' where status = 'pending' and account = %s",
                [STRUCK],
            )

    return close


def test_a_claim_that_a_person_closed_is_not_sent(ten_percent: Morning) -> None:
    with wrapped_protocol() as strikes:
        strikes.at("increase", "compared", close_by_hand(ten_percent))
        assert "its row was closed meanwhile" in apply("increase")
    rows = [row for row in ten_percent.log() if row["account"] == STRUCK]
    assert {(row["status"], row["error_code"]) for row in rows} == {("failed", "closed_by_hand")}
    ten_percent.assert_log_is_the_truth()


def test_a_claim_that_a_person_closed_while_it_was_sent_is_named(ten_percent: Morning) -> None:
    with wrapped_protocol() as strikes:
        strikes.at("increase", "answered", close_by_hand(ten_percent))
        error = apply("increase")
    assert error.startswith("ChangesFailed") and "closed its row by hand" in error


def test_a_change_recorded_by_hand_is_neither_in_the_way_nor_counted(ten_percent: Morning) -> None:
    budget = some_budget(ten_percent, "increase")
    with ten_percent.db.connect("service_role") as person:
        forge(person, budget)
        forge(person, budget, external_id=None, account=None)
    assert apply("increase") == ""
    (row,) = [row for row in ten_percent.log() if row["external_id"] == budget["budget_id"] and row["kind"] == "plan"]
    assert row["status"] == "success"
