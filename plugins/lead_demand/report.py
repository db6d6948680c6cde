"""Small tables for the last lines of a log."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from lead_demand.outside import plain


def cell(value: Any) -> str:
    """A value as people read it; unknown is a dash, never 0."""
    if value is None or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return plain(value, keep_blanks=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Aligned lines with a header; numbers to the right."""
    cells = [[cell(value) for value in row] for row in rows]
    widths = [max(len(column), *(len(row[i]) for row in cells), 0) for i, column in enumerate(columns)]
    right = [
        any(isinstance(row[i], int | float | Decimal) for row in rows)
        and not any(isinstance(row[i], str) for row in rows)
        for i in range(len(columns))
    ]

    def line(values: Sequence[str]) -> str:
        return "  ".join(
            value.rjust(width) if to_right else value.ljust(width)
            for value, width, to_right in zip(values, widths, right, strict=True)
        ).rstrip()

    return [line(columns), line(["-" * width for width in widths]), *map(line, cells)]
