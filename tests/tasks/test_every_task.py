"""The functions of `lead_demand.tasks` and the DAGs that wire them: one for one, each page as its docstring says."""

from __future__ import annotations

from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any

import pytest

from lead_demand import tasks

MODULES = sorted(path.stem for path in Path(tasks.__file__).parent.glob("lead_*.py"))


def functions_of(dag: Any) -> dict[Any, Any]:
    """The function of each task that has one, mapped or not, with one of its tasks."""
    found = {}
    for task in dag.tasks:
        arguments = getattr(task, "op_kwargs_expand_input", None) and task.partial_kwargs
        function = getattr(task, "python_callable", None) or (arguments or {}).get("python_callable")
        if function is not None:
            found[function] = task
    return found


@pytest.mark.parametrize("name", MODULES)
def test_each_function_is_a_task_of_its_dag_and_its_docstring_the_page_of_the_task(dagbag: Any, name: str) -> None:
    module = import_module(f"lead_demand.tasks.{name}")
    wired = functions_of(dagbag.dags[name])
    written = {
        value.function for value in vars(module).values() if hasattr(value, "function") and hasattr(value, "override")
    }
    assert written and written == set(wired)
    for function in written:
        assert wired[function].doc_md == cleandoc(function.__doc__), function.__name__


def test_each_dag_has_a_module_of_tasks(dagbag: Any) -> None:
    assert set(MODULES) == set(dagbag.dags)
