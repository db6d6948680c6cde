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
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from lead_demand import channels, database
from lead_demand.budgets.changes import Change, ChangeReport, Claims, raise_for
from lead_demand.budgets.hitl_record import APPROVE
from lead_demand.budgets.shares import shares_of
from lead_demand.channels.paid import FOREIGN_CHANGE_DAYS, Outcome, PaidChannel
from lead_demand.database import findings, sql
from lead_demand.database.settings import Switches, read_switches
from lead_demand.errors import LeadDemandError, SourceRefused
from lead_demand.planner.reasons import Refusal, refusal_of
from lead_demand.runs.day import AMSTERDAM
from lead_demand.text import euros

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)

BATCH = 1_000
# Seconds between looks at a budget whose change got no definite answer; after the last the row waits for the next try.
SETTLE_DELAYS = (1.0, 3.0, 8.0)
# A retry the channel itself asks for is waited for within the task up to this many seconds; longer ones are Airflow's.
LONGEST_PAUSE = 30.0
# How far Google's clock may be behind the database's.
CLOCK_SKEW = timedelta(minutes=5)


class AlreadyClaimed(Exception):
    """A budget has a claim that leaves no room for another. Nothing of its decision was claimed."""


@contextmanager
def working_alone(name: str) -> Iterator[None]:
    """One process at a time works on the open changes of a channel; another waits here until the first is done.

    Two at once would send the same amount twice, which does no harm, but the refusal that one of them gets would
    close a claim that the other has just applied. The lock lives in a transaction of a connection of its own, so it
    ends with its process and needs no session of the pooler.
    """
    with database.connect() as guard:
        guard.execute(sql.render("lead_budgets/lock_channel.sql"), {"channel": name})
        yield


def apply_changes(action: str, name: str, dag_run_id: str, *, last_try: bool = False) -> ChangeReport:
    """Claim and apply today's decisions of one direction (`increase` or `decrease`) on one channel.

    In a dry run the changes are only shown to the channel, which says what it would refuse; nothing is claimed.

    :param last_try: no further try follows, so a definite no that might have been retried is closed as failed.
    Raises ChangesUnsettled where a further try is needed, ChangesLeftOpen where an account refuses to be read,
    ChangesFailed where a change was refused for good, now or on an earlier try of the same run. Either way the other
    changes went through and the log says so.
    """
    channel = channels.get_paid(name)
    report = ChangeReport()
    made: set[UUID] = set()
    with working_alone(name), database.connect() as connection:
        switches = read_switches(connection)
        key = {"action": action, "dag_run_id": dag_run_id}
        if not switches.changes_allowed:
            report.switched_off = True
        elif switches.dry_run:
            validate(connection, channel, decided_changes(connection, channel, key, report, dry_run=True), report)
        else:
            made = claim_decisions(
                connection, channel, decided_changes(connection, channel, key, report), switches, report
            )
        finish(connection, channel, f"budget_{action}", dag_run_id, report, made, last_try=last_try)
    raise_for(report, f"budget {action}(s)")
    return report


def settle_open_changes(name: str) -> ChangeReport:
    """Read back every claim that is still open, before anything new is planned.

    In force as claimed: closed as success. A claim of an earlier day that is not in force is closed as failed and
    never sent again. A claim of today that is not in force stays open: the apply task of the same day finishes it.
    """
    channel = channels.get_paid(name)
    report = ChangeReport()
    with working_alone(name), database.connect() as connection:
        for account, changes in _by_account(_open_changes(connection, name, None)):
            try:
                live = _live(connection, channel, account, changes)
                elsewhere = [change for change in changes if live.get(change.budget_id) != change.new_value]
                overtaken = _overtaken(channel, account, elsewhere, live)
            except LeadDemandError as error:
                # Its segments hold while their claims are open; the other accounts go on.
                report.pending += [(change, str(error)) for change in changes]
                continue
            for change in changes:
                amount = live.get(change.budget_id)
                if amount == change.new_value:
                    _close(connection, change, Outcome(True, detail="found in force when read back"), report)
                elif change.id in overtaken:
                    _close(connection, change, Outcome(True, detail=overtaken[change.id]), report)
                elif not change.is_today:
                    detail = f"{euros(amount)} is in force on a later day; {euros(change.new_value)} was never applied"
                    _close(connection, change, Outcome(False, "not_applied", detail), report)
                else:
                    report.pending.append((change, "still open; the apply task of today goes on with it"))
        _update_plans(connection, name)
        connection.commit()
    return report


