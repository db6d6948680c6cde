"""What every transaction of the pipeline begins with: the time that its task has left, and no JIT."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.execution_time.context import set_current_context
from airflow.sdk.execution_time.timeout import timeout
from psycopg.pq import TransactionStatus

from lead_demand import database
from lead_demand.database import leads_hook, sql
from lead_demand.oncall import alerts, diagnosis
from lead_demand.runs.operators import LeadsOperator
from tests.fixtures.airflow import ROOT, use_database
from tests.fixtures.morning import Morning
from tests.fixtures.postgres import LeadsDatabase

SETTINGS = ("jit", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
ASK = b"select " + b", ".join(f"current_setting('{name}')".encode() for name in SETTINGS)
DEFAULTS = {"jit": "on", "statement_timeout": "'2min'", "lock_timeout": "0", "work_mem": "'4MB'"}


def seconds(setting: str) -> float:
    """A setting of a time, as PostgreSQL shows it, in seconds."""
    units = {"ms": 0.001, "s": 1, "min": 60, "h": 3600}
    number = setting.rstrip("mshin")
    return int(number) * units[setting[len(number) :]] if setting != "0" else 0.0


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """Every statement that this process runs in a transaction, with the settings that it ran under."""
    found: list[tuple[str, dict[str, str]]] = []
    real = psycopg.Cursor.execute

    def execute(cursor: psycopg.Cursor[Any], query: Any, *arguments: Any, **options: Any) -> Any:
        result = real(cursor, query, *arguments, **options)
        pgconn = cursor.connection.pgconn
        if pgconn.transaction_status == TransactionStatus.INTRANS:
            row = pgconn.exec_(ASK)
            shown = [(row.get_value(0, place) or b"").decode() for place in range(len(SETTINGS))]
            found.append((str(query), dict(zip(SETTINGS, shown, strict=True))))
        return result

    monkeypatch.setattr(psycopg.Cursor, "execute", execute)
    return found


def as_a_project(morning: Morning) -> None:
    """The defaults of a hosted project: JIT on, two minutes a statement."""
    for name, value in DEFAULTS.items():
        morning.db.fetch(f'alter database "{morning.db.name}" set {name} = {value}')


def test_every_statement_runs_without_jit_and_ends_before_its_task_is_killed(
    morning: Morning, seen: list[tuple[str, dict[str, str]]]
) -> None:
    as_a_project(morning)
    limit = alerts.TASK_DEFAULTS["execution_timeout"].total_seconds()
    for dag_id in ("lead_stats", "lead_budgets", "lead_digest"):
        seen.clear()
        assert morning.run(dag_id).state == "success"
        assert len(seen) > 5, dag_id
        for text, settings in seen:
            assert settings["jit"] == "off", text
            assert limit / 2 < seconds(settings["statement_timeout"]) < limit, text
            assert 0 < seconds(settings["lock_timeout"]) < seconds(settings["statement_timeout"]), text
            assert seconds(settings["idle_in_transaction_session_timeout"]) > limit, text


@contextmanager
def task_of(seconds_allowed: float) -> Iterator[None]:
    """The inside of a task's process: its context, and Airflow's own timeout around it."""
    task = BaseOperator(task_id="hangs", execution_timeout=timedelta(seconds=seconds_allowed))
    ti: Any = SimpleNamespace(task=task, start_date=datetime.now(tz=UTC))
    with set_current_context(cast("Any", {"ti": ti})), timeout(seconds_allowed):
        yield


@pytest.mark.server_timer
def test_a_statement_that_hangs_ends_with_its_own_error_and_not_with_the_tasks(
    leads_db: LeadsDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_database(monkeypatch, leads_db)
    with task_of(3), database.connect() as connection, pytest.raises(psycopg.errors.QueryCanceled) as hung:
        connection.execute("select pg_sleep(60)")
    facts = diagnosis.explain(hung.value)
    assert (facts.kind, facts.heals) == ("TimedOut", True) and "statement timeout" in facts.happened


@pytest.mark.server_timer
def test_a_lock_that_somebody_holds_is_named_as_a_lock(
    leads_db: LeadsDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_database(monkeypatch, leads_db)
    with leads_db.connect(autocommit=False) as holder:
        holder.execute("lock table channel_metrics in access exclusive mode")
        with task_of(3), database.connect() as connection, pytest.raises(psycopg.errors.LockNotAvailable) as waited:
            connection.execute("select from channel_metrics")
    facts = diagnosis.explain(waited.value)
    assert (facts.kind, facts.heals) == ("TimedOut", True) and "lock timeout" in facts.happened


@pytest.mark.long
@pytest.mark.server_timer
def test_an_operator_that_hangs_is_limited_too(leads_db: LeadsDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    use_database(monkeypatch, leads_db)
    operator = LeadsOperator(task_id="hangs", conn_id=sql.LEADS_CONNECTION)
    with task_of(3), pytest.raises(psycopg.errors.QueryCanceled):
        operator.get_db_hook().get_first("select pg_sleep(60)")


def test_limits_shrink_while_a_transaction_lasts(leads_db: LeadsDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    use_database(monkeypatch, leads_db)
    monkeypatch.setattr(leads_hook, "FRESH_SECONDS", 0.0)
    with database.connect() as connection:
        shown = "select extract(epoch from current_setting('statement_timeout')::interval)"
        first = connection.execute(shown).fetchone()
        time.sleep(0.05)
        second = connection.execute(shown).fetchone()
    assert first and second and second[0] < first[0]


def test_a_shorter_patience_of_the_database_stays(leads_db: LeadsDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    use_database(monkeypatch, leads_db)
    leads_db.fetch(f"alter database \"{leads_db.name}\" set lock_timeout = '700ms'")
    with database.connect() as connection:
        for _ in range(2):
            found = connection.execute("show lock_timeout").fetchone()
            connection.commit()
            assert found == ("700ms",)


def test_there_is_one_way_to_the_leads_database() -> None:
    """A second one would forget what the first one sets."""
    others = ("PostgresHook(", "psycopg.connect(", "SQLExecuteQueryOperator", "create_engine(", "get_sqlalchemy_engine")
    for path in [*(ROOT / "plugins").rglob("*.py"), *(ROOT / "dags").glob("*.py")]:
        if path.name != "leads_hook.py":
            text = path.read_text()
            assert not [way for way in others if way in text], path


def test_every_sql_operator_has_that_hook(
    dagbag: Any, leads_db: LeadsDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.common.sql.operators.sql import BaseSQLOperator

    use_database(monkeypatch, leads_db)
    operators = [task for dag in dagbag.dags.values() for task in dag.tasks if isinstance(task, BaseSQLOperator)]
    assert len(operators) > 5
    for operator in operators:
        assert isinstance(operator.get_db_hook(), leads_hook.LeadsHook), operator.task_id
