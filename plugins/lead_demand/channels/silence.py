"""Days for which an account gave no row at all: which of them are 0, and which are unknown."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd

from lead_demand.channels.contract import Channel, Known
from lead_demand.channels.matching import valid_on
from lead_demand.database.findings import Finding
from lead_demand.planner.finding_codes import FindingCode, what_to_do

# An account that had figures so many days before or after a silent day was in use on it.
ALIVE_DAYS = 31


def silent_days(
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
            FindingCode.DAY_WITHOUT_ROWS,
            "warn" if channel.empty_day == "stop" else channel.empty_day,
            f"{channel.channel} {account} gave no row at all for {day}; nothing was written for it, and what needs it "
            "holds today.",
            _advice(FindingCode.DAY_WITHOUT_ROWS, channel, account, day, day),
            channel=channel.channel,
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
                FindingCode.EMPTY_REPORT,
                channel.empty_day,
                f"{channel.channel} {account} gave no row at all for "
                f"{first if first == last else f'{first} to {last}'} ({len(doubtful)} days), "
                f"{why}; nothing was written for it, and earlier values stay.",
                _advice(FindingCode.EMPTY_REPORT, channel, account, first, last),
                channel=channel.channel,
                subject=account,
                evidence_date=last,
            )
        )
    return silent


def _days_between(one: str, other: str) -> int:
    return abs((date.fromisoformat(one) - date.fromisoformat(other)).days)


def _advice(code: FindingCode, channel: Channel, account: str, first: str, last: str) -> str:
    """With the statement by which a person says that these days are 0."""
    return what_to_do(code, channel=channel.channel, account=account.replace("'", "''"), first=first, last=last)
