"""What every channel delivers, and the pure step from a source's own rows to that form.

A channel reads raw rows, one per (external id, day). `to_metrics` maps them to the segments of that day, refuses what
cannot be true, and fills the days on which a source had nothing to say: asked and got none is 0; not asked, not
believed or not said in full is absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Protocol

import pandas as pd

from lead_demand.database.findings import Finding, Level
from lead_demand.runs.day import latest_whole_day
from lead_demand.text import plain

if TYPE_CHECKING:
    from lead_demand.channels.sums import Sum
    from lead_demand.runs.day import Window

KEY = ["segment_id", "date"]
_OUTSIDE = "outside"
# What the step from raw rows to contract rows may find; each pull closes those of its account that are gone.
FINDINGS = (
    "impossible_metric",
    "duplicate_row",
    "source_without_segment",
    "unmatched_spend_growing",
    "empty_report",
    "day_without_rows",
    "partial_report",
    "property_time_zone",
    "host_not_stated",
    "inactive_segment_spends",
)
# So many clicks of a day may belong to impressions just before midnight.
FEW_CLICKS = 10
# Spend of no segment is worth a finding of its own where it grew by half, and is more than a twentieth of the account.
NEWEST_DAYS, GROWTH, WORTH_NAMING = 3, 1.5, 0.05
# An account that had figures so many days before or after a silent day was in use on it.
ALIVE_DAYS = 31
# No segment of this company comes near these in a day: beyond them a row is a mistake of a source, not a good day.
LARGEST = {
    "spend_micros": 50_000 * 1_000_000,
    "clicks": 1_000_000,
    "impressions": 100_000_000,
    "conversions_micros": 1_000_000 * 1_000_000,
    "visits": 10_000_000,
    "microsite_visits": 10_000_000,
    "microsite_leads": 1_000_000,
}
# Beyond it a number of a source is not read as one: a day of an account adds up to what a column of a sum holds.
LARGEST_READ = 10**12
# What the columns hold of one segment and day: numeric(14, 6) in micros, and integer.
LARGEST_MONEY, LARGEST_COUNT = 10**14 - 1, 2**31 - 1


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

    `metrics`: the columns of `channel_metrics` it fills (money as `<name>_micros`, int64).
    `empty_day`: how bad it is when a whole account says nothing about a day, and that cannot be believed.
    `late_days`: for how many days after a day its rows may still be on their way. A silence that lasts longer is a 0.
    `unmatched`: one name for everything that belongs to no segment, None where each is worth a finding of its own.
    `sums`: the figures that have to add up to what `fetch_totals` gives.
    """

    name: ClassVar[str]
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


def match_exactly(raw: pd.DataFrame, sources: pd.DataFrame) -> pd.Series:
    """Segments by equal external id."""
    return raw["external_id"].map(dict(zip(sources["external_id"], sources["segment_id"], strict=True)))


def match_longest_prefix(keys: pd.Series, sources: pd.DataFrame) -> pd.Series:
    """Segments by the longest external id that a key starts with, ending at a path boundary. Both sides are normalised
    (see `addresses`).
    """
    # Comprehensions here and in the channels, because a column without rows has no strings to split.
    prefixes = {
        prefix.rstrip("/"): segment
        for prefix, segment in zip(sources["external_id"], sources["segment_id"], strict=True)
    }

    def segment(key: str) -> str | None:
        # The candidates are the key's own ancestors, so the cost does not grow with the number of segments.
        while key and key not in prefixes:
            key = key.rpartition("/")[0]
        return prefixes.get(key)

    return keys.map({key: segment(key.rstrip("/")) for key in keys.unique()})


