"""What happens in the sandbox: a pure function of (catalogue, seed, first day, budgets in force).

No clock, no I/O. Money goes in as EUR per day and comes out as integer micros; counts are integers.

A paid lead arrives when a unit-rate Poisson process passes the campaign's expected number of the day,
``leads_at_ref * (spend / ref) ** BETA * weekday``. The arrival times are fixed by (seed, campaign, day): a higher
budget moves the bar up and only adds leads at the end, so two worlds that differ in one budget share everything else
(common random numbers).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from sandbox.world.catalogue import Catalogue
from sandbox.world.noise import normal, uniform

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BETA = 0.7
DAYS_OF_HISTORY = 120  # before the first morning
UNATTRIBUTED = 0.03  # leads whose source was lost (ad blockers, phone calls)
MAX_LOST_SHARE = 0.9001  # Google Ads never reports more
WEEKDAY = np.array([1.15, 1.10, 1.05, 1.05, 1.00, 0.85, 0.80])  # Monday first, mean 1
# Share of the day's leads in each local hour: quiet at night, but never silent around midnight.
HOUR = np.array([8, 4, 2, 2, 2, 4, 10, 25, 50, 70, 80, 75, 60, 60, 65, 62, 60, 58, 60, 72, 75, 60, 36, 14], dtype=float)
# Share of decisions that take 1, 2, ... 7 days.
DELAY = np.array([25, 22, 18, 13, 10, 7, 5], dtype=float)

SOURCES = ("google_ads", "seo", "microsite", "direct")
PAID, SEO, MICROSITE, DIRECT = range(4)
# Streams of random numbers: 0-3 are the arrivals of SOURCES, 10-13 the attributes of those leads.
_ATTRIBUTES, _DELIVERY, _ABSORB, _CLICKS, _CTR, _SEARCH, _VISITS, _CAPACITY = 10, 20, 21, 22, 23, 24, 25, 26

_POINTS = 12  # of each place's arrivals that are looked up in one go
_CAPACITY_PERIOD = 45  # days between two steps of a segment's capacity
_CAPACITY_STEPS = np.array([-0.15, 0.0, 0.15, 0.25])


@dataclass(frozen=True)
class Day:
    """One day's totals. Arrays of [campaigns]: the first six; of [segments]: the rest."""

    date: date
    spend_micros: Ints
    clicks: Ints
    impressions: Ints
    paid_leads: Ints
    expected_paid_leads: Floats
    lost_share: Floats
    seo_leads: Ints
    microsite_leads: Ints
    direct_leads: Ints
    seo_clicks: Ints
    seo_impressions: Ints
    microsite_sessions: Ints
    direct_sessions: Ints


@dataclass(frozen=True)
class Leads:
    """One day's leads, one element per lead. ``place`` is a campaign for paid leads, else a segment."""

    date: date
    source: Ints  # position in SOURCES
    place: Ints
    number: Ints  # 0, 1, ... within (source, place, day)
    segment: Ints  # -1: the lead of a campaign that belongs to no segment
    second: Ints  # of the local day
    accepted: npt.NDArray[np.bool_]  # what will be decided in the end
    delay: Ints  # days until that decision
    attributed: npt.NDArray[np.bool_]

    @property
    def id(self) -> Ints:
        """The day, then source, place and number: the same lead has the same id in whatever order days are read."""
        day = int(self.date.strftime("%y%m%d")) * 10**9
        return day + (self.place * len(SOURCES) + self.source) * 1_000 + self.number


def _arrivals(seed: int, stream: int, expected: Floats, day: int) -> Ints:
    """How many points of each place's unit-rate Poisson process lie below ``expected``; never falls as that rises."""
    if not expected.size or expected.max() <= 0:
        return np.zeros(expected.size, dtype=np.int64)
    most = int(expected.max() + 8 * np.sqrt(expected.max()) + 12)
    arrived, last = np.zeros(expected.size, dtype=np.int64), np.zeros(expected.size)
    places = np.arange(expected.size)  # whose last point seen lies below what is expected: nearly none after the first
    for first in range(0, most, _POINTS):
        numbers = np.arange(first, min(first + _POINTS, most))
        gaps = -np.log(uniform(seed, stream, places[:, None], day, numbers[None, :]))
        gaps[:, 0] += last[places]
        points = np.cumsum(gaps, axis=1)
        arrived[places] += (points <= expected[places, None]).sum(axis=1)
        last[places] = points[:, -1]
        places = places[last[places] <= expected[places]]
    return arrived


