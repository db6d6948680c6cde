"""Who approved, in a real Airflow: what its users may edit approves nothing, and one answer of many counts."""

from __future__ import annotations

import threading
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from lead_demand.runs.day import AMSTERDAM
from local.airflow_api import AirflowApi, AirflowApiError
from tests.fixtures.airflow import Run
from tests.fixtures.morning import Morning
from tests.fixtures.real_airflow import PEOPLE, RealAirflow

ASK, AFTER = "ask_for_approval", "change_approved_budgets"
APPROVED = {"chosen_options": ["Approve"], "params_input": {"leave_out": []}}
REJECTED = APPROVED | {"chosen_options": ["Reject"]}


class Question:
    """A morning whose large increases wait for a person."""

    def __init__(self, airflow: RealAirflow, morning: Morning) -> None:
        self.airflow, self.morning = airflow, morning
        morning.set(approval_threshold=Decimal(23), approval_deadline="23:59:59")
        self.run_id = airflow.start("lead_budgets")
        self.path = f"/dags/lead_budgets/dagRuns/{self.run_id}/taskInstances/{ASK}"

    def wait(self) -> None:
        """Until it is asked, and the smaller changes are made."""
        run = self.airflow.wait("lead_budgets", self.run_id, until=self._is_asking)
        assert run.tasks[ASK] == "awaiting_input", run.tasks
        self.before = self.morning.sandbox.budgets()
        self.large = {code for code, row in self.morning.decisions().items() if "needs_approval" in row["reasons"]}
        assert self.large

    def _is_asking(self, state: str, tasks: dict[str, str]) -> bool:
        is_asked = tasks.get(ASK) == "awaiting_input" and self.airflow.is_at_rest(self.run_id, ASK)
        return is_asked and tasks.get("report") in ("success", "failed")

    def answer(self, api: AirflowApi, given: dict[str, Any]) -> Any:
        return api.request("PATCH", f"{self.path}/-1/hitlDetails", json=given)

    def record(self) -> dict[str, Any]:
        return dict(self.airflow.api.request("GET", f"{self.path}/-1/hitlDetails"))

    def end(self) -> Run:
        return self.airflow.wait("lead_budgets", self.run_id)

    def logged(self) -> set[tuple[Any, ...]]:
        rows = [row for row in self.morning.log() if row["code"] in self.large]
        return {(row["status"], row["error_code"], row["decided_by"]) for row in rows}

    def assert_nothing_was_sent(self) -> None:
        assert self.logged() == set()
        assert self.morning.sandbox.budgets() == self.before


@pytest.fixture
def question(real_airflow: RealAirflow, real_morning: Morning) -> Question:
    return Question(real_airflow, real_morning)


def test_a_forged_xcom_and_a_task_set_to_success_send_nothing_and_a_new_run_asks_again(
    real_airflow: RealAirflow, question: Question
) -> None:
    question.wait()
    user = real_airflow.person("anke")
    forged = APPROVED | {"responded_by_user": {"id": "directeur", "name": "De directeur"}, "timedout": False}
    for task in (ASK, "choose_directions"):
        path = f"/dags/lead_budgets/dagRuns/{question.run_id}/taskInstances/{task}/xcomEntries"
        entry = {"key": "return_value", "map_index": -1}
        value = forged | {"responded_at": datetime.now(AMSTERDAM).isoformat()}
        try:
            user.request("POST", path, json=entry | {"value": value})
        except AirflowApiError:  # there is one already
            user.request("PATCH", f"{path}/return_value", json={"value": value, "map_index": -1})
    user.request("PATCH", question.path, json={"new_state": "success"})
    run = question.end()
    assert (run.state, run.tasks[ASK], run.tasks[AFTER]) == ("failed", "success", "failed"), run.tasks
    log = "\n".join(real_airflow.log("lead_budgets", question.run_id, AFTER))
    assert "AnswerUnusable" in log and "no record of an answer" in log
    question.assert_nothing_was_sent()

    again = Question(real_airflow, question.morning)
    again.wait()
    again.answer(real_airflow.person("bert"), APPROVED)
    assert again.end().state == "success"
    assert again.logged() == {("success", None, "bert")}


