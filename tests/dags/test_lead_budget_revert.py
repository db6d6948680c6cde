"""`lead_budget_revert` in Airflow: reverts what was changed, and nothing that somebody moved since."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.fixtures.airflow import Run
from tests.fixtures.morning import Morning


@pytest.fixture
def changed(morning: Morning) -> Morning:
    """A morning whose budgets were decided and changed."""
    assert morning.run("lead_budgets").state == "success"
    assert len(morning.log()) > 2
    return morning


def revert(morning: Morning, **form: Any) -> Run:
    return morning.run("lead_budget_revert", conf={name: str(value) for name, value in form.items()})


def reverts(morning: Morning) -> list[dict[str, Any]]:
    return [row for row in morning.log() if row["kind"] == "revert"]


def live(morning: Morning, budget: str) -> Decimal:
    return Decimal(morning.sandbox.budgets()[budget]) / 1_000_000


def today(morning: Morning) -> Any:
    return morning.db.value("select lead_today()")


def test_one_change_is_put_back_and_logged_as_an_action_of_its_own(changed: Morning) -> None:
    row = changed.log()[0]
    assert revert(changed, log_id=row["id"]).state == "success"
    (put_back,) = reverts(changed)
    assert (put_back["action_type"], put_back["status"], put_back["reverts"]) == ("budget_revert", "success", row["id"])
    assert put_back["decided_by"], "the log names who asked"
    assert live(changed, row["external_id"]) == row["old_value"]
    others = [other for other in changed.log() if other["kind"] == "plan" and other["id"] != row["id"]]
    assert all(live(changed, other["external_id"]) == other["new_value"] for other in others)
    of_segment = [other for other in others if other["code"] == row["code"]]
    in_force = sum((live(changed, other["external_id"]) for other in of_segment), row["old_value"])
    assert changed.plans()[row["code"]]["actual_daily_budget_google_ads"] == in_force


def test_all_changes_of_a_day_are_put_back(changed: Morning) -> None:
    assert revert(changed, day=today(changed)).state == "success"
    assert changed.sandbox.budgets() == changed.first_budgets
    assert len(reverts(changed)) == len(changed.log()) / 2


def test_a_budget_that_somebody_moved_since_is_left_alone_and_the_rest_is_put_back(changed: Morning) -> None:
    row = changed.log()[0]
    changed.sandbox.set_budget(row["external_id"], 77_770_000)
    assert revert(changed, day=today(changed)).state == "failed"
    (refused,) = [put_back for put_back in reverts(changed) if put_back["status"] == "failed"]
    assert (refused["external_id"], refused["error_code"]) == (row["external_id"], "changed_by_somebody_else")
    expected = changed.first_budgets | {row["external_id"]: 77_770_000}
    assert changed.sandbox.budgets() == expected


@pytest.mark.long
def test_the_same_revert_again_changes_nothing(changed: Morning) -> None:
    row = changed.log()[0]
    revert(changed, log_id=row["id"])
    before, budgets = changed.row_versions(), changed.sandbox.budgets()
    assert revert(changed, log_id=row["id"]).state == "success"
    assert (changed.row_versions(), changed.sandbox.budgets()) == (before, budgets)


@pytest.mark.long
def test_a_refused_revert_is_not_quietly_left_out_by_the_next_one(changed: Morning) -> None:
    row = changed.log()[0]
    changed.sandbox.fault("permission", "MutateCampaignBudgets")
    assert revert(changed, log_id=row["id"]).state == "failed"
    before = changed.sandbox.budgets()
    assert revert(changed, log_id=row["id"]).state == "failed", "a budget is reverted once per day, and it says so"
    assert changed.sandbox.budgets() == before


def test_a_revert_does_not_pass_the_total_cap(changed: Morning) -> None:
    changed.set(total_daily_cap=1)
    assert revert(changed, day=today(changed)).state == "failed"
    assert {row["old_value"] > row["new_value"] for row in reverts(changed)} == {True}, "only downwards"


def test_the_planner_leaves_a_budget_alone_that_was_put_back(changed: Morning) -> None:
    revert(changed, day=today(changed))
    budgets = changed.sandbox.budgets()
    assert changed.run("lead_budgets").state == "success"
    assert changed.sandbox.budgets() == budgets
    statement = "select max(decision_date) from channel_orchestration_log where kind = 'revert' and status = 'success'"
    assert changed.db.value(statement) == today(changed), "the cool-down counts from the revert"


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"log_id": "00000000-0000-0000-0000-000000000000"},
        {"day": "2020-01-01"},
        {"day": "2020-01-01", "log_id": "00000000-0000-0000-0000-000000000000"},
    ],
    ids=["nothing", "unknown row", "empty day", "both"],
)
def test_a_form_that_names_no_change_fails_and_moves_nothing(changed: Morning, form: dict[str, str]) -> None:
    before = changed.sandbox.budgets()
    assert revert(changed, **form).state == "failed"
    assert reverts(changed) == [] and changed.sandbox.budgets() == before


@pytest.mark.parametrize("setting", ["kill_switch", "dry_run"])
def test_the_switches_stop_a_revert_too(changed: Morning, setting: str) -> None:
    before = changed.sandbox.budgets()
    changed.set(**{setting: True})
    run = revert(changed, day=today(changed))
    assert reverts(changed) == [] and changed.sandbox.budgets() == before
    assert run.state == ("failed" if setting == "kill_switch" else "success"), "nothing reverted is not a good end"


@pytest.mark.long
def test_a_revert_does_not_lift_a_budget_above_a_cap_that_was_lowered_since(changed: Morning) -> None:
    changed.db.fetch("update lead_segment_channels set min_daily_budget = 1, max_daily_budget = 2")
    assert revert(changed, day=today(changed)).state == "failed"
    assert {row["old_value"] > row["new_value"] for row in reverts(changed)} == {True}, "only downwards"


def test_an_answer_that_never_came_is_settled_by_airflows_retry(changed: Morning) -> None:
    changed.sandbox.fault("unavailable_after_apply", "MutateCampaignBudgets", times=2)
    assert revert(changed, day=today(changed)).state == "success"
    assert changed.sandbox.budgets() == changed.first_budgets
    assert {row["status"] for row in reverts(changed)} == {"success"}


def test_postgres_takes_no_revert_that_is_not_the_exact_opposite(changed: Morning) -> None:
    import psycopg

    row = changed.log()[0]
    with pytest.raises(psycopg.errors.CheckViolation, match="took effect"):
        changed.db.fetch(
            "insert into channel_orchestration_log "
            "(segment_id, channel, action_type, old_value, new_value, account, external_id, kind, reverts) "
            "select segment_id, channel, 'budget_revert', new_value, old_value + 1, account, external_id, 'revert', id "
            "from channel_orchestration_log where id = %s",
            [row["id"]],
            role="lead_pipeline",
        )
