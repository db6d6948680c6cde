"""Checks of the day's statistics: each has a rule in words, a severity and what to do when it is broken.

A check is a statement that returns one row: `ok`, and `detail`, which says what breaks the rule. `stop` keeps a finding
and fails, so that nothing is announced and no budget moves; `warn` keeps a finding, which the run's report names, and
lets the day go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from airflow.providers.common.sql.operators.sql import BaseSQLOperator
from airflow.sdk import Context

from lead_demand import database
from lead_demand.database import findings, sql
from lead_demand.errors import CheckFailed, UpstreamFailed
from lead_demand.runs import day
from lead_demand.runs.operators import LeadsOperator
from lead_demand.runs.task_ids import PULL_LEADS
from lead_demand.runs.this_run import failed_tasks, say, task_states


class CheckOperator(LeadsOperator):
    """One rule over the run's window.

    :param sql: a file of `include/sql`, one row: `ok` (boolean, NULL counts as false), `detail` (text), and, where the
        rows themselves say what to do, `remediation` (text). Binds `first` and `last` (days, both included) and
        `since` (when the run started).
    :param rule: what holds on a good day.
    :param remediation: what a person does where it does not, unless the statement says so.
    :param severity: `stop` holds today's budgets, `warn` is kept and named.
    :param restated_days: how many days a scheduled run covers.
    """

    template_fields: ClassVar[Sequence[str]] = ("sql", *BaseSQLOperator.template_fields)
    template_ext: ClassVar[Sequence[str]] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql"}

    def __init__(
        self,
        *,
        sql: str,
        rule: str,
        remediation: str,
        severity: Literal["stop", "warn"] = "stop",
        restated_days: int = 1,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.sql, self.rule, self.remediation, self.severity = sql, rule, remediation, severity
        self.restated_days = restated_days

    def execute(self, context: Context) -> None:
        """Raises CheckFailed where the rule is broken and stops the day, UpstreamFailed where that only follows from
        another task's failure.
        """
        dag_run = context["dag_run"]
        window = day.stats_window(dag_run, self.restated_days)
        name = self.task_id.rpartition(".")[2]
        looked_for = [findings.Checked(name, "stats", first=window.last, last=window.last)]
        values = {"first": window.first, "last": window.last, "since": dag_run.start_date}
        with database.connect() as connection:
            (found,) = sql.read_rows(connection, self.sql, values)
            if found["ok"]:
                findings.record(connection, [], looked_for)
                say(f"1 of 1 rule holds for {window.last}: {self.rule}")
                return
            detail = f"{window.last} breaks the rule: {self.rule} {found['detail']}"
            remediation = found.get("remediation") or self.remediation
            broken = findings.Finding(name, self.severity, detail, remediation, channel="stats", date=window.last)
            findings.record(connection, [broken], looked_for)
        if self.severity == "warn":
            say(f"1 of 1 rule broken, kept as a warning: {broken.detail}", [broken.remediation])
            return
        if without := self._without(context):
            raise UpstreamFailed(
                f"{name}: {detail} That follows from what failed before it: {', '.join(without)}.",
                todo=f"Read the log of {without[0]}; this check needs no repair of its own.",
            )
        raise CheckFailed(f"{name}: {detail}", todo=remediation)

    def _without(self, context: Context) -> list[str]:
        """The tasks whose failure keeps the leads of the day from being written; other channels' pulls are none of
        them. Without those leads no rule about them can hold, and that is not news of its own.
        """
        dag: Any = context["dag"]
        if PULL_LEADS not in dag.task_ids:
            return []
        states = task_states(dag.dag_id, context["dag_run"].run_id)
        if states.get(PULL_LEADS) not in ("failed", "upstream_failed"):
            return []
        before = {PULL_LEADS, *dag.get_task(PULL_LEADS).get_flat_relative_ids(upstream=True)}
        return failed_tasks(dag, states, before)
