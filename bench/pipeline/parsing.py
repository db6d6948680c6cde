"""f) What it takes to parse the dags folder, against a folder with one empty DAG: a fresh interpreter each, in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.pipeline.measure import ROOT, Figure, Findings, Scale

EMPTY = """
import pendulum
from airflow.sdk import dag, task


@dag(schedule=None, start_date=pendulum.datetime(2025, 1, 1), catchup=False)
def empty():
    @task
    def nothing():
        pass

    nothing()


empty()
"""
PROGRAM = f"""
import json, sys, time
sys.path.insert(0, {str(ROOT / "plugins")!r})
from airflow.dag_processing.dagbag import DagBag
loaded = time.process_time()
bag = DagBag(sys.argv[1])
if bag.import_errors or not bag.dags:
    raise SystemExit(str(bag.import_errors or "no DAG"))
print(json.dumps([time.process_time(), time.process_time() - loaded]))
"""


def measure(scale: Scale, folder: Path) -> Findings:
    """CPU seconds, the least of several tries: what other programs do meanwhile does not count."""
    empty = folder / "one-empty-dag"
    empty.mkdir()
    (empty / "empty.py").write_text(EMPTY)
    took: dict[Path, list[list[float]]] = {ROOT / "dags": [], empty: []}
    for _ in range(scale.repeats):
        for dags, times in took.items():
            times.append(_parse(dags, folder))
    files = len(list((ROOT / "dags").glob("*.py")))
    ours, limit = ([min(column) for column in zip(*times, strict=True)] for times in took.values())
    return Findings(
        [
            Figure(
                "f", "parsing the dags folder, CPU", ours[0], "s", limit[0], "a folder with one empty DAG",
                ours[0] / limit[0], at_most=1.3,
            ),
            Figure(
                "f", "of that, once Airflow itself is loaded", ours[1], "s", limit[1], "one empty DAG",
                ours[1] / limit[1], note=f"{files} files, and Airflow's SQL and human-in-the-loop operators",
            ),
        ]
    )  # fmt: skip


def _parse(dags: Path, home: Path) -> list[float]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")} | {
        "AIRFLOW_HOME": str(home / "airflow-that-parses"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(dags)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{dags} could not be parsed: {done.stderr[-2000:]}")
    return list(json.loads(done.stdout.splitlines()[-1]))
