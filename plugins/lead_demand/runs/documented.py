"""A task whose page in Airflow says what its docstring says, mapped or not."""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc
from typing import Any

from airflow.sdk import task


def documented(kind: Callable[..., Any] = task, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`@task` (or another `kind`, such as `task.branch`) with its options; the function's docstring is `doc_md`."""
    return lambda function: kind(doc_md=cleandoc(function.__doc__ or ""), **options)(function)
