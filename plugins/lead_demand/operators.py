"""Operators that the providers lack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.sql.operators.sql import BaseSQLOperator, SQLCheckOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class BoundCheckOperator(SQLCheckOperator):
    """SQLCheckOperator whose `parameters` are templated too, so that a check binds its day like every other
    statement.
    """

    template_fields: ClassVar[Sequence[str]] = (*SQLCheckOperator.template_fields, "parameters")


class WindowOperator(BaseSQLOperator):
    """One statement over the run's window, chunk after chunk, each in a transaction of its own.

    A retry goes on after the last chunk that was finished. See `lead_demand.tasks.run_statement`.

    :param sql: a file of `include/sql`; binds `first` and `last` (days, both included) and `dag_run_id`.
    :param restated_days: how many days a scheduled run covers.
    """

    template_fields: ClassVar[Sequence[str]] = ("sql", *BaseSQLOperator.template_fields)
    template_ext: ClassVar[Sequence[str]] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql"}

    def __init__(self, *, sql: str, restated_days: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.restated_days = restated_days

    def execute(self, context: Context) -> None:
        from lead_demand import day, tasks

        window = day.stats_window(context["dag_run"], self.restated_days)
        tasks.run_statement(self.task_id, self.sql, window, context["ti"], context["task_state_store"])