def to_metrics(
    channel: Channel,
    account: str,
    raw: pd.DataFrame,
    sources: pd.DataFrame,
    window: Window,
    known: Known | None = None,
    doubts: Sequence[Doubt] = (),
) -> Pulled:
    """Raw rows of one account as contract rows, with everything doubtful left out and named.

    :param raw: see `Fetched.frame`.
    :param doubts: see `Fetched.doubts`.
    :param sources: this account's rows of `channel_sources`: external_id, segment_id (str), segment (its code);
        valid_from and valid_to (str, ISO, both included; absent: every day), is_active and is_segment_active (bool;
        absent: yes).
    :returns: rows for every mapped segment and each of its days in the window that could be believed.
    """
    metrics = list(channel.metrics)
    days = [day.date().isoformat() for day in pd.date_range(window.first, window.last)]
    sources = _with_spans(sources)
    codes = dict(zip(sources["segment_id"], sources["segment"], strict=True))
    findings: list[Finding] = []

    raw = as_numbers(raw.reset_index(drop=True), metrics)
    is_of_window = raw["date"].isin(days)
    elsewhen = _of_other_days(channel, account, raw[~is_of_window], raw[is_of_window], sources, days, codes, findings)
    raw = _match_by_day(channel, raw[is_of_window].reset_index(drop=True), sources, days)
    partial_days = {day for doubt in doubts for day in doubt.days}
    raw = raw.assign(is_final=raw["is_final"].astype(bool) & ~raw["date"].isin(partial_days))
    is_impossible = _cannot_be(raw, metrics)
    believable = raw[~is_impossible]
    doubtful = elsewhen | _impossible(channel, account, raw[is_impossible], metrics, codes, findings)
    doubtful |= _repeated(channel, account, raw, codes, findings)
    doubtful |= _ambiguous(channel, account, raw, findings)
    _partial(channel, account, doubts, days, findings)
    _without_segment(channel, account, believable, metrics, findings)
    _unmatched_spend(channel, account, believable, findings)
    silent = _silent_days(channel, account, raw, sources, days, known or Known(), partial_days, findings)
    _of_inactive_segments(channel, account, believable, metrics, sources, findings)

    mapped = believable[believable["segment_id"].notna()]
    summed = mapped.groupby(KEY, as_index=False, sort=False).agg({**dict.fromkeys(metrics, "sum"), "is_final": "all"})
    doubtful |= _too_large(channel, account, summed, metrics, codes, findings)
    finality = raw.groupby("date")["is_final"].all()
    frame = _segment_days(sources, [day for day in days if silent.get(day, True)])
    frame = frame.merge(summed.astype(dict.fromkeys(KEY, object)), on=KEY, how="left")
    frame[metrics] = frame[metrics].astype("Float64").fillna(0).astype("Int64")
    frame["is_final"] = (
        frame["is_final"].astype("boolean").fillna(frame["date"].map(finality).astype("boolean")).fillna(True)
    )
    frame["is_final"] = frame["is_final"].astype(bool)
    frame["is_empty"] = frame["date"].isin(silent)
    expected = frame[KEY]
    # Where the answer is not the whole one, what it gives nothing for is unknown.
    unusable_days = {day for doubt in doubts if not doubt.is_usable for day in doubt.days}
    is_given = (frame[metrics] != 0).any(axis=1).astype(bool) & ~frame["date"].isin(unusable_days)
    frame = frame[is_given | ~frame["date"].isin(partial_days) | frame["is_empty"]]
    if doubtful:
        rows = pd.MultiIndex.from_frame(frame[KEY])
        frame = frame[~rows.isin(sorted(doubtful))]
    return Pulled(
        frame[[*KEY, *metrics, "is_final", "is_empty"]].reset_index(drop=True),
        findings,
        raw.assign(is_impossible=is_impossible),
        expected,
        tuple(days),
    )


def _with_spans(sources: pd.DataFrame) -> pd.DataFrame:
    sources = sources.copy()
    every_day: dict[str, str | bool] = {
        "valid_from": "0001-01-01",
        "valid_to": "9999-12-31",
        "is_active": True,
        "is_segment_active": True,
    }
    for name, value in every_day.items():
        if name not in sources:
            sources[name] = value
    return sources.astype({"is_active": bool, "is_segment_active": bool})


def valid_on(sources: pd.DataFrame, day: str) -> pd.DataFrame:
    """The sources that belong to a segment on a day (ISO)."""
    return sources[(sources["valid_from"] <= day) & (sources["valid_to"] >= day) & sources["is_active"]]


def _spans(sources: pd.DataFrame, days: list[str]) -> list[list[str]]:
    """The days in runs over which the same sources are valid."""
    ends = set(sources["valid_to"])
    starts = {*sources["valid_from"], *(later for day, later in pairwise(days) if day in ends)}
    spans: list[list[str]] = []
    for day in days:
        if not spans or day in starts:
            spans.append([])
        spans[-1].append(day)
    return spans


