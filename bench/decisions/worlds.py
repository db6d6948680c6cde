"""Made-up companies: what leads cost, who takes them, and how late anybody knows. The truth is kept beside the counts.

All chance is drawn before anything is decided: the arrival times of leads, the verdict on each and its delay, the
noise of spending. Two policies in the same company meet the same luck (common random numbers), so their difference
is theirs. A policy's own budget only decides how many of the drawn arrivals come in time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

WARM_UP, HORIZON = 56, 90  # days on the first budget, then days of decisions
PAID_SLOTS, FREE_SLOTS = 40, 15
WEEKDAY = np.array([1.15, 1.1, 1.05, 1.05, 1.0, 0.85, 0.8])


@dataclass(frozen=True)
class World:
    """The knobs of a company; leads per day, EUR, days."""

    name: str
    capacity: tuple[float, float] = (1.0, 2.0)  # accepted leads per day
    segments: int = 40
    acceptance: tuple[float, float] = (9.0, 5.0)  # Beta
    acceptance_drift: float = 0.01  # the same for the log odds of acceptance
    delay_accept: float = 2.0
    delay_reject: float = 2.0
    drift: float = 0.01  # standard deviation of a day's change of log demand
    season: float = 0.0  # amplitude of a slow wave that all segments share
    elasticity: tuple[float, float] = (0.6, 0.8)
    hill: bool = False
    capacity_changes: float = 1 / 45  # a day and segment
    shock: bool = False
    outage: bool = False
    ceiling: bool = False
    spend_noise: float = 0.05
    overdispersion: float = 0.0  # Gamma variance of a day's demand
    holes: float = 0.0  # of a day's spend, the chance that it is never known
    weekend: float = 1.0  # what a day of the weekend is of a weekday, in demand and in what partners take
    learning: int = 0  # days for which a campaign whose budget was changed may not be changed again
    holiday: float = 1.0  # what a day of the twelve days' holiday is of another, in demand
    branches: int = 1  # each with a season of its own, of the same amplitude


BASE = World("base")
WORLDS = (
    BASE,
    replace(BASE, name="low volume", capacity=(0.25, 0.55)),
    replace(BASE, name="long delay", delay_accept=6.0, delay_reject=6.0),
    replace(BASE, name="fast drift", drift=0.03),
    replace(BASE, name="capacity shock", shock=True),
    replace(BASE, name="tracking outage", outage=True),
    replace(BASE, name="market ceiling", ceiling=True),
    replace(BASE, name="over-delivery", spend_noise=0.45),
    replace(BASE, name="Hill response", hill=True),
    replace(BASE, name="bursty demand", overdispersion=0.4),
    replace(BASE, name="slow rejections", delay_reject=10.0),
    replace(BASE, name="missing days", holes=0.03),
    replace(BASE, name="weekends", weekend=0.4),
    replace(BASE, name="learning", learning=7),
    replace(BASE, name="holiday", holiday=0.5),
    replace(BASE, name="branch seasons", season=0.3, branches=4),
)
#: Another curve, other delays, drift, volumes and noise than the worlds above; nothing was tuned on it.
HELD_OUT = replace(
    BASE,
    name="held out",
    capacity=(0.5, 3.0),
    acceptance=(5.0, 5.0),
    delay_accept=2.0,
    delay_reject=5.0,
    drift=0.015,
    season=0.15,
    hill=True,
    capacity_changes=1 / 30,
    overdispersion=0.15,
    spend_noise=0.15,
)


@dataclass
class Company:
    """One world with one seed: everything that will happen, but for what the budgets change."""

    world: World
    seed: int

    def __post_init__(self) -> None:
        world, count, days = self.world, self.world.segments, WARM_UP + HORIZON
        self.days, self.size = days, count
        rng = np.random.default_rng([self.seed, *world.name.encode()])
        share = rng.beta(*world.acceptance, count).clip(0.2, 0.95)
        walk = rng.normal(0, world.acceptance_drift, (count, days)).cumsum(1)
        self.acceptance = 1 / (1 + (1 / share - 1)[:, None] * np.exp(walk))
        base = rng.uniform(*world.capacity, count)
        moves = np.where(rng.random((count, days)) < world.capacity_changes, rng.normal(0, 0.3, (count, days)), 0.0)
        moves[:, :7] = 0
        if world.shock:
            moves[:, WARM_UP + 30] = np.log(np.where(np.arange(count) % 2, 1.6, 0.5))
        self.week = np.where(np.arange(days) % 7 < 5, 1.0, world.weekend)
        self.capacity = self.week * base[:, None] * np.exp(moves.cumsum(1).clip(-1.2, 1.0))
        self.elasticity = rng.uniform(*world.elasticity, count)

        # What the first budget brings: off by a third or so from what partners take.
        wanted = base / share
        self.free = (wanted * rng.uniform(0.0, 0.6, count))[:, None] * np.exp(
            rng.normal(0, world.drift / 2, (count, days)).cumsum(1)
        )
        self.cost = 30.0 * rng.lognormal(0, 0.35, count)  # EUR for a paid lead at the reference spend
        self.reference = np.maximum(wanted - self.free[:, 0], 0.1) * self.cost
        self.start = self.reference * rng.lognormal(0, 0.45, count)
        self.branch = np.arange(count) % world.branches
        phase = rng.random() + np.arange(world.branches) / world.branches
        wave = world.season * np.sin(2 * np.pi * (np.arange(days) / 70 + phase[self.branch, None]))
        self.demand = np.exp(rng.normal(0, world.drift, (count, days)).cumsum(1) + wave)
        self.demand[:, WARM_UP + 40 : WARM_UP + 52] *= world.holiday
        self.ceiling = self.start * (rng.uniform(0.8, 2.5, count) if world.ceiling else np.full(count, 1e6))
        self.floor, self.cap = self.start * 0.1, self.start * 5.0

        self.noise = np.exp(rng.normal(0, world.spend_noise, (count, days))).clip(0, 2)
        self.noise /= self.noise.mean()
        shape = 1 / world.overdispersion if world.overdispersion else 1.0
        self.burst = rng.gamma(shape, 1 / shape, (count, days)) if world.overdispersion else np.ones((count, days))
        self.paid_arrivals = rng.exponential(size=(count, days, PAID_SLOTS)).cumsum(2)
        self.free_arrivals = rng.exponential(size=(count, days, FREE_SLOTS)).cumsum(2)
        slots = PAID_SLOTS + FREE_SLOTS
        self.would_accept = rng.random((count, days, slots)) < self.acceptance[:, :, None]
        delay = np.where(self.would_accept, world.delay_accept, world.delay_reject)
        self.decided_on = np.arange(days)[None, :, None] + np.floor(rng.exponential(1.0, delay.shape) * delay)
        self.lost = np.zeros((count, days), dtype=bool)
        self.unknown = rng.random((count, days)) < world.holes if world.holes else np.zeros((count, days), dtype=bool)
        if world.outage:
            for first, length, share in ((20, 5, 1.0), (50, 8, 0.4)):
                hit = rng.random(count) < share
                self.lost[hit, WARM_UP + first : WARM_UP + first + length] = True

    def response(self, spend: np.ndarray, elasticity: np.ndarray | None = None) -> np.ndarray:
        """Paid leads per day at `spend`, at a demand of one; not the planner's own form in the Hill world."""
        share = spend / self.reference
        own = self.elasticity if elasticity is None else elasticity
        curve = 2.0 * share**1.2 / (1.0 + share**1.2) if self.world.hill else share**own
        return self.reference / self.cost * curve

    def spend(self, budget: np.ndarray) -> np.ndarray:
        """What a budget costs a day on average."""
        return np.minimum(budget, self.ceiling)

    def leads(self, day: int, budget: np.ndarray) -> np.ndarray:
        """Expected generated leads of a day, but for how much better a euro works on its weekday, the truth."""
        return self.week[day] * (self.response(self.spend(budget)) * self.demand[:, day] + self.free[:, day])

    def leads_on(self, day: int, budget: np.ndarray) -> np.ndarray:
        """Expected generated leads of that very day, the truth."""
        paid = self.response(self.spend(budget)) * self.demand[:, day] * WEEKDAY[day % 7]
        return self.week[day] * (paid + self.free[:, day])

    def spend_for(self, day: int, paid: np.ndarray) -> np.ndarray:
        """The smallest spend that brings `paid` leads on a weekday, the truth; found by bisection."""
        low, high = np.zeros(self.size), np.full(self.size, 1e5)
        for _ in range(50):
            middle = (low + high) / 2
            enough = self.response(middle) * self.demand[:, day] >= paid
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return high

    @cached_property
    def enough(self) -> np.ndarray:
        """The smallest spend that fills capacity on each day, whoever decides: shape (segments, days)."""
        paid = np.maximum(self.capacity / self.week / self.acceptance - self.free, 0)
        return np.column_stack([self.spend_for(day, paid[:, day]) for day in range(self.days)])


