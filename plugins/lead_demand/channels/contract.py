"""What every channel delivers, and the pure step from a source's own rows to that form.

A channel reads raw rows, one per (external id, day). `to_metrics` maps them to the segments of that day, refuses what
cannot be true, and fills the days on which a source had nothing to say: asked and got none is 0, not asked or not
believed is absent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Protocol

import pandas as pd

from lead_demand.day import latest_whole_day
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
    "inactive_segment_spends",
)
# So many clicks of a day may belong to impressions just before midnight.
FEW_CLICKS = 10
# Spend of no segment is worth a finding of its own where it grew by half, and is more than a twentieth of the account.
NEWEST_DAYS, GROWTH, WORTH_NAMING = 3, 1.5, 0.05
# An account that had figures so many days before or after a silent day was in use on it.
ALIVE_DAYS = 31
# No segment of this company comes near these in a day: beyond them a row is a mistake of a source, not a good day.
LARGEST = {"spend_micros": 50_000 * 1_000_000, "clicks": 1_000_000, "impressions": 100_000_000}


class Channel(Protocol):
    """A source of metrics.

    `metrics`: the columns of `channel_metrics` it fills (money as `<name>_micros`, int64).
    `empty_day`: how bad it is when a whole account says nothing about a day, and that cannot be believed.
    `late_days`: for how many days after a day its rows may still be on their way. A silence that lasts longer is a 0.
    `unmatched`: one name for everything that belongs to no segment, None where each is worth a finding of its own.
    """

    name: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    empty_day: ClassVar[Level]
    late_days: ClassVar[int]
    unmatched: ClassVar[str | None]

    def fetch(self, account: str, window: Window) -> pd.DataFrame:
        """Raw rows of one account: `external_id` (str), `date` (str, ISO), the metrics (int64), `is_final` (bool)."""
        ...

    def match(self, raw: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
        """The same rows with `segment_id` (str, or None where a row belongs to no segment)."""
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
    account said nothing that day); one row per (segment, day).
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


def to_metrics(
    channel: Channel,
    account: str,
    raw: pd.DataFrame,
    sources: pd.DataFrame,
    window: Window,
    known: Known | None = None,
) -> Pulled:
    """Raw rows of one account as contract rows, with everything doubtful left out and named.

    :param raw: see `Channel.fetch`.
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

    raw = _match_by_day(channel, raw.reset_index(drop=True), sources, days)
    doubtful = _impossible(channel, account, raw, metrics, codes, findings)
    doubtful |= _repeated(channel, account, raw, codes, findings)
    _without_segment(channel, account, raw, metrics, findings)
    _unmatched_spend(channel, account, raw, findings)
    silent = _silent_days(channel, account, raw, sources, days, known or Known(), findings)
    _of_inactive_segments(channel, account, raw, metrics, sources, findings)

    mapped = raw[raw["segment_id"].notna()]
    summed = mapped.groupby(KEY, as_index=False, sort=False).agg({**dict.fromkeys(metrics, "sum"), "is_final": "all"})
    finality = raw.groupby("date")["is_final"].all()
    frame = _segment_days(sources, [day for day in days if silent.get(day, True)])
    frame = frame.merge(summed.astype(dict.fromkeys(KEY, object)), on=KEY, how="left")
    frame[metrics] = frame[metrics].astype("Float64").fillna(0).astype("Int64")
    frame["is_final"] = (
        frame["is_final"].astype("boolean").fillna(frame["date"].map(finality).astype("boolean")).fillna(True)
    )
    frame["is_final"] = frame["is_final"].astype(bool)
    frame["is_empty"] = frame["date"].isin(silent)
    if doubtful:
        rows = pd.MultiIndex.from_frame(frame[KEY])
        frame = frame[~rows.isin(sorted(doubtful))]
    return Pulled(frame[[*KEY, *metrics, "is_final", "is_empty"]].reset_index(drop=True), findings)


def _with_spans(sources: pd.DataFrame) -> pd.DataFrame:
    sources = sources.copy()
    every_day = {"valid_from": "0001-01-01", "valid_to": "9999-12-31", "is_active": True, "is_segment_active": True}
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
        outside = sources[(sources["valid_from"] <= span[0]) & (sources["valid_to"] >= span[0]) & ~sources["is_active"]]
        rows = channel.match(rows, valid_on(sources, span[0])).astype({"segment_id": object})
        matched.append(rows.assign(is_outside=rows["external_id"].isin(outside["external_id"])))
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
    orphans = raw[raw["segment_id"].isna() & ~raw["is_outside"]]
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
                "Add a row to channel_sources, with is_active = false if it is meant to stay outside; with valid_from "
                "or valid_to if it belongs to the segment on some of the days.",
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