def decided_changes(
    connection: psycopg.Connection[Any],
    channel: PaidChannel,
    key: dict[str, Any],
    report: ChangeReport,
    *,
    dry_run: bool = False,
    status: str = "planned",
) -> list[Claims]:
    """Today's decisions that nobody has claimed yet, each as the claims of its budgets.

    :param key: `action` and `dag_run_id`; optionally `decisions` (only these ids) and `decided_by` (who approved).
    A decision that does not fit its budgets any more is marked failed, named in the report, and claimed no more today.
    """
    sql.join_whole_sets(connection)
    unclaimed = sql.read_rows(
        connection,
        sql.render("lead_budgets/select_unclaimed.sql"),
        {"decisions": None}
        | key
        | {"channel": channel.name, "dry_run": dry_run, "status": "dry_run" if dry_run else status},
    )
    connection.commit()
    found = []
    for _, group in groupby(unclaimed, key=lambda row: row["decision_id"]):
        budgets = list(group)
        try:
            found.append(_claims(budgets, channel, key))
        except ValueError as error:
            _refuse(connection, budgets[0], str(error), report)
    return found


def claim(connection: psycopg.Connection[Any], decided: list[Claims]) -> tuple[set[UUID], list[tuple[Claims, str]]]:
    """Claim each decision in a transaction of its own, so that one that cannot be claimed keeps back no other.

    :returns: the ids of the claims made; the decisions of which nothing was claimed, each with the reason.
    """
    from psycopg.errors import CheckViolation, ObjectNotInPrerequisiteState

    made: set[UUID] = set()
    refused: list[tuple[Claims, str]] = []
    for claims in decided:
        try:
            with connection.transaction():
                ids = [_insert(connection, row) for row in claims]
            connection.commit()
        except AlreadyClaimed as error:
            refused.append((claims, str(error)))
        except (CheckViolation, ObjectNotInPrerequisiteState) as error:
            said = (error.diag.message_primary, error.diag.message_hint)
            refused.append((claims, ". ".join(words for words in said if words)))
        else:
            made.update(ids)
    return made, refused


def _insert(connection: psycopg.Connection[Any], row: dict[str, Any]) -> UUID:
    inserted = connection.execute(sql.render("lead_budgets/insert_channel_orchestration_log.sql"), row).fetchone()
    if inserted is None:
        raise AlreadyClaimed(
            f"budget {row['budget_id']} has another change open, or had its change of this kind today; left alone"
        )
    return cast("UUID", inserted[0])


def claim_decisions(
    connection: psycopg.Connection[Any],
    channel: PaidChannel,
    decided: list[Claims],
    switches: Switches,
    report: ChangeReport,
) -> set[UUID]:
    """Claim decisions that are within the shared limits as they are now; the report names the others, whose plans say
    failed. Returns the ids of the claims made.
    """
    total, increase = room_taken(connection, channel.name)
    within: list[Claims] = []
    for claims in decided:
        step = sum((row["new_value"] - row["old_value"] for row in claims), Decimal(0))
        if step > 0 and (why := _beyond_limits(switches, total, increase, step)):
            _refuse(connection, claims[0], why, report)
            continue
        total, increase = total + max(step, 0), increase + max(step, 0)
        within.append(claims)
    made, refused = claim(connection, within)
    for claims, why in refused:
        _refuse(connection, claims[0], why, report)
    return made


def room_taken(connection: psycopg.Connection[Any], name: str) -> tuple[Decimal, Decimal]:
    """What the shared limits already carry, in EUR a day: all budgets with their open increases, today's increases."""
    row = connection.execute(sql.render("lead_budgets/select_room.sql"), {"channel": name}).fetchone()
    connection.commit()
    return cast("tuple[Decimal, Decimal]", row)


def _beyond_limits(switches: Switches, total: Decimal, increase: Decimal, step: Decimal) -> str:
    """Which limit, read just now, an increase would pass; empty where it passes none. Unknown lets nothing pass."""
    most = switches.max_daily_increase
    for words, limit, taken in (
        (*switches.total_cap, total),
        (f"max_daily_increase, now {euros(most)},", most, increase),
    ):
        if limit is None or taken + step > limit:
            return f"with +{euros(step)} {words} would be passed ({euros(taken)} taken); left alone"
    return ""


