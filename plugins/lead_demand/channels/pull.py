"""One pull: a channel's account over a window of days, from the API into `channel_metrics`."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from lead_demand import database
from lead_demand.channels import paid as paid_channels
from lead_demand.channels import registry, sums
from lead_demand.channels.contract import Channel, Known, Pulled
from lead_demand.channels.matching import valid_on
from lead_demand.channels.metrics import to_metrics
from lead_demand.channels.paid import PaidChannel
from lead_demand.channels.whole_numbers import LARGEST_MONEY, as_numbers
from lead_demand.database import findings, sql
from lead_demand.database.settings import read_switches
from lead_demand.errors import SourceUnavailable
from lead_demand.planner.finding_codes import FindingCode, what_to_do
from lead_demand.planner.reasons import Reason
from lead_demand.runs.day import DAYS_AT_ONCE, Window, latest_whole_day, today

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import psycopg

log = logging.getLogger(__name__)

# A month of 10,000 campaigns.
ROWS_AT_ONCE = 310_000
NOT_FOUND = FindingCode.CAMPAIGN_NOT_FOUND
# Reads of an account whose sources a person changes meanwhile.
TRIES = 3
# By the column of `read_budgets`, why an account's figures do not compare with those of others.
NOT_COMPARABLE = {"currency": Reason.CURRENCY_MISMATCH, "time_zone": Reason.TIME_ZONE_MISMATCH}
# Of a channel's findings those that `write` does not close: it does not always, or never, look for them.
LOOKED_FOR_ELSEWHERE = (*NOT_COMPARABLE.values(), paid_channels.IMPOSSIBLE_BUDGET)


@dataclass(frozen=True)
class PullReport:
    rows: int
    changed: int
    findings: list[findings.Finding]


def chunks(channel: str, account: str, window: Window) -> list[Window]:
    """The window in parts that fit in memory: the more campaigns, pages or hosts an account has, the fewer days."""
    with database.connect() as connection:
        sources = len(_sources(connection, channel, account, window))
    return window.chunks(min(DAYS_AT_ONCE, max(1, ROWS_AT_ONCE // max(1, sources))))


def pull(channel: str, account: str, window: Window, dag_run_id: str) -> PullReport:
    """Read one account and write its window: COPY into a temporary table, one ordered upsert, one row in
    `channel_fetches`.

    All in one transaction, so a failed pull leaves the earlier rows as they were. Raises SourceUnavailable,
    SourceRefused.
    """
    source = registry.get(channel)
    with database.connect() as connection:
        for _ in range(TRIES):
            sources = _sources(connection, channel, account, window)
            known = _known(connection, channel, account, window)
            switches = read_switches(connection)
            # The API is asked outside of any transaction: a slow answer must not hold a snapshot of the database open.
            connection.commit()
            pulled = read(source, account, sources, window, known, switches.currency, switches.time_zone)
            if _sources(connection, channel, account, window).equals(sources):
                # Closed only where it was looked for: settings that cannot be read compare with nothing.
                configured = {"currency": switches.currency, "time_zone": switches.time_zone}
                looked_for = [
                    findings.Checked(code, channel, account)
                    for column, code in NOT_COMPARABLE.items()
                    if registry.CHANNELS[channel].is_paid and configured[column] is not None
                ]
                changed = write(connection, source, account, pulled, window, dag_run_id, looked_for)
                return PullReport(len(pulled.frame), changed, pulled.findings)
            connection.commit()
    raise SourceUnavailable(
        f"The rows of channel_sources for {channel} {account} were changed each time while the account was read."
    )


def _sources(connection: psycopg.Connection[Any], channel: str, account: str, window: Window) -> pd.DataFrame:
    key = {"channel": channel, "account": account, "first": window.first, "last": window.last}
    return sql.read_frame(connection, sql.render("lead_stats/select_channel_sources.sql"), key)


def _known(connection: psycopg.Connection[Any], channel: str, account: str, window: Window) -> Known:
    key = {"channel": channel, "account": account, "first": window.first, "last": window.last}
    days = sql.read_rows(connection, sql.render("lead_stats/select_known_days.sql"), key)
    return Known(
        stated=frozenset(day["date"] for day in days if day["is_stated"]),
        alive=frozenset(day["date"] for day in days if day["is_alive"]),
    )


def read(
    channel: Channel,
    account: str,
    sources: pd.DataFrame,
    window: Window,
    known: Known | None = None,
    currency: str | None = None,
    time_zone: str | None = None,
) -> Pulled:
    """The account's rows in contract form, with the budget in force where the window reaches the latest whole day, and
    with what the source says of the whole account.

    :param currency, time_zone: what all accounts are added up in; None: not known, so nothing is compared.
    """
    configured = {"currency": currency, "time_zone": time_zone}
    pulled = _read(channel, account, sources, window, known or Known(), configured)
    if sums.should_be_asked_again(list(sums.addends(channel, pulled))):
        log.info("%s %s does not add up; it is asked again.", channel.channel, account)
        pulled = _read(channel, account, sources, window, known or Known(), configured)
    return pulled


def _read(
    channel: Channel,
    account: str,
    sources: pd.DataFrame,
    window: Window,
    known: Known,
    configured: dict[str, str | None],
) -> Pulled:
    fetched, reported = channel.fetch(account, window), channel.fetch_totals(account, window)
    if reported is not None:
        reported = as_numbers(reported, [each.column for each in channel.sums])
    unread = _unread_totals(channel, account, reported, window)
    raw, doubts = fetched.frame, fetched.doubts
    if not registry.CHANNELS[channel.channel].is_paid:
        pulled = to_metrics(channel, account, raw, sources, window, known, doubts)
        return replace(pulled, reported=reported, findings=[*pulled.findings, *unread])
    paid: PaidChannel = channel  # type: ignore[assignment]
    campaigns = paid.read_budgets(account)
    impossible = paid_channels.impossible_budgets(campaigns)
    serving = campaigns.loc[campaigns["is_serving"].astype(bool), "campaign_id"]
    known = replace(known, is_serving=bool(sources["external_id"].isin(serving).any()))
    pulled = replace(to_metrics(channel, account, raw, sources, window, known, doubts), reported=reported)
    pulled = replace(pulled, findings=[*pulled.findings, *unread])
    pulled = _with_daily_budget(pulled, campaigns, sources, impossible)
    gone = _gone(campaigns, sources)
    removed = paid.removed_campaigns(account, sorted(set(gone["external_id"]))) if len(gone) else set()
    pulled = _without_unknown_campaigns(pulled, raw, gone, removed, account, channel.channel, window)
    return _comparable(pulled, campaigns, account, channel, configured)


def _comparable(
    pulled: Pulled, campaigns: pd.DataFrame, account: str, channel: Channel, configured: dict[str, str | None]
) -> Pulled:
    """Rows of an account in another currency or time zone than configured say nothing: neither its amounts add up with
    those of others nor its days with the leads. They are written without numbers, over what was stored before.
    """
    notes = [
        findings.Finding(
            NOT_COMPARABLE[column],
            "stop",
            f"{channel.channel} account {account} has the {column.replace('_', ' ')} {', '.join(sorted(found))} "
            f"(configured: {wanted}). Its budgets are held, and what it spends is not counted.",
            what_to_do(NOT_COMPARABLE[column]),
            channel=channel.channel,
            subject=account,
        )
        for column, wanted in configured.items()
        if wanted is not None and (found := set(campaigns[column]) - {wanted})
    ]
    if not notes:
        return pulled
    numbers = [*channel.metrics, "daily_budget_micros"]
    frame = pulled.frame.assign(**dict.fromkeys(numbers, pd.array([pd.NA] * len(pulled.frame), dtype="Int64")))
    return replace(pulled, frame=frame.assign(is_final=False), findings=[*pulled.findings, *notes])


def _unread_totals(
    channel: Channel, account: str, reported: pd.DataFrame | None, window: Window
) -> list[findings.Finding]:
    """One finding where the account's own total of a day is no number: that day is compared with nothing."""
    if reported is None or not reported["unreadable"].notna().any():
        return []
    rows = reported[reported["unreadable"].notna()]
    row = rows.iloc[-1]
    return [
        findings.Finding(
            FindingCode.IMPOSSIBLE_METRIC,
            "warn",
            f"{channel.channel} {account}: its total of {row['date']} cannot be ({row['unreadable']}; {len(rows)} "
            "days). What its segments were given was written, and compared with nothing.",
            what_to_do(FindingCode.IMPOSSIBLE_METRIC, channel=channel.channel),
            channel=channel.channel,
            subject=account,
            evidence_date=window.last,
        )
    ]


