"""What a source wrote, read as whole numbers that a column can hold; anything else stays in words."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lead_demand.text import plain

# Beyond it a number of a source is not read as one: a day of an account adds up to what a column of a sum holds.
LARGEST_READ = 10**12
# What the columns hold of one segment and day: numeric(14, 6) in micros, and integer.
LARGEST_MONEY, LARGEST_COUNT = 10**14 - 1, 2**31 - 1


def whole(value: object, least: float = -LARGEST_READ, most: float = LARGEST_READ) -> int | None:
    """What a source wrote as a whole number; None where it is none (no number, not finite) or out of the range."""
    try:
        number = value if isinstance(value, int) else float(value)  # type: ignore[arg-type]
        # Compared as it is: a number that is not finite is in no range, and has no whole one.
        return round(number) if least <= number <= most else None
    except (TypeError, ValueError):
        return None


def as_numbers(
    frame: pd.DataFrame, columns: Sequence[str], least: int = -LARGEST_READ, most: int = LARGEST_READ
) -> pd.DataFrame:
    """The frame with those columns as Int64. What is no whole number of the range is NA, and `unreadable` (str or None)
    has what the source wrote.
    """
    said = frame.get("unreadable", pd.Series(None, frame.index, dtype=object)).astype(object)
    said = said.where(said.notna(), None)
    said_of: dict[int, str] = {at: text for at, text in enumerate(said) if text is not None}
    found = frame.copy()
    for name in columns:
        cells = frame[name]
        if cells.dtype in ("int64", "Int64") and cells.notna().all() and cells.between(least, most).all():
            found[name] = cells.astype("Int64")
            continue
        numbers = [None if cell is pd.NA else whole(cell, least, most) for cell in cells]
        found[name] = pd.Series(pd.array(numbers, dtype="Int64"), frame.index)
        for at, (number, cell) in enumerate(zip(numbers, cells, strict=True)):
            # What is missing here was read before, or was never there.
            if number is None and (cell is not pd.NA or at not in said_of):
                told = f"{name}={'nothing' if cell is None or cell is pd.NA else plain(cell, 60)}"
                said_of[at] = f"{said_of[at]}, {told}" if at in said_of else told
    found["unreadable"] = pd.Series([said_of.get(at) for at in range(len(frame))], frame.index, dtype=object)
    return found
