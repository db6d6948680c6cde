"""A change of one budget: as it is to be claimed, as the log has it, and what became of the changes of a task."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from lead_demand.errors import ChangesFailed, ChangesLeftOpen, ChangesUnsettled
from lead_demand.text import euros, table


@dataclass(frozen=True, kw_only=True)
class BudgetStep:
    """One budget of a segment, from one amount to another; EUR per day, absolute."""

    segment_id: UUID
    segment: str
    channel: str
    account: str
    budget_id: str
    action_type: str
    old_value: Decimal
    new_value: Decimal

    @property
    def step(self) -> Decimal:
        return self.new_value - self.old_value

    def __str__(self) -> str:
        return f"{self.segment} {euros(self.old_value)} → {euros(self.new_value)}"


@dataclass(frozen=True, kw_only=True)
class Claim(BudgetStep):
    """A step that is to be claimed: a row of the log that is not written yet.

    `decision_id`: of a plan; `reverts`: the row of the log that it reverts. `decided_by`: the person who
    approved it or asked for it, None where nobody was asked.
    """

    kind: Literal["plan", "revert"]
    dag_run_id: str
    decision_id: UUID | None = None
    reverts: UUID | None = None
    decided_by: str | None = None


#: What is claimed together or not at all: the budgets of one decision, or of one revert.
Claims = tuple[Claim, ...]


@dataclass(frozen=True, kw_only=True)
class Change(BudgetStep):
    """A claimed step: a row of the log. `is_today`: its decision is of today, so it may still be sent."""

    id: UUID
    claimed_at: datetime
    is_today: bool = True


@dataclass
class ChangeReport:
    """Changes by what became of them, each with a few words.

    `earlier`: done by an earlier run, so there was nothing to do. `stopped`: claimed, and held back by the settings
    before they were sent. `declined`: not approved, so never sent. `unclaimed`: decisions that could not be claimed.
    `refusing`: accounts that refused to be read.
    """

    success: list[tuple[BudgetStep, str]] = field(default_factory=list)
    earlier: list[tuple[BudgetStep, str]] = field(default_factory=list)
    failed: list[tuple[BudgetStep, str]] = field(default_factory=list)
    pending: list[tuple[BudgetStep, str]] = field(default_factory=list)
    stopped: list[tuple[BudgetStep, str]] = field(default_factory=list)
    declined: list[tuple[BudgetStep, str]] = field(default_factory=list)
    unclaimed: list[str] = field(default_factory=list)
    refusing: set[str] = field(default_factory=set)
    switched_off: bool = False
    dry_run: bool = False

    def __str__(self) -> str:
        done = "would be accepted (dry run: nothing was sent)" if self.dry_run else "applied"
        text = f"{len(self.success)} {done}, {len(self.failed) + len(self.unclaimed)} refused"
        text += f", {len(self.earlier)} done earlier" if self.earlier else ""
        text += f", {len(self.pending)} without a definite answer"
        text += f", {len(self.declined)} not approved" if self.declined else ""
        return text + (", nothing more was sent: the settings stop it" if self.switched_off else "")

    def told(self) -> set[UUID]:
        """The claims that the report names already."""
        groups = (self.success, self.failed, self.pending, self.stopped)
        return {change.id for group in groups for change, _ in group if isinstance(change, Change)}

    def lines(self) -> list[str]:
        """What became of each change, as a table for the log."""
        groups = (
            ("accepted, not sent" if self.dry_run else "applied", self.success),
            ("done earlier", self.earlier),
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

    def raise_for(self, what: str) -> None:
        """Raise ChangesLeftOpen or ChangesUnsettled where anything is pending, ChangesFailed where anything was
        refused; what was stopped by the settings or not approved is no failure.

        :param what: what these changes are, in words.
        """
        unchanged = "Dry run: nothing was claimed or sent." if self.dry_run else None
        stay = "" if self.dry_run else " and stay pending"

        def lines(changes: list[tuple[BudgetStep, str]]) -> str:
            said = "; ".join(f"{change}: {words}" for change, words in changes[:10])
            return said + (f"; and {len(changes) - 10} more" if len(changes) > 10 else "")

        if self.pending and all(change.account in self.refusing for change, _ in self.pending):
            raise ChangesLeftOpen(
                f"{len(self.pending)} {what} stay pending because their account refuses us: {lines(self.pending)}.",
                unchanged=unchanged,
            )
        if self.pending:
            raise ChangesUnsettled(
                f"{len(self.pending)} {what} have no definite outcome{stay}: {lines(self.pending)}.",
                unchanged=unchanged,
            )
        if self.failed or self.unclaimed:
            refused = [*self.unclaimed[:10], *([lines(self.failed)] if self.failed else [])]
            raise ChangesFailed(
                f"{len(self.failed) + len(self.unclaimed)} {what} were refused: {'; '.join(refused)}.",
                unchanged=unchanged,
            )
