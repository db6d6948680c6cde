"""The new budget of each segment as if it were the only one: whether the gap calls for a change, and how large a step.

A change is made only where the gap is material (outside the dead band) and significant (larger than its uncertainty
explains), where the cool-down is over or waived, and never past floor, cap or one step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lead_demand.planner.arrays import Bools, Floats, Integers, Money
from lead_demand.planner.gap import Forecast
from lead_demand.planner.inputs import Days, Flags, Segments, as_euros, lost_share
from lead_demand.planner.limits import BudgetLimits
from lead_demand.planner.reasons import Reason
from lead_demand.planner.settings import PlannerSettings

#: A change of at least this part of the largest step was a full one: amounts are rounded, and several budgets share it.
NEARLY = 0.95


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
    recent, moved = _last_change(known, days, today, settings.capacity_move)

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
    unfinished = (step != 0) & (_full_step(known, days, today) == step)
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


def _last_change(known: Segments, days: Days, today: np.datetime64, capacity_move: float) -> tuple[Bools, Floats]:
    """Segments whose last change is within the cool-down, and whether capacity rose (1) or fell (-1) so much since
    that a change in that direction need not wait.

    The capacity that a change was based on is the last one recorded before its day.
    """
    since = np.where(np.isnat(known.last_change), 10**6, (today - known.last_change).astype(int))
    recent = since < np.maximum(np.nan_to_num(known.cooldown_days), 1)
    then = _before_change(known, days, "capacity_total_leads")
    far = np.abs(known.capacity - then) > capacity_move * then
    return recent, np.where(far, np.sign(known.capacity - then), 0)


def _full_step(known: Segments, days: Days, today: np.datetime64) -> Integers:
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
