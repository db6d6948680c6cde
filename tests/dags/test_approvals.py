"""Large increases wait for a person: what is asked, what each answer does, and what the log says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from lead_demand import approvals, planning
from lead_demand.budgets import ChangeReport
from lead_demand.errors import AnswerUnusable, ChangesFailed
from tests.fixtures.airflow import answering
from tests.fixtures.morning import Morning

THRESHOLD = Decimal(23)
RUN = "asked"
ANKE = {"id": "anke", "name": "Anke"}


@pytest.fixture
def large(morning: Morning) -> Morning:
    """A morning on which at least one increase is larger than the threshold, with all day to answer."""
    morning.set(approval_threshold=THRESHOLD, approval_deadline="23:59:59")
    return morning


def waiting(morning: Morning) -> set[str]:
    return {code for code, row in morning.decisions().items() if "needs_approval" in row["reasons"]}


def outcomes(morning: Morning, codes: set[str]) -> set[tuple[Any, ...]]:
    return {(row["status"], row["error_code"], row["decided_by"]) for row in morning.log() if row["code"] in codes}


def test_an_approved_increase_is_sent_and_the_log_names_who_approved(large: Morning) -> None:
    with answering("Approve", user="Anke de Wit", leave_out=[]) as asked:
        run = large.run("lead_budgets")
    assert run.state == "success", run.tasks
    codes = waiting(large)
    assert codes and all(code in asked[0] for code in codes)
    assert outcomes(large, codes) == {("success", None, "Anke de Wit")}
    assert {row["decided_by"] for row in large.log() if row["code"] not in codes} == {None}
    assert {large.plans()[code]["orchestration_status"] for code in codes} == {"applied"}
    large.assert_log_is_the_truth()


def test_the_question_shows_the_amounts_the_leads_and_the_reason(large: Morning) -> None:
    with answering("Reject", leave_out=[]) as asked:
        large.run("lead_budgets")
    for code in waiting(large):
        row = large.decisions()[code]
        for fact in (f"€{row['old_budget']:.2f}", f"€{row['new_budget']:.2f}", row["sentence"], "23:59"):
            assert fact in asked[0]


def test_a_rejected_increase_is_not_sent_and_the_log_names_who_rejected(large: Morning) -> None:
    with answering("Reject", user="Anke de Wit", leave_out=[]):
        run = large.run("lead_budgets")
    assert run.state == "success", "a person's no is no failure of the run"
    codes = waiting(large)
    assert outcomes(large, codes) == {("failed", "approval_rejected", "Anke de Wit")}
    assert {large.plans()[code]["orchestration_status"] for code in codes} == {"held"}
    assert "success" in {row["status"] for row in large.log()}, "the smaller changes went ahead"
    large.assert_log_is_the_truth()


def test_no_answer_by_the_deadline_is_a_no_and_the_log_says_that_nobody_answered(large: Morning) -> None:
    large.set(approval_deadline="00:00:00")
    with answering(None):
        run = large.run("lead_budgets")
    assert run.state == "success", run.tasks
    assert outcomes(large, waiting(large)) == {("failed", "approval_expired", None)}
    expired = [row for row in large.log() if row["error_code"] == "approval_expired"]
    assert expired and all("nobody answered" in row["error_detail"] for row in expired)
    large.assert_log_is_the_truth()


def test_a_segment_that_was_left_out_stays_as_it_is_although_the_rest_is_approved(large: Morning) -> None:
    large.set(approval_threshold=Decimal(1))
    with answering("Approve", user="Anke de Wit", leave_out=["schilder_noord_brabant"]):
        assert large.run("lead_budgets").state == "success"
    codes = waiting(large)
    assert "schilder_noord_brabant" in codes and len(codes) > 1
    assert outcomes(large, {"schilder_noord_brabant"}) == {("failed", "approval_rejected", "Anke de Wit")}
    assert outcomes(large, codes - {"schilder_noord_brabant"}) == {("success", None, "Anke de Wit")}
    large.assert_log_is_the_truth()


def test_a_name_to_leave_out_that_is_not_in_the_list_sends_nothing(large: Morning) -> None:
    with answering("Approve", leave_out=["schilder_nord_brabant"]):
        assert large.run("lead_budgets").state == "success"
    rejected = [row for row in large.log() if row["code"] in waiting(large)]
    assert {(row["status"], row["error_code"]) for row in rejected} == {("failed", "approval_rejected")}
    assert all("schilder_nord_brabant" in row["error_detail"] for row in rejected)
    large.assert_log_is_the_truth()


@dataclass(frozen=True)
class Asked:
    """A question that waits, and what becomes of an answer that a person gives now."""

    question: approvals.Question
    id: str

    @property
    def codes(self) -> set[str]:
        return {change.segment for change in self.question.changes}

    def record(self, choice: str, leave_out: Any = (), **given: Any) -> bool:
        """What the asking task makes of it, once Airflow gives it its record."""
        form = {"chosen_options": [choice], "params_input": {"leave_out": leave_out}, "responded_by_user": ANKE}
        return approvals.record(self.id, form | {"responded_at": datetime.now(UTC)} | given)

    def answer(self, choice: str, leave_out: Any = (), **given: Any) -> ChangeReport:
        """And what the task after it does."""
        self.record(choice, list(leave_out) if isinstance(leave_out, tuple) else leave_out, **given)
        return approvals.decide("google_ads", RUN)


@pytest.fixture
def asked(large: Morning) -> Asked:
    """The morning's question, as the asking task puts it."""
    for account in ("1234567890", "2345678901"):
        planning.read_budgets("google_ads", account, RUN)
    planning.plan("google_ads", RUN)
    return put(RUN)


