"""Answers to the question about large increases, one at a time and only such as its form allows.

Airflow's API checks the options of an answer and not the fields of its form, and its row lock does not read again what
it waited for: of answers at the same moment each is taken, and the task is resumed again and again. This stands in
front of that one call of the API server. What it cannot judge, it passes on; Airflow's own refusals stay Airflow's.

An answer also waits here until its question is some seconds old. The scheduler learns late that the process that asked
has ended; where the answer has been quicker, it takes that end for the death of the task that was resumed, and asks
again.

One API server process answers one at a time; of several (`[api] workers`) each does. What was answered twice all the
same counts once: `approval_questions` takes the first.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

ANSWER = re.compile(r"/dags/lead_budgets/dagRuns/[^/]+/taskInstances/ask_for_approval/-?\d+/hitlDetails/?$")
UNPROCESSABLE = 422
BODYS = (b"content-", b"accept-encoding", b"transfer-encoding")
AT_REST = 5.0  # seconds from the question until the scheduler has surely read the end of the process that asked


class AnswerCheck:
    """ASGI middleware around the API server."""

    def __init__(self, app: App) -> None:
        self.app = app
        # Answers are rare, and a lock per question would have to be forgotten again.
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "PATCH" or not ANSWER.search(scope["path"]):
            await self.app(scope, receive, send)
            return
        body, ended = await _read(receive)
        async with self._one_at_a_time:
            status, record = await self._get(scope)
            is_open = status == 200 and not record.get("response_received")
            wrong = _wrong(body, record) if is_open else ""
            if wrong:
                await _refuse(send, wrong)
                return
            if is_open:
                await asyncio.sleep(seconds_to_rest(record, datetime.now(UTC)))
            await self.app(scope, _again(body, ended, receive), send)

    async def _get(self, scope: MutableMapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """The record of the question, as the same user may read it."""
        status, chunks = 0, list[bytes]()

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            chunks.append(message.get("body", b""))

        # Neither the body's own headers, nor a compressed answer.
        headers = [(name, value) for name, value in scope["headers"] if not name.lower().startswith(BODYS)]
        asked = {name: value for name, value in scope.items() if not name.startswith("fastapi")}
        asked |= {"method": "GET", "headers": headers, "query_string": b"", "state": dict(scope.get("state") or {})}
        await self.app(asked, _again(b"", False, _nothing), send)
        try:
            return status, dict(json.loads(b"".join(chunks)))
        except ValueError:
            return 0, {}


def seconds_to_rest(record: dict[str, Any], now: datetime) -> float:
    """How long an answer waits for its question to be at rest; 0 where it is, or where its age is not known."""
    try:
        age = (now - datetime.fromisoformat(record["created_at"])).total_seconds()
    except (KeyError, TypeError, ValueError):
        return 0.0
    # Of a question from the future, by the clock of another machine, no more is known than of a new one.
    return min(max(AT_REST - age, 0.0), AT_REST)


def _wrong(body: bytes, record: dict[str, Any]) -> str:
    """What of the fields is not as the form allows, by the record of the question; empty where nothing is."""
    try:
        given = json.loads(body).get("params_input") or {}
    except (ValueError, AttributeError):
        return ""
    return problem(given, record.get("params") or {})


def problem(given: object, fields: dict[str, Any]) -> str:
    """Which given field is not what the form offers, in a sentence; empty where all are.

    :param fields: name -> a Param as Airflow serialises it, with its JSON schema under `schema`.
    """
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

    if not isinstance(given, dict):
        return f"params_input is {given!r}, not an object."
    for name, value in given.items():
        if name not in fields:
            return f"The form has no field {name}."
        error = next(iter(Draft202012Validator(fields[name].get("schema") or {}).iter_errors(value)), None)
        if error is not None:
            return f"{name}: {error.message}. The answer was not taken; the question is still open."
    return ""


async def _read(receive: Receive) -> tuple[bytes, bool]:
    """The body of a request, and whether its sender went away."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return body, True
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body, False


def _again(body: bytes, ended: bool, receive: Receive) -> Receive:
    """The body that was read already, then whatever comes."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return {"type": "http.disconnect"} if ended else await receive()

    return next_message


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _refuse(send: Send, why: str) -> None:
    body = json.dumps({"detail": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": UNPROCESSABLE, "headers": headers})
    await send({"type": "http.response.body", "body": body})
