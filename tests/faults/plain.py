"""A run of `lead_budgets` without Airflow around it: the functions of its tasks, in the order of the DAG, with the
retries that its own retry policy gives them.

It takes a fraction of the time of a run in Airflow, so the whole matrix is played with it. The representative cases,
and every case that kills a process, are played in Airflow itself.
"""

from __future__ import annotations

import importlib.util
import logging
from datetime import UTC, datetime
from functools import cache
from itertools import count
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time.context import set_current_context

from lead_demand.channels.registry import STEERED
from lead_demand.oncall.alerts import TASK_DEFAULTS
from lead_demand.runs import this_run
from lead_demand.runs.task_ids import DIRECTIONS, LEAD_BUDGETS
from lead_demand.tasks import lead_budgets
from tests.fixtures.airflow import ROOT, Run

log = logging.getLogger(__name__)
_numbers = count(1)


@cache
def wiring() -> Any:
    """The DAG itself: the report names failed tasks in its order."""
    spec = importlib.util.spec_from_file_location("lead_budgets_wiring", ROOT / "dags" / f"{LEAD_BUDGETS}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.lead_budgets()


class _PlainRun:
    """States and tries of the tasks, as far as they have come."""

    def __init__(self) -> None:
        now = datetime.now(tz=UTC)
        self.run_id = f"plain__{next(_numbers)}"
        self.states: dict[str, str | None] = {}
        self.tries: dict[str, int] = {}
        self.dag_run = SimpleNamespace(
            dag_id=LEAD_BUDGETS, run_id=self.run_id, run_type="manual", run_after=now, start_date=now, conf={}
        )

    def play(self, task_id: str, task: Any, *arguments: Any) -> Any:
        """Run a task's function, tried again as its policy says; None where it did not succeed."""
        retries, policy = TASK_DEFAULTS["retries"], TASK_DEFAULTS["retry_policy"]
        for number in range(1, retries + 2):
            self.tries[task_id] = number
            instance = SimpleNamespace(
                dag_id=LEAD_BUDGETS,
                run_id=self.run_id,
                task_id=task_id,
                try_number=number,
                max_tries=retries,
                start_date=datetime.now(tz=UTC),
                task=SimpleNamespace(execution_timeout=TASK_DEFAULTS["execution_timeout"]),
            )
            try:
                with set_current_context(cast("Any", {"dag": wiring(), "dag_run": self.dag_run, "ti": instance})):
                    result = task.function(*arguments)
            except AirflowSkipException:
                self.states[task_id] = "skipped"
                return None
            except Exception as error:
                log.info("%s, try %s: %s", task_id, number, error)
                if policy.evaluate(error, number, retries).action is not RetryAction.RETRY:
                    break
            else:
                self.states[task_id] = "success"
                return result
        self.states[task_id] = "failed"
        return None


def run_lead_budgets() -> Run:
    """Decide and apply today's budgets, as `dags/lead_budgets.py` wires it."""
    run = _PlainRun()

    def states(*_: str) -> dict[str, str]:
        return {task.replace("[", "_").rstrip("]"): str(state) for task, state in run.states.items()}

    with mock.patch.object(this_run, "task_states", states), mock.patch.object(lead_budgets, "task_states", states):
        accounts = run.play("read_accounts", lead_budgets.read_accounts, STEERED, {}) or []
        if run.states["read_accounts"] == "success":
            run.play("settle_open_changes", lead_budgets.settle_open_changes, STEERED)
        if run.states.get("settle_open_changes") == "success":
            for number, account in enumerate(accounts):
                run.play(f"read_budgets[{number}]", lead_budgets.read_budgets, STEERED, account)
        run.play("plan_budgets", lead_budgets.plan_budgets, STEERED)
        chosen = None
        if run.states["plan_budgets"] == "success":
            chosen = run.play("choose_directions", lead_budgets.choose_directions, STEERED)
        assert DIRECTIONS["ask"] not in (chosen or ()), "a case with a question to a person is played in Airflow"
        for action in ("decrease", "increase"):
            # Without a branch that succeeded, `decrease` never starts, and `increase` has to skip itself.
            if (chosen is None and action == "increase") or DIRECTIONS[action] in (chosen or ()):
                run.play(DIRECTIONS[action], lead_budgets.change_budgets, action, STEERED)
        if DIRECTIONS["hold"] in (chosen or ()):
            run.play(DIRECTIONS["hold"], lead_budgets.hold_budgets, STEERED)
        run.play("report", lead_budgets.report, STEERED)
    return Run("failed" if run.states["report"] == "failed" else "success", run.states, run.run_id, run.tries)
