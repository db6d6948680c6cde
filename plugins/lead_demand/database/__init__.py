"""The leads database: connections, the SQL files, what bounds every change, and what was found wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg


def connect() -> psycopg.Connection[Any]:
    """A new transaction on the leads database through the Airflow connection `leads_db`; the caller closes it. Time
    limits and what else holds for every statement: `lead_demand.database.leads_hook`.
    """
    from lead_demand.database.leads_hook import LeadsHook

    return LeadsHook().get_conn()


def connect_to_read(seconds: float, connect_seconds: int) -> psycopg.Connection[Any]:
    """Likewise for somebody who waits for an answer: its transactions may not write, see one state of the database, and
    end after so many seconds.
    """
    import psycopg

    from lead_demand.database.leads_hook import LeadsHook
    from lead_demand.database.time_limits import Limits

    connection = LeadsHook(limits=Limits.of_request(seconds), connect_seconds=connect_seconds).get_conn()
    connection.read_only = True
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    return connection
