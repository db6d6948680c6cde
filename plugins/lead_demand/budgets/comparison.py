"""What the account says of claimed changes: what is in force, what was overwritten, and by whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from lead_demand.budgets.changes import Change
from lead_demand.channels.paid import FOREIGN_CHANGE_DAYS, Outcome, PaidChannel
from lead_demand.text import euros

# How far Google's clock may be behind the database's.
CLOCK_SKEW = timedelta(minutes=5)


def live_amounts(channel: PaidChannel, account: str, changes: Sequence[Change]) -> dict[str, Decimal]:
    """The amounts in force now, by budget; a budget that is gone is absent."""
    wanted = [change.budget_id for change in changes]
    live = channel.live_amounts(account, wanted)
    if missing := [budget for budget in wanted if budget not in live]:
        # An answer may lack rows; what is decided on the absence of a budget is final, so it is asked twice.
        live |= channel.live_amounts(account, missing)
    return live


def in_doubt(change: Change, amount: Decimal | None, never_sent: Collection[UUID]) -> bool:
    """Whether a change that is not in force may have been, before the budget was overwritten."""
    return amount != change.new_value and not (amount == change.old_value and change.id in never_sent)


def overwritten(
    channel: PaidChannel, account: str, changes: Sequence[Change], live: Mapping[str, Decimal]
) -> dict[UUID, str]:
    """Of changes that are not in force: those that took effect all the same and were later overwritten by somebody
    else, each in words.

    A send without an answer, or one whose sender died, may have been overwritten before it was read back. Only the
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


def moved(change: Change, amount: Decimal, edit: tuple[str, str] | None) -> Outcome:
    """The outcome of a change whose budget somebody else has set.

    :param edit: when and by whom, as the account's change history says.
    """
    at, by = edit or ("at an unknown time", "somebody")
    detail = f"{by} set it to {euros(amount)} ({at}); it was {euros(change.old_value)} when decided. Left alone."
    return Outcome(False, "changed_by_somebody_else", detail)
