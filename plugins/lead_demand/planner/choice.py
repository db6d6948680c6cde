"""The new budget of each segment as if it were the only one: whether the gap calls for a change, and how large a step.

A change is made only where the gap is material (outside the dead band) and significant (larger than its uncertainty
explains), where the cool-down is over or waived, and never past floor, cap or one step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lead_demand.planner.arrays import Bools, Money
from lead_demand.planner.cool_down import full_step, last_change
from lead_demand.planner.gap import Forecast
from lead_demand.planner.inputs import Days, Flags, Segments, lost_share
from lead_demand.planner.limits import BudgetLimits
from lead_demand.planner.reasons import Reason
from lead_demand.planner.settings import PlannerSettings


@dataclass(frozen=True)
class Choice:
    """The new budgets, and by reason the segments of which it is true."""

    budgets: Money  # micros; where nothing changes the current budget, None where that is not known
    flags: Flags


def choose(
    known: Segments,
    days: Days,
    forecast: Forecast,
    held: Flags,
    stopped: Bools,
    today: np.datetime64,
    settings: PlannerSettings,
) -> Choice:
    """The new budget of each segment within its own limits, and the reasons of all.

    `held`: what `holds` found; `stopped`: the segments that may not be changed, for that or for a block that was found
    before planning.
    """
    gap, target = forecast.gap, forecast.week_target
    nothing_wanted = target == 0
    small = ~(np.abs(gap) > settings.dead_band * target) & ~nothing_wanted
    chance = ~(np.abs(gap) > settings.significance * forecast.sd) & ~nothing_wanted
    act = ~small & ~chance
    recent, moved = last_change(known, days, today, settings.capacity_move)

    limits = BudgetLimits.of(known, stopped, settings.unit)
    wants_more = act & (gap > 0)
    # Google calls it limited, yet it missed next to nothing: one of the two is wrong, so nothing is added.
    _, lost_at_most = lost_share(known, days)
    may_rise = (known.budget_limited == 1) & ~(lost_at_most < settings.least_lost)
    desired = np.where(act, limits.whole_units(forecast.wanted), limits.current)
    desired = np.where(wants_more & ~may_rise, limits.current, desired)
    reachable = limits.clamp(desired)
    # A budget above its cap goes down all the same.
    barred = ~may_rise & ((reachable > limits.current) | (wants_more & (reachable == limits.current)))
    # Capacity that rose does not waive the cool-down of a decrease, nor capacity that fell that of an increase.
    step = np.sign((reachable - limits.current).astype(float))
    waived = (moved != 0) & (step != -moved)
    unfinished = (step != 0) & (full_step(known, days, today) == step)
    if settings.follow_through is not None:
        waived |= unfinished & (np.abs(gap) > settings.follow_through * forecast.sd)
    cooling = recent & ~waived
    changed = ~stopped & ~cooling & ~barred & (step != 0)
    new = np.where(changed, reachable, limits.current)

    below, above = limits.current < limits.floor, limits.current > limits.cap
    at_cap = act & (desired > limits.cap_units) & (reachable == limits.cap_units)
    at_floor = act & (desired < limits.floor_units) & (reachable == limits.floor_units)
    # What floor and cap alone would allow: a budget that only goes down to its new cap is not limited by a step.
    between = np.minimum(np.maximum(desired, limits.floor_units), limits.cap_units)
    flags: Flags = {
        Reason.WITHIN_DEAD_BAND: small & ~changed,
        Reason.NOT_SIGNIFICANT: chance & ~changed,
        Reason.NOT_BUDGET_LIMITED: barred,
        Reason.AT_CAP: at_cap,
        Reason.AT_FLOOR: at_floor,
        Reason.SMALLER_THAN_UNIT: act & (reachable == limits.current) & ~at_cap & ~at_floor & ~barred,
        Reason.STEP_LIMIT: changed & (reachable != between),
        Reason.BELOW_FLOOR: below,
        Reason.ABOVE_CAP: above,
        Reason.CAPACITY_ZERO: nothing_wanted,
        Reason.BELOW_CAPACITY: wants_more,
        Reason.ABOVE_CAPACITY: act & (gap < 0) & ~nothing_wanted,
        Reason.PARTNERS_ABSENT: (known.absent_week > 0) & np.isnan(known.target_override),
        Reason.CAPACITY_MOVED: changed & recent & (moved != 0),
        Reason.FOLLOW_THROUGH: changed & recent & (moved == 0),
    }
    flags = {**held, **{reason: rows & ~stopped for reason, rows in flags.items()}}
    limits_known = ~(flags[Reason.MISSING_LIMITS] | flags[Reason.INVALID_LIMITS])
    flags[Reason.COOL_DOWN] = cooling & limits_known
    flags[Reason.TARGET_SET_BY_PERSON] = ~np.isnan(known.target_override)
    return Choice(np.where(changed, new, known.current), flags)
