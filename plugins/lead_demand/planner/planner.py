"""LeadDemandPlanner: the next daily budget of every segment, from what is known this morning.

Pure: two frames and a date in, one frame out; no I/O, no clock. The rule, in the order of the code:

1. estimate the leads a day that today's budget brings (`planner_estimate`), and the target: what partners can take,
   divided by the share of leads that they accept; both as the mean of the week, for which the budget is chosen, with
   the absences that partners announced for it taken out;
2. act only when the gap is material (dead band) and real (more than its uncertainty explains); else hold;
3. move toward the budget that closes the gap, at most one step, within the segment's floor and cap;
4. wait out the cool-down after a change, unless capacity moved, a full step left the gap plainly open, or the month's
   budget is short;
5. unknown means hold: every input that is missing, late or wrong stops the segment and is named; of the days before
   yesterday a few may be missing;
6. increases share what the total daily cap, the month's budget and the daily increase limit leave, the largest gap
   first; where the month's budget is short, budgets go down where a euro brings the fewest leads that are wanted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pandas as pd

from lead_demand.planner.estimate import Assumptions, Estimate, Estimator, estimate
from lead_demand.planner.inputs import (
    MICROS,
    Days,
    Flags,
    Segments,
    as_euros,
    decimal,
    is_none,
    lost_share,
    micros,
    read_days,
    read_segments,
)
from lead_demand.planner.reasons import Reason
from lead_demand.planner.sentences import sentences
from lead_demand.planner.week import Calendar, coming_week


@dataclass(frozen=True)
class PlannerSettings:
    """How the planner decides; every value has a working default.

    Money is in `currency`. None for one of the three amounts means that there is no such limit.
    """

    # The estimate
    window_days: int = 112  # days of history that the estimate looks at
    elasticity: float = 0.7  # leads grow with spend to this power
    min_history_days: int = 14  # complete days before anything is decided
    missing_days: int = 3  # of the last 28 so many may be missing, but not yesterday
    holidays: Mapping[str, Collection[dt.date]] = field(default_factory=dict)  # by country code; they count as Sundays
    # The gate
    dead_band: float = 0.08  # of the target
    significance: float = 0.9  # in standard deviations of the gap
    interval: float = 0.80  # chance that expected_low to expected_high holds the true mean
    least_spent: float = 0.85  # of its budgets in two weeks; a campaign that leaves more is not limited by them
    least_lost: float = 0.01  # of its searches in two weeks, for want of budget; one that loses less is not raised
    # What waives the cool-down
    capacity_move: float = 0.20  # since the last change, of what it was then
    follow_through: float | None = 1.5  # a gap of so many standard deviations after a full step; None = never
    # What makes the counts unusable
    max_share_without_source: float = 0.10  # of a segment's leads
    recent_source_days: int = 14  # judged by themselves as well: a tag that just broke is lost in the window
    outage_expected_leads: float = 5.0  # so many paid leads had to come, and none did
    outage_min_days: int = 2  # days in a row, up to yesterday
    # Money
    currency: str = "EUR"
    currency_unit: Decimal = Decimal("0.01")  # the smallest amount that can be billed
    total_daily_cap: Decimal | None = None  # sum of all budgets
    month_room: Decimal | None = None  # what the month leaves for increases of budgets; below 0, what has to go down
    max_daily_increase: Decimal | None = None  # sum of a day's increases
    approval_threshold: Decimal | None = None  # a larger increase is asked of a person

    def __post_init__(self) -> None:
        shares = 0 < self.elasticity <= 1 and 0 < self.interval < 1
        if not shares:
            raise ValueError(
                "PlannerSettings: elasticity must lie in (0, 1] and interval in (0, 1). Nothing was planned. "
                "Correct the setting."
            )
        if not micros(self.currency_unit):
            raise ValueError(
                f"PlannerSettings: currency_unit {self.currency_unit} is no amount of at least 0.000001. "
                "Nothing was planned. Give the currency's billable unit, such as Decimal('0.01')."
            )

    @property
    def assumptions(self) -> Assumptions:
        """The part of the settings that the estimate needs."""
        return Assumptions(
            elasticity=self.elasticity,
            outage_expected_leads=self.outage_expected_leads,
            outage_min_days=self.outage_min_days,
        )


#: A change of at least this part of the largest step was a full one: amounts are rounded, and several budgets share it.
NEARLY = 0.95
#: Reasons that make the counts of days unusable: no estimate is shown with them.
NO_ESTIMATE = (
    Reason.DUPLICATE_SEGMENT,
    Reason.DUPLICATE_DAY,
    Reason.BAD_INPUT_ROW,
    Reason.MISSING_LEADS,
    Reason.MISSING_ACCEPTANCE,
    Reason.MISSING_PAID_LEADS,
    Reason.MISSING_SPEND,
    Reason.MISSING_DAYS,
    Reason.TOO_LITTLE_HISTORY,
    Reason.LEADS_WITHOUT_SOURCE,
)
#: What is missing by nature where a segment has no campaign.
NOT_APPLICABLE = (
    Reason.MISSING_SPEND,
    Reason.MISSING_DAYS,
    Reason.TOO_LITTLE_HISTORY,
    Reason.MISSING_CURRENT_BUDGET,
    Reason.MISSING_LIMITS,
    Reason.BUDGET_LIMITED_UNKNOWN,
)


#: Why a budget stays as it is, or where it ends; none of them is true of one that the month's budget lowers.
NO_CHANGE = (
    Reason.WITHIN_DEAD_BAND,
    Reason.NOT_SIGNIFICANT,
    Reason.NOT_BUDGET_LIMITED,
    Reason.COOL_DOWN,
    Reason.SMALLER_THAN_UNIT,
    Reason.AT_CAP,
)


@dataclass(frozen=True)
class Morning:
    """What is known before anything is estimated: each segment's set-up and days, one row per segment."""

    today: np.datetime64
    calendar: Calendar
    capacity: np.ndarray  # of today; that of `known` and `days` is the week's level
    known: Segments
    days: Days


