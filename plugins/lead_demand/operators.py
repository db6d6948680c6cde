"""Operators that the providers lack."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.sql.operators.sql import BaseSQLOperator
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context, Param

from lead_demand.day import Window, stats_date, stats_window
from lead_demand.hitl_record import APPROVE, REJECT
from lead_demand.sql import LEADS_CONNECTION

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk.types import DagRunProtocol


LEAVE_OUT = "leave_out"
# Seconds after which an answer that could not be kept is tried to be kept again, and how often.
KEEP_AGAIN, KEEP_TRIES = 15.0, 40


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
    """Approve or Reject all large increases of a channel that wait; silence until the day's deadline is Reject.

    What it shows, until when and to whom comes from the database when the task runs, never from another task. The
    answer is kept there too, and this task returns nothing: what could be read from its XCom could be written there.

    :param channel: the paid channel whose increases are asked about.
    """

    def __init__(self, *, channel: str, **arguments: Any) -> None:
        super().__init__(
            subject="Large budget increases",
            options=[APPROVE, REJECT],
            defaults=REJECT,
            # Replaced by what is left until the deadline. Without one, Airflow takes the task's own timeout for it.
            response_timeout=timedelta(days=1),
            params={LEAVE_OUT: _leave_out([])},
            **arguments,
        )
        self.channel = channel

    def execute(self, context: Context) -> None:
        from airflow.sdk.exceptions import TaskAwaitingInput

        from lead_demand import tasks

        asked = tasks.ask_for_approval(self.channel, context["dag_run"], context["ti"])
        if asked is None:
            return
        self.subject, self.body = asked.subject, asked.body
        self.params[LEAVE_OUT] = _leave_out([change.segment for change in asked.changes])
        # Airflow knows a person by the id; the name is only shown.
        self.assigned_users = [{"id": user, "name": user} for user in asked.approvers]
        tasks.require_shown(self, context["ti"])
        # As HITLOperator.execute ends; it would put the question on record once more, and empty an answer of meanwhile.
        left = max(asked.deadline - datetime.now().astimezone(), timedelta(seconds=1))
        raise TaskAwaitingInput(method_name="execute_complete", timeout=left)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """Keep the answer. `event` is Airflow's copy of its record of the question; nobody but Airflow writes it."""
        from lead_demand import tasks
        from lead_demand.errors import explain

        for tries_left in reversed(range(KEEP_TRIES)):
            try:
                tasks.record_answer(event, context["dag_run"], context["ti"])
                return
            except Exception as error:
                # A retry of the task would empty the record and ask once more, so it is tried here first.
                if not (tries_left and explain(error).heals):
                    raise
                self.log.warning("The answer could not be kept, so nothing is sent; it is tried again: %s", error)
                time.sleep(KEEP_AGAIN)


def _leave_out(codes: list[str]) -> Param:
    """The field of the form in which segments are chosen that stay as they are; `answer_check` holds every answer to
    its schema.
    """
    return Param(
        [],
        type=["null", "array"],
        items={"type": "string", "enum": codes} if codes else {"type": "string"},
        examples=codes,
        title="Leave out",
        description="Segments that stay as they are although the rest is approved. Empty: all are approved.",
    )
