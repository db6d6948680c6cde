"""The cool-down: how long after a change a budget is left alone, and what need not wait for its end.

A revert begins it as a change does; an edit by a person has a rule of its own (`foreign_edit`). The day of the last
change comes from the log: `last_change_date` in `include/sql/lead_budgets/select_segments.sql`.
"""

from __future__ import annotations

import numpy as np

from lead_demand.planner.arrays import Bools, Floats, Integers
from lead_demand.planner.inputs import Days, Segments, as_euros

#: A change of at least this part of the largest step was a full one: amounts are rounded, and several budgets share it.
NEARLY = 0.95


def last_change(known: Segments, days: Days, today: np.datetime64, capacity_move: float) -> tuple[Bools, Floats]:
    """Segments whose last change is within the cool-down, and whether capacity rose (1) or fell (-1) so much since
    that a change in that direction need not wait.

    The capacity that a change was based on is the last one recorded before its day.
    """
    since = np.where(np.isnat(known.last_change), 10**6, (today - known.last_change).astype(int))
    recent = since < np.maximum(np.nan_to_num(known.cooldown_days), 1)
    then = _before_change(known, days, "capacity_total_leads")
    far = np.abs(known.capacity - then) > capacity_move * then
    return recent, np.where(far, np.sign(known.capacity - then), 0)


def full_step(known: Segments, days: Days, today: np.datetime64) -> Integers:
    """1 or -1 where the last change, of an earlier day, was about as large a step up or down as was allowed; else 0.
    It is compared with the limits as they are now.
    """
    then = _before_change(known, days, "google_ads_budget")
    ratio = np.divide(as_euros(known.current), then, out=np.ones(len(then)), where=then > 0)
    up = (known.max_increase_pct > 0) & (ratio - 1 >= NEARLY * known.max_increase_pct / 100)
    down = (known.max_decrease_pct > 0) & (1 - ratio >= NEARLY * known.max_decrease_pct / 100)
    return np.where(known.last_change < today, up.astype(int) - down.astype(int), 0)


def _before_change(known: Segments, days: Days, column: str) -> Floats:
    """What was last recorded of a column before the day of each segment's last change; NaN where nothing was."""
    before = days.dates[None, :] < known.last_change[:, None]
    recorded = np.where(before, days[column], np.nan)
    latest = recorded.shape[1] - 1 - (~np.isnan(recorded))[:, ::-1].argmax(axis=1)
    return np.asarray(recorded[np.arange(len(recorded)), latest])
