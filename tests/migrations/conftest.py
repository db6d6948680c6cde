"""One migrated database that the tests of this folder share, with a row in every table; and the company's bare one."""

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from local.embedded_postgres import EmbeddedPostgres
from tests.fixtures.claims import claim, decide, record_fetches, steer
from tests.fixtures.postgres import COMPANY_SQL, MEMBER, LeadsDatabase, drop_database
from tools import REPOSITORY
from tools.migrations import read_folder

ALL = [migration.label for migration in read_folder()]
OTHER_BUDGET = "customers/1234567890/campaignBudgets/7"
PIPELINES = ("lead_pipeline", MEMBER)
_numbers = itertools.count(1)


class SeededDatabase(LeadsDatabase):
    """A database with one row in each table. `who` is one of ACTORS; an admin is `authenticated` with a profile.

    Of `segment` today's increase is claimed, of CAMPAIGN_BUDGET; of `other` it is decided, of OTHER_BUDGET.
    """

    ACTORS = ("anon", "authenticated", "admin", "service_role", "lead_pipeline", MEMBER)
    claims: dict[str, dict[str, Any]]
    segment: UUID
    other: UUID
    sessions: dict[str, psycopg.Connection[dict[str, Any]]]

    def act_as(self, who: str, *, autocommit: bool = False) -> psycopg.Connection[dict[str, Any]]:
        role = "authenticated" if who == "admin" else who
        return self.connect(role, self.claims.get(who), autocommit=autocommit)

    def session(self, who: str) -> psycopg.Connection[dict[str, Any]]:
        """The same connection each time, for a test that rolls back: logging in costs more than a statement."""
        if who not in self.sessions:
            self.sessions[who] = self.act_as(who)
        return self.sessions[who]


def seed(database: LeadsDatabase) -> SeededDatabase:
    """Put one row in each table, as the owner, and sign up a user and an admin."""
    seeded = SeededDatabase(database.name, database.owner_url)
    claims = {"authenticated": database.add_user(is_admin=False), "admin": database.add_user(is_admin=True)}
    object.__setattr__(seeded, "claims", claims)
    object.__setattr__(seeded, "segment", database.add_segment())
    object.__setattr__(seeded, "sessions", {})
    steer(database, seeded.segment)
    with database.connect() as owner:
        owner.execute(
            """
            insert into leads (branch, region, email) values ('schilder', 'utrecht', 'piet@example.com');
            insert into partners (name, branch, region) values ('Piet', 'schilder', 'utrecht');
            insert into lead_generation_stats (segment_id, date) select id, lead_today() - 1 from lead_segments;
            insert into lead_segment_plans (segment_id, date, target_leads_per_day)
            select id, lead_today(), 6 from lead_segments;
            insert into lead_segment_channels (segment_id, channel) select id, 'google_ads' from lead_segments;
            insert into lead_branch_channels (branch, channel, monthly_budget) values ('schilder', 'google_ads', 5000);
            insert into channel_metrics (segment_id, channel, account, date, spend)
            select id, 'google_ads', '1234567890', lead_today() - 1, 1 from lead_segments;
            insert into channel_zero_days (channel, account, date)
            values ('google_ads', '1234567890', lead_today() - 9);
            insert into channel_totals (channel, account, date, metric, segments, in_segments, in_none, reported)
            values ('google_ads', '1234567890', lead_today() - 1, 'spend', 1, 1, 0, 1);
            insert into capacity_confirmations (segment_id, confirmed_capacity) select id, 12 from lead_segments;
            insert into approval_questions (id, channel, dag_run_id, asked)
            values (gen_random_uuid(), 'google_ads', 'seed', '[]');
            insert into budget_edits (channel, account, budget_id, edited_at, edited_by, new_value, dag_run_id)
            values ('google_ads', '1234567890', '7', now() - interval '1 day', 'anke', 55, 'seed');
            insert into outcome_weeks (
                channel, week, action, decisions, judged, promises, promises_kept, changes, came_nearer, by_chance,
                luck, luck_variance, leads_over_target
            )
            select
                'google_ads', date_trunc('week', lead_today() - interval '30 days'), 'hold',
                1, 1, 1, 1, 0, 0, 0, 0, 0, 0;
            insert into backtest_results (
                run_id, trial, segment_id, date_from, date_to, evaluations, kept, increases, decreases, differing,
                leads, wanted, target, spend, judged, held, missed_by
            )
            select 'seed', 'today', id, lead_today() - 9, lead_today() - 1, 9, 9, 1, 0, 0, 9, 9, 9, 9, 0, 0, 0
            from lead_segments;
            insert into backtest_differences (run_id, segment_id, date, today_action, changed_action)
            select 'seed', id, lead_today() - 1, 'hold', 'increase' from lead_segments;
            insert into pipeline_findings (name, level, detail) values ('no_capacity', 'stop', 'None was recorded.');
            """
        )
    object.__setattr__(seeded, "other", database.add_segment("dakdekker", "gelderland"))
    steer(database, seeded.other, OTHER_BUDGET)
    for segment in (seeded.segment, seeded.other):
        decide(database, segment)
    with database.connect("lead_pipeline") as pipeline:
        record_fetches(pipeline)
        claim(pipeline, seeded.segment)
    return seeded


