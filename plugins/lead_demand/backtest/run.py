"""A backtest from the database and back: reads the past, replays it, keeps the report and tells it in a table.

python -m lead_demand.backtest.run [--from DAY] [--to DAY] [--forecast NAME] [max_increase_pct=50 …]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from lead_demand import database, text
from lead_demand.backtest.recorded import Recorded
from lead_demand.backtest.replay import replay
from lead_demand.backtest.trials import CHANGED, DECIDED, TODAY, Replay, Trial
from lead_demand.database import sql
from lead_demand.database.settings import read_switches
from lead_demand.errors import NothingToReplay
from lead_demand.planner.forecasts import FORECASTS
from lead_demand.planner.limits import LIMITS
from lead_demand.planner.settings import PlannerSettings
from lead_demand.planner.week import public_holidays
from lead_demand.runs import day

if TYPE_CHECKING:
    import psycopg

#: What may be tried, and from what to what: limits of every segment, and settings of the planner.
BOUNDS = dict.fromkeys(LIMITS, (0, 1_000_000)) | {
    "max_increase_pct": (0, 1000),
    "max_decrease_pct": (0, 100),
    "cooldown_days": (0, 365),
    "total_daily_cap": (0, 1_000_000_000),
    "max_daily_increase": (0, 1_000_000_000),
    "dead_band": (0, 1),
    "significance": (0, 10),
    "follow_through": (0, 100),
}
SETTINGS = tuple(BOUNDS.keys() - {*LIMITS})
#: How many mornings are looked at unless somebody says otherwise, and how many differences are kept.
USUAL_DAYS, MOST_DIFFERENCES = 90, 1000


def run(
    channel: str,
    run_id: str,
    first: date | None = None,
    last: date | None = None,
    changes: Mapping[str, float] | None = None,
    forecast: str | None = None,
) -> str:
    """Replay the mornings from `first` to `last` with today's settings and, where something is to be tried, with
    `changes` (a limit of every segment or a setting of the planner → its value) or another forecast beside them.

    Keeps the report under `run_id` in `backtest_results` and `backtest_differences`, and returns it as a table. Nothing
    else is written. Raises NothingToReplay.
    """
    changes = dict(changes or {})
    _refuse_impossible(changes, forecast)
    last = min(last or day.latest_whole_day(), day.latest_whole_day())
    first = first or last - timedelta(days=USUAL_DAYS - 1)
    if first > last:
        raise NothingToReplay(f"The first morning, {first}, lies after the last one, {last}.")
    with database.connect() as connection:
        sql.join_whole_sets(connection)
        trials = _trials(connection, changes, forecast)
        values = {"channel": channel, "first": first - timedelta(days=PlannerSettings().window_days)}
        history = sql.read_numbers(connection, sql.render("lead_budgets/select_history.sql"), values)
        limits = sql.read_frame(connection, sql.render("lead_budgets/select_limits.sql"), {"channel": channel})
        _refuse_crossed(limits, changes)
        countries = sql.read_frame(connection, sql.render("lead_backtest/select_countries.sql"))["country"]
        holidays = public_holidays(countries, first - timedelta(days=PlannerSettings().window_days), last)
        trials = [replace(trial, settings=replace(trial.settings, holidays=holidays)) for trial in trials]
        found = replay(history, _mornings(connection, channel, first, last), limits, trials, first, last)
        if not found.results["evaluations"].any():
            raise NothingToReplay(
                f"No morning from {first} to {last} has all that a replay needs: {_left_out(found) or 'no statistics'}."
            )
        tried = _in_words(changes, forecast)
        _keep(connection, run_id, first, last, tried, found)
    return as_table(found, first, last, tried)


def _refuse_impossible(changes: Mapping[str, float], forecast: str | None) -> None:
    if forecast is not None and forecast not in FORECASTS:
        raise NothingToReplay(f"There is no forecast {forecast!r}.", todo=f"Choose one of {', '.join(FORECASTS)}.")
    if unknown := sorted(changes.keys() - BOUNDS.keys()):
        raise NothingToReplay(f"{', '.join(unknown)} cannot be tried.", todo=f"Try one of {', '.join(BOUNDS)}.")
    for name, value in changes.items():
        low, high = BOUNDS[name]
        if not low <= float(value) <= high:
            raise NothingToReplay(f"{name} {value} lies outside {low} to {high}.", todo="Try a value within.")


def _refuse_crossed(limits: pd.DataFrame, changes: Mapping[str, float]) -> None:
    """A floor above a cap would hold every morning, and look like a calm planner."""
    floor, cap = (
        pd.to_numeric(limits[name]) if name not in changes else pd.Series(float(changes[name]), index=limits.index)
        for name in ("min_daily_budget", "max_daily_budget")
    )
    if (crossed := int((floor > cap).sum())) and {"min_daily_budget", "max_daily_budget"} & changes.keys():
        raise NothingToReplay(
            f"With what is tried, the floor of {crossed} segments lies above their cap.",
            todo="Try a floor and a cap that go together.",
        )


def _trials(connection: psycopg.Connection[Any], changes: Mapping[str, float], forecast: str | None) -> list[Trial]:
    """Today's settings, and the changed ones where something is changed. A month's budget is no part of a replay."""
    switches = read_switches(connection)
    if not switches.is_complete:
        raise NothingToReplay(
            "What bounds all budgets together is not known: orchestration_settings "
            + (
                f"has no {', no '.join(switches.missing)}."
                if switches.missing
                else f"cannot be read ({switches.error})."
            ),
            todo="Fill in or repair the row of orchestration_settings.",
        )
    now = PlannerSettings(
        total_daily_cap=switches.total_daily_cap,
        max_daily_increase=switches.max_daily_increase,
        approval_threshold=switches.approval_threshold,
    )
    if not changes and not forecast:
        return [Trial(TODAY, now)]
    settings: dict[str, Any] = {name: _of_planner(name, changes[name]) for name in SETTINGS if name in changes}
    limits = {name: Decimal(str(changes[name])) for name in LIMITS if name in changes}
    changed = replace(now, **settings)
    if forecast:
        # Both forecasts from the same days: one of them as known then would be at a disadvantage.
        return [
            Trial(TODAY, now, estimator=FORECASTS["rates"]),
            Trial(CHANGED, changed, limits, estimator=FORECASTS[forecast]),
        ]
    return [Trial(TODAY, now), Trial(CHANGED, changed, limits)]


def _of_planner(name: str, value: float) -> Decimal | float:
    is_money = name in ("total_daily_cap", "max_daily_increase")
    return Decimal(str(value)) if is_money else float(value)


def _mornings(
    connection: psycopg.Connection[Any], channel: str, first: date, last: date
) -> Iterator[tuple[date, list[Recorded]]]:
    """The recorded rows of each morning, read one morning at a time: a year of 10,000 segments is too much at once."""
    statement = sql.render("lead_backtest/select_morning.sql")
    for ago in range((last - first).days, -1, -1):
        morning = last - timedelta(days=ago)
        rows = sql.read_rows(connection, statement, {"channel": channel, "morning": morning})
        yield morning, cast("list[Recorded]", rows)


def _in_words(changes: Mapping[str, float], forecast: str | None) -> str:
    """What is tried, in words; empty where nothing is."""
    words = [f"{name} {Decimal(str(value)).normalize():f}" for name, value in changes.items()]
    return ", ".join([*words, *([f"forecast {forecast}"] if forecast else [])])


def _keep(connection: psycopg.Connection[Any], run_id: str, first: date, last: date, tried: str, found: Replay) -> None:
    differences = found.differences
    if len(differences):
        apart = (differences["changed_budget"] - differences["today_budget"]).abs().astype(float)
        differences = differences.loc[apart.sort_values(ascending=False, kind="stable").index[:MOST_DIFFERENCES]]
    values = {"dag_run_id": run_id, "first": first, "last": last, "tried": tried}
    rows = {"results": _json(found.results), "differences": _json(differences)}
    for table in rows:
        connection.execute(sql.render(f"lead_backtest/insert_backtest_{table}.sql"), values | rows)


def _json(frame: pd.DataFrame) -> str:
    """As a list of objects: what is not known is null, an amount keeps its decimals."""
    plain = frame.astype(object).where(frame.notna(), None)
    return json.dumps(plain.to_dict("records"), default=str)


def as_table(found: Replay, first: date, last: date, tried: str) -> str:
    """The replay as a table for people, and in a sentence what it rests on."""
    sums = found.results.drop(columns=["segment_id"]).groupby("trial").sum(numeric_only=True)
    heads = {DECIDED: "as decided", TODAY: "today's settings", CHANGED: tried}
    of = sums.loc[[name for name in heads if name in sums.index]]
    segments = found.results.loc[found.results["evaluations"] > 0, "segment_id"].nunique()
    evaluations = of["evaluations"]
    rows = {
        "changes per segment and 30 days": (of["increases"] + of["decreases"]) / evaluations * 30,
        "expected leads per segment and day": of["leads"] / evaluations,
        "of them wanted by partners": of["wanted"] / evaluations,
        "share of the target filled, %": 100 * of["wanted"] / of["target"],
        "spend per segment and day, EUR": of["spend"] / evaluations,
        "EUR per wanted lead": of["spend"] / of["wanted"].where(of["wanted"] > 0),
        "decisions unlike the column to the left": of["differing"].where(of.index != DECIDED).astype("Int64"),
        "weeks that came as forecast, % (80 is right)": 100 * of["held"] / of["judged"].where(of["judged"] > 0),
        "forecast missed by, leads per day": of["missed_by"] / of["judged"].where(of["judged"] > 0),
    }
    columns = ["", *(heads[name] for name in of.index)]
    table = text.table(columns, [[label, *map(_figure, values)] for label, values in rows.items()])
    kept, all_of_them = int(of["kept"].iloc[0]), int(evaluations.iloc[0])
    return (
        f"{first} to {last}: {all_of_them} evaluations of {segments} segments, {kept} of them as they were known then"
        + (f" and {all_of_them - kept} estimated again from what is known now" if kept < all_of_them else "")
        + (f"; left out: {left_out}" if (left_out := _left_out(found)) else "")
        + ".\n\n"
        + "\n".join(table)
    )


def _left_out(found: Replay) -> str:
    return ", ".join(f"{count} for {code}" for code, count in found.left_out.items())


def _figure(value: float | np.integer[Any] | None) -> Decimal | None:
    """A figure of the report, a whole number or not; None where it is missing."""
    if pd.isna(value):
        return None
    return Decimal(f"{value:.0f}" if isinstance(value, int | np.integer) or abs(value) >= 1000 else f"{value:.2f}")


def _change(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: what is tried is written as name=number") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line, on the database of the connection `leads_db`."""
    from lead_demand.channels.registry import STEERED

    parser = argparse.ArgumentParser(prog="make backtest", description="Past mornings with other settings.")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, help=f"default: {USUAL_DAYS} mornings")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, help="default: yesterday")
    parser.add_argument("--forecast", choices=list(FORECASTS), help="another one than ours")
    parser.add_argument("changes", nargs="*", type=_change, help=f"name=number; of {', '.join([*LIMITS, *SETTINGS])}")
    asked = parser.parse_args(arguments)
    run_id = f"make backtest {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    try:
        print(run(STEERED, run_id, asked.first, asked.last, dict(asked.changes), asked.forecast))
    except NothingToReplay as error:
        print(f"{error} {error.facts.unchanged} {error.facts.todo}", file=sys.stderr)
        return 1
    print(f"\nKept as {run_id!r} in backtest_results and backtest_differences.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