class Books:
    """What a company could have written down by each morning, and nothing more."""

    def __init__(self, company: Company) -> None:
        shape = (company.size, company.days)
        self.company = company
        self.budget, self.cost = np.zeros(shape), np.zeros(shape)
        self.paid, self.generated = np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
        self._counted = np.zeros((*shape, PAID_SLOTS + FREE_SLOTS), dtype=bool)

    def live(self, day: int, budget: np.ndarray) -> None:
        """Let one day happen on these budgets."""
        company = self.company
        cost = np.minimum(budget * company.noise[:, day], company.ceiling)
        week = company.week[day]
        rate = week * company.response(cost) * company.demand[:, day] * company.burst[:, day] * WEEKDAY[day % 7]
        paid = company.paid_arrivals[:, day] <= rate[:, None]
        paid &= ~company.lost[:, day, None]
        free = company.free_arrivals[:, day] <= week * company.free[:, day, None]
        self.budget[:, day], self.cost[:, day] = budget, cost
        self.paid[:, day], self.generated[:, day] = paid.sum(1), paid.sum(1) + free.sum(1)
        self._counted[:, day] = np.concatenate([paid, free], axis=1)

    def verdicts(self, today: int, since: int) -> tuple[np.ndarray, np.ndarray]:
        """Accepted and rejected leads of the days `since` to yesterday, as known this morning."""
        window = slice(since, today)
        decided = self._counted[:, window] & (self.company.decided_on[:, window] < today)
        accepted = decided & self.company.would_accept[:, window]
        return accepted.sum(2), (decided & ~accepted).sum(2)

    def known_cost(self, today: int, since: int) -> np.ndarray:
        """The spend of the days `since` to yesterday, NaN where it is not known. Yesterday's is repaired in time."""
        unknown = self.company.unknown[:, since:today].copy()
        unknown[:, -1] = False
        return np.where(unknown, np.nan, self.cost[:, since:today])

    def learning(self, today: int) -> np.ndarray:
        """Campaigns whose budget was changed within the last `learning` days."""
        since = max(today - self.company.world.learning, 1)
        return (self.budget[:, since:today] != self.budget[:, since - 1 : today - 1]).any(1)

    def limited(self, today: int) -> np.ndarray:
        """Whether the budget, and not demand, limits yesterday's spend."""
        return self.budget[:, today - 1] <= self.company.ceiling