def decline(
    connection: psycopg.Connection[Any], decided: list[Claims], code: str, why: str, report: ChangeReport
) -> None:
    """Log changes that a person, or nobody in time, did not approve: claimed and closed at once, never sent."""
    for claims in decided:
        with connection.transaction():
            for row in claims:
                claimed = connection.execute(
                    sql.render("lead_budgets/insert_channel_orchestration_log.sql"), row
                ).fetchone()
                if claimed is None:  # answered already, by another run's question
                    continue
                change = replace(Change.of_claim(row), id=claimed[0])
                values = {"id": change.id, "status": "failed", "error_code": code, "error_detail": why}
                connection.execute(
                    sql.render("lead_budgets/update_channel_orchestration_log.sql"), values | {"request_id": None}
                )
                report.declined.append((change, why))
    connection.commit()


def validate(
    connection: psycopg.Connection[Any], channel: PaidChannel, decided: list[Claims], report: ChangeReport
) -> None:
    """Show changes to the channel without making them; the report says which it would accept."""
    report.dry_run = True
    changes = [Change.of_claim(row) for claims in decided for row in claims]
    for account, of_account in _by_account(sorted(changes, key=lambda change: change.account)):
        for start in range(0, len(of_account), BATCH):
            batch = of_account[start : start + BATCH]
            outcomes = channel.set_budgets(
                account, {change.budget_id: change.new_value for change in batch}, validate_only=True
            )
            for change in batch:
                outcome = outcomes[change.budget_id]
                words = ": ".join(filter(None, [outcome.error_code, outcome.detail]))
                group = {"success": report.success, "failed": report.failed, "pending": report.pending}[outcome.status]
                group.append((change, words or "would be accepted"))
    connection.commit()


def finish(
    connection: psycopg.Connection[Any],
    channel: PaidChannel,
    action_type: str,
    dag_run_id: str,
    report: ChangeReport,
    never_sent: Collection[UUID],
    *,
    last_try: bool,
    decisions: list[str] | None = None,
) -> None:
    """Compare, apply and settle every open claim of an action, then bring the plans up to date.

    The report also names what this run was refused on an earlier try: a retry must not look better than its run.

    :param never_sent: the claims that this very call made. Any other may have been sent by a process that died.
    :param decisions: only these decisions were this task's to make; None = every one of the run.
    """
    for account, changes in _by_account(_open_changes(connection, channel.name, action_type)):
        _finish(connection, channel, account, changes, report, never_sent, last_try)
        _report_overwritten_edits(connection, channel, account, report)
    _update_plans(connection, channel.name)
    earlier = connection.execute(
        sql.render("lead_budgets/select_failed_changes.sql"),
        {"channel": channel.name, "action_type": action_type, "dag_run_id": dag_run_id, "decisions": decisions},
    ).fetchall()
    connection.commit()
    now = {change.id for change, _ in report.failed}
    report.failed += [(Change(*row[:-1]), f"on an earlier try: {row[-1]}") for row in earlier if row[0] not in now]


def _update_plans(connection: psycopg.Connection[Any], name: str) -> None:
    """Bring the status and the actual budget of today's plans up to date with the log."""
    sql.join_whole_sets(connection)
    connection.execute(sql.render("lead_budgets/update_lead_segment_plans_settled.sql"), {"channel": name})


def _refuse(connection: psycopg.Connection[Any], row: dict[str, Any], why: str, report: ChangeReport) -> None:
    connection.execute(
        sql.render("lead_budgets/update_lead_segment_plans_refused.sql"), {"segment_id": row["segment_id"]}
    )
    connection.commit()
    report.unclaimed.append(f"{row['segment']}: {why}")


