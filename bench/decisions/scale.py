"""What planning 10,000 segments takes, over 56 days and over the window that the DAG reads: `python -m
bench.decisions.scale 56`.

A process of its own for each, so that its peak of memory is the planner's (with Python, pandas and the frames it is
given). Time is CPU time, and also told as a multiple of one pandas group-by over the same rows: that ratio holds on
any machine.
"""

from __future__ import annotations

import datetime as dt
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "plugins"))

import numpy as np
import pandas as pd

from lead_demand.planner.planner import LeadDemandPlanner
from lead_demand.planner.settings import PlannerSettings

SEGMENTS, DAYS, WINDOW = 10_000, 56, PlannerSettings.window_days
TODAY = dt.date(2026, 3, 11)


@dataclass(frozen=True)
class Scale:
    """CPU seconds of one `plan` and of one group-by by segment and day; peak resident megabytes of the process."""

    seconds: float
    group_by_seconds: float
    megabytes: float


def measure(days: int) -> Scale:
    """Measure a history of so many days in a fresh process."""
    command = [sys.executable, "-m", "bench.decisions.scale", str(days)]
    run = subprocess.run(command, cwd=Path(__file__).parents[2], check=True, capture_output=True, text=True)
    return Scale(**json.loads(run.stdout))


def frames(days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A large company: counts by chance, some leads still undecided, most segments off their target."""
    chance = np.random.default_rng(1)
    volume = chance.uniform(0.2, 4.0, SEGMENTS).repeat(days)
    paid, free = chance.poisson(volume), chance.poisson(0.3 * volume)
    decided = chance.binomial(paid + free, np.tile(np.linspace(1.0, 0.2, days), SEGMENTS))
    accepted = chance.binomial(decided, 0.6)
    history = pd.DataFrame(
        {
            "segment_id": np.arange(SEGMENTS).repeat(days),
            "date": np.tile(np.datetime64(TODAY) - np.arange(days, 0, -1), SEGMENTS),
            "leads_generated": paid + free,
            "leads_accepted": accepted,
            "leads_rejected": decided - accepted,
            "leads_pending": paid + free - decided,
            "google_ads_leads": paid,
            "leads_without_source": 0,
            "google_ads_spend": (30 * volume * chance.uniform(0.8, 1.2, len(volume))).round(2),
            "google_ads_budget": (30 * volume).round(2),
            "capacity_total_leads": 2,
        }
    )
    segments = pd.DataFrame(
        {
            "segment_id": np.arange(SEGMENTS),
            "current_budget": (30 * volume[::days]).round(2),
            "min_daily_budget": 1,
            "max_daily_budget": 500,
            "max_increase_pct": 20,
            "max_decrease_pct": 30,
            "cooldown_days": 3,
            "last_change_date": None,
            "capacity_total_leads": 2,
            "budget_limited": True,
        }
    )
    return history, segments


def seconds(work: Callable[[], Any]) -> float:
    """The fastest of three, in CPU time."""
    taken = []
    for _ in range(3):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)


def main() -> None:
    history, segments = frames(int(sys.argv[1]))
    planner = LeadDemandPlanner()
    plan = seconds(lambda: planner.plan(history, segments, TODAY))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    group_by = seconds(lambda: history.groupby(["segment_id", "date"]).sum())
    print(json.dumps(asdict(Scale(plan, group_by, peak))))


if __name__ == "__main__":
    main()
