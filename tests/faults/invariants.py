"""What must hold of the log, whatever went wrong: checked against what the sandbox says really happened.

`contradictions` is a pure function of the evidence, so that any test may use it: a single case, or a random sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.world import catalogue
from tests.fixtures.morning import Morning

# Why a claim is closed that no decision covers.
UNCOVERED = ("not_of_a_decision",)


@dataclass(frozen=True)
class Evidence:
    """One day: what was decided, what the log says, and what happened to the budgets.

    `claims`: rows of channel_orchestration_log with the segment's `code`, but for what people recorded. `edits`: rows
    of the world's change history, oldest first. `live`: micros by budget. `decisions`: today's decisions that may
    move a budget, by segment. `plans`: today's plans by segment. `limits`: rows of lead_segment_channels by segment.
    `max_daily_increase`: EUR. `approved`: ids of the decisions that a person approved, by Airflow's own record.
    """

    claims: list[dict[str, Any]]
    edits: list[dict[str, Any]]
    live: dict[str, int]
    decisions: dict[str, dict[str, Any]]
    plans: dict[str, dict[str, Any]]
    limits: dict[str, dict[str, Any]]
    max_daily_increase: Decimal
    approved: frozenset[str] = frozenset()


def gather(morning: Morning) -> Evidence:
    """The evidence of a test's database and world."""
    return Evidence(
        claims=[row for row in morning.log() if row["kind"] != "manual"],
        edits=morning.sandbox.changes(),
        live=morning.sandbox.budgets(),
        decisions={
            code: row
            for code, row in morning.decisions().items()
            if row["action"] != "hold" and not row["is_blocked"] and not row["is_dry_run"]
        },
        plans=morning.plans(),
        limits={
            row["code"]: row
            for row in morning.db.fetch(
                "select segments.code, limits.* from lead_segment_channels as limits "
                "join lead_segments as segments on limits.segment_id = segments.id where channel = 'google_ads'"
            )
        },
        max_daily_increase=morning.db.value("select max_daily_increase from orchestration_settings"),
        approved=frozenset(
            row["decision"]
            for row in morning.db.fetch(
                "select shown ->> 'decision_id' as decision from approval_questions "
                "cross join lateral jsonb_array_elements(asked) as shown "
                "where recorded_at is not null and chosen = array['Approve'] and responder_id is not null"
            )
        ),
    )


def contradictions(evidence: Evidence, *, settled: bool) -> list[str]:
    """Every way in which the log and the world disagree, one sentence each; empty when the log tells the truth.

    :param settled: nothing stands in the way any more: no claim may be open, and no decided change unclaimed.
    """
    found = []
    for budget in sorted(
        {row["external_id"] for row in evidence.claims} | {e["resource_name"] for e in evidence.edits}
    ):
        claims = [claim for claim in evidence.claims if claim["external_id"] == budget]
        edits = [edit for edit in evidence.edits if edit["resource_name"] == budget]
        found += _of_budget(budget, claims, edits, evidence.live[budget], settled)
    for code, decision in evidence.decisions.items():
        claims = [claim for claim in evidence.claims if claim["code"] == code and _counts(claim, evidence)]
        found += _of_decision(code, decision, claims, evidence.plans.get(code, {}), settled)
        found += _of_limits(code, decision, evidence.limits[code])
    found += _uncovered(evidence)
    planned = [claim for claim in evidence.claims if _counts(claim, evidence)]
    for claim in planned:
        decided = evidence.decisions.get(claim["code"], {}).get("action", "hold")
        if claim["action_type"] != f"budget_{decided}":
            found.append(f"{claim['code']}: a {claim['action_type']} was claimed, and the decision is {decided}")
        needs = "needs_approval" in evidence.decisions.get(claim["code"], {}).get("reasons", ())
        if needs and claim["status"] != "failed" and str(claim["decision_id"]) not in evidence.approved:
            found.append(f"{claim['code']}: a large increase was claimed, and nobody has approved it")
    steps = [claim["new_value"] - claim["old_value"] for claim in planned if claim["status"] in ("success", "pending")]
    total = sum((step for step in steps if step > 0), Decimal(0))
    if total > evidence.max_daily_increase:
        found.append(f"today's increases add up to {total}, more than {evidence.max_daily_increase}")
    return found


def _counts(claim: dict[str, Any], evidence: Evidence) -> bool:
    """Whether a row is a claim of the pipeline. One that no decision covers is none, whether it was refused already or
    is still open; that it was never sent is asked for by itself.
    """
    if claim["kind"] != "plan" or claim["error_code"] in UNCOVERED:
        return False
    return claim["status"] != "pending" or _is_decided(claim, evidence)


