"""What an earlier run left open is read back, before anything new is planned."""

from __future__ import annotations

from lead_demand.budgets.changes import Change, ChangeReport
from lead_demand.budgets.comparison import overwritten
from lead_demand.budgets.protocol import BudgetProtocol
from lead_demand.channels.paid import Outcome
from lead_demand.errors import LeadDemandError
from lead_demand.text import euros


def settle_open_changes(channel: str) -> ChangeReport:
    """Read back every claim of a channel that is still open.

    In force as claimed: closed as success. A claim of an earlier day that is not in force is closed as failed and
    never sent again. A claim of today that is not in force stays open: the apply task of the same day finishes it
    (`BudgetProtocol.compare` and `apply`).
    """
    with BudgetProtocol.alone(channel) as protocol:
        for account, changes in protocol.open_changes():
            try:
                protocol.settle(_read_back(protocol, account, changes))
            except LeadDemandError as error:
                # Its segments hold while their claims are open; the other accounts go on.
                protocol.report.pending += [(change, str(error)) for change in changes]
        protocol.update_plans()
    return protocol.report


def _read_back(protocol: BudgetProtocol, account: str, changes: list[Change]) -> list[tuple[Change, Outcome]]:
    """The definite outcomes; the report names what has none yet."""
    live = protocol.live(account, changes)
    elsewhere = [change for change in changes if live.get(change.budget_id) != change.new_value]
    applied = overwritten(protocol.channel, account, elsewhere, live)
    outcomes = []
    for change in changes:
        amount = live.get(change.budget_id)
        if amount == change.new_value:
            outcomes.append((change, Outcome(True, detail="found in force when read back")))
        elif change.id in applied:
            outcomes.append((change, Outcome(True, detail=applied[change.id])))
        elif not change.is_today:
            detail = f"{euros(amount)} is in force on a later day; {euros(change.new_value)} was never applied"
            outcomes.append((change, Outcome(False, "not_applied", detail)))
        else:
            protocol.report.pending.append((change, "still open; the apply task of today goes on with it"))
    return outcomes
