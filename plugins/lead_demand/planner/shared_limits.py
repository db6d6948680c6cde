"""The limits that all segments share: total daily cap, daily increase, and the month's budget.

Increases share what these limits leave, the largest gap first. Where the month's budget is short, budgets go down
where one euro brings the fewest leads that partners can take.
"""

from __future__ import annotations

import numpy as np

from lead_demand.planner.arrays import Bools, Money, bools, is_none
from lead_demand.planner.choice import Choice
from lead_demand.planner.estimate import Estimate
from lead_demand.planner.gap import Forecast, leads_per_euro, spend_at
from lead_demand.planner.inputs import Segments, as_euros, micros
from lead_demand.planner.limits import BudgetLimits
from lead_demand.planner.reasons import Reason
from lead_demand.planner.settings import PlannerSettings

#: Why a budget stays as it is, or where its change ends; none of them is true of one that the month's budget lowers.
NO_CHANGE = (
    Reason.WITHIN_DEAD_BAND,
    Reason.NOT_SIGNIFICANT,
    Reason.NOT_BUDGET_LIMITED,
    Reason.COOL_DOWN,
    Reason.SMALLER_THAN_UNIT,
    Reason.AT_CAP,
)


def share_increases(choice: Choice, known: Segments, forecast: Forecast, settings: PlannerSettings) -> Choice:
    """The same choice with its increases cut to what the shared limits leave: the largest gap first.

    Decreases of the same day free nothing: Google may refuse them, and the increases go ahead all the same.
    """
    new, flags, unit = choice.budgets.copy(), {**choice.flags}, settings.unit
    certain = ~is_none(new)
    before = np.where(certain, known.current, 0)
    rise = np.where(certain, new, 0) - before
    queue = np.flatnonzero(rise > 0)
    queue = queue[np.argsort(-forecast.gap[queue], kind="stable")]
    for reason, room in _room(known, before, settings):
        ahead = np.cumsum(rise[queue]) - rise[queue]
        left = np.maximum(room - ahead, 0)
        granted = (before[queue] + left) // unit * unit - before[queue]
        granted = np.minimum(np.maximum(granted, 0), rise[queue])
        # A part that leaves the budget below its own floor would be outside its limits: no part at all then.
        partial = granted < rise[queue]
        granted = np.where(partial & (before[queue] + granted < known.floor[queue]), 0, granted)
        flags[reason] = flags.get(reason, False) | np.isin(np.arange(len(new)), queue[partial])
        rise[queue] = granted
    new[queue] = before[queue] + rise[queue]
    threshold = micros(settings.approval_threshold)
    flags[Reason.NEEDS_APPROVAL] = bools(threshold is not None and step > threshold for step in rise)
    return Choice(new, flags)


def _room(known: Segments, budgets: Money, settings: PlannerSettings) -> list[tuple[Reason, int]]:
    """What each shared limit leaves for increases, in micros; a budget that is not known counts as its cap."""
    room = []
    total_cap, daily = micros(settings.total_daily_cap), micros(settings.max_daily_increase)
    month = micros(settings.month_room)
    if total_cap is not None:
        uncertain = is_none(known.current) & ~bools(Reason.NO_CAMPAIGN in codes for codes in known.blocks)
        if (uncertain & is_none(known.cap)).any():
            room.append((Reason.TOTAL_BUDGET_UNKNOWN, 0))
        else:
            assumed = np.where(uncertain, known.cap, budgets)
            room.append((Reason.TOTAL_CAP, total_cap - int(assumed.sum())))
    if month is not None:
        room.append((Reason.MONTH_BUDGET, month))
    if daily is not None:
        room.append((Reason.DAILY_INCREASE_LIMIT, daily))
    return room


def keep_month(
    choice: Choice,
    known: Segments,
    rates: Estimate,
    forecast: Forecast,
    stopped: Bools,
    settings: PlannerSettings,
) -> Choice:
    """The same choice with budgets lowered by what the month lacks, as far as one step allows; what goes down anyway
    counts.

    First where one euro less costs the fewest leads that partners can take: none where it is more than they take,
    or more than the market has. A budget that is touched goes down by the dead band at least, and toward its cap
    where it is above. No cool-down holds this: the month does not wait.
    """
    room = micros(settings.month_room)
    if room is None or room >= 0 or stopped.all():
        return choice
    new, flags, unit = choice.budgets.copy(), {**choice.flags}, settings.unit
    current = np.where(stopped, 0, known.current)
    planned = np.where(stopped, 0, new)
    limits = BudgetLimits.of(known, stopped, settings.unit)
    lowest = np.minimum(limits.clamp(np.zeros(len(new), dtype=object)), planned)
    wanted = (forecast.gap > 0) & (known.budget_limited == 1)
    worth = rates.elasticity * leads_per_euro(rates, spend_at(as_euros(known.current), known, rates)) * rates.acceptance
    worth = np.where(wanted, np.nan_to_num(worth), 0.0)
    queue = np.lexsort((forecast.gap, worth))
    queue = queue[(lowest < planned)[queue]]
    lacks = -room - int((current - planned).sum())
    most = planned[queue] - lowest[queue]
    missing = np.maximum(lacks - (np.cumsum(most) - most), 0)
    band = (current[queue] * settings.dead_band).astype(np.int64).astype(object)
    cut = np.where(missing > 0, np.minimum(np.maximum(missing, band), most), 0)
    lower = planned.copy()
    lower[queue] = np.maximum((planned[queue] - cut) // unit * unit, lowest[queue])
    new[queue] = np.where(cut > 0, limits.clamp(lower)[queue], new[queue])
    short = np.isin(np.arange(len(new)), queue[cut > 0])
    flags[Reason.MONTH_BUDGET] = flags.get(Reason.MONTH_BUDGET, False) | short
    for reason in NO_CHANGE:
        flags[reason] = flags[reason] & ~short
    return Choice(new, flags)
