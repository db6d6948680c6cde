"""The limits of one segment: floor, cap and largest step.

The limits that all segments share (total daily cap, daily increase) and the months' budgets are in `shared_limits`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

import numpy as np

from lead_demand.planner.arrays import Bools, Floats, Money, Objects, is_none
from lead_demand.planner.inputs import MICROS, Segments

#: The columns of `lead_segment_channels` that limit a segment, as the planner is given them.
LIMITS = (
    "min_daily_budget",
    "max_daily_budget",
    "max_increase_pct",
    "max_decrease_pct",
    "cooldown_days",
)


def step_of_limited(
    max_increase_pct: Decimal | None, is_limited: bool | None, limited: Decimal | None, current: Decimal | None
) -> Decimal | None:
    """The largest step up of a segment, in percent of its whole budget.

    Only budgets that limit their campaigns are raised, each by `max_increase_pct` at most. Where they are only a part
    of the segment's budget, the step of the segment is that part of the step.

    `is_limited`: whether any of the budgets limits its campaigns; `limited`: the sum of those budgets, and `current`:
    the sum of all (both EUR). None = unknown, in which case the step stays as it is.
    """
    if max_increase_pct is None or is_limited is not True or not limited or not current or limited >= current:
        return max_increase_pct
    # Rounded down to the places that the planner reads: a cent less is a smaller step, a cent more would be refused.
    return (max_increase_pct * limited / current).quantize(Decimal("0.0001"), ROUND_DOWN)


@dataclass(frozen=True)
class BudgetLimits:
    """Today's budget and how far it may move, in micros; 0 where the segment is stopped."""

    current: Money
    floor: Money
    cap: Money
    step_low: Money  # whole units, not below the largest decrease
    step_high: Money  # whole units, not above the largest increase
    unit: int

    @classmethod
    def of(cls, known: Segments, stopped: Bools, unit: int) -> BudgetLimits:
        """The limits of the segments that are not `stopped`; `unit`: the smallest amount that can be billed, micros."""

        def amounts(values: Money) -> Money:
            return np.where(stopped | is_none(values), 0, values)

        def millionths(percent: Floats) -> Objects:
            return np.where(stopped, 0, percent * 10_000).round(3).astype(np.int64).astype(object)

        current, one = amounts(known.current), 1_000_000  # a whole budget, in millionths
        return cls(
            current=current,
            floor=amounts(known.floor),
            cap=amounts(known.cap),
            # A step of 100% still leaves one unit: no channel accepts a budget of 0.
            step_low=np.maximum(
                -(-current * (one - millionths(known.max_decrease_pct)) // (one * unit)) * unit,
                np.where(current > 0, unit, 0),
            ),
            step_high=current * (one + millionths(known.max_increase_pct)) // (one * unit) * unit,
            unit=unit,
        )

    @property
    def floor_units(self) -> Money:
        """The floor, rounded up to whole units."""
        return np.asarray(-(-self.floor // self.unit) * self.unit)

    @property
    def cap_units(self) -> Money:
        """The cap, rounded down to whole units."""
        return np.asarray(self.cap // self.unit * self.unit)

    def whole_units(self, wanted: Floats) -> Money:
        """EUR (float, possibly infinite) as micros, rounded down to the unit; far beyond the limits is cut off."""
        beyond = (np.maximum(self.cap, self.step_high) + self.unit).astype(float)
        amount = np.clip(np.nan_to_num(wanted * MICROS, nan=0.0, posinf=np.inf), 0.0, np.minimum(beyond, 9e18))
        return amount.astype(np.int64).astype(object) // self.unit * self.unit

    def clamp(self, desired: Money) -> Money:
        """The nearest allowed budget: inside floor and cap, at most one step away, a multiple of the unit.

        Where one step does not reach the floor or the cap, the full step toward it. Where no multiple of the unit
        is allowed, today's budget.
        """
        low, high = np.maximum(self.floor_units, self.step_low), np.minimum(self.cap_units, self.step_high)
        new = np.minimum(np.maximum(desired, low), high)
        new = np.where(self.floor_units > self.step_high, self.step_high, new)
        new = np.where(self.cap_units < self.step_low, self.step_low, new)
        impossible = (self.step_low > self.step_high) | (self.floor_units > self.cap_units)
        within = (self.floor <= self.current) & (self.current <= self.cap)
        return np.where(impossible | (within & (desired == self.current)), self.current, new)