def _match_by_day(channel: Channel, raw: pd.DataFrame, sources: pd.DataFrame, days: list[str]) -> pd.DataFrame:
    """The rows with the segment of their own day, in their own order; `is_outside`: meant to belong to none."""
    matched = []
    for span in _spans(sources, days):
        rows = raw[raw["date"].between(span[0], span[-1])]
        of_span = sources[(sources["valid_from"] <= span[0]) & (sources["valid_to"] >= span[0])]
        # What is inactive takes its rows out of a wider prefix too; of two rows for the same, the active one counts.
        of_span = of_span.sort_values("is_active", kind="stable").astype({"segment_id": object})
        of_span = of_span.assign(segment_id=of_span["segment_id"].where(of_span["is_active"], _OUTSIDE))
        # A column without one text in it is of numbers to pandas, and would not join.
        rows = channel.match(rows, of_span).astype({"external_id": object, "date": object, "segment_id": object})
        is_outside = rows["segment_id"] == _OUTSIDE
        matched.append(rows.assign(is_outside=is_outside, segment_id=rows["segment_id"].mask(is_outside, None)))
    found = pd.concat([part for part in matched if len(part)] or matched[:1])
    return found.sort_index().reset_index(drop=True)


def _segment_days(sources: pd.DataFrame, days: list[str]) -> pd.DataFrame:
    """Each segment with each of the days on which it has a source here."""
    known = [
        pd.MultiIndex.from_product([sorted(set(valid_on(sources, span[0])["segment_id"])), span], names=KEY).to_frame(
            index=False
        )
        for span in _spans(sources, days)
    ]
    frame = pd.concat(known, ignore_index=True) if known else pd.DataFrame(columns=KEY)
    return frame.astype(object).sort_values(KEY, ignore_index=True)


def _cannot_be(raw: pd.DataFrame, metrics: list[str]) -> pd.Series:
    """Which rows have a number that cannot be true."""
    numbers = raw[metrics].astype("Float64")
    bad = numbers.isna() | (numbers < 0)
    bad[metrics[0]] |= raw["unreadable"].notna()
    for name in set(metrics) & set(LARGEST):
        bad[name] |= numbers[name] > LARGEST[name]
    if {"clicks", "impressions"} <= set(metrics):
        bad["clicks"] |= (numbers["clicks"] > numbers["impressions"]) & (numbers["clicks"] > FEW_CLICKS)
    return bad.any(axis=1).astype(bool)


def _impossible(
    channel: Channel,
    account: str,
    rows: pd.DataFrame,
    metrics: list[str],
    codes: dict[str, str],
    findings: list[Finding],
) -> set[tuple[str, str]]:
    def what(row: dict[str, object]) -> str:
        said = row["unreadable"]
        read = [f"{name}={row[name]}" for name in metrics if row[name] is not None and row[name] is not pd.NA]
        return ", ".join([*([said] if isinstance(said, str) else []), *read])

    return _leave_out(
        channel,
        account,
        rows,
        codes,
        findings,
        name="impossible_metric",
        what=what,
        remediation=f"Check the report at the source; clear pull_{channel.name} once it is right.",
    )


def _too_large(
    channel: Channel,
    account: str,
    summed: pd.DataFrame,
    metrics: list[str],
    codes: dict[str, str],
    findings: list[Finding],
) -> set[tuple[str, str]]:
    """Days of a segment whose sum is more than a column holds, though none of its rows is."""
    is_more = pd.Series(False, summed.index)
    for name in metrics:
        is_more |= summed[name].astype("Int64") > (LARGEST_MONEY if name.endswith("_micros") else LARGEST_COUNT)
    rows = summed[is_more.to_numpy(dtype=bool)]
    return _leave_out(
        channel,
        account,
        rows.assign(external_id=[f"all rows of {codes.get(segment, segment)}" for segment in rows["segment_id"]]),
        codes,
        findings,
        name="impossible_metric",
        what=lambda row: ", ".join(f"{name}={row[name]}" for name in metrics) + " in all",
        remediation=f"Check the report at the source; clear pull_{channel.name} once it is right.",
    )


