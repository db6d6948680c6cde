"""`lead_backtest` in Airflow: reads the past, keeps its report, and touches nothing else."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest

from lead_demand import database
from lead_demand.backtest.run import main
from lead_demand.ui import answers
from tests.fixtures.morning import Morning

REPORT = ("backtest_results", "backtest_differences")


@pytest.fixture
def with_capacity(morning: Morning) -> Morning:
    """A morning whose past days have their capacity too, as after some months of running."""
    morning.db.fetch(
        "update lead_generation_stats as stats set capacity_total_leads = known.capacity_total_leads from "
        "lead_generation_stats as known where known.segment_id = stats.segment_id and known.date = lead_today() - 1 "
        "and stats.capacity_total_leads is null"
    )
    return morning


def replay(morning: Morning, **form: Any) -> str:
    """The state of a run with this form; what is not in it is empty, whatever the run before was given."""
    fields = dict.fromkeys(("forecast", "max_increase_pct", "max_decrease_pct"))
    return morning.run("lead_backtest", conf=fields | form).state


def everything_else(morning: Morning) -> dict[str, Any]:
    """How many rows each table has, and what of it was ever written."""
    tables = morning.db.fetch(
        "select relname, n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables where schemaname = 'public'"
    )
    return {row.pop("relname"): row for row in tables if row["relname"] not in REPORT}


def rows(morning: Morning, table: str) -> list[dict[str, Any]]:
    return morning.db.fetch(f"select * from {table} order by replayed_at, segment_id")


def test_larger_steps_are_tried_beside_todays_and_nothing_but_the_report_is_written(
    with_capacity: Morning, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="lead_demand")
    morning, live = with_capacity, with_capacity.sandbox.budgets()
    before = everything_else(morning)
    assert replay(morning, max_increase_pct=50, max_decrease_pct=50) == "success"
    morning.db.fetch("select pg_stat_force_next_flush()")
    assert everything_else(morning) == before
    assert morning.sandbox.budgets() == live
    results = rows(morning, "backtest_results")
    assert {row["trial"] for row in results} == {"decided", "today", "changed"}
    assert {row["tried"] for row in results} == {None, "max_increase_pct 50, max_decrease_pct 50"}
    sums = {
        row["trial"]: row
        for row in morning.db.fetch(
            "select trial, sum(evaluations) as evaluations, sum(increases + decreases) as changes, sum(differing) as "
            "differing from backtest_results group by trial"
        )
    }
    assert sums["today"]["evaluations"] == sums["changed"]["evaluations"] > 100
    assert sums["decided"]["changes"] == 0 < sums["today"]["changes"]
    assert len(rows(morning, "backtest_differences")) == sums["changed"]["differing"] > 0
    assert re.search(r"today's settings +max_increase_pct 50", caplog.text)


def test_the_page_says_what_the_table_of_the_log_says(with_capacity: Morning, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="lead_demand")
    assert replay(with_capacity, max_increase_pct=50, max_decrease_pct=50) == "success"
    with database.connect() as connection:
        (told,) = json.loads(answers.health(connection))["backtests"]
    trials = told["trials"]
    assert [trial.pop("trial") for trial in trials] == ["decided", "today", "changed"]
    printed = [line for line in caplog.text.splitlines() if re.search(r"( {2,}(-?[\d,.]+|—|–|-)){3}$", line)]
    figures = [re.split(r" {2,}", line.strip())[-3:] for line in printed]
    assert len(figures) == len(trials[0])
    for place, figure in enumerate(trials[0]):
        for text, trial in zip(figures[place], trials, strict=True):
            near = 0.5 if (trial[figure] or 0) >= 1000 else 0.011  # a large figure is printed without its cents
            assert _number(text) == pytest.approx(trial[figure], abs=near), (figure, text)


def _number(printed: str) -> float | None:
    """A figure of the table; None where there is none."""
    return float(printed.replace(",", "")) if any(sign.isdigit() for sign in printed) else None


def test_each_run_adds_a_report_and_an_unknown_forecast_adds_none(
    with_capacity: Morning, caplog: pytest.LogCaptureFixture
) -> None:
    morning = with_capacity
    assert replay(morning, forecast="last_28_days") == "success"
    first = rows(morning, "backtest_results")
    assert replay(morning, forecast="tea leaves") == "failed"
    assert "What to do: Choose one of rates, last_28_days" in caplog.text
    assert rows(morning, "backtest_results") == first
    assert replay(morning) == "success"
    assert {row["trial"] for row in rows(morning, "backtest_results")[len(first) :]} == {"decided", "today"}


def test_on_the_command_line_a_past_without_statistics_says_what_to_do(
    morning: Morning, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--from", "2020-01-01", "--to", "2020-02-01"]) == 1
    told = capsys.readouterr().err
    assert "No morning from 2020-01-01 to 2020-02-01" in told and "lead_stats" in told
    assert main(["--from", "2026-02-01", "--to", "2026-01-01"]) == 1
    assert "lies after the last one" in capsys.readouterr().err
    for wrong in ("max_decrease_pct=200", "dead_band=nan", "total_daily_cap=-5", "min_daily_budget=999999", "budget=5"):
        assert main([wrong]) == 1, wrong
        assert "No budget was read or changed" in capsys.readouterr().err
    morning.set(total_daily_cap=None)
    assert main([]) == 1
    assert "orchestration_settings has no total_daily_cap" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["max_increase_pct=lots"])
    assert "name=number" in capsys.readouterr().err
