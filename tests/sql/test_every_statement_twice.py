"""Each statement of the pipeline, run twice by its own role on a real morning: the second run changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from lead_demand.budgets import planning
from lead_demand.budgets.decisions import decided_claims
from lead_demand.budgets.protocol import BudgetProtocol
from lead_demand.database import sql
from local.embedded_postgres import EmbeddedPostgres
from tests.fixtures.airflow import use_database
from tests.fixtures.morning import DECIDED
from tests.fixtures.postgres import LeadsDatabase, drop_database
from tests.fixtures.sandbox import Sandbox
from tests.sql.statements import ACCOUNT, CHANNEL, RUN, STATEMENTS, Statement, inventory, prepare, window

WATCHED = (*DECIDED, "approval_questions", "budget_edits", "leads", "outcome_weeks")
_numbers = itertools.count(1)


def claim_everything() -> None:
    """Claim every change of today that waits for nobody."""
    for action in ("decrease", "increase"):
        with BudgetProtocol.alone(CHANNEL, f"budget_{action}", RUN) as protocol:
            decided = decided_claims(protocol, action)
            assert decided and not protocol.claim(decided)


@pytest.fixture(scope="module")
def morning_in_state(
    postgres_cluster: EmbeddedPostgres, morning_template: str, sandbox: Sandbox
) -> Iterator[Callable[[str], LeadsDatabase]]:
    """Gives the database of each state; a later state is made from the one before it."""
    sandbox.reset()
    states: dict[str, LeadsDatabase] = {}

    def database(state: str, template: str) -> LeadsDatabase:
        name = f"every_statement_{state}"
        postgres_cluster.create_database(name, template=template)
        states[state] = LeadsDatabase(name, postgres_cluster.url(name))
        return states[state]

    morning = database("morning", morning_template)
    decided = database("decided", morning.name)
    with pytest.MonkeyPatch.context() as patch:
        use_database(patch, decided)
        for account in decided.fetch("select distinct account from channel_sources where channel = %s", [CHANNEL]):
            planning.read_budgets(CHANNEL, account["account"], RUN)
        planning.plan(CHANNEL, RUN)
    claimed = database("claimed", decided.name)
    with pytest.MonkeyPatch.context() as patch:
        use_database(patch, claimed)
        claim_everything()
    yield states.__getitem__
    for each in states.values():
        drop_database(postgres_cluster, each.name)
    sandbox.reset()


@pytest.fixture
def database_for(
    postgres_cluster: EmbeddedPostgres, morning_in_state: Callable[[str], LeadsDatabase]
) -> Iterator[Callable[[Statement], LeadsDatabase]]:
    """Gives a statement the morning in its state: a copy of its own if anything is changed for it or by it."""
    names = []

    def database(statement: Statement) -> LeadsDatabase:
        shared = morning_in_state(statement.state)
        if not (statement.writes or statement.undo):
            return shared
        names.append(f"statement_{next(_numbers)}")
        postgres_cluster.create_database(names[-1], template=shared.name)
        return LeadsDatabase(names[-1], postgres_cluster.url(names[-1]))

    yield database
    for name in names:
        drop_database(postgres_cluster, name)


def test_every_file_has_its_test() -> None:
    """A new file needs a line in STATEMENTS, a removed one leaves none behind."""
    assert set(STATEMENTS) == inventory()


def run(db: LeadsDatabase, name: str, statement: Statement, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a statement as the pipeline in a transaction of its own, and commit; returns what it returns."""
    with psycopg.connect(db.pipeline_url, row_factory=dict_row) as connection:
        cursor = connection.execute(sql.render(name), prepare(connection, statement, values))
        return cursor.fetchall() if cursor.description else []


def row_versions(db: LeadsDatabase) -> dict[str, set[tuple[str, str]]]:
    """Which version of which row each watched table holds."""
    rows = db.fetch(
        " union all ".join(
            f"select '{table}' as name, ctid::text as place, xmin::text as version from {table}" for table in WATCHED
        )
    )
    return {table: {(row["place"], row["version"]) for row in rows if row["name"] == table} for table in WATCHED}


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_a_second_run_changes_nothing(database_for: Callable[[Statement], LeadsDatabase], name: str) -> None:
    statement = STATEMENTS[name]
    db = database_for(statement)
    if statement.undo:
        (db.restore if statement.restored else db.fetch)(statement.undo)
    values = window(db.value("select lead_today()"), days=3)
    if statement.row:  # the same row both times, as a retried task would send it
        values |= db.fetch(statement.row)[0]
        statement = replace(statement, row="")

    before = row_versions(db)
    answer = run(db, name, statement, values)
    between = row_versions(db)
    again = run(db, name, statement, values)

    assert {table for table in WATCHED if before[table] != between[table]} == statement.writes
    assert row_versions(db) == between
    if "/select_" in name or "/check_" in name:
        assert answer and again == answer


def test_every_watched_table_is_written_by_some_statement() -> None:
    assert set().union(*(statement.writes for statement in STATEMENTS.values())) == set(WATCHED)


def test_the_account_of_the_values_is_one_of_the_morning(morning_in_state: Callable[[str], LeadsDatabase]) -> None:
    accounts = morning_in_state("morning").fetch("select distinct account from channel_sources")
    assert ACCOUNT in {row["account"] for row in accounts}
