"""How the baselines and the planner's gate were tuned: over all worlds but the held-out one, on seeds that the
benchmark never uses. Every family is tried with both readings of late acceptance.

Of the rules of thumb the smallest gap was taken, however often it changes. Of the planner's gates a calm one: with the
narrowest the gap is about 2% smaller, and a world whose capacity jumps sees 3.5 changes a segment in 30 days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from bench.decisions.policies import FixedStep, Pid, Planner, Policy, Proportional, Reading
from bench.decisions.run import play
from bench.decisions.worlds import WORLDS, Company
from lead_demand.planner.settings import PlannerSettings

SEEDS = (100, 101)


def candidates() -> Iterator[tuple[str, str, Callable[[], Policy]]]:
    """Family, a readable label, and how to make one, over a small grid."""
    readings = {
        "matured": [Reading(window, lag) for window, lag in product((14, 28, 42), (2, 4, 7))],
        "corrected": [Reading(window, corrected=True) for window in (7, 14, 28, 42)],
    }
    for kind, read in readings.items():
        for reading, every, band in product(read, (3, 7), (0.0, 0.1, 0.2, 0.3)):
            label = f"{reading} {every=} {band=}"
            yield f"fixed, {kind}", label, lambda r=reading, e=every, b=band: FixedStep(e, r, b)
        for reading, every, gain, band in product(read, (3, 7, 14), (0.25, 0.4, 0.7, 1.0), (0.05, 0.15)):
            label = f"{reading} {every=} {gain=} {band=}"
            yield f"proportional, {kind}", label, lambda r=reading, e=every, g=gain, b=band: Proportional(e, r, g, b)
        for reading, kp, ki, kd in product(read, (0.3, 0.6, 1.0, 1.5, 2.0), (0.03, 0.08, 0.1, 0.2), (0.0, 0.3)):
            label = f"{reading} {kp=} {ki=} {kd=}"
            yield f"PID, {kind}", label, lambda r=reading, p=kp, i=ki, d=kd: Pid(1, r, p, i, d)
    for band, sure in product((0.05, 0.08, 0.1), (0.5, 0.7, 0.9, 1.1)):
        settings = PlannerSettings(dead_band=band, significance=sure)
        yield "planner", f"{band=} {sure=}", lambda s=settings: Planner(s)


def tune() -> None:
    """Print the three best members of each family, and every gate of the planner."""
    companies = [Company(world, seed) for world in WORLDS for seed in SEEDS]
    found: dict[str, list[tuple[float, float, str]]] = {}
    for family, label, make in candidates():
        runs = [play(company, make()) for company in companies]
        means = (float(np.mean([getattr(run, measure) for run in runs])) for measure in ("gap", "changes"))
        found.setdefault(family, []).append((*means, label))
    for family, results in found.items():
        for gap, changes, label in sorted(results)[: None if family == "planner" else 3]:
            print(f"{family:24} {gap:5.2f} {changes:5.1f}  {label}")
