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
