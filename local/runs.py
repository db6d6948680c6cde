"""Runs of a DAG while they go on: waits for their end, says what they do, and how they failed."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from local import LocalError
from local.airflow_api import ACTIVE, AirflowApi
from local.report import rows

STALL_SECONDS = 1800  # no task has changed its state for so long: something is wrong
OPEN = (
    None,
    "none",
    "scheduled",
    "queued",
    "running",
    "restarting",
    "up_for_retry",
    "up_for_reschedule",
    "deferred",
)
PARKED = "awaiting_input"  # a question to a person; no process waits for the answer


class DayError(LocalError):
    """The morning did not end well. The message names the run, the task and the last lines of its log."""


class Watch:
    """Waits for runs and says what they do."""

    def __init__(self, api: AirflowApi, scheduler_lives: Callable[[], bool]) -> None:
        self.api, self._scheduler_lives = api, scheduler_lives
        self._begun = time.monotonic()
        self._told: set[tuple[str, int]] = set()

    def wait(self, dag_id: str, run_id: str) -> str:
        """Wait for a run; returns its state, or "awaiting_input" when only a person can move it on.

        Raises LocalError when the scheduler is gone or nothing has moved for half an hour.
        """
        shown, moved, last, parked_since = "", time.monotonic(), "", 0.0
        while True:
            state = str(self.api.run(dag_id, run_id)["state"])
            tasks = self.api.tasks(dag_id, run_id)
            done = sum(task["state"] not in (*OPEN, PARKED) for task in tasks)
            active = under_way(tasks)
            line = f"{dag_id}: {done} of {len(tasks)} tasks done" + (f", now {', '.join(active)}" if active else "")
            if line != last:
                last, moved = line, time.monotonic()
            self._tell_retries(tasks)
            if line != shown and (active or state not in ACTIVE):
                shown = line
                print(f"  {time.monotonic() - self._begun:5.0f} s  {line}", flush=True)
            if state not in ACTIVE:
                return state
            if is_parked(tasks):
                parked_since = parked_since or time.monotonic()
                if time.monotonic() - parked_since > 5:  # between two tasks a run looks the same for an instant
                    return PARKED
            else:
                parked_since = 0.0
            if not self._scheduler_lives():
                raise LocalError("Airflow's scheduler has ended; see its log. Run the same command again.")
            if time.monotonic() - moved > STALL_SECONDS:
                raise LocalError(f"{line}: nothing has moved for half an hour. `make stop`, then run again.")
            time.sleep(0.5)

    def is_behind_a_question(self, dag_id: str) -> bool:
        """Does a run of this DAG wait for a person? Then Airflow may start no other, or not yet."""
        return bool(parked_runs(self.api, dag_id))

    def _tell_retries(self, tasks: list[dict[str, Any]]) -> None:
        """Say once for each failed try why the run takes longer than it should."""
        for task in tasks:
            key = (task["id"], task["try_number"])
            if task["state"] == "up_for_retry" and key not in self._told:
                self._told.add(key)
                print(
                    f"          {which(task)} failed and will be tried again: {self.api.error(task) or 'see its log'}",
                    flush=True,
                )

    def finish(self, dag_id: str, run_id: str) -> str:
        """Wait for a run that has to succeed, or to end at a question to a person. Raises DayError with the log."""
        state = self.wait(dag_id, run_id)
        if state not in ("success", PARKED):
            raise DayError(failure(self.api, dag_id, run_id))
        return state

    def until(self, question: Callable[[], bool], seconds: float) -> bool:
        """Does this become true in time?"""
        deadline = time.monotonic() + seconds
        while not question():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.3)
        return True


def under_way(tasks: list[dict[str, Any]]) -> list[str]:
    """The tasks that a run is at, each with why it takes longer where it waits for another try."""
    return sorted(
        {
            task["task_id"] + (" (failed, waits for its next try)" if task["state"] == "up_for_retry" else "")
            for task in tasks
            if task["state"] in OPEN[3:]
        }
    )


def is_parked(tasks: list[dict[str, Any]]) -> bool:
    """Does this run wait for a person, and for nothing else?"""
    states = {task["state"] for task in tasks}
    return PARKED in states and not states & set(OPEN[2:])


def active_runs(api: AirflowApi, dag_ids: Sequence[str]) -> list[tuple[str, str]]:
    """(DAG id, run id) of the unfinished runs of these DAGs, oldest first, questions to people left out."""
    known = api.dags()
    return [
        (dag_id, run["dag_run_id"])
        for dag_id in dag_ids
        if dag_id in known
        for run in reversed(api.runs(dag_id, state=list(ACTIVE)))
        if not is_parked(api.tasks(dag_id, run["dag_run_id"]))
    ]


def parked_runs(api: AirflowApi, dag_id: str) -> list[str]:
    """The ids of the runs that wait for a person, and for nothing else."""
    running = [str(run["dag_run_id"]) for run in api.runs(dag_id, state=["running"])]
    return [run_id for run_id in running if is_parked(api.tasks(dag_id, run_id))]


def close_questions(api: AirflowApi, dag_id: str, url: str) -> None:
    """Close the runs that ask a person about a morning that is over, as `make tomorrow` leaves them.

    `url`: the leads database, as its owner.
    """
    asking = parked_runs(api, dag_id) if dag_id in api.dags() else []
    of_today = {row["dag_run_id"] for row in rows(url, "select_runs_of_today")} if asking else set()
    for run_id in sorted(set(asking) - of_today):
        print(f"  closing the question of {run_id}: its morning is over")
        api.fail_run(dag_id, run_id)


def close_leftovers(api: AirflowApi, dag_ids: Sequence[str]) -> None:
    """Close the runs whose scheduler is gone: nobody works on them, and a new run settles what they began."""
    for dag_id, run_id in active_runs(api, dag_ids):
        print(f"  closing the interrupted run {run_id} of {dag_id}")
        api.fail_run(dag_id, run_id)


def which(task: dict[str, Any]) -> str:
    """A task's name, with what it was mapped over."""
    index = task.get("rendered_map_index") or (task["map_index"] if task["map_index"] >= 0 else None)
    return str(task["task_id"]) if index is None else f"{task['task_id']} [{index}]"


def failure(api: AirflowApi, dag_id: str, run_id: str) -> str:
    """Which tasks failed, the first one first, and the last lines of their logs."""
    parts = [f"The run {run_id} of {dag_id} failed."]
    failed = [task for task in api.tasks(dag_id, run_id) if task["state"] == "failed"]
    for task in sorted(failed, key=lambda task: task["end_date"] or ""):
        tail = "\n".join(f"    {line}" for line in api.log(task)[-30:])
        parts.append(f"  {which(task)}, try {task['try_number']}. The end of its log:\n{tail}")
    return "\n".join(parts)
