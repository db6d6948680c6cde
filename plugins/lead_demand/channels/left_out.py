"""Rows that are not believed: a finding names each, and the days of its segment are unknown.

What gives keys gives those days as (segment_id, ISO date).
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lead_demand.channels.contract import Channel, Doubt
from lead_demand.channels.matching import match_by_day
from lead_demand.channels.whole_numbers import LARGEST_COUNT, LARGEST_MONEY
from lead_demand.database.findings import Finding
from lead_demand.planner.finding_codes import FindingCode, what_to_do
from lead_demand.text import plain

# So many clicks of a day may belong to impressions just before midnight.
FEW_CLICKS = 10
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


def cannot_be(raw: pd.DataFrame, metrics: list[str]) -> pd.Series:
    """Which rows have a number that cannot be true."""
    numbers = raw[metrics].astype("Float64")
    bad = numbers.isna() | (numbers < 0)
    bad[metrics[0]] |= raw["unreadable"].notna()
    for name in set(metrics) & set(LARGEST):
        bad[name] |= numbers[name] > LARGEST[name]
    if {"clicks", "impressions"} <= set(metrics):
        bad["clicks"] |= (numbers["clicks"] > numbers["impressions"]) & (numbers["clicks"] > FEW_CLICKS)
    return bad.any(axis=1).astype(bool)


def impossible(
    channel: Channel,
    account: str,
    rows: pd.DataFrame,
    metrics: list[str],
    codes: dict[str, str],
    findings: list[Finding],
) -> set[tuple[str, str]]:
    """The rows of `cannot_be`, one finding each."""

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
        name=FindingCode.IMPOSSIBLE_METRIC,
        what=what,
    )


def too_large(
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
        name=FindingCode.IMPOSSIBLE_METRIC,
        what=lambda row: ", ".join(f"{name}={row[name]}" for name in metrics) + " in all",
    )


def of_other_days(
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
    matched = match_by_day(channel, rows.assign(date=days[-1]).reset_index(drop=True), sources, days[-1:])
    matched["said"] = [plain(day, 60) for day in rows["date"]]
    for external_id, group in matched.groupby("external_id"):
        segment_id = next((found for found in group["segment_id"] if isinstance(found, str)), None)
        without = sorted(set(days) - set(others.loc[others["external_id"] == external_id, "date"]))
        if segment_id:
            left_out |= {(segment_id, day) for day in without}
        findings.append(
            Finding(
                FindingCode.IMPOSSIBLE_METRIC,
                "stop" if channel.empty_day == "stop" and segment_id else "warn",
                f"{channel.channel} {account}, {external_id} ({codes.get(segment_id or '', 'no segment')}): "
                f"a row of the day '{group['said'].iat[0]}', which was not asked for. It was left out, with "
                f"the {len(without)} days of which there is no other row; their earlier values, if any, stay.",
                what_to_do(FindingCode.IMPOSSIBLE_METRIC, channel=channel.channel),
                segment_id=segment_id,
                channel=channel.channel,
                subject=f"{account}/{external_id}",
                evidence_date=days[-1],
            )
        )
    return left_out


def repeated(
    channel: Channel, account: str, raw: pd.DataFrame, codes: dict[str, str], findings: list[Finding]
) -> set[tuple[str, str]]:
    """Rows that the source gave more than once: which of them is right is not known."""
    return _leave_out(
        channel,
        account,
        raw[raw.duplicated(["external_id", "date"])],
        codes,
        findings,
        name=FindingCode.DUPLICATE_ROW,
        what=lambda row: "the source gave this row more than once",
    )


def ambiguous(channel: Channel, account: str, raw: pd.DataFrame, findings: list[Finding]) -> set[tuple[str, str]]:
    """Rows that `channel_sources` does not tell from another site's: their segments' days are unknown."""
    if "is_ambiguous" not in raw or not raw["is_ambiguous"].any():
        return set()
    rows = raw[raw["is_ambiguous"].astype(bool) & raw["segment_id"].notna()]
    hosts = ", ".join(sorted({key.partition("|")[0] for key in rows["external_id"]})[:5])
    findings.append(
        Finding(
            FindingCode.HOST_NOT_STATED,
            "warn",
            f"{channel.channel} {account} has pages of the same prefixes on several hosts ({hosts}), and nothing in "
            "channel_sources says which of them is the site. Their segments' days were left out; earlier values stay.",
            what_to_do(FindingCode.HOST_NOT_STATED, channel=channel.channel, account=account),
            channel=channel.channel,
            subject=account,
            evidence_date=rows["date"].max(),
        )
    )
    return set(zip(rows["segment_id"], rows["date"], strict=True))


def partial(channel: Channel, account: str, doubts: Sequence[Doubt], days: list[str], findings: list[Finding]) -> None:
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
            f"{channel.channel} {account} {says} ({len(of)} of {len(days)} days, the last {max(of)})."
            for says, of in told.items()
        )
        findings.append(
            Finding(
                name,
                "warn",
                f"{what} {left}",
                what_to_do(name, todo=" ".join(todo)),
                channel=channel.channel,
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
    name: FindingCode,
    what: object,
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
                f"{channel.channel} {account}, {row['external_id']} on {row['date']}"
                f" ({codes.get(segment_id or '', 'no segment')}): {what(row)}. "  # type: ignore[operator]
                "The day was left out for this segment; its earlier value, if any, stays.",
                what_to_do(name, channel=channel.channel),
                segment_id=segment_id,
                channel=channel.channel,
                date=row["date"],
                subject=f"{account}/{row['external_id']}",
            )
        )
    return left_out
