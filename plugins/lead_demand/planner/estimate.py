"""What a segment may expect, estimated from noisy and late counts. Pure: one row a segment, one column a day.

Three rates are estimated: paid leads per effective euro, free leads per day, and the share of decided leads that
partners accept. Each drifts, so a filter follows it from day to day; each starts from the pool of all segments, so a
small segment borrows strength. How fast rates drift, how much days burst and how much segments differ is no setting:
it is learned from how well the past days could have been foretold, which is also what makes the intervals as wide as
they must be.

Clicks are no input: they sharpen a rate only as far as what a click brings is steadier than what a euro brings, and
would be one more number that can be missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Protocol

import numpy as np
from scipy.special import gammaln

from lead_demand.planner.inputs import Days, Segments
from lead_demand.planner.week import Calendar

# What a rate may do: drift (standard deviation of a day's change of its log), burst (variance of a day's rate, as a
# part of its square) and differ between segments (how many of its own leads tell as much of a segment as the pool).
DRIFTS = (0.003, 0.01, 0.02, 0.04)
BURSTS = (0.0, 0.1, 0.4)
STRENGTHS = (2.0, 6.0, 20.0)
# The same for what moves many segments together: a season may be quicker, and strength is in leads.
SHARED_DRIFTS, SHARED_STRENGTH = (*DRIFTS, 0.05), 100.0
# A day that lies so many standard deviations from what was foretold of many segments together is no drift (a holiday
# begins, a law changes): what was known of their level is then worth no more than this part. Of days that let expect
# fewer leads than this, chance alone is too far too often.
LEAP, LEAP_KEEPS, LEAP_LEADS = 4.0, 0.01, 10.0
ENOUGH_SEGMENTS = 200  # to judge the guesses by; the others share the verdict
# Where a rate of the pool is only a starting point: leads, decided leads, days.
PRIOR_LEADS, PRIOR_DECIDED, RECENT_DAYS = 5.0, 20.0, 28.0
# How far campaigns lie apart (standard deviations) in what no count tells: the elasticity, and the part of a budget
# that is spent.
ELASTICITY_SPREAD, SPENT_SPREAD = 0.06, 0.05
# What a day's spend usually swings about the budget, and how many days of the pool that is worth: Google may spend
# twice the budget on a day, and on a first morning nothing but yesterday tells.
USUAL_SWING, SWING_DAYS = 0.3, 2.0
# Days after which a lead that will be decided has been, and how many such days tell how the younger ones will end.
DECIDED_AFTER, DECIDED_DAYS = 28, 7


@dataclass(frozen=True)
class Assumptions:
    """What the estimate takes as given."""

    elasticity: float
    outage_expected_leads: float
    outage_min_days: int


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
    "free_today",
)


@dataclass(frozen=True)
class Estimate:
    """Rates of each segment with their variances, all float arrays of shape (segments,).

    `paid_rate` is paid leads per effective euro, where `spend` euros a day are
    `reference ** (1 - elasticity) * spend ** elasticity` effective euros.
    """

    elasticity: float
    reference: np.ndarray
    paid_rate: np.ndarray
    paid_rate_variance: np.ndarray
    free_rate: np.ndarray
    free_rate_variance: np.ndarray
    acceptance: np.ndarray
    acceptance_variance: np.ndarray
    spend_share: np.ndarray  # of the budget in force, what is really spent
    spend_share_variance: np.ndarray
    recent_spend: np.ndarray  # EUR a day
    paid_today: np.ndarray  # what today's weekday is of the week's mean, for paid and for free leads
    free_today: np.ndarray
    outage: np.ndarray  # bool: money is spent and nothing arrives, up to and including yesterday
    known: np.ndarray  # bool: there was any paid lead to learn from
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

    def leads(self, spend: np.ndarray) -> np.ndarray:
        """Leads per day, paid and free, at `spend` EUR per day, as the mean of the week."""
        return self.paid_rate * self._effective(spend) + self.free_rate

    def leads_today(self, spend: np.ndarray) -> np.ndarray:
        """The same of a day like today."""
        return self.paid_today * self.paid_rate * self._effective(spend) + self.free_today * self.free_rate

    def leads_variance(self, spend: np.ndarray) -> np.ndarray:
        """How uncertain `leads` is: variance of the expected leads a day, not of the counts about it.

        Of the rates, of what a budget becomes in spend, and of the curve, the more the further `spend` is from what
        the counts were bought with.
        """
        bought = (spend > 0) & (self.reference > 0)
        away = np.log(np.divide(spend, self.reference, out=np.ones_like(spend), where=bought))
        of_spend = self.spend_share_variance * (self.elasticity / self.spend_share) ** 2
        of_paid = self.paid_rate_variance + self.paid_rate**2 * (of_spend + (ELASTICITY_SPREAD * away) ** 2)
        return of_paid * self._effective(spend) ** 2 + self.free_rate_variance

    def spend_for(self, paid_leads: np.ndarray) -> np.ndarray:
        """EUR a day that bring `paid_leads` a day; infinite where nothing was ever bought."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            effective = np.maximum(paid_leads, 0) / (self.paid_rate * self.reference ** (1 - self.elasticity))
            return np.where(paid_leads > 0, effective ** (1 / self.elasticity), 0.0)

    def _effective(self, spend: np.ndarray) -> np.ndarray:
        return self.reference ** (1 - self.elasticity) * spend**self.elasticity


