"""What must hold of the log, whatever went wrong: checked against what the stand-in world says really happened.

`contradictions` is a pure function of the evidence, so that any test may use it: a single case, or a random sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox import catalogue
from tests.fixtures.morning import Morning


@dataclass(frozen=True)
class Evidence:
    """One day: what was decided, what the log says, and what happened to the budgets.

    `claims`: rows of channel_orchestration_log with the segment's `code`. `edits`: rows of the world's change history,
    oldest first. `live`: micros by budget. `decisions`: today's decisions that may move a budget, by segment.
    `plans`: today's plans by segment.
    """

    claims: list[dict[str, Any]]
    edits: list[dict[str, Any]]
    live: dict[str, int]
    decisions: dict[str, dict[str, Any]]
    plans: dict[str, dict[str, Any]]


def gather(morning: Morning) -> Evidence:
    """The evidence of a test's database and world."""
    return Evidence(
        claims=morning.log(),
        edits=morning.sandbox.changes(),
        live=morning.sandbox.budgets(),
        decisions={
            code: row
            for code, row in morning.decisions().items()
            if row["action"] != "hold" and not row["is_blocked"] and not row["is_dry_run"]
        },
        plans=morning.plans(),
    )


def contradictions(evidence: Evidence, *, settled: bool) -> list[str]:
    """Every way in which the log and the world disagree, one sentence each; empty when the log tells the truth.

    :param settled: nothing stands in the way any more: no claim may be open, and no decided change unclaimed.
    """
    edits_of: dict[str, list[dict[str, Any]]] = {}
    for edit in evidence.edits:
        edits_of.setdefault(edit["resource_name"], []).append(edit)
    found = []
    for claim in evidence.claims:
        found += _of_claim(claim, edits_of.get(claim["external_id"], []), evidence.live, settled)
    claimed = {claim["external_id"] for claim in evidence.claims}
    for budget, edits in edits_of.items():
        ours = [edit for edit in edits if edit["user_email"] == catalogue.PIPELINE_USER]
        if len(ours) > 1:
            found.append(f"{budget} was changed {len(ours)} times in one day: {_steps(ours)}")
        if ours and budget not in claimed:
            found.append(f"{budget} was changed and the log has no claim of it: {_steps(ours)}")
    rows = [claim["external_id"] for claim in evidence.claims]
    found += [f"{budget} has {rows.count(budget)} claims of one day" for budget in set(rows) if rows.count(budget) > 1]
    for code, decision in evidence.decisions.items():
        claims = [claim for claim in evidence.claims if claim["code"] == code]
        found += _of_decision(code, decision, claims, evidence.plans.get(code, {}), settled)
    return found


def _of_claim(claim: dict[str, Any], edits: list[dict[str, Any]], live: dict[str, int], settled: bool) -> list[str]:
    name, old, new = claim["external_id"], _micros(claim["old_value"]), _micros(claim["new_value"])
    ours = [edit for edit in edits if edit["user_email"] == catalogue.PIPELINE_USER]
    found = []
    if claim["status"] == "success":
        if not any(edit["new_micros"] == new for edit in edits):
            found.append(f"{name}: the log says success, and {new} was never in force")
        elif live[name] != new and edits[-1]["user_email"] == catalogue.PIPELINE_USER:
            found.append(f"{name}: the log says success, {live[name]} is in force and not {new}")
    elif claim["status"] == "failed" and ours:
        found.append(f"{name}: the log says failed ({claim['error_code']}), and it was changed: {_steps(ours)}")
    elif claim["status"] == "pending" and settled:
        found.append(f"{name}: the claim is still open, and nothing stands in the way of settling it")
    for edit in ours:
        if edit["new_micros"] != new:
            found.append(f"{name} was set to {edit['new_micros']}, the claim says {new}")
        if datetime.fromisoformat(edit["at"]) < claim["created_at"]:
            found.append(f"{name} was changed at {edit['at']}, before it was claimed at {claim['created_at']}")
        by_a_person = any(other["new_micros"] == edit["old_micros"] for other in edits if other not in ours)
        if edit["old_micros"] != old and not by_a_person:
            found.append(f"{name}: the change was decided on {old} and sent against {edit['old_micros']}")
    return found


def _of_decision(
    code: str, decision: dict[str, Any], claims: list[dict[str, Any]], plan: dict[str, Any], settled: bool
) -> list[str]:
    found = []
    statuses = {claim["status"] for claim in claims}
    said = plan.get("orchestration_status")
    if settled and not claims and said != "failed":
        found.append(f"{code}: an {decision['action']} was decided and never claimed; its plan says {said}")
    if settled and claims:
        expected = "failed" if "failed" in statuses else "applied"
        if said != expected:
            found.append(f"{code}: its plan says {said}, its claims {sorted(statuses)}")
    if statuses == {"success"}:
        total = sum((claim["new_value"] for claim in claims), Decimal(0))
        others = decision["old_budget"] - sum((claim["old_value"] for claim in claims), Decimal(0))
        if total + others != decision["new_budget"]:
            found.append(f"{code}: its claims add up to {total + others}, and {decision['new_budget']} was decided")
    return found


def _micros(amount: Decimal) -> int:
    return int(amount * 1_000_000)


def _steps(edits: list[dict[str, Any]]) -> str:
    return ", ".join(f"{edit['old_micros']} → {edit['new_micros']}" for edit in edits)
