"""What Airflow sees in the DAGs folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))


def test_the_dags_are_exactly_these_and_import_without_error(dagbag: Any) -> None:
    assert dagbag.import_errors == {}
    assert set(dagbag.dags) == {"lead_stats", "lead_budgets", "lead_budget_revert"}
    assert {path.stem for path in DAG_FILES} == set(dagbag.dags), "a DAG's id is its file's name"


def test_each_dag_survives_the_way_to_the_scheduler(dagbag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dagbag.dags.values():
        restored = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        assert set(restored.task_ids) == set(dag.task_ids)


def test_each_dag_tells_on_call_what_it_is_and_what_to_do(dagbag: Any) -> None:
    for dag in dagbag.dags.values():
        for section in ("**When.**", "**Inputs.**", "**Params.**", "**Re-run rule.**", "**If it fails.**"):
            assert section in dag.doc_md, f"{dag.dag_id} lacks {section}"
        assert {tag.split(":")[0] for tag in dag.tags} == {"tier", "rerun"}
        for task in dag.tasks:
            assert task.doc_md, f"{dag.dag_id}.{task.task_id} does not say what it is for"
            assert task.execution_timeout, f"{dag.dag_id}.{task.task_id} may run for ever"


def test_airflow_itself_refuses_a_backfill_of_budgets(dagbag: Any) -> None:
    assert set(dagbag.dags["lead_budgets"].allowed_run_types) == {"asset_triggered", "manual"}
    assert set(dagbag.dags["lead_budget_revert"].allowed_run_types) == {"manual"}


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.stem)
def test_parsing_a_dag_file_loads_nothing_heavy_and_opens_no_connection(path: Path) -> None:
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
exec(compile(open({str(path)!r}).read(), {str(path)!r}, "exec"), {{"__name__": "parsed", "__file__": {str(path)!r}}})
heavy = ("pandas", "numpy", "google", "googleapiclient", "grpc")
loaded = sorted(name for name in set(sys.modules) - before if name.split(".")[0] in heavy)
raise SystemExit(f"loaded {{loaded}}" if loaded else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
