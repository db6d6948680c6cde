"""The calendar month in one sentence: what is spent, what it comes to, and what it may cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lead_demand.database import sql
from lead_demand.text import euros

if TYPE_CHECKING:
    import psycopg


def pace(connection: psycopg.Connection[Any]) -> str:
    """How far the month is, as the database knows it now; empty where it has no settings. What cannot be read is no
    reason to tell nobody of the day.
    """
    import psycopg

    try:
        with connection.transaction():
            found = sql.read_rows(connection, sql.render("lead_budgets/select_month.sql"))
    except psycopg.OperationalError:
        raise  # the connection or a lock: the next try reads it
    except psycopg.Error as error:
        return f"How far the month is cannot be read ({error.diag.message_primary or str(error).strip()})."
    return sentence(found[0]) if found else ""


def sentence(month: dict[str, Any]) -> str:
    """:param month: the row of lead_budgets/select_month.sql, in EUR."""
    limit = month["monthly_budget"]
    spent = f"{euros(month['spent'])} of {euros(limit)}" if limit is not None else euros(month["spent"])
    unread = f", and {euros(month['assumed'])} assumed for days that were not read" if month["assumed"] else ""
    return (
        f"{month['month']:%B}: {spent} spent up to yesterday{unread}. "
        f"By its end {euros(month['projected'])} at the pace of the last seven days, "
        f"and {euros(month['at_most'])} if Google charges all that the budgets allow."
        + ("" if limit is not None else " No monthly_budget is set.")
    )
