"""Each finding: something breaks, a person follows the advice, the same check runs again, and it is closed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lead_demand import channels, day, planning, sql
from lead_demand.channels.pull import pull
from tests.fixtures.morning import Morning

ACCOUNT = "1234567890"
RUN = "test-run"


def read_again(channel: str = "google_ads", account: str = ACCOUNT) -> None:
    """What clearing the pull of an account does."""
    window = day.Window(day.latest_whole_day() - timedelta(days=29), day.latest_whole_day())
    pull(channel, account, window, RUN)


def run_statement(name: str, days: int = 1) -> None:
    """What clearing the task of a statement does."""
    last = day.latest_whole_day()
    with sql.connect() as connection:
        values = {"first": last - timedelta(days=days - 1), "last": last, "dag_run_id": RUN}
        connection.execute(sql.render(name), values)


def read_budgets() -> None:
    planning.read_budgets("google_ads", ACCOUNT, RUN)


def the_open_one(morning: Morning, name: str) -> dict[str, Any]:
    (found,) = morning.open_findings(name)
    assert found["remediation"]
    return found


@pytest.mark.parametrize(
    ("fault", "name"), [("duplicate_rows", "duplicate_row"), ("negative_metrics", "impossible_metric")]
)
def test_a_report_that_is_right_again_closes_what_it_was_named_for(morning: Morning, fault: str, name: str) -> None:
    morning.sandbox.fault(fault, "SearchStream", customer=ACCOUNT, text="metrics.cost_micros")
    read_again()
    assert morning.open_findings(name)
    read_again()
    assert morning.open_findings(name) == []


def test_a_campaign_that_is_given_to_a_segment_is_no_longer_without_one(morning: Morning) -> None:
    (found,) = [row for row in morning.open_findings("source_without_segment") if row["channel"] == "google_ads"]
    account, _, campaign = found["subject"].partition("/")
    morning.db.fetch(
        "insert into channel_sources (channel, account, external_id, segment_id) "
        "select 'google_ads', %s, %s, id from lead_segments where code = 'schilder_utrecht'",
        [account, campaign],
    )
    read_again(account=account)
    assert found["id"] not in [row["id"] for row in morning.open_findings("source_without_segment")]


def test_a_segment_that_gets_a_campaign_or_needs_none_is_no_longer_without_one(morning: Morning) -> None:
    found = the_open_one(morning, "segment_without_campaign")
    morning.db.fetch(
        "insert into lead_segment_channels (segment_id, channel, is_automated) values (%s, 'google_ads', false) "
        "on conflict (segment_id, channel) do update set is_automated = false",
        [found["segment_id"]],
    )
    run_statement("lead_stats/insert_pipeline_findings.sql")
    assert morning.open_findings("segment_without_campaign") == []


def test_a_channel_that_is_read_again_is_no_longer_stale(morning: Morning) -> None:
    morning.db.fetch(
        "update channel_fetches set date_to = date_to - 1 where channel = 'google_ads' and account = %s", [ACCOUNT]
    )
    run_statement("lead_stats/insert_pipeline_findings_channels.sql")
    assert the_open_one(morning, "channel_stale")["subject"] == ACCOUNT
    read_again()
    run_statement("lead_stats/insert_pipeline_findings_channels.sql")
    assert morning.open_findings("channel_stale") == []


@pytest.mark.parametrize("days_ago", [1, 4])
def test_a_day_that_was_repaired_is_no_longer_unusual(morning: Morning, days_ago: int) -> None:
    morning.db.fetch(
        "update channel_metrics set spend = 9 * spend where channel = 'google_ads' and date = lead_today() - %s::int",
        [days_ago],
    )
    run_statement("lead_stats/insert_pipeline_findings_channels.sql")
    assert the_open_one(morning, "channel_unusual")["date"] == day.today() - timedelta(days=days_ago)
    for account in (ACCOUNT, "2345678901"):
        read_again(account=account)
    run_statement("lead_stats/insert_pipeline_findings_channels.sql")
    assert morning.open_findings("channel_unusual") == []


def test_settings_that_can_be_read_again_are_no_longer_named(morning: Morning) -> None:
    read_budgets()
    with morning.db.connect() as owner:
        owner.execute("alter table orchestration_settings rename column currency to currency_renamed")
    planning.plan(channels.STEERED, RUN)
    assert the_open_one(morning, "settings_unreadable")["subject"] == "orchestration_settings"
    with morning.db.connect() as owner:
        owner.execute("alter table orchestration_settings rename column currency_renamed to currency")
    planning.plan(channels.STEERED, RUN)
    assert morning.open_findings("settings_unreadable") == []


def overwritten(morning: Morning) -> dict[str, Any]:
    """A change of ours that fell upon the edit of a person, as the protocol records it."""
    morning.run("lead_budgets")
    change = next(row for row in morning.log() if row["account"] == ACCOUNT)
    values = {
        "channel": change["channel"],
        "budget_id": change["external_id"],
        "changed_at": change["created_at"],
        "changed_by": "marketing@vakwerkgids.example",
    }
    with sql.connect() as connection:
        connection.execute(sql.render("lead_budgets/insert_pipeline_findings_overwritten.sql"), values)
    return change


def test_an_edit_that_was_overwritten_is_closed_by_the_revert_that_its_advice_names(morning: Morning) -> None:
    change = overwritten(morning)
    read_budgets()
    assert the_open_one(morning, "edit_overwritten")["segment_id"] == change["segment_id"]
    assert morning.run("lead_budget_revert", conf={"log_id": str(change["id"])}).state == "success"
    read_budgets()
    assert morning.open_findings("edit_overwritten") == []


def test_a_rule_that_holds_again_is_no_longer_broken(morning: Morning) -> None:
    statement = "update channel_metrics set spend = %s * spend where channel = 'google_ads' and date = lead_today() - 1"
    morning.db.fetch(statement, [9])
    morning.sandbox.fault("permission", "SearchStream", times=50)
    assert morning.run("lead_stats").tasks["check_stats.check_channels_usual"] == "failed"
    assert morning.open_findings("check_channels_usual")
    morning.sandbox.request("DELETE", "/faults")
    assert morning.run("lead_stats").tasks["check_stats.check_channels_usual"] == "success"
    assert morning.open_findings("check_channels_usual") == morning.open_findings("channel_unusual") == []
