"""The facts of an error of the database: where it happened, what of budgets stands, and which file to correct first."""

from __future__ import annotations

import psycopg
import pytest

from lead_demand import database
from lead_demand.database import sql
from lead_demand.errors import Facts
from lead_demand.oncall.diagnosis import explain, explain_silence
from lead_demand.runs import day
from tests.fixtures.airflow import use_database
from tests.fixtures.postgres import LeadsDatabase


def facts_of(leads_db: LeadsDatabase, breaks: str) -> Facts:
    """Of `attribute_leads`, after the owner of the database did that."""
    leads_db.fetch(breaks)
    window = {"first": day.latest_whole_day(), "last": day.latest_whole_day(), "dag_run_id": "test"}
    with pytest.MonkeyPatch.context() as patch:
        use_database(patch, leads_db)
        with database.connect() as connection, pytest.raises(psycopg.Error) as caught:
            connection.execute(sql.render("lead_stats/update_leads.sql"), window)
    return explain(caught.value)


def test_a_renamed_column_of_a_source_names_its_adapter_first(leads_db: LeadsDatabase) -> None:
    facts = facts_of(leads_db, "alter table leads rename column region to area")
    assert facts.kind == "MigrationMissing" and "leads.region" in facts.happened
    assert facts.happened.endswith(
        "(in include/sql/sources/leads.sql in include/sql/lead_stats/update_leads.sql, table leads)"
    )
    assert facts.todo.startswith("Correct include/sql/sources/leads.sql: ")


def test_a_column_of_ours_that_is_missing_names_the_migration_first(leads_db: LeadsDatabase) -> None:
    facts = facts_of(leads_db, "alter table lead_segments rename column branch to trade")
    assert facts.happened.endswith("(in include/sql/lead_stats/update_leads.sql, table lead_segments)")
    assert facts.todo.startswith("Run `make migrate`")


@pytest.mark.parametrize("changes_budgets", [True, False])
def test_only_a_task_that_changes_budgets_speaks_of_changes_under_way(changes_budgets: bool) -> None:
    for facts in (
        explain(psycopg.errors.DeadlockDetected(), changes_budgets=changes_budgets),
        explain_silence(changes_budgets=changes_budgets),
    ):
        assert ("budget" in facts.unchanged) is changes_budgets
