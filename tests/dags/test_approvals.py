"""Large increases wait for a person: what is asked, what each answer does, and what the log says of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from lead_demand.budgets import planning
from lead_demand.errors import CapacitySourceFailed, ChangesFailed
from lead_demand.runs import day
from sandbox.company.partners import play
from tests.budgets.conftest import RUN
from tests.budgets.test_answers import Asked, put
from tests.fixtures.airflow import answering
from tests.fixtures.morning import Morning

THRESHOLD = Decimal(23)


@pytest.fixture
def large(morning: Morning) -> Morning:
    """A morning on which at least one increase is larger than the threshold, with all day to answer."""
    morning.set(approval_threshold=THRESHOLD, approval_deadline="23:59:59")
    return morning


def waiting(morning: Morning) -> set[str]:
    return {code for code, row in morning.decisions().items() if "needs_approval" in row["reasons"]}


def outcomes(morning: Morning, codes: set[str]) -> set[tuple[Any, ...]]:
    return {(row["status"], row["error_code"], row["decided_by"]) for row in morning.log() if row["code"] in codes}


def test_an_approved_increase_is_sent_and_the_log_names_who_approved(large: Morning) -> None:
    with answering("Approve", user="Anke de Wit", leave_out=[]) as asked:
        run = large.run("lead_budgets")
    assert run.state == "success", run.tasks
    codes = waiting(large)
    assert codes and all(code in asked[0] for code in codes)
    assert outcomes(large, codes) == {("success", None, "Anke de Wit")}
    assert {row["decided_by"] for row in large.log() if row["code"] not in codes} == {None}
    assert {large.plans()[code]["orchestration_status"] for code in codes} == {"applied"}
    large.assert_log_is_the_truth()


def test_the_question_shows_the_amounts_the_leads_and_the_reason(large: Morning) -> None:
    with answering("Reject", leave_out=[]) as asked:
        large.run("lead_budgets")
    for code in waiting(large):
        row = large.decisions()[code]
        for fact in (f"€{row['old_budget']:.2f}", f"€{row['new_budget']:.2f}", row["sentence"], "23:59"):
            assert fact in asked[0]


def test_a_rejected_increase_is_not_sent_and_the_log_names_who_rejected(large: Morning) -> None:
    with answering("Reject", user="Anke de Wit", leave_out=[]):
        run = large.run("lead_budgets")
    assert run.state == "success", "a person's no is no failure of the run"
    codes = waiting(large)
    assert outcomes(large, codes) == {("failed", "approval_rejected", "Anke de Wit")}
    assert {large.plans()[code]["orchestration_status"] for code in codes} == {"held"}
    assert "success" in {row["status"] for row in large.log()}, "the smaller changes went ahead"
    large.assert_log_is_the_truth()


def test_after_the_deadline_nobody_is_asked_and_the_log_says_so(large: Morning) -> None:
    large.set(approval_deadline="00:00:00")
    with answering("Approve") as asked:
        run = large.run("lead_budgets")
    assert run.state == "success" and not asked, run.tasks
    assert outcomes(large, waiting(large)) == {("failed", "approval_expired", None)}
    expired = [row for row in large.log() if row["error_code"] == "approval_expired"]
    assert expired and all("nobody was asked" in row["error_detail"] for row in expired)
    large.assert_log_is_the_truth()


def test_a_segment_that_was_left_out_stays_as_it_is_although_the_rest_is_approved(large: Morning) -> None:
    large.set(approval_threshold=Decimal(1))
    with answering("Approve", user="Anke de Wit", leave_out=["schilder_noord_brabant"]):
        assert large.run("lead_budgets").state == "success"
    codes = waiting(large)
    assert "schilder_noord_brabant" in codes and len(codes) > 1
    assert outcomes(large, {"schilder_noord_brabant"}) == {("failed", "approval_rejected", "Anke de Wit")}
    assert outcomes(large, codes - {"schilder_noord_brabant"}) == {("success", None, "Anke de Wit")}
    large.assert_log_is_the_truth()


def test_a_name_to_leave_out_that_is_not_in_the_list_asks_again_and_costs_nothing(large: Morning) -> None:
    with answering("Approve", first={"leave_out": ["schilder_nord_brabant"]}, leave_out=[]) as asked:
        run = large.run("lead_budgets")
    assert (run.state, run.tries["ask_for_approval"], len(asked)) == ("success", 2, 2), run
    assert asked[0] == asked[1], "the same list"
    assert outcomes(large, waiting(large)) == {("success", None, "marketing")}
    large.assert_log_is_the_truth()


def ask(large: Morning) -> Asked:
    """The morning's question, as the asking task puts it."""
    for account in ("1234567890", "2345678901"):
        planning.read_budgets("google_ads", account, RUN)
    planning.plan("google_ads", RUN)
    return put(RUN)


def read_partners(steps: Callable[..., None]) -> None:
    """What partners take now, as this morning's `lead_stats` reads it when it is run again."""
    yesterday = day.Window(day.latest_whole_day(), day.latest_whole_day())
    steps(yesterday, only={"pull_partner_capacity", "upsert_lead_generation_stats"}.__contains__)


def test_an_approved_increase_is_not_sent_once_its_partners_have_left_and_the_others_are(
    large: Morning, lead_stats_steps: Callable[..., None]
) -> None:
    large.set(approval_threshold=Decimal(1))
    asked = ask(large)
    codes = asked.codes
    assert "schilder_noord_brabant" in codes and len(codes) > 1
    play(large.db.owner_url, "leave", ["schilder_noord_brabant"])
    read_partners(lead_stats_steps)
    with pytest.raises(ChangesFailed, match=r"schilder_noord_brabant: its partners' capacity .* was lost") as failed:
        asked.answer("Approve")
    assert not any(code in str(failed.value) for code in codes - {"schilder_noord_brabant"})
    assert {row["code"] for row in large.log()} == codes - {"schilder_noord_brabant"}
    assert large.plans()["schilder_noord_brabant"]["orchestration_status"] == "failed"
    large.assert_log_is_the_truth()


def test_nothing_that_was_approved_is_sent_while_it_is_not_known_what_partners_take(
    large: Morning, lead_stats_steps: Callable[..., None]
) -> None:
    asked = ask(large)
    play(large.db.owner_url, "partners_emptied")
    with pytest.raises(CapacitySourceFailed):
        read_partners(lead_stats_steps)
    with pytest.raises(ChangesFailed, match="capacity fell by more than 20% or was lost") as failed:
        asked.answer("Approve")
    assert all(code in str(failed.value) for code in asked.codes)
    assert not large.log() and large.sandbox.budgets() == large.first_budgets
