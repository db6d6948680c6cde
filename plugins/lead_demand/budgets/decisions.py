"""Today's decisions on their way into the log: which claims each becomes, and how one direction of them is applied."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lead_demand.budgets.changes import ChangeReport, Claim, Claims
from lead_demand.budgets.limits_now import beyond_limits, month_room, room_taken
from lead_demand.budgets.protocol import BudgetProtocol
from lead_demand.budgets.shares import shares_of
from lead_demand.database import sql
from lead_demand.text import euros

if TYPE_CHECKING:
    from lead_demand.channels.paid import PaidChannel


def apply_changes(action: str, channel: str, dag_run_id: str, *, last_try: bool = False) -> ChangeReport:
    """Claim and apply today's decisions of one direction (`increase` or `decrease`) on one channel.

    In a dry run the changes are only shown to the channel, which says what it would refuse; nothing is claimed.

    :param last_try: no further try follows, so a definite no that might have been retried is closed as failed.
    Raises ChangesUnsettled where a further try is needed, ChangesLeftOpen where an account refuses to be read,
    ChangesFailed where a change was refused for good, now or on an earlier try of the same run. Either way the other
    changes went through and the log says so.
    """
    with BudgetProtocol.alone(channel, f"budget_{action}", dag_run_id, last_try=last_try) as protocol:
        protocol.carry_out(
            lambda dry_run: decided_claims(protocol, action, dry_run=dry_run),
            lambda decided: claim_within_limits(protocol, decided),
        )
    protocol.report.raise_for(f"budget {action}(s)")
    return protocol.report


def decided_claims(
    protocol: BudgetProtocol,
    action: str,
    *,
    dry_run: bool = False,
    status: str = "planned",
    decisions: Sequence[str] | None = None,
    decided_by: str | None = None,
) -> list[Claims]:
    """Today's decisions that nobody has claimed yet, each as the claims of its budgets.

    A decision that does not fit its budgets any more is marked failed, named in the report, and claimed no more today.

    :param status: of the plans to look at. :param decisions: only these ids. :param decided_by: who approved them.
    """
    connection = protocol.connection
    sql.join_whole_sets(connection)
    unclaimed = sql.read_rows(
        connection,
        sql.render("lead_budgets/select_unclaimed.sql"),
        {
            "channel": protocol.channel.channel,
            "action": action,
            "dag_run_id": protocol.dag_run_id,
            "decisions": None if decisions is None else list(decisions),
            "dry_run": dry_run,
            "status": "dry_run" if dry_run else status,
        },
    )
    connection.commit()
    found, unfit = [], []
    for _, group in groupby(unclaimed, key=lambda row: row["decision_id"]):
        budgets = list(group)
        try:
            found.append(_claims(budgets, protocol.channel, action, protocol.dag_run_id, decided_by))
        except ValueError as error:
            unfit.append((budgets[0]["segment_id"], budgets[0]["segment"], str(error)))
    protocol.refuse(unfit)
    return found


def _claims(
    budgets: list[dict[str, Any]], channel: PaidChannel, action: str, dag_run_id: str, decided_by: str | None
) -> Claims:
    """The claims of one decision: its new budget divided over its budgets as they are now. Raises ValueError where they
    are not what was decided on.
    """
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
    return tuple(
        Claim(
            segment_id=row["segment_id"],
            segment=row["segment"],
            channel=channel.channel,
            account=row["account"],
            budget_id=row["budget_id"],
            action_type=f"budget_{action}",
            old_value=row["amount"],
            new_value=shares[row["budget_id"]],
            kind="plan",
            dag_run_id=dag_run_id,
            decision_id=row["decision_id"],
            decided_by=decided_by,
        )
        for row in budgets
        if shares[row["budget_id"]] != row["amount"]
    )


def claim_within_limits(protocol: BudgetProtocol, decided: Sequence[Claims]) -> None:
    """Claim the decisions that are within the shared limits as they are now; the report names the others, whose plans
    say failed.
    """
    room = room_taken(protocol.connection, protocol.channel.channel)
    months = month_room(protocol.connection, protocol.channel.channel)
    within: list[Claims] = []
    refused: list[tuple[Claims, str]] = []
    for claims in decided:
        step, segment_id = sum((claim.step for claim in claims), Decimal(0)), claims[0].segment_id
        why = months.beyond(segment_id, step) or beyond_limits(protocol.switches, room, step) if step > 0 else ""
        if why:
            refused.append((claims, why))
            continue
        room = room.with_step(step)
        months.take(segment_id, step)
        within.append(claims)
    refused += protocol.claim(within)
    protocol.refuse([(claims[0].segment_id, claims[0].segment, why) for claims, why in refused])
