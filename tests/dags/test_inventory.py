"""What Airflow sees in the DAGs folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from lead_demand.oncall import alerts
from lead_demand.oncall.retries import RETRY_POLICY

ROOT = Path(__file__).resolve().parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))


def test_the_dags_are_exactly_these_and_import_without_error(dagbag: Any) -> None:
    assert dagbag.import_errors == {}
    assert set(dagbag.dags) == {"lead_stats", "lead_budgets", "lead_digest", "lead_budget_revert", "lead_backtest"}
    assert {path.stem for path in DAG_FILES} == set(dagbag.dags), "a DAG's id is its file's name"


def test_each_dag_survives_the_way_to_the_scheduler(dagbag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dagbag.dags.values():
        restored = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        assert set(restored.task_ids) == set(dag.task_ids)


SECTIONS = ["When", "Inputs", "Params", "Re-run rule", "If it fails"]
OWNERS = {"data", "marketing-operations"}


def test_each_dag_tells_on_call_what_it_is_and_what_to_do(dagbag: Any) -> None:
    for dag in dagbag.dags.values():
        first, _, rest = dag.doc_md.strip().partition("\n")
        assert first.startswith(f"# {dag.dag_id}: "), "the first line says what it is"
        assert re.findall(r"^\*\*([^*]+)\.\*\*", rest, flags=re.MULTILINE) == SECTIONS, dag.dag_id
        assert "runbook.md#" in rest.partition("**If it fails.**")[2], f"{dag.dag_id} does not lead to the runbook"
        assert all(task.doc_md for task in dag.tasks), dag.dag_id


def test_each_dag_has_an_owner_and_says_how_much_it_matters_and_how_it_is_run_again(dagbag: Any) -> None:
    for dag in dagbag.dags.values():
        assert {task.owner for task in dag.tasks} <= OWNERS, dag.dag_id
        tiers = [tag for tag in dag.tags if tag.startswith("tier:")]
        rerun = [tag for tag in dag.tags if tag.startswith("rerun:")]
        assert len(tiers) == 1 and tiers[0] in {"tier:1", "tier:2"}, dag.dag_id
        assert len(rerun) == 1 and rerun[0] in {"rerun:clear", "rerun:new-run"}, dag.dag_id


def test_only_what_runs_by_itself_begins_paused(dagbag: Any) -> None:
    """A revert that a person starts is not kept waiting by a switch that nobody thought of."""
    for dag in dagbag.dags.values():
        assert (dag.is_paused_upon_creation is False) == (dag.schedule is None), dag.dag_id


def test_no_task_runs_for_ever(dagbag: Any) -> None:
    for task in all_tasks(dagbag):
        assert task.execution_timeout, f"{task.dag_id}.{task.task_id}"


def test_each_task_is_tried_again_by_the_kind_of_its_error(dagbag: Any) -> None:
    for task in all_tasks(dagbag):
        assert task.retry_policy is RETRY_POLICY, f"{task.dag_id}.{task.task_id}"
        assert task.retries == 3, f"{task.dag_id}.{task.task_id}"


def test_each_failed_task_ends_with_the_four_lines_and_each_failed_run_with_one_alert(dagbag: Any) -> None:
    for task in all_tasks(dagbag):
        # A mapped task has the function itself, every other one a list of it.
        assert task.on_failure_callback in (alerts.explain_failure, [alerts.explain_failure]), task.task_id
        assert task.on_retry_callback in (alerts.explain_retry, [alerts.explain_retry]), task.task_id
    for dag in dagbag.dags.values():
        assert dag.on_failure_callback == alerts.alert_failed_run
        assert dag.on_success_callback == alerts.forget_failures


def all_tasks(dagbag: Any) -> list[Any]:
    return [task for dag in dagbag.dags.values() for task in dag.tasks]


def test_airflow_itself_refuses_a_backfill_of_budgets(dagbag: Any) -> None:
    assert set(dagbag.dags["lead_budgets"].allowed_run_types) == {"asset_triggered", "manual"}
    assert set(dagbag.dags["lead_budget_revert"].allowed_run_types) == {"manual"}


def test_parsing_a_dag_file_loads_nothing_heavy_and_opens_no_connection() -> None:
    """In a fresh interpreter, with every socket refused."""
    program = f"""
import sys
sys.path[:0] = [{str(ROOT / "plugins")!r}]
import airflow.sdk, airflow.providers.common.sql.operators.sql, airflow.timetables.interval
import socket
def refuse(*args, **kwargs):
    raise SystemExit("opened a connection while parsing")
socket.socket.connect = socket.socket.connect_ex = refuse
before = set(sys.modules)
heavy = ("pandas", "numpy", "google", "googleapiclient", "grpc")
for path in {[str(path) for path in DAG_FILES]!r}:
    exec(compile(open(path).read(), path, "exec"), {{"__name__": "parsed", "__file__": path}})
    loaded = sorted(name for name in set(sys.modules) - before if name.split(".")[0] in heavy)
    if loaded:
        raise SystemExit(f"{{path}} loaded {{loaded}}")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
