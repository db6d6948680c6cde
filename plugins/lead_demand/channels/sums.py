"""Whether a pull adds up: what segments got + what belongs to none = what the source says of the whole account.

The whole is asked for separately, without the dimension that tells campaigns, pages or hosts apart, so that a row that
the source left out, or that was counted twice, shows as a difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import pandas as pd

from lead_demand.channels.paid import MICROS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lead_demand.channels.contract import Channel, Pulled
    from lead_demand.database.findings import Level

KEY = ["segment_id", "date"]
_NOTHING = Decimal(0)


@dataclass(frozen=True)
class Sum:
    """One figure of a channel that has to add up.

    `metric`: its name in `channel_totals`. `column`: where all of it stands, in the raw rows and in the answer about
    the whole account. `counted`: the columns of the contract rows that a segment is given of it. A difference up to
    `least`, or to `share` of the account, is the source's own; beyond it is as bad as `level`. Money is in micros.
    """

    metric: str
    column: str
    counted: tuple[str, ...]
    level: Level = "warn"
    least: Decimal = _NOTHING
    share: Decimal = _NOTHING

    def amount(self, number: int) -> Decimal:
        """A number of the column as an exact amount."""
        return Decimal(number) / MICROS if self.column.endswith("_micros") else Decimal(number)

    def tolerance(self, reported: Decimal | None) -> Decimal:
        return max(self.least, self.share * abs(reported or _NOTHING))


@dataclass(frozen=True)
class Addends:
    """One figure on one day. `in_segments` is what is about to be written, `left_out` None where a number that cannot
    be true was among it, `reported` None where the source was not asked or said no number.
    """

    sum: Sum
    date: str
    is_read: bool
    in_segments: Decimal
    in_none: Decimal
    not_counted: Decimal
    left_out: Decimal | None
    reported: Decimal | None

    @property
    def differs(self) -> bool:
        if not self.is_read or self.left_out is None or self.reported is None:
            return False
        given = self.in_segments + self.in_none + self.not_counted + self.left_out
        return abs(given - self.reported) > self.sum.tolerance(self.reported)


def addends(channel: Channel, pulled: Pulled) -> Iterator[Addends]:
    """Every figure of every day of a pull."""
    if pulled.matched is None or pulled.expected is None:
        return
    rows = pulled.matched.drop_duplicates(["external_id", "date"])
    unknown = set(rows.loc[rows["is_impossible"], "date"])
    rows = rows[~rows["is_impossible"]]
    of_segment = rows["segment_id"].notna().to_numpy(dtype=bool)
    read = set(pulled.frame["date"]) | set(pulled.matched["date"])
    for total in channel.sums:
        # A row that is written without this figure does not believe it.
        believed = pulled.frame[pulled.frame[list(total.counted)].notna().all(axis=1)]
        written = pd.MultiIndex.from_frame(believed[KEY])
        is_written = pd.MultiIndex.from_frame(rows[KEY]).isin(written) & of_segment
        amounts = rows[total.column].astype("Int64")
        counted = rows[list(total.counted)].astype("Int64").sum(axis=1)
        parts = pd.DataFrame(
            {
                "in_none": amounts.where(~of_segment, 0),
                "not_counted": (amounts - counted).where(is_written, 0),
                "left_out": amounts.where(of_segment & ~is_written, 0),
            }
        )
        daily: dict[str, dict[str, int]] = parts.groupby(rows["date"]).sum().to_dict("index")  # type: ignore[assignment]
        given = believed[list(total.counted)].astype("Int64").sum(axis=1).groupby(believed["date"]).sum()
        asked, unread = None, set[str]()
        if pulled.reported is not None:
            asked = pulled.reported.groupby("date")[total.column].sum()
            unread = set(pulled.reported.loc[pulled.reported[total.column].isna(), "date"])
        for day in pulled.days:
            of_day = daily.get(day, dict.fromkeys(parts, 0))
            yield Addends(
                total,
                day,
                day in read,
                total.amount(int(given.get(day, 0))),
                total.amount(of_day["in_none"]),
                total.amount(of_day["not_counted"]),
                None if day in unknown else total.amount(of_day["left_out"]),
                None if asked is None or day in unread else total.amount(int(asked.get(day, 0))),
            )


def as_rows(found: list[Addends]) -> pd.DataFrame:
    """As COPY brings them into `pulled_totals`."""
    return pd.DataFrame(
        [
            (
                each.date,
                each.sum.metric,
                each.is_read,
                each.in_none,
                each.not_counted,
                each.left_out,
                each.reported,
                each.sum.tolerance(each.reported),
                each.sum.level,
            )
            for each in found
        ],
        columns=[
            "date", "metric", "is_read", "in_none", "not_counted", "left_out", "reported", "tolerance", "level",
        ],
        dtype=object,
    )  # fmt: skip


def left_out(pulled: Pulled) -> pd.DataFrame:
    """The segments' days that should be in a pull and are not, because they were not believed: segment_id, date."""
    if pulled.expected is None:
        return pd.DataFrame(columns=KEY)
    written = pd.MultiIndex.from_frame(pulled.frame[KEY])
    return pulled.expected[~pd.MultiIndex.from_frame(pulled.expected).isin(written)]


def should_be_asked_again(found: list[Addends]) -> bool:
    """Two answers of one account, moments apart, may lie on both sides of a correction: what would hold budgets is
    asked for once more before it is believed.
    """
    return any(each.differs and each.sum.level == "stop" for each in found)
