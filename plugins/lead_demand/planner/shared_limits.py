"""The limits that several segments share (total daily cap, daily increase) and the months' budgets: of each segment, of
each branch, and of all together.

Increases share what these limits leave: of a month's budget where one euro brings the most leads that partners can take
first, of a day's limits the largest gap first. Where a month's budget is short, budgets go down where one euro brings
the fewest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lead_demand.planner.arrays import Bools, Floats, Integers, Money, bools, is_none
from lead_demand.planner.choice import Choice
from lead_demand.planner.estimate import Estimate
from lead_demand.planner.gap import Forecast, leads_per_euro, spend_at
from lead_demand.planner.inputs import Segments, as_euros, micros
from lead_demand.planner.limits import BudgetLimits
from lead_demand.planner.reasons import Reason
from lead_demand.planner.settings import PlannerSettings

#: Why a budget stays as it is, or where its change ends; none of them is true of one that a month's budget lowers.
NO_CHANGE = (
    Reason.WITHIN_DEAD_BAND,
    Reason.NOT_SIGNIFICANT,
    Reason.NOT_BUDGET_LIMITED,
    Reason.COOL_DOWN,
    Reason.SMALLER_THAN_UNIT,
    Reason.AT_CAP,
)


#: Their increases go first where a euro brings the most; those of a day's limits to the largest gap.
BY_WORTH = (Reason.BRANCH_MONTH_BUDGET, Reason.MONTH_BUDGET)


@dataclass(frozen=True)
class SharedLimit:
    """A limit that holds for the sum of each group of segments."""

    reason: Reason
    group: Integers  # of each segment; -1 = it is not bound
    room: Money  # of each group, what it leaves for increases, in micros; below 0, what has to go down

    @classmethod
    def of_all(cls, reason: Reason, room: int, segments: int) -> SharedLimit:
        """One limit for all segments together."""
        return cls(reason, np.zeros(segments, dtype=int), np.array([room], dtype=object))


def share_increases(
    choice: Choice, known: Segments, rates: Estimate, forecast: Forecast, settings: PlannerSettings
) -> Choice:
    """The same choice with its increases cut to what the shared limits leave.

    Decreases of the same day free nothing: Google may refuse them, and the increases go ahead all the same.
    """
    new, flags, unit = choice.budgets.copy(), {**choice.flags}, settings.unit
    certain = ~is_none(new)
    before = np.where(certain, known.current, 0)
    rise = np.where(certain, new, 0) - before
    for limit in (*_parts_of_month(known, settings), *_shared_by_all(known, before, settings)):
        queue = np.flatnonzero((rise > 0) & (limit.group >= 0))
        worth = -_worth(known, rates, forecast)[queue] if limit.reason in BY_WORTH else np.zeros(len(queue))
        queue = queue[np.lexsort((-forecast.gap[queue], worth, limit.group[queue]))]
        group = limit.group[queue]
        left = np.maximum(limit.room[group] - _ahead(rise[queue], group), 0)
        granted = (before[queue] + left) // unit * unit - before[queue]
        granted = np.minimum(np.maximum(granted, 0), rise[queue])
        # A part that leaves the budget below its own floor would be outside its limits: no part at all then.
        partial = granted < rise[queue]
        granted = np.where(partial & (before[queue] + granted < known.floor[queue]), 0, granted)
        flags[limit.reason] = flags.get(limit.reason, False) | np.isin(np.arange(len(new)), queue[partial])
        rise[queue] = granted
    raised = np.flatnonzero(certain)
    raised = raised[new[raised] > before[raised]]
    new[raised] = before[raised] + rise[raised]
    threshold = micros(settings.approval_threshold)
    flags[Reason.NEEDS_APPROVAL] = bools(threshold is not None and step > threshold for step in rise)
    return Choice(new, flags)


def _ahead(amounts: Money, group: Integers) -> Money:
    """What those before each one in its group come to; `group` is sorted."""
    before = np.cumsum(amounts) - amounts
    return np.asarray(before - before[np.searchsorted(group, group)])


def _worth(known: Segments, rates: Estimate, forecast: Forecast) -> Floats:
    """Leads that partners can take per euro more or less; 0 where it is more than they take, or than the market has."""
    wanted = (forecast.gap > 0) & (known.budget_limited == 1)
    worth = rates.elasticity * leads_per_euro(rates, spend_at(as_euros(known.current), known, rates)) * rates.acceptance
    return np.where(wanted, np.nan_to_num(worth), 0.0)


def _parts_of_month(known: Segments, settings: PlannerSettings) -> list[SharedLimit]:
    """The months' budgets of single segments and of single branches, where there are any."""
    limits = []
    has_month = ~is_none(known.month_cap) & ~is_none(known.current)
    if has_month.any():
        own = np.where(has_month, np.arange(len(has_month)), -1)
        room = np.where(has_month, known.month_cap, 0) - np.where(has_month, known.current, 0)
        limits.append(SharedLimit(Reason.SEGMENT_MONTH_BUDGET, own, room))
    rooms = {branch: micros(room) for branch, room in settings.branch_month_room.items()}
    if rooms:
        number = {branch: place for place, branch in enumerate(sorted(rooms))}
        group = [number.get(branch, -1) for branch in zip(known.country, known.branch_name, strict=True)]
        # An amount that is none leaves no room.
        room = np.array([rooms[branch] or 0 for branch in number], dtype=object)
        limits.append(SharedLimit(Reason.BRANCH_MONTH_BUDGET, np.array(group, dtype=int), room))
    return limits


