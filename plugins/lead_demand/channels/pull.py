"""One pull: a channel's account over a window of days, from the API into `channel_metrics`."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from lead_demand import channels, findings, sql
from lead_demand.channels.contract import FINDINGS, Channel, Pulled, to_metrics
from lead_demand.channels.paid import PaidChannel
from lead_demand.day import DAYS_AT_ONCE, Window, latest_whole_day
from lead_demand.switches import read_switches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import psycopg

log = logging.getLogger(__name__)

# A month of 10,000 campaigns.
ROWS_AT_ONCE = 310_000
NOT_FOUND = "campaign_not_found"
NOT_COMPARABLE = "account_not_comparable"


@dataclass(frozen=True)
class PullReport:
    rows: int
    changed: int
    findings: list[findings.Finding]


def chunks(name: str, account: str, window: Window) -> list[Window]:
    """The window in parts that fit in memory: the more campaigns, pages or hosts an account has, the fewer days."""
    with sql.connect() as connection:
        key = {"channel": name, "account": account}
        sources = connection.execute(sql.render("lead_stats/select_channel_sources.sql"), key).rowcount
    return window.chunks(min(DAYS_AT_ONCE, max(1, ROWS_AT_ONCE // max(1, sources))))


def pull(name: str, account: str, window: Window, dag_run_id: str) -> PullReport:
    """Read one account and write its window: COPY into a temporary table, one ordered upsert, one row in
    `channel_fetches`.

    All in one transaction, so a failed pull leaves the earlier rows as they were. Raises SourceUnavailable,
    SourceRefused.
    """
    channel = channels.get(name)
    with sql.connect() as connection:
        sources = sql.read_frame(
            connection,
            sql.render("lead_stats/select_channel_sources.sql"),
            {"channel": name, "account": account},
        )
        switches = read_switches(connection)
        # The API is asked outside of any transaction: a slow answer must not hold a snapshot of the database open.
        connection.commit()
        pulled = read(channel, account, sources, window, switches.currency, switches.time_zone)
        # Closed only where it was looked for: settings that cannot be read compare with nothing.
        compared = name in channels.PAID and switches.currency is not None and switches.time_zone is not None
        looked_for = [findings.Checked(NOT_COMPARABLE, name, account)] if compared else []
        changed = write(connection, channel, account, pulled, window, dag_run_id, looked_for)
    return PullReport(len(pulled.frame), changed, pulled.findings)


def read(
    channel: Channel,
    account: str,
    sources: pd.DataFrame,
    window: Window,
    currency: str | None = None,
    time_zone: str | None = None,
) -> Pulled:
    """The account's rows in contract form, with the budget in force where the window reaches the latest whole day.

    :param currency, time_zone: what all accounts are added up in; None: not known, so nothing is compared.
    """
    pulled = to_metrics(channel, account, channel.fetch(account, window), sources, window)
    if channel.name not in channels.PAID:
        return pulled
    paid: PaidChannel = channel  # type: ignore[assignment]
    campaigns = paid.read_budgets(account)
    pulled = _with_daily_budget(pulled, campaigns, sources, account, channel.name, window)
    return _comparable(pulled, campaigns, account, channel, {"currency": currency, "time_zone": time_zone})


def _comparable(
    pulled: Pulled, campaigns: pd.DataFrame, account: str, channel: Channel, configured: dict[str, str | None]
) -> Pulled:
    """Rows of an account in another currency or time zone than configured say nothing: neither its amounts add up with
    those of others nor its days with the leads. They are written without numbers, over what was stored before.
    """
    other = [
        f"the {name.replace('_', ' ')} {', '.join(sorted(found))} (configured: {wanted})"
        for name, wanted in configured.items()
        if wanted is not None and (found := set(campaigns[name]) - {wanted})
    ]
    if not other:
        return pulled
    numbers = [*channel.metrics, "daily_budget_micros"]
    frame = pulled.frame.assign(**dict.fromkeys(numbers, pd.array([pd.NA] * len(pulled.frame), dtype="Int64")))
    note = findings.Finding(
        NOT_COMPARABLE,
        "stop",
        f"{channel.name} account {account} has {' and '.join(other)}. "
        "Its budgets are held, and what it spends is not counted.",
        "Move the campaigns to an account that matches, or correct currency and time_zone in orchestration_settings; "
        "then run lead_stats for yesterday and lead_budgets again.",
        channel=channel.name,
        subject=account,
    )
    return Pulled(frame.assign(is_final=False), [*pulled.findings, note])


def _with_daily_budget(
    pulled: Pulled,
    campaigns: pd.DataFrame,
    sources: pd.DataFrame,
    account: str,
    channel: str,
    window: Window,
) -> Pulled:
    """Yesterday's budget in force, read before today's decision; a mapped campaign that is gone makes its segment
    unknown.
    """
    gone = sources[~sources["external_id"].isin(campaigns["campaign_id"])]
    notes = [
        findings.Finding(
            NOT_FOUND,
            "stop",
            f"{channel} {account} has no campaign {row['external_id']}, "
            f"which channel_sources gives to {row['segment']}. "
            f"The segment's {window} was not written and its budget is held.",
            f"Correct channel_sources: the campaign was removed or moved to another account. Then clear pull_{channel} "
            "and what comes after it.",
            segment_id=row["segment_id"],
            channel=channel,
            subject=f"{account}/{row['external_id']}",
        )
        for row in gone.to_dict("records")
    ]
    budgets = campaigns[campaigns["is_serving"].astype(bool)].merge(
        sources, left_on="campaign_id", right_on="external_id"
    )
    amounts = budgets.drop_duplicates(["segment_id", "budget_id"]).groupby("segment_id")["amount_micros"].sum()
    frame = pulled.frame[~pulled.frame["segment_id"].isin(gone["segment_id"])]
    amount = frame["segment_id"].map(amounts).astype("Int64")
    # Every mapped campaign was read: where none serves, nothing is in force.
    amount = amount.fillna(0)
    frame = frame.assign(daily_budget_micros=amount.where(frame["date"] == latest_whole_day().isoformat()))
    return Pulled(frame, [*pulled.findings, *notes])


def write(
    connection: psycopg.Connection[Any],
    channel: Channel,
    account: str,
    pulled: Pulled,
    window: Window,
    dag_run_id: str,
    also_looked_for: Sequence[findings.Checked] = (),
) -> int:
    """Write contract rows, the findings and the fetch. Returns how many rows of `channel_metrics` were new or
    changed.
    """
    connection.execute(sql.render("lead_stats/create_pulled_metrics.sql"))
    sql.copy_frame(connection, "pulled_metrics", pulled.frame)
    key = {"channel": channel.name, "account": account, "first": window.first, "last": window.last}
    changed = connection.execute(sql.render("lead_stats/upsert_channel_metrics.sql"), key).rowcount
    looked_for = [
        findings.Checked(kind, channel.name, account, window.first, window.last) for kind in (*FINDINGS, NOT_FOUND)
    ]
    findings.record(connection, pulled.findings, [*looked_for, *also_looked_for])
    connection.execute(
        sql.render("lead_stats/insert_channel_fetches.sql"),
        key | {"rows": len(pulled.frame), "dag_run_id": dag_run_id},
    )
    return changed
