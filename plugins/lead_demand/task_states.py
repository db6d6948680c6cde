"""How far the tasks of a run have come."""

from __future__ import annotations


def of_run(dag_id: str, run_id: str) -> dict[str, str]:
    """The state of every task instance of a run, by task id (mapped ones as `task_0`, `task_1`)."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    found = RuntimeTaskInstance.get_task_states(dag_id=dag_id, run_ids=[run_id]).get(run_id, {})
    return {task: str(getattr(state, "value", state)) for task, state in found.items()}
