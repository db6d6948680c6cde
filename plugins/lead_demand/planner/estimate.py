"""What a segment may expect, estimated from noisy and late counts. Pure: one row per segment, one column per day.

Three quantities are estimated: paid leads per effective euro, free leads per day, and the share of decided leads that
partners accept. The model is empirical Bayes: a Gamma-Poisson filter for the two rates and a Beta-binomial filter for
the share, with discounting as in a dynamic generalised linear model (West & Harrison 1997, ch. 14); `rate_filter`
states it and has the citations. Each segment starts from the pool of all, so that a small one borrows strength. How
fast rates drift, how much days burst and how much segments differ is not a setting: it is learned from how well the
past days would have been predicted, which also makes the intervals as wide as they must be.

Spend acts with diminishing returns: leads grow with a power of spend (constant elasticity).

Clicks are no input: they sharpen a rate only as far as leads per click are steadier than leads per euro, and would be
one more number that can be missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from scipy.special import gammaln

from lead_demand.planner.arrays import Bools, Floats, Integers, ratio
from lead_demand.planner.inputs import Days, Segments
from lead_demand.planner.outages import outages
from lead_demand.planner.rate_filter import Moments, filtered_rate, filtered_share
from lead_demand.planner.settings import Assumptions
from lead_demand.planner.week import Calendar

RECENT_DAYS = 28.0  # half-life of the days that tell the usual spend
# How many leads the prior of a weekday's factor, which is one, may be worth: few where weekends differ much from other
# days, many where all days are alike. A fixed worth would hold the factors of weekends too near one for months.
WEEKDAY_STRENGTHS = np.array([10.0, 50.0, 250.0])
# Standard deviations between campaigns of what the counts do not tell: the elasticity, and the share of a budget that
# is spent.
ELASTICITY_SPREAD, SPENT_SPREAD = 0.06, 0.05
# Standard deviation of a day's spend as a part of the budget, and how many days of the pool this prior is worth: Google
# may spend twice the budget on a day, and on a first morning only yesterday is known.
USUAL_SWING, SWING_DAYS = 0.3, 2.0
# Days after which a lead that will be decided has been, and how many such days are needed to correct the younger ones.
DECIDED_AFTER, DECIDED_DAYS = 28, 7


#: The numbers of each segment that make an estimate.
KEPT = (
    "reference",
    "paid_rate",
    "paid_rate_variance",
    "free_rate",
    "free_rate_variance",
    "acceptance",
    "acceptance_variance",
    "spend_share",
    "spend_share_variance",
    "recent_spend",
    "paid_today",
    "paid_today_variance",
    "free_today",
    "free_today_variance",
)


@dataclass(frozen=True)
class Estimate:
    """Rates of each segment with their variances.

    `paid_rate` is paid leads per effective euro, where `spend` euros per day are
    `reference ** (1 - elasticity) * spend ** elasticity` effective euros.
    """

    elasticity: float
    reference: Floats
    paid_rate: Floats
    paid_rate_variance: Floats
    free_rate: Floats
    free_rate_variance: Floats
    acceptance: Floats
    acceptance_variance: Floats
    spend_share: Floats  # of the budget in force, what is really spent
    spend_share_variance: Floats
    recent_spend: Floats  # EUR per day
    paid_today: Floats  # factor of today's weekday to the mean of the week, for paid and for free leads
    paid_today_variance: Floats
    free_today: Floats
    free_today_variance: Floats
    outage: Bools  # money is spent and no lead arrives, up to and including yesterday
    known: Bools  # there was any paid lead to learn from
    acceptance_known: bool

    def kept(self) -> list[dict[str, float]]:
        """What has to be kept of each segment to have the same estimate again, see `with_kept`."""
        columns = {name: getattr(self, name).tolist() for name in KEPT}
        rows = zip(*columns.values(), strict=True)
        return [dict(zip(columns, row, strict=True)) | {"elasticity": self.elasticity} for row in rows]

    def with_kept(self, kept: Sequence[Mapping[str, float] | None]) -> Estimate:
        """The same with what was kept of an earlier one, segment by segment; None, or numbers of another curve or of
        another release = this one's.
        """
        same = {*KEPT, "elasticity"}
        rows = [row if row and row.keys() == same and row["elasticity"] == self.elasticity else None for row in kept]
        there = np.array([row is not None for row in rows], dtype=bool)
        earlier: dict[str, Any] = {
            name: np.where(there, [np.nan if row is None else row[name] for row in rows], getattr(self, name))
            for name in KEPT
        }
        return replace(self, **earlier, known=self.known | there, outage=self.outage & ~there)

    def leads(self, spend: Floats) -> Floats:
        """Leads per day, paid and free, at `spend` EUR per day, as the mean of the week."""
        return self.paid_rate * self._effective(spend) + self.free_rate

    def leads_today(self, spend: Floats) -> Floats:
        """The same of a day like today."""
        return self.paid_today * self.paid_rate * self._effective(spend) + self.free_today * self.free_rate

    def leads_variance(self, spend: Floats) -> Floats:
        """Variance of the expected leads per day; not of the counts around it.

        It adds the variance of the rates, of the share of a budget that is spent, and of the elasticity: the last one
        counts more, the further `spend` is from the spend that bought the counts.
        """
        of_paid, of_free = self._variances(spend)
        return of_paid + of_free

    def leads_today_variance(self, spend: Floats) -> Floats:
        """The same of `leads_today`, to which the factors of today's weekday add their own variance."""
        of_paid, of_free = self._variances(spend)
        paid, free = self.paid_rate * self._effective(spend), self.free_rate
        # Of a product of two numbers that are independent of each other: a factor and the leads of the week.
        of_paid = self.paid_today**2 * of_paid + self.paid_today_variance * (paid**2 + of_paid)
        of_free = self.free_today**2 * of_free + self.free_today_variance * (free**2 + of_free)
        return of_paid + of_free

    def _variances(self, spend: Floats) -> tuple[Floats, Floats]:
        """Of the expected leads per day, paid and free, as the mean of the week."""
        bought = (spend > 0) & (self.reference > 0)
        away = np.log(np.divide(spend, self.reference, out=np.ones_like(spend), where=bought))
        of_spend = self.spend_share_variance * (self.elasticity / self.spend_share) ** 2
        of_paid = self.paid_rate_variance + self.paid_rate**2 * (of_spend + (ELASTICITY_SPREAD * away) ** 2)
        return of_paid * self._effective(spend) ** 2, self.free_rate_variance

    def spend_for(self, paid_leads: Floats) -> Floats:
        """EUR per day that bring `paid_leads` per day; infinite where nothing was ever bought."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            effective = np.maximum(paid_leads, 0) / (self.paid_rate * self.reference ** (1 - self.elasticity))
            return np.where(paid_leads > 0, effective ** (1 / self.elasticity), 0.0)

    def _effective(self, spend: Floats) -> Floats:
        return self.reference ** (1 - self.elasticity) * spend**self.elasticity


class Estimator(Protocol):
    """A forecast: what each segment may expect this morning. `estimate` is the default; another one may replace it."""

    def __call__(
        self, segments: Segments, days: Days, calendar: Calendar, today: np.datetime64, assume: Assumptions
    ) -> Estimate:
        """The rates of `segments`, in their order, from the days of the window before `today`. Pure."""


def estimate(segments: Segments, days: Days, calendar: Calendar, today: np.datetime64, assume: Assumptions) -> Estimate:
    """Estimate every segment's rates from the complete days of the window."""
    known, branch = days.complete, segments.branch
    paid, spend = np.where(known, days["google_ads_leads"], 0.0), np.where(known, days["google_ads_spend"], 0.0)
    free = np.where(known, days["leads_generated"], 0.0) - paid
    accepted, decided = _decided_evenly(
        *(np.where(known, days[name], 0.0) for name in ("leads_accepted", "leads_rejected", "leads_generated"))
    )

    recent = 0.5 ** (np.arange(spend.shape[1])[::-1] / RECENT_DAYS)
    reference = ratio((recent * spend).sum(1), (recent * (spend > 0)).sum(1))
    pool_reference = float(reference[reference > 0].mean()) if (reference > 0).any() else 0.0
    reference = np.where(reference > 0, reference, pool_reference)
    effective = reference[:, None] ** (1 - assume.elasticity) * spend**assume.elasticity
    on, now = calendar.weekdays(days.dates), calendar.weekdays(np.array([today]))[:, 0]
    lost, outage = outages(
        known,
        paid,
        effective * _weekday_factors(on, paid, effective).mean[on],
        assume.outage_expected_leads,
        assume.outage_min_days,
    )
    counted = known & ~lost
    paid_factors = _weekday_factors(on, paid * counted, effective * counted)
    free_factors = _weekday_factors(on, free * counted, counted.astype(float))
    effective *= paid_factors.mean[on]

    free_rate = filtered_rate(counted, free, np.ones_like(free) * free_factors.mean[on], branch)
    acceptance = filtered_share(known, accepted, decided)
    paid_rate = filtered_rate(counted, paid, effective, branch)

    lately = known & (days.dates >= today - np.timedelta64(14, "D"))
    budget = np.where(lately & (days["google_ads_budget"] > 0), days["google_ads_budget"], 0.0)
    spent = _spend_share(spend * (budget > 0), budget)
    return Estimate(
        elasticity=assume.elasticity,
        reference=reference,
        paid_rate=paid_rate.mean,
        paid_rate_variance=paid_rate.variance,
        free_rate=free_rate.mean,
        free_rate_variance=free_rate.variance,
        acceptance=acceptance.mean,
        acceptance_variance=acceptance.variance,
        spend_share=spent.mean,
        spend_share_variance=spent.variance,
        recent_spend=ratio((lately * spend).sum(1), lately.sum(1)),
        paid_today=np.broadcast_to(paid_factors.mean[now], reference.shape),
        paid_today_variance=np.broadcast_to(paid_factors.variance[now], reference.shape),
        free_today=np.broadcast_to(free_factors.mean[now], reference.shape),
        free_today_variance=np.broadcast_to(free_factors.variance[now], reference.shape),
        outage=outage,
        known=np.full(len(reference), paid_rate.mean.sum() > 0),
        acceptance_known=bool(decided.sum() > 0),
    )


