"""What the digest of a morning tells marketing; its words are in `include/messages/digest.md.j2`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lead_demand import messages, text
from lead_demand.budgets import month
from lead_demand.database import sql
from lead_demand.database.settings import read_switches
from lead_demand.planner.reasons import Reason, reason_of
from lead_demand.runs.day import AMSTERDAM

if TYPE_CHECKING:
    import psycopg

    from lead_demand.messages import Message

MONDAY = 0
SEGMENTS_NAMED = 20
# What became of a change, by the status of its plan.
OUTCOMES = {
    "applied": "made",
    "dry_run": "proposed only (dry run)",
    "failed": "NOT made: refused",
    "held": "not made: not approved",
    "planned": "not made yet",
}
MARKETING, DATA = "Marketing operations", "Data team"
# Holds that end with a row, a setting or a campaign that marketing keeps; the others end with data.
OF_MARKETING = frozenset(
    {
        Reason.SETTINGS_MISSING,
        Reason.NO_CAMPAIGN,
        Reason.CHANGE_NOT_LOGGED,
        Reason.CHANGE_NOT_IN_HISTORY,
        Reason.LEADS_WITHOUT_SOURCE,
        Reason.LEAD_STATUS_UNKNOWN,
        Reason.TRACKING_OUTAGE,
        Reason.MISSING_CAPACITY,
        Reason.CAPACITY_LEAP,
        Reason.MISSING_LIMITS,
        Reason.INVALID_LIMITS,
        Reason.BUDGET_LIMITED_UNKNOWN,
        Reason.CURRENCY_MISMATCH,
        Reason.TIME_ZONE_MISMATCH,
        Reason.CAMPAIGN_STATE_UNKNOWN,
        Reason.LEARNING_UNKNOWN,
    }
)


@dataclass(frozen=True)
class Morning:
    """What the database says of a morning. Money in EUR per day, leads in generated leads per day.

    :param today: rows of lead_budgets/select_report.sql, one per segment.
    :param promises: rows of lead_digest/select_promises.sql, one per change.
    :param reverts: rows of lead_digest/select_reverts.sql.
    :param freshness: rows of lead_digest/select_freshness.sql, one per account of a channel.
    :param yesterday: the row of lead_digest/select_figures.sql about yesterday.
    :param week: on a Monday, that row about the seven days up to yesterday, with the row of
        lead_digest/select_decided.sql and `first` and `last`; None on other days.
    :param no_change: why no budget may change at all, if so.
    :param pace: how far the month is: a line for all, then one per branch that has a monthly budget.
    :param deadline: until when a large increase may be approved, `HH:MM`.
    """

    of: date
    today: Sequence[Mapping[str, Any]]
    promises: Sequence[Mapping[str, Any]]
    reverts: Sequence[Mapping[str, Any]]
    freshness: Sequence[Mapping[str, Any]]
    yesterday: Mapping[str, Any]
    week: Mapping[str, Any] | None = None
    no_change: str = ""
    pace: Sequence[str] = ()
    approvers: tuple[str, ...] = ()
    deadline: str = "the deadline"


def read(connection: psycopg.Connection[Any], channel: str, of: date) -> Morning:
    """Everything that the digest of that day tells; `of` is today, and a Monday adds the week."""

    def rows(name: str, **values: Any) -> list[dict[str, Any]]:
        return sql.read_rows(connection, sql.render(name), {"channel": channel} | values)

    yesterday = of - timedelta(days=1)
    week: dict[str, Any] | None = None
    if of.weekday() == MONDAY:
        days: dict[str, Any] = {"first": of - timedelta(days=7), "last": yesterday}
        (figures,) = rows("lead_digest/select_figures.sql", **days)
        (decided,) = rows("lead_digest/select_decided.sql", **days)
        week = days | figures | decided
    switches = read_switches(connection)
    until = switches.approval_deadline
    return Morning(
        of,
        rows("lead_budgets/select_report.sql"),
        rows("lead_digest/select_promises.sql"),
        rows("lead_digest/select_reverts.sql"),
        rows("lead_digest/select_freshness.sql"),
        rows("lead_digest/select_figures.sql", first=yesterday, last=yesterday)[0],
        week,
        switches.why_no_change,
        month.pace(connection),
        switches.approvers,
        "the deadline" if until is None else f"{until:%H:%M}",
    )


def compose(morning: Morning) -> Message:
    """Subject and lines of the digest. Raises MessageBroken."""
    reverted = {row["segment"]: row for row in morning.reverts if row["of_date"] == morning.of}
    changes = [row for row in morning.today if row["action"] in ("increase", "decrease")]
    waiting = [row for row in changes if row["outcome"] == "waiting_approval"]
    made = [row for row in changes if row["outcome"] == "applied"]
    told = [
        {**row, "outcome": _outcome(row, reverted), "sentence": row["sentence"] or ""}
        for row in changes
        if row not in waiting
    ]
    held = [(row, wanted) for row in morning.today if (wanted := reasons_of(row))]
    undecided = [row["segment"] for row in morning.today if row["action"] is None]
    return messages.render(
        "digest.md.j2",
        {
            "today": morning.of.isoformat(),
            "made": len(made),
            "not_made": len(changes) - len(made) - len(waiting),
            "for_a_person": len(waiting) + len(held) + len(undecided),
            "fresh": sum(bool(row["is_fresh"]) for row in morning.freshness),
            "sources": len(morning.freshness),
            "no_change": morning.no_change,
            "pace": morning.pace,
            "yesterday": {**morning.yesterday, "unit": "segments"},
            "week": morning.week and {**morning.week, "unit": "segment days"},
            "changes": told,
            "together": _together([row for row in made if row["segment"] not in reverted], morning.promises),
            "reverts": morning.reverts,
            "waiting": [{**row, "sentence": row["sentence"] or ""} for row in waiting],
            "asked": ", ".join(morning.approvers) or "Whoever may answer",
            "deadline": morning.deadline,
            "needs": _needs(held),
            "undecided": ", ".join(undecided),
            "freshness": _freshness(morning.freshness),
        },
    )


def reasons_of(row: Mapping[str, Any]) -> list[Reason]:
    """Why a segment is held, as far as a person can end it; empty where nobody is needed.

    :param row: of lead_budgets/select_report.sql.
    """
    if row["action"] != "hold":
        return []
    found = [reason_of(code) for code in (row["reasons"] or "").split(", ")]
    if {Reason.NO_CAMPAIGN, Reason.AUTOMATION_OFF} <= set(found):
        return []  # it needs no paid leads, and somebody said so
    return [reason for reason in found if reason is not None and reason.blocking]


def listed(codes: Sequence[str]) -> str:
    """Segments in a sentence: `a, b, c and 3 more`."""
    shown, more = ", ".join(codes[:SEGMENTS_NAMED]), len(codes) - SEGMENTS_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _outcome(row: Mapping[str, Any], reverted: Mapping[str, Mapping[str, Any]]) -> str:
    said: str = OUTCOMES.get(row["outcome"], row["outcome"])
    revert = reverted.get(row["segment"])
    if revert is None:
        return said
    who, when = revert["decided_by"] or "nobody named", revert["closed_at"].astimezone(AMSTERDAM)
    return f"{said}, then reverted by {who} at {when:%H:%M}"


def _together(made: Sequence[Mapping[str, Any]], promises: Sequence[Mapping[str, Any]]) -> dict[str, Decimal | None]:
    """What the changes come to: EUR per day, and leads per day where each of them has a promise; None where none was
    made.
    """
    if not made:
        return {"budget": None, "leads": None}
    gains = {
        row["segment"]: row["leads_after"] - row["leads_alone"]
        for row in promises
        if row["leads_after"] is not None and row["leads_alone"] is not None
    }
    leads = [gains.get(row["segment"]) for row in made]
    known = [gain for gain in leads if gain is not None]
    return {
        "budget": sum((row["new_budget"] - row["old_budget"] for row in made), Decimal(0)),
        "leads": sum(known, Decimal(0)) if len(known) == len(leads) else None,
    }


def _needs(held: Sequence[tuple[Mapping[str, Any], Sequence[Reason]]]) -> list[dict[str, str]]:
    """One line per reason, with every segment that it holds; marketing's first."""
    segments: dict[Reason, list[str]] = {}
    for row, wanted in held:
        for reason in wanted:
            segments.setdefault(reason, []).append(row["segment"])
    lines = [
        {
            "who": MARKETING if reason in OF_MARKETING else DATA,
            "segments": f"{listed(codes)} {'is' if len(codes) == 1 else 'are'}",
            "phrase": reason.phrase,
            "what_to_do": reason.what_to_do,
        }
        for reason, codes in segments.items()
    ]
    return sorted(lines, key=lambda line: line["who"] != MARKETING)


def _freshness(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return text.table(
        ["channel", "account", "up to", "read", ""],
        [
            [
                row["channel"],
                row["account"],
                row["last_day"],
                "never" if row["fetched_at"] is None else f"{row['fetched_at'].astimezone(AMSTERDAM):%Y-%m-%d %H:%M}",
                "" if row["is_fresh"] else "STALE",
            ]
            for row in rows
        ],
    )
