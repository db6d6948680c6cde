"""Forecasts that the planner can be given: ours, which decides, and what it is measured against.

Another one is a class whose objects are called as `Estimator` says, and an entry here; `lead_backtest` then replays the
past with it and reports how often it held. One that does not model the response to spend or the acceptance takes ours
and replaces the rates, as below.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lead_demand.planner.arrays import Floats
from lead_demand.planner.estimate import Estimate, Estimator, estimate
from lead_demand.planner.inputs import Days, Segments
from lead_demand.planner.rate_filter import Moments
from lead_demand.planner.settings import Assumptions
from lead_demand.planner.week import Calendar


@dataclass(frozen=True)
class LastDays:
    """The plain mean of the last `days` days, as a spreadsheet would compute it."""

    days: int

    def __call__(
        self, segments: Segments, days: Days, calendar: Calendar, today: np.datetime64, assume: Assumptions
    ) -> Estimate:
        ours = estimate(segments, days, calendar, today, assume)
        lately = days.complete & (days.dates >= today - np.timedelta64(self.days, "D"))
        paid = np.where(lately, days["google_ads_leads"], 0.0)
        free = np.where(lately, days["leads_generated"], 0.0) - paid
        spend = np.where(lately, days["google_ads_spend"], 0.0)
        bought = (ours.reference[:, None] ** (1 - assume.elasticity) * spend**assume.elasticity).sum(1)

        paid_rate = _rate(paid, bought, ours.paid_rate, ours.paid_rate_variance)
        free_rate = _rate(free, lately.sum(1).astype(float), ours.free_rate, ours.free_rate_variance)
        return replace(
            ours,
            paid_rate=paid_rate.mean,
            paid_rate_variance=paid_rate.variance,
            free_rate=free_rate.mean,
            free_rate_variance=free_rate.variance,
        )


def _rate(leads: Floats, exposure: Floats, ours: Floats, our_variance: Floats) -> Moments:
    """Leads (segments, days) per exposure (segments,), and its variance; ours where there is no exposure."""
    some = exposure > 0
    per = np.where(some, exposure, 1.0)
    counted = leads.sum(1)
    return Moments(np.where(some, counted / per, ours), np.where(some, (counted + 1) / per**2, our_variance))


#: By the name that `lead_backtest` is told. The first one decides the budgets.
FORECASTS: dict[str, Estimator] = {"rates": estimate, "last_28_days": LastDays(28), "last_7_days": LastDays(7)}