class Estimator(Protocol):
    """A forecast: what each segment may expect this morning. `estimate` is ours; another may be put in its place."""

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
    reference = _ratio((recent * spend).sum(1), (recent * (spend > 0)).sum(1))
    pool_reference = float(reference[reference > 0].mean()) if (reference > 0).any() else 0.0
    reference = np.where(reference > 0, reference, pool_reference)
    effective = reference[:, None] ** (1 - assume.elasticity) * spend**assume.elasticity
    on, now = calendar.weekdays(days.dates), calendar.weekdays(np.array([today]))[:, 0]
    lost, outage = _outages(known, paid, effective * _weekday_factors(on, paid, effective)[on], assume)
    counted = known & ~lost
    paid_factors = _weekday_factors(on, paid * counted, effective * counted)
    free_factors = _weekday_factors(on, free * counted, counted.astype(float))
    effective *= paid_factors[on]

    free_rate, free_variance = _rate(counted, free, np.ones_like(free) * free_factors[on], branch)
    acceptance, acceptance_variance = _share(known, accepted, decided)
    paid_rate, paid_variance = _rate(counted, paid, effective, branch)

    lately = known & (days.dates >= today - np.timedelta64(14, "D"))
    budget = np.where(lately & (days["google_ads_budget"] > 0), days["google_ads_budget"], 0.0)
    share, share_variance = _spend_share(spend * (budget > 0), budget)
    return Estimate(
        elasticity=assume.elasticity,
        reference=reference,
        paid_rate=paid_rate,
        paid_rate_variance=paid_variance,
        free_rate=free_rate,
        free_rate_variance=free_variance,
        acceptance=acceptance,
        acceptance_variance=acceptance_variance,
        spend_share=share,
        spend_share_variance=share_variance,
        recent_spend=_ratio((lately * spend).sum(1), lately.sum(1)),
        paid_today=np.broadcast_to(paid_factors[now], reference.shape),
        free_today=np.broadcast_to(free_factors[now], reference.shape),
        outage=outage,
        known=np.full(len(reference), paid_rate.sum() > 0),
        acceptance_known=bool(decided.sum() > 0),
    )


