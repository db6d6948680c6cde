"""What every channel delivers, and the pure step from a source's own rows to that form.

A channel reads raw rows, one a (external id, day). `to_metrics` maps them to segments, refuses what cannot be true,
and fills the days on which a source had nothing to say: asked and got none is 0, not asked, not believed or not said in
full is absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

import pandas as pd

from lead_demand.findings import Finding, Level

if TYPE_CHECKING:
    from lead_demand.day import Window

KEY = ["segment_id", "date"]
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
)
# So many clicks of a day may belong to impressions just before midnight.
FEW_CLICKS = 10
# Spend of no segment is worth a finding of its own where it grew by half, and is more than a twentieth of the account.
NEWEST_DAYS, GROWTH, WORTH_NAMING = 3, 1.5, 0.05
# No segment of this company comes near these in a day: beyond them a row is a mistake of a source, not a good day.
LARGEST = {"spend_micros": 50_000 * 1_000_000, "clicks": 1_000_000, "impressions": 100_000_000}


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
    """`frame`: raw rows of one account: `external_id` (str), `date` (str, ISO), the metrics (int64), `is_final` (bool).
    A row that the source gave more than once comes again, with every metric 0.
    """

    frame: pd.DataFrame
    doubts: Sequence[Doubt] = ()


class Channel(Protocol):
    """A source of metrics.

    `metrics`: the columns of `channel_metrics` it fills (money as `<name>_micros`, int64).
    `empty_day`: how bad it is when a whole account says nothing about a day.
    `unmatched`: one name for everything that belongs to no segment, None where each is worth a finding of its own.
    """

    name: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    empty_day: ClassVar[Level]
    unmatched: ClassVar[str | None]

    def fetch(self, account: str, window: Window) -> Fetched:
        """What the source says of one account."""
        ...

    def match(self, raw: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
        """The same rows with `segment_id` (str, or None where a row belongs to no segment).

        May add `outside`: a name for what a row without a segment is, in place of `unmatched`; and `is_ambiguous`
        (bool): the row may be the segment's or not, and `channel_sources` does not tell.
        """
        ...


@dataclass(frozen=True)
class Pulled:
    """`frame`: segment_id (str), date (str, ISO), the channel's metrics (Int64), is_final (bool); one row a (segment,
    day).
    """

    frame: pd.DataFrame
    findings: list[Finding] = field(default_factory=list)


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
    doubts: Sequence[Doubt] = (),
) -> Pulled:
    """Raw rows of one account as contract rows, with everything doubtful left out and named.

    :param raw: see `Fetched.frame`.
    :param doubts: see `Fetched.doubts`.
    :param sources: this account's rows of `channel_sources`: external_id, segment_id (str), segment (its code).
    :returns: rows for every mapped segment and day of the window that could be believed.
    """
    metrics = list(channel.metrics)
    days = [day.date().isoformat() for day in pd.date_range(window.first, window.last)]
    codes = dict(zip(sources["segment_id"], sources["segment"], strict=True))
    findings: list[Finding] = []

    raw = channel.match(raw.reset_index(drop=True), sources)
    # A column without one text in it is of numbers to pandas, and would not join.
    raw = raw.astype({"external_id": object, "date": object, "segment_id": object})
    partial_days = {day for doubt in doubts for day in doubt.days}
    raw = raw.assign(is_final=raw["is_final"].astype(bool) & ~raw["date"].isin(partial_days))
    doubtful = _impossible(channel, account, raw, metrics, codes, findings)
    doubtful |= _repeated(channel, account, raw, codes, findings)
    doubtful |= _ambiguous(channel, account, raw, findings)
    _partial(channel, account, doubts, days, findings)
    _without_segment(channel, account, raw, metrics, findings)
    _unmatched_spend(channel, account, raw, findings)
    empty_days = _empty_days(channel, account, raw, days, findings)

    mapped = raw[raw["segment_id"].notna()]
    summed = mapped.groupby(KEY, as_index=False, sort=False).agg({**dict.fromkeys(metrics, "sum"), "is_final": "all"})
    finality = raw.groupby("date")["is_final"].all()
    unusable_days = {day for doubt in doubts if not doubt.is_usable for day in doubt.days}
    known_days = [day for day in days if day not in empty_days | unusable_days]
    grid = pd.MultiIndex.from_product([sorted(codes), known_days], names=KEY).to_frame(index=False)
    frame = grid.astype(object).merge(summed.astype(dict.fromkeys(KEY, object)), on=KEY, how="left")
    frame[metrics] = frame[metrics].astype("Float64").fillna(0).astype("Int64")
    # Where the answer is not the whole one, what it gives nothing for is unknown.
    frame = frame[(frame[metrics] != 0).any(axis=1).astype(bool) | ~frame["date"].isin(partial_days)]
    final = frame["is_final"].astype("boolean").fillna(frame["date"].map(finality).astype("boolean")).fillna(True)
    frame = frame.assign(is_final=final.astype(bool))
    if doubtful:
        rows = pd.MultiIndex.from_frame(frame[KEY])
        frame = frame[~rows.isin(sorted(doubtful))]
    return Pulled(frame[[*KEY, *metrics, "is_final"]].reset_index(drop=True), findings)


def _impossible(
    channel: Channel,
    account: str,
    raw: pd.DataFrame,
    metrics: list[str],
    codes: dict[str, str],
    findings: list[Finding],
) -> set[tuple[str, str]]:
    numbers = raw[metrics].astype("Float64")
    bad = numbers.isna() | (numbers < 0)
    for name in set(metrics) & set(LARGEST):
        bad[name] |= numbers[name] > LARGEST[name]
    if {"clicks", "impressions"} <= set(metrics):
        bad["clicks"] |= (numbers["clicks"] > numbers["impressions"]) & (numbers["clicks"] > FEW_CLICKS)
    return _leave_out(
        channel,
        account,
        raw[bad.any(axis=1).to_numpy(dtype=bool)],
        codes,
        findings,
        name="impossible_metric",
        what=lambda row: ", ".join(f"{name}={row[name]}" for name in metrics),
        remediation="Check the report at the source; clear the pull once it is right.",
    )


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
    orphans = raw[raw["segment_id"].isna()]
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
                "If one of them is a site of yours, name it in channel_sources; else there is nothing to do."
                if is_foreign
                else "Add a row to channel_sources, or set it inactive there if it is meant to stay outside.",
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
    amounts = pd.DataFrame({"orphan": spend.where(raw["segment_id"].isna(), 0), "all": spend, "date": raw["date"]})
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


def _empty_days(
    channel: Channel, account: str, raw: pd.DataFrame, days: list[str], findings: list[Finding]
) -> set[str]:
    missing = sorted(set(days) - set(raw["date"]))
    if not missing:
        return set()
    everything = len(missing) == len(days)
    findings.extend(
        Finding(
            "empty_report" if everything else "day_without_rows",
            channel.empty_day,
            f"{channel.name} {account} gave no row at all for "
            f"{f'{days[0]} to {days[-1]}' if everything else day}; nothing was written for it.",
            "Open the account and compare; clear the pull when it reports again.",
            channel=channel.name,
            date=None if everything else day,
            subject=account,
            evidence_date=days[-1] if everything else None,
        )
        for day in (missing[:1] if everything else missing)
    )
    return set(missing)
