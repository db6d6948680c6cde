"""The answers, as JSON text.

Every figure is a statement of `include/sql/ui` whose columns are JSON that PostgreSQL wrote: an amount is never a float
on its way. Words from outside (findings, errors of an API) come apart from it, because secrets are taken out of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, LiteralString

from lead_demand.channels.registry import STEERED
from lead_demand.database import sql
from lead_demand.planner.finding_codes import FindingCode
from lead_demand.planner.reasons import Reason
from lead_demand.planner.refusals import Refusal
from lead_demand.planner.responsible import who_acts
from lead_demand.runs import day
from lead_demand.text import plain
from lead_demand.ui.filters import log_cursor

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

LOG_ROWS = 50
FINDINGS = 120
LONGEST_WORDS = 600  # characters of a text from outside

ALWAYS = {
    "channel": STEERED,
    "refusals": [refusal.value for refusal in Refusal],
    "blocking": [reason.value for reason in Reason if reason.blocking],
}


class NoSuchSegment(Exception):
    """No segment has this code."""


def today(connection: Connection, of_day: date, lists: dict[str, Any]) -> str:
    """Today's, or another day's, figures and lists. `lists`: the filters, `sort`, `group` and the key of a row."""
    now = day.today()
    values = ALWAYS | lists | {"day": of_day}
    parts = {"day": json.dumps(of_day.isoformat()), "today": json.dumps(now.isoformat())}
    parts["is_today"] = json.dumps(of_day == now)
    for name in ("settings", "day_runs", "month", "freshness", "trust", "day_counts", "day_groups"):
        parts |= _figures(connection, f"ui/select_{name}.sql", values)
    return _object(parts)


def segment(connection: Connection, code: str, of_day: date, days: int) -> str:
    """One segment over so many days before the day. Raises NoSuchSegment."""
    found = connection.execute(sql.render("ui/select_segment_id.sql"), {"code": code}).fetchone()
    if found is None:
        raise NoSuchSegment(code)
    values = ALWAYS | {"segment": found[0], "day": of_day, "days": days, "rows": FINDINGS}
    parts = {"day": json.dumps(of_day.isoformat())}
    for name in ("settings", "segment", "segment_days", "segment_events", "segment_channels"):
        parts |= _figures(connection, f"ui/select_{name}.sql", values)
    return _object(parts | {"findings": _findings(connection, values)})


def log(connection: Connection, filters: dict[str, Any]) -> str:
    """A page of the log, how many entries there are, and who is named in them."""
    entries = list(log_entries(connection, filters, LOG_ROWS + 1))
    shown = entries[:LOG_ROWS]
    parts = _figures(connection, "ui/select_log_total.sql", filters)
    parts["rows"] = f"[{','.join(entry for _, entry in shown)}]"
    parts["next"] = json.dumps(log_cursor(*shown[-1][0]) if len(entries) > LOG_ROWS else None)
    return _object(parts)


def log_entries(
    connection: Connection, filters: dict[str, Any], rows: int, *, whole: bool = False
) -> Iterator[tuple[tuple[date, datetime, str], str]]:
    """Entries of the log after the key in `filters`: the key of each, and the entry as JSON. `whole`: limits that were
    set together one by one, as in the file.
    """
    for of_day, at, row, entry, error in connection.execute(
        sql.render("ui/select_log.sql", whole=whole), filters | {"rows": rows}
    ).fetchall():
        yield (of_day, at, row), f"{entry[:-1]}, {_words({'error_detail': error})}}}"


def health(connection: Connection) -> str:
    """Whether the data can be trusted, what is wrong, and how often decisions were right."""
    now = day.today()
    values = ALWAYS | {"day": now, "segment": None, "rows": FINDINGS}
    parts = {"day": json.dumps(now.isoformat()), "findings": _findings(connection, values)}
    for name in (
        "settings",
        "freshness",
        "provisional",
        "sums",
        "finding_counts",
        "unmatched",
        "right",
        "backtests",
        "stat_runs",
        "budget_runs",
    ):
        parts |= _figures(connection, f"ui/select_{name}.sql", values)
    parts["right"] = parts.pop("how_often_right")  # a reserved word in SQL
    return _object(parts)


def reasons() -> str:
    """Every code of a reason, refusal or finding: what it means, what to do, and who does it. Only a reason has a
    phrase, and what to do about a finding whose advice names facts is said beside that finding alone.
    """
    found: dict[str, dict[str, Any]] = {
        reason.value: {
            "phrase": reason.phrase,
            "meaning": reason.meaning,
            "todo": reason.what_to_do,
            "who": who_acts(reason),
            "blocking": reason.blocking,
        }
        for reason in Reason
    }
    for code in (*Refusal, *FindingCode):
        todo = "" if "{" in code.what_to_do else code.what_to_do
        said = {"phrase": None, "meaning": code.meaning, "todo": todo, "blocking": False}
        found.setdefault(code.value, said | {"who": who_acts(code)})
    return json.dumps(found)


def _figures(connection: Connection, statement: LiteralString, values: dict[str, Any]) -> dict[str, str]:
    """The columns of a statement's one row by name, as JSON; NULL is null."""
    rows = sql.read_rows(connection, sql.render(statement), values)
    return {name: "null" if value is None else value for name, value in rows[0].items()}


def _findings(connection: Connection, values: dict[str, Any]) -> str:
    rows = sql.read_rows(connection, sql.render("ui/select_findings.sql"), values)
    entries = [f'{row["entry"][:-1]}, "who": "{who_acts(row["name"])}", {_words(_texts(row))}}}' for row in rows]
    return f"[{','.join(entries)}]"


def _texts(row: dict[str, Any]) -> dict[str, str | None]:
    return {name: row[name] for name in ("subject", "detail", "remediation")}


def _words(texts: dict[str, str | None]) -> str:
    """Members of a JSON object: texts from outside as one line each, without what Airflow knows to be secret."""
    from airflow.sdk.log import redact

    safe = {name: None if text is None else str(redact(plain(text, LONGEST_WORDS))) for name, text in texts.items()}
    return json.dumps(safe)[1:-1]


def _object(parts: dict[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{part}" for name, part in parts.items()) + "}"