def _claims(budgets: list[dict[str, Any]], channel: PaidChannel, key: dict[str, Any]) -> Claims:
    """The claims of one decision. Raises ValueError where it no longer fits its budgets or its limits."""
    now = sum((row["amount"] for row in budgets), Decimal(0))
    decided, wanted = budgets[0]["old_budget"], budgets[0]["new_budget"]
    if now != decided:
        # Sent against another amount, the same new budget would be another step, perhaps in the other direction.
        raise ValueError(f"its budget was {euros(decided)} when decided and is {euros(now)} now; it was left alone")
    cap = budgets[0]["max_daily_budget"]
    if wanted > decided and not (cap is not None and wanted <= cap):
        raise ValueError(f"its cap is {euros(cap)} now, below the {euros(wanted)} that was decided; left alone")
    if wanted > decided and budgets[0]["capacity_lost"]:
        raise ValueError("its partners' capacity fell by more than 20% or was lost since it was decided; left alone")
    shares = shares_of(budgets, wanted, channel.billable_unit)
    if small := [budget for budget, share in shares.items() if share < channel.billable_unit]:
        raise ValueError(f"budget {', '.join(small)} would fall below {euros(channel.billable_unit)}; left alone")
    return [
        row
        | {
            "channel": channel.name,
            "action_type": f"budget_{key['action']}",
            "old_value": row["amount"],
            "new_value": shares[row["budget_id"]],
            "dag_run_id": key["dag_run_id"],
            "kind": "plan",
            "reverts": None,
            "decided_by": key.get("decided_by"),
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
    never_sent: Collection[UUID],
    last_try: bool,
) -> None:
    """Compare, apply and settle one account's open changes; an account that cannot be read leaves its rows open."""
    try:
        to_send = _compare(connection, channel, account, changes, report, never_sent)
        for start in range(0, len(to_send), BATCH):
            _apply(connection, channel, account, to_send[start : start + BATCH], report, last_try)
    except LeadDemandError as error:
        log.warning("Account %s: %s", account, error)
        known = (report.success, report.failed, report.pending, report.stopped)
        seen = {change.id for group in known for change, _ in group}
        if isinstance(error, SourceRefused):
            report.refusing.add(account)
        report.pending += [(change, str(error)) for change in changes if change.id not in seen]


def _compare(
    connection: psycopg.Connection[Any],
    channel: PaidChannel,
    account: str,
    changes: list[Change],
    report: ChangeReport,
    never_sent: Collection[UUID],
) -> list[Change]:
    """Close what needs no sending, and return the changes whose budget still is what was decided on.

    A budget at its old amount says nothing of a change that may have been sent before: it may have taken effect, and
    somebody may have put it back. Such a change is looked up in the change history before it is sent once more.
    """
    live = _live(connection, channel, account, changes)
    to_send = []
    moved = []
    overtaken = _overtaken(channel, account, [c for c in changes if _is_in_doubt(c, live, never_sent)], live)
    for change in changes:
        amount = live.get(change.budget_id)
        if amount == change.new_value:
            _close(connection, change, Outcome(True, detail="already in force"), report)
        elif change.id in overtaken:
            _close(connection, change, Outcome(True, detail=overtaken[change.id]), report)
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
    who = channel.foreign_changes(account, FOREIGN_CHANGE_DAYS) if moved else {}
    for change, amount in moved:
        at, by = who.get(change.budget_id, ("at an unknown time", "somebody"))
        detail = f"{by} set it to {euros(amount)} ({at}); it was {euros(change.old_value)} when decided. Left alone."
        _close(connection, change, Outcome(False, "changed_by_somebody_else", detail), report)
    return to_send


def _is_in_doubt(change: Change, live: Mapping[str, Decimal], never_sent: Collection[UUID]) -> bool:
    """Whether a change that is not in force may have been, before somebody set the budget over."""
    amount = live.get(change.budget_id)
    return amount != change.new_value and not (amount == change.old_value and change.id in never_sent)


def _overtaken(
    channel: PaidChannel, account: str, changes: list[Change], live: Mapping[str, Decimal]
) -> dict[UUID, str]:
    """Of changes that are not in force: those that took effect all the same, and that somebody then set over.

    A send without an answer, or one whose sender died, may have been overtaken before anybody read it back. Only the
    change history knows; what it does not show yet (Google may take three minutes) counts as not applied.
    """
    if not changes:
        return {}
    ours = channel.own_changes(account, FOREIGN_CHANGE_DAYS)
    return {
        change.id: f"applied at {at:%Y-%m-%d %H:%M}, then set to {euros(live.get(change.budget_id))} by somebody else"
        for change in changes
        for at, amount in ours.get(change.budget_id, [])
        if amount == change.new_value and at >= change.claimed_at - CLOCK_SKEW
    }


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
            definite = {change.id for change in remaining} - doubtful
            remaining = _compare(connection, channel, account, remaining, report, definite)
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
        remaining = _sendable(connection, channel, remaining, switches, report, doubtful)
        if not remaining:
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
    _leave_or_close(connection, channel, account, waiting, report, doubtful, last_try)


def _sendable(
    connection: psycopg.Connection[Any],
    channel: PaidChannel,
    changes: list[Change],
    switches: Switches,
    report: ChangeReport,
    doubtful: Collection[UUID],
) -> list[Change]:
    """The changes that may be sent at this moment. The others are closed as failed, each with a finding for a person.

    One that was sent without an answer is not closed: what it may still do is read back by the next try.
    """
    values = {
        "channel": channel.name,
        "unit": channel.billable_unit,
        "total_cap_words": switches.total_cap[0],
        "total_daily_cap": switches.total_cap[1],
        "max_daily_increase": switches.max_daily_increase,
        "approval_threshold": switches.approval_threshold,
        "approve": APPROVE,
    }
    rows = connection.execute(sql.render("lead_budgets/select_sendable.sql"), values).fetchall()
    connection.commit()
    judged = {row[0]: row[1:] for row in rows}
    sendable = []
    for change in changes:
        if change.id not in judged:
            report.pending.append((change, "its row was closed meanwhile, or its day is over; nothing was sent"))
            continue
        code, detail = judged[change.id]
        if code is None:
            sendable.append(change)
        elif change.id in doubtful:
            report.pending.append((change, f"no definite answer yet, and not sent again: {code}: {detail}"))
        else:
            findings.record(connection, [_refusal(change, refusal_of(code), detail)])
            _close(connection, change, Outcome(False, code, detail), report)
    return sendable


def _refusal(change: Change, refusal: Refusal, detail: str) -> findings.Finding:
    return findings.Finding(
        refusal,
        "stop",
        f"The {change.action_type} of {change.segment} from {euros(change.old_value)} to {euros(change.new_value)} "
        f"(log row {change.id}) was not sent: {detail}.",
        refusal.what_to_do,
        segment_id=str(change.segment_id),
        channel=change.channel,
        date=change.claimed_at.astimezone(AMSTERDAM).date(),
        subject=f"{change.account}/{change.budget_id}",
    )


def _report_overwritten_edits(
    connection: psycopg.Connection[Any], channel: PaidChannel, account: str, report: ChangeReport
) -> None:
    """Name every edit by a person that fell between our compare and our send: no API can prevent it, so it is told.

    Google shows such an edit up to some minutes later; what is not seen here is found when the budgets are read next.
    """
    if not any(change.account == account for change, _ in report.success):
        return
    try:
        edits = channel.foreign_changes(account, 1)
    except LeadDemandError as error:
        log.warning("The change history of account %s could not be read: %s", account, error)
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            sql.render("lead_budgets/insert_pipeline_findings_overwritten.sql"),
            [
                {"channel": channel.name, "budget_id": budget, "changed_at": at, "changed_by": by}
                for budget, (at, by) in sorted(edits.items())
            ],
        )
    connection.commit()