def _shared_by_all(known: Segments, budgets: Money, settings: PlannerSettings) -> list[SharedLimit]:
    """What all segments share; a budget that is not known counts as its cap."""
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
    return [SharedLimit.of_all(reason, left, len(budgets)) for reason, left in room]


def keep_months(
    choice: Choice,
    known: Segments,
    rates: Estimate,
    forecast: Forecast,
    stopped: Bools,
    settings: PlannerSettings,
) -> Choice:
    """The same choice with budgets lowered by what the months lack: of each segment, of each branch, and of all."""
    months = _parts_of_month(known, settings)
    room = micros(settings.month_room)
    if room is not None:
        months.append(SharedLimit.of_all(Reason.MONTH_BUDGET, room, len(stopped)))
    for month in months:
        choice = _lowered(choice, month, known, rates, forecast, stopped, settings)
    return choice


def _lowered(
    choice: Choice,
    month: SharedLimit,
    known: Segments,
    rates: Estimate,
    forecast: Forecast,
    stopped: Bools,
    settings: PlannerSettings,
) -> Choice:
    """The same choice with the budgets of each group lowered by what its month lacks, as far as one step allows; what
    goes down anyway counts.

    First where one euro less costs the fewest leads that partners can take: none where it is more than they take,
    or more than the market has. A budget that is touched goes down by the dead band at least, and toward its cap
    where it is above. No cool-down holds this: the month does not wait.
    """
    lacks = -month.room
    is_short = (month.group >= 0) & (lacks[month.group] > 0) & ~stopped
    if not is_short.any():
        return choice
    new, flags, unit = choice.budgets.copy(), {**choice.flags}, settings.unit
    current = np.where(stopped, 0, known.current)
    planned = np.where(stopped, 0, new)
    limits = BudgetLimits.of(known, stopped, settings.unit)
    lowest = np.minimum(limits.clamp(np.zeros(len(new), dtype=object)), planned)
    np.subtract.at(lacks, month.group[is_short], (current - planned)[is_short])
    queue = np.lexsort((forecast.gap, _worth(known, rates, forecast), month.group))
    queue = queue[(is_short & (lowest < planned))[queue]]
    group = month.group[queue]
    most = planned[queue] - lowest[queue]
    missing = np.maximum(lacks[group] - _ahead(most, group), 0)
    band = (current[queue] * settings.dead_band).astype(np.int64).astype(object)
    cut = np.where(missing > 0, np.minimum(np.maximum(missing, band), most), 0)
    lower = planned.copy()
    lower[queue] = np.maximum((planned[queue] - cut) // unit * unit, lowest[queue])
    new[queue] = np.where(cut > 0, limits.clamp(lower)[queue], new[queue])
    short = np.isin(np.arange(len(new)), queue[cut > 0])
    flags[month.reason] = flags.get(month.reason, False) | short
    for reason in NO_CHANGE:
        flags[reason] = flags[reason] & ~short
    return Choice(new, flags)
