"""SQL operators that the providers lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.sql.operators.sql import BaseSQLOperator
from airflow.sdk import Context

from lead_demand.database.sql import LEADS_CONNECTION
from lead_demand.runs.day import Window, stats_date, stats_window
from lead_demand.runs.window_statements import run_statement

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk.types import DagRunProtocol, RuntimeTaskInstanceProtocol

    from lead_demand.runs.progress import Store


class LeadsOperator(BaseSQLOperator):
    """What every SQL operator here shares: the hook of `database.connect`, with its limits, fit for a pooler."""

    def get_db_hook(self) -> DbApiHook:
        from lead_demand.database.leads_hook import LeadsHook

        return LeadsHook(self.conn_id or LEADS_CONNECTION)


class WindowOperator(LeadsOperator):
    """One statement over the run's window, chunk after chunk, each in a transaction of its own.

    A retry goes on after the last chunk that was done. See `lead_demand.runs.window_statements.run_statement`.

    :param sql: a file of `include/sql`; binds `first` and `last` (days, both included) and `dag_run_id`.
    :param restated_days: how many days a scheduled run covers.
    :param counts: what the statement counts.
    :param sums: a file whose statement keeps, in the same transaction, what the written rows come to.
    :param bound: further values that `sql` binds.
    :param whole_sets: join by hash or merge alone, whatever statistics there are.
    :param before: a file whose statement is run before it, in the same transaction.
    """

    template_fields: ClassVar[Sequence[str]] = ("sql", "before", "sums", *BaseSQLOperator.template_fields)
    template_ext: ClassVar[Sequence[str]] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "before": "sql", "sums": "sql"}

    def __init__(
        self,
        *,
        sql: str,
        restated_days: int = 1,
        counts: str = "rows new or changed",
        sums: str = "",
        bound: Mapping[str, object] | None = None,
        whole_sets: bool = False,
        before: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.sums = sums
        self.restated_days = restated_days
        self.counts = counts
        self.bound = bound
        self.whole_sets = whole_sets
        self.before = before

    def window(self, dag_run: DagRunProtocol) -> Window:
        return stats_window(dag_run, self.restated_days)

    def execute(self, context: Context) -> None:
        self.run_over(self.window(context["dag_run"]), context["ti"], context["task_state_store"])

    def run_over(self, window: Window, task_instance: RuntimeTaskInstanceProtocol, store: Store) -> None:
        """The rendered statements over these days."""
        run_statement(
            self.task_id,
            self.sql,
            window,
            task_instance,
            store,
            counts=self.counts,
            sums=self.sums,
            bound=self.bound,
            whole_sets=self.whole_sets,
            before=self.before,
        )


class LastDayOperator(WindowOperator):
    """One statement about the last day of the run's window alone."""

    def window(self, dag_run: DagRunProtocol) -> Window:
        return Window(stats_date(dag_run), stats_date(dag_run))