def _of_other_days(
    channel: Channel,
    account: str,
    rows: pd.DataFrame,
    others: pd.DataFrame,
    sources: pd.DataFrame,
    days: list[str],
    codes: dict[str, str],
    findings: list[Finding],
) -> set[tuple[str, str]]:
    """Rows of a day that was not asked for, or that is none. Which of the days they are of is not known, so the days of
    which their campaign, page or host has no other row are unknown.
    """
    if rows.empty:
        return set()
    left_out: set[tuple[str, str]] = set()
    matched = _match_by_day(channel, rows.assign(date=days[-1]).reset_index(drop=True), sources, days[-1:])
    matched["said"] = [plain(day, 60) for day in rows["date"]]
    for external_id, group in matched.groupby("external_id"):
        segment_id = next((found for found in group["segment_id"] if isinstance(found, str)), None)
        without = sorted(set(days) - set(others.loc[others["external_id"] == external_id, "date"]))
        if segment_id:
            left_out |= {(segment_id, day) for day in without}
        findings.append(
            Finding(
                "impossible_metric",
                "stop" if channel.empty_day == "stop" and segment_id else "warn",
                f"{channel.name} {account}, {external_id} ({codes.get(segment_id or '', 'no segment')}): "
                f"a row of the day '{group['said'].iat[0]}', which was not asked for. It was left out, with "
                f"the {len(without)} days of which there is no other row; their earlier values, if any, stay.",
                f"Check the report at the source; clear pull_{channel.name} once it is right.",
                segment_id=segment_id,
                channel=channel.name,
                subject=f"{account}/{external_id}",
                evidence_date=days[-1],
            )
        )
    return left_out


def _repeated(
    channel: Channel, account: str, raw: pd.DataFrame, codes: dict[str, str], findings: list[Finding]
) -> set[tuple[str, str]]:
    return _leave_out(
        channel,
        account,
        raw[raw.duplicated(["external_id", "date"])],
        codes,
        findings,
        name="duplicate_row",
        what=lambda row: "the source gave this row more than once",
        remediation="Nothing was summed twice; clear the pull once the source gives each row once.",
    )


def _ambiguous(channel: Channel, account: str, raw: pd.DataFrame, findings: list[Finding]) -> set[tuple[str, str]]:
    """Rows that `channel_sources` does not tell from another site's: their segments' days are unknown."""
    if "is_ambiguous" not in raw or not raw["is_ambiguous"].any():
        return set()
    rows = raw[raw["is_ambiguous"].astype(bool) & raw["segment_id"].notna()]
    hosts = ", ".join(sorted({key.partition("|")[0] for key in rows["external_id"]})[:5])
    findings.append(
        Finding(
            "host_not_stated",
            "warn",
            f"{channel.name} {account} has pages of the same prefixes on several hosts ({hosts}), and nothing in "
            "channel_sources says which of them is the site. Their segments' days were left out; earlier values stay.",
            f"Name the host in the rows of {account}: path://www.site.nl/prefix in place of path:/prefix. "
            f"Then clear pull_{channel.name} and what comes after it.",
            channel=channel.name,
            subject=account,
            evidence_date=rows["date"].max(),
        )
    )
    return set(zip(rows["segment_id"], rows["date"], strict=True))


def _partial(channel: Channel, account: str, doubts: Sequence[Doubt], days: list[str], findings: list[Finding]) -> None:
    """One finding per account and kind: what the answers say of themselves, and of which days."""
    for name in sorted({doubt.name for doubt in doubts if doubt.todo}):
        told: dict[str, set[str]] = {}
        todo: dict[str, None] = {}
        for doubt in doubts:
            if doubt.name == name and doubt.todo and doubt.days:
                told.setdefault(doubt.says, set()).update(doubt.days)
                todo[doubt.todo] = None
        if not told:
            continue
        left = (
            "Nothing of these days is final, and what they do not name is unknown, not 0."
            if all(doubt.is_usable for doubt in doubts if doubt.name == name)
            else "Nothing was written for these days; earlier values stay."
        )
        what = " ".join(
            f"{channel.name} {account} {says} ({len(of)} of {len(days)} days, the last {max(of)})."
            for says, of in told.items()
        )
        findings.append(
            Finding(
                name,
                "warn",
                f"{what} {left}",
                f"{' '.join(todo)} Then start lead_stats for these days (from and to). If it is to stay as it is, set "
                "the level of this row of pipeline_findings to info.",
                channel=channel.name,
                subject=account,
                evidence_date=max(day for of in told.values() for day in of),
            )
        )


