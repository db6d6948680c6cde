"""Large increases: one question to a person a run, and what becomes of each answer.

An increase above `approval_threshold` is not sent with the others. It waits for an answer in Airflow until
`approval_deadline`; no answer, or a later one, is a no. Each change gets its row in the log, with who decided; under
the kill switch and in a dry run an approved one gets none, and the next run asks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lead_demand import budgets, channels, day, sql
from lead_demand.operators import APPROVE
from lead_demand.switches import read_switches

if TYPE_CHECKING:
    import psycopg

REJECTED, EXPIRED = "approval_rejected", "approval_expired"


@dataclass(frozen=True)
class LargeChange:
    """One increase that waits. Money in EUR a day, leads in generated leads a day."""

    decision_id: str
    segment: str
    old_budget: Decimal
    new_budget: Decimal
    expected: Decimal | None
    target: Decimal | None
    sentence: str


def waiting(name: str) -> list[LargeChange]:
    """Today's increases that wait for a person, the largest first."""
    with sql.connect() as connection:
        rows = connection.execute(sql.render("lead_budgets/select_large_changes.sql"), {"channel": name}).fetchall()
    return [LargeChange(*row) for row in rows]


def deadline(now: datetime | None = None) -> datetime:
    """Today's last moment for an answer. A deadline that cannot be read has passed."""
    now = now or datetime.now(tz=day.AMSTERDAM)
    with sql.connect() as connection:
        until = read_switches(connection).approval_deadline
    return now if until is None else datetime.combine(day.today(now), until, tzinfo=day.AMSTERDAM)


def question(name: str) -> dict[str, Any]:
    """What the form shows: `subject`, `body` (Markdown), `deadline` (ISO 8601), `decisions` (id -> segment code)."""
    changes = waiting(name)
    until = deadline()
    total = sum((change.new_budget - change.old_budget for change in changes), Decimal(0))
    table = [
        "| segment | now | proposed | step | expected leads | target | why |",
        "|---|--:|--:|--:|--:|--:|---|",
        *(
            f"| {change.segment} | {budgets.euros(change.old_budget)} | **{budgets.euros(change.new_budget)}** "
            f"| +{budgets.euros(change.new_budget - change.old_budget)} | {_leads(change.expected)} "
            f"| {_leads(change.target)} | {change.sentence.replace('|', '/')} |"
            for change in changes
        ),
    ]
    return {
        "subject": f"{len(changes)} large budget increase(s), together +{budgets.euros(total)} a day",
        "body": "\n".join(
            [
                *table,
                "",
                f"**Approve** sends them at once, except the segments under *Leave out*. **Reject**, or no answer by "
                f"{until:%H:%M} today, leaves every budget in this list as it is. The smaller changes of this morning "
                "do not wait for this.",
            ]
        ),
        "deadline": until.isoformat(),
        "decisions": {change.decision_id: change.segment for change in changes},
    }


def decide(
    asked: Mapping[str, Any], answer: Mapping[str, Any], name: str, dag_run_id: str, *, last_try: bool = False
) -> budgets.ChangeReport:
    """Send what was approved, and log what was not as failed with who said no.

    :param asked: what `question` gave. Only these changes are touched, whatever else waits by now.
    :param answer: Airflow's: `chosen_options`, `params_input` (`leave_out`: codes), `responded_by_user` (None = the
        deadline decided), `responded_at`.
    A name under `leave_out` that is not in the list rejects everything: whoever wrote it meant something.
    Raises ChangesUnsettled, ChangesLeftOpen or ChangesFailed like every other change.
    """
    user = answer["responded_by_user"]
    who = (user.get("name") or user["id"]) if user else None
    left_out = {str(code).strip() for code in (answer["params_input"] or {}).get("leave_out") or []} - {""}
    unknown = left_out - set(asked["decisions"].values())
    at = _moment(answer.get("responded_at"))
    if who is None:
        verdict, why = EXPIRED, f"nobody answered by {asked['deadline']}"
    elif at is None or at > datetime.fromisoformat(asked["deadline"]):
        # Airflow closes the question itself, but for as long as its scheduler is down the form stays open.
        verdict, why = EXPIRED, f"{who} answered at {at or 'an unknown time'}, after {asked['deadline']}"
    elif unknown:
        verdict, why = REJECTED, f"{', '.join(sorted(unknown))} under Leave out is not in the list, so nothing was sent"
    elif list(answer["chosen_options"]) != [APPROVE]:
        verdict, why = REJECTED, f"rejected by {who}"
    else:
        verdict, why = None, ""
    approved = [key for key, code in asked["decisions"].items() if verdict is None and code not in left_out]
    refused = [key for key in asked["decisions"] if key not in approved]

    channel = channels.get_paid(name)
    report = budgets.ChangeReport()
    made: set[UUID] = set()
    with budgets.working_alone(name), sql.connect() as connection:
        key = {"action": "increase", "dag_run_id": dag_run_id, "decided_by": who}
        switches = read_switches(connection)
        if refused:
            wanted = key | {"decisions": refused}
            budgets.decline(
                connection,
                budgets.decided_changes(connection, channel, wanted, report, status="waiting_approval"),
                verdict or REJECTED,
                why or f"left out by {who}",
                report,
            )
        if not switches.changes_allowed or switches.dry_run:
            report.switched_off = bool(approved)
        elif approved:
            wanted = key | {"decisions": approved}
            decided = budgets.decided_changes(connection, channel, wanted, report, status="waiting_approval")
            made = budgets.claim_decisions(connection, channel, decided, switches, report)
            _name_unclaimed(
                connection, {key: asked["decisions"][key] for key in approved}, f"approved by {who}", report
            )
        budgets.finish(
            connection,
            channel,
            "budget_increase",
            dag_run_id,
            report,
            made,
            last_try=last_try,
            decisions=list(asked["decisions"]),
        )
    budgets.raise_for(report, "approved budget increase(s)")
    return report


def _name_unclaimed(
    connection: psycopg.Connection[Any], approved: Mapping[str, str], words: str, report: budgets.ChangeReport
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


def _moment(value: Any) -> datetime | None:
    """Airflow gives a datetime, or its ISO form once it went through the database."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _leads(number: Decimal | None) -> str:
    return "–" if number is None else f"{number:.1f}"
