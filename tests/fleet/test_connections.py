"""How many connections to the leads database a fleet holds: what its administrator has to allow."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.fixtures.mailbox import Mailbox
from tests.fixtures.postgres import LeadsDatabase
from tests.fleet import only_with_the_fleet
from tests.fleet.conftest import Fleet, a_day
from tests.fleet.stack import TASKS_AT_ONCE

pytestmark = only_with_the_fleet

# One for the work and one for the lock beside it.
OF_A_TASK = 2
OPEN = """
select count(*) from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
"""


@contextmanager
def counting(database: LeadsDatabase) -> Iterator[list[int]]:
    """How many connections there are, many times a second, until the block ends."""
    seen, over = list[int](), threading.Event()

    def look() -> None:
        with psycopg.connect(database.owner_url, autocommit=True) as connection:
            while not over.is_set():
                seen.append(connection.execute(OPEN).fetchall()[0][0])
                time.sleep(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_morning_holds_two_connections_per_task_at_once_and_none_at_rest(
    workers: int,
    fleet: Fleet,
    mailbox: Mailbox,
    dawn_template: str,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Any,
) -> None:
    with fleet.following_the_schedule():
        morning = a_day(fleet, mailbox, monkeypatch, dawn_template)
        fleet.stack.have_workers(workers)
        begun = time.monotonic()
        with counting(morning.db) as seen:
            stats = fleet.wait("lead_stats", fleet.start("lead_stats"))
            assert stats.state == "success", stats.tasks
            (announced,) = fleet.runs_started_by("lead_stats", stats.run_id)
            assert fleet.wait("lead_budgets", announced).state == "success"
        record_property("seconds", f"{time.monotonic() - begun:.0f}")
    record_property("connections at most", max(seen))
    assert len(seen) > 100 and 0 < max(seen) <= OF_A_TASK * TASKS_AT_ONCE * workers
    with counting(morning.db) as at_rest:
        time.sleep(2)
    record_property("at rest", max(at_rest))
    assert max(at_rest) == 0
