"""The checks of the matrix can fail: each lie that a log could tell is found, and an honest day has none."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox.world import catalogue
from tests.faults.invariants import Evidence, contradictions

BUDGET = "customers/1/campaignBudgets/1"
CLAIMED = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)


def edit(old: int, new: int, *, seconds: int = 1, user: str = catalogue.PIPELINE_USER) -> dict[str, Any]:
    at = (CLAIMED + timedelta(seconds=seconds)).isoformat()
    return {
        "resource_name": BUDGET,
        "at": at,
        "old_micros": old * 1_000_000,
        "new_micros": new * 1_000_000,
        "user_email": user,
    }


def day(
    *edits: dict[str, Any],
    status: str = "success",
    plan: str = "applied",
    claims: int = 1,
    live: int | None = None,
    error_code: str | None = None,
) -> Evidence:
    """A day on which one budget was to go from €80 to €96, and what became of it."""
    claim = {
        "id": 1,
        "decision_id": 7,
        "code": "schilder",
        "external_id": BUDGET,
        "kind": "plan",
        "action_type": "budget_increase",
        "status": status,
        "old_value": Decimal(80),
        "new_value": Decimal(96),
        "created_at": CLAIMED,
        "error_code": error_code,
    }
    in_force = live * 1_000_000 if live is not None else (edits[-1]["new_micros"] if edits else 80_000_000)
    decision = {"id": 7, "action": "increase", "old_budget": Decimal(80), "new_budget": Decimal(96)}
    limits = {"max_increase_pct": 20, "max_decrease_pct": 30, "min_daily_budget": 10, "max_daily_budget": 200}
    return Evidence(
        claims=[deepcopy(claim) for _ in range(claims)],
        edits=list(edits),
        live={BUDGET: in_force},
        decisions={"schilder": decision},
        plans={"schilder": {"orchestration_status": plan}},
        limits={"schilder": limits},
        max_daily_increase=Decimal(100),
    )


PERSON = {"user": catalogue.MARKETING_USER}


@pytest.mark.parametrize(
    "honest",
    [
        day(edit(80, 96)),
        day(status="failed", plan="failed"),
        day(status="failed", error_code="approval_rejected", plan="held"),
        day(edit(80, 77, **PERSON), status="failed", plan="failed"),
        day(edit(80, 77, **PERSON), edit(77, 96)),
        day(edit(80, 96), edit(96, 77, **PERSON)),
        day(edit(80, 96, **PERSON)),
    ],
)
def test_an_honest_day_has_no_contradiction(honest: Evidence) -> None:
    assert contradictions(honest, settled=True) == []


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (day(), "never in force"),
        (day(edit(80, 96), live=80), "is in force and not"),
        (day(edit(80, 96), status="failed", plan="failed"), "says failed"),
        (day(edit(80, 96), status="pending", plan="planned"), "still open"),
        (day(edit(80, 96), edit(96, 96)), "changed 2 times"),
        (day(edit(80, 96), edit(96, 115)), "was set to 115000000"),
        (day(edit(80, 96), claims=0), "the log has no claim"),
        (day(edit(80, 96), claims=2), "2 claims of one day"),
        (day(edit(80, 96, seconds=-1)), "before it was claimed"),
        (day(edit(90, 96)), "sent against 90000000"),
        (day(edit(80, 96), plan="failed"), "its plan says failed"),
        (day(status="failed", error_code="approval_rejected", plan="failed"), "its plan says failed"),
        (day(status="failed", plan="held"), "its plan says held"),
        (day(claims=0, plan="planned"), "never claimed"),
    ],
)
def test_every_lie_is_found(lie: Evidence, words: str) -> None:
    assert any(words in sentence for sentence in contradictions(lie, settled=True))


def put_back(*edits: dict[str, Any], live: int = 80, status: str = "success") -> Evidence:
    """The same day after the change was reverted."""
    evidence = day(edit(80, 96), *edits, live=live)
    (claim,) = evidence.claims
    back = {
        "id": 2,
        "kind": "revert",
        "reverts": 1,
        "status": status,
        "old_value": Decimal(96),
        "new_value": Decimal(80),
    }
    return replace(evidence, claims=[claim, claim | back])


def test_a_change_that_was_put_back_is_no_contradiction() -> None:
    assert contradictions(put_back(edit(96, 80, seconds=2)), settled=True) == []


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (put_back(live=96), "80000000 was never in force"),
        (put_back(edit(96, 80, seconds=2), live=96), "is in force and not 80000000"),
        (put_back(edit(96, 80, seconds=2), edit(80, 80, seconds=3)), "changed 2 times"),
        (put_back(edit(96, 80, seconds=2), status="failed"), "says failed"),
    ],
)
def test_a_revert_that_lies_is_found(lie: Evidence, words: str) -> None:
    assert any(words in sentence for sentence in contradictions(lie, settled=True))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"decisions": {}}, "and the decision is hold"),
        ({"max_daily_increase": Decimal(15)}, "add up to 16"),
        ({"limits": {"schilder": {"max_increase_pct": 19}}}, "beyond its largest step"),
        ({"limits": {"schilder": {"max_daily_budget": 95}}}, "outside its floor and cap"),
    ],
)
def test_a_change_beyond_a_limit_or_without_a_decision_is_found(change: dict[str, Any], words: str) -> None:
    honest = day(edit(80, 96))
    if "limits" in change:
        change = {"limits": {"schilder": honest.limits["schilder"] | change["limits"]["schilder"]}}
    assert any(words in sentence for sentence in contradictions(replace(honest, **change), settled=True))


@pytest.mark.parametrize("wrong", [{"decision_id": None}, {"decision_id": 8}, {"kind": "revert", "reverts": None}])
def test_a_change_that_no_decision_covers_is_found(wrong: dict[str, Any]) -> None:
    honest = day(edit(80, 96))
    forged = replace(honest, claims=[claim | wrong for claim in honest.claims])
    assert any("no decision of today says so" in sentence for sentence in contradictions(forged, settled=False))


def test_a_claim_may_stay_open_while_something_stands_in_the_way() -> None:
    assert contradictions(day(status="pending", plan="planned"), settled=False) == []
    assert contradictions(day(edit(80, 96), status="pending", plan="planned"), settled=False) == []


@pytest.mark.parametrize(("approved", "found"), [(frozenset(), True), (frozenset({"7"}), False)])
def test_a_large_increase_that_nobody_approved_is_found(approved: frozenset[str], found: bool) -> None:
    honest = day(edit(80, 96))
    large = {code: decision | {"reasons": ["needs_approval"]} for code, decision in honest.decisions.items()}
    said = contradictions(replace(honest, decisions=large, approved=approved), settled=True)
    assert any("nobody has approved it" in sentence for sentence in said) is found
