"""What partners can take, as it is now: how it is recorded, when its source has failed, which findings that leaves.

A segment that the adapter does not name has no partners and capacity 0. That is believed of single segments; of most
of them at once it is far more often a table that is not readable or not loaded, so the source counts as failed:

- the adapter names no active segment at all, unless it is known that none had partners before; or
- of the segments that had a capacity when it was last recorded (and at least three of them), more than half have none,
  or only of partners who are all away since today.

A person confirms that it is true with a row of `capacity_confirmations` without a segment, written on the same day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lead_demand import database
from lead_demand.database import findings, sql
from lead_demand.database.findings import Checked, Finding
from lead_demand.errors import CapacitySourceFailed
from lead_demand.oncall.diagnosis import explain
from lead_demand.planner.finding_codes import ADVICE, FindingCode, what_to_do
from lead_demand.runs.day import latest_whole_day
from lead_demand.runs.operators import LastDayOperator
from lead_demand.runs.progress import Done, in_chunks
from lead_demand.runs.window_statements import refuse_too_early

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import psycopg
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

    from lead_demand.runs.day import Window
    from lead_demand.runs.progress import Store

CHANNEL, ACCOUNT = "partner_capacity", "leads_db"
SOURCE_FAILED = FindingCode.CAPACITY_SOURCE_FAILED


def pull_partner_capacity(
    step: str,
    statement: str,
    window: Window,
    task_instance: RuntimeTaskInstanceProtocol,
    store: Store,
    sums: str = "",
) -> None:
    """Record what the partners of each segment take now, with what is wrong with single partners.

    :param statement: as for `run_statement`; its one row says what was written and whether the source failed.
    :param sums: as for `run_statement`.
    Raises CapacitySourceFailed where the adapter may not be read, gives nothing, or lost most of the segments. A
    finding then stays open until a later read succeeds, and while it is open every segment holds.
    """
    import psycopg

    def run(chunk: Window) -> Done:
        values = {"first": chunk.first, "last": chunk.last, "dag_run_id": task_instance.run_id}
        failure: Exception | None = None
        with database.connect() as connection:
            connection.execute(sql.render("lead_stats/lock_step.sql"), {"step": step})
            try:
                with connection.transaction():
                    (read,) = sql.read_rows(connection, statement, values)
                    failure = failure_of(read)
                    if failure is None:
                        found = sql.render("lead_stats/insert_pipeline_findings_capacity.sql")
                        connection.execute(found, values | {"advice": ADVICE})
                        if sums:
                            connection.execute(sums, values)
            except psycopg.OperationalError:
                raise  # the connection, a lock or a limit of time: the next try reads it
            except psycopg.errors.InsufficientPrivilege as error:
                failure = failure_of_rights(error)
            except psycopg.Error as error:
                failure = error
            if chunk.last == latest_whole_day():
                findings.record(connection, *source_findings(failure, chunk.last))
        if failure is not None:
            raise failure
        return Done({"rows new or changed": read["written"]})

    refuse_too_early(window)
    in_chunks(window.chunks(), run, store, task_instance)


def failure_of(read: dict[str, Any]) -> CapacitySourceFailed | None:
    """The error of a read of the partners, or None where it succeeded.

    :param read: `is_failed`, and how many active segments there are (`segments`), the adapter names (`named`), had a
        capacity when it was last recorded (`had`), and have none of it now (`lost`).
    """
    if not read["is_failed"]:
        return None
    if not read["named"]:
        return CapacitySourceFailed(
            f"The partners' tables name none of the {read['segments']} active segments; {read['had']} had a capacity "
            "when it was last recorded."
        )
    return CapacitySourceFailed(
        f"The partners' tables give no capacity, or say that all partners are away, for {read['lost']} of the "
        f"{read['had']} segments that had one when it was last recorded."
    )


def failure_of_rights(error: psycopg.Error) -> CapacitySourceFailed:
    """The error where lead_pipeline may not read a table of the adapter."""
    return CapacitySourceFailed(
        f"The partners' capacity may not be read: {error.diag.message_primary or 'insufficient privilege'}.",
        todo="Grant lead_pipeline select on the tables that include/sql/sources/partner_capacity.sql reads.",
    )


def source_findings(failure: Exception | None, of_day: date) -> tuple[Sequence[Finding], Sequence[Checked]]:
    """The finding of a failed source, and what was looked for: without a failure an open one is closed."""
    found = [
        Finding(
            SOURCE_FAILED,
            "stop",
            f"{said} Every budget is held.",
            what_to_do(SOURCE_FAILED, todo=todo),
            channel=CHANNEL,
            subject=ACCOUNT,
        )
        for said, todo in ([_words(failure)] if failure else [])
    ]
    return found, [Checked(SOURCE_FAILED, CHANNEL, ACCOUNT)]


def _words(failure: Exception) -> tuple[str, str]:
    facts = explain(failure)
    return facts.happened, facts.todo


class PartnerCapacityOperator(LastDayOperator):
    """What partners take, about the last day alone; fails where the source lost most of what it had.

    Nothing runs before its statement.
    """

    def run_over(self, window: Window, task_instance: RuntimeTaskInstanceProtocol, store: Store) -> None:
        pull_partner_capacity(self.task_id, self.sql, window, task_instance, store, self.sums)
