"""What a segment may expect, estimated from noisy and late counts. Pure numpy: one row a segment, one column a day.

Three rates are estimated, each shrunk toward the pool of all segments so that a small segment borrows strength:
paid leads per effective euro, free leads per day, and the share of decided leads that partners accept. Older days
weigh less (a half-life), which also keeps the intervals honest when rates drift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lead_demand.planner_inputs import Days

# For choosing a half-life: what each segment's rate starts from, the days before predictions are judged, what each
# doubling away from the default must be worth, and how many segments tell enough about all of them.
PRIOR_LEADS = 5.0
BURN_IN_DAYS = 14
NATS_PER_DOUBLING = 0.3
ENOUGH_SEGMENTS = 400
# The half-life and the pool are estimates as well, which a variance that takes them as given leaves out.
ESTIMATED_TOO = 1.15


@dataclass(frozen=True)
class Assumptions:
    """What the estimate takes as given. Strengths are in leads: how many of its own leads a segment needs to count
    as much as the pool."""

    elasticity: float
    half_lives: tuple[float, ...]
    shrink_strength: tuple[float, float]
    acceptance_strength: float
    outage_expected_leads: float
    outage_min_days: int


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
    recent_spend: np.ndarray  # EUR a day
    outage: np.ndarray  # bool: money is spent and nothing arrives, up to and including yesterday
    known: np.ndarray  # bool: there was any paid lead to learn from
    acceptance_known: bool

    def leads(self, spend: np.ndarray) -> np.ndarray:
        """Leads a day, paid and free, at `spend` EUR a day."""
        return self.paid_rate * self._effective(spend) + self.free_rate

    def leads_variance(self, spend: np.ndarray) -> np.ndarray:
        """How uncertain `leads` is (variance of the estimated rate, not of the counts)."""
        return self.paid_rate_variance * self._effective(spend) ** 2 + self.free_rate_variance

    def spend_for(self, paid_leads: np.ndarray) -> np.ndarray:
        """EUR a day that bring `paid_leads` a day; infinite where nothing was ever bought."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            effective = np.maximum(paid_leads, 0) / (self.paid_rate * self.reference ** (1 - self.elasticity))
            return np.where(paid_leads > 0, effective ** (1 / self.elasticity), 0.0)

    def _effective(self, spend: np.ndarray) -> np.ndarray:
        return self.reference ** (1 - self.elasticity) * spend**self.elasticity


def estimate(days: Days, today: np.datetime64, assume: Assumptions) -> Estimate:
    """Estimate every segment's rates from the complete days of the window."""
    known = days.complete
    paid, spend = np.where(known, days["google_ads_leads"], 0.0), np.where(known, days["google_ads_spend"], 0.0)
    free = np.where(known, days["leads_generated"], 0.0) - paid
    accepted = np.where(known, days["leads_accepted"], 0.0)
    decided = accepted + np.where(known, days["leads_rejected"], 0.0)

    reference = _ratio(spend.sum(1), (spend > 0).sum(1))
    pool_reference = float(reference[reference > 0].mean()) if (reference > 0).any() else 0.0
    reference = np.where(reference > 0, reference, pool_reference)
    effective = reference[:, None] ** (1 - assume.elasticity) * spend**assume.elasticity
    effective *= _weekday_factors(days.dates, paid, effective)
    lost, outage = _outages(known, paid, effective, assume)
    counted = known & ~lost

    paid_rate, paid_variance = _shrunk_rate(counted, paid, effective, assume)
    free_rate, free_variance = _shrunk_rate(counted, free, np.ones_like(free), assume)
    weight, dispersion = _weights(known, accepted, decided, assume)
    accepted, decided = (weight * accepted).sum(1) / dispersion, (weight * decided).sum(1) / dispersion
    strength = assume.acceptance_strength + decided
    # A random-effects mean: a large segment says much about itself, but no more about the others than they do. One
    # accepted and one rejected lead are added, so that no share is ever nought or one.
    trust = 1 / assume.acceptance_strength
    pool_acceptance = ((accepted / strength).sum() + trust) / ((decided / strength).sum() + 2 * trust)
    acceptance = (assume.acceptance_strength * pool_acceptance + accepted) / strength

    recent = known & (days.dates >= today - np.timedelta64(14, "D"))
    budget = np.where(recent & (days["google_ads_budget"] > 0), days["google_ads_budget"], 0.0)
    share = _ratio((spend * (budget > 0)).sum(1), budget.sum(1))
    return Estimate(
        elasticity=assume.elasticity,
        reference=reference,
        paid_rate=paid_rate,
        paid_rate_variance=paid_variance,
        free_rate=free_rate,
        free_rate_variance=free_variance,
        acceptance=acceptance,
        acceptance_variance=acceptance * (1 - acceptance) / strength,
        spend_share=np.where(share > 0, np.clip(share, 0.05, 1.0), 1.0),
        recent_spend=_ratio((recent * spend).sum(1), recent.sum(1)),
        outage=outage,
        known=np.full(len(reference), paid_rate.sum() > 0),
        acceptance_known=bool(decided.sum() > 0),
    )


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.zeros(np.shape(bottom)), where=bottom > 0)


