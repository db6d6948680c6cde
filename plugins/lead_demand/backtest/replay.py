"""The planner over past mornings of the company's own history, with today's settings and with others.

Each morning that was decided is replayed from what was known then: the estimate, the capacity and whatever held a
segment are kept with the decision. A morning before the first decision is estimated again from its days as they are
known now, when late verdicts are no longer missing; the report says how many mornings these are.

A budget carries over from morning to morning as the replayed settings left it, until a person changes the real one.
What it brings is what that morning's estimate says, so a replay compares settings by the planner's own model of the
market. How reliable that model is, is reported beside it: how often the forecasts held against the leads that came.

It reads frames and returns frames. `run` reads the database and writes nothing but the report.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lead_demand.backtest.recorded import Given, Recorded, as_decimal, given, kept_estimate
from lead_demand.backtest.tally import WEEK, Tally
from lead_demand.backtest.trials import Replay, Trial
from lead_demand.planner.arrays import Bools, Dates, Floats, Integers, Money, is_none
from lead_demand.planner.estimate import Estimate
from lead_demand.planner.inputs import MICROS, as_euros, decimal, micros, read_segments
from lead_demand.planner.limits import LIMITS, step_of_limited
from lead_demand.planner.planner import LeadDemandPlanner, Morning


def replay(
    history: pd.DataFrame,
    mornings: Iterable[tuple[dt.date, list[Recorded]]],
    limits: pd.DataFrame,
    trials: Sequence[Trial],
    first: dt.date,
    last: dt.date,
) -> Replay:
    """Replay the mornings from `first` to `last` with each trial: `today`, and perhaps `changed`.

    `history`: the planner's, from the window of the first morning on.
    `mornings`: by date, the rows of lead_backtest/select_morning.sql; a day without rows is left out.
    `limits`: one row per segment_id with the limits as they are now.
    """
    replaying = _Replaying(history, limits, trials, np.datetime64(first, "D"), np.datetime64(last, "D"))
    for morning, rows in mornings:
        if rows:
            replaying.play(morning, rows)
    return replaying.tally.outcome()


class _Path:
    """The budgets that one trial leaves."""

    def __init__(self, segments: int, days: int) -> None:
        self.now = np.full(segments, None, dtype=object)
        self.budgets = np.full((segments, days), None, dtype=object)  # after each morning's decision
        self.last_change = np.full(segments, np.datetime64("NaT"), dtype="datetime64[D]")
        self.begun = np.zeros(segments, dtype=bool)

    def begin(self, of: Integers, found: Money, last_change: Dates, moved: Bools) -> Money:
        """This morning's budgets: what the trial left, or what was found where it left none or a person moved it."""
        new = ~self.begun[of]
        self.last_change[of[new]] = last_change[new]
        self.begun[of] = True
        self.now[of] = np.where(~is_none(found) & (is_none(self.now[of]) | moved), found, self.now[of])
        return self.now[of]

    def end(self, of: Integers, new: Money, changed: Bools, column: int, day: np.datetime64) -> None:
        """Keep what was decided, until the next morning that has a decision."""
        self.now[of] = np.where(is_none(new), self.now[of], new)
        self.last_change[of[changed]] = day
        self.budgets[:, column:] = self.now[:, None]


