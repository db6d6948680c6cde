"""The write-ahead protocol of a budget change: claim, compare, apply, settle.

1. Claim: a `pending` row with the absolute old and new amount, unique per (channel, budget, day, kind), committed.
2. Compare: where the live budget equals new, it is done; where it does not equal old, somebody else changed it and it
is left alone. 3. Apply: the absolute amount, in batches; before each batch the kill switch is read again, and each
claim is compared with its decision and the limits of that moment. 4. Settle: a definite yes or no closes the row.
Without a definite answer it stays `pending` until the budget is read back.

Killing the process between any two lines leaves the log telling the truth once the task is tried again: everything
here starts from the rows that are open, never from memory.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from lead_demand import database
from lead_demand.budgets import log
from lead_demand.budgets.changes import BudgetStep, Change, ChangeReport, Claims
from lead_demand.budgets.comparison import in_doubt, live_amounts, moved, overwritten
from lead_demand.budgets.limits_now import may_be_sent, refusal_finding
from lead_demand.budgets.lock import working_alone
from lead_demand.channels import registry
from lead_demand.channels.paid import FOREIGN_CHANGE_DAYS, Outcome
from lead_demand.database import findings
from lead_demand.database.settings import read_switches
from lead_demand.errors import LeadDemandError, SourceRefused

if TYPE_CHECKING:
    import psycopg

    from lead_demand.channels.paid import PaidChannel

logger = logging.getLogger(__name__)

BATCH = 1_000
# Seconds between looks at a budget whose change got no definite answer; after the last the row waits for the next try.
SETTLE_DELAYS = (1.0, 3.0, 8.0)
# A retry the channel itself asks for is waited for within the task up to this many seconds; longer ones are Airflow's.
LONGEST_PAUSE = 30.0

_Step = TypeVar("_Step", bound=BudgetStep)


class BudgetProtocol:
    """One task's work on the open changes of one channel; `report` says what became of each.

    :param action_type: whose open changes `finish` works on: budget_increase, budget_decrease or budget_revert.
    :param last_try: no further try follows, so a definite no that might have been retried is closed as failed.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        channel: PaidChannel,
        action_type: str,
        dag_run_id: str,
        *,
        last_try: bool = False,
    ) -> None:
        self.connection, self.channel = connection, channel
        self.action_type, self.dag_run_id, self.last_try = action_type, dag_run_id, last_try
        self.report = ChangeReport()
        self.switches = read_switches(connection)
        # The claims that were made here. Any other may have been sent by a process that died.
        self._made: set[UUID] = set()

    @classmethod
    @contextmanager
    def alone(
        cls, channel: str, action_type: str = "", dag_run_id: str = "", *, last_try: bool = False
    ) -> Iterator[BudgetProtocol]:
        """The only process that works on the open changes of a channel (see `working_alone`)."""
        with working_alone(channel), database.connect() as connection:
            yield cls(connection, registry.get_paid(channel), action_type, dag_run_id, last_try=last_try)

    def carry_out(
        self,
        wanted: Callable[[bool], Sequence[Claims]],
        claim: Callable[[Sequence[Claims]], None],
        decisions: Sequence[str] | None = None,
    ) -> None:
        """Claim what is wanted and finish whatever is open: a direction, an approval and a revert alike. The kill
        switch lets nothing be claimed; in a dry run the changes are only shown to the channel.

        :param wanted: gives the claims; its argument says whether this is a dry run.
        :param claim: claims those that may be claimed, and names the others in the report.
        :param decisions: as of `finish`.
        """
        if not self.switches.changes_allowed:
            self.report.switched_off = True
        elif self.switches.dry_run:
            self.validate(wanted(True))
        else:
            claim(wanted(False))
        self.finish(decisions)

    # -- claim -------------------------------------------------------------------------------------------------------

    def claim(self, decided: Sequence[Claims]) -> list[tuple[Claims, str]]:
        """Claim and commit, of each decision all budgets or none.

        :returns: the decisions of which nothing was claimed, each with the reason.
        """
        from psycopg.errors import CheckViolation, ObjectNotInPrerequisiteState

        refused: dict[int, str] = {}
        made: list[Change] = []
        try:
            with self.connection.transaction():
                made = log.insert(self.connection, decided)
        except (CheckViolation, ObjectNotInPrerequisiteState, log.PartlyClaimed):
            # What the guards of the log refuse keeps back no other: each is tried in a transaction of its own.
            for place, claims in enumerate(decided):
                try:
                    with self.connection.transaction():
                        made += log.insert(self.connection, [claims])
                except log.PartlyClaimed:
                    pass
                except (CheckViolation, ObjectNotInPrerequisiteState) as error:
                    said = (error.diag.message_primary, error.diag.message_hint)
                    refused[place] = ". ".join(words for words in said if words)
        self.connection.commit()
        self._made |= {change.id for change in made}
        # By segment too: of two segments that share a budget, the second claims nothing and has to be named.
        claimed = {(change.segment_id, change.budget_id) for change in made}
        for place, claims in enumerate(decided):
            if place not in refused and any((claim.segment_id, claim.budget_id) not in claimed for claim in claims):
                refused[place] = (
                    f"budget {', '.join(claim.budget_id for claim in claims)} has another change open, or had its "
                    "change of this kind today; left alone"
                )
        return [(decided[place], why) for place, why in sorted(refused.items())]

    def refuse(self, unclaimed: Sequence[tuple[UUID, str, str]]) -> None:
        """Mark plans as failed whose change cannot be claimed, and name them in the report.

        :param unclaimed: segment id, its code, and why.
        """
        if not unclaimed:
            return
        log.refuse_plans(self.connection, [segment_id for segment_id, _, _ in unclaimed])
        self.connection.commit()
        self.report.unclaimed += [f"{segment}: {why}" for _, segment, why in unclaimed]

    def decline(self, decided: Sequence[Claims], code: str, why: str) -> None:
        """Log changes that a person, or nobody in time, did not approve: claimed and closed in one transaction, never
        sent. One that has its row already was answered by another run's question.
        """
        with self.connection.transaction():
            declined = log.insert(self.connection, decided)
            log.close(self.connection, [(change, Outcome(False, code, why)) for change in declined])
        self.connection.commit()
        self.report.declined += [(change, why) for change in declined]

    def validate(self, decided: Sequence[Claims]) -> None:
        """Show changes to the channel without making them; the report says which it would accept."""
        self.report.dry_run = True
        groups = {"success": self.report.success, "failed": self.report.failed, "pending": self.report.pending}
        claims = sorted((claim for group in decided for claim in group), key=lambda claim: claim.account)
        for account, of_account in groupby(claims, key=lambda claim: claim.account):
            for batch in _batches(list(of_account)):
                amounts = {claim.budget_id: claim.new_value for claim in batch}
                outcomes = self.channel.set_budgets(account, amounts, validate_only=True)
                for claim in batch:
                    outcome = outcomes[claim.budget_id]
                    words = ": ".join(filter(None, [outcome.error_code, outcome.detail]))
                    groups[outcome.status].append((claim, words or "would be accepted"))
        self.connection.commit()

    # -- finish ------------------------------------------------------------------------------------------------------

    def finish(self, decisions: Sequence[str] | None = None) -> None:
        """Compare, apply and settle every open change of this action, then bring the plans up to date.

        The report also names what this run was refused on an earlier try: a retry must not look better than its run.

        :param decisions: only these decisions were this task's to make; None = every one of the run.
        """
        for account, changes in self.open_changes(self.action_type):
            self._finish_account(account, changes)
            self._report_overwritten_edits(account)
        self.update_plans()
        refused = log.refused_in_run(
            self.connection, self.channel.channel, self.action_type, self.dag_run_id, decisions
        )
        self.connection.commit()
        told = self.report.told()
        self.report.failed += [
            (change, f"on an earlier try: {words}") for change, words in refused if change.id not in told
        ]

    def _finish_account(self, account: str, changes: list[Change]) -> None:
        """One account's open changes; an account that cannot be read leaves its rows open."""
        try:
            for batch in _batches(self.compare(account, changes, never_sent=self._made)):
                self.apply(account, batch)
        except LeadDemandError as error:
            logger.warning("Account %s: %s", account, error)
            if isinstance(error, SourceRefused):
                self.report.refusing.add(account)
            told = self.report.told()
            self.report.pending += [(change, str(error)) for change in changes if change.id not in told]

    # -- compare -----------------------------------------------------------------------------------------------------

    def compare(self, account: str, changes: Sequence[Change], never_sent: Collection[UUID]) -> list[Change]:
        """Settle what needs no sending, and return the changes whose budget still is what was decided on.

        A budget at its old amount says nothing of a change that may have been sent before: it may have taken effect,
        and somebody may have put it back. Such a change is looked up in the change history before it is sent again.

        :param never_sent: the claims that certainly were not sent before.
        """
        live = self.live(account, changes)
        doubtful = [change for change in changes if in_doubt(change, live.get(change.budget_id), never_sent)]
        applied = overwritten(self.channel, account, doubtful, live)
        outcomes: list[tuple[Change, Outcome]] = []
        to_send: list[Change] = []
        elsewhere: list[tuple[Change, Decimal]] = []
        for change in changes:
            amount = live.get(change.budget_id)
            if amount == change.new_value:
                outcomes.append((change, Outcome(True, detail="already in force")))
            elif change.id in applied:
                outcomes.append((change, Outcome(True, detail=applied[change.id])))
            elif amount is None:
                gone = Outcome(False, "budget_not_found", "the budget is gone from the account")
                outcomes.append((change, gone))
            elif amount == change.old_value:
                to_send.append(change)
            else:
                elsewhere.append((change, amount))
        self.settle(outcomes)
        who = self.channel.foreign_changes(account, FOREIGN_CHANGE_DAYS) if elsewhere else {}
        self.settle([(change, moved(change, amount, who.get(change.budget_id))) for change, amount in elsewhere])
        return to_send

    def live(self, account: str, changes: Sequence[Change]) -> dict[str, Decimal]:
        """The amounts in force now, by budget; they are stored too."""
        amounts = live_amounts(self.channel, account, changes)
        log.store_amounts(self.connection, self.channel.channel, amounts)
        self.connection.commit()
        return amounts

    # -- apply -------------------------------------------------------------------------------------------------------

    def apply(self, account: str, batch: Sequence[Change]) -> None:
        """Send the amounts of one batch until each has a definite answer, or the delays are used up."""
        remaining = batch
        pause = 0.0
        doubtful: set[UUID] = set()  # sent once without an answer: a later no does not undo what that send may still do
        for delay in (0.0, *SETTLE_DELAYS):
            if delay:
                time.sleep(max(delay, pause))
                # The same amount may be sent again only while the old one is in force: look before every further send.
                remaining = self.compare(account, remaining, {change.id for change in remaining} - doubtful)
            remaining = self._sendable(remaining, doubtful) if remaining else []
            if not remaining:
                return
            outcomes = self.channel.set_budgets(account, {change.budget_id: change.new_value for change in remaining})
            waiting: list[tuple[Change, Outcome]] = []
            definite: list[tuple[Change, Outcome]] = []
            for change in remaining:
                outcome = outcomes[change.budget_id]
                if outcome.applied is None:
                    doubtful.add(change.id)
                if outcome.applied is False and change.id in doubtful:
                    outcome = replace(outcome, applied=None, retry_after=outcome.retry_after or 0.0)
                (waiting if outcome.status == "pending" else definite).append((change, outcome))
            self.settle(definite)
            if not waiting:
                return
            pause = max((outcome.retry_after or 0.0 for _, outcome in waiting if outcome.applied is False), default=0.0)
            if pause > LONGEST_PAUSE:
                break
            remaining = [change for change, _ in waiting]
        self._leave_or_settle(account, waiting, doubtful)

    def _sendable(self, changes: Sequence[Change], doubtful: Collection[UUID]) -> list[Change]:
        """The changes that may be sent at this moment. The others are closed as failed, each with a finding.

        One that was sent without an answer is not closed: the next try reads back what it may still do.
        """
        switches = read_switches(self.connection)
        self.connection.commit()
        if not switches.changes_allowed or switches.dry_run:
            self.report.switched_off = True
            for change in changes:
                if change.id in doubtful:
                    self.report.pending.append((change, "no definite answer yet"))
                else:
                    self.report.stopped.append((change, "stopped by the settings before it was sent"))
            return []
        verdicts = may_be_sent(self.connection, self.channel, switches)
        sendable: list[Change] = []
        refused: list[tuple[Change, Outcome]] = []
        for change in changes:
            verdict = verdicts.get(change.id)
            if verdict is None:
                words = "its row was closed meanwhile, or its day is over; nothing was sent"
                self.report.pending.append((change, words))
            elif verdict.error_code is None:
                sendable.append(change)
            elif change.id in doubtful:
                words = f"no definite answer yet, and not sent again: {verdict.error_code}: {verdict.detail}"
                self.report.pending.append((change, words))
            else:
                refused.append((change, Outcome(False, verdict.error_code, verdict.detail)))
        if refused:
            findings.record(self.connection, [refusal_finding(change, outcome) for change, outcome in refused])
            self.settle(refused)
        return sendable

    def _leave_or_settle(
        self, account: str, waiting: Sequence[tuple[Change, Outcome]], doubtful: Collection[UUID]
    ) -> None:
        """After the last look: what turned out to be in force is a success; a repeated no is final on the last try."""
        outcome_of = {change.id: outcome for change, outcome in waiting}
        final: list[tuple[Change, Outcome]] = []
        for change in self.compare(account, [change for change, _ in waiting], outcome_of.keys() - set(doubtful)):
            outcome = outcome_of[change.id]
            if outcome.applied is False and self.last_try:
                final.append((change, replace(outcome, retry_after=None)))
            else:
                self.report.pending.append((change, f"{outcome.error_code}: {outcome.detail}"))
        self.settle(final)

    # -- settle ------------------------------------------------------------------------------------------------------

    def settle(self, outcomes: Sequence[tuple[Change, Outcome]]) -> None:
        """Close the claims that have a definite outcome, in one transaction: what one answer said is committed before
        the next question is asked.

        A row that a person closed meanwhile stays as it is, and counts as failed: the log may not say what is in force.
        """
        if not outcomes:
            return
        closed = log.close(self.connection, outcomes)
        in_force = {change.budget_id: change.new_value for change, outcome in outcomes if outcome.applied}
        log.store_amounts(self.connection, self.channel.channel, in_force)
        self.connection.commit()
        for change, outcome in outcomes:
            words = outcome.detail or ("applied" if outcome.applied else outcome.error_code or "refused")
            if change.id not in closed:
                words += "; but somebody had closed its row by hand, and what the log says of it may not be so"
            is_success = outcome.applied and change.id in closed
            (self.report.success if is_success else self.report.failed).append((change, words))

    def _report_overwritten_edits(self, account: str) -> None:
        """Record every edit by a person that fell between our compare and our send: no API can prevent it, so people
        are told. Google shows such an edit up to some minutes later; the next read of the budgets finds the rest.
        """
        if not any(change.account == account for change, _ in self.report.success):
            return
        try:
            edits = self.channel.foreign_changes(account, 1)
        except LeadDemandError as error:
            logger.warning("The change history of account %s could not be read: %s", account, error)
            return
        log.record_overwritten(self.connection, self.channel.channel, edits)
        self.connection.commit()

    def open_changes(self, action_type: str | None = None) -> list[tuple[str, list[Change]]]:
        """The claims without an outcome, by account: of one action those of today, of None every one."""
        found = log.open_changes(self.connection, self.channel.channel, action_type)
        self.connection.commit()
        return found

    def update_plans(self) -> None:
        """Bring the status and the actual budget of today's plans up to date with the log."""
        log.update_plans(self.connection, self.channel.channel)
        self.connection.commit()


def _batches(steps: Sequence[_Step]) -> Iterator[Sequence[_Step]]:
    for start in range(0, len(steps), BATCH):
        yield steps[start : start + BATCH]