def _weekday_factors(dates: np.ndarray, paid: np.ndarray, effective: np.ndarray, prior: float = 50.0) -> np.ndarray:
    """How much better a euro works on each day's weekday than on average, over all segments together, shape (days,).

    `prior` is in leads: with few leads in the pool the factors stay near one.
    """
    weekday = (dates.astype("datetime64[D]").astype(int) + 3) % 7
    rate = _ratio(paid.sum(1), effective.sum(1))
    expected = np.bincount(weekday, (effective * rate[:, None]).sum(0), minlength=7)
    seen = np.bincount(weekday, paid.sum(0), minlength=7)
    factors = (seen + prior) / (expected + prior)
    return (factors / factors.mean())[weekday]


def _weights(
    known: np.ndarray, count: np.ndarray, exposure: np.ndarray, assume: Assumptions
) -> tuple[np.ndarray, float]:
    """Weight of each day, shape (segments, days): zero where unknown, else halved every half-life; and how many times
    more the counts vary than chance alone would make them (at least one)."""
    age = np.arange(known.shape[1])[::-1]
    sample = slice(None, None, 1 + len(known) // ENOUGH_SEGMENTS)
    half_life, dispersion = _memory(age, (known * count)[sample], (known * exposure)[sample], assume.half_lives)
    return known * 0.5 ** (age / half_life), dispersion


def _memory(
    age: np.ndarray, seen: np.ndarray, exposed: np.ndarray, candidates: tuple[float, ...]
) -> tuple[float, float]:
    """The half-life that predicts each day's counts best from the days before it, over all segments (how fast rates
    drift differs between companies), and the dispersion that is left. The first candidate is the default."""
    if not seen.sum() > 0:
        return candidates[0], 1.0
    pool = seen.sum() / exposed.sum()
    since = age[:, None] - age[None, :] - 1  # days between the day that is seen (row) and the eve of the predicted one
    judged = slice(BURN_IN_DAYS, None)
    scores, dispersions = np.zeros(len(candidates)), np.ones(len(candidates))
    for place, half_life in enumerate(candidates):
        memory = np.where(since >= 0, 0.5 ** (since / half_life), 0.0)
        rate = (PRIOR_LEADS + seen @ memory) / (PRIOR_LEADS / pool + exposed @ memory)
        mean, told = (exposed * rate)[:, judged], seen[:, judged]
        scores[place] = (told * np.log(np.where(mean > 0, mean, 1.0)) - mean).sum()
        scores[place] -= NATS_PER_DOUBLING * abs(np.log2(half_life / candidates[0]))
        if mean.sum() > 0:
            dispersions[place] = max(1.0, ((told - mean) ** 2).sum() / mean.sum())
    best = int(np.argmax(scores))
    return candidates[best], float(dispersions[best])


def _shrunk_rate(
    known: np.ndarray, count: np.ndarray, exposure: np.ndarray, assume: Assumptions
) -> tuple[np.ndarray, np.ndarray]:
    """Rate of each segment and its variance: a Gamma-Poisson posterior whose prior is the pool of all segments.

    The prior's strength (in leads) is what the spread between segments beyond chance says (empirical Bayes, by
    moments), within `shrink_strength`.
    """
    weight, dispersion = _weights(known, count, exposure, assume)
    seen, exposed = (weight * count).sum(1), (weight * exposure).sum(1)
    if exposed.sum() <= 0 or seen.sum() <= 0:
        return np.zeros(len(seen)), np.zeros(len(seen))
    pool = seen.sum() / exposed.sum()
    noise = dispersion * pool * _ratio((weight**2 * exposure).sum(1), exposed)
    spread = (exposed * (_ratio(seen, exposed) - pool) ** 2 - noise)[exposed > 0].sum()
    scale = exposed.sum() - (exposed**2).sum() / exposed.sum()
    between = spread / scale if scale > 0 else 0.0
    weakest, strongest = assume.shrink_strength
    prior = float(np.clip(pool**2 / between, weakest, strongest)) if between > 0 else strongest
    if (exposed > 0).sum() < 2:
        prior = weakest  # nobody to borrow from
    seen, exposed = seen / dispersion, exposed / dispersion
    trust = 1 / (prior / pool + exposed)
    pool = (trust * seen).sum() / (trust * exposed).sum()
    shape, rate = prior + seen, prior / pool + exposed
    return shape / rate, ESTIMATED_TOO * shape / rate**2


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