class _Replaying:
    """Goes through the mornings; rows of its arrays are the segments in the order of `ids`, columns the days."""

    def __init__(
        self,
        history: pd.DataFrame,
        limits: pd.DataFrame,
        trials: Sequence[Trial],
        first: np.datetime64,
        last: np.datetime64,
    ) -> None:
        self.history = history.sort_values("date", kind="stable")
        self.dates = self.history["date"].to_numpy().astype("datetime64[D]")
        self.limits, self.trials, self.first = limits.set_index("segment_id"), trials, first
        self.planners = {trial.name: LeadDemandPlanner(trial.settings, trial.estimator) for trial in trials}
        self.ids = pd.Index(sorted({*self.history["segment_id"].astype(str), *self.limits.index}))
        days = int((last - first).astype(int)) + 1
        self.paths = {trial.name: _Path(len(self.ids), days) for trial in trials}
        leads = self._grid("leads_generated", first, days + WEEK - 1)
        # The first column is the day before the first morning.
        self.in_force = self._grid("google_ads_budget", first - np.timedelta64(1, "D"), days + WEEK)
        self.tally = Tally(trials, self.ids, leads, self.in_force)
        self.recorded: dict[int, set[int | None]] = {}  # the last morning's budget, found and decided

    def _grid(self, column: str, first: np.datetime64, days: int) -> Floats:
        """A column of the history, shape (segments, days)."""
        at = (self.dates - first).astype(int)
        inside = (at >= 0) & (at < days)
        grid = np.full((len(self.ids), days), np.nan)
        of = self.ids.get_indexer(self.history["segment_id"][inside].astype(str))
        grid[of, at[inside]] = self.history[column].to_numpy(dtype=float)[inside]
        return grid

    def play(self, morning: dt.date, rows: Sequence[Recorded]) -> None:
        """Decide one morning with every trial."""
        day = np.datetime64(morning, "D")
        column = int((day - self.first).astype(int))
        of = self.ids.get_indexer([row["segment_id"] for row in rows])
        found = np.array(
            [
                micros(row["old_budget"]) if row["inputs"] is not None else _micros(budget)
                for row, budget in zip(rows, self.in_force[of, column], strict=True)
            ],
            dtype=object,
        )
        moved = self._moved(rows, of, found)
        of_planner = [given(row, budget) for row, budget in zip(rows, found, strict=True)]
        last_change = np.array([segment["last_change_date"] for segment in of_planner], dtype="datetime64[D]")
        told: dict[str, pd.DataFrame] = {}
        estimated: dict[int, tuple[Morning, Estimate]] = {}  # by estimator: it does not ask for the budgets
        for trial in self.trials:
            planner, path = self.planners[trial.name], self.paths[trial.name]
            current = path.begin(of, found, last_change, moved)
            segments = self._segments(of_planner, trial, current, path.last_change[of])
            if id(trial.estimator) not in estimated:
                estimated[id(trial.estimator)] = self._estimate(planner, trial, segments, rows, morning)
            read, rates = estimated[id(trial.estimator)]
            decided = planner.decide(self._with_path(read, rates, segments, path, found, day), rates)
            told[trial.name] = decided
            new = np.array([micros(amount) for amount in decided["new_budget"]], dtype=object)
            path.end(of, new, (decided["action"] != "hold").to_numpy(), column, day)
            self.tally.judge(trial.name, decided, of, planner.truly_limited(read.known, rates), rates, column)
        read, rates = estimated[id(self.trials[0].estimator)]
        known = self.planners[self.trials[0].name].truly_limited(read.known, rates)
        self.tally.count(told, rows, of, known, rates, column)
        self.tally.compare(told, rows, morning)

    def _moved(self, rows: Sequence[Recorded], of: Integers, found: Money) -> Bools:
        """Where the budget is neither what the morning before found nor what it decided: somebody moved, stopped or
        started it, and every trial goes on from there.
        """
        moved = np.zeros(len(rows), dtype=bool)
        for index, (row, amount) in enumerate(zip(rows, found, strict=True)):
            before = self.recorded.get(of[index])
            moved[index] = before is not None and amount is not None and amount not in before
            if amount is not None:
                self.recorded[of[index]] = {amount, micros(row["new_budget"])}
        return moved

    def _segments(self, segments: Sequence[Given], trial: Trial, current: Money, changed: Dates) -> pd.DataFrame:
        """The planner's segments: what was given, with the budgets and limits of the trial."""
        limits = self.limits.reindex([segment["segment_id"] for segment in segments])
        frame = pd.DataFrame(segments, dtype=object)
        frame["current_budget"] = pd.Series([decimal(amount) for amount in current], dtype=object)
        for name in LIMITS:
            values: list[Any] = [trial.limits[name]] * len(frame) if name in trial.limits else limits[name].tolist()
            frame[name] = pd.Series([None if pd.isna(value) else value for value in values], dtype=object)
        columns = ("max_increase_pct", "budget_limited", "limited_budget", "old_budget")
        steps = zip(*(frame[column] for column in columns), strict=True)
        frame["max_increase_pct"] = pd.Series(
            [step_of_limited(as_decimal(step), *rest) for step, *rest in steps], dtype=object
        )
        frame["last_change_date"] = pd.Series(changed)
        return frame

    def _estimate(
        self,
        planner: LeadDemandPlanner,
        trial: Trial,
        segments: pd.DataFrame,
        rows: Sequence[Recorded],
        morning: dt.date,
    ) -> tuple[Morning, Estimate]:
        today = np.datetime64(morning, "D")
        begin, end = np.searchsorted(self.dates, [today - planner.settings.window_days, today])
        read = planner.read(self.history.iloc[begin:end], segments, morning)
        rates = planner.estimate(read)
        if trial.estimator is None:
            kept = {row["segment_id"]: kept_estimate(row) for row in rows}
            rates = rates.with_kept([kept[segment_id] for segment_id in read.known.ids])
        return read, rates

    def _with_path(
        self,
        read: Morning,
        rates: Estimate,
        segments: pd.DataFrame,
        path: _Path,
        found: Money,
        day: np.datetime64,
    ) -> Morning:
        """What was read, with the budgets of the trial's own past.

        What Google says of a budget is about the real one: a lower one may be limited where that was not, and how many
        searches another one misses is not known.
        """
        known = read_segments(segments, day)
        of = self.ids.get_indexer(known.ids)
        real = dict(zip(self.ids.get_indexer(segments["segment_id"]), found, strict=True))
        other = np.array([amount != real[index] for amount, index in zip(known.current, of, strict=True)], dtype=bool)
        spends_all = as_euros(known.current) < rates.recent_spend
        known = replace(
            known,
            capacity=read.known.capacity,
            absent_week=read.known.absent_week,
            budget_limited=np.where(other & spends_all & (known.budget_limited == 0), 1.0, known.budget_limited),
            lost_share=np.where(other, np.nan, known.lost_share),
        )
        at = (read.days.dates - self.first).astype(int)
        own = at >= 0
        budgets = read.days["google_ads_budget"].copy()
        past = path.budgets[np.ix_(of, at[own])]
        budgets[:, own] = as_euros(past)
        return replace(
            read, known=known, days=replace(read.days, values={**read.days.values, "google_ads_budget": budgets})
        )


def _micros(euros: float) -> int | None:
    return None if np.isnan(euros) else round(euros * MICROS)