def _spend_share(spend: Floats, budget: Floats) -> Moments:
    """The share of its budget that a campaign spends.

    A normal random-effects model around 1 with shrinkage: the more the days of all segments vary, the less a few days
    of one campaign count. Without any day the mean is 1 and the variance that between campaigns.
    """
    days = (budget > 0).sum(1)
    own = ratio(spend.sum(1), budget.sum(1))
    swings = np.where(budget > 0, ratio(spend, budget) - own[:, None], 0.0)
    freedom = days.sum() - (days > 0).sum()
    swing = (SWING_DAYS * USUAL_SWING**2 + (swings**2).sum()) / (SWING_DAYS + freedom)
    trust = days / (days + swing / SPENT_SPREAD**2)
    return Moments(np.maximum(1 + trust * (own - 1), 0.05), SPENT_SPREAD**2 * (1 - trust))


def _decided_evenly(accepted: Floats, rejected: Floats, generated: Floats) -> tuple[Floats, Floats]:
    """Accepted and decided leads, corrected as if acceptances took as long as rejections, shape (segments, days) each.

    On recent days the faster verdict is over-represented. Days of more than four weeks ago tell what share is accepted
    in the end; the number of leads of a day that are still open, of all segments together, bounds how far the observed
    share may be from it. A difference that chance explains as well is shrunk towards none.
    """
    old = slice(0, max(accepted.shape[1] - DECIDED_AFTER, 0))
    yes, no, leads = (counts[:, old].sum() for counts in (accepted, rejected, generated))
    if old.stop < DECIDED_DAYS or not (yes and no):
        return accepted, accepted + rejected
    in_the_end, ever = yes / (yes + no), (yes + no) / leads

    def smooth(counts: Floats) -> Floats:
        return np.convolve(np.pad(counts.sum(0), 1, mode="edge"), (0.25, 0.5, 0.25), "valid")

    yes, no = smooth(accepted) + 0.5, smooth(rejected) + 0.5
    leads = np.maximum(smooth(generated) * ever + 1, yes + no)
    seen = yes / (yes + no)
    likely = np.clip(in_the_end, yes / leads, 1 - no / leads)
    away = np.log(likely / (1 - likely)) - np.log(seen / (1 - seen))
    away *= away**2 / (away**2 + (0.25**2 + 0.5**2 + 0.25**2) * (1 / yes + 1 / no))
    share = 1 / (1 + (1 / seen - 1) * np.exp(-away))
    share[old] = seen[old]
    accepted, rejected = accepted * share / seen, rejected * (1 - share) / (1 - seen)
    return accepted, accepted + rejected


