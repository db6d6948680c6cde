"""One policy in one company, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.decisions.policies import Planner, Policy
from bench.decisions.worlds import HORIZON, WARM_UP, Books, Company


@dataclass(frozen=True)
class Outcome:
    """What a policy reached in a company; shares in per cent."""

    gap: float  # |expected accepted leads − capacity|, of capacity
    beyond: float  # spend on leads that nobody can take, of all spend
    changes: float  # a segment and 30 days
    cost: float  # EUR for an accepted paid lead within capacity
    wrong_way: float  # changes away from what the truth asks for, of all changes
    recovery: float  # days from a capacity step until within 15% again, median
    early: float  # the gap of the first thirty days
    regret: float  # EUR per segment and 30 days away from the smallest spend that fills capacity
    coverage: float  # mornings on which the interval held the true mean at that budget; NaN without an interval


def play(company: Company, policy: Policy) -> Outcome:
    """Live the company's days with one policy."""
    books, budget = Books(company), company.start.copy()
    for day in range(WARM_UP):
        books.live(day, budget)
    gaps = np.zeros((company.size, HORIZON))
    spent = np.zeros_like(gaps)
    beyond, within, away = np.zeros_like(gaps), np.zeros_like(gaps), np.zeros_like(gaps)
    changes = wrong = 0
    for day in range(WARM_UP, WARM_UP + HORIZON):
        capacity, acceptance = company.capacity[:, day], company.acceptance[:, day]
        before = acceptance * company.leads(day, budget)
        new = np.where(books.learning(day), budget, policy.decide(books, day, budget))
        up, down = new > budget * 1.0001, new < budget * 0.9999
        changes += int((up | down).sum())
        wrong += int((up & (before > capacity)).sum() + (down & (before < capacity)).sum())
        budget = new
        books.live(day, budget)

        at = day - WARM_UP
        accepted = acceptance * company.leads(day, budget)
        free = np.minimum(acceptance * company.week[day] * company.free[:, day], capacity)
        spend = company.spend(budget)
        gaps[:, at] = accepted - capacity
        spent[:, at] = spend
        beyond[:, at] = np.maximum(spend - company.enough[:, day], 0)
        # What no budget within the cap could fill is no money astray.
        away[:, at] = np.abs(spend - np.minimum(company.enough[:, day], company.cap))
        within[:, at] = np.minimum(accepted, capacity) - free
    capacity = company.capacity[:, WARM_UP:]
    return Outcome(
        gap=100 * np.abs(gaps).sum() / capacity.sum(),
        beyond=100 * beyond.sum() / spent.sum(),
        changes=changes / company.size * 30 / HORIZON,
        cost=spent.sum() / within.sum(),
        wrong_way=100 * wrong / max(changes, 1),
        recovery=recovery(gaps / capacity) if company.world.shock else np.nan,
        early=100 * np.abs(gaps[:, :30]).sum() / capacity[:, :30].sum(),
        regret=away.sum() / company.size * 30 / HORIZON,
        coverage=100 * float(np.mean(policy.covered)) if isinstance(policy, Planner) else np.nan,
    )


def recovery(relative_gap: np.ndarray, shock: int = 30, near: float = 0.15) -> float:
    """Median days from the shock until a segment is near its capacity again; the horizon where it never is."""
    after = np.abs(relative_gap[:, shock:]) <= near
    days = np.where(after.any(1), after.argmax(1), after.shape[1])
    return float(np.median(days))
