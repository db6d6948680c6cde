"""What belongs to no segment, or to one that is not active any more: counted nowhere or steered by nobody, so named.

Of the channels with an API. What of leads and of capacity fits no segment is found by statements
(`include/sql/lead_stats/insert_pipeline_findings_leads.sql`, `…_partners.sql`); how much of everything is in no
segment is kept in `channel_totals.in_none`.
"""

from __future__ import annotations

from decimal import Decimal

import pandas as pd

from lead_demand.channels.contract import FOREIGN_HOSTS, Channel
from lead_demand.channels.paid import from_micros
from lead_demand.database.findings import Finding
from lead_demand.planner.finding_codes import FindingCode, what_to_do

# Spend of no segment is worth a finding of its own where it grew by half, and is more than a twentieth of the account.
NEWEST_DAYS, GROWTH, WORTH_NAMING = 3, 1.5, 0.05


def without_segment(
    channel: Channel, account: str, raw: pd.DataFrame, metrics: list[str], findings: list[Finding]
) -> None:
    """Figures that no segment gets: one finding per campaign, or per account where `unmatched` names them all."""
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
                FindingCode.SOURCE_WITHOUT_SEGMENT,
                # Every site has copies and test servers: worth knowing, and nothing to do about.
                "info" if is_foreign else "warn",
                f"{channel.channel} {account}, {name} belongs to no segment: {figures} in this window are counted "
                f"nowhere{examples}.",
                what_to_do(FindingCode.SOURCE_WITHOUT_SEGMENT),
                channel=channel.channel,
                subject=f"{account}/{name}",
                evidence_date=rows["date"].max(),
                amount=_amount(metrics[0], totals[metrics[0]]),
            )
        )


def unmatched_spend(channel: Channel, account: str, raw: pd.DataFrame, findings: list[Finding]) -> None:
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
                FindingCode.UNMATCHED_SPEND_GROWING,
                "warn",
                f"{channel.channel} {account} spent €{now / 1e6:.2f} per day on campaigns of no segment in the last "
                f"{NEWEST_DAYS} days, €{then / 1e6:.2f} before; that is {now / everything:.0%} of the account.",
                what_to_do(FindingCode.UNMATCHED_SPEND_GROWING),
                channel=channel.channel,
                subject=account,
                evidence_date=daily.index[-1],
                amount=from_micros(round(now)),
            )
        )


def of_inactive_segments(
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
            FindingCode.INACTIVE_SEGMENT_SPENDS,
            "warn",
            f"{channel.channel} {account} spent €{spent[row['segment_id']] / 1e6:.2f} on {raw['date'].max()} on "
            f"{row['segment']}, which is not active: it is counted there, and no budget of it is steered.",
            what_to_do(FindingCode.INACTIVE_SEGMENT_SPENDS),
            segment_id=row["segment_id"],
            channel=channel.channel,
            subject=account,
            evidence_date=raw["date"].max(),
            amount=from_micros(int(spent[row["segment_id"]])),
        )
        for row in inactive.to_dict("records")
        if spent.get(row["segment_id"], 0) > 0
    )


def _amount(metric: str, total: int) -> Decimal:
    """A sum of a metric as an amount: EUR of what is in micros."""
    return from_micros(int(total)) if metric.endswith("_micros") else Decimal(int(total))