def _leave_out(
    channel: Channel,
    account: str,
    rows: pd.DataFrame,
    codes: dict[str, str],
    findings: list[Finding],
    *,
    name: str,
    what: object,
    remediation: str,
) -> set[tuple[str, str]]:
    left_out = set()
    for row in rows.drop_duplicates(["external_id", "date"]).to_dict("records"):
        segment_id = row["segment_id"] if isinstance(row["segment_id"], str) else None
        if segment_id:
            left_out.add((segment_id, row["date"]))
        findings.append(
            Finding(
                name,
                "stop" if channel.empty_day == "stop" and segment_id else "warn",
                f"{channel.name} {account}, {row['external_id']} on {row['date']}"
                f" ({codes.get(segment_id or '', 'no segment')}): {what(row)}. "  # type: ignore[operator]
                "The day was left out for this segment; its earlier value, if any, stays.",
                remediation,
                segment_id=segment_id,
                channel=channel.name,
                date=row["date"],
                subject=f"{account}/{row['external_id']}",
            )
        )
    return left_out


def _without_segment(
    channel: Channel, account: str, raw: pd.DataFrame, metrics: list[str], findings: list[Finding]
) -> None:
    orphans = raw[raw["segment_id"].isna() & ~raw["is_outside"]]
    named = orphans["external_id"]
    if channel.unmatched:
        named = pd.Series(channel.unmatched, orphans.index, dtype=object)
    if "outside" in orphans:
        named = orphans["outside"].where(orphans["outside"].notna(), named)
    for name, rows in orphans.groupby(named):
        totals = rows[metrics].sum()
        if not (totals != 0).any():
            continue
        figures = ", ".join(
            f"{metric.removesuffix('_micros')} {total / 1e6:.2f}" if metric.endswith("_micros") else f"{metric} {total}"
            for metric, total in zip(metrics, totals, strict=True)
            if total
        )
        is_foreign = name == FOREIGN_HOSTS
        largest = rows.groupby("external_id")[metrics[0]].sum().sort_values(ascending=False, kind="stable").index[:3]
        examples = f"; the largest: {', '.join(largest)}" if channel.unmatched else ""
        findings.append(
            Finding(
                "source_without_segment",
                # Every site has copies and test servers: worth knowing, and nothing to do about.
                "info" if is_foreign else "warn",
                f"{channel.name} {account}, {name} belongs to no segment: {figures} in this window are counted nowhere"
                f"{examples}.",
                "Add a row to channel_sources, with is_active = false if it is meant to stay outside; with valid_from "
                "or valid_to if it belongs to the segment on some of the days.",
                channel=channel.name,
                subject=f"{account}/{name}",
                evidence_date=rows["date"].max(),
            )
        )


def _unmatched_spend(channel: Channel, account: str, raw: pd.DataFrame, findings: list[Finding]) -> None:
    """What belongs to no segment costs more and more: the newest days against those before, per day."""
    if "spend_micros" not in raw or raw["date"].nunique() < 2 * NEWEST_DAYS:
        return
    spend = raw["spend_micros"].astype("Float64").fillna(0)
    is_orphan = raw["segment_id"].isna() & ~raw["is_outside"]
    amounts = pd.DataFrame({"orphan": spend.where(is_orphan, 0), "all": spend, "date": raw["date"]})
    daily = amounts.groupby("date").sum().sort_index()
    newest, before = daily.iloc[-NEWEST_DAYS:], daily.iloc[:-NEWEST_DAYS]
    now, then, everything = newest["orphan"].mean(), before["orphan"].mean(), newest["all"].mean()
    if now > GROWTH * then and now > WORTH_NAMING * everything:
        findings.append(
            Finding(
                "unmatched_spend_growing",
                "warn",
                f"{channel.name} {account} spent €{now / 1e6:.2f} a day on campaigns of no segment in the last "
                f"{NEWEST_DAYS} days, €{then / 1e6:.2f} before; that is {now / everything:.0%} of the account.",
                "Add the campaigns that source_without_segment names to channel_sources, or set them inactive there.",
                channel=channel.name,
                subject=account,
                evidence_date=daily.index[-1],
            )
        )