def _with_daily_budget(
    pulled: Pulled, campaigns: pd.DataFrame, sources: pd.DataFrame, impossible: Mapping[str, str]
) -> Pulled:
    """Yesterday's budget in force, read before today's decision; unknown where one of the segment's cannot be."""
    latest = latest_whole_day().isoformat()
    of_segments = campaigns.merge(valid_on(sources, latest), left_on="campaign_id", right_on="external_id")
    is_impossible = of_segments["campaign_id"].isin(list(impossible))
    unknown = set(of_segments.loc[is_impossible, "segment_id"])
    budgets = of_segments[~is_impossible & of_segments["is_serving"].astype(bool)]
    amounts = budgets.drop_duplicates(["segment_id", "budget_id"]).groupby("segment_id")["amount_micros"].sum()
    # Every mapped campaign was read: where none serves, nothing is in force.
    amount = pulled.frame["segment_id"].map(amounts).astype("Int64").fillna(0)
    amount = amount.mask((amount > LARGEST_MONEY) | pulled.frame["segment_id"].isin(unknown))
    frame = pulled.frame.assign(daily_budget_micros=amount.where(pulled.frame["date"] == latest))
    return replace(pulled, frame=frame)


def _gone(campaigns: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
    """The sources of active segments whose campaign the account does not have, or not any more."""
    is_steered = sources["is_active"].astype(bool) & sources["is_segment_active"].astype(bool)
    return sources[is_steered & ~sources["external_id"].isin(campaigns["campaign_id"])]


def _without_unknown_campaigns(
    pulled: Pulled,
    raw: pd.DataFrame,
    gone: pd.DataFrame,
    removed: set[str],
    account: str,
    channel: str,
    window: Window,
) -> Pulled:
    """A removed campaign keeps its past, and a person says what took its place. One that was never in the account makes
    its segment unknown on the days of its row.
    """
    notes, frame = [], pulled.frame
    for row in gone.to_dict("records"):
        if row["external_id"] not in removed:
            of_row = (frame["segment_id"] == row["segment_id"]) & frame["date"].between(
                row["valid_from"], row["valid_to"]
            )
            frame = frame[~of_row]
            notes.append(_never_there(row, account, channel, window))
        elif row["valid_to"] >= today().isoformat():
            days = raw.loc[raw["external_id"] == row["external_id"], "date"]
            notes.append(_was_removed(row, account, channel, days.max() if len(days) else None))
    return replace(pulled, frame=frame, findings=[*pulled.findings, *notes])


def _never_there(row: Mapping[Any, Any], account: str, channel: str, window: Window) -> findings.Finding:
    return findings.Finding(
        NOT_FOUND,
        "stop",
        f"{channel} {account} has no campaign {row['external_id']} and never had, which channel_sources gives to "
        f"{row['segment']}. The segment's {window} was not written, and while the row is valid its budget is held.",
        _correction(row, account, channel, latest_whole_day()),
        segment_id=row["segment_id"],
        channel=channel,
        subject=f"{account}/{row['external_id']}",
        evidence_date=min(row["valid_to"], window.last.isoformat()),
    )


def _was_removed(row: Mapping[Any, Any], account: str, channel: str, last_day: str | None) -> findings.Finding:
    """:param last_day: the last day of the window on which it had a row."""
    end = date.fromisoformat(last_day) if last_day else latest_whole_day()
    # Not before the row begins.
    end = max(end, date.fromisoformat(row["valid_from"]))
    return findings.Finding(
        NOT_FOUND,
        "stop",
        f"Campaign {row['external_id']} of {channel} {account} was removed, and channel_sources still gives it to "
        f"{row['segment']}. Its past stays with the segment, whose budget is held until it is known what replaced it.",
        _correction(row, account, channel, end),
        segment_id=row["segment_id"],
        channel=channel,
        subject=f"{account}/{row['external_id']}",
        evidence_date=latest_whole_day(),
    )


def _correction(row: Mapping[Any, Any], account: str, channel: str, end: date) -> str:
    """:param end: the last day of the campaign, if it was removed."""
    facts = {"channel": channel, "account": account, "campaign": row["external_id"]}
    return what_to_do(NOT_FOUND, end=end, next=end + timedelta(days=1), **facts)


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
    key = {"channel": channel.channel, "account": account, "first": window.first, "last": window.last}
    connection.execute(sql.render("lead_stats/update_channel_metrics_budgets.sql"), key)
    changed = connection.execute(sql.render("lead_stats/upsert_channel_metrics.sql"), key).rowcount
    keep_sums(connection, channel, pulled, key)
    looked_for = [
        findings.Checked(name, channel.channel, account, window.first, window.last)
        for name in registry.CHANNELS[channel.channel].findings
        if name not in LOOKED_FOR_ELSEWHERE
    ]
    findings.record(connection, pulled.findings, [*looked_for, *also_looked_for])
    connection.execute(
        sql.render("lead_stats/insert_channel_fetches.sql"),
        key | {"rows": len(pulled.frame), "dag_run_id": dag_run_id},
    )
    return changed


def keep_sums(connection: psycopg.Connection[Any], channel: Channel, pulled: Pulled, key: dict[str, Any]) -> None:
    """Keep whether it adds up, after the rows themselves were written.

    :param key: channel, account, first, last.
    """
    connection.execute(sql.render("lead_stats/create_pulled_totals.sql"))
    connection.execute(sql.render("lead_stats/create_pulled_left_out.sql"))
    sql.copy_frame(connection, "pulled_totals", sums.as_rows(list(sums.addends(channel, pulled))))
    sql.copy_frame(connection, "pulled_left_out", sums.left_out(pulled))
    connection.execute(sql.render("lead_stats/upsert_channel_totals.sql"), key)
