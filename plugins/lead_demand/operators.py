"""Operators that the providers lack."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.sql.operators.sql import BaseSQLOperator
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context, Param

from lead_demand.day import Window, stats_date, stats_window
from lead_demand.sql import LEADS_CONNECTION

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk.types import DagRunProtocol


APPROVE, REJECT = "Approve", "Reject"


class LeadsOperator(BaseSQLOperator):
    """What every SQL operator here shares: the hook of `sql.connect`, with its limits and its fitness for a pooler."""

    def get_db_hook(self) -> DbApiHook:
        from lead_demand.leads_hook import LeadsHook

        return LeadsHook(self.conn_id or LEADS_CONNECTION)


class WindowOperator(LeadsOperator):
    """One statement over the run's window, chunk after chunk, each in a transaction of its own.

    A retry goes on after the last chunk that was finished. See `lead_demand.tasks.run_statement`.

    :param sql: a file of `include/sql`; binds `first` and `last` (days, both included) and `dag_run_id`.
    :param restated_days: how many days a scheduled run covers.
    :param counts: what the statement counts.
    :param sums: a file whose statement keeps, in the same transaction, whether what was written adds up.
    """

    template_fields: ClassVar[Sequence[str]] = ("sql", "sums", *BaseSQLOperator.template_fields)
    template_ext: ClassVar[Sequence[str]] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "sums": "sql"}

    def __init__(
        self,
        *,
        sql: str,
        restated_days: int = 1,
        counts: str = "rows new or changed",
        sums: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.sums = sums
        self.restated_days = restated_days
        self.counts = counts

    def window(self, dag_run: DagRunProtocol) -> Window:
        return stats_window(dag_run, self.restated_days)

    def execute(self, context: Context) -> None:
        from lead_demand import tasks

        window = self.window(context["dag_run"])
        store = context["task_state_store"]
        tasks.run_statement(self.task_id, self.sql, window, context["ti"], store, self.counts, self.sums)


class LastDayOperator(WindowOperator):
    """One statement about the last day of the run's window alone."""

    def window(self, dag_run: DagRunProtocol) -> Window:
        return Window(stats_date(dag_run), stats_date(dag_run))


class PartnerCapacityOperator(LastDayOperator):
    """What partners take, about the last day alone; fails where the source lost most of what it had."""

    def execute(self, context: Context) -> None:
        from lead_demand import tasks

        window = self.window(context["dag_run"])
        store = context["task_state_store"]
        tasks.pull_partner_capacity(self.task_id, self.sql, window, context["ti"], store, self.sums)


class AskForApproval(HITLOperator):
    """Approve or Reject, asked until a moment that is known when the question is; silence is Reject.

    :param deadline: ISO date and time; templated.
    """

    template_fields: ClassVar[Sequence[str]] = (*HITLOperator.template_fields, "deadline")

    def __init__(self, *, deadline: str, **arguments: Any) -> None:
        super().__init__(
            options=[APPROVE, REJECT],
            defaults=REJECT,
            # Replaced by what is left until the deadline. Without one, Airflow takes the task's own timeout for it.
            response_timeout=timedelta(days=1),
            params={
                "leave_out": Param(
                    [],
                    type=["null", "array"],
                    items={"type": "string"},
                    title="Leave out",
                    description="Codes of segments that stay as they are although the rest is approved, one a line.",
                )
            },
            **arguments,
        )
        self.deadline = deadline

    def execute(self, context: Context) -> None:
        left = datetime.fromisoformat(self.deadline) - datetime.now().astimezone()
        self.response_timeout = max(left, timedelta(seconds=1))
        super().execute(context)
