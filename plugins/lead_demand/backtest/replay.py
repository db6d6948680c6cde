"""The company's own history as the judge: the planner over past mornings, with today's settings and with others.

Each morning that was decided is replayed from what was known then: the estimate, the capacity and whatever held a
segment are kept with the decision. A morning before the first decision is estimated again from its days as they are
known now, in which late verdicts are no longer late; how many these are is said.

A budget goes on from morning to morning as the replayed settings left it, until a person moves the real one, and what
it brings is what that morning's estimate says, so a replay compares settings by the planner's own picture of the
market. How far that picture can be believed is told beside it: how often the forecasts held of what really came.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from lead_demand.planner.arrays import is_none
from lead_demand.planner.estimate import KEPT, Estimate, Estimator
from lead_demand.planner.gap import spend_at
from lead_demand.planner.inputs import MICROS, Segments, as_euros, decimal, micros, read_segments
from lead_demand.planner.limits import LIMITS, step_of_limited
from lead_demand.planner.planner import LeadDemandPlanner, Morning
from lead_demand.planner.reasons import Reason, reason_of
from lead_demand.planner.settings import PlannerSettings

#: What was decided, what today's settings would decide, and what the changed ones would.
DECIDED, TODAY, CHANGED = "decided", "today", "changed"
#: The days that a forecast is about, and the standard deviations either way that hold 80%.
WEEK, HALF = 7, 1.2816
#: Of a recorded decision, what the planner was given besides the limits, which a replay sets itself.
CAPACITY = ("capacity_total_leads", "capacity_absent_leads", "capacity_absent_week", "capacity_absent_until")
RECORDED = (*CAPACITY, "target_override", "budget_limited", "limited_budget", "budget_lost_share", "last_change_date")
#: What a person had switched off or not set yet is no reason to hold in a replay: it asks what would have been decided.
SET_BY_PEOPLE = (
    Reason.AUTOMATION_OFF,
    Reason.KILL_SWITCH,
    Reason.SETTINGS_MISSING,
    Reason.MISSING_LIMITS,
    Reason.INVALID_LIMITS,
)
INTEGERS = ["evaluations", "kept", "increases", "decreases", "differing", "judged", "held"]
COUNTS = (*INTEGERS, "leads", "wanted", "target", "spend", "missed_by")


@dataclass(frozen=True)
class Trial:
    """Settings to replay the past with. `limits`: a column of the planner's segments → its value for every segment."""

    name: str
    settings: PlannerSettings
    limits: Mapping[str, Any] = field(default_factory=dict)
    estimator: Estimator | None = None  # None = what was kept, and else ours; another one sees the days as known now


@dataclass(frozen=True)
class Replay:
    """What came of it.

    `results`: one row per (trial, segment_id): evaluations (mornings with an estimate), kept (of them as known then),
    increases, decreases, differing (of `today` from `decided`, of `changed` from `today`);
    sums over the evaluations: leads, wanted (those of them within the target), target, spend (EUR); first_budget,
    last_budget (EUR); judged (weeks at one budget that are over), held (of them within the 80% interval), missed_by
    (sum of |came − promised|, leads per day).
    `differences`: one row per (segment_id, date) on which `changed` decides otherwise than `today`: the action and the
    budget of both, and what was decided.
    `left_out`: evaluations of which something is not known, by the first reason code, the most frequent first.
    """

    results: pd.DataFrame
    differences: pd.DataFrame
    left_out: dict[str, int]


