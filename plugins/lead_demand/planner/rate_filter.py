"""Rates and shares that drift, followed from day to day: an empirical Bayes filter.

Model. A count of a day (leads per effective euro, leads per day) is Poisson with a rate that has a Gamma distribution;
a share (accepted of decided leads) is binomial with a probability that has a Beta distribution. Both are conjugate, so
the posterior of a day is two numbers, *hits* and *tries*: for a rate the shape and the rate parameter of the Gamma
distribution, for a share alpha and alpha + beta of the Beta distribution; the mean is hits / tries in both cases.

- Drift: between two days the posterior is discounted, both numbers by the same factor, so that the mean stays and the
  variance grows. This is the discount factor of a dynamic generalised linear model (West, Harrison & Migon 1985;
  West & Harrison 1997, ch. 14; for counts also Harvey & Fernandes 1989). The factor is not constant: it is chosen such
  that each night adds the same variance to the log of a rate (to the log odds of a share).
- Bursts: the counts of real days are overdispersed. A day is weighed less by the factor by which its variance exceeds
  that of a Poisson count (quasi-likelihood, McCullagh & Nelder 1989, ch. 9). A predictive count is negative binomial,
  and beta-binomial for a share.
- Pooling: the prior of each segment is the mean of all, worth `strength` leads (empirical Bayes, Robbins 1956; Efron &
  Morris 1973). What moves all segments, or one branch, is filtered in their sum first.
- Nothing of this is a setting. Drift, burst and strength are chosen from a small grid by the one-step-ahead predictive
  likelihood of all segments' days (prequential, Dawid 1984), and the answer is the mean over the grid weighted by it
  (Bayesian model averaging, Hoeting et al. 1999).

References:
  Robbins (1956), An empirical Bayes approach to statistics, Proc. Third Berkeley Symposium 1, 157-163.
  Efron & Morris (1973), Stein's estimation rule and its competitors, J. Am. Stat. Assoc. 68, 117-130.
  Dawid (1984), Statistical theory: the prequential approach, J. R. Stat. Soc. A 147, 278-292.
  West, Harrison & Migon (1985), Dynamic generalized linear models and Bayesian forecasting, J. Am. Stat. Assoc. 80,
    73-83.
  Harvey & Fernandes (1989), Time series models for count or qualitative observations, J. Bus. Econ. Stat. 7, 407-417.
  McCullagh & Nelder (1989), Generalized Linear Models, 2nd ed., Chapman & Hall.
  West & Harrison (1997), Bayesian Forecasting and Dynamic Models, 2nd ed., Springer.
  Hoeting, Madigan, Raftery & Volinsky (1999), Bayesian model averaging, Stat. Sci. 14, 382-417.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import gammaln

from lead_demand.planner.arrays import Bools, Floats, Integers


@dataclass(frozen=True)
class Grid:
    """What the parameters of a filter may be."""

    drifts: tuple[float, ...]  # standard deviation of a day's change of the log of a rate
    bursts: tuple[float, ...]  # variance of a day's rate around the drifting one, as a part of its square
    strengths: tuple[float, ...]  # how many leads of its own tell as much of a segment as the mean of all

    def combinations(self) -> Floats:
        """Every combination, shape (combinations, 3)."""
        return np.array(list(product(self.drifts, self.bursts, self.strengths)))


DRIFTS, BURSTS, STRENGTHS = (0.003, 0.01, 0.02, 0.04), (0.0, 0.1, 0.4), (2.0, 6.0, 20.0)
RATES = Grid(DRIFTS, BURSTS, STRENGTHS)
SHARES = Grid(DRIFTS, (0.0,), STRENGTHS)
#: Of many segments together: a season may move faster, and the strength is in leads.
SHARED = Grid((*DRIFTS, 0.05), BURSTS, (100.0,))
# A day that lies so many standard deviations from the prediction of many segments together is no drift (a holiday
# begins, a law changes): the posterior of their level is then discounted to this part. On days with fewer predicted
# leads than this, chance alone exceeds that distance too often.
LEAP, LEAP_KEEPS, LEAP_LEADS = 4.0, 0.01, 10.0
CHUNK = 1000  # segments whose posteriors of all days are held at once: ten thousand would be a hundred megabytes
ENOUGH_SEGMENTS = 200  # a sample of so many weighs the grid; the other segments use its weights
# How many leads, or decided leads, the mean of the pool is worth where it is only a starting point.
PRIOR_LEADS, PRIOR_DECIDED = 5.0, 20.0


@dataclass(frozen=True)
class Moments:
    """A posterior: its mean and variance, one of each per segment."""

    mean: Floats
    variance: Floats


@dataclass(frozen=True)
class _Filtered:
    """The posterior of this morning, and the mean after each day, shape (segments, days)."""

    now: Moments
    path: Floats


def filtered_rate(known: Bools, count: Floats, exposure: Floats, branch: Integers) -> Moments:
    """Each segment's rate of `count` per `exposure` this morning.

    What moves all segments together is filtered in their sum, what moves a branch (its season) in the sum of its
    residuals, and each segment in the residuals of both.

    `known`, `count` and `exposure` have shape (segments, days), the last day being yesterday; `branch` is a number per
    segment.
    """
    count, exposure = np.where(known, count, 0.0), np.where(known, exposure, 0.0)
    if not (count.sum() > 0 and exposure.sum() > 0):
        return Moments(np.zeros(len(count)), np.zeros(len(count)))
    # The pool is a random-effects mean: a large segment tells much about itself, but no more about the others than a
    # small one.
    trust = 1 / (PRIOR_LEADS * exposure.sum() / count.sum() + exposure.sum(1))
    seen, exposed = (trust * count.sum(1)).sum(), (trust * exposure.sum(1)).sum()
    pool = seen / exposed
    usual = ((PRIOR_LEADS + count.sum(1)) / (PRIOR_LEADS / pool + exposure.sum(1)))[:, None]
    relative = np.zeros(len(count))  # variance of the shared levels, as a part of their squares
    for group in (np.zeros_like(branch), branch):
        groups = int(group.max()) + 1
        if groups == 1 and group is branch:
            continue  # all of one branch: its season is the common level
        together = (_summed(count, group, groups), _summed(exposure * usual, group, groups))
        level = _filtered(*together, 1.0, SHARED, may_leap=True)
        exposure = exposure * (level.path / level.now.mean[:, None])[group]
        relative += (level.now.variance / level.now.mean**2)[group]
    own = _filtered(count, exposure, pool, RATES).now
    return Moments(own.mean, own.variance + own.mean**2 * relative)


def _summed(values: Floats, group: Integers, groups: int) -> Floats:
    """Rows added up by group, shape (groups, days)."""
    total = np.zeros((groups, values.shape[1]))
    np.add.at(total, group, values)
    return total


def filtered_share(known: Bools, part: Floats, whole: Floats) -> Moments:
    """Each segment's share of `part` in `whole` this morning; no season is assumed. Shapes as in `filtered_rate`."""
    part, whole = np.where(known, part, 0.0), np.where(known, whole, 0.0)
    # One accepted and one rejected lead are added, so that no share is ever 0 or 1.
    trust = 1 / (PRIOR_DECIDED + whole.sum(1))
    seen = (trust * part.sum(1)).sum() + 1 / PRIOR_DECIDED
    exposed = (trust * whole.sum(1)).sum() + 2 / PRIOR_DECIDED
    return _filtered(part, whole, seen / exposed, SHARES, is_share=True).now


