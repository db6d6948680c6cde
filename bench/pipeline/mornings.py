"""e) A whole scheduled day in Airflow at several numbers of segments, beside two empty DAGs of the same shape.

The day is a second morning: thirty days are in place and yesterday is new; the rest of the planner's window is made of
copies of them. `lead_stats` announces the day, `lead_budgets` starts on that. Google is the sandbox in a process
of its own; its CPU is told apart, its slowness is ours.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections import defaultdict
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench.pipeline import USAGE_FILE
from bench.pipeline.measure import ROOT, Figure, Findings, Scale, median
from lead_demand.database import sql
from lead_demand.planner.settings import PlannerSettings
from local.airflow_api import ACTIVE, AirflowApi
from local.stack import Stack

WAITING = (
    "An empty task does nothing and waits for nobody; ours wait for the sandbox, which shares their cores, and "
    "for PostgreSQL: the tables below name the tasks and the statements that take longest."
)
WORKING = (
    "Nobody says which leads changed, so thirty days of them are counted again; thirty days of every campaign are "
    "compared with what is stored; the planner reads its whole window; and of each budget that changes a claim is "
    "written, compared, sent and closed. A day on which most budgets change is the dearest there is."
)
HOLDING = (
    "A task is forked from a scheduler that has loaded pandas and Google's types, some 270 MB that count for each of "
    "them; the planner's window of all segments lies on top of it."
)
CLAIMING = (
    "Each task is a process that loads Airflow's context, claims what it may, compares every claim with the live "
    "budget and with its decision before each batch, and closes it; the other of the two waits for its turn meanwhile."
)
CHANGING = ("increase_budgets", "decrease_budgets")
DAYS = ("lead_stats", "lead_budgets")
HISTORY = 31
# Days of the planner's window that are older than what the first morning reads: the last four weeks, over and over.
OLDER = """
insert into {table} (date, {columns})
select date - 28 * back, {columns}
from {table}, generate_series(1, {window} / 28) as back
where
    date between lead_today() - 28 and lead_today() - 1
    and date - 28 * back between lead_today() - {window} and lead_today() - {history}
