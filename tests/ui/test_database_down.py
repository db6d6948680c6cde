"""The leads database is stopped, slow or hangs: the page says so at once, and Airflow's own UI does not notice."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from lead_demand.ui import guard, reading
from local.embedded_postgres import EmbeddedPostgres
from tests.fixtures.airflow import use_database
from tests.fixtures.postgres import LeadsDatabase, make_template
from tests.ui.conftest import Served

# Of Airflow's own: it needs a session and its metadata database.
AIRFLOWS_OWN = "/api/v2/dags"
AT_ONCE = 60


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory, starts_services_of_module: None) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL that this file may stop."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("stopped"), durable=False)
    server.start()
    make_template(server)
    server.create_database("down", template="leads_template")
    yield server
    server.stop()
    server.remove()


@pytest.fixture(scope="module")
def starts_services_of_module() -> None:
    """As `starts_services`, for a whole file."""


@pytest.fixture
def stopping(
    own_server: EmbeddedPostgres, page_server: Served, monkeypatch: pytest.MonkeyPatch, starts_services: None
) -> Iterator[EmbeddedPostgres]:
    """That server, running, as `leads_db` of the page; running again afterwards."""
    use_database(monkeypatch, LeadsDatabase("down", own_server.url("down")))
    _wait_until_up(page_server)
    yield own_server
    own_server.start()
    _wait_until_up(page_server)


def _wait_until_up(served: Served) -> None:
    deadline = time.monotonic() + 60
    while served.get("api/today").status_code != 200:
        assert time.monotonic() < deadline, "the page did not come back"
        time.sleep(0.2)


def took(served: Served, path: str) -> tuple[float, int]:
    begun = time.monotonic()
    status = served.get(path).status_code
    return time.monotonic() - begun, status


def at_once(served: Served, path: str) -> list[tuple[float, int]]:
    """The same question of more people than the API server has threads."""
    with ThreadPoolExecutor(AT_ONCE) as people:
        return list(people.map(lambda _: took(served, path), range(AT_ONCE)))


def usual(served: Served, times: int = 7) -> float:
    """The median seconds of Airflow's own route."""
    return statistics.median(took(served, AIRFLOWS_OWN)[0] for _ in range(times))


def test_a_stopped_database_is_said_at_once_and_again_without_a_try(
    stopping: EmbeddedPostgres, page_server: Served
) -> None:
    stopping.stop()
    seconds, status = took(page_server, "api/today")
    assert status == 503 and seconds < reading.CONNECT_SECONDS + 2
    answer = page_server.get("api/log.csv")
    assert (answer.status_code, answer.json()) == (503, {"error": "database_down"})
    assert page_server.get("api/reasons").status_code == page_server.get("page").status_code == 200
    stopping.start()
    _wait_until_up(page_server)


def test_a_server_that_hangs_costs_airflow_none_of_its_threads(stopping: EmbeddedPostgres, page_server: Served) -> None:
    quiet, crowd = usual(page_server), max(seconds for seconds, _ in at_once(page_server, "api/reasons"))
    postmaster = stopping.process()[0]
    os.kill(postmaster, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(1) as beside:
            asked = beside.submit(at_once, page_server, "api/today")
            time.sleep(0.3)
            meanwhile = usual(page_server)
            answers = asked.result()
    finally:
        os.kill(postmaster, signal.SIGCONT)
    assert {status for _, status in answers} == {503}
    # Six find out within the time of a login; the others are told without a try.
    slowest = max(seconds for seconds, _ in answers)
    assert slowest < 2 * reading.CONNECT_SECONDS + guard.PATIENCE_SECONDS + 2 * crowd, (slowest, crowd)
    assert meanwhile < 3 * quiet + crowd, f"{meanwhile:.2f} s instead of {quiet:.2f} s"


def test_a_session_that_hangs_in_the_middle_of_an_answer_is_cut(
    stopping: EmbeddedPostgres, page_server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock stands for whatever makes a statement wait: the statement's own limit ends it."""
    monkeypatch.setattr(reading, "ANSWER_SECONDS", 1.5)
    with psycopg.connect(stopping.url("down")) as blocker:
        blocker.execute("lock table orchestration_settings in access exclusive mode")
        seconds, status = took(page_server, "api/today")
    assert status == 503 and seconds < 5
    assert page_server.get("api/today").status_code == 200, "a slow answer is no reason to stop asking"


def test_a_backend_that_never_answers_is_left(
    stopping: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, page_server: Served
) -> None:
    monkeypatch.setattr(reading, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(reading, "GRACE_SECONDS", 0.5)
    reader = reading.LeadsReader()
    resumed = threading.Event()
    begun = time.monotonic()
    with pytest.raises(reading.DatabaseDown), reader.read() as connection:
        backend = connection.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        try:
            connection.execute("select 1")
        finally:
            os.kill(backend, signal.SIGCONT)
            resumed.set()
    assert resumed.is_set() and time.monotonic() - begun < 8
    with pytest.raises(reading.DatabaseDown), reader.read():
        pass  # remembered: no try within the next seconds
