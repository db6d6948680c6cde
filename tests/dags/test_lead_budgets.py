"""`lead_budgets` in Airflow: each change once, logged with its outcome, and none on doubt."""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.fixtures.morning import Morning

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def actions(morning: Morning) -> dict[str, str]:
    return {code: row["action"] for code, row in morning.decisions().items()}


def assert_nothing_moved(morning: Morning) -> None:
    assert morning.log() == []
    assert morning.sandbox.budgets() == morning.first_budgets


def test_a_morning_raises_lowers_and_holds_and_logs_each_change_with_its_outcome(morning: Morning) -> None:
    run = morning.run("lead_budgets")
    assert run.state == "success", run.tasks
    assert {"increase", "decrease", "hold"} == set(actions(morning).values())
    changed = {code for code, action in actions(morning).items() if action != "hold"}
    assert {row["code"] for row in morning.log()} == changed
    assert all(row["status"] == "success" and row["closed_at"] for row in morning.log())
    morning.assert_log_is_the_truth()
    for code, plan in morning.plans().items():
        assert plan["orchestration_status"] == ("applied" if code in changed else "held")
    for code in changed:
        assert morning.plans()[code]["actual_daily_budget_google_ads"] == morning.decisions()[code]["new_budget"]


def test_every_decision_says_why_in_codes_and_in_one_sentence(morning: Morning) -> None:
    from lead_demand.planner.reasons import Reason

    morning.run("lead_budgets")
    decisions = morning.decisions()
    assert len(decisions) == morning.db.value("select count(*) from lead_segments where is_active")
    for row in decisions.values():
        assert row["reasons"] and set(row["reasons"]) <= set(Reason)
        assert row["sentence"].endswith(".")
        assert row["inputs"]["code"] == row["code"]


def test_the_plan_and_the_report_count_alike_and_fit_a_terminal(
    morning: Morning, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="lead_demand")
    assert morning.run("lead_budgets").state == "success"
    lines = [record.getMessage() for record in caplog.records if record.name == "lead_demand"]
    counts = [found[0] for line in lines if (found := re.search(r"\d+ increase, \d+ decrease, \d+ hold.*known", line))]
    holds = [row for row in morning.decisions().values() if row["action"] == "hold"]
    blocked = sum(row["is_blocked"] for row in holds)
    assert len(counts) == 2 and counts[0] == counts[1]
    assert counts[0].endswith(f"{len(holds)} hold, of which {blocked} because something is not known")
    table = lines[next(n for n, line in enumerate(lines) if line.startswith("segment ")) :]
    assert max(map(len, table)) <= 120
    told = " ".join(" ".join(table).split())
    assert all(" ".join(row["sentence"].split()[-4:]) in told for row in holds)


def test_a_second_run_of_the_day_changes_nothing(morning: Morning) -> None:
    morning.run("lead_budgets")
    before, budgets = morning.row_versions(), morning.sandbox.budgets()
    again = morning.run("lead_budgets")
    assert again.state == "success"
    assert {again.tasks[task] for task in ("increase_budgets", "decrease_budgets", "hold_budgets")} == {"skipped"}
    assert morning.row_versions() == before
    assert morning.sandbox.budgets() == budgets


@pytest.mark.long
def test_the_whole_day_again_after_budgets_moved_rewrites_no_row(morning: Morning) -> None:
    morning.run("lead_budgets")
    before, budgets = morning.row_versions(), morning.sandbox.budgets()
    for dag_id in ("lead_stats", "lead_budgets"):
        assert morning.run(dag_id).state == "success"
    assert morning.row_versions() == before
    assert morning.sandbox.budgets() == budgets


def test_a_cleared_run_of_another_day_changes_nothing(morning: Morning) -> None:
    run = morning.run("lead_budgets", due=datetime.now(AMSTERDAM) - timedelta(days=1))
    assert run.state == "failed"
    assert_nothing_moved(morning)


