"""What came of a morning, read from the leads database: today's table, the sums, what a run has changed."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from tools import REPOSITORY

SQL = REPOSITORY / "local" / "sql"
COLUMNS = (
    "segment",
    "capacity",
    "target",
    "expected",
    "gap_yesterday",
    "old_budget",
    "new_budget",
    "action",
    "outcome",
    "reason",
)


def rows(url: str, name: str, **values: object) -> list[dict[str, Any]]:
    """The result of one of the statements in local/sql."""
    with psycopg.connect(url, row_factory=dict_row, prepare_threshold=None) as connection:
        connection.read_only = True
        return connection.execute((SQL / f"{name}.sql").read_bytes(), values or None).fetchall()


def sums(url: str) -> list[str]:
    """Whether yesterday adds up, one sentence per account."""
    statement = REPOSITORY / "include" / "sql" / "lead_stats" / "select_sums.sql"
    with psycopg.connect(url) as connection:
        connection.read_only = True
        last = connection.execute("select public.lead_today() - 1").fetchone()
        found = connection.execute(statement.read_bytes(), {"last": last and last[0]}).fetchall()
    return [line for (line,) in found]


def one(url: str, statement: str) -> Any:
    """A single value."""
    with psycopg.connect(url, prepare_threshold=None) as connection:
        connection.read_only = True
        row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else None


def table(found: list[dict[str, Any]]) -> str:
    """The day's table as text; unknown values are a dash."""

    def text(value: object) -> str:
        if isinstance(value, Decimal):
            return f"{value:f}"
        return "–" if value is None else str(value)

    cells = [[column.replace("_", " ") for column in COLUMNS]]
    cells += [[text(row[column]) for column in COLUMNS] for row in found]
    widths = [max(len(line[index]) for line in cells) for index in range(len(COLUMNS))]
    numeric = {index for index, column in enumerate(COLUMNS) if column in COLUMNS[1:7]}
    lines = [
        "  ".join(
            cell.rjust(width) if i in numeric else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def changes(url: str, since: datetime) -> str:
    """One sentence: what this run changed in the database."""
    counts = rows(url, "select_changes", since=since)[0]
    words = {
        "decisions": "decisions",
        "plans": "plans written",
        "log_rows": "new rows in the change log",
        "log_rows_closed": "open changes settled",
        "metrics": "rows of channel metrics written",
        "stats": "rows of statistics written",
    }
    told = [f"{counts[name]} {what}" for name, what in words.items() if counts[name]]
    if told:
        return "This run: " + ", ".join(told) + "."
    decided = one(url, "select count(*) from public.budget_decisions where decision_date = public.lead_today()")
    return "Nothing changed" + (
        ": today was already decided." if decided else ", and nothing is decided for today yet."
    )


def print_day(url: str) -> None:
    """The table of today and the findings that need attention."""
    today = one(url, "select public.lead_today()")
    print(
        f"\n{today}: capacity in accepted leads per day, the rest in generated leads per day; budgets in EUR per day\n"
    )
    print(table(rows(url, "select_day")))
    print("\n" + "\n".join(sums(url)))
    for finding in rows(url, "select_findings"):
        print(f"\n{finding['level']}: {finding['name']} ({finding['how_many']}): {finding['detail']}")
        if finding["remediation"]:
            print(f"  {finding['remediation']}")


def compare_budgets(url: str, control: str) -> tuple[str, bool]:
    """Do the sandbox's live budgets agree with the log? One sentence for each that does not."""
    live = httpx.get(f"{control}/budgets", trust_env=False, timeout=10).raise_for_status().json()
    logged = rows(url, "select_budgets")
    wrong = [
        f"  {row['external_id']}: the log says {row['new_value']:.2f} EUR, live is "
        + (f"{Decimal(live[row['external_id']]) / 1_000_000:.2f} EUR" if row["external_id"] in live else "no budget")
        for row in logged
        if Decimal(live.get(row["external_id"], -1)) != row["new_value"] * 1_000_000
    ]
    if wrong:
        return "\n".join(
            ["The live budgets and the log DISAGREE (a person may have changed them since):", *wrong]
        ), False
    return (
        f"The live budgets agree with the log: {len(logged)} of {len(live)} were changed by it at some time.",
        True,
    )
