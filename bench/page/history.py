"""A company of so many segments with so many days behind it, put straight into the tables that the page reads.

Nothing here is decided or measured: amounts follow from the number of the segment and the day. What counts is how much
there is, how wide a row is, and how rows are spread over segments and days.
"""

from __future__ import annotations

from pathlib import Path

import psycopg

from bench.pipeline.measure import Database

SCRIPT = Path(__file__).with_suffix(".sql")


def fill(database: Database, segments: int, days: int) -> None:
    """Fill a migrated, empty database; the rows are there as if a dump had been restored."""
    with database.owner() as connection:
        connection.execute("set session_replication_role = replica")
        cursor = psycopg.ClientCursor(connection)  # several statements with bound values
        cursor.execute(SCRIPT.read_text(), {"segments": segments, "days": days})
        connection.execute("vacuum analyze")