def test_segments_that_are_not_known_for_certain_hold_with_the_reason(morning: Morning) -> None:
    morning.run("lead_budgets")
    decisions = morning.decisions()
    expected = {
        "stukadoor_utrecht": "no_campaign",
        "stukadoor_noord_brabant": "missing_capacity",
        "schilder_noord_holland": "learning",
        "dakdekker_noord_holland": "foreign_edit",
        "dakdekker_zeeland": "shared_budget",
        "dakdekker_overijssel": "shared_budget",
    }
    for code, reason in expected.items():
        assert decisions[code]["action"] == "hold" and reason in decisions[code]["reasons"], decisions[code]["reasons"]


def test_stale_statistics_hold_every_segment(morning: Morning) -> None:
    morning.db.fetch("update channel_fetches set fetched_at = fetched_at - interval '1 day'")
    morning.run("lead_budgets")
    assert set(actions(morning).values()) == {"hold"}
    assert all(
        "stale_channel" in row["reasons"] for row in morning.decisions().values() if "no_campaign" not in row["reasons"]
    )
    assert_nothing_moved(morning)


def test_what_missing_data_had_blocked_is_decided_later_the_same_day(morning: Morning) -> None:
    morning.db.fetch("update channel_fetches set fetched_at = fetched_at - interval '1 day'")
    morning.run("lead_budgets")
    morning.db.fetch("update channel_fetches set fetched_at = fetched_at + interval '1 day'")
    assert morning.run("lead_budgets").state == "success"
    assert {"increase", "decrease", "hold"} == set(actions(morning).values())
    morning.assert_log_is_the_truth()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"kill_switch": True}, "kill_switch"),
        ({"kill_switch": None}, "settings_missing"),
        ({"dry_run": None}, "settings_missing"),
        ({"total_daily_cap": None}, "settings_missing"),
        ({"max_daily_increase": None}, "settings_missing"),
        ({"approval_threshold": None}, "settings_missing"),
    ],
)
def test_a_switch_that_is_off_or_unknown_stops_every_change(
    morning: Morning, settings: dict[str, Any], reason: str
) -> None:
    for name in settings:
        # The column refuses NULL today; a database that was migrated differently must still stop everything.
        morning.db.fetch(f"alter table orchestration_settings alter column {name} drop not null")
    morning.set(**settings)
    assert morning.run("lead_budgets").state == "success"
    assert all(row["action"] == "hold" and reason in row["reasons"] for row in morning.decisions().values())
    assert_nothing_moved(morning)


def test_no_settings_at_all_stop_every_change(morning: Morning) -> None:
    morning.db.fetch("delete from orchestration_settings")
    assert morning.run("lead_budgets").state == "success"
    assert all(row["action"] == "hold" for row in morning.decisions().values())
    assert_nothing_moved(morning)


def test_a_dry_run_decides_and_sends_nothing(morning: Morning) -> None:
    morning.set(dry_run=True)
    assert morning.run("lead_budgets").state == "success"
    assert "increase" in actions(morning).values()
    assert all(row["is_dry_run"] for row in morning.decisions().values())
    assert_nothing_moved(morning)


def test_an_account_in_another_currency_holds_its_segments_only(morning: Morning) -> None:
    morning.sandbox.fault("unknown_currency", "SearchStream", times=50, customer="2345678901")
    morning.run("lead_budgets")
    held = {code for code, row in morning.decisions().items() if "currency_mismatch" in row["reasons"]}
    assert held and {row["account"] for row in morning.log()} == {"1234567890"}
    (finding,) = morning.findings("currency_mismatch")
    assert finding["level"] == "stop" and finding["subject"] == "2345678901" and "XXX" in finding["detail"]
    morning.assert_log_is_the_truth()


def test_an_account_that_cannot_be_read_holds_its_segments_only(morning: Morning) -> None:
    morning.sandbox.fault("permission", "SearchStream", times=50, customer="2345678901")
    run = morning.run("lead_budgets")
    assert run.state == "failed"
    assert {row["account"] for row in morning.log()} == {"1234567890"}
    assert any("missing_current_budget" in row["reasons"] for row in morning.decisions().values())
    morning.assert_log_is_the_truth()


