"""The planner's two frames as plain arrays: one row per segment, one column per day, and flags for what is unusable.

Frames come from a database, a CSV or a test: numbers may be Decimal, float, string, None or NA, and rows may be
missing, doubled or wrong. Nothing is repaired or guessed here: an unusable value becomes NaN (or None) and sets the
flag of its reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import pandas as pd

from lead_demand.planner.arrays import Bools, Dates, Floats, Integers, Money, Objects, is_none
from lead_demand.planner.reasons import Reason
from lead_demand.planner.settings import LATELY

MICROS = 1_000_000
LONGEST_COOL_DOWN = 3650  # days; longer is a typing error
LOST_DAYS = 14  # whole days over which the channel reports the share of missed searches

#: Day columns without which a day is not complete, and the reason when yesterday lacks one.
NEEDED = {
    "leads_generated": Reason.MISSING_LEADS,
    "leads_accepted": Reason.MISSING_ACCEPTANCE,
    "leads_rejected": Reason.MISSING_ACCEPTANCE,
    "leads_pending": Reason.MISSING_ACCEPTANCE,
    "google_ads_leads": Reason.MISSING_PAID_LEADS,
    "google_ads_spend": Reason.MISSING_SPEND,
    "leads_without_source": Reason.LEADS_WITHOUT_SOURCE,
}
#: The one of them that a caller may leave out altogether.
MAY_BE_ABSENT = "leads_without_source"
#: Day columns that are used where they are known.
OPTIONAL = ("google_ads_budget", "capacity_total_leads", "capacity_absent_leads", "capacity_absent_week")

#: By reason, the segments of which it is true.
Flags = dict[Reason, Bools]


@dataclass(frozen=True)
class Segments:
    """Segments in the order of their ids, so that no result depends on the order of the rows that came in."""

    ids: Objects
    names: list[str]
    country: list[str]  # "" = not known
    branch: Integers  # a number per branch; segments without one count as one branch
    branch_name: list[str]  # "" = not known
    current: Money  # the daily budget in force
    floor: Money
    cap: Money
    month_cap: Money  # what its monthly budget leaves per day; None = it has none
    max_increase_pct: Floats
    max_decrease_pct: Floats
    cooldown_days: Floats
    last_change: Dates  # NaT = never changed
    capacity: Floats  # accepted leads per day that partners take
    absent: Floats  # leads per day of partners who are away today, 0 where none announced it
    absent_week: Floats  # the same, mean of the seven days from today on
    absent_until: Dates  # the last day of it; NaT = until further notice
    target_override: Floats
    budget_limited: Floats  # 1, 0 or NaN
    lost_share: Floats  # of the searches of LOST_DAYS, what was missed for want of budget; 0 to 1 or NaN
    recommended: Money  # by the channel itself
    blocks: list[list[str]]
    flags: Flags
    given_order: Integers  # positions that bring the arrays back to the order of the frame


@dataclass(frozen=True)
class Days:
    """The window of whole days before today: arrays of shape (segments, days), the last column being yesterday."""

    values: dict[str, Floats]
    complete: Bools
    missing: Bools  # lies after the first complete day and lacks a number
    dates: Dates
    flags: Flags

    def __getitem__(self, column: str) -> Floats:
        return self.values[column]


def micros(value: object) -> int | None:
    """Exact integer micros of an amount, or None where it is missing or not a number; more than six decimals are
    cut off."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    try:
        amount = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        return None
    return int(amount * MICROS) if amount.is_finite() else None


def decimal(amount: int | None) -> Decimal | None:
    """Micros as an exact amount."""
    return None if amount is None else Decimal(amount) / MICROS


def as_euros(amounts: Money) -> Floats:
    """Micros as float euros for the estimate; amounts themselves are never computed from these."""
    return np.where(pd.isna(amounts), np.nan, amounts).astype(float) / MICROS


def numbers(frame: pd.DataFrame, column: str) -> Floats:
    """A column as float64: NaN where it is absent, missing or not a number; infinities are kept."""
    if column not in frame:
        return np.full(len(frame), np.nan)
    return pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def dates(frame: pd.DataFrame, column: str) -> Dates:
    """A column as datetime64[D]: NaT where it is absent, missing or not a date."""
    if column not in frame:
        return np.full(len(frame), np.datetime64("NaT"), dtype="datetime64[D]")
    parsed = pd.to_datetime(frame[column], errors="coerce")
    if getattr(parsed.dtype, "tz", None) is not None:
        parsed = parsed.dt.tz_localize(None)
    return parsed.to_numpy().astype("datetime64[D]")


def _objects(frame: pd.DataFrame, column: str) -> list[Any]:
    return frame[column].tolist() if column in frame else [None] * len(frame)


