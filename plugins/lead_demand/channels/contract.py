"""The form in which a channel delivers what its source says, and the form in which that is written.

A channel reads raw rows, one per (external id, day). `metrics.to_metrics` makes of them one row per segment and day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, ClassVar, Protocol

from lead_demand.database.findings import Finding, Level
from lead_demand.runs.day import latest_whole_day

if TYPE_CHECKING:
    import pandas as pd

    from lead_demand.channels.sums import Sum
    from lead_demand.runs.day import Window

KEY = ["segment_id", "date"]
# What a channel's `match` says of rows from hosts that are not the company's site.
FOREIGN_HOSTS = "hosts that are not the site"


@dataclass(frozen=True)
class Doubt:
    """What an answer says of itself: for `days` (ISO) it does not give everything.

    Nothing of them is final, and what it does not name is unknown, not 0.

    `says` ends the sentence "<channel> <account> ..."; `todo` is for a person, and empty where the next days heal it.
    `is_usable`: false where even the rows that it gives are not those of the days.
    """

    says: str
    todo: str
    days: frozenset[str]
    name: str = "partial_report"
    is_usable: bool = True


@dataclass(frozen=True)
class Fetched:
    """`frame`: raw rows of one account: `external_id` (str), `date` (str, ISO), the metrics (int64, or whatever the
    source wrote where that is no such number), `is_final` (bool). A row that the source gave more than once comes
    again, with every metric 0. May have `unreadable`, see `as_numbers`.
    """

    frame: pd.DataFrame
    doubts: Sequence[Doubt] = ()


class Channel(Protocol):
    """A source of metrics.

    `channel`: its name, as in its entry of the registry.
    `metrics`: the columns of `channel_metrics` it fills (money as `<name>_micros`, int64).
    `empty_day`: how bad it is when a whole account says nothing about a day, and that cannot be believed.
    `late_days`: for how many days after a day its rows may still be on their way. A silence that lasts longer is a 0.
    `unmatched`: one name for everything that belongs to no segment, None where each is worth a finding of its own.
    `sums`: the figures that have to add up to what `fetch_totals` gives.
    """

    channel: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    empty_day: ClassVar[Level]
    late_days: ClassVar[int]
    unmatched: ClassVar[str | None]
    sums: ClassVar[tuple[Sum, ...]]

    def fetch(self, account: str, window: Window) -> Fetched:
        """What the source says of one account."""
        ...

    def fetch_totals(self, account: str, window: Window) -> pd.DataFrame | None:
        """What the source says of the whole account, asked without the dimension that tells its parts apart: `date`
        (str, ISO) and the columns of `sums` (int64). A day that is absent had nothing. None where it cannot be asked.
        """
        ...

    def match(self, raw: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
        """The same rows with `segment_id` (str, or None where a row belongs to no segment).

        May add `outside`: a name for what a row without a segment is, in place of `unmatched`; and `is_ambiguous`
        (bool): the row may be the segment's or not, and `channel_sources` does not tell.
        """
        ...


@dataclass(frozen=True)
class Known:
    """What is known of an account besides its report; days are ISO strings.

    `latest`: the latest whole day. `stated`: days that a person stated as truly zero. `alive`: days around the window
    for which figures are stored. `is_serving`: whether any mapped campaign may spend; None where there are no campaigns
    to ask for.
    """

    latest: date = field(default_factory=latest_whole_day)
    stated: frozenset[str] = frozenset()
    alive: frozenset[str] = frozenset()
    is_serving: bool | None = None


@dataclass(frozen=True)
class Pulled:
    """`frame`: segment_id (str), date (str, ISO), the channel's metrics (Int64), is_final, is_empty (bool: the whole
    account said nothing that day); one row per (segment, day). For `sums`: `matched`, the raw rows with segment_id and
    is_impossible; `expected`, the keys that a pull without any doubt would have; `days` of the window (ISO);
    `reported`, see `Channel.fetch_totals`.
    """

    frame: pd.DataFrame
    findings: list[Finding] = field(default_factory=list)
    matched: pd.DataFrame | None = None
    expected: pd.DataFrame | None = None
    days: tuple[str, ...] = ()
    reported: pd.DataFrame | None = None