def _spend_share(spend: np.ndarray, budget: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a campaign spends of its budget, and its variance: near all of it, unless its days say otherwise; the more
    days swing, over all segments together, the less a few of them say. Without a day it is only not known."""
    days = (budget > 0).sum(1)
    own = _ratio(spend.sum(1), budget.sum(1))
    swings = np.where(budget > 0, _ratio(spend, budget) - own[:, None], 0.0)
    freedom = days.sum() - (days > 0).sum()
    swing = (SWING_DAYS * USUAL_SWING**2 + (swings**2).sum()) / (SWING_DAYS + freedom)
    trust = days / (days + swing / SPENT_SPREAD**2)
    return np.maximum(1 + trust * (own - 1), 0.05), SPENT_SPREAD**2 * (1 - trust)


def _decided_evenly(accepted: np.ndarray, rejected: np.ndarray, generated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Accepted and decided leads as if a yes took as long as a no, shape (segments, days) each.

    Of young days the quicker verdict is over-represented. Days of more than four weeks ago tell what share is accepted
    in the end; the leads of a day that are still open, all segments together, tell how far from it the share that is
    seen may be. A share that chance explains as well is left as it is.
    """
    old = slice(0, max(accepted.shape[1] - DECIDED_AFTER, 0))
    yes, no, leads = (counts[:, old].sum() for counts in (accepted, rejected, generated))
    if old.stop < DECIDED_DAYS or not (yes and no):
        return accepted, accepted + rejected
    in_the_end, ever = yes / (yes + no), (yes + no) / leads

    def smooth(counts: np.ndarray) -> np.ndarray:
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


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.zeros(np.shape(bottom)), where=bottom > 0)


def _weekday_factors(on: np.ndarray, count: np.ndarray, exposure: np.ndarray, prior: float = 50.0) -> np.ndarray:
    """How much more each weekday brings for its exposure than the mean of the week, over all segments together, shape
    (7,). `on` is each day's weekday, shape (segments, days) or (1, days).

    `prior` is in leads: with few leads in the pool the factors stay near one.
    """
    rate = _ratio(count.sum(1), exposure.sum(1))
    expected = _by_weekday(on, exposure * rate[:, None])
    seen = _by_weekday(on, np.where(exposure > 0, count, 0))
    factors = (seen + prior) / (expected + prior)
    return np.asarray(factors / factors.mean())


