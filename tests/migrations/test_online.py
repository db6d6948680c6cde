"""The migrations on a company that is at work: a million leads, and new ones coming in all the time."""

import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from tests.fixtures.postgres import COMPANY_SQL, LeadsDatabase, drop_database
from tests.migrations.conftest import ALL, quiet, runner, schema
from tools.embedded_postgres import EmbeddedPostgres
from tools.migrate import APPLICATION_NAME, migrate, pending

LEADS = 1_000_000
LONGEST_INSERT_SECONDS = 1.0
NEW_LEAD = "insert into leads (branch, postal_code, region, email) values ('schilder', '3511 AB', 'utrecht', 'a@b.nl')"


@pytest.fixture(scope="module")
def busy_company(postgres_cluster: EmbeddedPostgres) -> Iterator[str]:
    """Name of a database with a million leads and no migration."""
    name = "busy_company"
    postgres_cluster.create_database(name)
    with psycopg.connect(postgres_cluster.url(name), autocommit=True) as owner:
        owner.execute(COMPANY_SQL.read_text())
        owner.execute(
            "insert into leads (created_at, branch, region) select now() - n * interval '30 seconds', 'schilder',"
            f" 'utrecht' from generate_series({LEADS}, 1, -1) as n"
        )
        owner.execute("analyze leads")
    yield name
    drop_database(postgres_cluster, name)


@pytest.fixture
def busy_db(postgres_cluster: EmbeddedPostgres, busy_company: str) -> Iterator[LeadsDatabase]:
    name = f"{busy_company}_copy"
    postgres_cluster.create_database(name, template=busy_company)
    yield LeadsDatabase(name, postgres_cluster.url(name))
    drop_database(postgres_cluster, name)


@contextmanager
def leads_coming_in(database: LeadsDatabase) -> Iterator[list[float]]:
    """Insert a lead at a time, each committed, from two sessions; gives the seconds that each one took."""
    seconds: list[float] = []
    done = threading.Event()

    def insert() -> None:
        with psycopg.connect(database.owner_url, autocommit=True, application_name="company") as company:
            while not done.is_set():
                started = time.monotonic()
                company.execute(NEW_LEAD)
                seconds.append(time.monotonic() - started)
                done.wait(0.002)

    with ThreadPoolExecutor(2) as pool:
        inserting = [pool.submit(insert) for _ in range(2)]
        try:
            yield seconds
        finally:
            done.set()
        for each in inserting:
            each.result()


def assert_nobody_waited(
    database: LeadsDatabase, seconds: list[float], record_property: Callable[[str, object], None]
) -> None:
    record_property("inserts", len(seconds))
    record_property("longest_insert_seconds", round(max(seconds), 3))
    assert database.value("select count(*) from leads") == LEADS + len(seconds)
    assert max(seconds) < LONGEST_INSERT_SECONDS


def test_no_insert_waits(
    busy_db: LeadsDatabase,
    postgres_cluster: EmbeddedPostgres,
    whole_schema: str,
    record_property: Callable[[str, object], None],
) -> None:
    with leads_coming_in(busy_db) as seconds:
        assert migrate(busy_db.owner_url, report=quiet) == ALL
        assert migrate(busy_db.owner_url, report=quiet) == []
    assert_nobody_waited(busy_db, seconds, record_property)
    assert schema(postgres_cluster, busy_db) == whole_schema


def test_killed_half_way_and_finished_by_two_at_once(
    busy_db: LeadsDatabase,
    postgres_cluster: EmbeddedPostgres,
    whole_schema: str,
    record_property: Callable[[str, object], None],
) -> None:
    """The first runner dies while the server builds an index over the million; the rest is one schema all the same."""
    with leads_coming_in(busy_db) as seconds:
        with runner(busy_db) as process:
            building = wait_until_it_builds(busy_db)
            process.send_signal(signal.SIGKILL)
        half = pending(busy_db.owner_url)
        assert building in ALL and building in half and half != ALL
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda _: migrate(busy_db.owner_url, report=quiet), range(2)))
        assert sorted(done, key=len) == [[], half]
        assert migrate(busy_db.owner_url, report=quiet) == []
    assert_nobody_waited(busy_db, seconds, record_property)
    assert schema(postgres_cluster, busy_db) == whole_schema


def wait_until_it_builds(database: LeadsDatabase) -> str:
    """Wait until the runner's session builds an index; returns the label of the migration that asked for it."""
    deadline = time.monotonic() + 30
    with database.connect() as watcher:
        while time.monotonic() < deadline:
            row = watcher.execute(
                "select query from pg_stat_activity where datname = %s and application_name = %s and state = 'active'"
                " and query ~* 'create index concurrently'",
                [database.name, APPLICATION_NAME],
            ).fetchone()
            if row and (index := re.search(r"create index concurrently (\w+)_idx", row["query"], re.I)):
                return next(label for label in ALL if label.endswith(f"{index[1]}_index"))
            time.sleep(0.005)
    raise AssertionError("the runner never came to an index")
