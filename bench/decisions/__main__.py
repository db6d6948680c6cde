"""`python -m bench.decisions`: the planner against rules of thumb, an oracle and an insider, in made-up companies.

python -m bench.decisions              twenty seeds a world, written to docs as well: a quarter of an hour on two cores
python -m bench.decisions --seeds 8    fewer of them, and sooner
python -m bench.decisions --quick      two seeds a world, printed only: a minute or two
python -m bench.decisions --tune       how the rules of thumb were tuned (on seeds of their own; much longer)
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are small: threads would only wait for each other

sys.path.insert(0, str(Path(__file__).parents[2] / "plugins"))

from bench.decisions import report, scale
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
from bench.decisions.worlds import HELD_OUT, WORLDS, Company, World

#: Every rule of thumb with the best parameters that were found on the tuning seeds.
BASELINES: dict[str, Callable[[], Policy]] = {
    "hold": Hold,
    "fixed 10% daily, raw": lambda: FixedStep(1, Reading(7)),
    "fixed 10%, matured": lambda: FixedStep(3, Reading(14, 7), 0.2),
    "proportional, matured": lambda: Proportional(7, Reading(28, 4), 0.4, 0.05),
    "PID daily, matured": lambda: Pid(1, Reading(42, 2), 1.0, 0.08, 0.0),
    "fixed 10%, corrected": lambda: FixedStep(3, Reading(14, corrected=True), 0.1),
    "proportional, corrected": lambda: Proportional(3, Reading(14, corrected=True), 0.4, 0.05),
    "PID, corrected": lambda: Pid(3, Reading(28, corrected=True), 0.8, 0.3, 0.0),
    "PID daily, corrected": lambda: Pid(1, Reading(28, corrected=True), 0.6, 0.1, 0.0),
}
#: Those of them that change a budget more often than the planner may.
EXEMPT = ("fixed 10% daily, raw", "PID daily, matured", "PID daily, corrected")
#: The planner, and those that know more than any rule can.
OTHERS: dict[str, Callable[[], Policy]] = {
    "planner": Planner,
    "planner, steps of 50%": lambda: Planner(step_up=1.5, step_down=0.5),
    "insider": Insider,
    "insider, no gate": lambda: Insider(dead_band=0.0, significance=0.0),
    "insider, unbound": lambda: Insider(dead_band=0.0, significance=0.0, unbound=True),
    "oracle": Oracle,
    "oracle, no gate": lambda: Oracle(dead_band=0.0),
}


def main() -> None:
    """Run the benchmark, print it as Markdown, and say of each aim whether it is met."""
    parser = argparse.ArgumentParser(prog="python -m bench.decisions", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two seeds a world instead of twenty, write nothing")
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds a world")
    parser.add_argument("--tune", action="store_true", help="print how the rules of thumb were tuned, and stop")
    options = parser.parse_args()
    if options.tune:
        tune()
        return
    seeds = range(2 if options.quick else options.seeds)
    games = [(world, seed) for world in (*WORLDS, HELD_OUT) for seed in seeds]
    table: report.Table = {}
    with ProcessPoolExecutor() as processes:
        for (world, seed), outcomes in zip(games, processes.map(play_all, games), strict=True):
            for name, outcome in outcomes.items():
                table.setdefault(world.name, {}).setdefault(name, []).append(outcome)
            if seed == seeds[-1]:
                print(f"{world.name}: done", file=sys.stderr)
    scales = {days: scale.measure(days) for days in (scale.DAYS, scale.WINDOW)}
    rules = [name for name in BASELINES if name not in EXEMPT]
    text = report.markdown(table, rules, [world.name for world in WORLDS], scales)
    print(text)
    if not options.quick:
        report.write(text, table, rules, Path(__file__).parents[2] / "docs")


def play_all(game: tuple[World, int]) -> dict[str, Outcome]:
    """Every policy in one company."""
    company = Company(*game)
    return {name: play(company, make()) for name, make in (BASELINES | OTHERS).items()}


if __name__ == "__main__":
    main()
