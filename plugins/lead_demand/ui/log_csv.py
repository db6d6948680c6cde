"""The log as a CSV file that a spreadsheet opens as it is meant: with a BOM, and no cell that it would calculate."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Any

from lead_demand.ui import answers
from lead_demand.ui.reading import LeadsReader

COLUMNS = (
    "at", "day", "segment", "kind", "channel", "action", "old", "new", "column", "status", "error_code", "error_detail",
    "who", "reasons", "target", "expected", "low", "high", "after", "r7", "r14", "verdict", "asked_days", "sentence",
    "reverted_at", "reverted_by", "run_id", "log_id", "reverts", "campaign",
)  # fmt: skip
ROWS_AT_ONCE = 1000
BOM = "\ufeff"
CALCULATED = ("=", "+", "-", "@", "\t", "\r")


class Number(str):
    """A number as PostgreSQL wrote it: no cell to protect."""

    __slots__ = ()


def parts(reader: LeadsReader, filters: dict[str, Any]) -> Iterator[str]:
    """The file in parts. Each page is a transaction of its own, so that a slow reader keeps none open; entries come
    once all the same, because a page goes on after the key of the last one. Raises DatabaseDown.
    """
    yield BOM + _lines([COLUMNS])
    while True:
        with reader.read() as connection:
            entries = list(answers.log_entries(connection, filters, ROWS_AT_ONCE, whole=True))
        if entries:
            yield _lines([_row(entry) for _, entry in entries])
        if len(entries) < ROWS_AT_ONCE:
            return
        of_day, at, row = entries[-1][0]
        filters = filters | {"after_day": of_day, "after_at": at, "after_id": row}


def _row(entry: str) -> list[str]:
    found = json.loads(entry, parse_float=Number, parse_int=Number)
    return [_cell(found[name]) for name in COLUMNS]


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(CALCULATED) and not isinstance(value, Number) else text


def _lines(rows: Iterable[Sequence[object]]) -> str:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
