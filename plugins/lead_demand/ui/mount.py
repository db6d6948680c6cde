"""What Airflow mounts: the page, made when it is first asked for.

Every process of Airflow loads the plugin file, a scheduler and each task too; only the API server serves. So nothing of
FastAPI is imported until a request comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from functools import cache
from typing import Any

from lead_demand.ui.asgi import App, Receive, Send

PREFIX = "/lead-demand"


class Page:
    """The ASGI application of the page."""

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        app = await asyncio.to_thread(_served)
        await app(scope, receive, send)


@cache
def _served() -> App:
    from lead_demand.ui.app import serve

    return serve()


VIEWS: list[dict[str, Any]] = [
    {
        "name": "Leads",
        "href": "lead-demand/page",
        "destination": "nav",
        "url_route": "leads",
        "nav_top_level": True,
    },
    {"name": "Leads", "href": "lead-demand/page?dag={DAG_ID}", "destination": "dag", "url_route": "leads-dag"},
    {
        "name": "Leads",
        "href": "lead-demand/page?dag={DAG_ID}&run={RUN_ID}",
        "destination": "dag_run",
        "url_route": "leads-run",
    },
]
