"""The write-ahead protocol of a budget change: claim, compare, apply, settle.

1. Claim: a `pending` row with the absolute old and new amount, unique per (channel, budget, day, kind), committed.
2. Compare: the live budget equals new, it is done; it does not equal old, somebody else changed it and it is left
alone. 3. Apply: the absolute amount, in batches; the kill switch is read again right before each batch. 4. Settle: a
definite yes or no closes the row. No definite answer leaves it `pending` until the budget is read back.

Killing the process between any two lines leaves the log telling the truth once the task is tried again: everything
here starts from the rows that are open, never from memory.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lead_demand import channels, sql
from lead_demand.channels.paid import FOREIGN_CHANGE_DAYS, Outcome, PaidChannel
from lead_demand.errors import ChangesFailed, ChangesUnsettled, LeadDemandError
from lead_demand.planning import read_switches

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)

BATCH = 1_000
# Seconds between looks at a budget whose change got no definite answer; after the last the row waits for the next try.
SETTLE_DELAYS = (1.0, 3.0, 8.0)
# A retry the channel itself asks for is waited for within the task up to this many seconds; longer ones are Airflow's.
LONGEST_PAUSE = 30.0


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
    is_today: bool


@dataclass
class ChangeReport:
    """Changes by what became of them, each with a few words.

    `stopped`: claimed, and held back by the settings before they were sent. `unclaimed`: decisions that could not be
    claimed.
    """

    success: list[tuple[Change, str]] = field(default_factory=list)
    failed: list[tuple[Change, str]] = field(default_factory=list)
    pending: list[tuple[Change, str]] = field(default_factory=list)
    stopped: list[tuple[Change, str]] = field(default_factory=list)
    unclaimed: list[str] = field(default_factory=list)
    switched_off: bool = False

    def __str__(self) -> str:
        text = f"{len(self.success)} applied, {len(self.failed) + len(self.unclaimed)} refused"
        text += f", {len(self.pending)} without a definite answer"
        return text + (", nothing more was sent: the settings stop it" if self.switched_off else "")


def split(amounts: Mapping[str, Decimal], total: Decimal, unit: Decimal) -> dict[str, Decimal]:
    """Divide `total` over budgets in proportion to what they have now, in billable units; the largest takes the rest.

    :param amounts: budget -> amount in force. Their sum must be positive.
    :returns: budget -> new amount; they add up to `total` rounded down to the unit.
    """
    now = sum(amounts.values(), Decimal(0))
    if now <= 0:
        raise ValueError(f"Budgets {sorted(amounts)} add up to {now}: there is no proportion to divide by.")
    total = (total / unit).to_integral_value(ROUND_DOWN) * unit
    shares = {
        budget: (amount * total / now / unit).to_integral_value(ROUND_DOWN) * unit for budget, amount in amounts.items()
    }
    largest = max(sorted(amounts), key=lambda budget: amounts[budget])
    shares[largest] += total - sum(shares.values(), Decimal(0))
    return shares


def apply_changes(action: str, name: str, dag_run_id: str, *, last_try: bool = False) -> ChangeReport:
    """Claim and apply today's decisions of one direction (`increase` or `decrease`) on one channel.

    :param last_try: no further try follows, so a definite no that might have been retried is closed as failed.
    Raises ChangesUnsettled where a further try is needed, ChangesFailed where a change was refused for good, now or on
    an earlier try of the same run. Either way the other changes went through and the log says so.
    """
    channel = channels.get_paid(name)
    report = ChangeReport()
    with sql.connect() as connection:
        _claim(connection, channel, action, dag_run_id, report)
        for account, changes in _by_account(_open_changes(connection, name, f"budget_{action}")):
            _finish(connection, channel, account, changes, report, last_try)
        connection.execute(sql.render("lead_budgets/update_lead_segment_plans_settled.sql"), {"channel": name})
        earlier = connection.execute(
            sql.render("lead_budgets/select_failed_changes.sql"),
            {"channel": name, "action_type": f"budget_{action}", "dag_run_id": dag_run_id},
        ).fetchall()
        connection.commit()
    now = {change.id for change, _ in report.failed}
    report.failed += [(Change(*row[:-1]), f"on an earlier try: {row[-1]}") for row in earlier if row[0] not in now]
    _raise_for(report, action)
    return report


def settle_open_changes(name: str) -> ChangeReport:
    """Read back every claim that is still open, before anything new is planned.

    In force as claimed: closed as success. A claim of an earlier day that is not in force is closed as failed and
    never sent again. A claim of today that is not in force stays open: the apply task of the same day finishes it.
    """
    channel = channels.get_paid(name)
    report = ChangeReport()
    with sql.connect() as connection:
        for account, changes in _by_account(_open_changes(connection, name, None)):
            try:
                live = _live(connection, channel, account, changes)
            except LeadDemandError as error:
                # Its segments hold while their claims are open; the other accounts go on.
                report.pending += [(change, str(error)) for change in changes]
                continue
            for change in changes:
                amount = live.get(change.budget_id)
                if amount == change.new_value:
                    _close(connection, change, Outcome(True, detail="found in force when read back"), report)
                elif not change.is_today:
                    detail = (
                        f"{_euros(amount)} is in force on a later day; {_euros(change.new_value)} was never applied"
                    )
                    _close(connection, change, Outcome(False, "not_applied", detail), report)
                else:
                    report.pending.append((change, "still open; the apply task of today goes on with it"))
        connection.execute(sql.render("lead_budgets/update_lead_segment_plans_settled.sql"), {"channel": name})
        connection.commit()
    return report


def _claim(
    connection: psycopg.Connection[Any], channel: PaidChannel, action: str, dag_run_id: str, report: ChangeReport
) -> None:
    """Claim every decision in a transaction of its own, so that one that cannot be claimed keeps back no other."""
    from psycopg.errors import CheckViolation, ObjectNotInPrerequisiteState

    switches = read_switches(connection)
    if not switches.changes_allowed or switches.dry_run:
        report.switched_off = True
        return
    cursor = connection.execute(
        sql.render("lead_budgets/select_unclaimed.sql"), {"channel": channel.name, "action": action}
    )
    names = [column.name for column in cursor.description or ()]
    unclaimed = [dict(zip(names, row, strict=True)) for row in cursor]
    connection.commit()
    for _, group in groupby(unclaimed, key=lambda row: row["decision_id"]):
        budgets = list(group)
        try:
            with connection.transaction():
                for claim in _claims(budgets, channel, action, dag_run_id):
                    connection.execute(sql.render("lead_budgets/insert_channel_orchestration_log.sql"), claim)
        except (ValueError, CheckViolation, ObjectNotInPrerequisiteState) as error:
            connection.execute(
                sql.render("lead_budgets/update_lead_segment_plans_refused.sql"),
                {"segment_id": budgets[0]["segment_id"]},
            )
            connection.commit()
            report.unclaimed.append(f"{budgets[0]['segment']}: {error}")


def _claims(budgets: list[dict[str, Any]], channel: PaidChannel, action: str, dag_run_id: str) -> list[dict[str, Any]]:
    """The claims of one decision. Raises ValueError where its budgets are no longer those it was made on."""
    now = sum((row["amount"] for row in budgets), Decimal(0))
    decided = budgets[0]["old_budget"]
    if now != decided:
        # Sent against another amount, the same new budget would be another step, perhaps in the other direction.
        raise ValueError(f"its budget was {_euros(decided)} when decided and is {_euros(now)} now; it was left alone")
    shares = split(
        {row["budget_id"]: row["amount"] for row in budgets}, budgets[0]["new_budget"], channel.billable_unit
    )
    return [
        row
        | {
            "channel": channel.name,
            "action_type": f"budget_{action}",
            "old_value": row["amount"],
            "new_value": shares[row["budget_id"]],
            "dag_run_id": dag_run_id,
        }
        for row in budgets
        if shares[row["budget_id"]] != row["amount"]
    ]


def _open_changes(connection: psycopg.Connection[Any], name: str, action_type: str | None) -> list[Change]:
    rows = connection.execute(
        sql.render("lead_budgets/select_open_changes.sql"), {"channel": name, "action_type": action_type}
    ).fetchall()
    connection.commit()
    return [Change(*row) for row in rows]


def _by_account(changes: list[Change]) -> Iterator[tuple[str, list[Change]]]:
    for account, group in groupby(changes, key=lambda change: change.account):
        yield account, list(group)


def _finish(
    connection: psycopg.Connection[Any],
    channel: PaidChannel,
    account: str,
    changes: list[Change],
    report: ChangeReport,
    last_try: bool,
) -> None:
    """Compare, apply and settle one account's open changes; an account that cannot be read leaves its rows open."""
    try:
        to_send = _compare(connection, channel, account, changes, report)
        for start in range(0, len(to_send), BATCH):
            _apply(connection, channel, account, to_send[start : start + BATCH], report, last_try)
    except LeadDemandError as error:
        log.warning("Account %s: %s", account, error)
        known = (report.success, report.failed, report.pending, report.stopped)
        seen = {change.id for group in known for change, _ in group}
        report.pending += [(change, str(error)) for change in changes if change.id not in seen]