def _codes(value: object) -> list[str]:
    """The codes in a `blocks` cell: a list, tuple, set or array of codes, one code, or nothing."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return []
    cells = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    return sorted({str(cell) for cell in cells if cell is not None})


def _name(name: object, code: object, segment_id: object) -> str:
    """What a person calls the segment: its name, else its code in words, else its id."""
    if isinstance(name, str) and name.strip():
        return name.strip()
    if isinstance(code, str) and code.strip():
        return code.strip().replace("_", " ").title()
    return str(segment_id)


def _money(frame: pd.DataFrame, column: str, bad: Bools) -> Money:
    """A money column as micros; negative and infinite amounts become None and are marked in `bad`."""
    amounts = [micros(value) for value in _objects(frame, column)]
    bad |= np.array([amount is not None and amount < 0 for amount in amounts], dtype=bool)
    bad |= np.isinf(numbers(frame, column))
    return np.array([None if amount is None or amount < 0 else amount for amount in amounts] + [None])[:-1]


def _amounts(frame: pd.DataFrame, column: str, bad: Bools) -> Floats:
    """A numeric column; negative and infinite numbers become NaN and are marked in `bad`."""
    values = numbers(frame, column)
    impossible = (values < 0) | np.isinf(values)
    bad |= impossible
    return np.where(impossible, np.nan, values)


def read_segments(frame: pd.DataFrame, today: np.datetime64) -> Segments:
    """One entry per segment_id. Of a segment that is given twice only the name is kept: nothing else is certain.

    Raises KeyError where a frame with rows has no column `segment_id`.
    """
    if frame.empty:
        frame = frame.reindex(columns=["segment_id"])
    first = ~frame["segment_id"].duplicated().to_numpy()
    doubled = frame["segment_id"].duplicated(keep=False).to_numpy()[first]
    frame = frame[first]
    keys = np.array([str(value) for value in frame["segment_id"]], dtype=object)
    order = np.argsort(keys, kind="stable")
    frame, doubled = frame.iloc[order], doubled[order]

    bad, bad_limits = np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
    current = _money(frame, "current_budget", bad)
    capacity = _amounts(frame, "capacity_total_leads", bad)
    absent, absent_week = (
        np.nan_to_num(_amounts(frame, name, bad)) for name in ("capacity_absent_leads", "capacity_absent_week")
    )
    override = _amounts(frame, "target_override", bad)
    last_change = dates(frame, "last_change_date")
    bad |= last_change > today
    if "last_change_date" in frame:
        bad |= np.isnat(last_change) & frame["last_change_date"].notna().to_numpy()

    floor = _money(frame, "min_daily_budget", bad_limits)
    cap = _money(frame, "max_daily_budget", bad_limits)
    month_cap = _money(frame, "month_cap", bad_limits)
    increase = _amounts(frame, "max_increase_pct", bad_limits)
    decrease = _amounts(frame, "max_decrease_pct", bad_limits)
    cooldown = _amounts(frame, "cooldown_days", bad_limits)
    limits = zip(floor, cap, strict=True)
    crossed = [low is not None and high is not None and low > high for low, high in limits]
    bad_limits |= np.array(crossed, dtype=bool) | (decrease > 100) | (cooldown > LONGEST_COOL_DOWN)

    # Only a check and a part of the sentence use these: a value that is missing or impossible stops nothing.
    lost, recommended = numbers(frame, "budget_lost_share"), _money(frame, "recommended_budget", np.zeros_like(bad))
    current[doubled] = None
    unknown = np.isnan(increase) | np.isnan(decrease) | np.isnan(cooldown) | is_none(floor) | is_none(cap)
    limited = [{True: 1.0, False: 0.0}.get(value, np.nan) for value in _objects(frame, "budget_limited")]
    names, codes = _objects(frame, "name"), _objects(frame, "code")
    return Segments(
        ids=frame["segment_id"].to_numpy(dtype=object),
        names=[_name(*parts) for parts in zip(names, codes, keys[order], strict=True)],
        country=[value if isinstance(value, str) else "" for value in _objects(frame, "country")],
        branch=np.unique([str(value) for value in _objects(frame, "branch")], return_inverse=True)[1],
        branch_name=[value if isinstance(value, str) else "" for value in _objects(frame, "branch")],
        current=current,
        floor=floor,
        cap=cap,
        month_cap=month_cap,
        max_increase_pct=increase,
        max_decrease_pct=np.minimum(decrease, 100),
        cooldown_days=np.minimum(cooldown, LONGEST_COOL_DOWN),
        last_change=last_change,
        capacity=capacity,
        absent=absent,
        absent_week=absent_week,
        absent_until=dates(frame, "capacity_absent_until"),
        target_override=override,
        budget_limited=np.array(limited, dtype=float),
        lost_share=np.where((lost >= 0) & (lost <= 1), lost, np.nan),
        recommended=recommended,
        blocks=[_codes(value) for value in _objects(frame, "blocks")],
        flags={
            Reason.DUPLICATE_SEGMENT: doubled,
            Reason.BAD_INPUT_ROW: bad,
            Reason.MISSING_CAPACITY: np.isnan(capacity) & ~bad,
            Reason.MISSING_LIMITS: unknown & ~bad_limits,
            Reason.INVALID_LIMITS: bad_limits,
            Reason.MISSING_CURRENT_BUDGET: is_none(current) & ~doubled & ~bad,
            Reason.BUDGET_LIMITED_UNKNOWN: np.isnan(np.array(limited, dtype=float)) & ~doubled & ~bad,
        },
        given_order=np.argsort(order, kind="stable"),
    )


def lost_share(known: Segments, days: Days) -> tuple[Floats, Floats]:
    """The share of searches that today's budget misses, at least and at most; NaN where the channel does not report it.

    The report covers LOST_DAYS: a budget that was raised since may miss none any more, one that was lowered all.
    """
    now = as_euros(known.current)[:, None]
    then = days["google_ads_budget"][:, -LOST_DAYS:]
    raised, lowered = (then < now).any(axis=1), (then > now).any(axis=1)
    return np.where(raised, 0.0, known.lost_share), np.where(lowered, 1.0, known.lost_share)


def read_days(
    parts: Iterable[pd.DataFrame], ids: Objects, today: np.datetime64, window: int, min_days: int, may_miss: int
) -> Days:
    """The last whole days before `today`, at most `window`, of the segments `ids`; other rows are ignored.

    The rows may come in parts, each of which is let go of when the next is there. A day is complete when every
    column of `NEEDED` is known (that of `MAY_BE_ABSENT` only if the rows have it). What lies before a segment's first
    complete day is "not there yet"; a hole after it is a missing day. Of the last 28 days `may_miss` may be missing,
    but not yesterday; earlier ones are only left out.
    """
    position = {str(segment_id): index for index, segment_id in enumerate(ids)}
    shape = (len(ids), window)
    values = {name: np.full(shape, np.nan) for name in (*NEEDED, *OPTIONAL)}
    count, wrong = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=bool)
    bad = np.zeros(len(ids), dtype=bool)
    named: set[str] = set()
    for part in parts:
        named.update(part.columns)
        row, column, inside = _cells(part, position, today, window, bad)
        np.add.at(count, (row, column), 1)
        for name, grid in values.items():
            cells = numbers(part, name)[inside]
            impossible = (cells < 0) | np.isinf(cells)
            wrong[row[impossible], column[impossible]] = True
            grid[row, column] = np.where(impossible, np.nan, cells)
    has_rows = count.any(axis=0)
    unused = int(has_rows.argmax()) if has_rows.any() else window - 1
    if unused:  # a shorter history is a smaller grid
        window, count, wrong = window - unused, count[:, unused:].copy(), wrong[:, unused:].copy()
        values = {name: grid[:, unused:].copy() for name, grid in values.items()}
    for grid in values.values():
        grid[count > 1] = np.nan
    decided = values["leads_accepted"] + values["leads_rejected"]
    wrong |= decided > values["leads_generated"]
    wrong |= values["google_ads_leads"] > values["leads_generated"]

    needed = {name: reason for name, reason in NEEDED.items() if name != MAY_BE_ABSENT or name in named}
    complete = np.logical_and.reduce([~np.isnan(values[name]) for name in needed]) & ~wrong
    started = np.logical_or.accumulate(complete, axis=1)
    hole = started & ~complete & ~wrong & (count < 2)
    flags: Flags = {
        Reason.DUPLICATE_DAY: count.max(axis=1, initial=0) > 1,
        Reason.BAD_INPUT_ROW: bad | wrong.any(axis=1),
        Reason.MISSING_DAYS: (hole[:, -LATELY:].sum(axis=1) > may_miss) | (count[:, -1] == 0),
        Reason.TOO_LITTLE_HISTORY: complete.sum(axis=1) < min_days,
    }
    for name, reason in needed.items():
        missing = (count[:, -1] == 1) & np.isnan(values[name][:, -1]) & ~wrong[:, -1]
        flags[reason] = flags.get(reason, np.zeros(len(ids), dtype=bool)) | missing
    return Days(values, complete, hole, np.arange(today - np.timedelta64(window, "D"), today), flags)


def _cells(
    part: pd.DataFrame, position: dict[str, int], today: np.datetime64, window: int, bad: Bools
) -> tuple[Integers, Integers, Bools]:
    """Where in the grid the rows of a part lie: row and column of those that lie in it, and which rows these are. A
    segment with a row of no day is marked in `bad`.
    """
    if part.empty:
        return np.empty(0, int), np.empty(0, int), np.empty(0, bool)
    codes, found = pd.factorize(part["segment_id"])
    row = np.array([position.get(str(value), -1) for value in found] + [-1])[codes]
    day = dates(part, "date")
    undated = np.isnat(day)
    bad[row[(row >= 0) & undated]] = True
    column = np.where(undated, -1, (day - (today - np.timedelta64(window, "D"))).astype("timedelta64[D]").astype(int))
    inside = (row >= 0) & (column >= 0) & (column < window)
    return row[inside], column[inside], inside
