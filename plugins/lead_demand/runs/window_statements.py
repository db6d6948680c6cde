"""Statements over a run's window of days, chunk after chunk, each in a transaction of its own.

Which days a run covers is `runs/day.py` (`stats_window`); how many days back each channel is pulled again, the entries
of `channels/registry.py` (`restated_days`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lead_demand import database
from lead_demand.database import sql
from lead_demand.errors import InvalidRange
from lead_demand.runs.progress import Done, in_chunks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk.types import RuntimeTaskInstanceProtocol

    from lead_demand.runs.day import Window
    from lead_demand.runs.progress import Store


def refuse_too_early(window: Window) -> None:
    """Raises InvalidRange for a window that begins before the earliest day of the settings."""
    with database.connect() as connection:
        ((earliest,),) = connection.execute(sql.render("lead_stats/select_earliest_day.sql")).fetchall()
    if window.first < earliest:
        raise InvalidRange(
            f"The days asked for start on {window.first}; the earliest day is {earliest} "
            "(orchestration_settings.earliest_day).",
            todo="Trigger lead_stats again with a later start. If there is data of earlier days, an admin sets "
            "earliest_day to the first of them.",
        )


def run_statement(
    step: str,
    statement: str,
    window: Window,
    task_instance: RuntimeTaskInstanceProtocol,
    store: Store,
    counts: str = "rows new or changed",
    sums: str = "",
    bound: Mapping[str, object] | None = None,
    whole_sets: bool = False,
    before: str = "",
) -> None:
    """Run a statement over a window, chunk after chunk.

    One run at a time works on a step: the others wait, and then read what it wrote.

    :param statement: binds `first`, `last` and `dag_run_id`; a count that it returns is logged, else its row count.
    :param counts: what is counted.
    :param sums: a statement that is run after it, in its transaction, and keeps what the written rows come to.
    :param bound: further values that the statement binds.
    :param whole_sets: join by hash or merge alone, whatever statistics there are.
    :param before: a statement that is run before it, in its transaction.
    """

    def run(chunk: Window) -> Done:
        values = {"first": chunk.first, "last": chunk.last, "dag_run_id": task_instance.run_id}
        with database.connect() as connection:
            connection.execute(sql.render("lead_stats/lock_step.sql"), {"step": step})
            if whole_sets:
                sql.join_whole_sets(connection)
            if before:
                connection.execute(before, values)
            cursor = connection.execute(statement, values | dict(bound or {}))
            row = cursor.fetchone() if cursor.description else None
            if sums:
                connection.execute(sums, values)
            return Done({counts: row[0] if row else cursor.rowcount})

    refuse_too_early(window)
    in_chunks(window.chunks(), run, store, task_instance)