def _compare(
    connection: psycopg.Connection[Any],
    channel: PaidChannel,
    account: str,
    changes: list[Change],
    report: ChangeReport,
) -> list[Change]:
    live = _live(connection, channel, account, changes)
    to_send = []
    moved = []
    for change in changes:
        amount = live.get(change.budget_id)
        if amount == change.new_value:
            _close(connection, change, Outcome(True, detail="already in force"), report)
        elif amount is None:
            _close(
                connection,
                change,
                Outcome(False, "budget_not_found", "the budget is gone from the account"),
                report,
            )
        elif amount == change.old_value:
            to_send.append(change)
        else:
            moved.append((change, amount))
    if moved:
        who = channel.foreign_changes(account, FOREIGN_CHANGE_DAYS)
        for change, amount in moved:
            at, by = who.get(change.budget_id, ("at an unknown time", "somebody"))
            detail = (
                f"{by} set it to {_euros(amount)} ({at}); it was {_euros(change.old_value)} when decided. Left alone."
            )
            _close(connection, change, Outcome(False, "changed_by_somebody_else", detail), report)
    return to_send


def _apply(
    connection: psycopg.Connection[Any],
    channel: PaidChannel,
    account: str,
    batch: list[Change],
    report: ChangeReport,
    last_try: bool,
) -> None:
    remaining = batch
    pause = 0.0
    doubtful: set[UUID] = set()  # sent once without an answer: a later no does not undo what that send may still do
    for delay in (0.0, *SETTLE_DELAYS):
        if delay:
            time.sleep(max(delay, pause))
            # The same amount may be sent again only while the old one is in force: look before every further send.
            remaining = _compare(connection, channel, account, remaining, report)
        if not remaining:
            return
        switches = read_switches(connection)
        connection.commit()
        if not switches.changes_allowed or switches.dry_run:
            report.switched_off = True
            for change in remaining:
                sent = change.id in doubtful
                words = "no definite answer yet" if sent else "stopped by the settings before it was sent"
                (report.pending if sent else report.stopped).append((change, words))
            return
        outcomes = channel.set_budgets(account, {change.budget_id: change.new_value for change in remaining})
        waiting: list[tuple[Change, Outcome]] = []
        for change in remaining:
            outcome = outcomes[change.budget_id]
            if outcome.applied is None:
                doubtful.add(change.id)
            if outcome.applied is False and change.id in doubtful:
                outcome = replace(outcome, applied=None, retry_after=outcome.retry_after or 0.0)
            if outcome.status == "pending":
                waiting.append((change, outcome))
            else:
                _close(connection, change, outcome, report)
        if not waiting:
            return
        pause = max((outcome.retry_after or 0.0 for _, outcome in waiting if outcome.applied is False), default=0.0)
        if pause > LONGEST_PAUSE:
            break
        remaining = [change for change, _ in waiting]
    _leave_or_close(connection, channel, account, waiting, report, last_try)


