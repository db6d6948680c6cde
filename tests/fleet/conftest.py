"""fleet           session: that Airflow on Redis and two workers; skipped where Debian's redis-server is missing
fleet_morning   function: this morning in it, with everything running

What a test records (`record_property`) is printed at the end, one line per test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.embedded_postgres import EmbeddedPostgres
from tests.fixtures.airflow import use_database
from tests.fixtures.mailbox import Mailbox
from tests.fixtures.morning import Morning
from tests.fixtures.postgres import LeadsDatabase
from tests.fixtures.real_airflow import RealAirflow, settings_for_tests, started
from tests.fixtures.sandbox import Sandbox
from tests.fleet.stack import FleetStack

# Airflow's patience, and nothing else: how long it believes in a worker that says nothing, in a message that nobody
# takes (as long is what lets that message in valid), and how long it waits before it tries again. Its own are 300, 600
# and 300 seconds.
PATIENCE_OF_AIRFLOW = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "45",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "5",
}


class Fleet(RealAirflow):
    """A running Airflow whose tasks run on two workers."""

    stack: FleetStack


@pytest.fixture(scope="session")
def prepared(postgres_cluster: EmbeddedPostgres, dawn_template: str, lead_stats_steps: Callable[..., None]) -> str:
    """Name of a database in which this morning's `lead_stats` has just finished, without an Airflow of its own."""
    name = "prepared"
    postgres_cluster.create_database(name, template=dawn_template)
    with pytest.MonkeyPatch.context() as patch:
        use_database(patch, LeadsDatabase(name, postgres_cluster.url(name)))
        lead_stats_steps(None)
    return name


@pytest.fixture(scope="session")
def fleet(
    postgres_cluster: EmbeddedPostgres,
    prepared: str,
    sandbox: Sandbox,
    mailbox: Mailbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fleet]:
    """That Airflow, with the DAGs that are started by hand ready to be triggered."""
    home = tmp_path_factory.mktemp("fleet")
    settings = settings_for_tests(home, mailbox) | PATIENCE_OF_AIRFLOW
    stack = FleetStack(home, postgres_cluster, sandbox, settings)
    with started(stack, prepared):
        yield Fleet(stack, sandbox, prepared)


def a_day(fleet: Fleet, mailbox: Mailbox, patch: pytest.MonkeyPatch, template: str | None) -> Morning:
    """That database in the running Airflow, all of which runs; nothing was reported yet."""
    fleet.stack.make_whole()
    database = fleet.fresh(template)
    use_database(patch, database)
    fleet.forget()
    mailbox.take()
    return Morning(database, fleet.sandbox, fleet.run)


@pytest.fixture
def fleet_morning(fleet: Fleet, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Morning:
    """This morning."""
    return a_day(fleet, mailbox, monkeypatch, None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        if report.when == "call" and "tests/fleet/" in report.nodeid and report.user_properties:
            told = ", ".join(f"{name} {value}" for name, value in report.user_properties)
            terminalreporter.write_line(f"{report.outcome:7} {report.nodeid.partition('::')[2]}: {told}")
