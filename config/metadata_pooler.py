"""How the drivers connect to the metadata database through a pooler in transaction mode (PgBouncer).

A prepared statement belongs to one session of the server, and such a pooler gives each transaction any session:
`prepared statement "_pg3_0" does not exist` ends the scheduler. So none is prepared, or kept under a name.

`AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS=metadata_pooler.SYNC` (psycopg 3), and for asyncpg
`AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC=metadata_pooler.ASYNC`. Airflow has this folder on its path.
"""

from typing import Any


def _without_a_name() -> str:
    return ""


SYNC: dict[str, Any] = {"prepare_threshold": None}
ASYNC: dict[str, Any] = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": _without_a_name,
}
