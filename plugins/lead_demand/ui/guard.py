"""What stands before every route: who may look, how many at once, and the headers of each answer."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi.responses import HTMLResponse, JSONResponse, Response

from lead_demand.runs.task_ids import LEAD_BUDGETS
from lead_demand.ui.asgi import App, Message, Receive, Send

# Whoever may read the runs of lead_budgets: 401 without a session, 403 without the right. Every route depends on it.
may_look = requires_access_dag("GET", DagAccessEntity.RUN, LEAD_BUDGETS)
# A browser runs and shows only what comes from here; Airflow's own pages may frame it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
}
NO_STORE = {"Cache-Control": "no-store"}
# Of the 40 threads that all routes of the API server share: answers, and files that somebody downloads.
ANSWERS_AT_ONCE, FILES_AT_ONCE = 6, 2
PATIENCE_SECONDS = 4.0

TOLD = {
    401: (
        "signed_out",
        "You are signed out.",
        "Sign in to Airflow, then open this page again.",
        "U bent afgemeld. Meld u aan bij Airflow en open deze pagina opnieuw.",
    ),
    403: (
        "forbidden",
        "You may not see this page.",
        "Ask an administrator of Airflow for read access to runs of the DAG lead_budgets.",
        "U mag deze pagina niet zien. Vraag een beheerder van Airflow om leesrecht op runs van de DAG lead_budgets.",
    ),
}


def refusal(status: int, *, as_page: bool) -> Response:
    """Why nothing is shown: for a script a word, for a person what to do."""
    code, title, todo, dutch = TOLD[status]
    if not as_page:
        return JSONResponse({"error": code}, status, headers=NO_STORE)
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
        f'<body><main><h1>{title}</h1><p>{todo}</p><p lang="nl">{dutch}</p></main></body></html>'
    )
    return HTMLResponse(text, status, headers=NO_STORE)


class SecurityHeaders:
    """Sets HEADERS on every answer of an application, whatever made it."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message["headers"] if name.lower() not in HEADERS]
                message = {**message, "headers": [*kept, *HEADERS.items()]}
            await send(message)

        await self.app(scope, receive, send_with_headers)


class Gate:
    """Lets so many requests of each kind through at a time. The others wait without a thread, and are told that the
    database is slow when that takes too long: Airflow's own routes keep their threads.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self._answers, self._files = asyncio.Semaphore(ANSWERS_AT_ONCE), asyncio.Semaphore(FILES_AT_ONCE)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", "")) if scope["type"] == "http" else ""
        if not path.startswith("/api/"):
            await self.app(scope, receive, send)
            return
        slots = self._files if path.endswith(".csv") else self._answers
        try:
            await asyncio.wait_for(slots.acquire(), PATIENCE_SECONDS)
        except TimeoutError:
            await database_down()(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            slots.release()


def database_down() -> Response:
    return JSONResponse({"error": "database_down"}, 503, headers=NO_STORE | {"Retry-After": "5"})
