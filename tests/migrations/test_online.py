"""The migrations on a company that is at work: a million leads before the first of them, and a year of everything
before the latest, while what the company and the pipeline write goes on.
"""

import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from local.embedded_postgres import EmbeddedPostgres
from tests.fixtures.postgres import COMPANY_SQL, LeadsDatabase, drop_database
from tests.migrations.conftest import ALL, quiet, record_fetches, runner, schema
from tools.migrate import APPLICATION_NAME, migrate, pending
from tools.migrations import MIGRATIONS

LEADS = 1_000_000
LONGEST_WAIT = "1s"
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
    """Insert a lead at a time, each committed, from two sessions; gives the seconds that each one took.

    An insert that waits a second for a lock is refused by the server, however busy the machine is otherwise, and fails
    the test.
    """
    seconds: list[float] = []
    done = threading.Event()

    def insert() -> None:
        with psycopg.connect(database.owner_url, autocommit=True, application_name="company") as company:
            company.execute(f"set lock_timeout = '{LONGEST_WAIT}'".encode())
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
    deadline = time.monotonic() + 600
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


# -- from a version that is in use -------------------------------------------------------------------------------------

IN_USE = "20261123090000"  # the newest file that companies have applied already
# Rules that rows of the past may break, so they are never validated.
HELD_FROM_NOW_ON = ["lead_generation_stats_leads_part_check"]
SEGMENTS, DAYS, YEARS_LEADS = 300, 365, 120_000
A_YEAR = f"""
insert into lead_segments (code, branch, region)
select 'schilder_regio_' || n, 'schilder', 'regio-' || n from generate_series(1, {SEGMENTS}) as n;
insert into channel_sources (channel, account, external_id, segment_id)
select 'google_ads', '1234567890', row_number() over (order by code), id from lead_segments;
insert into lead_generation_stats (
    segment_id, date, leads_generated, leads_accepted, leads_rejected, leads_pending, google_ads_spend,
    google_ads_clicks, google_ads_impressions, capacity_partners, capacity_total_leads
)
select id, lead_today() - ago, 5, 3, 1, 1, 40, 30, 900, 4, 8 from lead_segments, generate_series(1, {DAYS}) as ago;
insert into channel_metrics (segment_id, channel, account, date, spend, clicks, impressions)
select id, 'google_ads', '1234567890', lead_today() - ago, 40, 30, 900
from lead_segments, generate_series(1, {DAYS}) as ago;
insert into lead_segment_plans (segment_id, date, target_leads_per_day)
select id, lead_today() - ago, 6 from lead_segments, generate_series(1, {DAYS}) as ago;
insert into budget_decisions (segment_id, decision_date, action)
select id, lead_today() - ago, 'hold' from lead_segments, generate_series(1, {DAYS}) as ago;
insert into channel_orchestration_log (
    segment_id, channel, action_type, old_value, new_value, account, external_id, decision_date, status, closed_at
)
select
    id, 'google_ads', 'budget_increase', 40, 44, '1234567890', code, lead_today() - ago, 'success', now()
from lead_segments, generate_series(1, {DAYS}) as ago;
insert into leads (created_at, branch, region)
select now() - n * interval '4 minutes', 'schilder', 'regio-' || n % {SEGMENTS} + 1
from generate_series({YEARS_LEADS}, 1, -1) as n;
"""
ONE_SEGMENT = f"(select id from lead_segments where code = 'schilder_regio_' || (%(n)s::integer %% {SEGMENTS} + 1))"
# What goes on all the time, by table; `n` counts the writes.
WRITES = {
    "leads": NEW_LEAD,
    "lead_generation_stats": (
        "insert into lead_generation_stats (segment_id, date, google_ads_clicks)"
        f" values ({ONE_SEGMENT}, lead_today() - 1, %(n)s::integer)"
        " on conflict (segment_id, date) do update set google_ads_clicks = excluded.google_ads_clicks"
    ),
    "channel_metrics": (
        "update channel_metrics set clicks = %(n)s::integer"
        f" where segment_id = {ONE_SEGMENT} and channel = 'google_ads' and date = lead_today() - 1"
    ),
    "lead_segment_plans": (
        "insert into lead_segment_plans (segment_id, date, target_leads_per_day)"
        f" values ({ONE_SEGMENT}, lead_today(), %(n)s)"
        " on conflict (segment_id, date) do update set expected_leads_per_day = %(n)s"
    ),
    "channel_sources": f"update channel_sources set description = %(n)s::text where segment_id = {ONE_SEGMENT}",
    "channel_orchestration_log": (
        "insert into channel_orchestration_log"
        " (segment_id, channel, action_type, old_value, new_value, account, external_id)"
        f" values ({ONE_SEGMENT}, 'google_ads', 'budget_increase', 40, 44, '1234567890', 'budget ' || %(n)s::text)"
    ),
}


