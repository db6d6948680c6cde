"""An answer that the form does not allow is refused before the question is used up; answers come one at a time."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from lead_demand.budgets import answer_check
from lead_demand.budgets.answer_check import AT_REST, AnswerCheck, seconds_to_rest
from lead_demand.budgets.approval_operator import AskForApproval
from lead_demand.budgets.hitl_record import LEAVE_OUT

QUESTION = "/api/v2/dags/lead_budgets/dagRuns/a/taskInstances/ask_for_approval/-1/hitlDetails"
CODES = ["schilder_utrecht", "dakdekker_drenthe"]


class Airflow:
    """The record of a question, with the race of Airflow's own handler: what it read may be old when it writes."""

    def __init__(self, asked_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        from lead_demand.budgets.approval_operator import _leave_out

        self.params = {LEAVE_OUT: _leave_out(CODES).serialize()}
        self.answers: list[Any] = []
        self.asked_at, self.answered_at = asked_at, asked_at

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answered = bool(self.answers)
        if scope["method"] == "GET":
            record = {"params": self.params, "response_received": answered, "created_at": self.asked_at.isoformat()}
            await self.say(send, 200, record)
            return
        given = json.loads((await receive())["body"])
        await asyncio.sleep(0.01)
        if answered:
            await self.say(send, 409, {"detail": "already"})
            return
        self.answers.append(given)
        self.answered_at = datetime.now(UTC)
        await self.say(send, 200, given)

    @staticmethod
    async def say(send: Any, status: int, body: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def answer(airflow: Airflow, *given: Any, path: str = QUESTION) -> list[httpx.Response]:
    """All at once."""

    async def send_all() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=AnswerCheck(airflow))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
            return await asyncio.gather(*(client.patch(path, json=each) for each in given))

    return asyncio.run(send_all())


def form(leave_out: Any) -> dict[str, Any]:
    return {"chosen_options": ["Approve"], "params_input": {LEAVE_OUT: leave_out}}


@pytest.mark.parametrize(
    "leave_out", ["all", "*", ["all"], ["ALL"], ["Schilder_Utrecht"], ["schilder_utrecht "], [""], [["a"]], {"a": 1}, 5]
)
def test_what_the_form_does_not_offer_is_refused_and_the_question_stays_open(leave_out: Any) -> None:
    airflow = Airflow()
    (refused,) = answer(airflow, form(leave_out))
    assert refused.status_code == 422 and "still open" in refused.json()["detail"]
    (unknown,) = answer(airflow, {"chosen_options": ["Approve"], "params_input": {"leave_uit": []}})
    assert unknown.status_code == 422 and "leave_uit" in unknown.json()["detail"]
    assert airflow.answers == []


@pytest.mark.parametrize("leave_out", [[], None, ["schilder_utrecht"], CODES])
def test_what_the_form_offers_is_passed_on_as_it_was_sent(leave_out: Any) -> None:
    airflow = Airflow()
    (taken,) = answer(airflow, form(leave_out))
    assert taken.status_code == 200 and airflow.answers == [form(leave_out)]


def test_without_fields_or_for_another_task_the_answer_is_airflows_to_judge() -> None:
    airflow = Airflow()
    assert answer(airflow, {"chosen_options": ["Reject"]})[0].status_code == 200
    other = Airflow()
    path = QUESTION.replace("ask_for_approval", "another")
    assert answer(other, form("all"), path=path)[0].status_code == 200


def test_of_eight_answers_at_once_one_is_taken_and_the_others_are_told() -> None:
    airflow = Airflow()
    said = answer(airflow, *(form([]) for _ in range(8)))
    assert sorted(response.status_code for response in said) == [200, *([409] * 7)]
    assert len(airflow.answers) == 1


def test_an_answer_close_upon_its_question_waits_until_airflow_is_done_with_the_asking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answer_check, "AT_REST", 0.4)
    airflow = Airflow(asked_at=datetime.now(UTC))
    assert answer(airflow, form([]))[0].status_code == 200
    assert airflow.answered_at - airflow.asked_at >= timedelta(seconds=0.4)


@pytest.mark.parametrize("age", [0, 1.5, AT_REST, 3600, -3600])
def test_an_answer_waits_for_what_its_question_lacks_in_age_and_never_longer(age: float) -> None:
    now = datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC)
    record = {"created_at": (now - timedelta(seconds=age)).isoformat().replace("+00:00", "Z")}
    assert seconds_to_rest(record, now) == min(max(AT_REST - age, 0), AT_REST)
    for unknown in ({}, {"created_at": None}, {"created_at": "this morning"}, {"created_at": "2026-10-25T00:59:59"}):
        assert seconds_to_rest(unknown, now) == 0


def test_the_question_is_the_one_that_the_dag_asks() -> None:
    asking = AskForApproval(task_id="ask_for_approval", channel="google_ads")
    assert asking.task_id in QUESTION and list(asking.params) == [LEAVE_OUT]