def _leave_or_close(
    connection: psycopg.Connection[Any],
    channel: PaidChannel,
    account: str,
    waiting: list[tuple[Change, Outcome]],
    report: ChangeReport,
    doubtful: set[UUID],
    last_try: bool,
) -> None:
    """After the last look: what turned out to be in force is a success; a repeated no is final only on the last try."""
    outcome_of = {change.id: outcome for change, outcome in waiting}
    changes = [change for change, _ in waiting]
    for change in _compare(connection, channel, account, changes, report, set(outcome_of) - doubtful):
        outcome = outcome_of[change.id]
        if outcome.applied is False and last_try:
            _close(connection, change, replace(outcome, retry_after=None), report)
        else:
            report.pending.append((change, f"{outcome.error_code}: {outcome.detail}"))


def _live(
    connection: psycopg.Connection[Any], channel: PaidChannel, account: str, changes: list[Change]
) -> dict[str, Decimal]:
    wanted = [change.budget_id for change in changes]
    live = channel.live_amounts(account, wanted)
    if missing := [budget for budget in wanted if budget not in live]:
        # An answer may lack rows; what is decided on the absence of a budget is decided for good, so it is asked twice.
        live |= channel.live_amounts(account, missing)
    with connection.cursor() as cursor:
        cursor.executemany(
            sql.render("lead_budgets/update_channel_budgets.sql"),
            [{"channel": channel.name, "budget_id": budget, "amount": amount} for budget, amount in live.items()],
        )
    connection.commit()
    return live


def _close(connection: psycopg.Connection[Any], change: Change, outcome: Outcome, report: ChangeReport) -> None:
    """Close one claim for good, each in its own transaction: what is known must survive whatever comes next.

    A row that a person closed meanwhile stays as it is, and counts as failed: the log may not say what is in force.
    """
    closed = connection.execute(
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
    if not closed.rowcount:
        words += "; but somebody had closed its row by hand, and what the log says of it may not be so"
    (report.success if outcome.applied and closed.rowcount else report.failed).append((change, words))