@pytest.fixture
def company_in_use(postgres_cluster: EmbeddedPostgres, tmp_path: Path) -> Iterator[LeadsDatabase]:
    """A database at the version in use, with a year of data."""
    database = LeadsDatabase("company_in_use", postgres_cluster.url("company_in_use"))
    postgres_cluster.create_database(database.name)
    for path in MIGRATIONS.glob("*.sql"):
        if path.name <= f"{IN_USE}_~":
            shutil.copy(path, tmp_path)
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(COMPANY_SQL.read_text())
        migrate(database.owner_url, tmp_path, report=quiet)
        owner.execute("set session_replication_role = replica")  # no trigger: history is loaded, not lived
        owner.execute(A_YEAR)
        owner.execute("reset session_replication_role")
        record_fetches(owner)
        owner.execute("analyze")
    yield database
    drop_database(postgres_cluster, database.name)


@contextmanager
def everything_written(database: LeadsDatabase) -> Iterator[dict[str, list[float]]]:
    """Write to every table from a session of its own, each write committed; gives the seconds of each write by table.

    A write that waits a second for a lock is refused by the server, however busy the machine is otherwise, and fails
    the test.
    """
    seconds: dict[str, list[float]] = {table: [] for table in WRITES}
    done = threading.Event()

    def write(table: str) -> None:
        with psycopg.connect(database.owner_url, autocommit=True, application_name=f"writes {table}") as connection:
            connection.execute(f"set lock_timeout = '{LONGEST_WAIT}'".encode())
            while not done.is_set():
                started = time.monotonic()
                connection.execute(WRITES[table].encode(), {"n": len(seconds[table])})
                seconds[table].append(time.monotonic() - started)
                done.wait(0.005)

    with ThreadPoolExecutor(len(WRITES)) as pool:
        writing = [pool.submit(write, table) for table in WRITES]
        try:
            while not all(seconds.values()) and not any(each.done() for each in writing):
                time.sleep(0.01)
            yield seconds
        finally:
            done.set()
        for each in writing:
            each.result()


def test_a_company_in_use_takes_over_the_newer_files_without_a_write_that_waits(
    company_in_use: LeadsDatabase,
    postgres_cluster: EmbeddedPostgres,
    whole_schema: str,
    record_property: Callable[[str, object], None],
) -> None:
    newer = [label for label in ALL if label > f"{IN_USE}_~"]
    assert newer and pending(company_in_use.owner_url) == newer
    with everything_written(company_in_use) as seconds:
        before = {table: len(written) for table, written in seconds.items()}
        assert migrate(company_in_use.owner_url, report=quiet) == newer
    for table, written in seconds.items():
        assert len(written) > before[table], f"nothing was written to {table} meanwhile"
        record_property(f"longest_write_seconds_{table}", round(max(written), 3))
    print({table: round(max(written), 3) for table, written in seconds.items()})
    assert schema(postgres_cluster, company_in_use) == whole_schema
    found = company_in_use.fetch("select conname from pg_constraint where not convalidated")
    assert [row["conname"] for row in found] == HELD_FROM_NOW_ON
