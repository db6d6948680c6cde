"""The run and the task that this process works for, how its other tasks went, and what it says at its end."""

from __future__ import annotations

import logging
from collections.abc import Collection, Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lead_demand.errors import UpstreamFailed
from lead_demand.text import plain

if TYPE_CHECKING:
    from airflow.sdk import DAG
    from airflow.sdk.types import DagRunProtocol, RuntimeTaskInstanceProtocol

    from lead_demand.runs.progress import Store

log = logging.getLogger("lead_demand")


def this_run() -> DagRunProtocol:
    """The DAG run of the task that runs here."""
    from airflow.sdk import get_current_context

    return get_current_context()["dag_run"]


def this_task() -> RuntimeTaskInstanceProtocol:
    """The task instance that runs here."""
    from airflow.sdk import get_current_context

    return get_current_context()["ti"]


def this_store() -> Store:
    """What the tries of the task instance that runs here keep between them."""
    from airflow.sdk import get_current_context

    context: Any = get_current_context()
    store: Store = context["task_state_store"]
    return store


def is_last_try() -> bool:
    """Whether Airflow tries this task no more if it fails now."""
    task_instance = this_task()
    return bool(task_instance.try_number > task_instance.max_tries)


def task_states(dag_id: str, run_id: str) -> dict[str, str]:
    """The state of every task instance of a run, by task id (mapped ones as `task_0`, `task_1`)."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    found = RuntimeTaskInstance.get_task_states(dag_id=dag_id, run_ids=[run_id]).get(run_id, {})
    return {task: str(getattr(state, "value", state)) for task, state in found.items()}


def failed_tasks(dag: DAG, states: Mapping[str, str], among: Collection[str] | None = None) -> list[str]:
    """The task instances that failed, those of the earliest task first: what comes later may only follow from it.

    :param states: as `task_states` gives them.
    :param among: the ids of the tasks that count; None = all.
    """
    places = {task.task_id: place for place, task in enumerate(dag.topological_sort())}
    failed = [
        (places[task_id], name)
        for name, state in states.items()
        if state == "failed" and (task_id := instance_of(name, places)) and (among is None or task_id in among)
    ]
    return [name for _, name in sorted(failed)]


def instance_of(name: str, task_ids: Container[str]) -> str | None:
    """The id of the task that a name of `task_states` belongs to; None where there is none."""
    if name in task_ids:
        return name
    task_id, _, number = name.rpartition("_")
    return task_id if number.isdigit() and task_id in task_ids else None


def fail_for_upstream() -> None:
    """Raises UpstreamFailed where a task of this run failed: no run looks green by its last task."""
    from airflow.sdk import get_current_context

    states = task_states(this_task().dag_id, this_run().run_id)
    failed = failed_tasks(get_current_context()["dag"], states)
    if failed:
        raise UpstreamFailed(
            f"Failed before this report: {', '.join(failed)}.",
            todo=f"Read the log of {failed[0]}; this task needs no repair of its own.",
        )


def say(headline: str, lines: Sequence[str] = ()) -> None:
    """The outcome of a task in one sentence, then whatever explains it."""
    log.info("%s", plain(headline))
    for line in lines:
        log.info("%s", plain(line, keep_blanks=True))
