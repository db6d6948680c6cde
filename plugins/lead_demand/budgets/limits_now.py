"""The limits of this moment: what budgets together may come to, and whether a claim may be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID

from lead_demand.budgets.hitl_record import APPROVE
from lead_demand.database import sql
from lead_demand.database.findings import Finding
from lead_demand.planner.refusals import refusal_of
from lead_demand.runs.day import AMSTERDAM
from lead_demand.text import euros

if TYPE_CHECKING:
    import psycopg

    from lead_demand.budgets.changes import Change
    from lead_demand.channels.paid import Outcome, PaidChannel
    from lead_demand.database.settings import Switches


class Room(NamedTuple):
    """What the shared limits already carry, in EUR per day: all budgets with their open increases, and the increases
    of today.
    """

    total: Decimal
    increase: Decimal

    def with_step(self, step: Decimal) -> Room:
        """Once a step was claimed; a decrease frees nothing before it is made."""
        raised = max(step, Decimal(0))
        return Room(self.total + raised, self.increase + raised)


def room_taken(connection: psycopg.Connection[Any], channel: str) -> Room:
    """What is taken now."""
    row = connection.execute(sql.render("lead_budgets/select_room.sql"), {"channel": channel}).fetchone()
    connection.commit()
    return Room(*cast("tuple[Decimal, Decimal]", row))


def beyond_limits(switches: Switches, room: Room, step: Decimal) -> str:
    """Which limit, read just now, an increase would pass; empty where it passes none. Unknown lets nothing pass."""
    most = switches.max_daily_increase
    for words, limit, taken in (
        (*switches.total_cap, room.total),
        (f"max_daily_increase, now {euros(most)},", most, room.increase),
    ):
        if limit is None or taken + step > limit:
            return f"with +{euros(step)} {words} would be passed ({euros(taken)} taken); left alone"
    return ""


@dataclass
class MonthRoom:
    """What the monthly budgets of segments and branches leave per day, and what they carry already."""

    limits_of: Mapping[UUID, Sequence[str]]  # the names of the segment's own and of its branch's, where there are any
    cap: Mapping[str, Decimal]  # EUR per day
    taken: dict[str, Decimal]

    def take(self, segment_id: UUID, step: Decimal) -> None:
        """A step of the segment is claimed; a decrease frees nothing before it is made."""
        for name in self.limits_of.get(segment_id, ()):
            self.taken[name] += max(step, Decimal(0))

    def beyond(self, segment_id: UUID, step: Decimal) -> str:
        """Which monthly budget an increase would pass, in words; empty where it passes none. Unknown lets nothing
        pass.
        """
        for name in self.limits_of.get(segment_id, ()):
            cap, taken = self.cap[name], self.taken[name]
            if not cap.is_finite() or taken + step > cap:
                return (
                    f"with +{euros(step)} the {euros(cap)} per day that the monthly_budget of {name} leaves would be "
                    f"passed ({euros(taken)} taken); left alone"
                )
        return ""


def month_room(connection: psycopg.Connection[Any], channel: str) -> MonthRoom:
    """The monthly budgets of segments and branches at this moment."""
    rows = sql.read_rows(connection, sql.render("lead_budgets/select_month_rooms.sql"), {"channel": channel})
    connection.commit()
    limits_of: dict[UUID, list[str]] = {}
    for row in rows:
        limits_of.setdefault(row["segment_id"], []).append(row["name"])
    return MonthRoom(
        limits_of,
        {row["name"]: Decimal("NaN") if row["month_cap"] is None else row["month_cap"] for row in rows},
        {row["name"]: row["taken"] for row in rows},
    )


class Verdict(NamedTuple):
    """Why an open change may not be sent now; `error_code` None = it may."""

    error_code: str | None
    detail: str | None


def may_be_sent(connection: psycopg.Connection[Any], channel: PaidChannel, switches: Switches) -> dict[UUID, Verdict]:
    """Every open change of today, compared with its decision, the limits of this moment and its approval. One that is
    absent was closed meanwhile, or its day is over.
    """
    values = {
        "channel": channel.channel,
        "unit": channel.billable_unit,
        "total_cap_words": switches.total_cap[0],
        "total_daily_cap": switches.total_cap[1],
        "max_daily_increase": switches.max_daily_increase,
        "approval_threshold": switches.approval_threshold,
        "approve": APPROVE,
    }
    sql.join_whole_sets(connection)
    rows = connection.execute(sql.render("lead_budgets/select_sendable.sql"), values).fetchall()
    connection.commit()
    return {claim: Verdict(code, detail) for claim, code, detail in rows}


def refusal_finding(change: Change, outcome: Outcome) -> Finding:
    """What people are told of a claim that may not be sent: it is either a bug or an attack."""
    refusal = refusal_of(outcome.error_code or "")
    return Finding(
        refusal,
        "stop",
        f"The {change.action_type} of {change.segment} from {euros(change.old_value)} to {euros(change.new_value)} "
        f"(log row {change.id}) was not sent: {outcome.detail}.",
        refusal.what_to_do,
        segment_id=str(change.segment_id),
        channel=change.channel,
        date=change.claimed_at.astimezone(AMSTERDAM).date(),
        subject=f"{change.account}/{change.budget_id}",
        amount=change.new_value,
    )
