"""The one way to the leads database: for tasks through `database.connect`, for SQL operators as their hook, for
the page through `database.connect_to_read`.

Every transaction begins with the same settings, local to it, because a transaction pooler (PgBouncer, Supabase's port
6543) hands the next transaction to another session: no setting, lock, temporary table or prepared statement of ours
outlives a commit. Time limits follow the task's own, so that a statement that hangs ends with an error that names it
before Airflow kills the task. JIT is off: no statement here runs long enough to earn back what compiling it costs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import psycopg
from airflow.providers.postgres.hooks.postgres import PostgresHook
from psycopg.pq import TransactionStatus

from lead_demand.database import sql
from lead_demand.database.failed import named
from lead_demand.database.time_limits import FRESH_SECONDS, Limits

if TYPE_CHECKING:
    from psycopg.abc import Params, Query


class LimitedCursor(psycopg.Cursor[Any]):
    """A cursor that gives each transaction its settings before its first statement."""

    def __init__(self, *arguments: Any, limits: Limits, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limits = limits

    def begin(self) -> None:
        """Begin a transaction with its settings, or bring those of a long one up to date."""
        connection: psycopg.Connection[Any] = self.connection
        status, now = connection.info.transaction_status, time.monotonic()
        begins = status == TransactionStatus.IDLE and not connection.autocommit
        ages = status == TransactionStatus.INTRANS and now - self._limits.set_at > FRESH_SECONDS
        if begins or ages:
            self._limits.set_at = now
            with psycopg.Cursor(connection) as cursor:
                cursor.execute(sql.render("begin.sql"), self._limits.values())

    def execute(self, *arguments: Any, **options: Any) -> LimitedCursor:
        self.begin()
        with named(_query(arguments, options)):
            super().execute(*arguments, **options)
        return self

    def executemany(self, query: Query, params_seq: Iterable[Params], **options: Any) -> None:
        self.begin()
        with named(query):
            super().executemany(query, params_seq, **options)

    def stream(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        self.begin()
        return super().stream(*arguments, **options)

    @contextmanager
    def copy(self, *arguments: Any, **options: Any) -> Iterator[psycopg.Copy]:
        self.begin()
        with named(_query(arguments, options)), super().copy(*arguments, **options) as copy:
            yield copy


def _query(arguments: tuple[Any, ...], options: dict[str, Any]) -> object:
    return arguments[0] if arguments else options.get("query", options.get("statement"))


@contextmanager
def _limited_transaction(
    connection: psycopg.Connection[Any], transaction: Callable[..., Any], *arguments: Any, **options: Any
) -> Iterator[psycopg.Transaction]:
    """`connection.transaction()` as a block within a transaction that has its settings: psycopg's own BEGIN, where no
    transaction is open, would start one without them. What the block wrote is committed with that transaction.
    """
    with connection.cursor() as cursor:
        cast("LimitedCursor", cursor).begin()
    with transaction(*arguments, **options) as block:
        yield block


class LeadsHook(PostgresHook):
    """PostgresHook whose connections fit a transaction pooler and know how much time their task has left.

    A statement needs a transaction for its limits, so nothing here is run with autocommit.

    :param limits: the time that its transactions have; by default what is left to the task.
    :param connect_seconds: how long the login may take; None = as the connection says.
    """

    def __init__(
        self,
        postgres_conn_id: str = sql.LEADS_CONNECTION,
        *,
        limits: Limits | None = None,
        connect_seconds: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(postgres_conn_id, **options)
        self._limits = limits
        self._connect_seconds = connect_seconds

    def get_conn(self) -> psycopg.Connection[Any]:
        """A new connection; nothing is sent on it yet but the login."""
        if self._connect_seconds is not None:
            given = self.connection.extra_dejson
            self.connection.extra = json.dumps(given | {"connect_timeout": self._connect_seconds})
        connection = cast("psycopg.Connection[Any]", super().get_conn())
        connection.prepare_threshold = None
        connection.cursor_factory = cast("Any", partial(LimitedCursor, limits=self._limits or Limits.of_task()))
        limited = partial(_limited_transaction, connection, connection.transaction)
        connection.transaction = limited  # type: ignore[method-assign]
        return connection
