"""What every channel delivers, and the pure step from a source's own rows to that form.

A channel reads raw rows, one a (external id, day). `to_metrics` maps them to segments, refuses what cannot be true,
and fills the days on which a source had nothing to say: asked and got none is 0, not asked or not believed is absent.
"""

from __future__ import annotations

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
)
# So many clicks of a day may belong to impressions just before midnight.
FEW_CLICKS = 10
# Spend of no segment is worth a finding of its own where it grew by half, and is more than a twentieth of the account.
NEWEST_DAYS, GROWTH, WORTH_NAMING = 3, 1.5, 0.05
# No segment of this company comes near these in a day: beyond them a row is a mistake of a source, not a good day.
LARGEST = {"spend_micros": 50_000 * 1_000_000, "clicks": 1_000_000, "impressions": 100_000_000}


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

    def fetch(self, account: str, window: Window) -> pd.DataFrame:
        """Raw rows of one account: `external_id` (str), `date` (str, ISO), the metrics (int64), `is_final` (bool)."""
        ...

    def match(self, raw: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
        """The same rows with `segment_id` (str, or None where a row belongs to no segment)."""
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
    """Segments by the longest external id that a key starts with, ending at a path boundary."""
    prefixes = dict(zip(sources["external_id"].str.rstrip("/"), sources["segment_id"], strict=True))

    def segment(key: str) -> str | None:
        # The candidates are the key's own ancestors, so the cost does not grow with the number of segments.
        while key and key not in prefixes:
            key = key.rpartition("/")[0]
        return prefixes.get(key)

    return keys.map({key: segment(key.rstrip("/")) for key in keys.unique()})


def to_metrics(channel: Channel, account: str, raw: pd.DataFrame, sources: pd.DataFrame, window: Window) -> Pulled:
    """Raw rows of one account as contract rows, with everything doubtful left out and named.

    :param raw: see `Channel.fetch`.
    :param sources: this account's rows of `channel_sources`: external_id, segment_id (str), segment (its code).
    :returns: rows for every mapped segment and day of the window that could be believed.
    """
    metrics = list(channel.metrics)
    days = [day.date().isoformat() for day in pd.date_range(window.first, window.last)]
    codes = dict(zip(sources["segment_id"], sources["segment"], strict=True))
    findings: list[Finding] = []

    raw = channel.match(raw.reset_index(drop=True), sources)
    doubtful = _impossible(channel, account, raw, metrics, codes, findings)
    doubtful |= _repeated(channel, account, raw, codes, findings)
    _without_segment(channel, account, raw, metrics, findings)
    _unmatched_spend(channel, account, raw, findings)
    empty_days = _empty_days(channel, account, raw, days, findings)

    mapped = raw[raw["segment_id"].notna()]
    summed = mapped.groupby(KEY, as_index=False, sort=False).agg({**dict.fromkeys(metrics, "sum"), "is_final": "all"})
    finality = raw.groupby("date")["is_final"].all()
    grid = pd.MultiIndex.from_product([sorted(codes), [d for d in days if d not in empty_days]], names=KEY)
    frame = grid.to_frame(index=False).merge(summed, on=KEY, how="left")
    frame[metrics] = frame[metrics].astype("Float64").fillna(0).astype("Int64")
    frame["is_final"] = (
        frame["is_final"].astype("boolean").fillna(frame["date"].map(finality).astype("boolean")).fillna(True)
    )
    frame["is_final"] = frame["is_final"].astype(bool)
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
    if channel.unmatched:
        orphans = orphans.assign(external_id=channel.unmatched)
    for external_id, rows in orphans.groupby("external_id"):
        totals = rows[metrics].sum()
        if not (totals != 0).any():
            continue
        figures = ", ".join(
            f"{name.removesuffix('_micros')} {total / 1e6:.2f}" if name.endswith("_micros") else f"{name} {total}"
            for name, total in zip(metrics, totals, strict=True)
            if total
        )
        findings.append(
            Finding(
                "source_without_segment",
                "warn",
                f"{channel.name} {account}, {external_id} belongs to no segment: "
                f"{figures} in this window are counted nowhere.",
                "Add a row to channel_sources, or set it inactive there if it is meant to stay outside.",
                channel=channel.name,
                subject=f"{account}/{external_id}",
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