def _uncovered(evidence: Evidence) -> list[str]:
    """Every change that we made and that neither a decision of today nor the revert of such a change says."""
    covered = {claim["id"] for claim in evidence.claims if claim["kind"] == "plan" and _is_decided(claim, evidence)}
    amounts = {
        (claim["external_id"], _micros(claim["new_value"]))
        for claim in evidence.claims
        if claim["id"] in covered or claim.get("reverts") in covered
    }
    return [
        f"{edit['resource_name']} was set to {edit['new_micros']}, and no decision of today says so"
        for edit in evidence.edits
        if edit["user_email"] == catalogue.PIPELINE_USER and (edit["resource_name"], edit["new_micros"]) not in amounts
    ]


def _is_decided(claim: dict[str, Any], evidence: Evidence) -> bool:
    decision = evidence.decisions.get(claim["code"])
    if decision is None or claim["decision_id"] != decision["id"]:
        return False
    step, decided = claim["new_value"] - claim["old_value"], decision["new_budget"] - decision["old_budget"]
    return step * decided > 0 and abs(step) <= abs(decided)


def _of_limits(code: str, decision: dict[str, Any], limits: dict[str, Any]) -> list[str]:
    old, new = decision["old_budget"], decision["new_budget"]
    low = old * (100 - limits["max_decrease_pct"]) / 100
    high = old * (100 + limits["max_increase_pct"]) / 100
    found = []
    if not low <= new <= high:
        found.append(f"{code}: {old} → {new} is beyond its largest step")
    # A budget that is outside its limits already may come nearer to them, a step at a time.
    if (new > old and new > limits["max_daily_budget"]) or (new < old and new < limits["min_daily_budget"]):
        found.append(f"{code}: {old} → {new} is outside its floor and cap")
    return found


def _of_budget(
    name: str, claims: list[dict[str, Any]], edits: list[dict[str, Any]], live: int, settled: bool
) -> list[str]:
    ours = [edit for edit in edits if edit["user_email"] == catalogue.PIPELINE_USER]
    kinds = [claim["kind"] for claim in claims]
    found = [f"{name} has {kinds.count(kind)} claims of one day" for kind in set(kinds) if kinds.count(kind) > 1]
    if ours and not claims:
        return [f"{name} was changed and the log has no claim of it: {_steps(ours)}"]
    claimed = [_micros(claim["new_value"]) for claim in claims]
    for edit in ours:
        if edit["new_micros"] not in claimed:
            found.append(f"{name} was set to {edit['new_micros']}, the log says {claimed}")
    for claim in claims:
        found += _of_claim(claim, edits, settled)
    in_force = [claim for claim in claims if claim["status"] == "success"]
    if in_force and edits and edits[-1] in ours and live != _micros(in_force[-1]["new_value"]):
        wanted = _micros(in_force[-1]["new_value"])
        found.append(f"{name}: the log says success, {live} is in force and not {wanted}")
    return found


def _of_claim(claim: dict[str, Any], edits: list[dict[str, Any]], settled: bool) -> list[str]:
    name, old, new = claim["external_id"], _micros(claim["old_value"]), _micros(claim["new_value"])
    by_us = [edit for edit in edits if edit["user_email"] == catalogue.PIPELINE_USER]
    ours = [edit for edit in by_us if edit["new_micros"] == new]
    found = []
    if len(ours) > 1:
        found.append(f"{name} was changed {len(ours)} times in one day: {_steps(ours)}")
    if claim["status"] == "success" and not any(edit["new_micros"] == new for edit in edits):
        found.append(f"{name}: the log says success, and {new} was never in force")
    elif claim["status"] == "failed" and ours:
        found.append(f"{name}: the log says failed ({claim['error_code']}), and it was changed: {_steps(ours)}")
    elif claim["status"] == "pending" and settled:
        found.append(f"{name}: the claim is still open, and nothing stands in the way of settling it")
    for edit in ours:
        if datetime.fromisoformat(edit["at"]) < claim["created_at"]:
            found.append(f"{name} was changed at {edit['at']}, before it was claimed at {claim['created_at']}")
        by_a_person = any(other["new_micros"] == edit["old_micros"] for other in edits if other not in by_us)
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
        refused = {claim["error_code"] for claim in claims if claim["status"] == "failed"}
        declined = {code for code in refused if (code or "").startswith("approval")}
        # What a person did not approve is left as it is, and nothing went wrong.
        expected = "failed" if refused - declined else "held" if declined else "applied"
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