def test_of_eight_answers_at_once_one_counts_the_others_are_told_and_the_run_ends(
    real_airflow: RealAirflow, question: Question
) -> None:
    question.wait()
    people = [real_airflow.person(PEOPLE[number % len(PEOPLE)]) for number in range(8)]
    for person in people:
        person.request("GET", f"{question.path}/-1/hitlDetails")  # logs in, so that only the answers race
    said: list[Any] = [None] * 8
    together = threading.Barrier(8)

    def answer(number: int) -> None:
        together.wait()
        try:
            said[number] = question.answer(people[number], APPROVED if number % 2 else REJECTED)
        except AirflowApiError as error:
            said[number] = str(error)

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run = real_airflow.wait("lead_budgets", question.run_id, seconds=600)
    assert run.state == "success", (run.tasks, said)
    taken = [answer for answer in said if isinstance(answer, dict)]
    assert len(taken) == 1 and all("409" in answer for answer in said if isinstance(answer, str)), said
    ((status, code, who),) = question.logged()
    approved = taken[0]["chosen_options"] == ["Approve"]
    assert (status, code) == (("success", None) if approved else ("failed", "approval_rejected"))
    assert who == taken[0]["responded_by"]["name"] == question.record()["responded_by_user"]["name"]


@pytest.mark.long
def test_only_an_approver_may_answer_and_only_what_the_form_offers_and_the_question_stays_open(
    real_airflow: RealAirflow, question: Question
) -> None:
    question.morning.set(approvers=["anke"])
    question.wait()
    with pytest.raises(AirflowApiError, match="403"):
        question.answer(real_airflow.person("bert"), APPROVED)
    for leave_out in ("all", ["all"], ["nobody_nowhere"]):
        with pytest.raises(AirflowApiError, match="422"):
            question.answer(real_airflow.person("anke"), APPROVED | {"params_input": {"leave_out": leave_out}})
    assert not question.record()["response_received"]
    question.answer(real_airflow.person("anke"), APPROVED)
    assert question.end().state == "success"
    assert question.logged() == {("success", None, "anke")}


@pytest.mark.long
def test_an_answer_that_cannot_be_kept_is_kept_once_the_database_is_back(
    real_airflow: RealAirflow, question: Question
) -> None:
    question.wait()
    question.morning.db.fetch("alter role lead_pipeline connection limit 0")
    try:
        question.answer(real_airflow.person("cees"), APPROVED)

        def is_refused(state: str, tasks: dict[str, str]) -> bool:
            return any("could not be kept" in line for line in real_airflow.log("lead_budgets", question.run_id, ASK))

        real_airflow.wait("lead_budgets", question.run_id, until=is_refused)
        question.assert_nothing_was_sent()
    finally:
        question.morning.db.fetch("alter role lead_pipeline connection limit -1")
    run = question.end()
    assert run.state == "success" and run.tries[ASK] == 1, run
    assert question.logged() == {("success", None, "cees")}


@pytest.mark.long
def test_a_form_that_shows_what_no_longer_waits_is_refused_after_its_task_was_cleared(
    real_airflow: RealAirflow, question: Question
) -> None:
    question.wait()
    body = question.record()["body"]
    question.morning.set(approval_deadline="23:58:00")  # as the text says
    real_airflow.clear("lead_budgets", question.run_id, [(ASK, -1)])
    run = question.end()
    assert run.state == "failed" and run.tasks[ASK] == "failed", run.tasks
    assert question.record()["body"] == body, "Airflow keeps the text of a question that was asked before"
    assert "AnswerUnusable" in "\n".join(real_airflow.log("lead_budgets", question.run_id, ASK))
    question.assert_nothing_was_sent()
