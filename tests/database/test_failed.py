"""An error of the database takes along which file of include/sql it came from, and which table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, LiteralString

import psycopg
import pytest

from lead_demand import database
from lead_demand.database import sql
from lead_demand.database.failed import Failed, failed
from lead_demand.runs import day
from tests.fixtures.airflow import use_database
from tests.fixtures.postgres import LeadsDatabase

WINDOW = {"first": day.latest_whole_day(), "last": day.latest_whole_day(), "dag_run_id": "test"}
ATTRIBUTE, COUNT = "lead_stats/update_leads.sql", "lead_stats/create_counted_leads.sql"
STATS = "lead_stats/upsert_lead_generation_stats.sql"
PARTNERS = "lead_stats/upsert_channel_metrics_partner_capacity.sql"


@pytest.fixture
def db(leads_db: LeadsDatabase) -> Iterator[LeadsDatabase]:
    with pytest.MonkeyPatch.context() as patch:
        use_database(patch, leads_db)
        yield leads_db


def error_of(statement: LiteralString, values: Any = None, run: Callable[..., Any] | None = None) -> Failed | None:
    with database.connect() as connection, pytest.raises(psycopg.Error) as caught:
        run(connection, statement, values) if run else connection.execute(statement, values)
    return failed(caught.value)


@pytest.mark.parametrize(
    ("renamed", "statement", "found"),
    [
        ("leads rename column region to area", ATTRIBUTE, Failed(ATTRIBUTE, "sources/leads.sql", "leads")),
        ("leads rename column status to state", COUNT, Failed(COUNT, "sources/leads.sql", "leads")),
        (
            "partner_capacity rename column daily_leads to leads",
            PARTNERS,
            Failed(PARTNERS, "sources/partner_capacity.sql", "partner_capacity"),
        ),
        ("partners rename to companies", PARTNERS, Failed(PARTNERS, "sources/partner_capacity.sql", "partners")),
        ("lead_segments rename column branch to trade", ATTRIBUTE, Failed(ATTRIBUTE, "", "lead_segments")),
        ("channel_metrics rename to metrics", PARTNERS, Failed(PARTNERS, "", "channel_metrics")),
    ],
)
def test_what_was_renamed_names_the_adapter_if_it_is_read_there_and_the_file_and_table_always(
    db: LeadsDatabase, renamed: str, statement: str, found: Failed
) -> None:
    db.fetch(f"alter table {renamed}")
    assert error_of(sql.render(statement), WINDOW) == found


def test_a_right_that_is_missing_names_the_file_and_the_table(db: LeadsDatabase) -> None:
    db.fetch("revoke insert on lead_generation_stats from lead_pipeline")
    assert error_of(sql.render(STATS), WINDOW) == Failed(STATS, "", "lead_generation_stats")


def test_a_statement_that_waits_too_long_names_the_table_that_it_writes(db: LeadsDatabase) -> None:
    with db.connect() as owner, owner.transaction():
        owner.execute("lock table lead_generation_stats in access exclusive mode")

        def impatient(connection: Any, statement: Any, values: Any) -> None:
            connection.execute("select 1")
            connection.execute("set local lock_timeout = 50")
            connection.execute(statement, values)

        name = "lead_stats/upsert_lead_generation_stats.sql"
        assert error_of(sql.render(name), WINDOW, impatient) == Failed(name, "", "lead_generation_stats")


def test_a_statement_that_is_read_by_copy_is_named_too(db: LeadsDatabase) -> None:
    db.fetch("alter table lead_generation_stats rename column leads_generated to leads")
    name = "lead_budgets/select_history.sql"
    values = {"first": day.latest_whole_day(), "last": day.latest_whole_day(), "channel": "google_ads", "days": 7}
    values |= {"segments": [], "today": day.today()}
    assert error_of(sql.render(name), values, sql.read_numbers) == Failed(name, "", "lead_generation_stats")


def test_a_statement_of_no_file_is_not_given_one(db: LeadsDatabase) -> None:
    assert error_of("select * from nowhere") is None