def _filtered(
    count: Floats, exposure: Floats, pool: float, grid: Grid, *, is_share: bool = False, may_leap: bool = False
) -> _Filtered:
    """The posterior of each rate, as the mean over the grid.

    Drift, burst and strength are not known: each combination of the grid is weighted by its one-step-ahead predictive
    likelihood of all segments' days. The variance includes how much the combinations disagree.

    `is_share`: the count is a part of the exposure; `may_leap`: a rate may jump, see `_filter`.
    """
    table = grid.combinations()
    sample = slice(None, None, 1 + len(count) // ENOUGH_SEGMENTS)
    hits, tries = _filter(count[sample], exposure[sample], pool, table, is_share, may_leap)
    fit = _fit(count[sample], exposure[sample], hits[:-1], tries[:-1], table, is_share)
    weight = np.exp(fit - fit.max())
    best = np.argsort(-weight, kind="stable")
    # Only those that hold 98% of the weight: the others change nothing and cost time.
    best = best[: 1 + int((weight[best].cumsum() < 0.98 * weight.sum()).sum())]
    weight = weight[best] / weight[best].sum()
    if len(count) == len(count[sample]):
        return _mixed(hits[:, best], tries[:, best], weight, is_share)
    parts = []
    for first in range(0, len(count), CHUNK):
        part = slice(first, first + CHUNK)
        parts.append(
            _mixed(*_filter(count[part], exposure[part], pool, table[best], is_share, may_leap), weight, is_share)
        )
    moments = (np.concatenate([getattr(each.now, name) for each in parts]) for name in ("mean", "variance"))
    return _Filtered(Moments(*moments), np.concatenate([each.path for each in parts]))


def _mixed(hits: Floats, tries: Floats, weight: Floats, is_share: bool) -> _Filtered:
    """The mean over the rows of a grid, of posteriors of shape (days + 1, rows, segments)."""
    means = np.einsum("g,dgs->sd", weight, hits[1:] / tries[1:])
    each = hits[-1] / tries[-1]
    variance = each * (1 - each) / (tries[-1] + 1) if is_share else each / tries[-1]
    mean = weight @ each
    return _Filtered(Moments(mean, np.maximum(weight @ (variance + each**2) - mean**2, 0)), means)


def _filter(
    count: Floats, exposure: Floats, pool: float, table: Floats, is_share: bool, may_leap: bool
) -> tuple[Floats, Floats]:
    """The posterior of each rate on each morning, the last being today, under each row of `table` (drift, burst,
    strength): hits and tries of a Gamma distribution (of a Beta distribution for a share), two arrays of shape
    (days + 1, rows, segments).

    A day adds its counts, weighted less the more days burst; each night discounts both numbers for drift, and a day
    that is too far from its prediction discounts them before it is counted.
    """
    drift, burst, strength = (column[:, None] for column in table.T)
    usual = (PRIOR_LEADS + count.sum(1)) / (PRIOR_LEADS / pool + exposure.sum(1))
    started = np.logical_or.accumulate(exposure > 0, axis=1)
    hits = np.empty((count.shape[1] + 1, len(table), len(count)))
    tries = np.empty_like(hits)
    hits[0], tries[0] = strength, strength / pool
    for day in range(count.shape[1]):
        loud = 1 + burst * (usual * exposure[:, day])
        before, tried_before = hits[day], tries[day]
        if may_leap:
            predicted = exposure[:, day] * before / tried_before
            away = np.abs(count[:, day] - predicted)
            far = away > LEAP * np.sqrt(predicted * loud + predicted**2 / before)
            keeps = np.where(far & (predicted >= LEAP_LEADS), LEAP_KEEPS, 1.0)
            before, tried_before = before * keeps, tried_before * keeps
        hit, tried = before + count[:, day] / loud, tried_before + exposure[:, day] / loud
        spread = hit * (1 - hit / tried) if is_share else hit
        keep = 1 / (1 + drift**2 * started[:, day] * spread)
        hits[day + 1], tries[day + 1] = hit * keep, tried * keep
    return hits, tries


def _fit(count: Floats, exposure: Floats, hits: Floats, tries: Floats, table: Floats, is_share: bool) -> Floats:
    """Log likelihood of all counts under each row of `table`, up to a constant, each day predicted from the days before
    it: negative binomial, for a share beta-binomial. A lead of a day without spend (from a click of the day before) is
    left out.
    """
    seen, exposed = np.where(exposure > 0, count, 0.0).T[:, None, :], exposure.T[:, None, :]
    if is_share:
        misses, missed = tries - hits, exposed - seen
        each = gammaln(hits + seen) - gammaln(hits) + gammaln(misses + missed) - gammaln(misses)
        each += gammaln(tries) - gammaln(tries + exposed)
    else:
        shape = 1 / (table[:, 1, None] + 1 / hits)
        part = exposed * hits / tries
        part /= shape + part
        each = gammaln(shape + seen) - gammaln(shape) + shape * np.log1p(-part)
        each += seen * np.log(np.where(seen > 0, part, 1.0))
    return np.asarray(each.sum((0, 2)))
