"""Large increases: one question to a person per run, and what becomes of each answer.

An increase above `approval_threshold` (the comparison: `planner.shared_limits`) is not sent with the others. It waits
for an answer in Airflow until `approval_deadline`; no answer, or a later one, is a no. Each change gets its row in the
log, with who decided; under the kill switch and in a dry run an approved one gets none, and the next run asks again.

Nothing that a user of Airflow can edit is believed: no XCom, no state of a task. What was shown is kept in
`approval_questions`, and so is the answer, as Airflow hands it to the very task instance that asked: it copies its
record of the question (`hitl_detail`) in the transaction that stores the response, and only the asking task can read
that record. Without an answer in there nothing is approved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lead_demand.budgets.approval_questions import deadline, left_out, recorded_answer
from lead_demand.budgets.changes import ChangeReport, Claims
from lead_demand.budgets.decisions import claim_within_limits, decided_claims
from lead_demand.budgets.hitl_record import APPROVE
from lead_demand.budgets.protocol import BudgetProtocol
from lead_demand.database import sql
from lead_demand.errors import AnswerUnusable

if TYPE_CHECKING:
    import psycopg

REJECTED, EXPIRED = "approval_rejected", "approval_expired"


def decide(channel: str, dag_run_id: str, *, last_try: bool = False) -> ChangeReport:
    """Send what was approved, and log what was not as failed with who said no.

    Only the changes that the run's last question showed are touched, whatever else waits by now.
    Raises AnswerUnusable where nothing counts as an answer, such as an approval that leaves out what was not shown,
    and ChangesUnsettled, ChangesLeftOpen or ChangesFailed like every other change.
    """
    answer = recorded_answer(channel, dag_run_id)
    until = deadline()
    excluded, unclear = left_out(answer.form, answer.shown.values())
    if not answer.chosen:
        verdict, why = EXPIRED, f"nobody was asked: it was decided after {until.isoformat()}"
    elif answer.who is None:
        verdict, why = EXPIRED, f"nobody answered by {until.isoformat()}"
    elif answer.responded_at is None or answer.responded_at > until:
        # Airflow closes the question itself, but for as long as its scheduler is down the form stays open.
        at = answer.responded_at or "an unknown time"
        verdict, why = EXPIRED, f"{answer.who} answered at {at}, after {until.isoformat()}"
    elif list(answer.chosen) != [APPROVE]:
        verdict, why = REJECTED, f"rejected by {answer.who}"
    elif unclear:
        raise AnswerUnusable(f"{answer.who} approved, but {unclear}.")
    else:
        verdict, why = None, ""
    approved = [key for key, code in answer.shown.items() if verdict is None and code not in excluded]
    refused = [key for key in answer.shown if key not in approved]

    with BudgetProtocol.alone(channel, "budget_increase", dag_run_id, last_try=last_try) as protocol:
        report = protocol.report

        def waiting_claims(decisions: Sequence[str]) -> list[Claims]:
            return decided_claims(
                protocol, "increase", status="waiting_approval", decisions=decisions, decided_by=answer.who
            )

        def claim(decided: Sequence[Claims]) -> None:
            claim_within_limits(protocol, decided)
            _name_unclaimed(
                protocol.connection, {key: answer.shown[key] for key in approved}, f"approved by {answer.who}", report
            )

        if refused:
            protocol.decline(waiting_claims(refused), verdict or REJECTED, why or f"left out by {answer.who}")
        if approved:
            protocol.carry_out(lambda _: waiting_claims(approved), claim, list(answer.shown))
        else:
            protocol.finish(list(answer.shown))
    report.raise_for("approved budget increase(s)")
    return report


def _name_unclaimed(
    connection: psycopg.Connection[Any], approved: Mapping[str, str], words: str, report: ChangeReport
) -> None:
    """Name what was approved and could not be claimed any more, unless the report does so already."""
    rows = connection.execute(sql.render("lead_budgets/select_claimed.sql"), {"decisions": list(approved)})
    claimed = {str(row[0]) for row in rows}
    connection.commit()
    named = {line.partition(":")[0] for line in report.unclaimed}
    report.unclaimed += [
        f"{code}: {words}; its campaign, its automation or its plan changed since it was asked, so nothing was sent"
        for key, code in approved.items()
        if key not in claimed and code not in named
    ]
