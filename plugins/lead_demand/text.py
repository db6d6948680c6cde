"""What people read: text from outside as one safe line, amounts, small tables.

Text from outside is an API's error, a campaign's name, a partner's or a form's words. A message here is lines whose
beginnings mean something (the four lines of an error, a finding, a row of a table); text from outside is one piece of
one line: it can begin no other, move no cursor and hide nothing.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from decimal import Decimal

from tabulate import tabulate

WIDTH = 120  # characters of a line that a terminal or a log shows as one
# What moves a terminal's cursor or changes its colours.
_ESCAPE = re.compile(
    "\x1b(?:\\[[0-?]*[ -/]*[@-~]|[\\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)?|[@-Z\\\\-_])|\x9b[0-?]*[ -/]*[@-~]"
)
# Control characters, ends of lines in any script, marks that change the direction or are not seen, half characters.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# Airflow folds a log from one of these to the next.
_FOLD = re.compile("::(end)?group::", re.IGNORECASE)


def plain(text: object, most: int | None = None, *, keep_blanks: bool = False) -> str:
    """The text as one line that can be shown and stored anywhere.

    :param most: characters at most; what is longer ends with `…`.
    :param keep_blanks: for a line whose blanks align columns.
    """
    found = _FOLD.sub(" ", _UNSEEN.sub(" ", _ESCAPE.sub("", str(text))))
    if not keep_blanks:
        found = " ".join(found.split())
    return found if most is None or len(found) <= most else f"{found[: most - 1]}…"


def markdown(text: str | None) -> str:
    """Text as one cell of a Markdown table: nothing in it may end the cell or the row, or begin a link."""
    return "–" if text is None else " ".join(text.replace("|", "/").replace("[", "(").replace("<", "(").split())[:400]


def euros(amount: Decimal | None) -> str:
    """An amount in EUR as people read it."""
    return "nothing" if amount is None else f"€{amount:.2f}"


def cell(value: object) -> str:
    """A value of a table as people read it; unknown is a dash, never 0."""
    if value is None or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return plain(value, keep_blanks=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Aligned lines with a header, for the last lines of a log; columns of numbers to the right."""

    def is_number(column: int) -> bool:
        values = [row[column] for row in rows if row[column] is not None]
        return bool(values) and all(isinstance(value, int | float | Decimal) for value in values)

    aligned = tabulate(
        [[cell(value) for value in row] for row in rows],
        headers=columns,
        tablefmt="simple",
        disable_numparse=True,
        colalign=["right" if is_number(column) else "left" for column in range(len(columns))] if rows else None,
    )
    return [line.rstrip() for line in aligned.splitlines()]


def tables(columns: Sequence[str], rows: Sequence[Sequence[object]], width: int = WIDTH) -> list[str]:
    """Likewise, but no line is wider than `width`: what does not fit beside the first column, which names the row, goes
    into further tables below, each with that column again; a text that fits nowhere is continued on lines of its own.
    """
    cells = [[cell(value) for value in row] for row in rows]
    # tabulate leaves two blanks beside a column's name.
    names = [f"{name}  " for name in columns]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    parts: list[list[int]] = []
    left = 0
    for column in range(1, len(columns)):
        needed = min(widths[column], width - widths[0] - 2) + 2
        if not parts or needed > left:
            parts.append([])
            left = width - widths[0]
        parts[-1].append(column)
        left -= needed
    lines: list[str] = []
    for part in parts or [[]]:
        kept: list[list[object]] = []
        for row in rows:
            wrapped = {
                column: textwrap.wrap(cell(row[column]), max(width - widths[0] - 2, 20)) or [""]
                for column in part
                if widths[column] > width - widths[0] - 2
            }
            # Where a text is wrapped, its column is alone in its part.
            more = next(iter(wrapped.values()), [])
            kept.append([row[0], *(more[0] if column in wrapped else row[column] for column in part)])
            kept += [["", line] for line in more[1:]]
        lines += [*([""] if lines else []), *table([columns[column] for column in (0, *part)], kept)]
    return lines