def test_a_target_set_by_a_person_is_kept(morning: Morning) -> None:
    admin = morning.db.add_user(is_admin=True)
    with morning.db.connect("authenticated", admin) as connection:
        connection.execute(
            "insert into lead_segment_plans (segment_id, date, target_leads_per_day) "
            "select id, lead_today(), 2 from lead_segments where code = 'schilder_noord_brabant'"
        )
    morning.run("lead_budgets")
    plan = morning.plans()["schilder_noord_brabant"]
    assert (plan["target_leads_per_day"], plan["target_source"]) == (2, "admin")
    assert morning.decisions()["schilder_noord_brabant"]["action"] == "decrease"


def test_the_pipelines_role_cannot_decide_for_another_day(morning: Morning) -> None:
    import psycopg

    segment = morning.db.value("select id from lead_segments limit 1")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        morning.db.fetch(
            "insert into lead_segment_plans (segment_id, date) values (%s, lead_today() + 1)",
            [segment],
            role="lead_pipeline",
        )


def test_a_run_that_died_between_decreases_and_increases_is_finished_by_the_next(morning: Morning) -> None:
    from lead_demand.budgets import decisions, planning

    for account in ("1234567890", "2345678901"):
        planning.read_budgets("google_ads", account, "died")
    planning.plan("google_ads", "died")
    decisions.apply_changes("decrease", "google_ads", "died")
    assert morning.run("lead_budgets").state == "success"
    changed = {code for code, action in actions(morning).items() if action != "hold"}
    assert {row["code"] for row in morning.log()} == changed
    assert {row["action_type"] for row in morning.log()} == {"budget_decrease", "budget_increase"}
    morning.assert_log_is_the_truth()


def test_a_day_without_decreases_still_applies_its_increases(morning: Morning) -> None:
    morning.db.fetch("update lead_segment_channels set max_decrease_pct = 0")
    run = morning.run("lead_budgets")
    assert run.state == "success"
    assert run.tasks["decrease_budgets"] == "skipped" and run.tasks["increase_budgets"] == "success"
    assert {row["action_type"] for row in morning.log()} == {"budget_increase"}
    morning.assert_log_is_the_truth()


def test_a_refused_decrease_makes_the_run_red_and_the_increases_go_ahead(morning: Morning) -> None:
    morning.sandbox.fault("permission", "MutateCampaignBudgets", times=2)
    run = morning.run("lead_budgets")
    assert run.state == "failed"
    assert (run.tasks["decrease_budgets"], run.tasks["increase_budgets"]) == ("failed", "success")
    assert {(row["action_type"], row["status"]) for row in morning.log()} == {
        ("budget_decrease", "failed"),
        ("budget_increase", "success"),
    }
    morning.assert_log_is_the_truth()


def test_a_plan_that_fails_sends_nothing(morning: Morning) -> None:
    morning.db.fetch("revoke insert on budget_decisions from lead_pipeline")
    run = morning.run("lead_budgets")
    assert run.state == "failed"
    assert run.tasks["plan_budgets"] == "failed"
    assert_nothing_moved(morning)


def test_a_branch_and_a_segment_whose_months_are_used_up_rise_nowhere_and_the_others_go_on(morning: Morning) -> None:
    morning.db.fetch(
        "insert into lead_branch_channels (branch, channel, monthly_budget) values ('schilder', 'google_ads', 1);"
        " update lead_segment_channels set monthly_budget = 0 where segment_id ="
        " (select id from lead_segments where code = 'dakdekker_limburg')"
    )
    run = morning.run("lead_budgets")
    assert run.state == "success", run.tasks
    decisions = morning.decisions()
    assert "increase" not in {row["action"] for code, row in decisions.items() if code.startswith("schilder_")}
    short = {code: row for code, row in decisions.items() if "branch_month_budget" in row["reasons"]}
    assert short and all(code.startswith("schilder_") for code in short)
    assert any(row["action"] == "decrease" for row in short.values())
    limburg = decisions["dakdekker_limburg"]
    assert limburg["action"] != "increase" and "segment_month_budget" in limburg["reasons"]
    assert "the month's budget of the segment" in limburg["sentence"]
    free = decisions["dakdekker_zuid_holland"]
    assert free["action"] == "decrease" and not any("month_budget" in code for code in free["reasons"])
    morning.assert_log_is_the_truth()
