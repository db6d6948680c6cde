"""`python -m bench.decisions`: the planner against rules of thumb, an oracle and an insider, in made-up companies.

python -m bench.decisions            six seeds a world, a few minutes
python -m bench.decisions --quick    two seeds a world, about a minute
python -m bench.decisions --tune     how the rules of thumb were tuned (on seeds of their own; much longer)
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are small: threads would only wait for each other

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "plugins"))

from bench.decisions.policies import (
    FixedStep,
    Hold,
    Insider,
    Oracle,
    Pid,
    Planner,
    Policy,
    Proportional,
    Reading,
)
from bench.decisions.run import Outcome, play
from bench.decisions.tuning import tune
from bench.decisions.worlds import HELD_OUT, WORLDS, Company

#: Every rule of thumb with the parameters that `--tune` found best.
BASELINES: dict[str, Callable[[], Policy]] = {
    "hold": Hold,
    "fixed 10% daily, raw": lambda: FixedStep(1, Reading(7)),
    "fixed 10%, matured": lambda: FixedStep(3, Reading(14, 7), 0.2),
    "proportional, matured": lambda: Proportional(7, Reading(28, 4), 0.4, 0.05),
    "PID, matured": lambda: Pid(1, Reading(28, 4), 1.0, 0.1, 0.0),
}
#: The best rule of thumb with the planner's own reading of late acceptance, and the rest that is no baseline.
OTHERS: dict[str, Callable[[], Policy]] = {
    "proportional, corrected": lambda: Proportional(3, Reading(14, corrected=True), 0.4, 0.05),
    "planner": Planner,
    "insider": Insider,
    "oracle": Oracle,
}
MEASURES = {
    "gap": "expected gap, % of capacity",
    "beyond": "spend beyond capacity, %",
    "changes": "changes a segment, 30 days",
    "cost": "EUR a lead within capacity",
    "wrong_way": "wrong-way changes, %",
}
Table = dict[str, dict[str, list[Outcome]]]


def main() -> None:
    """Run the benchmark and print it as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m bench.decisions", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two seeds a world instead of six")
    parser.add_argument("--tune", action="store_true", help="print how the rules of thumb were tuned, and stop")
    options = parser.parse_args()
    if options.tune:
        tune()
        return
    table: Table = {}
    for world in (*WORLDS, HELD_OUT):
        companies = [Company(world, seed) for seed in range(2 if options.quick else 6)]
        table[world.name] = {
            name: [play(company, make()) for company in companies] for name, make in (BASELINES | OTHERS).items()
        }
        print(f"{world.name}: done", file=sys.stderr)
    report(table)


def report(table: Table) -> None:
    """Print all policies over the nine worlds, the gap in each world, and the ratios."""
    tuned = [world.name for world in WORLDS]
    policies = list(BASELINES | OTHERS)
    print(f"Mean over {len(tuned)} worlds ± standard error over seeds\n")
    print(f"| policy | {' | '.join(MEASURES.values())} |\n|---|{'---|' * len(MEASURES)}")
    for name in policies:
        cells = [mean_and_error(table, tuned, name, measure) for measure in MEASURES]
        print(f"| {name} | {' | '.join(f'{mean:.1f} ± {error:.1f}' for mean, error in cells)} |")

    print("\nExpected gap in each world, % of capacity\n")
    print(f"| world | {' | '.join(policies)} | planner ÷ best baseline | planner ÷ oracle |")
    print(f"|---|{'---|' * (len(policies) + 2)}")
    for world in table:
        gaps = {name: mean_and_error(table, [world], name, "gap")[0] for name in policies}
        best = min(gaps[name] for name in BASELINES)
        cells = [*(f"{gap:.1f}" for gap in gaps.values()), f"{gaps['planner'] / best:.2f}"]
        print(f"| {world} | {' | '.join(cells)} | {gaps['planner'] / gaps['oracle']:.2f} |")

    gaps = {name: mean_and_error(table, tuned, name, "gap")[0] for name in policies}
    print("\nThe planner's expected gap, divided by that of")
    for name in policies:
        print(f"- {name}: {gaps['planner'] / gaps[name]:.2f}")
    coverage = {world: float(np.mean([run.coverage for run in table[world]["planner"]])) for world in table}
    cells = ", ".join(f"{world} {value:.0f}" for world, value in coverage.items())
    mean = np.mean([coverage[world] for world in tuned])
    print(f"\nInterval coverage in %, nominal 80: {cells}; mean without the held-out world {mean:.1f}.")
    waits = {name: np.mean([run.recovery for run in table["capacity shock"][name]]) for name in policies}
    cells = ", ".join(f"{name} {days:.0f}" for name, days in waits.items())
    print(f"\nDays until half of the segments are within 15% again after the capacity step: {cells}.")


def mean_and_error(table: Table, worlds: list[str], policy: str, measure: str) -> tuple[float, float]:
    """Mean over worlds and seeds, and the standard error of the seeds' means."""
    values = np.array([[getattr(run, measure) for run in table[world][policy]] for world in worlds]).mean(0)
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


if __name__ == "__main__":
    main()
