"""The tally of a replay: what each trial would have decided, added up, and how often the forecasts held."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lead_demand.backtest.recorded import Recorded, kept_estimate
from lead_demand.backtest.trials import CHANGED, DECIDED, TODAY, Replay, Trial
from lead_demand.planner.arrays import Bools, Floats, Integers, Objects
from lead_demand.planner.estimate import Estimate
from lead_demand.planner.gap import spend_at
from lead_demand.planner.inputs import Segments, numbers

#: Days that a forecast is about.
WEEK = 7
#: 80% of a normal distribution lie within so many standard deviations of its mean; the view budget_outcomes, which
#: judges live decisions in the same way, has the same number.
HALF_OF_80_PERCENT = 1.2816
INTEGERS = ["evaluations", "kept", "increases", "decreases", "differing", "judged", "held"]
COUNTS = (*INTEGERS, "leads", "wanted", "target", "spend", "missed_by")


@dataclass(frozen=True)
class Decided:
    """One morning of one trial, one element per recorded row: the decision and what is expected of it."""

    action: Objects
    made: Objects  # the action that changed the budget in force
    new: Floats  # EUR
    budget: Floats  # EUR in force after the decision
    leads: Floats  # per day, at that budget
    spend: Floats  # EUR per day, at that budget

    @classmethod
    def of(cls, told: pd.DataFrame) -> Decided:
        """From the planner's answer: whatever it decides is made."""
        action = told["action"].to_numpy()
        budget, leads, spend = (numbers(told, name) for name in ("new_budget", "expected_after", "spend_after"))
        return cls(action, action, budget, budget, leads, spend)

    @classmethod
    def really(cls, rows: Sequence[Recorded], in_force: Floats, leads: Floats, spend: Floats) -> Decided:
        """What was decided, and what the estimate says of the budget that was in force then."""
        old = np.array([row["old_budget"] for row in rows], dtype=float)
        action = np.array([row["action"] or "hold" for row in rows], dtype=object)
        # A dry run, a refusal or a rejection changed nothing.
        made = np.where(in_force == old, "hold", action)
        return cls(action, made, np.array([row["new_budget"] for row in rows], dtype=float), in_force, leads, spend)

    @property
    def is_known(self) -> Bools:
        """Where budget, leads and spend are all known."""
        return np.isfinite(self.budget) & np.isfinite(self.leads) & np.isfinite(self.spend)

    def differs_from(self, other: Decided) -> Bools:
        """Where the two decide otherwise: another direction, or another amount to move to."""
        both_move = (self.action != "hold") & (other.action != "hold")
        return np.asarray((self.action != other.action) | (both_move & (self.new != other.new)))


class Tally:
    """Adds up the mornings of a replay; its arrays have one row per segment, in the order of `ids`."""

    def __init__(self, trials: Sequence[Trial], ids: pd.Index[str], leads: Floats, in_force: Floats) -> None:
        """`leads`: generated on each day from the first morning on; `in_force`: the budget in EUR on each day from the
        day before the first morning on; both of shape (segments, days), NaN = not known.
        """
        self.trials, self.ids, self.leads, self.in_force = trials, ids, leads, in_force
        names = [DECIDED, *(trial.name for trial in trials)]
        self.sums = {name: {count: np.zeros(len(ids)) for count in COUNTS} for name in names}
        self.bounds = {name: np.full((2, len(ids)), np.nan) for name in names}
        self.left_out: Counter[str] = Counter()
        self.differences: list[pd.DataFrame] = []

    def count(
        self,
        told: Mapping[str, pd.DataFrame],
        rows: Sequence[Recorded],
        of: Integers,
        known: Segments,
        rates: Estimate,
        column: int,
    ) -> None:
        """Add up the segments of a morning of which everything is known, the same ones for each trial.

        `told`: the planner's answer by trial, in the order of `rows`; `of`: the positions of `rows` in `ids`;
        `known` and `rates`: of the first trial; `column`: the number of the morning.
        """
        in_force = self._in_force(known, column)
        spend = spend_at(in_force, known, rates)
        order = known.given_order
        really = Decided.really(rows, in_force[order], rates.leads(spend)[order], spend[order])
        by_name = {DECIDED: really} | {name: Decided.of(frame) for name, frame in told.items()}
        today = told[self.trials[0].name]
        target = today["target_week"].to_numpy(dtype=float)
        kept = np.array([kept_estimate(row) is not None for row in rows]) & (self.trials[0].estimator is None)
        whole = np.isfinite(target) & np.logical_and.reduce([found.is_known for found in by_name.values()])
        self.left_out.update(str(codes[0]) if codes else "budget_unknown" for codes in today["reasons"][~whole])
        before = None
        for name, found in by_name.items():
            sums, at = self.sums[name], of[whole]
            differing = np.zeros(len(rows)) if before is None else found.differs_from(before)
            before = found
            for count, values in {
                "evaluations": np.ones(len(rows)),
                "kept": kept,
                "increases": found.made == "increase",
                "decreases": found.made == "decrease",
                "differing": differing,
                "leads": found.leads,
                "wanted": np.minimum(found.leads, target),
                "target": target,
                "spend": found.spend,
            }.items():
                sums[count][at] += values[whole].astype(float)
            first, last = self.bounds[name]
            first[at] = np.where(np.isnan(first[at]), found.budget[whole], first[at])
            last[at] = found.budget[whole]

    def judge(self, name: str, told: pd.DataFrame, of: Integers, known: Segments, rates: Estimate, column: int) -> None:
        """Compare each forecast that was shown with the seven days that came, where the budget stayed the same."""
        order = known.given_order
        budgets = self.in_force[of, column + 1 : column + 1 + WEEK]
        spend = spend_at(self._in_force(known, column), known, rates)
        promised, variance = rates.leads(spend)[order], rates.leads_variance(spend)[order]
        came = self.leads[of, column : column + WEEK].mean(axis=1)
        shown = told["expected_week"].notna().to_numpy()
        over = shown & np.isfinite(came) & np.isfinite(promised) & (budgets == budgets[:, :1]).all(axis=1)
        # The variance of the estimate, and the Poisson variance of the mean of seven days.
        near = np.abs(came - promised) <= HALF_OF_80_PERCENT * np.sqrt(variance + promised / WEEK)
        for count, values in {"judged": over, "held": over & near, "missed_by": np.abs(came - promised)}.items():
            self.sums[name][count][of] += np.where(over, values, 0)

    def compare(self, told: Mapping[str, pd.DataFrame], rows: Sequence[Recorded], morning: dt.date) -> None:
        """Keep the segments on which `changed` decides otherwise than `today`."""
        if CHANGED not in told:
            return
        today, changed = told[TODAY], told[CHANGED]
        unlike = np.flatnonzero(Decided.of(changed).differs_from(Decided.of(today))).tolist()
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

    def _in_force(self, known: Segments, column: int) -> Floats:
        """The budget in force after the morning of that number, EUR, in the order of `known`."""
        return self.in_force[:, column + 1][self.ids.get_indexer(pd.Index(known.ids))]

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