on conflict do nothing
"""
PATIENCE = 1800
SLOW = 100  # ms: what PostgreSQL writes down of a statement
AIRFLOW = ("scheduler", "dag-processor", "api-server")
# As if yesterday had not been read yet.
FORGET = """
delete from channel_metrics where date = lead_today() - 1;
delete from lead_generation_stats where date = lead_today() - 1;
update leads set segment_id = null
where created_at >= (lead_today() - 1)::timestamp at time zone 'Europe/Amsterdam';
vacuum analyze;
checkpoint
"""
EMPTY = '''"""As many tasks as {of} ran, in the same order, and nothing in them."""

import pendulum
from airflow.sdk import Asset, dag, task

ANNOUNCED = Asset(name="nothing_to_do")
TASKS = {tasks}


@dag(
    schedule={schedule},
    start_date=pendulum.datetime(2025, 1, 1),
    catchup=False,
    default_args={{"trigger_rule": "all_done"}},
)
def empty_{of}():
    made = {{}}
    for task_id, about in TASKS.items():

        def nothing(_=None, instances=about["gives"]):
            return list(range(instances))

        outlets = [ANNOUNCED] if task_id == "announce_day" else []
        one = task(task_id=task_id, outlets=outlets)(nothing)
        made[task_id] = one.expand(_=made[about["over"]]) if about["over"] else one()
    for task_id, about in TASKS.items():
        for upstream in about["after"]:
            made[upstream] >> made[task_id]


empty_{of}()
'''


@dataclass(frozen=True)
class Day:
    """What one day took: wall seconds, CPU seconds of each service and of the tasks themselves, and each task."""

    wall: float
    cpu: dict[str, float]
    tasks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def tasks_cpu(self) -> float:
        return sum(task["cpu"] for task in self.tasks)


class Mornings(Stack):
    """Airflow, PostgreSQL and a sandbox of so many segments in a folder of their own."""

    scheduler = "bench.pipeline.scheduler"

    def __init__(self, home: Path, segments: int) -> None:
        self.usage, self.dags = home / "usage.jsonl", home / "dags"
        shutil.copytree(ROOT / "dags", self.dags, ignore=shutil.ignore_patterns("__pycache__"))
        self.usage.touch()
        settings = {
            "SANDBOX_SEGMENTS": str(segments),
            USAGE_FILE: str(self.usage),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",  # its files do not change
            "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "86400",
        }
        taken = ("AIRFLOW", "LEADS_", "SANDBOX_")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(taken)}
        super().__init__("run", home, environ | settings)

    def load_company(self) -> object:
        from sandbox.company.load import load

        loaded = load(self.leads_url, str(self.control), days=HISTORY)
        # A company's own tables are no news to its database; autovacuum would come a minute later.
        self.sql("analyze")
        return loaded

    def sql(self, statements: str) -> Any:
        """Run statements as the owner; returns the last one's first value, if it has one."""
        with psycopg.connect(self.leads_url, autocommit=True) as connection:
            for statement in statements.split(";"):
                cursor = connection.execute(statement)
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def fill_window(self, days: int) -> None:
        """Give the planner as many days as it reads: copies of the last weeks, as one restores a dump."""
        with psycopg.connect(self.leads_url, autocommit=True) as connection:
            connection.execute("set session_replication_role = replica")
            for table in ("lead_generation_stats", "channel_metrics"):
                columns = connection.execute(
                    """
                    select string_agg(column_name, ', ') from information_schema.columns
                    where
                        table_schema = 'public' and table_name = %s
                        and is_generated = 'NEVER' and column_name <> 'date'
                    """,
                    [table],
                ).fetchone()
                older = OLDER.format(table=table, columns=columns[0], window=days, history=HISTORY)  # type: ignore[index]
                connection.execute(older)  # type: ignore[call-overload]

    def wait(self, api: AirflowApi, dag_id: str, run_id: str) -> dict[str, Any]:
        """The run once it has ended well. Raises RuntimeError where it has not."""
        deadline = time.monotonic() + PATIENCE
        while (run := api.run(dag_id, run_id))["state"] in ACTIVE:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{dag_id} {run_id} is still {run['state']} after {PATIENCE} s")
            time.sleep(1)
        if run["state"] != "success":
            failed = [task for task in api.tasks(dag_id, run_id) if task["state"] == "failed"]
            raise RuntimeError(f"{dag_id} {run_id}: {run['state']}. {failed[0]['task_id']}: {api.error(failed[0])}")
        return run

    def day(self, api: AirflowApi, dag_ids: tuple[str, str]) -> tuple[Day, dict[str, str]]:
        """The first DAG is triggered and starts the second; returns what both took, and their run ids."""
        seen, before = len(self._usage()), self._cpu()
        ids = {dag_ids[0]: api.trigger(dag_ids[0])}
        first = self.wait(api, dag_ids[0], ids[dag_ids[0]])
        deadline = time.monotonic() + PATIENCE
        while not (started := api.runs_started_by(dag_ids[0], ids[dag_ids[0]])):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{dag_ids[0]} announced nothing")
            time.sleep(0.5)
        ids |= dict(started)
        last = self.wait(api, dag_ids[1], ids[dag_ids[1]])
        after = self._cpu()
        wall = _moment(last["end_date"]) - _moment(first["start_date"])
        used = {name: after[name] - before[name] for name in after}
        return Day(wall, used, self._usage()[seen:]), ids

    def write_empty_twin(self, api: AirflowApi, dag_id: str, run_id: str) -> int:
        """A DAG file with the tasks that this run has really run; returns how many instances it had."""
        ran: dict[str, int] = defaultdict(int)
        for instance in api.tasks(dag_id, run_id):
            if instance["state"] == "success":
                ran[instance["task_id"]] += 1
        known = {task["task_id"]: task for task in api.request("GET", f"/dags/{dag_id}/tasks")["tasks"]}
        before: dict[str, list[str]] = defaultdict(list)
        for task_id in ran:
            for follower in known[task_id]["downstream_task_ids"]:
                before[follower].append(task_id)
        over = {task_id: sorted(before[task_id])[0] for task_id in ran if known[task_id]["is_mapped"]}
        shape = {
            task_id: {
                "after": sorted(before[task_id]),
                "over": over.get(task_id),
                "gives": max([ran[follower] for follower, source in over.items() if source == task_id], default=0),
            }
            for task_id in sorted(ran, key=lambda name: name in over)  # what is mapped comes after what it maps over
        }
        schedule = None if dag_id == DAYS[0] else "[ANNOUNCED]"
        (self.dags / f"empty_{dag_id}.py").write_text(EMPTY.format(of=dag_id, tasks=repr(shape), schedule=schedule))
        return sum(ran.values())

    def logged(self) -> int:
        """How long PostgreSQL's log is by now."""
        return Path(self.postgres.process()[2]).stat().st_size

    def slow_statements(self, since: int) -> dict[str, float]:
        """Seconds of each statement that took SLOW or longer, by its file in `include/sql`, the longest first."""
        files = {path: path.read_text().partition("\n")[0] for path in sorted(sql.SQL_FOLDER.rglob("*.sql"))}
        # What other files include is no statement of its own; the linter leaves it out as well.
        files = {path: line for path, line in files.items() if not line.startswith("-- noqa")}
        names = {line: str(path.relative_to(sql.SQL_FOLDER)) for path, line in files.items()}
        if len(names) < len(files):
            raise RuntimeError("Two files of include/sql begin with the same line: their statements look the same.")
        found: dict[str, float] = defaultdict(float)
        took = 0.0
        with open(self.postgres.process()[2], errors="replace") as log:
            log.seek(since)
            for line in log:
                if not line.startswith("\t"):  # another entry
                    logged = re.search(r" LOG:  duration: ([\d.]+) ms", line)
                    took = float(logged[1]) / 1000 if logged else 0.0
                begun = line[line.find("-- ") :].strip()
                if took and begun in names:
                    found[names[begun]] += took
                    took = 0.0
        return dict(sorted(found.items(), key=lambda each: -each[1]))

    def _usage(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.usage.read_text().splitlines()]

    def _cpu(self) -> dict[str, float]:
        found = {}
        for name, record in self.running().items():
            tree = [psutil.Process(record.pid)]
            tree += tree[0].children(recursive=True)
            found[name] = 0.0
            for process in tree:
                try:
                    found[name] += sum(process.cpu_times()[:4])  # its own, and that of the children it has buried
                except psutil.NoSuchProcess:
                    continue
        return found


