"""Checks of the statistics: what a broken rule says, keeps and stops."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from airflow.sdk import DAG

from lead_demand.database import sql
from lead_demand.errors import CheckFailed
from lead_demand.runs import day
from lead_demand.runs.checks import CheckOperator
from tests.fixtures.airflow import use_database
from tests.fixtures.postgres import LeadsDatabase

CHECKS = sorted(path.name for path in Path(sql.SQL_FOLDER / "lead_stats").glob("check_*.sql"))
HOLDS, BROKEN = "select true as ok, 'nothing' as detail", "select false as ok, '3 of 4 rows are odd.' as detail"


@pytest.fixture
def database(leads_db: LeadsDatabase) -> Iterator[LeadsDatabase]:
    with pytest.MonkeyPatch.context() as patch:
        use_database(patch, leads_db)
        yield leads_db


def check(statement: str, **options: Any) -> None:
    """One check of a run of yesterday, as Airflow executes it once the statement is rendered."""
    with DAG("checked", schedule=None) as dag:
        operator = CheckOperator(
            task_id="check_oddness",
            sql=statement,
            rule="no row is odd.",
            remediation="Make the rows even.",
            **options,
        )
    now = datetime.now(UTC)
    run = SimpleNamespace(
        run_type="manual", run_after=datetime.now(day.AMSTERDAM), start_date=now, conf={}, run_id="test"
    )
    context: Any = {"dag": dag, "dag_run": run}
    operator.execute(context)


def kept(database: LeadsDatabase) -> list[tuple[Any, ...]]:
    rows = database.fetch(
        "select level, detail, remediation, resolved_at is null as is_open from pipeline_findings "
        "where name = 'check_oddness' and date = lead_today() - 1"
    )
    return [(row["level"], row["detail"], row["remediation"], row["is_open"]) for row in rows]


def test_a_broken_rule_stops_the_day_and_says_what_breaks_it_and_what_to_do(database: LeadsDatabase) -> None:
    with pytest.raises(CheckFailed) as failed:
        check(BROKEN)
    detail = f"{day.latest_whole_day()} breaks the rule: no row is odd. 3 of 4 rows are odd."
    assert failed.value.facts.happened == f"check_oddness: {detail}"
    assert failed.value.facts.todo == "Make the rows even."
    assert kept(database) == [("stop", detail, "Make the rows even.", True)]


def test_a_rule_that_holds_again_closes_its_finding(database: LeadsDatabase) -> None:
    with pytest.raises(CheckFailed):
        check(BROKEN)
    check(HOLDS)
    assert [is_open for *_, is_open in kept(database)] == [False]


def test_a_warning_is_kept_and_lets_the_day_go_on(database: LeadsDatabase) -> None:
    check(BROKEN, severity="warn")
    assert [(level, is_open) for level, *_, is_open in kept(database)] == [("warn", True)]


def test_a_rule_of_which_nothing_is_known_is_broken(database: LeadsDatabase) -> None:
    with pytest.raises(CheckFailed, match="no figures"):
        check("select null::boolean as ok, 'There are no figures.' as detail")


def test_rows_that_say_what_to_do_are_believed(database: LeadsDatabase) -> None:
    with pytest.raises(CheckFailed) as failed:
        check(f"{BROKEN}, 'Repair row 7.' as remediation")
    assert failed.value.facts.todo == "Repair row 7."
    assert kept(database)[0][2] == "Repair row 7."


@pytest.mark.parametrize("name", CHECKS)
def test_each_check_says_whether_its_rule_holds_and_what_breaks_it(database: LeadsDatabase, name: str) -> None:
    yesterday = day.latest_whole_day()
    with psycopg.connect(database.pipeline_url) as connection:
        values = {"first": yesterday, "last": yesterday, "since": datetime.now(UTC)}
        (row,) = sql.read_rows(connection, sql.render(f"lead_stats/{name}"), values)
    assert {"ok", "detail"} <= set(row) <= {"ok", "detail", "remediation"}
    assert row["ok"] is True, "an empty database breaks no rule"


def test_the_rows_that_break_a_rule_are_named(database: LeadsDatabase) -> None:
    segment = database.add_segment()
    database.fetch(
        "alter table lead_generation_stats drop constraint lead_generation_stats_leads_check, "
        "drop constraint lead_generation_stats_leads_sum_check"
    )
    yesterday = day.latest_whole_day()
    says = {
        "check_every_segment_has_a_row": f"1 active segment(s) have no row of {yesterday}, such as schilder_utrecht.",
        "check_counts": "1 row(s) of lead_generation_stats have a negative count, such as schilder_utrecht on "
        f"{yesterday}.",
        "check_leads_add_up": "1 row(s) of lead_generation_stats do not add up, such as schilder_utrecht on "
        f"{yesterday} (-1 accepted + 0 rejected + unknown pending, 4 generated).",
    }
    for name, said in says.items():
        with pytest.raises(CheckFailed) as failed:
            check(sql.render(f"lead_stats/{name}.sql"))
        assert failed.value.facts.happened.endswith(f"no row is odd. {said}")
        database.fetch(
            "insert into lead_generation_stats (segment_id, date, leads_generated, leads_accepted, leads_rejected, "
            "leads_pending) values (%s, lead_today() - 1, 4, -1, 0, null) on conflict do nothing",
            [segment],
        )