def _about(mean: Floats, z: Floats) -> Ints:
    """A count with a Poisson's mean and spread for larger means; never falls as the mean rises."""
    return np.maximum(0, np.rint(mean + z * np.sqrt(mean))).astype(np.int64)


class World:
    """The days of a catalogue; ``first_day`` is the day that the history starts.

    ``days_passed``: how many days its history was moved back since it began; its own week goes on meanwhile.
    """

    def __init__(self, catalogue: Catalogue, seed: int, first_day: date, days_passed: int = 0) -> None:
        self.catalogue, self.seed, self.first_day, self.days_passed = catalogue, seed, first_day, days_passed
        c, s = catalogue.campaigns, catalogue.segments
        self._budget = np.array([x.budget for x in c], dtype=np.int64)
        self._segment = np.array([x.segment for x in c], dtype=np.int64)
        self._share, self._ref, self._leads_at_ref, self._market, self._click_price = (
            np.array([getattr(x, name) for x in c])
            for name in ("share", "ref", "leads_at_ref", "market", "click_price")
        )
        self._rests_on_sunday = np.array([x.rests_on_sunday for x in c])
        self._free = {source: np.array([getattr(x, SOURCES[source]) for x in s]) for source in (SEO, MICROSITE, DIRECT)}
        self._acceptance = np.array([x.acceptance for x in s] + [0.5])  # the last one serves segment -1
        self._capacity = np.array([x.capacity for x in s])

    def _index(self, day: date) -> int:
        """Days since the first: draws hang on it, not on the calendar, so that every world starts in the same shape."""
        if day < self.first_day:
            raise ValueError(f"The world starts on {self.first_day}; there is nothing on {day}. Ask for a later day.")
        return (day - self.first_day).days

    def weekday(self, day: date) -> int:
        """Which day of the world's own week it is; Monday is 0."""
        return (day.weekday() + self.days_passed) % 7

    def spend(
        self, day: date, budgets: Floats, running: npt.NDArray[np.bool_] | None = None, budget_of: Ints | None = None
    ) -> tuple[Floats, Floats]:
        """Spend in EUR (whole cents) and the share of searches lost to the budget, per campaign.

        ``budgets``: EUR per day in force, one per budget. A day costs a bit more or less than that, and never more
        than the market absorbs. ``running`` and ``budget_of``: which campaigns ran, and the budget that each paid from,
        where that is not as in the catalogue.
        """
        index, campaigns = self._index(day), np.arange(self._ref.size)
        budget = budgets[self._budget if budget_of is None else budget_of] * self._share
        delivered = budget * np.clip(np.exp(0.12 * normal(self.seed, _DELIVERY, campaigns, index)), 0.7, 1.8)
        absorbed = self._market * np.clip(np.exp(0.08 * normal(self.seed, _ABSORB, campaigns, index)), 0.7, 1.3)
        resting = self._rests_on_sunday & (self.weekday(day) == 6)
        if running is not None:
            resting = resting | ~running
        spend = np.where(resting, 0.0, np.floor(100 * np.minimum(delivered, absorbed)) / 100)
        lost = np.where(resting, 0.0, np.clip(1 - budget / absorbed, 0.0, MAX_LOST_SHARE))
        return spend, lost

    def expected_paid_leads(self, day: date, spend: Floats) -> Floats:
        """Leads per day expected of each campaign at that spend."""
        return self._leads_at_ref * (spend / self._ref) ** BETA * WEEKDAY[self.weekday(day)]

    def day(
        self, day: date, budgets: Floats, running: npt.NDArray[np.bool_] | None = None, budget_of: Ints | None = None
    ) -> Day:
        """Everything that happened on a day with those budgets in force (EUR, one per budget)."""
        index, weekday = self._index(day), WEEKDAY[self.weekday(day)]
        spend, lost = self.spend(day, budgets, running, budget_of)
        expected = self.expected_paid_leads(day, spend)
        paid = _arrivals(self.seed, PAID, expected, index)
        campaigns, segments = np.arange(self._ref.size), np.arange(self._capacity.size)

        # Every lead needs a click or a visit, so those are counted on top of the leads.
        fruitless = np.maximum(0.0, spend / self._click_price - expected)
        clicks = paid + _about(fruitless, normal(self.seed, _CLICKS, campaigns, index))
        impressions = np.ceil(clicks / (0.04 + 0.02 * uniform(self.seed, _CTR, campaigns, index))).astype(np.int64)

        free = {s: _arrivals(self.seed, s, rate * weekday, index) for s, rate in self._free.items()}
        seo_clicks = free[SEO] + _about(self._free[SEO] * weekday * 14, normal(self.seed, _SEARCH, segments, index, 0))
        visits = {
            s: free[s] + _about(self._free[s] * weekday * 18, normal(self.seed, _VISITS, segments, index, s))
            for s in (MICROSITE, DIRECT)
        }
        return Day(
            date=day,
            spend_micros=np.rint(spend * 1_000_000).astype(np.int64),
            clicks=clicks,
            impressions=impressions,
            paid_leads=paid,
            expected_paid_leads=expected,
            lost_share=lost,
            seo_leads=free[SEO],
            microsite_leads=free[MICROSITE],
            direct_leads=free[DIRECT],
            seo_clicks=seo_clicks,
            seo_impressions=seo_clicks * 22,
            microsite_sessions=visits[MICROSITE],
            direct_sessions=visits[DIRECT],
        )

    def leads(self, day: Day) -> Leads:
        """The leads of a day, one by one. What becomes of a lead does not hang on how many others there are."""
        index = self._index(day.date)
        counts = {PAID: day.paid_leads, SEO: day.seo_leads, MICROSITE: day.microsite_leads, DIRECT: day.direct_leads}
        source = np.concatenate([np.full(int(n.sum()), s, dtype=np.int64) for s, n in counts.items()])
        place = np.concatenate([np.repeat(np.arange(n.size), n) for n in counts.values()])
        number = np.concatenate([np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n) for n in counts.values()])
        segment = place.copy()
        segment[source == PAID] = self._segment[place[source == PAID]]

        u = uniform(
            self.seed, _ATTRIBUTES + source[:, None], place[:, None], index, number[:, None], np.arange(5)[None, :]
        )
        hour = np.searchsorted(np.cumsum(HOUR) / HOUR.sum(), u[:, 0], side="right")
        return Leads(
            date=day.date,
            source=source,
            place=place,
            number=number,
            segment=segment,
            second=hour * 3600 + (u[:, 1] * 3600).astype(np.int64),
            accepted=u[:, 2] < self._acceptance[segment],
            delay=1 + np.searchsorted(np.cumsum(DELAY) / DELAY.sum(), u[:, 3], side="right"),
            attributed=u[:, 4] >= UNATTRIBUTED,
        )

    def capacity(self, day: date) -> Ints:
        """Accepted leads per day that the partners of each segment take on that day; it moves in steps.

        The step that holds the first morning is the catalogue's own figure, and began 20 to 34 days before it.
        """
        segments = np.arange(self._capacity.size)
        began = 20 + (uniform(self.seed, _CAPACITY, segments, 0) * 15).astype(np.int64)
        period = np.floor_divide(self._index(day) - DAYS_OF_HISTORY + began, _CAPACITY_PERIOD)
        pick = (uniform(self.seed, _CAPACITY, segments, 1, period + 1_000) * _CAPACITY_STEPS.size).astype(np.int64)
        moved = np.where(period == 0, 0.0, _CAPACITY_STEPS[pick])
        return np.maximum(1, np.rint(self._capacity * (1 + moved))).astype(np.int64)
