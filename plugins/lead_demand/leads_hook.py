"""The one way to the leads database: for tasks through `sql.connect`, for SQL operators as their hook.

Every transaction begins with the same settings, local to it, because a transaction pooler (PgBouncer, Supabase's port
6543) hands the next transaction to another session: no setting, lock, temporary table or prepared statement of ours
outlives a commit. Time limits follow the task's own, so that a statement that hangs ends with an error that names it
before Airflow kills the task. JIT is off: no statement here runs long enough to earn back what compiling it costs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import psycopg
from airflow.providers.postgres.hooks.postgres import PostgresHook
from psycopg.pq import TransactionStatus

from lead_demand import sql
from lead_demand.oncall import TASK_DEFAULTS

# A statement ends so much before the task would be killed: enough to report what happened.
MARGIN = timedelta(seconds=60)
# Of the task's whole limit: how long one lock is waited for.
LOCK_SHARE = 1 / 3
# How old the limits of a transaction may become before they are brought up to date.
FRESH_SECONDS = 30.0
LEAST_SECONDS = 1.0


@dataclass
class Limits:
    """The time that is left to the task of this process.

    :param whole: how many seconds the task may take in all.
    :param deadline: when it has to be done, by `time.monotonic`.
    """

    whole: float
    deadline: float
    set_at: float = field(default=0.0, init=False)

    @classmethod
    def of_task(cls) -> Limits:
        """Those of the task that runs here; outside of a task, those of a task that begins now."""
        from airflow.sdk import get_current_context

        limit, started = cast("timedelta", TASK_DEFAULTS["execution_timeout"]), None
        try:
            ti: Any = get_current_context()["ti"]
            limit, started = ti.task.execution_timeout or limit, ti.start_date
        except RuntimeError:
            pass
        gone = (datetime.now(tz=UTC) - started).total_seconds() if started else 0.0
        whole = limit.total_seconds()
        margin = min(MARGIN.total_seconds(), whole / 10)
        return cls(whole, time.monotonic() + whole - margin - gone)

    def values(self) -> dict[str, int]:
        """What `begin.sql` binds; milliseconds."""
        left = max(self.deadline - time.monotonic(), LEAST_SECONDS)
        # A wait for a lock ends before its statement does, so that the error says which of the two it was.
        lock = min(self.whole * LOCK_SHARE, left * 0.9)
        # The session of a process that is gone without a word must not hold its locks longer than the task could last.
        idle = left + 2 * MARGIN.total_seconds()
        return {
            "statement_timeout": int(left * 1000),
            "lock_timeout": int(lock * 1000),
            "idle_timeout": int(idle * 1000),
        }


class LimitedCursor(psycopg.Cursor[Any]):
    """A cursor that gives each transaction its settings before its first statement."""

    def __init__(self, *arguments: Any, limits: Limits, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limits = limits

    def _begin(self) -> None:
        connection: psycopg.Connection[Any] = self.connection
        status, now = connection.info.transaction_status, time.monotonic()
        begins = status == TransactionStatus.IDLE and not connection.autocommit
        ages = status == TransactionStatus.INTRANS and now - self._limits.set_at > FRESH_SECONDS
        if begins or ages:
            self._limits.set_at = now
            with psycopg.Cursor(connection) as cursor:
                cursor.execute(sql.render("begin.sql"), self._limits.values())

    def execute(self, *arguments: Any, **options: Any) -> LimitedCursor:
        self._begin()
        super().execute(*arguments, **options)
        return self

    def executemany(self, query: Any, params_seq: Iterable[Any], **options: Any) -> None:
        self._begin()
        super().executemany(query, params_seq, **options)

    def stream(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        self._begin()
        return super().stream(*arguments, **options)

    @contextmanager
    def copy(self, *arguments: Any, **options: Any) -> Iterator[psycopg.Copy]:
        self._begin()
        with super().copy(*arguments, **options) as copy:
            yield copy


class LeadsHook(PostgresHook):
    """PostgresHook whose connections fit a transaction pooler and know how much time their task has left.

    A statement needs a transaction for its limits, so nothing here is run with autocommit.
    """

    def __init__(self, postgres_conn_id: str = sql.LEADS_CONNECTION, **options: Any) -> None:
        super().__init__(postgres_conn_id, **options)

    def get_conn(self) -> psycopg.Connection[Any]:
        """A new connection; nothing is sent on it yet but the login."""
        connection = cast("psycopg.Connection[Any]", super().get_conn())
        connection.prepare_threshold = None
        connection.cursor_factory = cast("Any", partial(LimitedCursor, limits=Limits.of_task()))
        return connection