def _of_inactive_segments(
    channel: Channel,
    account: str,
    raw: pd.DataFrame,
    metrics: list[str],
    sources: pd.DataFrame,
    findings: list[Finding],
) -> None:
    """Money that still goes to a segment that nobody steers any more."""
    if "spend_micros" not in metrics:
        return
    inactive = sources[~sources["is_segment_active"]].drop_duplicates("segment_id")
    newest = raw[raw["segment_id"].isin(inactive["segment_id"]) & (raw["date"] == raw["date"].max())]
    spent = newest.groupby("segment_id")["spend_micros"].sum()
    findings.extend(
        Finding(
            "inactive_segment_spends",
            "warn",
            f"{channel.name} {account} spent €{spent[row['segment_id']] / 1e6:.2f} on {raw['date'].max()} on "
            f"{row['segment']}, which is not active: it is counted there, and no budget of it is steered.",
            "Pause the campaigns in the account, or give them to an active segment: set valid_to of their rows in "
            "channel_sources and add rows with valid_from.",
            segment_id=row["segment_id"],
            channel=channel.name,
            subject=account,
            evidence_date=raw["date"].max(),
        )
        for row in inactive.to_dict("records")
        if spent.get(row["segment_id"], 0) > 0
    )


def _silent_days(
    channel: Channel,
    account: str,
    raw: pd.DataFrame,
    sources: pd.DataFrame,
    days: list[str],
    known: Known,
    partial_days: set[str],
    findings: list[Finding],
) -> dict[str, bool]:
    """The days without any row -> whether that silence is a zero.

    It is where a person stated it, or where the account was in use around that day and its rows are not late any more.
    What was read before does not vanish, and a campaign that may spend is not silent for a month: those are not
    believed. Whether leads contradict a zero is asked later, when they were counted: `select_doubtful_days.sql`.
    """
    missing = sorted(set(days) - set(raw["date"]))
    needed = [day for day in missing if len(valid_on(sources, day))]
    settled = (known.latest - timedelta(days=channel.late_days)).isoformat()
    alive = sorted(known.alive | set(raw["date"]))
    silent = {
        day: day in known.stated
        or (
            day <= settled
            and day not in known.alive
            and day not in partial_days
            and (known.is_serving is False or any(_days_between(day, other) <= ALIVE_DAYS for other in alive))
        )
        for day in missing
    }
    late = [day for day in needed if not silent[day] and day > settled]
    doubtful = [day for day in needed if not silent[day] and day <= settled]
    findings.extend(
        Finding(
            "day_without_rows",
            "warn" if channel.empty_day == "stop" else channel.empty_day,
            f"{channel.name} {account} gave no row at all for {day}; nothing was written for it, and what needs it "
            "holds today.",
            f"Nothing: if the next days' answers are the same, it is 0. If it must be 0 today, "
            f"{_state_zero(channel, account, day, day)}; then clear pull_{channel.name} and what comes after it.",
            channel=channel.name,
            date=day,
            subject=account,
        )
        for day in late
    )
    if doubtful:
        first, last = doubtful[0], doubtful[-1]
        why = (
            "although figures of these days were read before"
            if known.alive & set(doubtful)
            else f"and none within {ALIVE_DAYS} days of it"
        )
        findings.append(
            Finding(
                "empty_report",
                channel.empty_day,
                f"{channel.name} {account} gave no row at all for {first if first == last else f'{first} to {last}'} "
                f"({len(doubtful)} days), {why}; nothing was written for it, and earlier values stay.",
                f"Open the account and compare. If it truly had nothing, {_state_zero(channel, account, first, last)}; "
                f"then start lead_stats with from = {first} and to = {last}. If the account is newer than that, set "
                f"valid_from of its rows in channel_sources. Else clear pull_{channel.name} when it reports again.",
                channel=channel.name,
                subject=account,
                evidence_date=last,
            )
        )
    return silent


def _days_between(one: str, other: str) -> int:
    return abs((date.fromisoformat(one) - date.fromisoformat(other)).days)


def _state_zero(channel: Channel, account: str, first: str, last: str) -> str:
    """The statement by which a person says so."""
    return (
        "run: insert into channel_zero_days (channel, account, date) "
        f"select '{channel.name}', '{account}', day from generate_series(date '{first}', date '{last}', "
        "interval '1 day') as day on conflict (channel, account, date) do update set is_zero = true"
    )
