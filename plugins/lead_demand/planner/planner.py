"""LeadDemandPlanner: the next daily budget of every segment, from what is known this morning.

Pure: two frames and a date in, one frame out; no I/O, no clock. The rule, in the order of the code:

1. estimate the leads per day that today's budget brings (`estimate`), and the target: what partners can take, divided
   by the share of leads that they accept (`gap`); both as the mean of the week, for which the budget is chosen, without
   the capacity of partners who announced an absence (`week`);
2. unknown means hold: every input that is missing, late or wrong stops the segment and is named; of the days before
   yesterday a few may be missing (`holds`);
3. act only when the gap is material (dead band) and significant (more than its uncertainty explains); move toward the
   budget that closes it, at most one step, within the segment's floor and cap (`limits`); wait out the cool-down after
   a change, unless capacity moved or a full step left the gap plainly open (`choice`);
4. increases keep to the month's budget of their segment, and share what the months' budgets of their branch and of all
   leave, where a euro brings the most leads that are wanted first, and what the total daily cap and the daily increase
   limit leave, the largest gap first; where a month's budget is short, budgets go down where a euro brings the fewest
   leads that are wanted (`shared_limits`);
5. say why (`reasons`, `sentences`, `result`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lead_demand.planner.arrays import Floats, bools
from lead_demand.planner.choice import choose
from lead_demand.planner.estimate import Estimate, Estimator, estimate
from lead_demand.planner.gap import forecast_of
from lead_demand.planner.holds import holds
from lead_demand.planner.inputs import Days, Segments, read_days, read_segments
from lead_demand.planner.result import result_frame
from lead_demand.planner.settings import PlannerSettings
from lead_demand.planner.shared_limits import keep_months, share_increases
from lead_demand.planner.week import Calendar, coming_week


@dataclass(frozen=True)
class Morning:
    """What is known before anything is estimated: each segment's set-up and days, one row per segment."""

    today: np.datetime64
    calendar: Calendar
    capacity: Floats  # of today; that of `known` and `days` is the week's level
    known: Segments
    days: Days


class LeadDemandPlanner:
    """Plans the daily budgets of all segments at once.

    >>> planner = LeadDemandPlanner(PlannerSettings(total_daily_cap=Decimal(2000)))
    >>> plan = planner.plan(history, segments, today=date(2026, 3, 11))  # doctest: +SKIP
    """

    def __init__(self, settings: PlannerSettings | None = None, estimator: Estimator | None = None) -> None:
        self.settings = settings or PlannerSettings()
        self.estimator = estimator or estimate

    def plan(
        self, history: pd.DataFrame | Iterable[pd.DataFrame], segments: pd.DataFrame, today: dt.date
    ) -> pd.DataFrame:
        """Decide every segment's budget for `today`.

        `history`: one row per (segment_id, date), as known this morning, in one frame or in parts that need not be in
          memory together; rows of today and later are ignored.
          Needed: leads_generated, leads_accepted, leads_rejected, leads_pending, google_ads_leads (leads per day),
          google_ads_spend (EUR), and leads_without_source where the frame has that column: without it the caller
          guarantees that every lead has a source. Used where known: google_ads_budget (EUR in force that day),
          capacity_total_leads and what of it was away, capacity_absent_leads and capacity_absent_week as below.
        `segments`: one row per segment_id: current_budget, min_daily_budget, max_daily_budget (EUR), max_increase_pct,
          max_decrease_pct (20 means 20%), cooldown_days, capacity_total_leads, target_override (leads per day),
          last_change_date (NULL = never changed), budget_limited (bool), blocks (codes that stop the segment), and
          optionally country (of whose public holidays the settings know), branch (whose season it shares), code and
          name for the sentence; where partners announced that they are away, capacity_absent_leads (leads per day that
          are missing from today's capacity), capacity_absent_week (mean of today and the six days after it; NULL = no
          absence) and capacity_absent_until (the last day of it; NULL = until further notice); budget_lost_share (0 to
          1: of the searches of the last 14 days, what the channel says was missed for want of budget) and
          recommended_budget (EUR, the channel's own), which only check an increase and are mentioned; month_cap (EUR
          per day that the segment's monthly budget leaves; NULL = it has none). Otherwise NULL means unknown; an absent
          column is all NULL.

        Returns one row per segment_id, in the order given:
          action ('increase', 'decrease', 'hold'), is_blocked (a hold for want of data: may be evaluated again today),
          new_budget (Decimal, a multiple of the currency unit when changed; on a hold the current budget, None if
          unknown), reasons (list of codes), sentence, needs_approval;
          target_leads_per_day, expected_leads_per_day (generated leads on a day like today at today's budget, NaN if
          unknown), expected_low, expected_high: the central interval (80% unless set otherwise) of that expectation. It
          covers the uncertainty of the rates, not the variation of single days: the counts of the coming week vary
          more, by at least the square root of their number;
          target_week, expected_week (leads per day over the week: what is decided by), gap_exact (between these
          two), sd (of the gap), expected_after (of the week, at new_budget);
          acceptance_rate, free_rate (leads per day), paid_rate (paid leads per EUR at today's budget), wanted_budget
          (EUR, float, before any limit; NaN where no budget would do), spend_after (EUR per day, float, expected at
          new_budget), estimate (dict, what `Estimate.with_kept` takes; None where the days are unusable).

        Raises KeyError where a frame that has rows lacks the key columns segment_id or date.
        """
        morning = self.read(history, segments, today)
        return self.decide(morning, self.estimate(morning))

    def read(self, history: pd.DataFrame | Iterable[pd.DataFrame], segments: pd.DataFrame, today: dt.date) -> Morning:
        """The two frames of `plan` as arrays, with capacity as the level of the week."""
        day, settings = np.datetime64(pd.Timestamp(today).date(), "D"), self.settings
        known = read_segments(segments, day)
        parts = [history] if isinstance(history, pd.DataFrame) else history
        days = read_days(parts, known.ids, day, settings.window_days, settings.min_history_days, settings.missing_days)
        calendar = Calendar.of(known.country, settings.holidays)
        return Morning(day, calendar, known.capacity, *coming_week(known, days, calendar))

    def estimate(self, morning: Morning) -> Estimate:
        """What each segment may expect."""
        return self.estimator(morning.known, morning.days, morning.calendar, morning.today, self.settings.assumptions)

    def decide(self, morning: Morning, rates: Estimate) -> pd.DataFrame:
        """The answer of `plan`, from what was read and estimated."""
        settings, days, today = self.settings, morning.days, morning.today
        known = self.truly_limited(morning.known, rates)
        forecast = forecast_of(known, morning.capacity, rates, settings.interval)

        held = holds(known, days, rates, settings)
        stopped = np.logical_or.reduce([*held.values(), bools(map(bool, known.blocks))])
        choice = choose(known, days, forecast, held, stopped, today, settings)
        choice = share_increases(choice, known, rates, forecast, settings)
        choice = keep_months(choice, known, rates, forecast, stopped, settings)
        return result_frame(choice, known, days, rates, forecast, settings, today)

    def truly_limited(self, known: Segments, rates: Estimate) -> Segments:
        """The same segments, without the flag `budget_limited` where the campaign leaves much of its budget unspent:
        Google goes on calling a campaign limited when its market is too small for its budget.
        """
        idle = (known.budget_limited == 1) & (rates.spend_share < self.settings.least_spent)
        return replace(known, budget_limited=np.where(idle, 0.0, known.budget_limited))
