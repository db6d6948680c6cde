"""The pipeline through a transaction pooler: every transaction may be another session of the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
import pytest

from lead_demand import database
from lead_demand.database import sql
from lead_demand.oncall import diagnosis
from local.embedded_postgres import EmbeddedPostgres
from tests.fixtures.airflow import use_database
from tests.fixtures.morning import Morning, a_morning
from tests.fixtures.pgbouncer import PooledDatabase
from tests.fixtures.postgres import LeadsDatabase
from tests.fixtures.sandbox import Sandbox

PoolerBefore = Callable[..., PooledDatabase]


@pytest.fixture
def pooled_dawn(
    postgres_cluster: EmbeddedPostgres,
    dawn_template: str,
    sandbox: Sandbox,
    dagbag: object,
    pooler_before: PoolerBefore,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Morning]:
    """The night before a morning, whose DAGs log in through the pooler."""
    with a_morning(postgres_cluster, dawn_template, sandbox, dagbag, "pooled_dawn") as morning:
        pooled = pooler_before(morning.db)
        use_database(monkeypatch, pooled)
        yield replace(morning, db=pooled)


def test_the_next_transaction_is_another_session(leads_db: LeadsDatabase, pooler_before: PoolerBefore) -> None:
    """What the other tests here rely on; it breaks a prepared statement as soon as it is used again."""
    url = pooler_before(leads_db).pipeline_url
    with psycopg.connect(url, prepare_threshold=None) as connection:
        sessions = []
        for _ in range(4):
            sessions.append(connection.execute("select pg_backend_pid()").fetchone())
            connection.commit()
            with psycopg.connect(url, prepare_threshold=None) as other:  # so that the pool is not one session
                other.execute("select 1")
                connection.execute("select 1")
                connection.commit()
    assert len(set(sessions)) == 2
    with psycopg.connect(url, prepare_threshold=0) as connection, pytest.raises(psycopg.Error, match="prepared"):
        for _ in range(4):
            connection.execute("select %s::integer", [1])
            connection.commit()


def test_a_whole_morning_goes_through_a_transaction_pooler(pooled_dawn: Morning) -> None:
    for dag_id in ("lead_stats", "lead_budgets"):
        run = pooled_dawn.run(dag_id)
        assert run.state == "success", run.tasks
    assert {"increase", "decrease", "hold"} == {row["action"] for row in pooled_dawn.decisions().values()}
    log = pooled_dawn.log()
    assert log and all(row["status"] == "success" for row in log)
    pooled_dawn.assert_log_is_the_truth()

    before, budgets = pooled_dawn.row_versions(), pooled_dawn.sandbox.budgets()
    for dag_id in ("lead_stats", "lead_budgets", "lead_digest"):
        run = pooled_dawn.run(dag_id)
        assert run.state == "success", run.tasks
    assert pooled_dawn.row_versions() == before
    assert pooled_dawn.sandbox.budgets() == budgets

    reverted = pooled_dawn.run("lead_budget_revert", conf={"log_id": str(log[0]["id"])})
    assert reverted.state == "success", reverted.tasks
    assert pooled_dawn.sandbox.budgets()[log[0]["external_id"]] == int(log[0]["old_value"] * 1_000_000)


def test_a_pooled_session_keeps_nothing_of_ours(
    leads_db: LeadsDatabase, pooler_before: PoolerBefore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gets the session next finds its own settings, no lock and no temporary table."""
    pooled = pooler_before(leads_db)
    use_database(monkeypatch, pooled)
    with database.connect() as connection:
        connection.execute(sql.render("lead_stats/lock_step.sql"), {"step": "a step"})
        connection.execute(sql.render("lead_budgets/lock_channel.sql"), {"channel": "google_ads"})
        sql.join_whole_sets(connection)
        connection.execute(sql.render("lead_budgets/create_planned.sql"))
    names = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "work_mem", "enable_nestloop"]
    expected = [leads_db.value(f"show {name}", role="lead_pipeline") for name in names]
    for _ in range(4):
        with psycopg.connect(pooled.pipeline_url, prepare_threshold=None) as next_client:
            found = [next_client.execute(f"show {name}".encode()).fetchone() for name in names]
            assert [row and row[0] for row in found] == expected
    assert leads_db.value("select count(*) from pg_locks where locktype = 'advisory'") == 0
    assert leads_db.value("select count(*) from pg_class where relname = 'planned'") == 0


def test_a_pooler_that_refuses_a_startup_setting_is_told_as_a_wrong_connection(
    leads_db: LeadsDatabase, pooler_before: PoolerBefore
) -> None:
    url = pooler_before(leads_db).pipeline_url
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect(f"{url}?options=-c%20jit%3Doff")
    assert diagnosis.explain(refused.value).kind == "LoginRefused"
