"""A day passes while the calendar stands still: all that the sandbox remembers moves back a day.

The world's draws hang on the number of days since its first one, and its week on how many days have passed this way, so
that a day which has moved is the same day: the same leads, clicks and spend, under the date before.
"""

from __future__ import annotations

import re
import sqlite3
from datetime import date, datetime, timedelta

# Of every table: what is a moment (with its time zone), a day, or JSON with days in it.
_MOMENTS = (("budget_changes", "at"), ("edits", "at"))
_DAYS = (("campaign_states", "since"),)
_WITH_DAYS = (("edits", "fields"), ("account_days", "hidden"))
_DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")


def move_back(db: sqlite3.Connection, days: int) -> None:
    """Everything lies ``days`` earlier; fewer than none: later. The caller's transaction commits it."""

    def day(text: str) -> str:
        return str(date.fromisoformat(text) - timedelta(days=days))

    def moment(text: str) -> str:
        return (datetime.fromisoformat(text) - timedelta(days=days)).isoformat()

    def days_in(text: str) -> str:
        return _DAY.sub(lambda found: day(found[0]), text)

    for places, moved in ((_MOMENTS, moment), (_DAYS, day), (_WITH_DAYS, days_in)):
        for table, column in places:
            rows = db.execute(f"select rowid, {column} from {table}").fetchall()
            db.executemany(f"update {table} set {column} = ? where rowid = ?", [(moved(old), row) for row, old in rows])
    ((first,),) = db.execute("select value from meta where key = 'first_morning'").fetchall()
    db.execute("update meta set value = ? where key = 'first_morning'", [day(first)])
