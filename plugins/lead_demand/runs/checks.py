"""Checks of the day's statistics: each has a rule in words, a severity and what to do when it is broken.

The queries are those of Airflow's common.sql operators. `stop` keeps a finding and fails, so that nothing is announced
and no budget moves; `warn` keeps a finding, which the run's report names, and lets the day go on.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NoReturn

from airflow.providers.common.sql.operators.sql import (
    SQLCheckOperator,
    SQLColumnCheckOperator,
    SQLTableCheckOperator,
)
from airflow.sdk import Context

from lead_demand import database
from lead_demand.database import findings, sql
from lead_demand.errors import CheckFailed, UpstreamFailed
from lead_demand.runs import day
from lead_demand.runs.operators import LeadsOperator
from lead_demand.runs.task_ids import PULL_LEADS
from lead_demand.runs.this_run import say, task_states

QUIET = logging.getLogger("lead_demand.checks.query")
QUIET.setLevel(logging.WARNING)


class _Broken(Exception):
    """The rule does not hold."""


class _Explained(LeadsOperator):
    """What a check of common.sql lacks: a severity, the rule in words, and what to do.

    :param rule: what holds on a good day.
    :param remediation: what a person does where it does not.
    :param severity: `stop` holds today's budgets, `warn` is kept and named.
    :param finding: where the check counts findings, their name: the message then has their words for the query's.
    """

    def __init__(
        self,
        *,
        rule: str,
        remediation: str,
        severity: Literal["stop", "warn"] = "stop",
        finding: str = "",
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.rule, self.remediation, self.severity, self.finding = rule, remediation, severity, finding

    def _raise_exception(self, exception_string: str) -> NoReturn:
        said, _, rest = " ".join(exception_string.split()).partition(" Query: ")
        # The query does not help on call.
        raise _Broken(f"{said} Results: {rest.rpartition(' Results: ')[2]}" if rest else said)

    def execute(self, context: Context) -> None:
        of_day = day.stats_date(context["dag_run"])
        name = self.task_id.rpartition(".")[2]
        looked_for = [findings.Checked(name, "stats", first=of_day, last=of_day)]
        self._log = QUIET  # the outcome is the log's first line, not the query
        try:
            super().execute(context)
        except _Broken as broken:
            detail = f"{of_day} breaks the rule: {self.rule}"
            said, remediation = str(broken)[:800], self.remediation
            with database.connect() as connection:
                if counted := self._counted(connection, context):
                    said, remediation = (" ".join(dict.fromkeys(words)) for words in zip(*counted, strict=True))
                findings.record(
                    connection,
                    [findings.Finding(name, self.severity, detail, remediation, channel="stats", date=of_day)],
                    looked_for,
                )
            if self.severity == "stop":
                if without := self._without(context):
                    raise UpstreamFailed(
                        f"{name}: {detail} That follows from what failed before it: {', '.join(without)}.",
                        todo=f"Read the log of {without[0]}; this check needs no repair of its own.",
                    ) from None
                raise CheckFailed(f"{name}: {detail} {said}", todo=remediation) from None
            say(f"1 of 1 rule broken, kept as a warning: {detail}", [said, remediation])
        else:
            with database.connect() as connection:
                findings.record(connection, [], looked_for)
            say(f"1 of 1 rule holds for {of_day}: {self.rule}")

    def _without(self, context: Context) -> list[str]:
        """The tasks whose failure keeps the checked rows from being written; other channels' pulls are none of them."""
        states: dict[str, str] = task_states(context["ti"].dag_id, context["dag_run"].run_id)
        # Without the leads of the day no rule about them can hold, and that is not news of its own.
        if states.get(PULL_LEADS) not in ("failed", "upstream_failed"):
            return []
        failed = {task for task, state in states.items() if state == "failed"}
        return sorted(task for task in failed if task == PULL_LEADS or not task.startswith(("pull_", "check_")))

    def _counted(self, connection: Any, context: Context) -> list[tuple[str, str]]:
        """Detail and remediation of the findings of this run that the check counts."""
        if not self.finding:
            return []
        since = {"since": context["dag_run"].start_date}
        rows = connection.execute(sql.render("findings/select_pipeline_findings.sql"), since).fetchall()
        return [
            (detail, remediation)
            for name, level, detail, remediation, _ in rows
            if (name, level) == (self.finding, self.severity)
        ]


class BoundCheckOperator(_Explained, SQLCheckOperator):
    """One query whose row is all true. Its `parameters` are templated too, so that a check binds its day like every
    other statement.
    """

    template_fields: ClassVar[Sequence[str]] = (*SQLCheckOperator.template_fields, "parameters")


class ColumnsCheckOperator(_Explained, SQLColumnCheckOperator):
    """Bounds of columns."""


class TableCheckOperator(_Explained, SQLTableCheckOperator):
    """Statements about a table as a whole."""