@contextmanager
def seeded_copy(server: EmbeddedPostgres, template: str) -> Iterator[SeededDatabase]:
    """A seeded copy of the template for as long as it is needed."""
    name = f"seeded_{next(_numbers)}"
    server.create_database(name, template=template)
    seeded = seed(LeadsDatabase(name, server.url(name)))
    yield seeded
    for connection in seeded.sessions.values():
        connection.close()
    drop_database(server, name)


@pytest.fixture(scope="module")
def seeded_db(postgres_cluster: EmbeddedPostgres, leads_template: str) -> Iterator[SeededDatabase]:
    """Shared by a file: its tests roll back, or touch rows of their own."""
    with seeded_copy(postgres_cluster, leads_template) as seeded:
        yield seeded


@pytest.fixture
def company_db(postgres_cluster: EmbeddedPostgres) -> Iterator[Callable[[], LeadsDatabase]]:
    """Makes databases that hold what a company has before the first migration."""
    names = []

    def make() -> LeadsDatabase:
        names.append(f"company_{next(_numbers)}")
        postgres_cluster.create_database(names[-1])
        database = LeadsDatabase(names[-1], postgres_cluster.url(names[-1]))
        with psycopg.connect(database.owner_url, autocommit=True, row_factory=dict_row) as connection:
            connection.execute(Path(COMPANY_SQL).read_text())
        return database

    yield make
    for name in names:
        drop_database(postgres_cluster, name)


def schema(server: EmbeddedPostgres, database: LeadsDatabase) -> str:
    """The whole schema as text, rights and comments included."""
    dump = subprocess.run(
        [server.binary("pg_dump"), "--schema-only", database.owner_url], capture_output=True, text=True, check=True
    )
    return re.sub(r"^\\(un)?restrict .*$", "", dump.stdout, flags=re.M)


@pytest.fixture(scope="module")
def whole_schema(postgres_cluster: EmbeddedPostgres, leads_template: str) -> str:
    return schema(postgres_cluster, LeadsDatabase(leads_template, postgres_cluster.url(leads_template)))


def quiet(line: str) -> None:
    pass


@contextmanager
def runner(database: LeadsDatabase) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.migrate"],
        cwd=REPOSITORY, env=os.environ | {"LEADS_DATABASE_URL": database.owner_url},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def owned_by_a_member(database: LeadsDatabase, table: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A session of the owner of a table as Supabase's `postgres` may be: no superuser, and granted lead_pipeline."""
    database.fetch(
        "create role project_owner; grant lead_pipeline to project_owner; grant usage, create on schema public to "
        f"project_owner; grant usage on schema private to project_owner; alter table {table} owner to project_owner"
    )
    try:
        with database.connect("project_owner") as owner:
            yield owner
    finally:
        database.fetch(
            "reassign owned by project_owner to current_user; drop owned by project_owner; drop role project_owner"
        )
