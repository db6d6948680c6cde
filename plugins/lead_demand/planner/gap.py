"""The lead gap: the leads per day that today's budget is expected to bring, the target, and how far apart they are."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from lead_demand.planner.arrays import Floats
from lead_demand.planner.estimate import Estimate
from lead_demand.planner.inputs import Segments, as_euros


@dataclass(frozen=True)
class Forecast:
    """Generated leads per day at today's budget, and the target: of a day like today, and as the mean of the week, by
    which the budget is decided. NaN where not known.
    """

    expected: Floats  # of a day like today
    low: Floats  # central interval of `expected`
    high: Floats
    target: Floats  # of today
    week_expected: Floats
    week_target: Floats
    sd: Floats  # standard deviation of `gap`
    wanted: Floats  # EUR per day that would close the gap, before any limit

    @property
    def gap(self) -> Floats:
        """Leads per day that are missing over the week; negative where too many are expected."""
        return self.week_target - self.week_expected


def forecast_of(known: Segments, capacity: Floats, rates: Estimate, interval: float) -> Forecast:
    """What today's budget brings, and what is wanted: partners' capacity divided by the share of leads they accept.

    `capacity`: of today (that of `known` is the level of the week); `interval`: the chance that `low` to `high` holds
    the true mean.
    """
    spend = spend_at(as_euros(known.current), known, rates)
    expected, variance = rates.leads(spend), rates.leads_variance(spend)
    by_person = ~np.isnan(known.target_override)
    target = np.where(by_person, known.target_override, known.capacity / rates.acceptance)
    of_today = np.where(by_person, known.target_override, capacity / rates.acceptance)
    target_variance = np.where(by_person, 0.0, rates.acceptance_variance * (target / rates.acceptance) ** 2)
    wanted = rates.spend_for(target - rates.free_rate)
    wanted = np.where(known.budget_limited == 1, wanted / rates.spend_share, wanted)
    today = rates.leads_today(spend)
    low, high = _gamma_interval(today, rates.leads_today_variance(spend), interval)
    sd = np.sqrt(variance + target_variance)
    return Forecast(today, low, high, of_today, expected, target, sd, wanted)


def spend_at(budget: Floats, known: Segments, rates: Estimate) -> Floats:
    """EUR per day that a campaign spends of a budget: its usual share where the budget limits it, else at most what it
    spent lately.
    """
    return np.where(known.budget_limited == 1, budget * rates.spend_share, np.minimum(budget, rates.recent_spend))


def leads_per_euro(rates: Estimate, spend: Floats) -> Floats:
    """Paid leads per EUR at `spend` EUR per day; NaN where nothing is spent."""
    paid = rates.leads(spend) - rates.free_rate
    return np.asarray(np.divide(paid, spend, out=np.full(len(spend), np.nan), where=spend > 0))


def _gamma_interval(mean: Floats, variance: Floats, level: float) -> tuple[Floats, Floats]:
    """Central interval of a Gamma distribution with this mean and variance, NaN passed on.

    The cube root of a Gamma variable is nearly normal (Wilson & Hilferty 1931, PNAS 17).
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    relative = np.divide(np.sqrt(variance), mean, out=np.zeros_like(mean), where=mean > 0) / 3
    low, high = (mean * np.maximum(1 - relative**2 + sign * z * relative, 0) ** 3 for sign in (-1, 1))
    return low, high
