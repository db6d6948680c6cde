"""One case from start to end: a fault, Airflow's own retries, and the run that a person would start afterwards."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from lead_demand.budgets import decisions, planning
from tests.faults.cases import SPARED, STRUCK, Case
from tests.faults.conftest import Strikes
from tests.faults.invariants import contradictions, gather
from tests.fixtures.airflow import Run
from tests.fixtures.morning import Morning


class Died(BaseException):
    """Ends a step of this process as its death would: nothing of ours catches it."""


def leave_claims_open(morning: Morning, strikes: Strikes, in_force: bool) -> None:
    """An earlier run of today died: its decreases are claimed, and in one account in force or not yet sent."""

    def die() -> None:
        raise Died

    for account in (STRUCK, SPARED):
        planning.read_budgets("google_ads", account, "died")
    planning.plan("google_ads", "died")
    strikes.at("decrease", "answered" if in_force else "before_send", die)
    with suppress(Died):
        decisions.apply_changes("decrease", "google_ads", "died")
    claims = morning.log()
    assert claims and {claim["status"] for claim in claims} == {"pending"}


def drill(
    case: Case,
    morning: Morning,
    strikes: Strikes,
    run: Callable[[], Run],
    run_by_a_person: Callable[[], Run],
    arm: Callable[[], None],
    struck: Callable[[], bool],
) -> None:
    """Run a case. Raises AssertionError with every contradiction; a fault that never came is one as well.

    :param run: the run that is struck, with Airflow's own retries.
    :param arm: makes the fault come at its point.
    :param struck: whether it came.
    """
    if case.left_open:
        leave_claims_open(morning, strikes, case.left_open == "in force")
    arm()
    first = run()
    assert struck(), "the fault never came, so this case proves nothing"
    found = contradictions(gather(morning), settled=not case.lasts)
    found += _others(case, morning)
    if case.reported and not morning.findings(case.reported):
        found.append(f"nobody is told of it: there is no finding {case.reported}")
    tries = max(first.tries.values())
    if case.retried is not None and case.retried != (tries > 1):
        found.append(f"Airflow tried {tries} time(s): {first.tasks}")

    left = morning.sandbox.request("DELETE", "/faults")["cleared"]
    assert case.lasts or not left, f"{left} fault(s) never came, so this case proves nothing"
    before = morning.sandbox.changes()
    statuses = {claim["id"]: claim["status"] for claim in morning.log()}
    second = run_by_a_person()
    found += [f"after the person's run: {what}" for what in contradictions(gather(morning), settled=True)]
    if second.state != "success" and not case.lasts:
        found.append(f"the person's run is {second.state}: {second.tasks}")
    claims = morning.log()
    found += [
        f"{claim['external_id']}: {statuses[claim['id']]} became {claim['status']}"
        for claim in claims
        if statuses.get(claim["id"], "pending") not in ("pending", claim["status"])
    ]
    changed_before = {edit["resource_name"] for edit in before}
    found += [
        f"{edit['resource_name']} was changed again by the person's run"
        for edit in morning.sandbox.changes()[len(before) :]
        if edit["resource_name"] in changed_before and edit["user_email"].startswith("lead-pipeline")
    ]
    found += _statuses(case, morning)
    assert not found, "\n".join(found)


def _claims(morning: Morning) -> list[dict[str, Any]]:
    """The log without what people recorded."""
    return [row for row in morning.log() if row["kind"] != "manual"]


def _others(case: Case, morning: Morning) -> list[str]:
    """The changes of the account that was not struck went through in the struck run itself."""
    if case.both_accounts:
        return []
    claims = {claim["code"]: claim for claim in _claims(morning) if claim["account"] == SPARED}
    found = [f"{code}: {claim['status']}, and nothing was wrong with it" for code, claim in claims.items()
             if claim["status"] != "success"]  # fmt: skip
    return found or ([] if claims else ["no change of the spared account went through"])


def _statuses(case: Case, morning: Morning) -> list[str]:
    """In the end every change is made, but for those that were really refused."""
    found = []
    excused = 0
    directions = set()
    for claim in _claims(morning):
        directions.add(claim["action_type"])
        in_scope = case.both_accounts or claim["account"] == STRUCK
        in_scope = in_scope and case.direction in ("", claim["action_type"].removeprefix("budget_"))
        excused += claim["status"] == "failed" and in_scope
        if claim["status"] != "success" and not (in_scope and excused <= case.refused):
            found.append(f"{claim['code']}: {claim['status']} ({claim['error_code']}: {claim['error_detail']})")
    if directions != {"budget_decrease", "budget_increase"}:
        found.append(f"only {sorted(directions)} were claimed")
    return found
