"""What every transaction of the pipeline begins with: the time that its task has left, and no JIT."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from lead_demand import errors, leads_hook, oncall, sql
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
    limit = oncall.TASK_DEFAULTS["execution_timeout"].total_seconds()
    for dag_id in ("lead_stats", "lead_budgets", "lead_digest"):
        seen.clear()
        assert morning.run(dag_id).state == "success"
        ran = [(text, settings) for text, settings in seen if "pipeline_findings" in text or "lead_" in text]
        assert len(ran) > 2, dag_id
        for text, settings in ran:
            assert settings["jit"] == "off", text
            assert limit / 2 < seconds(settings["statement_timeout"]) < limit, text
            assert 0 < seconds(settings["lock_timeout"]) < seconds(settings["statement_timeout"]), text
            assert seconds(settings["idle_in_transaction_session_timeout"]) > limit, text


def test_a_statement_that_hangs_ends_with_its_own_error_and_not_with_the_tasks(
    morning: Morning, dagbag: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    morning.db.fetch(
        "create function hang() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end $$;"
        "create trigger hang before insert or update on channel_metrics"
        " for each statement execute function hang()"
    )
    told = explained(monkeypatch)
    in_seconds(dagbag, monkeypatch, 6)
    run = morning.run("lead_stats")
    assert run.tasks["pull_channels.pull_partner_capacity"] == "failed"
    assert [(facts.kind, "statement timeout" in facts.happened) for facts in told][0] == ("TimedOut", True)


def test_a_lock_that_somebody_holds_is_named_as_a_lock(
    morning: Morning, dagbag: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = explained(monkeypatch)
    in_seconds(dagbag, monkeypatch, 6)
    with morning.db.connect(autocommit=False) as holder:
        holder.execute("lock table channel_metrics in share mode")
        run = morning.run("lead_stats")
    assert run.tasks["pull_channels.pull_partner_capacity"] == "failed"
    assert [(facts.kind, "lock timeout" in facts.happened) for facts in told][0] == ("TimedOut", True)


def explained(monkeypatch: pytest.MonkeyPatch) -> list[errors.Facts]:
    """What the failed tasks from here on say of their errors."""
    told: list[errors.Facts] = []

    def explain(error: BaseException) -> errors.Facts:
        told.append(errors.explain(error))
        return told[-1]

    monkeypatch.setattr(oncall, "explain", explain)
    return told


def in_seconds(dagbag: Any, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """Give the capacity's pull so many seconds and one try, and let nothing else write channel_metrics."""
    tasks = dagbag.dags["lead_stats"].task_dict
    monkeypatch.setattr(tasks["pull_channels.pull_partner_capacity"], "execution_timeout", timedelta(seconds=limit))
    for task in tasks.values():
        monkeypatch.setattr(task, "retries", 0)
        if task.task_id.startswith("pull_channels.pull_") and "capacity" not in task.task_id:
            monkeypatch.setattr(task, "execution_timeout", timedelta(seconds=2))


def test_limits_shrink_while_a_transaction_lasts(leads_db: LeadsDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    use_database(monkeypatch, leads_db)
    monkeypatch.setattr(leads_hook, "FRESH_SECONDS", 0.0)
    with sql.connect() as connection:
        shown = "select extract(epoch from current_setting('statement_timeout')::interval)"
        first = connection.execute(shown).fetchone()
        time.sleep(0.05)
        second = connection.execute(shown).fetchone()
    assert first and second and second[0] < first[0]


def test_a_shorter_patience_of_the_database_stays(leads_db: LeadsDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    use_database(monkeypatch, leads_db)
    leads_db.fetch(f'alter database "{leads_db.name}" set lock_timeout = \'700ms\'')
    with sql.connect() as connection:
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
    operators = [
        task for dag in dagbag.dags.values() for task in dag.tasks if isinstance(task, BaseSQLOperator)
    ]
    assert len(operators) > 5
    for operator in operators:
        assert isinstance(operator.get_db_hook(), leads_hook.LeadsHook), operator.task_id
