"""An answer that the form does not allow is refused before the question is used up; answers come one at a time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from lead_demand.answer_check import AnswerCheck
from lead_demand.operators import LEAVE_OUT, AskForApproval

QUESTION = "/api/v2/dags/lead_budgets/dagRuns/a/taskInstances/ask_for_approval/-1/hitlDetails"
CODES = ["schilder_utrecht", "dakdekker_drenthe"]


class Airflow:
    """The record of a question, with the race of Airflow's own handler: what it read may be old when it writes."""

    def __init__(self) -> None:
        from lead_demand.operators import _leave_out

        self.params = {LEAVE_OUT: _leave_out(CODES).serialize()}
        self.answers: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answered = bool(self.answers)
        if scope["method"] == "GET":
            await self.say(send, 200, {"params": self.params, "response_received": answered})
            return
        given = json.loads((await receive())["body"])
        await asyncio.sleep(0.01)
        if answered:
            await self.say(send, 409, {"detail": "already"})
            return
        self.answers.append(given)
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


def test_the_question_is_the_one_that_the_dag_asks() -> None:
    asking = AskForApproval(task_id="ask_for_approval", channel="google_ads")
    assert asking.task_id in QUESTION and list(asking.params) == [LEAVE_OUT]
