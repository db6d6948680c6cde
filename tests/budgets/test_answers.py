"""Large increases wait for a person: which answer counts, for what, and what becomes of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from lead_demand import messages
from lead_demand.budgets import approval_questions, approvals
from lead_demand.budgets.approval_operator import AskForApproval
from lead_demand.budgets.changes import ChangeReport
from lead_demand.errors import AnswerUnclear, AnswerUnusable, ChangesFailed, MessageBroken
from tests.budgets.conftest import RUN, DayByHand

ANKE = {"id": "anke", "name": "Anke"}


@dataclass(frozen=True)
class Asked:
    """A question that waits, and what becomes of an answer that a person gives now."""

    question: approval_questions.Question
    id: str

    @property
    def codes(self) -> set[str]:
        return {change.segment for change in self.question.changes}

    def record(self, choice: str, leave_out: Any = None, **given: Any) -> bool:
        """What the asking task makes of it, once Airflow gives it its record."""
        form = {"chosen_options": [choice], "params_input": {"leave_out": leave_out}, "responded_by_user": ANKE}
        return approval_questions.record(self.id, form | {"responded_at": datetime.now(UTC)} | given)

    def answer(self, choice: str, leave_out: Any = (), **given: Any) -> ChangeReport:
        """And what the task after it does."""
        self.record(choice, list(leave_out) if isinstance(leave_out, tuple) else leave_out, **given)
        return approvals.decide("google_ads", RUN)


@pytest.fixture
def asked(by_hand: DayByHand) -> Asked:
    """The question of a morning on which two increases wait, as the asking task puts it."""
    by_hand.set(approval_deadline="23:59:59")
    by_hand.decide({row["code"]: Decimal(9) for row in by_hand.segments[:2]}, "waiting_approval")
    return put(RUN)


def put(run: str) -> Asked:
    question = approval_questions.question("google_ads")
    assert question is not None
    made = Asked(question, str(uuid4()))
    approval_questions.ask(question, "google_ads", made.id, run)
    return made


def assert_nothing_happened(morning: DayByHand) -> None:
    assert not morning.log() and morning.sandbox.budgets() == morning.first_budgets


@pytest.mark.parametrize("is_new_try", [False, True])
def test_a_question_that_is_answered_is_not_asked_again_when_airflow_tries_its_task_once_more(
    by_hand: DayByHand, asked: Asked, is_new_try: bool
) -> None:
    context = asking(str(uuid4()) if is_new_try else asked.id)
    assert asked.record("Approve")
    assert AskForApproval(task_id="ask_for_approval", channel="google_ads").execute(context) is None
    approvals.decide("google_ads", RUN)
    assert {row["code"] for row in by_hand.log() if row["status"] == "success"} == asked.codes


def test_an_approval_does_not_pass_the_kill_switch(by_hand: DayByHand, asked: Asked) -> None:
    by_hand.set(kill_switch=True)
    assert asked.answer("Approve").switched_off
    assert_nothing_happened(by_hand)


@pytest.mark.parametrize("moment", [{"deadline": "00:00:00"}, {"responded_at": None}])
def test_an_answer_after_the_deadline_as_it_is_now_is_a_no_although_the_form_was_still_open(
    by_hand: DayByHand, asked: Asked, moment: dict[str, Any]
) -> None:
    if "deadline" in moment:
        by_hand.set(approval_deadline=moment.pop("deadline"))
    report = asked.answer("Approve", **moment)
    assert report.declined and not report.success
    assert {(row["status"], row["error_code"]) for row in by_hand.log()} == {("failed", "approval_expired")}
    assert all("Anke" in row["error_detail"] for row in by_hand.log())
    assert by_hand.sandbox.budgets() == by_hand.first_budgets


def test_a_cap_that_was_lowered_while_the_question_waited_is_kept(by_hand: DayByHand, asked: Asked) -> None:
    by_hand.db.fetch("update lead_segment_channels set min_daily_budget = 1, max_daily_budget = 2")
    with pytest.raises(ChangesFailed, match="cap"):
        asked.answer("Approve")
    assert by_hand.sandbox.budgets() == by_hand.first_budgets


@pytest.mark.parametrize("limit", ["total_daily_cap", "max_daily_increase"])
def test_a_shared_limit_that_was_lowered_while_the_question_waited_is_kept(
    by_hand: DayByHand, asked: Asked, limit: str
) -> None:
    by_hand.set(**{limit: 1})
    with pytest.raises(ChangesFailed, match=limit):
        asked.answer("Approve")
    assert_nothing_happened(by_hand)


def test_an_approved_change_whose_segment_was_switched_off_meanwhile_is_named(by_hand: DayByHand, asked: Asked) -> None:
    by_hand.db.fetch("update lead_segment_channels set is_automated = false")
    with pytest.raises(ChangesFailed, match="approved by Anke") as failed:
        asked.answer("Approve")
    assert all(code in str(failed.value) for code in asked.codes)
    assert_nothing_happened(by_hand)


def test_an_answer_counts_once_however_often_it_is_given(by_hand: DayByHand, asked: Asked) -> None:
    asked.answer("Reject")
    assert not asked.record("Approve", []), "whoever gives the second is told"
    approvals.decide("google_ads", RUN)
    assert {(row["status"], row["error_code"]) for row in by_hand.log()} == {("failed", "approval_rejected")}
    assert by_hand.sandbox.budgets() == by_hand.first_budgets


def test_without_an_answer_on_record_nothing_is_sent_and_another_run_may_ask_again(
    by_hand: DayByHand, asked: Asked
) -> None:
    with pytest.raises(AnswerUnusable, match="no record of an answer"):
        approvals.decide("google_ads", RUN)
    assert_nothing_happened(by_hand)
    with pytest.raises(AnswerUnusable):  # an answer to one run's question is none to another's
        asked.record("Approve", [])
        approvals.decide("google_ads", "another")
    assert put("another").codes == asked.codes


def test_an_answer_counts_no_more_once_its_run_has_asked_about_something_else(by_hand: DayByHand, asked: Asked) -> None:
    asked.record("Approve", [])
    by_hand.decide({by_hand.segments[2]["code"]: Decimal(9)}, "waiting_approval")
    assert put(RUN).codes > asked.codes
    with pytest.raises(AnswerUnusable, match="no record of an answer"):
        approvals.decide("google_ads", RUN)
    assert_nothing_happened(by_hand)


def test_a_decision_that_was_altered_after_it_was_shown_sends_nothing_and_is_named(
    by_hand: DayByHand, asked: Asked
) -> None:
    change = asked.question.changes[0]
    by_hand.db.restore("update budget_decisions set new_budget = new_budget + 50 where id = %s", [change.decision_id])
    with pytest.raises(AnswerUnusable, match=f"{change.segment} was shown as .*€{change.new_budget:.2f}"):
        asked.answer("Approve")
    assert_nothing_happened(by_hand)


@pytest.mark.parametrize("approvers", [None, [], ["anke"], ["bert", "anke"]])
def test_whoever_is_among_the_approvers_may_approve(by_hand: DayByHand, asked: Asked, approvers: Any) -> None:
    by_hand.set(approvers=approvers)
    assert asked.answer("Approve").success


@pytest.mark.parametrize("approvers", [["bert"], ["Anke"], ["anke "]])
def test_whoever_is_not_among_the_approvers_approves_nothing(by_hand: DayByHand, asked: Asked, approvers: Any) -> None:
    by_hand.set(approvers=approvers)
    with pytest.raises(AnswerUnusable, match=r"Anke \(anke\) answered, and is not among the approvers"):
        asked.answer("Approve")
    assert_nothing_happened(by_hand)


SEGMENT = "a_segment"


def left_out(form: Any) -> tuple[set[str], str]:
    """What is left out of a question about one segment, and what of the form is not clear."""
    return approval_questions.left_out(form, [SEGMENT])


@pytest.mark.parametrize(
    "leave_out",
    ["all", "*", "", ["all"], ["ALL"], ["*"], ["A_Segment"], ["a_segmen"], [["a_segment"]], [None], {"a": 1}, 5, 0],
)
def test_what_names_no_segment_of_the_list_is_never_clear(leave_out: Any) -> None:
    assert "Leave out" in left_out({"leave_out": leave_out})[1]


@pytest.mark.parametrize("form", [{"leave_uit": []}, ["a_segment"], "a_segment", ""])
def test_a_field_that_the_form_did_not_show_is_never_clear(form: Any) -> None:
    assert "did not show" in left_out(form)[1]


@pytest.mark.parametrize("form", [None, {}, {"leave_out": None}, {"leave_out": []}, {"leave_out": ["", " "]}])
def test_an_empty_field_leaves_nothing_out(form: Any) -> None:
    assert left_out(form) == (set(), "")


def test_a_segment_is_left_out_by_its_code() -> None:
    assert left_out({"leave_out": ["a_segment ", ""]}) == ({SEGMENT}, "")


@pytest.mark.parametrize("form", [{"leave_out": "all"}, {"leave_out": ["ALL"]}, {"leave_uit": []}])
def test_an_approval_that_is_not_clear_costs_nothing_and_the_question_stays_open(
    by_hand: DayByHand, asked: Asked, form: Any
) -> None:
    with pytest.raises(AnswerUnclear, match=r"Anke approved, but .*asked again"):
        asked.record("Approve", params_input=form)
    with pytest.raises(AnswerUnusable, match="no record of an answer"):
        approvals.decide("google_ads", RUN)
    assert_nothing_happened(by_hand)
    assert asked.answer("Approve").success, "the next answer counts"


def test_a_no_is_a_no_whatever_else_the_form_says(by_hand: DayByHand, asked: Asked) -> None:
    assert asked.answer("Reject", params_input={"leave_out": ["nobody_nowhere"]}).declined
    assert {(row["status"], row["error_code"]) for row in by_hand.log()} == {("failed", "approval_rejected")}


def test_an_approval_on_record_that_leaves_out_what_was_not_shown_sends_nothing_and_rejects_nothing(
    by_hand: DayByHand, asked: Asked
) -> None:
    asked.record("Approve", [])
    by_hand.db.restore(
        "alter table approval_questions disable trigger guard; "
        'update approval_questions set form = \'{"leave_out": ["nobody_nowhere"]}\''
    )
    with pytest.raises(AnswerUnusable, match="nobody_nowhere under Leave out is not in the list"):
        approvals.decide("google_ads", RUN)
    assert_nothing_happened(by_hand)


def asking(question_id: str) -> Any:
    """The context of the task that asks in a run of today."""
    run = SimpleNamespace(dag_id="lead_budgets", run_id=RUN, run_type="manual", run_after=datetime.now(UTC))
    return {"dag_run": run, "ti": SimpleNamespace(id=question_id)}


def test_after_the_deadline_nobody_is_asked_and_no_person_is_said_to_have_rejected_it(
    by_hand: DayByHand, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    by_hand.set(approval_deadline="00:00:00")
    caplog.set_level(logging.INFO, logger="lead_demand")
    assert AskForApproval(task_id="ask_for_approval", channel="google_ads").execute(asking(asked.id)) is None
    assert "nobody is asked, because approval_deadline was 00:00" in caplog.text and "Reject by" not in caplog.text
    assert approvals.decide("google_ads", RUN).declined
    found = by_hand.log()
    assert {(row["status"], row["error_code"], row["decided_by"]) for row in found} == {
        ("failed", "approval_expired", None)
    }
    assert all("nobody was asked" in row["error_detail"] for row in found)
    assert by_hand.sandbox.budgets() == by_hand.first_budgets


def test_no_answer_in_time_is_said_so_and_not_that_a_person_rejected_it(
    by_hand: DayByHand, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="lead_demand")
    default = {"chosen_options": ["Reject"], "params_input": {"leave_out": []}, "responded_by_user": None}
    operator = AskForApproval(task_id="ask_for_approval", channel="google_ads")
    operator.execute_complete(asking(asked.id), default | {"responded_at": datetime.now(UTC), "timedout": True})
    assert "Kept: nobody answered in time" in caplog.text and "Reject" not in caplog.text
    approvals.decide("google_ads", RUN)
    assert {row["error_code"] for row in by_hand.log()} == {"approval_expired"}
    assert all("nobody answered by" in row["error_detail"] for row in by_hand.log())


def test_a_text_that_cannot_be_rendered_asks_nobody_and_says_which_line(
    by_hand: DayByHand, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "approval.md.j2").write_text("{{ changes | length }} increases\n\n{{ deadlin }}\n")
    monkeypatch.setattr(messages.render_markdown, "__defaults__", (tmp_path,))
    operator = AskForApproval(task_id="ask_for_approval", channel="google_ads")
    with pytest.raises(MessageBroken, match=r"approval\.md\.j2, line 3: UndefinedError: 'deadlin' is undefined"):
        operator.execute(asking(str(uuid4())))
    assert_nothing_happened(by_hand)


def tenth(leads: Decimal | None) -> str:
    return "–" if leads is None else f"{leads:.1f}"


def test_the_question_reads_like_this(by_hand: DayByHand, asked: Asked) -> None:
    by_hand.db.fetch("alter table limit_changes disable row level security; truncate limit_changes")
    by_hand.set(approvers=["anke", "b|ert"], approval_deadline="23:58:00")
    by_hand.db.fetch("truncate limit_changes")
    week = '{"expected_week": 4.5, "target_week": 9.25, "expected_after": 6.75}'
    by_hand.db.restore("update budget_decisions set inputs = %s where expected_leads_per_day is null", [week])
    shown = put("golden").question
    first, other = shown.changes
    total = first.new_budget - first.old_budget + other.new_budget - other.old_budget
    assert shown.subject == f"2 large budget increase(s), together +€{total:.2f} per day"
    rows = [
        f"| {c.segment} | €{c.old_budget:.2f} | **€{c.new_budget:.2f}** | +€{c.new_budget - c.old_budget:.2f} "
        f"| {tenth(c.expected)} | {tenth(c.expected_after)} | {tenth(c.target)} "
        f"| {'–' if c.per_lead is None else f'€{c.per_lead:.2f}'} | {c.sentence} |"
        for c in shown.changes
    ]
    assert (first.expected, first.target, first.expected_after) == (Decimal("4.5"), Decimal("9.25"), Decimal("6.75"))
    assert first.per_lead == (first.new_budget - first.old_budget) / Decimal("2.25")
    assert shown.body.splitlines() == [
        "| segment | now | proposed | step | leads per day now | with it | target | per extra lead | why |",
        "|---|--:|--:|--:|--:|--:|--:|--:|---|",
        *rows,
        "",
        "**Approve** sends them at once, except the segments under *Leave out*. **Reject**, or no answer by 23:58 "
        "today, leaves every budget in this list as it is. The smaller changes of this morning do not wait for this.",
        "",
        "Only these may answer: anke, b/ert.",
    ]


def test_the_question_names_who_changed_a_limit_in_the_last_day(by_hand: DayByHand, asked: Asked) -> None:
    assert "Limits changed" in asked.question.body, "the books were loaded today"
    by_hand.db.fetch("alter table limit_changes disable row level security; truncate limit_changes")
    assert "Limits changed" not in put("quiet").question.body
    claims = by_hand.db.add_user(is_admin=True) | {"email": "piet@vakwerkgids.example"}
    with by_hand.db.connect("authenticated", claims) as connection:
        connection.execute("update lead_segment_channels set max_daily_budget = 4321 where channel = 'google_ads'")
        connection.execute("update orchestration_settings set max_daily_increase = 999999")
    body = put("changed").question.body
    assert "piet@vakwerkgids.example" in body and "max_daily_budget" in body and "4321" in body
    assert "| orchestration_settings | max_daily_increase |" in body


def test_the_question_says_who_may_answer(by_hand: DayByHand, asked: Asked) -> None:
    by_hand.set(approvers=["anke", "bert"])
    assert "Only these may answer: anke, bert." in put("limited").question.body