def _by_weekday(on: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values of shape (segments, days) added up by weekday, shape (7,)."""
    if len(on) == 1:
        values = values.sum(0, keepdims=True)
    return np.bincount(on.ravel(), values.ravel(), minlength=7)


def _rate(
    known: np.ndarray, count: np.ndarray, exposure: np.ndarray, branch: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each segment's rate of `count` per `exposure` this morning, and its variance.

    What moves all segments together is followed in their sum, what moves a branch (its season) in the sum of what is
    left of it, and each segment in what is left then.
    """
    count, exposure = np.where(known, count, 0.0), np.where(known, exposure, 0.0)
    if not (count.sum() > 0 and exposure.sum() > 0):
        return np.zeros(len(count)), np.zeros(len(count))
    # The pool is a random-effects mean: a large segment says much of itself, but no more of the others than they do.
    trust = 1 / (PRIOR_LEADS * exposure.sum() / count.sum() + exposure.sum(1))
    seen, exposed = (trust * count.sum(1)).sum(), (trust * exposure.sum(1)).sum()
    pool = seen / exposed
    usual = ((PRIOR_LEADS + count.sum(1)) / (PRIOR_LEADS / pool + exposure.sum(1)))[:, None]
    relative = np.zeros(len(count))  # variance of the levels that are shared, as a part of their squares
    for group in (np.zeros_like(branch), branch):
        groups = int(group.max()) + 1
        if groups == 1 and group is branch:
            continue  # all of one branch: its season is everybody's
        together = (_summed(count, group, groups), _summed(exposure * usual, group, groups))
        now, shared, path = _judged(*together, 1.0, (SHARED_DRIFTS, BURSTS, (SHARED_STRENGTH,)), may_leap=True)
        exposure = exposure * (path / now[:, None])[group]
        relative += (shared / now**2)[group]
    mean, variance, _ = _judged(count, exposure, pool, (DRIFTS, BURSTS, STRENGTHS))
    return mean, variance + mean**2 * relative


def _summed(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Rows added up by group, shape (groups, days)."""
    total = np.zeros((groups, values.shape[1]))
    np.add.at(total, group, values)
    return total


def _share(known: np.ndarray, part: np.ndarray, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each segment's share of `part` in `whole` this morning, and its variance: no season moves what is accepted."""
    part, whole = np.where(known, part, 0.0), np.where(known, whole, 0.0)
    # One accepted and one rejected lead are added, so that no share is ever nought or one.
    trust = 1 / (PRIOR_DECIDED + whole.sum(1))
    seen = (trust * part.sum(1)).sum() + 1 / PRIOR_DECIDED
    exposed = (trust * whole.sum(1)).sum() + 2 / PRIOR_DECIDED
    return _judged(part, whole, seen / exposed, (DRIFTS, (0.0,), STRENGTHS), is_share=True)[:2]


def _judged(
    count: np.ndarray,
    exposure: np.ndarray,
    pool: float,
    guesses: tuple[tuple[float, ...], ...],
    *,
    is_share: bool = False,
    may_leap: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and variance of each rate this morning, shape (segments,), and its mean after each day, shape (segments,
    days). `is_share`: the count is a part of the exposure; `may_leap`: a rate may move at once, see `_filter`.

    Drift, burst and strength are not known: every guess of the three (`guesses` holds what each may be) is judged by
    how well it foretold all segments' days from the days before. The answer is the mean over the guesses, weighted by
    that; the variance holds what they disagree about.
    """
    table = np.array(list(product(*guesses)))
    sample = slice(None, None, 1 + len(count) // ENOUGH_SEGMENTS)
    hits, tries = _filter(count[sample], exposure[sample], pool, table, is_share, may_leap)
    fit = _fit(count[sample], exposure[sample], hits[:-1], tries[:-1], table, is_share)
    weight = np.exp(fit - fit.max())
    best = np.argsort(-weight, kind="stable")
    best = best[: 1 + int((weight[best].cumsum() < 0.98 * weight.sum()).sum())]  # the rest only costs time
    weight = weight[best] / weight[best].sum()
    if len(count) > len(count[sample]):
        hits, tries = _filter(count, exposure, pool, table[best], is_share, may_leap)
    else:
        hits, tries = hits[:, best], tries[:, best]
    means = np.einsum("g,dgs->sd", weight, hits[1:] / tries[1:])
    each = hits[-1] / tries[-1]
    variance = each * (1 - each) / (tries[-1] + 1) if is_share else each / tries[-1]
    mean = weight @ each
    return mean, np.maximum(weight @ (variance + each**2) - mean**2, 0), means


def _filter(
    count: np.ndarray, exposure: np.ndarray, pool: float, guesses: np.ndarray, is_share: bool, may_leap: bool
) -> tuple[np.ndarray, np.ndarray]:
    """What is known of each rate each morning, the last being today, under each guess: a Gamma distribution (a Beta
    for a share) worth so many hits in so many tries; two arrays of shape (days + 1, guesses, segments).

    A day adds its counts, the less the more days burst; a night's drift takes a part of both away, and so does a day
    that is too far from what was foretold, before it is counted.
    """
    drift, burst, strength = (column[:, None] for column in guesses.T)
    usual = (PRIOR_LEADS + count.sum(1)) / (PRIOR_LEADS / pool + exposure.sum(1))
    started = np.logical_or.accumulate(exposure > 0, axis=1)
    hits = np.empty((count.shape[1] + 1, len(guesses), len(count)))
    tries = np.empty_like(hits)
    hits[0], tries[0] = strength, strength / pool
    for day in range(count.shape[1]):
        loud = 1 + burst * (usual * exposure[:, day])
        before, tried_before = hits[day], tries[day]
        if may_leap:
            foretold = exposure[:, day] * before / tried_before
            away = np.abs(count[:, day] - foretold)
            far = away > LEAP * np.sqrt(foretold * loud + foretold**2 / before)
            keeps = np.where(far & (foretold >= LEAP_LEADS), LEAP_KEEPS, 1.0)
            before, tried_before = before * keeps, tried_before * keeps
        hit, tried = before + count[:, day] / loud, tried_before + exposure[:, day] / loud
        spread = hit * (1 - hit / tried) if is_share else hit
        keep = 1 / (1 + drift**2 * started[:, day] * spread)
        hits[day + 1], tries[day + 1] = hit * keep, tried * keep
    return hits, tries


def _fit(
    count: np.ndarray, exposure: np.ndarray, hits: np.ndarray, tries: np.ndarray, guesses: np.ndarray, is_share: bool
) -> np.ndarray:
    """Log likelihood of all counts under each guess, but for a constant, each day being foretold from the days before:
    negative binomial, for a share beta-binomial. A lead of a day without spend (a click of the eve) judges no guess.
    """
    seen, exposed = np.where(exposure > 0, count, 0.0).T[:, None, :], exposure.T[:, None, :]
    if is_share:
        misses, missed = tries - hits, exposed - seen
        each = gammaln(hits + seen) - gammaln(hits) + gammaln(misses + missed) - gammaln(misses)
        each += gammaln(tries) - gammaln(tries + exposed)
    else:
        shape = 1 / (guesses[:, 1, None] + 1 / hits)
        part = exposed * hits / tries
        part /= shape + part
        each = gammaln(shape + seen) - gammaln(shape) + shape * np.log1p(-part)
        each += seen * np.log(np.where(seen > 0, part, 1.0))
    return each.sum((0, 2))


def _outages(
    counted: np.ndarray, paid: np.ndarray, effective: np.ndarray, assume: Assumptions
) -> tuple[np.ndarray, np.ndarray]:
    """Days on which leads were lost on the way, shape (segments, days), and the segments where that still goes on.

    A run of days with spend and without one paid lead is an outage when the segment's other days let expect
    `outage_expected_leads` in it: with five, chance does that in 7 of 1,000 cases. All segments together are judged
    the same way, with twice as many leads: a tag that breaks for everybody is seen on its first day.
    """
    usual = counted * effective * _ratio((counted * paid).sum(1), (counted * effective).sum(1))[:, None]
    lost, ongoing = _silent_runs(counted, paid, usual, assume.outage_expected_leads, assume.outage_min_days)
    all_lost, all_ongoing = _silent_runs(
        counted.max(axis=0, keepdims=True, initial=False),
        (counted * paid).sum(axis=0, keepdims=True),
        usual.sum(axis=0, keepdims=True),
        2 * assume.outage_expected_leads,
        min_days=1,
    )
    return (lost | all_lost) & counted, ongoing | all_ongoing


def _silent_runs(
    counted: np.ndarray, paid: np.ndarray, usual: np.ndarray, too_many: float, min_days: int
) -> tuple[np.ndarray, np.ndarray]:
    """Days inside a run without a lead in which at least `too_many` are usual, and whether the run goes on."""
    silent = counted & (paid == 0)
    total, leads = usual.sum(1), (counted * paid).sum(1)
    lost = np.zeros_like(silent)
    run_days, run_usual = np.zeros(len(paid)), np.zeros(len(paid))
    for day in range(paid.shape[1]):  # forward: what would have been usual since the last lead
        quiet = silent[:, day] | ~counted[:, day]
        run_days = np.where(quiet, run_days + counted[:, day], 0)
        run_usual = np.where(quiet, run_usual + usual[:, day], 0)
        expected = run_usual * _ratio(leads, total - run_usual)  # the run itself must not water down its own measure
        lost[:, day] = quiet & (expected >= too_many) & (run_days >= min_days)
    ongoing = lost[:, -1].copy()
    for day in range(paid.shape[1] - 2, -1, -1):  # backward: the whole run was lost, not only its end
        lost[:, day] |= lost[:, day + 1] & (silent[:, day] | ~counted[:, day])
    return lost, ongoing