def _leave_or_close(
    connection: psycopg.Connection[Any],
    channel: PaidChannel,
    account: str,
    waiting: list[tuple[Change, Outcome]],
    report: ChangeReport,
    last_try: bool,
) -> None:
    """After the last look: what turned out to be in force is a success; a repeated no is final only on the last try."""
    outcome_of = {change.id: outcome for change, outcome in waiting}
    for change in _compare(connection, channel, account, [change for change, _ in waiting], report):
        outcome = outcome_of[change.id]
        if outcome.applied is False and last_try:
            _close(connection, change, replace(outcome, retry_after=None), report)
        else:
            report.pending.append((change, f"{outcome.error_code}: {outcome.detail}"))


def _live(
    connection: psycopg.Connection[Any], channel: PaidChannel, account: str, changes: list[Change]
) -> dict[str, Decimal]:
    live = channel.live_amounts(account, [change.budget_id for change in changes])
    with connection.cursor() as cursor:
        cursor.executemany(
            sql.render("lead_budgets/update_channel_budgets.sql"),
            [{"channel": channel.name, "budget_id": budget, "amount": amount} for budget, amount in live.items()],
        )
    connection.commit()
    return live


def _close(connection: psycopg.Connection[Any], change: Change, outcome: Outcome, report: ChangeReport) -> None:
    """Close one claim for good, each in its own transaction: what is known must survive whatever comes next."""
    connection.execute(
        sql.render("lead_budgets/update_channel_orchestration_log.sql"),
        {
            "id": change.id,
            "status": outcome.status,
            "error_code": outcome.error_code,
            "error_detail": outcome.detail,
            "request_id": outcome.request_id,
        },
    )
    if outcome.applied:
        connection.execute(
            sql.render("lead_budgets/update_channel_budgets.sql"),
            {"channel": change.channel, "budget_id": change.budget_id, "amount": change.new_value},
        )
    connection.commit()
    words = outcome.detail or ("applied" if outcome.applied else outcome.error_code or "refused")
    (report.success if outcome.applied else report.failed).append((change, words))


def _raise_for(report: ChangeReport, action: str) -> None:
    def lines(changes: list[tuple[Change, str]]) -> str:
        return "; ".join(
            f"{change.segment} {_euros(change.old_value)} → {_euros(change.new_value)}: {words}"
            for change, words in changes[:10]
        ) + (f"; and {len(changes) - 10} more" if len(changes) > 10 else "")

    if report.pending:
        raise ChangesUnsettled(
            f"{len(report.pending)} budget {action}(s) have no definite outcome and stay pending: "
            f"{lines(report.pending)}. "
            "They are read back first on the next try; nothing is sent twice. The other changes went through."
        )
    if report.failed or report.unclaimed:
        raise ChangesFailed(
            f"{len(report.failed) + len(report.unclaimed)} budget {action}(s) were refused: "
            f"{'; '.join([*report.unclaimed[:10], *([lines(report.failed)] if report.failed else [])])}. "
            "They are closed as failed and not tried again today; the other changes went through."
        )


def _euros(amount: Decimal | None) -> str:
    return "nothing" if amount is None else f"€{amount:.2f}"
