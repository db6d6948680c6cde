"""The calendar month in sentences: what is spent, what it comes to, and what it may cost; of all, and of each branch
that has a monthly budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lead_demand.database import sql
from lead_demand.text import euros

if TYPE_CHECKING:
    import psycopg


def pace(connection: psycopg.Connection[Any]) -> list[str]:
    """How far the month is, as the database knows it now, in a line; then one per branch that has a monthly budget.
    Empty where there are no settings. What cannot be read is no reason to tell nobody of the day.
    """
    import psycopg

    try:
        with connection.transaction():
            found = sql.read_rows(connection, sql.render("lead_budgets/select_month.sql"))
            branches = sql.read_rows(connection, sql.render("lead_budgets/select_branch_months.sql"))
    except psycopg.OperationalError:
        raise  # the connection or a lock: the next try reads it
    except psycopg.Error as error:
        return [f"How far the month is cannot be read ({error.diag.message_primary or str(error).strip()})."]
    return [sentence(row) for row in found] + [branch_sentence(row) for row in branches]


def branch_sentence(month: dict[str, Any]) -> str:
    """:param month: a row of lead_budgets/select_branch_months.sql, in EUR."""
    assumed = f", {euros(month['assumed'])} assumed" if month["assumed"] else ""
    return (
        f"{month['branch']} ({month['country']}): {euros(month['spent'])} of {euros(month['monthly_budget'])} "
        f"spent{assumed}. By the end {euros(month['projected'])} at this pace, {euros(month['at_most'])} at most."
    )


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
