"""The page as people get it: Airflow's own API server with this repository's plugin, on a real leads database.

served    module: the server, whose connection `leads_db` reaches the database `leads`
leads     module: a database with a lived morning in which everything has happened that the page tells of
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn

from local.embedded_postgres import EmbeddedPostgres
from local.ports import free_port
from tests.fixtures.airflow import use_database
from tests.fixtures.postgres import LeadsDatabase, drop_database
from tests.ui.story import tell


@dataclass
class Served:
    """The running server. `get` asks it as somebody: a name of TOKENS, or nobody."""

    url: str
    tokens: dict[str, str] = field(default_factory=dict)
    client: httpx.Client = field(
        default_factory=lambda: httpx.Client(timeout=60, limits=httpx.Limits(max_connections=200))
    )

    def get(self, path: str, who: str | None = "reader", **options: Any) -> httpx.Response:
        """One request; `path` below the page's prefix, or from the root if it begins with a slash."""
        headers = {"Cookie": f"_token={self.tokens[who]}"} if who else {}
        address = f"{self.url}{path}" if path.startswith("/") else f"{self.url}/lead-demand/{path}"
        return self.client.get(address, headers=headers | options.pop("headers", {}), **options)

    def json(self, path: str, **params: Any) -> Any:
        """The answer of a route that must succeed."""
        answer = self.get(path, params=params)
        assert answer.status_code == 200, (path, params, answer.status_code, answer.text[:400])
        return answer.json()


@pytest.fixture(scope="session")
def page_server(airflow_metadata: None) -> Iterator[Served]:
    """Airflow's API server in this process, with its real authentication."""
    from airflow.api_fastapi import app as api
    from airflow.api_fastapi.app import create_app
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(apps="core"), host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 120
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the API server did not start"
        time.sleep(0.05)
    manager = api.get_auth_manager()
    people = {"reader": "viewer", "stranger": None}
    tokens = {
        name: manager.generate_jwt(SimpleAuthManagerUser(username=name, role=role)) for name, role in people.items()
    }
    yield Served(f"http://127.0.0.1:{port}", tokens)
    server.should_exit = True
    thread.join(30)


@pytest.fixture(scope="module")
def leads(postgres_cluster: EmbeddedPostgres, leads_template: str) -> Iterator[LeadsDatabase]:
    postgres_cluster.create_database("page", template=leads_template)
    database = LeadsDatabase("page", postgres_cluster.url("page"))
    tell(database)
    yield database
    drop_database(postgres_cluster, "page")


@pytest.fixture(scope="module")
def served(page_server: Served, leads: LeadsDatabase) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        use_database(patch, leads)
        yield page_server