def put(run: str) -> Asked:
    question = approvals.question("google_ads")
    assert question is not None
    made = Asked(question, str(uuid4()))
    approvals.ask(question, "google_ads", made.id, run)
    return made


def assert_nothing_happened(morning: Morning) -> None:
    assert not morning.log() and morning.sandbox.budgets() == morning.first_budgets


def test_an_approval_does_not_pass_the_kill_switch(large: Morning, asked: Asked) -> None:
    large.set(kill_switch=True)
    assert asked.answer("Approve").switched_off
    assert_nothing_happened(large)


@pytest.mark.parametrize("moment", [{"deadline": "00:00:00"}, {"responded_at": None}])
def test_an_answer_after_the_deadline_as_it_is_now_is_a_no_although_the_form_was_still_open(
    large: Morning, asked: Asked, moment: dict[str, Any]
) -> None:
    if "deadline" in moment:
        large.set(approval_deadline=moment.pop("deadline"))
    report = asked.answer("Approve", **moment)
    assert report.declined and not report.success
    assert {(row["status"], row["error_code"]) for row in large.log()} == {("failed", "approval_expired")}
    assert all("Anke" in row["error_detail"] for row in large.log())
    assert large.sandbox.budgets() == large.first_budgets


def test_a_cap_that_was_lowered_while_the_question_waited_is_kept(large: Morning, asked: Asked) -> None:
    large.db.fetch("update lead_segment_channels set min_daily_budget = 1, max_daily_budget = 2")
    with pytest.raises(ChangesFailed, match="cap"):
        asked.answer("Approve")
    assert large.sandbox.budgets() == large.first_budgets


@pytest.mark.parametrize("limit", ["total_daily_cap", "max_daily_increase"])
def test_a_shared_limit_that_was_lowered_while_the_question_waited_is_kept(
    large: Morning, asked: Asked, limit: str
) -> None:
    large.set(**{limit: 1})
    with pytest.raises(ChangesFailed, match=limit):
        asked.answer("Approve")
    assert_nothing_happened(large)


def test_an_approved_change_whose_segment_was_switched_off_meanwhile_is_named(large: Morning, asked: Asked) -> None:
    large.db.fetch("update lead_segment_channels set is_automated = false")
    with pytest.raises(ChangesFailed, match="approved by Anke") as failed:
        asked.answer("Approve")
    assert all(code in str(failed.value) for code in asked.codes)
    assert_nothing_happened(large)


def test_an_answer_counts_once_however_often_it_is_given(large: Morning, asked: Asked) -> None:
    asked.answer("Reject")
    assert not asked.record("Approve", []), "whoever gives the second is told"
    approvals.decide("google_ads", RUN)
    assert {(row["status"], row["error_code"]) for row in large.log()} == {("failed", "approval_rejected")}
    assert large.sandbox.budgets() == large.first_budgets