def measure(scale: Scale, folder: Path) -> Findings:
    """One day a size; the empty days are repeated, for they are short."""
    found, instances = Findings(), {}
    for segments in scale.worlds:
        stack = Mornings(folder / f"morning-{segments}", segments)
        try:
            with redirect_stdout(sys.stderr):
                stack.start()
            found += _morning(stack, segments, 1 if len(scale.worlds) == 1 else 3, instances)
        finally:
            stack.stop()
            stack.postgres.remove()
            shutil.rmtree(stack.home, ignore_errors=True)
    least, most = instances[scale.worlds[0]], instances[scale.worlds[-1]]
    found.figures.append(
        Figure(
            "e", f"task instances at {scale.worlds[-1]:,} segments", most, "instances", least,
            f"at {scale.worlds[0]:,} segments", most / least, at_least=1, at_most=1,
        )
    )  # fmt: skip
    return found


def _morning(stack: Mornings, segments: int, repeats: int, instances: dict[int, int]) -> Findings:
    api = stack.api()
    stack.sql("update orchestration_settings set approval_threshold = 1000000")  # nobody is there to be asked
    # The first morning, thirty days of it new. Its schedule starts it at once; before 06:00, when none is due, it is
    # started by hand.
    api.set_paused(DAYS[0], False)
    deadline = time.monotonic() + PATIENCE
    while not (runs := api.runs(DAYS[0])) and not api.is_caught_up(DAYS[0]):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{DAYS[0]} does not follow its schedule")
        time.sleep(0.5)
    runs = runs or api.runs(DAYS[0])
    first = stack.wait(api, DAYS[0], runs[0]["dag_run_id"] if runs else api.trigger(DAYS[0]))
    first_wall = _moment(first["end_date"]) - _moment(first["start_date"])
    stack.fill_window(PlannerSettings().window_days)
    stack.sql(FORGET)
    api.set_paused(DAYS[1], False)
    stack.sql(f"alter system set log_min_duration_statement = {SLOW}; select pg_reload_conf()")
    since = stack.logged()
    ours, ids = stack.day(api, DAYS)
    slow = stack.slow_statements(since)
    stack.sql("alter system reset log_min_duration_statement; select pg_reload_conf()")
    changed = stack.sql("select count(*) from channel_orchestration_log where status = 'success'")
    instances[segments] = sum(stack.write_empty_twin(api, dag_id, run_id) for dag_id, run_id in ids.items())
    twins = (f"empty_{DAYS[0]}", f"empty_{DAYS[1]}")
    while not set(twins) <= set(api.dags()):
        if errors := api.import_errors():
            raise RuntimeError(errors[0]["stack_trace"])
        time.sleep(1)
    for dag_id in twins:
        api.set_paused(dag_id, False)
    empty = [stack.day(api, twins)[0] for _ in range(repeats)]

    peak = max(stack._usage(), key=lambda task: task["megabytes"])
    empty_wall = median([day.wall for day in empty])
    empty_cpu = median([sum(day.cpu[name] for name in (*AIRFLOW, "postgres")) for day in empty])
    ours_wall = ours.wall - empty_wall
    ours_cpu = max(
        0.0,
        ours.tasks_cpu + ours.cpu["postgres"] - median([day.tasks_cpu + day.cpu["postgres"] for day in empty]),
    )
    judged = 2.0 if segments >= 10_000 else None
    what = f"a scheduled day, {segments:,} segments"
    overhead = "Airflow's own: the empty DAGs"
    figures = [
        Figure(
            "e", f"{what}: wall, ours", ours_wall, "s", empty_wall, overhead, ours_wall / empty_wall,
            at_most=judged, why=WAITING,
        ),
        Figure(
            "e", f"{what}: CPU, ours", ours_cpu, "s", empty_cpu, overhead, ours_cpu / empty_cpu,
            at_most=judged, why=WORKING,
        ),
        Figure(
            "f", f"largest peak of a task's memory, {segments:,} segments", peak["megabytes"], "MB", at_most=600.0,
            note=f"({peak['task_id']})", why=HOLDING,
        ),
    ]  # fmt: skip
    changing = [task for task in ours.tasks if task["task_id"] in CHANGING]
    if segments >= 10_000:
        figures += [
            Figure("e", f"{what}: CPU, ours, in seconds", ours_cpu, "s", at_most=30.0, why=WORKING),
            Figure("e", f"{what}: CPU per changed budget", 1000 * ours_cpu / max(changed, 1), "ms"),
            Figure(
                "e", f"{what}: {changed:,} budgets changed, beyond Google's answers",
                sum(task["seconds"] - task["google"] for task in changing), "s", at_most=2.0, why=CLAIMING,
                note="(both tasks together)",
            ),
        ]  # fmt: skip
    profile = [
        f"{ours.wall:.0f} s from the first task to the last, {changed} budgets changed; the empty DAGs "
        f"{empty_wall:.0f} s. Thirty days new (the very first morning), `lead_stats` alone: {first_wall:.0f} s.",
        "",
        "| CPU seconds | our day | the empty day |",
        "|---|---:|---:|",
        *(
            f"| {name} | {ours.cpu[name]:.1f} | {median([day.cpu[name] for day in empty]):.1f} |"
            for name in (*AIRFLOW, "postgres", "sandbox")
        ),
        f"| of the scheduler's, the tasks themselves | {ours.tasks_cpu:.1f} | "
        f"{median([day.tasks_cpu for day in empty]):.1f} |",
        "",
        "| task (the largest instance) | wall | of it for Google Ads | CPU | peak memory |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {task['task_id']} | {task['seconds']:.1f} s | {task['google']:.1f} s | {task['cpu']:.1f} s | "
            f"{task['megabytes']:.0f} MB |"
            for task in _largest(ours.tasks)
        ),
        *_slow(slow),
    ]
    return Findings(figures, {f"e, {what}": profile})


def _slow(statements: dict[str, float]) -> list[str]:
    if not statements:
        return []
    rows = (f"| {name} | {took:.1f} |" for name, took in statements.items())
    return ["", f"| statement of {SLOW} ms or more | seconds in PostgreSQL |", "|---|---:|", *rows]


def _largest(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each task once, by its longest instance, the longest first."""
    by_task: dict[str, dict[str, Any]] = {}
    for task in sorted(tasks, key=lambda task: task["seconds"]):
        by_task[task["task_id"]] = task
    return sorted(by_task.values(), key=lambda task: -task["seconds"])


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
