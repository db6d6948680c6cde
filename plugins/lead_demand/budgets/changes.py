"""A change of one budget, as the log has it, and what became of the changes of a task."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from lead_demand.errors import ChangesFailed, ChangesLeftOpen, ChangesUnsettled
from lead_demand.text import euros, table


@dataclass(frozen=True)
class Change:
    """One claimed change of one budget; amounts are Decimal in the account's currency."""

    id: UUID
    segment_id: UUID
    segment: str
    channel: str
    account: str
    budget_id: str
    action_type: str
    old_value: Decimal
    new_value: Decimal
    claimed_at: datetime
    is_today: bool

    @property
    def step(self) -> Decimal:
        return self.new_value - self.old_value

    @classmethod
    def of_claim(cls, row: dict[str, Any]) -> Change:
        """A change that is looked at and never claimed."""
        names = [f.name for f in fields(cls) if f.name not in ("id", "claimed_at", "is_today")]
        return cls(uuid4(), claimed_at=datetime.now(tz=UTC), is_today=True, **{name: row[name] for name in names})


# The values of the log rows of one decision, one for each of its budgets.
Claims = list[dict[str, Any]]


@dataclass
class ChangeReport:
    """Changes by what became of them, each with a few words.

    `stopped`: claimed, and held back by the settings before they were sent. `declined`: not approved, so never sent.
    `unclaimed`: decisions that could not be claimed. `refusing`: accounts that refused to be read.
    """

    success: list[tuple[Change, str]] = field(default_factory=list)
    failed: list[tuple[Change, str]] = field(default_factory=list)
    pending: list[tuple[Change, str]] = field(default_factory=list)
    stopped: list[tuple[Change, str]] = field(default_factory=list)
    declined: list[tuple[Change, str]] = field(default_factory=list)
    unclaimed: list[str] = field(default_factory=list)
    refusing: set[str] = field(default_factory=set)
    switched_off: bool = False
    dry_run: bool = False

    def __str__(self) -> str:
        done = "would be accepted (dry run: nothing was sent)" if self.dry_run else "applied"
        text = f"{len(self.success)} {done}, {len(self.failed) + len(self.unclaimed)} refused"
        text += f", {len(self.pending)} without a definite answer"
        text += f", {len(self.declined)} not approved" if self.declined else ""
        return text + (", nothing more was sent: the settings stop it" if self.switched_off else "")

    def lines(self) -> list[str]:
        """What became of each change, as a table for the log."""
        groups = (
            ("accepted, not sent" if self.dry_run else "applied", self.success),
            ("REFUSED", self.failed),
            ("OPEN", self.pending),
            ("STOPPED", self.stopped),
            ("NOT APPROVED", self.declined),
        )
        rows = [
            [outcome, change.segment, change.budget_id, euros(change.old_value), euros(change.new_value), words]
            for outcome, changes in groups
            for change, words in changes
        ]
        refused = [f"REFUSED {words}" for words in self.unclaimed]
        return refused + (table(["outcome", "segment", "budget", "old", "new", "why"], rows) if rows else [])


def raise_for(report: ChangeReport, what: str) -> None:
    """Raise ChangesLeftOpen or ChangesUnsettled where the report holds anything pending, ChangesFailed where anything
    was refused; what was stopped by the settings or not approved is no failure.
    """
    unchanged = "Dry run: nothing was claimed or sent." if report.dry_run else None
    stay = "" if report.dry_run else " and stay pending"

    def lines(changes: list[tuple[Change, str]]) -> str:
        return "; ".join(
            f"{change.segment} {euros(change.old_value)} → {euros(change.new_value)}: {words}"
            for change, words in changes[:10]
        ) + (f"; and {len(changes) - 10} more" if len(changes) > 10 else "")

    if report.pending and all(change.account in report.refusing for change, _ in report.pending):
        raise ChangesLeftOpen(
            f"{len(report.pending)} {what} stay pending because their account refuses us: {lines(report.pending)}.",
            unchanged=unchanged,
        )
    if report.pending:
        raise ChangesUnsettled(
            f"{len(report.pending)} {what} have no definite outcome{stay}: {lines(report.pending)}.",
            unchanged=unchanged,
        )
    if report.failed or report.unclaimed:
        raise ChangesFailed(
            f"{len(report.failed) + len(report.unclaimed)} {what} were refused: "
            f"{'; '.join([*report.unclaimed[:10], *([lines(report.failed)] if report.failed else [])])}.",
            unchanged=unchanged,
        )
