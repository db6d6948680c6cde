"""Marketing answers the morning's question in Airflow's own pages, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fixtures.morning import Morning
from tests.fixtures.real_airflow import RealAirflow

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_an_increase_approved_in_the_browser_is_made_and_the_log_names_the_person(
    real_airflow: RealAirflow, real_morning: Morning, page: Page, screenshot: Callable[[str], Path]
) -> None:
    real_morning.set(approval_threshold=Decimal(23), approval_deadline="23:59:59")
    run_id = real_airflow.start("lead_budgets")

    def is_asking(state: str, tasks: dict[str, str]) -> bool:
        is_asked = tasks.get("ask_for_approval") == "awaiting_input"
        return is_asked and tasks.get("report") == "success" and real_airflow.is_at_rest(run_id, "ask_for_approval")

    asked = real_airflow.wait("lead_budgets", run_id, until=is_asking)
    assert asked.tasks["ask_for_approval"] == "awaiting_input", asked.tasks
    large = {code for code, row in real_morning.decisions().items() if "needs_approval" in row["reasons"]}
    assert large and real_morning.log(), "the small changes did not wait for the answer"
    assert not [row for row in real_morning.log() if row["code"] in large]

    page.goto(f"{real_airflow.url}/dags/lead_budgets/runs/{run_id}/tasks/ask_for_approval/required_actions")
    page.get_by_role("button", name="Approve").wait_for()
    for code in large:
        assert page.get_by_text(code).first.is_visible()
    page.screenshot(path=screenshot("approval_form"))
    page.get_by_role("button", name="Approve").click()

    run = real_airflow.wait("lead_budgets", run_id)
    assert run.state == "success", run.tasks
    answered = [row for row in real_morning.log() if row["code"] in large]
    assert {(row["status"], row["decided_by"]) for row in answered} == {("success", "admin")}
    real_morning.assert_log_is_the_truth()
