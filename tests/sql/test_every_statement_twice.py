"""Each statement of the pipeline, run twice by its own role on a real morning: the second run changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from lead_demand import planning, sql
from tests.fixtures.airflow import use_database
from tests.fixtures.morning import DECIDED, Morning
from tests.fixtures.postgres import LeadsDatabase, drop_database
from tests.fixtures.sandbox import Sandbox
from tests.sql.statements import ACCOUNT, CHANNEL, RUN, STATEMENTS, Statement, inventory, prepare, window
from tools.embedded_postgres import EmbeddedPostgres

_numbers = itertools.count(1)
Versions = dict[str, list[tuple[str, str]]]

CLAIM_EVERYTHING = """
insert into channel_orchestration_log (
    segment_id, channel, action_type, old_value, new_value, account, external_id, decision_id
)
select distinct on (budgets.budget_id)
    decisions.segment_id, decisions.channel, 'budget_' || decisions.action, budgets.amount, budgets.amount + 1,
    budgets.account, budgets.budget_id, decisions.id
from budget_decisions as decisions
join channel_sources as sources on decisions.segment_id = sources.segment_id and sources.channel = decisions.channel
join channel_budgets as budgets on sources.account = budgets.account and sources.external_id = budgets.campaign_id
where decisions.decision_date = lead_today() and decisions.action <> 'hold'
"""


@pytest.fixture(scope="module")
def morning_in_state(
    postgres_cluster: EmbeddedPostgres, morning_template: str, sandbox: Sandbox
) -> Iterator[Callable[[str], str]]:
    """Gives the name of the database of each state; a later state is made from the one before it."""
    sandbox.reset()
    names = {"morning": morning_template}

    def database(state: str, earlier: str) -> LeadsDatabase:
        names[state] = f"every_statement_{state}"
        postgres_cluster.create_database(names[state], template=names[earlier])
        return LeadsDatabase(names[state], postgres_cluster.url(names[state]))

    with pytest.MonkeyPatch.context() as patch:
        decided = database("decided", "morning")
        use_database(patch, decided)
        for account in decided.fetch("select distinct account from channel_sources where channel = %s", [CHANNEL]):
            planning.read_budgets(CHANNEL, account["account"], RUN)
        planning.plan(CHANNEL, RUN)
    database("claimed", "decided").fetch(CLAIM_EVERYTHING, role="lead_pipeline")
    yield lambda state: names[state]
    for state in ("decided", "claimed"):
        drop_database(postgres_cluster, names[state])
    sandbox.reset()


@pytest.fixture
def morning_at(
    postgres_cluster: EmbeddedPostgres, morning_in_state: Callable[[str], str], sandbox: Sandbox
) -> Iterator[Callable[[str], Morning]]:
    """Makes a copy of the morning in a state, for this test alone."""
    names = []

    def copy(state: str) -> Morning:
        names.append(f"statement_{next(_numbers)}")
        postgres_cluster.create_database(names[-1], template=morning_in_state(state))
        database = LeadsDatabase(names[-1], postgres_cluster.url(names[-1]))
        return Morning(database, sandbox, run=lambda *_: pytest.fail("no DAG runs here"))

    yield copy
    for name in names:
        drop_database(postgres_cluster, name)


def test_every_file_has_its_test() -> None:
    """A new file needs a line in STATEMENTS, a removed one leaves none behind."""
    assert set(STATEMENTS) == inventory()


def run(morning: Morning, name: str, statement: Statement, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a statement as the pipeline in a transaction of its own, and commit; returns what it returns."""
    with psycopg.connect(morning.db.pipeline_url, row_factory=dict_row) as connection:
        cursor = connection.execute(sql.render(name), prepare(connection, statement, values))
        return cursor.fetchall() if cursor.description else []


def versions(morning: Morning) -> Versions:
    """The rows' versions of the decided tables, and those of leads."""
    leads = morning.db.fetch("select ctid::text, xmin::text from leads order by 1")
    return morning.row_versions() | {"leads": [(row["ctid"], row["xmin"]) for row in leads]}


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_a_second_run_changes_nothing(morning_at: Callable[[str], Morning], name: str) -> None:
    statement = STATEMENTS[name]
    morning = morning_at(statement.state)
    if statement.undo:
        morning.db.fetch(statement.undo)
    values = window(morning.db.value("select lead_today()"), days=3)
    if statement.row:  # the same row both times, as a retried task would send it
        values |= morning.db.fetch(statement.row)[0]
        statement = Statement(statement.state, first=statement.first, values=statement.values, writes=statement.writes)

    before = versions(morning)
    answer = run(morning, name, statement, values)
    between = versions(morning)
    again = run(morning, name, statement, values)
    after = versions(morning)

    assert {table for table in before if before[table] != between[table]} == statement.writes
    assert after == between
    if "/select_" in name or "/check_" in name:
        assert answer and again == answer


def test_the_tables_watched_are_those_of_the_morning() -> None:
    assert {table for statement in STATEMENTS.values() for table in statement.writes} == {*DECIDED, "leads"}


def test_the_account_of_the_values_is_one_of_the_morning(morning_at: Callable[[str], Morning]) -> None:
    accounts = morning_at("morning").db.fetch("select distinct account from channel_sources")
    assert ACCOUNT in {row["account"] for row in accounts}
