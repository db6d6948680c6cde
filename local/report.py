"""What came of a morning, read from the leads database: today's table, the sums, what a run has changed."""

import textwrap
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import httpx
import jinja2
import psycopg
from psycopg.rows import dict_row

from lead_demand import text
from lead_demand.budgets.day_table import SHOWN
from lead_demand.channels.registry import STEERED
from tools import REPOSITORY

INCLUDE = REPOSITORY / "include" / "sql"
SQL = jinja2.Environment(
    loader=jinja2.FileSystemLoader([REPOSITORY / "local" / "sql", INCLUDE]),
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # noqa: S701  (SQL, not HTML; values are bound, never rendered)
)


def rows(url: str, name: str, names: dict[str, str] | None = None, **values: object) -> list[dict[str, Any]]:
    """The result of one of the statements in local/sql, or of the product's; `names`: fragments that it is rendered
    with.
    """
    with psycopg.connect(url, row_factory=dict_row, prepare_threshold=None) as connection:
        connection.read_only = True
        statement = SQL.get_template(f"{name}.sql").render(names or {})
        return connection.execute(statement.encode(), values or None).fetchall()


def sums(url: str) -> list[str]:
    """Whether yesterday adds up, one sentence per account."""
    last = one(url, "select public.lead_today() - 1")
    return [line for row in rows(url, "lead_stats/select_sums", last=last) for line in row.values()]


def one(url: str, statement: str) -> Any:  # noqa: ANN401 - of whatever type its statement gives
    """A single value."""
    with psycopg.connect(url, prepare_threshold=None) as connection:
        connection.read_only = True
        row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else None


def day_rows(url: str, day: date | None = None) -> list[dict[str, Any]]:
    """Each active segment as it stands on a day, None = today, by code."""
    names, values = ({}, {}) if day is None else ({"day": "%(day)s::date"}, {"day": day})
    found = rows(url, "lead_budgets/select_report", names, channel=STEERED, **values)
    return sorted(found, key=lambda row: str(row["segment"]))


def table(found: list[dict[str, Any]], columns: dict[str, str]) -> str:
    """Rows as text within the width of a terminal, in parts where they are wider; unknown values are a dash."""
    return "\n".join(text.tables(list(columns.values()), [[row[name] for name in columns] for row in found]))


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


def print_day(url: str, day: date | None = None, segment: str | None = None) -> None:
    """The table of a day, None = today; of today also whether it adds up, and the findings that need attention.

    `segment`: the code of the only one that is shown.
    """
    on = day or one(url, "select public.lead_today()")
    print(f"\n{on}: capacity in accepted leads per day, the rest in generated leads per day; budgets in EUR per day\n")
    print(table([row for row in day_rows(url, day) if segment in (None, row["segment"])], SHOWN))
    if day is not None:
        return
    print("\n" + "\n".join(sums(url)))
    for finding in rows(url, "select_findings"):
        said = f"{finding['level']}: {finding['name']} ({finding['how_many']}): {finding['detail']}"
        print("\n" + textwrap.fill(said, text.WIDTH))
        if finding["remediation"]:
            print(textwrap.fill(finding["remediation"], text.WIDTH, initial_indent="  ", subsequent_indent="  "))


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
        f"The live budgets agree with the log: {len(logged)} of {len(live)} budgets were changed by it at some time.",
        True,
    )
