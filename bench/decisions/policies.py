"""Who decides: doing nothing, the usual rules of thumb, the planner, and two that know more than anybody can.

A policy is asked each morning for the budgets of all segments. Every policy is held to the same limits: one step of
-30% to +20%, floor and cap, and (but for the daily rules, whose point it is) three days between two changes. What is
called unbound is held to floor and cap alone.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from bench.decisions.worlds import WEEKDAY, Books, Company
from lead_demand.planner.planner import LeadDemandPlanner
from lead_demand.planner.settings import PlannerSettings

STEP_DOWN, STEP_UP, COOL_DOWN = 0.7, 1.2, 3
FIRST_DAY = dt.date(2026, 1, 5)  # a Monday


class Policy(Protocol):
    """Decides one company's budgets, once a day; a new object for each company."""

    def decide(self, books: Books, today: int, budget: np.ndarray) -> np.ndarray:
        """The budgets of `today`, given what was known this morning."""
        ...


def limit(company: Company, budget: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """At most one step, inside floor and cap."""
    return np.clip(np.clip(wanted, budget * STEP_DOWN, budget * STEP_UP), company.floor, company.cap)


class Hold:
    """Leaves every budget as it is."""

    def decide(self, books: Books, today: int, budget: np.ndarray) -> np.ndarray:
        return budget


@dataclass(frozen=True)
class Reading:
    """How a rule of thumb reads "accepted leads per day": over `window` days that ended `lag` days ago.

    Without a lag it reads raw counts, in which a lead that nobody decided yet looks like one that nobody wants. With
    a lag it reads matured counts. `corrected` borrows the planner's own idea instead: generated leads times the
    share of decided ones that was accepted, shrunk toward the pool.
    """

    window: int
    lag: int = 0
    corrected: bool = False

    def accepted(self, books: Books, today: int) -> np.ndarray:
        if not self.corrected:
            accepted, _ = books.verdicts(today, today - self.lag - self.window)
            return accepted[:, : self.window].mean(1)
        accepted, rejected = (counts.sum(1) for counts in books.verdicts(today, today - 56))
        pool = accepted.sum() / max((accepted + rejected).sum(), 1)
        share = (20 * pool + accepted) / (20 + accepted + rejected)
        return books.generated[:, today - self.window : today].mean(1) * share


@dataclass
class Rule:
    """What all rules of thumb share: every so many days, the budget times a factor, unless demand is the limit."""

    every: int
    reading: Reading

    def decide(self, books: Books, today: int, budget: np.ndarray) -> np.ndarray:
        if today % self.every:
            return budget
        capacity = books.company.capacity[:, today]
        accepted = np.maximum(self.reading.accepted(books, today), 0.1 * capacity)
        factor = self.factor(capacity / accepted)
        factor = np.where((factor > 1) & ~books.limited(today), 1.0, factor)
        return limit(books.company, budget, budget * factor)

    def factor(self, ratio: np.ndarray) -> np.ndarray:
        """What to multiply the budget by, given capacity over accepted leads."""
        raise NotImplementedError


@dataclass
class FixedStep(Rule):
    """A fixed step up when partners got too little, down when they got too much."""

    dead_band: float = 0.0
    step: float = 0.10

    def factor(self, ratio: np.ndarray) -> np.ndarray:
        return 1 + self.step * np.where(np.abs(ratio - 1) > self.dead_band, np.sign(ratio - 1), 0.0)


@dataclass
class Proportional(Rule):
    """The ratio to a power."""

    gain: float
    dead_band: float

    def factor(self, ratio: np.ndarray) -> np.ndarray:
        return np.where(np.abs(ratio - 1) > self.dead_band, ratio**self.gain, 1.0)


@dataclass
class Pid(Rule):
    """A PID controller on the log of the ratio, in velocity form: the limits clip the step, so nothing winds up."""

    kp: float
    ki: float
    kd: float
    _errors: list[np.ndarray] = field(default_factory=list)

    def factor(self, ratio: np.ndarray) -> np.ndarray:
        error = np.log(ratio)
        self._errors = [error, *(self._errors or [error, error])][:3]
        now, before, earlier = self._errors
        return np.exp(self.kp * (now - before) + self.ki * now + self.kd * (now - 2 * before + earlier))


@dataclass
class Planner:
    """The planner of this repository, called exactly as the DAG calls it."""

    settings: PlannerSettings = field(default_factory=PlannerSettings)
    step_up: float = STEP_UP
    step_down: float = STEP_DOWN
    covered: list[float] = field(default_factory=list)
    _last_change: np.ndarray | None = None

    def decide(self, books: Books, today: int, budget: np.ndarray) -> np.ndarray:
        company = books.company
        if self._last_change is None:
            self._last_change = np.full(company.size, -1)
        days = min(self.settings.window_days, today)
        since = today - days
        accepted, rejected = books.verdicts(today, since)
        window = slice(since, today)
        generated = books.generated[:, window]
        date = np.datetime64(FIRST_DAY) + np.arange(since, today)
        history = pd.DataFrame(
            {
                "segment_id": np.repeat(np.arange(company.size), days),
                "date": np.tile(date, company.size),
                "leads_generated": generated.ravel(),
                "leads_accepted": accepted.ravel(),
                "leads_rejected": rejected.ravel(),
                "leads_pending": (generated - accepted - rejected).ravel(),
                "google_ads_leads": books.paid[:, window].ravel(),
                "google_ads_spend": books.known_cost(today, since).ravel(),
                "google_ads_budget": books.budget[:, window].ravel(),
                "capacity_total_leads": company.capacity[:, since + 1 : today + 1].ravel(),
            }
        )
        changed = [None if day < 0 else FIRST_DAY + dt.timedelta(days=int(day)) for day in self._last_change]
        segments = pd.DataFrame(
            {
                "segment_id": np.arange(company.size),
                "branch": company.branch,
                "current_budget": budget.round(2),
                "min_daily_budget": company.floor,
                "max_daily_budget": company.cap,
                "max_increase_pct": (self.step_up - 1) * 100,
                "max_decrease_pct": (1 - self.step_down) * 100,
                "cooldown_days": COOL_DOWN,
                "last_change_date": pd.Series(changed, dtype=object),
                "capacity_total_leads": company.capacity[:, today],
                "budget_limited": books.limited(today),
                "blocks": pd.Series([["learning"] if is_learning else [] for is_learning in books.learning(today)]),
            }
        )
        plan = LeadDemandPlanner(self.settings).plan(history, segments, FIRST_DAY + dt.timedelta(days=today))
        truth = company.leads_on(today, budget)
        known = plan["expected_low"].notna()
        inside = (plan["expected_low"] <= truth) & (truth <= plan["expected_high"])
        self.covered += inside[known].tolist()
        new = plan["new_budget"].to_numpy(dtype=float)
        acts = (plan["action"] != "hold").to_numpy()
        self._last_change[acts] = today
        return np.where(acts, new, budget)


@dataclass
class Target:
    """Moves straight to the budget that its view of the world asks for, with the planner's dead band and cool-down.

    `unbound`: every day, and in steps of any size.
    """

    dead_band: float = PlannerSettings.dead_band
    unbound: bool = False
    _last_change: np.ndarray | None = None
    _capacity_then: np.ndarray | None = None

    def act(
        self, books: Books, today: int, budget: np.ndarray, expected: np.ndarray, needed: np.ndarray, sure: np.ndarray
    ) -> np.ndarray:
        """`expected` in accepted leads on a weekday, `needed` the budget that would close the gap."""
        company, capacity = books.company, books.company.capacity[:, today] / books.company.week[today]
        if self._last_change is None or self._capacity_then is None:
            self._last_change, self._capacity_then = np.full(company.size, -99), capacity.copy()
        gap = capacity - expected
        moved = np.abs(capacity / self._capacity_then - 1) > 0.2
        rested = (today - self._last_change >= COOL_DOWN) | moved | self.unbound
        may = rested & (np.abs(gap) > self.dead_band * capacity) & sure
        may &= (gap < 0) | books.limited(today)
        moves = np.clip(needed, company.floor, company.cap) if self.unbound else limit(company, budget, needed)
        new = np.where(may, moves, budget)
        changed = new != budget
        self._last_change[changed], self._capacity_then[changed] = today, capacity[changed]
        return new


@dataclass
class Oracle(Target):
    """Sees today's true demand, response and acceptance."""

    def decide(self, books: Books, today: int, budget: np.ndarray) -> np.ndarray:
        company = books.company
        acceptance = company.acceptance[:, today]
        expected = acceptance * company.leads(today, budget) / company.week[today]
        return self.act(books, today, budget, expected, company.enough[:, today], np.ones(company.size, dtype=bool))


@dataclass
class Insider(Target):
    """Knows the world's form and parameters (each segment's curve, the weekdays, how fast demand drifts, how
    acceptance is spread and drifts, how days burst, which days were lost) but sees only the counts that the planner
    sees: a Bayes filter on a grid, with the planner's gate.

    A strong reference, no proof of a limit: it takes a season for a random walk of the same pace and the log odds of
    acceptance for a Beta distribution, and its gate is the planner's, not the best that could be.
    """

    significance: float = PlannerSettings.significance
    _grid: np.ndarray = field(default_factory=lambda: np.linspace(-2.5, 2.5, 201))
    _paid: np.ndarray | None = None
    _free: np.ndarray | None = None
    _filtered: int = 0

    def decide(self, books: Books, today: int, budget: np.ndarray) -> np.ndarray:
        company, world = books.company, books.company.world
        grid = np.exp(self._grid)
        if self._paid is None or self._free is None:
            self._paid = np.zeros((company.size, len(grid))) - 0.5 * (self._grid / 0.35) ** 2
            self._free = np.zeros((company.size, len(grid)))
        for day in range(self._filtered, today):
            self._paid = spread(self._paid, np.hypot(world.drift, 0.09 * world.season), self._grid)
            self._free = spread(self._free, world.drift / 2, self._grid)
            week = company.week[day]
            rate = week * company.response(books.cost[:, day])[:, None] * WEEKDAY[day % 7] * grid
            seen = ~company.lost[:, day, None]  # it even knows which days were lost
            self._paid = self._paid + seen * log_likelihood(books.paid[:, day, None], rate, world.overdispersion)
            free = books.generated[:, day] - books.paid[:, day]
            self._free = self._free + free[:, None] * self._grid - week * self._free_scale(company)[:, None] * grid
        self._filtered = today

        demand, demand_variance = moments(self._paid, grid)
        free_rate, free_variance = moments(self._free, grid)
        scale = self._free_scale(company)
        acceptance, acceptance_variance = self._acceptance(books, today)
        response = company.response(company.spend(budget))
        expected = acceptance * (response * demand + free_rate * scale)
        variance = acceptance**2 * (response**2 * demand_variance + scale**2 * free_variance)
        variance += (expected / acceptance) ** 2 * acceptance_variance
        capacity = company.capacity[:, today] / company.week[today]
        paid = np.maximum(capacity / acceptance - free_rate * scale, 0) / demand
        needed = company.spend_for(today, paid * company.demand[:, today])
        sure = np.abs(capacity - expected) > self.significance * np.sqrt(variance)
        return self.act(books, today, budget, expected, needed, sure)

    @staticmethod
    def _acceptance(books: Books, today: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance: a Beta distribution that each day's verdicts sharpen and each night's drift blurs."""
        world = books.company.world
        yes, no = (np.full(books.company.size, count) for count in world.acceptance)
        for accepted, rejected in zip(*(counts.T for counts in books.verdicts(today, 0)), strict=True):
            yes, no = yes + accepted, no + rejected
            keep = 1 / (1 + world.acceptance_drift**2 * yes * no / (yes + no))
            yes, no = yes * keep, no * keep
        mean = yes / (yes + no)
        return mean, mean * (1 - mean) / (yes + no + 1)

    @staticmethod
    def _free_scale(company: Company) -> np.ndarray:
        return np.maximum(company.free[:, 0], 0.02)


def log_likelihood(count: np.ndarray, mean: np.ndarray, overdispersion: float) -> np.ndarray:
    """Of a day's counts, but for a constant: Poisson, or negative binomial where a Gamma burst multiplies the mean."""
    of_count = count * np.log(mean + 1e-12)
    if not overdispersion:
        return of_count - mean
    return of_count - (count + 1 / overdispersion) * np.log1p(overdispersion * mean)


def spread(log_weight: np.ndarray, deviation: float, grid: np.ndarray) -> np.ndarray:
    """One day of drift: the weights on the grid, smoothed by a normal kernel."""
    weight = np.exp(log_weight - log_weight.max(1, keepdims=True))
    step = grid[1] - grid[0]
    if deviation < step:  # finer than the grid: a two-point kernel with the same variance
        side = 0.5 * (deviation / step) ** 2
        padded = np.pad(weight, ((0, 0), (1, 1)), mode="edge")
        weight = (1 - 2 * side) * weight + side * (padded[:, :-2] + padded[:, 2:])
    else:
        reach = int(np.ceil(4 * deviation / step))
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / deviation) ** 2)
        weight = np.apply_along_axis(np.convolve, 1, weight, kernel / kernel.sum(), mode="same")
    return np.log(weight + 1e-300)


def moments(log_weight: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of `values` under unnormalised log weights."""
    weight = np.exp(log_weight - log_weight.max(1, keepdims=True))
    weight /= weight.sum(1, keepdims=True)
    mean = weight @ values
    return mean, weight @ values**2 - mean**2
