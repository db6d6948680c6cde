"""What a replay tries, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import pandas as pd

from lead_demand.planner.estimate import Estimator
from lead_demand.planner.settings import PlannerSettings

#: What was decided, what today's settings would decide, and what the changed ones would.
DECIDED, TODAY, CHANGED = "decided", "today", "changed"


@dataclass(frozen=True)
class Trial:
    """Settings to replay the past with. `limits`: a column of the planner's segments → its value for every segment."""

    name: str
    settings: PlannerSettings
    limits: Mapping[str, Decimal | int] = field(default_factory=dict)
    estimator: Estimator | None = None  # None = the kept estimate, or ours; another one sees the days as known now


@dataclass(frozen=True)
class Replay:
    """The outcome of a replay.

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