def test_without_an_answer_on_record_nothing_is_sent_and_another_run_may_ask_again(
    large: Morning, asked: Asked
) -> None:
    with pytest.raises(AnswerUnusable, match="no record of an answer"):
        approvals.decide("google_ads", RUN)
    assert_nothing_happened(large)
    with pytest.raises(AnswerUnusable):  # an answer to one run's question is none to another's
        asked.record("Approve", [])
        approvals.decide("google_ads", "another")
    assert put("another").codes == asked.codes


def test_an_answer_to_a_question_that_was_asked_anew_counts_no_more(large: Morning, asked: Asked) -> None:
    asked.record("Approve", [])
    put(RUN)
    with pytest.raises(AnswerUnusable):
        approvals.decide("google_ads", RUN)
    assert_nothing_happened(large)


def test_a_decision_that_was_altered_after_it_was_shown_sends_nothing_and_is_named(
    large: Morning, asked: Asked
) -> None:
    change = asked.question.changes[0]
    large.db.fetch("update budget_decisions set new_budget = new_budget + 50 where id = %s", [change.decision_id])
    with pytest.raises(AnswerUnusable, match=f"{change.segment} was shown as .*€{change.new_budget:.2f}"):
        asked.answer("Approve")
    assert_nothing_happened(large)


@pytest.mark.parametrize("approvers", [None, [], ["anke"], ["bert", "anke"]])
def test_whoever_is_among_the_approvers_may_approve(large: Morning, asked: Asked, approvers: Any) -> None:
    large.set(approvers=approvers)
    assert asked.answer("Approve").success


@pytest.mark.parametrize("approvers", [["bert"], ["Anke"], ["anke "]])
def test_whoever_is_not_among_the_approvers_approves_nothing(large: Morning, asked: Asked, approvers: Any) -> None:
    large.set(approvers=approvers)
    with pytest.raises(AnswerUnusable, match="Anke answered, and is not among the approvers"):
        asked.answer("Approve")
    assert_nothing_happened(large)


@pytest.mark.parametrize(
    "leave_out",
    [
        "all",
        "*",
        ["all"],
        ["ALL"],
        ["*"],
        ["Schilder_Noord_Brabant"],
        [["schilder_noord_brabant"]],
        [None],
        {"a": 1},
        5,
    ],
)
def test_what_names_no_segment_of_the_list_is_never_read_as_leave_out_nothing(
    large: Morning, asked: Asked, leave_out: Any
) -> None:
    report = asked.answer("Approve", leave_out)
    assert report.declined and not report.success
    assert {(row["status"], row["error_code"]) for row in large.log()} == {("failed", "approval_rejected")}
    assert all("Leave out" in row["error_detail"] for row in large.log())
    assert large.sandbox.budgets() == large.first_budgets


def test_a_field_that_the_form_did_not_show_rejects_everything(large: Morning, asked: Asked) -> None:
    report = asked.answer("Approve", params_input={"leave_uit": ["schilder_noord_brabant"]})
    assert report.declined and not report.success


@pytest.mark.parametrize("leave_out", [[], None, ["", " "]])
def test_an_empty_field_leaves_nothing_out(large: Morning, asked: Asked, leave_out: Any) -> None:
    report = asked.answer("Approve", leave_out)
    assert {change.segment for change, _ in report.success} == asked.codes


def test_the_question_names_who_changed_a_limit_in_the_last_day(large: Morning, asked: Asked) -> None:
    assert "Limits changed" in asked.question.body, "the books were loaded today"
    large.db.fetch("alter table limit_changes disable row level security; truncate limit_changes")
    assert "Limits changed" not in put("quiet").question.body
    claims = large.db.add_user(is_admin=True) | {"email": "piet@vakwerkgids.example"}
    with large.db.connect("authenticated", claims) as connection:
        connection.execute("update lead_segment_channels set max_daily_budget = 4321 where channel = 'google_ads'")
        connection.execute("update orchestration_settings set max_daily_increase = 999999")
    body = put("changed").question.body
    assert "piet@vakwerkgids.example" in body and "max_daily_budget" in body and "4321" in body
    assert "| orchestration_settings | max_daily_increase |" in body


def test_the_question_says_who_may_answer(large: Morning, asked: Asked) -> None:
    large.set(approvers=["anke", "bert"])
    assert "Only these may answer: anke, bert." in put("limited").question.body