def _weekday_factors(on: Integers, count: Floats, exposure: Floats) -> Moments:
    """Leads of each weekday per exposure, relative to the mean of the week, of all segments together, shape (7,).

    Each factor has a Gamma prior around one. How much weekdays differ is not known: the answer is the mean over the
    prior's strengths, weighted by how well each explains the seven counts (empirical Bayes, as in `rate_filter`).

    `on` is each day's weekday, shape (segments, days) or (1, days).
    """
    rate = ratio(count.sum(1), exposure.sum(1))
    expected = _by_weekday(on, exposure * rate[:, None])
    seen = _by_weekday(on, np.where(exposure > 0, count, 0))
    prior = WEEKDAY_STRENGTHS[:, None]
    hits, tries = prior + seen, prior + expected
    # Negative binomial, up to a constant.
    fit = (gammaln(hits) - gammaln(prior) + prior * np.log(prior) - hits * np.log(tries)).sum(1)
    weight = np.exp(fit - fit.max())
    weight /= weight.sum()
    each = hits / tries
    mean = weight @ each
    variance = np.maximum(weight @ (each / tries + each**2) - mean**2, 0)
    # Relative to the mean of the week, of which the weekday is itself a part.
    part = mean / mean.sum()
    relative = variance / mean**2 * (1 - 2 * part) + variance.sum() / mean.sum() ** 2
    factor = mean / mean.mean()
    return Moments(factor, relative * factor**2)


def _by_weekday(on: Integers, values: Floats) -> Floats:
    """Values of shape (segments, days) added up by weekday, shape (7,)."""
    if len(on) == 1:
        values = values.sum(0, keepdims=True)
    return np.bincount(on.ravel(), values.ravel(), minlength=7).astype(float)