def replay(
    history: pd.DataFrame,
    mornings: Iterable[tuple[dt.date, list[dict[str, Any]]]],
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
    return replaying.outcome()


class _Path:
    """The budgets in micros that one trial leaves: object arrays, None = not known."""

    def __init__(self, segments: int, days: int) -> None:
        self.now = np.full(segments, None, dtype=object)
        self.budgets = np.full((segments, days), None, dtype=object)  # after each morning's decision
        self.last_change = np.full(segments, np.datetime64("NaT"), dtype="datetime64[D]")
        self.begun = np.zeros(segments, dtype=bool)

    def begin(self, of: np.ndarray, found: np.ndarray, last_change: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """This morning's budgets: what the trial left, or what was found where it left none or a person moved it."""
        new = ~self.begun[of]
        self.last_change[of[new]] = last_change[new]
        self.begun[of] = True
        self.now[of] = np.where(~is_none(found) & (is_none(self.now[of]) | moved), found, self.now[of])
        return self.now[of]

    def end(self, of: np.ndarray, new: np.ndarray, changed: np.ndarray, column: int, day: np.datetime64) -> None:
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
        self.leads = self._grid("leads_generated", first, days + WEEK - 1)
        # The first column is the day before the first morning.
        self.in_force = self._grid("google_ads_budget", first - np.timedelta64(1, "D"), days + WEEK)
        self.sums = {name: {count: np.zeros(len(self.ids)) for count in COUNTS} for name in [DECIDED, *self.paths]}
        self.bounds = {name: np.full((2, len(self.ids)), np.nan) for name in self.sums}
        self.recorded: dict[int, set[int | None]] = {}  # the last morning's budget, found and decided
        self.left_out: Counter[str] = Counter()
        self.differences: list[pd.DataFrame] = []

    def _grid(self, column: str, first: np.datetime64, days: int) -> np.ndarray:
        """A column of the history, shape (segments, days)."""
        at = (self.dates - first).astype(int)
        inside = (at >= 0) & (at < days)
        grid = np.full((len(self.ids), days), np.nan)
        of = self.ids.get_indexer(self.history["segment_id"][inside].astype(str))
        grid[of, at[inside]] = self.history[column].to_numpy(dtype=float)[inside]
        return grid

    def play(self, morning: dt.date, rows: list[dict[str, Any]]) -> None:
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
        given = [_given(row, budget) for row, budget in zip(rows, found, strict=True)]
        last_change = np.array([row.pop("last_change_date") for row in given], dtype="datetime64[D]")
        told: dict[str, pd.DataFrame] = {}
        estimated: dict[int, tuple[Morning, Estimate]] = {}  # by estimator: it does not ask for the budgets
        for trial in self.trials:
            planner, path = self.planners[trial.name], self.paths[trial.name]
            current = path.begin(of, found, last_change, moved)
            segments = self._segments(given, trial, current, path.last_change[of])
            if id(trial.estimator) not in estimated:
                estimated[id(trial.estimator)] = self._estimate(planner, trial, segments, rows, morning)
            read, rates = estimated[id(trial.estimator)]
            decided = planner.decide(self._with_path(read, rates, segments, path, found, day), rates)
            told[trial.name] = decided
            new = np.array([micros(amount) for amount in decided["new_budget"]], dtype=object)
            path.end(of, new, (decided["action"] != "hold").to_numpy(), column, day)
            self._judge(trial.name, planner.truly_limited(read.known, rates), rates, decided, of, column)
        read, rates = estimated[id(self.trials[0].estimator)]
        known = self.planners[self.trials[0].name].truly_limited(read.known, rates)
        self._count(told, self._really(rows, known, rates, column), rows, of)
        self._compare(told, rows, morning)

    def _moved(self, rows: list[dict[str, Any]], of: np.ndarray, found: np.ndarray) -> np.ndarray:
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

    def _segments(
        self, given: list[dict[str, Any]], trial: Trial, current: np.ndarray, changed: np.ndarray
    ) -> pd.DataFrame:
        """The planner's segments: what was given, with the budgets and limits of the trial."""
        limits = self.limits.reindex([segment["segment_id"] for segment in given])
        frame = pd.DataFrame(given, dtype=object)
        frame["current_budget"] = pd.Series([decimal(amount) for amount in current], dtype=object)
        for name in LIMITS:
            values = [trial.limits[name]] * len(frame) if name in trial.limits else limits[name].tolist()
            frame[name] = pd.Series([None if pd.isna(value) else value for value in values], dtype=object)
        columns = ("max_increase_pct", "budget_limited", "limited_budget", "old_budget")
        steps = zip(*(frame[column] for column in columns), strict=True)
        frame["max_increase_pct"] = pd.Series(
            [step_of_limited(_decimal(step), *rest) for step, *rest in steps], dtype=object
        )
        frame["last_change_date"] = pd.Series(changed)
        return frame

    def _estimate(
        self,
        planner: LeadDemandPlanner,
        trial: Trial,
        segments: pd.DataFrame,
        rows: list[dict[str, Any]],
        morning: dt.date,
    ) -> tuple[Morning, Estimate]:
        today = np.datetime64(morning, "D")
        begin, end = np.searchsorted(self.dates, [today - planner.settings.window_days, today])
        read = planner.read(self.history.iloc[begin:end], segments, morning)
        rates = planner.estimate(read)
        if trial.estimator is None:
            kept = {row["segment_id"]: _kept(row) for row in rows}
            rates = rates.with_kept([kept[segment_id] for segment_id in read.known.ids])
        return read, rates

    def _with_path(
        self,
        read: Morning,
        rates: Estimate,
        segments: pd.DataFrame,
        path: _Path,
        found: np.ndarray,
        day: np.datetime64,
    ) -> Morning:
        """What was read, with the budgets of the trial's own past.

        What Google said of a budget it said of the real one: another may be limited where that was not, and how many
        searches another misses is not known.
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

    # What came of it

    def _really(
        self, rows: list[dict[str, Any]], known: Segments, rates: Estimate, column: int
    ) -> dict[str, np.ndarray]:
        """What was decided, and what the estimate says of the budget that was in force then, in the order of `rows`."""
        budget = self.in_force[self.ids.get_indexer(known.ids), column + 1]
        spend = spend_at(budget, known, rates)
        order = known.given_order
        in_force = budget[order]
        old = np.array([row["old_budget"] for row in rows], dtype=float)
        decided = np.array([row["action"] or "hold" for row in rows], dtype=object)
        return {
            "action": decided,
            # A dry run, a refusal or a no changed nothing.
            "made": np.where(in_force == old, "hold", decided),
            "new": np.array([row["new_budget"] for row in rows], dtype=float),
            "budget": in_force,
            "leads": rates.leads(spend)[order],
            "spend": spend[order],
        }

    def _count(
        self,
        told: dict[str, pd.DataFrame],
        really: dict[str, np.ndarray],
        rows: list[dict[str, Any]],
        of: np.ndarray,
    ) -> None:
        """Add up the segments of which everything is known, the same ones for each trial."""
        by_name = {
            name: {
                **_moves(frame),
                "made": frame["action"].to_numpy(),
                "budget": frame["new_budget"].astype(float).to_numpy(),
                "leads": frame["expected_after"].to_numpy(dtype=float),
                "spend": frame["spend_after"].to_numpy(dtype=float),
            }
            for name, frame in told.items()
        }
        by_name = {DECIDED: really, **by_name}
        today = told[self.trials[0].name]
        target = today["target_week"].to_numpy(dtype=float)
        kept = np.array([_kept(row) is not None for row in rows]) & (self.trials[0].estimator is None)
        whole = np.isfinite(target) & np.logical_and.reduce(
            [np.isfinite(found[column]) for found in by_name.values() for column in ("budget", "leads", "spend")]
        )
        self.left_out.update(str(codes[0]) if codes else "budget_unknown" for codes in today["reasons"][~whole])
        before = None
        for name, found in by_name.items():
            sums, at = self.sums[name], of[whole]
            differing = np.zeros(len(rows)) if before is None else _differ(before, found)
            before = found
            for count, values in {
                "evaluations": np.ones(len(rows)),
                "kept": kept,
                "increases": found["made"] == "increase",
                "decreases": found["made"] == "decrease",
                "differing": differing,
                "leads": found["leads"],
                "wanted": np.minimum(found["leads"], target),
                "target": target,
                "spend": found["spend"],
            }.items():
                sums[count][at] += values[whole].astype(float)
            first, last = self.bounds[name]
            first[at] = np.where(np.isnan(first[at]), found["budget"][whole], first[at])
            last[at] = found["budget"][whole]

    def _judge(
        self, name: str, known: Segments, rates: Estimate, told: pd.DataFrame, of: np.ndarray, column: int
    ) -> None:
        """Hold each forecast that was shown against the seven days that came, where the budget stayed what it was."""
        order = known.given_order
        budgets = self.in_force[of, column + 1 : column + 1 + WEEK]
        spend = spend_at(self.in_force[self.ids.get_indexer(known.ids), column + 1], known, rates)
        promised, variance = rates.leads(spend)[order], rates.leads_variance(spend)[order]
        came = self.leads[of, column : column + WEEK].mean(axis=1)
        shown = told["expected_week"].notna().to_numpy()
        over = shown & np.isfinite(came) & np.isfinite(promised) & (budgets == budgets[:, :1]).all(axis=1)
        # What is not known of the rates, and the chance of seven days.
        near = np.abs(came - promised) <= HALF * np.sqrt(variance + promised / WEEK)
        for count, values in {"judged": over, "held": over & near, "missed_by": np.abs(came - promised)}.items():
            self.sums[name][count][of] += np.where(over, values, 0)

    def _compare(self, told: dict[str, pd.DataFrame], rows: list[dict[str, Any]], morning: dt.date) -> None:
        if CHANGED not in told:
            return
        today, changed = told[TODAY], told[CHANGED]
        unlike = np.flatnonzero(_differ(_moves(today), _moves(changed)))
        self.differences.append(
            pd.DataFrame(
                {
                    "segment_id": [rows[row]["segment_id"] for row in unlike],
                    "date": morning,
                    "decided_action": [rows[row]["action"] for row in unlike],
                    "decided_budget": [rows[row]["new_budget"] for row in unlike],
                    "today_action": today["action"].iloc[unlike].to_numpy(),
                    "today_budget": today["new_budget"].iloc[unlike].to_numpy(),
                    "changed_action": changed["action"].iloc[unlike].to_numpy(),
                    "changed_budget": changed["new_budget"].iloc[unlike].to_numpy(),
                }
            )
        )

    def outcome(self) -> Replay:
        """All mornings together."""
        frames = [
            pd.DataFrame(
                {
                    "trial": name,
                    "segment_id": self.ids,
                    **sums,
                    "first_budget": self.bounds[name][0],
                    "last_budget": self.bounds[name][1],
                }
            )
            for name, sums in self.sums.items()
        ]
        results = pd.concat(frames, ignore_index=True)
        results[INTEGERS] = results[INTEGERS].astype(int)
        results = results[(results["evaluations"] > 0) | (results["judged"] > 0)]
        differences = pd.concat(self.differences, ignore_index=True) if self.differences else pd.DataFrame()
        return Replay(results.reset_index(drop=True), differences, dict(self.left_out.most_common()))


def _given(row: dict[str, Any], budget: int | None) -> dict[str, Any]:
    """One segment as the planner is given it, but for budgets and limits."""
    inputs = row["inputs"]
    if inputs is None:
        # Whether Google called it limited that day is not known; what it spent of its budget tells as well.
        known: dict[str, Any] = {name: row[name] for name in CAPACITY} | {"budget_limited": True}
        codes: list[str] = [] if budget is not None else [Reason.NO_CAMPAIGN]
    else:
        known = {name: inputs.get(name) for name in RECORDED}
        codes = [*inputs.get("blocks", ()), *(code for code in row["reasons"] if _blocks(code))]
    return {
        "segment_id": row["segment_id"],
        "code": row["code"],
        "country": row["country"],
        "branch": row["branch"],
        **dict.fromkeys(RECORDED),
        **known,
        "limited_budget": _decimal(known.get("limited_budget")),
        "old_budget": row["old_budget"],
        "blocks": [code for code in dict.fromkeys(codes) if code not in SET_BY_PEOPLE],
    }


def _kept(row: dict[str, Any]) -> dict[str, float] | None:
    """The estimate that was kept with a decision; None where there is none, or not all of one."""
    kept = (row["inputs"] or {}).get("estimate")
    return kept if kept and {*KEPT} <= kept.keys() else None


def _blocks(code: str) -> bool:
    reason = reason_of(code)
    return reason is None or reason.blocking


def _differ(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> np.ndarray:
    """Whether two would do something else: another direction, or another amount that they move to."""
    both_move = (one["action"] != "hold") & (other["action"] != "hold")
    return np.asarray((one["action"] != other["action"]) | (both_move & (one["new"] != other["new"])))


def _moves(told: pd.DataFrame) -> dict[str, np.ndarray]:
    return {"action": told["action"].to_numpy(), "new": told["new_budget"].astype(float).to_numpy()}


def _decimal(value: Any) -> Decimal | None:
    return None if value is None or pd.isna(value) else Decimal(str(value))


def _micros(euros: float) -> int | None:
    return None if np.isnan(euros) else round(euros * MICROS)