@dataclass(frozen=True)
class _Forecast:
    """Leads a day at today's budget and the target, of a day like today and as the mean of the week, and how far apart
    the week's are; float, NaN where not known.
    """

    expected: np.ndarray
    low: np.ndarray
    high: np.ndarray
    target: np.ndarray
    week_expected: np.ndarray
    week_target: np.ndarray
    sd: np.ndarray
    wanted: np.ndarray  # EUR that would close the gap, before any limit

    @property
    def gap(self) -> np.ndarray:
        return self.week_target - self.week_expected


@dataclass(frozen=True)
class _Limits:
    """Today's budget and how far it may move: object arrays of integer micros, zero where a segment is stopped."""

    current: np.ndarray
    floor: np.ndarray
    cap: np.ndarray
    step_low: np.ndarray  # whole units, not below the largest decrease
    step_high: np.ndarray  # whole units, not above the largest increase
    unit: int

    @classmethod
    def of(cls, known: Segments, stopped: np.ndarray, unit: int) -> _Limits:
        def amounts(values: np.ndarray) -> np.ndarray:
            return np.where(stopped | is_none(values), 0, values)

        def millionths(percent: np.ndarray) -> np.ndarray:
            return np.where(stopped, 0, percent * 10_000).round(3).astype(np.int64).astype(object)

        current, one = amounts(known.current), 1_000_000
        return cls(
            current=current,
            floor=amounts(known.floor),
            cap=amounts(known.cap),
            # A step that may be the whole budget still leaves one unit: no channel takes an amount of nothing.
            step_low=np.maximum(
                -(-current * (one - millionths(known.max_decrease_pct)) // (one * unit)) * unit,
                np.where(current > 0, unit, 0),
            ),
            step_high=current * (one + millionths(known.max_increase_pct)) // (one * unit) * unit,
            unit=unit,
        )

    @property
    def floor_units(self) -> np.ndarray:
        return -(-self.floor // self.unit) * self.unit

    @property
    def cap_units(self) -> np.ndarray:
        return self.cap // self.unit * self.unit

    def whole_units(self, wanted: np.ndarray) -> np.ndarray:
        """EUR (float, possibly infinite) as micros, rounded down to the unit; far beyond the limits is cut off."""
        beyond = (np.maximum(self.cap, self.step_high) + self.unit).astype(float)
        amount = np.clip(np.nan_to_num(wanted * MICROS, nan=0.0, posinf=np.inf), 0.0, np.minimum(beyond, 9e18))
        return amount.astype(np.int64).astype(object) // self.unit * self.unit

    def clamp(self, desired: np.ndarray) -> np.ndarray:
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


class LeadDemandPlanner:
    """Plans the daily budgets of all segments at once.

    >>> planner = LeadDemandPlanner(PlannerSettings(total_daily_cap=Decimal(2000)))
    >>> plan = planner.plan(history, segments, today=date(2026, 3, 11))  # doctest: +SKIP
    """

    def __init__(self, settings: PlannerSettings | None = None, estimator: Estimator | None = None) -> None:
        self.settings = settings or PlannerSettings()
        self.estimator = estimator or estimate
        self._unit = micros(self.settings.currency_unit) or 1

    def plan(self, history: pd.DataFrame, segments: pd.DataFrame, today: dt.date) -> pd.DataFrame:
        """Decide every segment's budget for `today`.

        `history`: one row a (segment_id, date), as known this morning; rows of today and later are ignored.
          Needed: leads_generated, leads_accepted, leads_rejected, leads_pending, google_ads_leads (leads a day),
          google_ads_spend (EUR), and leads_without_source where the frame has that column: without it the caller
          vouches for the sources. Used where known: google_ads_budget (EUR in force that day), capacity_total_leads and
          what of it was away, capacity_absent_leads and capacity_absent_week as below.
        `segments`: one row a segment_id: current_budget, min_daily_budget, max_daily_budget (EUR), max_increase_pct,
          max_decrease_pct (20 means 20%), cooldown_days, capacity_total_leads, target_override (leads a day),
          last_change_date (NULL = never changed), budget_limited (bool), blocks (codes that stop the segment), and
          optionally country (of whose public holidays the settings know), branch (whose season it shares), code and
          name for the sentence; where partners announced that they are away, capacity_absent_leads (leads per day that
          are missing from today's capacity), capacity_absent_week (mean of today and the six days after it; NULL = no
          absence) and capacity_absent_until (the last day of it; NULL = until further notice); budget_lost_share (0 to
          1: of the searches of the last 14 days, what the channel says was missed for want of budget) and
          recommended_budget (EUR, the channel's own), which only check a raise and are told. Else NULL means unknown;
          an absent column is all NULL.

        Returns one row a segment_id, in the order given:
          action ('increase', 'decrease', 'hold'), is_blocked (a hold for want of data: may be evaluated again today),
          new_budget (Decimal, a multiple of the currency unit when changed; on a hold the current budget, None if
          unknown), reasons (list of codes), sentence, needs_approval;
          target_leads_per_day, expected_leads_per_day (generated leads on a day like today at today's budget, NaN if
          unknown), expected_low, expected_high: the central interval (80% unless set otherwise) of that expectation. It
          holds what is not known of the rates, not the chance of single days: the counts of the coming week scatter
          more widely, by at least the square root of their number;
          target_week, expected_week (leads per day over the week: what is decided by), gap_exact (between these
          two), sd (of the gap), expected_after (of the week, at new_budget);
          acceptance_rate, free_rate (leads a day), paid_rate (paid leads per EUR at today's budget), wanted_budget
          (EUR, float, before any limit; NaN where no budget would do), spend_after (EUR per day, float, expected at
          new_budget), estimate (dict, what `Estimate.with_kept` takes; None where the days are unusable).

        Raises KeyError where a frame that has rows lacks the key columns segment_id or date.
        """
        morning = self.read(history, segments, today)
        del history  # a caller that kept none gets the memory of 10,000 segments back before the estimates need it
        return self.decide(morning, self.estimate(morning))

    def read(self, history: pd.DataFrame, segments: pd.DataFrame, today: dt.date) -> Morning:
        """The two frames of `plan` as arrays, with capacity as the level of the week."""
        day, settings = np.datetime64(pd.Timestamp(today).date(), "D"), self.settings
        known = read_segments(segments, day)
        days = read_days(
            history, known.ids, day, settings.window_days, settings.min_history_days, settings.missing_days
        )
        calendar = Calendar.of(known.country, settings.holidays)
        return Morning(day, calendar, known.capacity, *coming_week(known, days, calendar))

    def estimate(self, morning: Morning) -> Estimate:
        """What each segment may expect."""
        return self.estimator(morning.known, morning.days, morning.calendar, morning.today, self.settings.assumptions)

    def decide(self, morning: Morning, rates: Estimate) -> pd.DataFrame:
        """The answer of `plan`, from what was read and estimated."""
        known, days, day = self.truly_limited(morning.known, rates), morning.days, morning.today
        forecast = self._forecast(known, morning.capacity, rates)

        flags = self._stops(known, days, rates)
        stopped = np.logical_or.reduce([*flags.values(), _bools(map(bool, known.blocks))])
        new = self._choose(known, days, forecast, stopped, day, flags)
        self._allocate(known, forecast, new, flags)
        self._keep_month(known, rates, forecast, stopped, new, flags)
        return self._explain(known, days, rates, forecast, new, flags, day)

    def truly_limited(self, known: Segments, rates: Estimate) -> Segments:
        """Google goes on calling a campaign limited when its market is too small for its budget."""
        idle = (known.budget_limited == 1) & (rates.spend_share < self.settings.least_spent)
        return replace(known, budget_limited=np.where(idle, 0.0, known.budget_limited))

    # What today's budget brings, and what is wanted

    def _forecast(self, known: Segments, capacity: np.ndarray, rates: Estimate) -> _Forecast:
        """`capacity` is that of today, that of `known` the week's."""
        spend = spend_at(as_euros(known.current), known, rates)
        expected, variance = rates.leads(spend), rates.leads_variance(spend)
        by_person = ~np.isnan(known.target_override)
        target = np.where(by_person, known.target_override, known.capacity / rates.acceptance)
        of_today = np.where(by_person, known.target_override, capacity / rates.acceptance)
        target_variance = np.where(by_person, 0.0, rates.acceptance_variance * (target / rates.acceptance) ** 2)
        wanted = rates.spend_for(target - rates.free_rate)
        wanted = np.where(known.budget_limited == 1, wanted / rates.spend_share, wanted)
        today = rates.leads_today(spend)
        part = np.divide(today, expected, out=np.ones_like(expected), where=expected > 0)
        low, high = (part * bound for bound in _gamma_interval(expected, variance, self.settings.interval))
        sd = np.sqrt(variance + target_variance)
        return _Forecast(today, low, high, of_today, expected, target, sd, wanted)

    # Unknown means hold

    def _stops(self, known: Segments, days: Days, rates: Estimate) -> Flags:
        """Everything that stops a segment, whatever its gap."""
        flags: Flags = {**known.flags}
        for reason, rows in days.flags.items():
            flags[reason] = flags.get(reason, False) | rows
        flags[Reason.TOO_LITTLE_HISTORY] = flags[Reason.TOO_LITTLE_HISTORY] | ~rates.known
        flags[Reason.MISSING_ACCEPTANCE] = flags[Reason.MISSING_ACCEPTANCE] | (
            days.complete.any(axis=1) & (not rates.acceptance_known)
        )
        lost, too_many = self._without_source(days, len(days.dates))
        lately, too_many_lately = self._without_source(days, self.settings.recent_source_days)
        # One lead breaks no tag, though it may be more than a tenth of what a small segment brings in two weeks.
        unsourced = (lost > too_many) | (lately > np.maximum(too_many_lately, 1))
        flags[Reason.LEADS_WITHOUT_SOURCE] = flags.get(Reason.LEADS_WITHOUT_SOURCE, False) | unsourced
        flags[Reason.TRACKING_OUTAGE] = rates.outage
        # Without a campaign there is no spend, no budget and no limit: not applicable, which is not unknown.
        bought = ~_bools(Reason.NO_CAMPAIGN in codes for codes in known.blocks)
        for reason in NOT_APPLICABLE:
            flags[reason] = flags[reason] & bought
        return flags

    def _without_source(self, days: Days, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Leads without a source in the last so many days, and how many there may be."""
        unsourced, generated = days["leads_without_source"][:, -last:], days["leads_generated"][:, -last:]
        of_known = np.nansum(np.where(np.isnan(unsourced), 0, generated), axis=1)
        return np.nansum(unsourced, axis=1), self.settings.max_share_without_source * of_known

    # The budget of one segment, as if it were the only one

    def _choose(
        self,
        known: Segments,
        days: Days,
        forecast: _Forecast,
        stopped: np.ndarray,
        today: np.datetime64,
        flags: Flags,
    ) -> np.ndarray:
        """New budgets in micros (object, None where unknown); the reasons of each choice are added to `flags`."""
        gap, target = forecast.gap, forecast.week_target
        nothing_wanted = target == 0
        small = ~(np.abs(gap) > self.settings.dead_band * target) & ~nothing_wanted
        chance = ~(np.abs(gap) > self.settings.significance * forecast.sd) & ~nothing_wanted
        act = ~small & ~chance
        recent, moved = self._last_change(known, days, today)

        limits = _Limits.of(known, stopped, self._unit)
        wants_more = act & (gap > 0)
        # Called limited, and yet it missed next to nothing: one of the two is wrong, so nothing is added.
        _, lost_at_most = lost_share(known, days)
        may_rise = (known.budget_limited == 1) & ~(lost_at_most < self.settings.least_lost)
        desired = np.where(act, limits.whole_units(forecast.wanted), limits.current)
        desired = np.where(wants_more & ~may_rise, limits.current, desired)
        reachable = limits.clamp(desired)
        # What is above its cap goes down all the same.
        barred = ~may_rise & ((reachable > limits.current) | (wants_more & (reachable == limits.current)))
        # Capacity that rose is no reason to lower a budget sooner, nor one that fell to raise it.
        step = np.sign((reachable - limits.current).astype(float))
        waived = (moved != 0) & (step != -moved)
        unfinished = (step != 0) & (self._full_step(known, days, today) == step)
        if self.settings.follow_through is not None:
            waived |= unfinished & (np.abs(gap) > self.settings.follow_through * forecast.sd)
        cooling = recent & ~waived
        changed = ~stopped & ~cooling & ~barred & (step != 0)
        new = np.where(changed, reachable, limits.current)

        below, above = limits.current < limits.floor, limits.current > limits.cap
        at_cap = act & (desired > limits.cap_units) & (reachable == limits.cap_units)
        at_floor = act & (desired < limits.floor_units) & (reachable == limits.floor_units)
        choice: Flags = {
            Reason.WITHIN_DEAD_BAND: small & ~changed,
            Reason.NOT_SIGNIFICANT: chance & ~changed,
            Reason.NOT_BUDGET_LIMITED: barred,
            Reason.AT_CAP: at_cap,
            Reason.AT_FLOOR: at_floor,
            Reason.SMALLER_THAN_UNIT: act & (reachable == limits.current) & ~at_cap & ~at_floor & ~barred,
            Reason.STEP_LIMIT: changed & (reachable != desired) & ~at_cap & ~at_floor,
            Reason.BELOW_FLOOR: below,
            Reason.ABOVE_CAP: above,
            Reason.CAPACITY_ZERO: nothing_wanted,
            Reason.BELOW_CAPACITY: wants_more,
            Reason.ABOVE_CAPACITY: act & (gap < 0) & ~nothing_wanted,
            Reason.PARTNERS_ABSENT: (known.absent_week > 0) & np.isnan(known.target_override),
            Reason.CAPACITY_MOVED: changed & recent & (moved != 0),
            Reason.FOLLOW_THROUGH: changed & recent & (moved == 0),
        }
        flags.update({reason: rows & ~stopped for reason, rows in choice.items()})
        limits_known = ~(flags[Reason.MISSING_LIMITS] | flags[Reason.INVALID_LIMITS])
        flags[Reason.COOL_DOWN] = cooling & limits_known
        flags[Reason.TARGET_SET_BY_PERSON] = ~np.isnan(known.target_override)
        return np.where(changed, new, known.current)

    def _last_change(self, known: Segments, days: Days, today: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
        """Segments whose last change is within the cool-down, and whether capacity rose (1) or fell (-1) so much since
        that a change in that direction need not wait.

        The capacity that a change reckoned with is the last one recorded before its day.
        """
        since = np.where(np.isnat(known.last_change), 10**6, (today - known.last_change).astype(int))
        recent = since < np.maximum(np.nan_to_num(known.cooldown_days), 1)
        then = _before_change(known, days, "capacity_total_leads")
        far = np.abs(known.capacity - then) > self.settings.capacity_move * then
        return recent, np.where(far, np.sign(known.capacity - then), 0)

    def _full_step(self, known: Segments, days: Days, today: np.datetime64) -> np.ndarray:
        """1 or -1 where the last change, of an earlier day, was about as large a step up or down as was allowed; else
        0. What the step asks of the limits is as they are now.
        """
        then = _before_change(known, days, "google_ads_budget")
        ratio = np.divide(as_euros(known.current), then, out=np.ones(len(then)), where=then > 0)
        up = (known.max_increase_pct > 0) & (ratio - 1 >= NEARLY * known.max_increase_pct / 100)
        down = (known.max_decrease_pct > 0) & (1 - ratio >= NEARLY * known.max_decrease_pct / 100)
        return np.where(known.last_change < today, up.astype(int) - down.astype(int), 0)

    # What all segments share

    def _allocate(self, known: Segments, forecast: _Forecast, new: np.ndarray, flags: Flags) -> None:
        """Cut increases, in place, to what the total cap and the daily increase limit leave: largest gap first.

        Decreases of the same day free nothing: Google may refuse them, and the increases go ahead all the same.
        """
        certain = ~is_none(new)
        before = np.where(certain, known.current, 0)
        rise = np.where(certain, new, 0) - before
        queue = np.flatnonzero(rise > 0)
        queue = queue[np.argsort(-forecast.gap[queue], kind="stable")]
        for reason, room in self._room(known, before):
            ahead = np.cumsum(rise[queue]) - rise[queue]
            left = np.maximum(room - ahead, 0)
            granted = (before[queue] + left) // self._unit * self._unit - before[queue]
            granted = np.minimum(np.maximum(granted, 0), rise[queue])
            # A part that leaves the budget below its own floor would be outside its limits: no part at all then.
            partial = granted < rise[queue]
            granted = np.where(partial & (before[queue] + granted < known.floor[queue]), 0, granted)
            flags[reason] = flags.get(reason, False) | np.isin(np.arange(len(new)), queue[partial])
            rise[queue] = granted
        new[queue] = before[queue] + rise[queue]
        threshold = micros(self.settings.approval_threshold)
        flags[Reason.NEEDS_APPROVAL] = _bools(threshold is not None and step > threshold for step in rise)

    def _room(self, known: Segments, budgets: np.ndarray) -> list[tuple[Reason, int]]:
        """What the shared limits leave for increases, in micros; a budget that is not known counts as its cap."""
        room = []
        total_cap, daily = micros(self.settings.total_daily_cap), micros(self.settings.max_daily_increase)
        month = micros(self.settings.month_room)
        if total_cap is not None:
            uncertain = is_none(known.current) & ~_bools(Reason.NO_CAMPAIGN in codes for codes in known.blocks)
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

    def _keep_month(
        self,
        known: Segments,
        rates: Estimate,
        forecast: _Forecast,
        stopped: np.ndarray,
        new: np.ndarray,
        flags: Flags,
    ) -> None:
        """Lower budgets, in place, by what the month lacks, as far as one step allows; what goes down anyway counts.

        First where one euro less costs the fewest leads that partners can take: none where it is more than they take,
        or more than the market has. A budget that is touched goes down by the dead band at least, and toward its cap
        where it is above. No cool-down holds this: the month does not wait.
        """
        room = micros(self.settings.month_room)
        if room is None or room >= 0 or stopped.all():
            return
        current = np.where(stopped, 0, known.current)
        planned = np.where(stopped, 0, new)
        limits = _Limits.of(known, stopped, self._unit)
        lowest = np.minimum(limits.clamp(np.zeros(len(new), dtype=object)), planned)
        wanted = (forecast.gap > 0) & (known.budget_limited == 1)
        worth = rates.elasticity * _per_euro(rates, spend_at(as_euros(known.current), known, rates)) * rates.acceptance
        worth = np.where(wanted, np.nan_to_num(worth), 0.0)
        queue = np.lexsort((forecast.gap, worth))
        queue = queue[(lowest < planned)[queue]]
        lacks = -room - int((current - planned).sum())
        most = planned[queue] - lowest[queue]
        missing = np.maximum(lacks - (np.cumsum(most) - most), 0)
        band = (current[queue] * self.settings.dead_band).astype(np.int64).astype(object)
        cut = np.where(missing > 0, np.minimum(np.maximum(missing, band), most), 0)
        lower = planned.copy()
        lower[queue] = np.maximum((planned[queue] - cut) // self._unit * self._unit, lowest[queue])
        new[queue] = np.where(cut > 0, limits.clamp(lower)[queue], new[queue])
        short = np.isin(np.arange(len(new)), queue[cut > 0])
        flags[Reason.MONTH_BUDGET] = flags.get(Reason.MONTH_BUDGET, False) | short
        for reason in NO_CHANGE:
            flags[reason] = flags[reason] & ~short

    # The answer

    def _explain(
        self,
        known: Segments,
        days: Days,
        rates: Estimate,
        forecast: _Forecast,
        new: np.ndarray,
        flags: Flags,
        today: np.datetime64,
    ) -> pd.DataFrame:
        none = np.zeros(len(new), dtype=bool)
        certain = ~is_none(new)
        step = np.where(certain, new, 0) - np.where(certain, known.current, 0)
        for reason in (Reason.STEP_LIMIT, Reason.CAPACITY_MOVED, Reason.FOLLOW_THROUGH):
            flags[reason] = flags.get(reason, none) & (step != 0)
        table = np.column_stack([flags.get(reason, none) for reason in Reason])
        order = {reason.value: column for column, reason in enumerate(Reason)}
        foreign: dict[int, list[str]] = {}  # codes that are in no table
        for row, codes in enumerate(known.blocks):
            for code in codes:
                if code in order:
                    table[row, order[code]] = True
                else:
                    foreign.setdefault(row, []).append(code)
        rows, columns = table.nonzero()
        codes_found = np.array(list(order), dtype=object)[columns].tolist()
        ends = np.searchsorted(rows, np.arange(len(new) + 1)).tolist()
        reasons = [codes_found[start:end] for start, end in pairwise(ends)]
        for row, codes in foreign.items():
            reasons[row] = [*codes, *reasons[row]]
        blocking = table[:, [reason.blocking for reason in Reason]].any(axis=1) | _bools(
            row in foreign for row in range(len(new))
        )
        hidden = np.logical_or.reduce([flags.get(reason, none) for reason in NO_ESTIMATE])
        shown = {
            name: np.where(hidden, np.nan, values)
            for name, values in {
                "expected_leads_per_day": forecast.expected,
                "expected_low": forecast.low,
                "expected_high": forecast.high,
                "expected_week": forecast.week_expected,
                "gap_exact": forecast.gap,
                "sd": forecast.sd,
                "expected_after": rates.leads(spend_at(as_euros(new), known, rates)),
                "acceptance_rate": rates.acceptance,
                "free_rate": rates.free_rate,
                "paid_rate": _per_euro(rates, spend_at(as_euros(known.current), known, rates)),
                "spend_after": spend_at(as_euros(new), known, rates),
                "wanted_budget": np.where(np.isfinite(forecast.wanted), forecast.wanted, np.nan),
            }.items()
        }
        unusable = hidden & np.isnan(known.target_override)
        result = pd.DataFrame(
            {
                "segment_id": known.ids,
                "action": np.where(step > 0, "increase", np.where(step < 0, "decrease", "hold")).astype(object),
                "is_blocked": (step == 0) & blocking,
                "new_budget": pd.Series([decimal(amount) for amount in new], dtype=object),
                "target_leads_per_day": np.where(unusable, np.nan, forecast.target),
                "target_week": np.where(unusable, np.nan, forecast.week_target),
                **shown,
                "estimate": pd.Series(
                    [None if of_bad_days else row for row, of_bad_days in zip(rates.kept(), hidden, strict=True)],
                    dtype=object,
                ),
                "needs_approval": flags[Reason.NEEDS_APPROVAL],
                "reasons": pd.Series(reasons, dtype=object),
            }
        )
        told = sentences(result, known, days, self.settings.currency, today)
        result["sentence"] = pd.Series(told, dtype=object)
        return result.iloc[known.given_order].reset_index(drop=True)


def spend_at(budget: np.ndarray, known: Segments, rates: Estimate) -> np.ndarray:
    """What a campaign spends of a budget: its usual share where the budget limits it, else at most what it spent."""
    return np.where(known.budget_limited == 1, budget * rates.spend_share, np.minimum(budget, rates.recent_spend))


def _before_change(known: Segments, days: Days, column: str) -> np.ndarray:
    """What was last recorded of a column before the day of each segment's last change; NaN where nothing was."""
    before = days.dates[None, :] < known.last_change[:, None]
    recorded = np.where(before, days[column], np.nan)
    latest = recorded.shape[1] - 1 - (~np.isnan(recorded))[:, ::-1].argmax(axis=1)
    return np.asarray(recorded[np.arange(len(recorded)), latest])


def _per_euro(rates: Estimate, spend: np.ndarray) -> np.ndarray:
    paid = rates.leads(spend) - rates.free_rate
    return np.divide(paid, spend, out=np.full(len(spend), np.nan), where=spend > 0)


def _gamma_interval(mean: np.ndarray, variance: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Central interval of a Gamma distribution with this mean and variance (Wilson-Hilferty), NaN passed on."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    relative = np.divide(np.sqrt(variance), mean, out=np.zeros_like(mean), where=mean > 0) / 3
    low, high = (mean * np.maximum(1 - relative**2 + sign * z * relative, 0) ** 3 for sign in (-1, 1))
    return low, high


def _bools(values: Iterable[bool]) -> np.ndarray:
    return np.array(list(values), dtype=bool)
