"""The rows of the protocol: claims in `channel_orchestration_log`, amounts in `channel_budgets`, plans of today.

Each function is one set-based statement; none commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lead_demand.budgets.changes import BudgetStep, Change, Claims
from lead_demand.database import sql
from lead_demand.planner.finding_codes import ADVICE

if TYPE_CHECKING:
    import psycopg

    from lead_demand.channels.paid import Outcome


class PartlyClaimed(Exception):
    """Of what is claimed together, some could be claimed and some could not. Nothing of it may be."""


def insert(connection: psycopg.Connection[Any], decided: Sequence[Claims]) -> list[Change]:
    """Claim each group of claims; one of which a budget is claimed already is left out as a whole.

    Raises PartlyClaimed, and CheckViolation or ObjectNotInPrerequisiteState for what the guards of the log refuse:
    nothing of `decided` is then claimed.
    """
    claims = [(group, claim) for group, together in enumerate(decided) for claim in together]
    rows = [{"place": place, "claim_group": group} | asdict(claim) for place, (group, claim) in enumerate(claims)]
    statement = sql.render("lead_budgets/insert_channel_orchestration_log.sql")
    inserted = sql.read_rows(connection, statement, {"claims": sql.as_json(rows)})
    found = {(row["segment_id"], row["budget_id"]): row for row in inserted}
    for together in decided:
        if 0 < sum((claim.segment_id, claim.budget_id) in found for claim in together) < len(together):
            raise PartlyClaimed
    steps = [field.name for field in fields(BudgetStep)]
    return [
        Change(id=row["id"], claimed_at=row["claimed_at"], **{name: getattr(claim, name) for name in steps})
        for _, claim in claims
        if (row := found.get((claim.segment_id, claim.budget_id)))
    ]


def close(connection: psycopg.Connection[Any], outcomes: Sequence[tuple[Change, Outcome]]) -> set[UUID]:
    """Close claims for good. Returns the ids of those that were still open."""
    rows = [
        {
            "id": change.id,
            "status": outcome.status,
            "error_code": outcome.error_code,
            "error_detail": outcome.detail,
            "request_id": outcome.request_id,
        }
        for change, outcome in outcomes
    ]
    statement = sql.render("lead_budgets/update_channel_orchestration_log.sql")
    return {row[0] for row in connection.execute(statement, {"outcomes": sql.as_json(rows)})}


def open_changes(
    connection: psycopg.Connection[Any], channel: str, action_type: str | None
) -> list[tuple[str, list[Change]]]:
    """The claims without an outcome, by account: of one action those of today, of None every one."""
    statement = sql.render("lead_budgets/select_open_changes.sql")
    rows = sql.read_rows(connection, statement, {"channel": channel, "action_type": action_type})
    changes = [Change(**row) for row in rows]
    return [(account, list(group)) for account, group in groupby(changes, key=lambda change: change.account)]


def refused_in_run(
    connection: psycopg.Connection[Any],
    channel: str,
    action_type: str,
    dag_run_id: str,
    decisions: Sequence[str] | None,
) -> list[tuple[Change, str]]:
    """The changes of a run that were refused, each with the reason.

    :param decisions: only of these; None = of every one.
    """
    values = {
        "channel": channel,
        "action_type": action_type,
        "dag_run_id": dag_run_id,
        "decisions": None if decisions is None else list(decisions),
    }
    rows = sql.read_rows(connection, sql.render("lead_budgets/select_failed_changes.sql"), values)
    return [(Change(**{key: row[key] for key in row.keys() - {"words"}}), row["words"]) for row in rows]


def store_amounts(connection: psycopg.Connection[Any], channel: str, amounts: Mapping[str, Decimal]) -> None:
    """Keep the amounts that were just seen in force, by budget."""
    if amounts:
        seen = [{"budget_id": budget, "amount": amount} for budget, amount in amounts.items()]
        statement = sql.render("lead_budgets/update_channel_budgets.sql")
        connection.execute(statement, {"channel": channel, "seen": sql.as_json(seen)})


def refuse_plans(connection: psycopg.Connection[Any], segments: Sequence[UUID]) -> None:
    """Mark today's plans of segments as failed: their change cannot be claimed, and is not claimed again today."""
    statement = sql.render("lead_budgets/update_lead_segment_plans_refused.sql")
    connection.execute(statement, {"segments": list(segments)})


def update_plans(connection: psycopg.Connection[Any], channel: str) -> None:
    """Bring the status and the actual budget of today's plans up to date with the log."""
    sql.join_whole_sets(connection)
    connection.execute(sql.render("lead_budgets/update_lead_segment_plans_settled.sql"), {"channel": channel})


def record_overwritten(
    connection: psycopg.Connection[Any], channel: str, edits: Mapping[str, tuple[str | datetime, str]]
) -> None:
    """Record findings of edits by people (budget -> when, who) that fell between a compare and its send."""
    statement = sql.render("lead_budgets/insert_pipeline_findings_overwritten.sql")
    with connection.cursor() as cursor:
        cursor.executemany(
            statement,
            [
                {"channel": channel, "budget_id": budget, "changed_at": at, "changed_by": by, "advice": ADVICE}
                for budget, (at, by) in sorted(edits.items())
            ],
        )
