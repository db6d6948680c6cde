"""Each finding: something breaks, a person follows the advice, the same check runs again, and it is closed.

A test that follows the advice of a finding is marked with its name, here or beside what it is about.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lead_demand import database
from lead_demand.budgets import planning, segments
from lead_demand.channels import registry
from lead_demand.channels.paid import NOT_STEERABLE
from lead_demand.channels.pull import pull
from lead_demand.database import sql
from lead_demand.runs import day
from tests.fixtures.findings import BOUND, codes_in, constants_of, statement_of
from tests.fixtures.morning import HISTORY_DAYS, Morning

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT, ROOFERS = "1234567890", "2345678901"
CAMPAIGN = "20000001002"
UTRECHT, OF_UTRECHT = f"customers/{ACCOUNT}/campaigns/{CAMPAIGN}", f"customers/{ACCOUNT}/campaignBudgets/30000002002"
RUN = "test-run"
YESTERDAY = day.latest_whole_day()


# -- every finding has such a test -----------------------------------------------------------------------------------


def named_in_sql() -> Iterator[str]:
    """The first column of every row that a statement finds, or looks for."""
    for path in (ROOT / "include" / "sql").rglob("*.sql"):
        text = path.read_text()
        if "findings/record_found.sql" in text:
            yield from re.findall(r"\bselect(?:\s+distinct)?\s+'([a-z]+(?:_[a-z]+)+)'", text)


def named_in_python() -> Iterator[str]:
    """The name of every finding that is made, or looked for, under that name; and of every check of a run."""
    yield from (name for spec in registry.OURS for name in spec.findings)
    yield from (*NOT_STEERABLE, *segments.UNREADABLE.values())
    for path in [*(ROOT / "plugins" / "lead_demand").rglob("*.py"), *(ROOT / "dags").glob("*.py")]:
        tree = ast.parse(path.read_text())
        constants = constants_of(tree)
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            name: Any = None
            if function in ("Finding", "Checked"):
                name = call.args[0] if call.args else given.get("name")
            elif function.endswith("CheckOperator"):
                name = given.get("task_id")
            yield from codes_in(name, constants)


def test_the_advice_of_every_finding_is_followed_by_a_test() -> None:
    named = {*named_in_sql(), *named_in_python()}
    assert named >= {"sums_differ", "capacity_leap", "campaign_not_found", "settings_missing", "check_counts"}
    tested = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for marked in re.findall(r"^@pytest\.mark\.advice\(([^)]*)\)", path.read_text(), re.MULTILINE)
        for name in re.findall(r'"([a-z_]+)"', marked)
    }
    assert named - tested == set(), "no test follows the advice of these"
    assert tested - named == set(), "these are found nowhere"


# -- what breaks, and what a person does about it --------------------------------------------------------------------


def read_again(channel: str = "google_ads", account: str = ACCOUNT, days: int = 30) -> None:
    """What clearing the pull of an account does, or a run over those days."""
    pull(channel, account, day.Window(YESTERDAY - timedelta(days=days - 1), YESTERDAY), RUN)


def run_statement(name: str, days: int = 1) -> None:
    """What clearing the task of a statement does."""
    last = day.latest_whole_day()
    with database.connect() as connection:
        values = {"first": last - timedelta(days=days - 1), "last": last, "dag_run_id": RUN}
        connection.execute(sql.render(name), values | BOUND)


def read_budgets() -> None:
    planning.read_budgets("google_ads", ACCOUNT, RUN)


def the_open_one(morning: Morning, name: str) -> dict[str, Any]:
    (found,) = morning.open_findings(name)
    assert found["remediation"]
    return found


@pytest.mark.advice("duplicate_row", "impossible_metric")
@pytest.mark.parametrize(
    ("fault", "name"), [("duplicate_rows", "duplicate_row"), ("negative_metrics", "impossible_metric")]
)
def test_a_report_that_is_right_again_closes_what_it_was_named_for(morning: Morning, fault: str, name: str) -> None:
    morning.sandbox.fault(fault, "SearchStream", customer=ACCOUNT, text="metrics.cost_micros")
    read_again()
    assert morning.open_findings(name)
    read_again()
    assert morning.open_findings(name) == []


@pytest.mark.advice("source_without_segment")
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


@pytest.mark.advice("no_campaign")
def test_a_segment_that_gets_a_campaign_or_needs_none_is_no_longer_without_one(morning: Morning) -> None:
    found = the_open_one(morning, "no_campaign")
    morning.db.fetch(
        "insert into lead_segment_channels (segment_id, channel, is_automated) values (%s, 'google_ads', false) "
        "on conflict (segment_id, channel) do update set is_automated = false",
        [found["segment_id"]],
    )
    run_statement("lead_stats/insert_pipeline_findings.sql")
    assert morning.open_findings("no_campaign") == []


@pytest.mark.advice("stale_channel")
def test_a_channel_that_is_read_again_is_no_longer_stale(morning: Morning) -> None:
    morning.db.fetch(
        "update channel_fetches set date_to = date_to - 1 where channel = 'google_ads' and account = %s", [ACCOUNT]
    )
    run_statement("lead_stats/insert_pipeline_findings_channels.sql")
    assert the_open_one(morning, "stale_channel")["subject"] == ACCOUNT
    read_again()
    run_statement("lead_stats/insert_pipeline_findings_channels.sql")
    assert morning.open_findings("stale_channel") == []


@pytest.mark.advice("channel_unusual")
@pytest.mark.parametrize("days_ago", [1, 4])
def test_a_day_that_was_repaired_is_no_longer_unusual(morning: Morning, days_ago: int) -> None:
    morning.db.fetch(
        "update channel_metrics set spend = 9 * spend where channel = 'google_ads' and date = lead_today() - %s::int",
        [days_ago],
    )
    run_statement("lead_stats/insert_pipeline_findings_channels.sql")
    assert the_open_one(morning, "channel_unusual")["date"] == day.today() - timedelta(days=days_ago)
    for account in (ACCOUNT, ROOFERS):
        read_again(account=account)
    run_statement("lead_stats/insert_pipeline_findings_channels.sql")
    assert morning.open_findings("channel_unusual") == []


@pytest.mark.advice("settings_missing", "missing_limits")
@pytest.mark.parametrize(
    ("name", "table", "column"),
    [
        ("settings_missing", "orchestration_settings", "currency"),
        ("missing_limits", "lead_segment_channels", "max_daily_budget"),
    ],
)
def test_settings_that_can_be_read_again_are_no_longer_named(
    morning: Morning, name: str, table: str, column: str
) -> None:
    read_budgets()
    with morning.db.connect() as owner:
        owner.execute(f"alter table {table} rename column {column} to {column}_renamed")
    planning.plan(registry.STEERED, RUN)
    assert the_open_one(morning, name)["subject"] == table
    with morning.db.connect() as owner:
        owner.execute(f"alter table {table} rename column {column}_renamed to {column}")
    planning.plan(registry.STEERED, RUN)
    assert morning.open_findings(name) == []


def overwritten(morning: Morning) -> dict[str, Any]:
    """A change of ours that fell upon the edit of a person, as the protocol records it."""
    morning.run("lead_budgets")
    change = next(row for row in morning.log() if row["account"] == ACCOUNT)
    values = {
        "channel": change["channel"],
        "budget_id": change["external_id"],
        "changed_at": change["created_at"],
        "changed_by": "marketing@vakwerkgids.example",
        "advice": BOUND["advice"],
    }
    with database.connect() as connection:
        connection.execute(sql.render("lead_budgets/insert_pipeline_findings_overwritten.sql"), values)
    return change


@pytest.mark.advice("edit_overwritten")
def test_an_edit_that_was_overwritten_is_closed_by_the_revert_that_its_advice_names(morning: Morning) -> None:
    change = overwritten(morning)
    read_budgets()
    assert the_open_one(morning, "edit_overwritten")["segment_id"] == change["segment_id"]
    assert morning.run("lead_budget_revert", conf={"log_id": str(change["id"])}).state == "success"
    read_budgets()
    assert morning.open_findings("edit_overwritten") == []


@pytest.mark.advice("learning_long")
def test_learning_that_does_not_end_asks_for_a_person_until_one_steers_it_by_hand(morning: Morning) -> None:
    """Two mornings of fourteen may be missing; learning that was over in between begins anew."""
    read_budgets()
    learning = "update channel_budgets set is_learning = true where campaign_id = %s returning budget_id"
    (segment,) = morning.db.fetch(
        "select segment_id from channel_sources where external_id = %s and channel = 'google_ads'", [CAMPAIGN]
    )
    held = (
        "insert into budget_decisions (segment_id, decision_date, action, old_budget, new_budget, reasons) "
        "select %s, lead_today() - back, 'hold', 50, 50, %s from generate_series(%s::int, %s::int) as back"
    )

    def look() -> list[dict[str, Any]]:
        with database.connect() as connection:
            connection.execute(learning, [CAMPAIGN])
            connection.execute(
                sql.render("lead_budgets/insert_pipeline_findings.sql"),
                BOUND
                | {"channel": "google_ads", "account": ACCOUNT, "dag_run_id": RUN, "not_steerable": list(NOT_STEERABLE)}
                | {"currency": "EUR", "time_zone": "Europe/Amsterdam"},
            )
        return morning.open_findings("learning_long")

    morning.db.restore("delete from budget_decisions where segment_id = %s", [segment["segment_id"]])
    morning.db.restore(held, [segment["segment_id"], ["learning"], 1, 11])
    assert look() == []
    morning.db.restore(held, [segment["segment_id"], ["cool_down", "learning"], 14, 14])
    (found,) = look()
    assert (found["segment_id"], found["level"]) == (segment["segment_id"], "stop")
    morning.db.restore(held, [segment["segment_id"], ["within_dead_band"], 13, 13])
    assert look() == []
    morning.db.restore("delete from budget_decisions where reasons = '{within_dead_band}'")
    assert look()
    morning.db.fetch(
        "update lead_segment_channels set is_automated = false where segment_id = %s", [segment["segment_id"]]
    )
    assert look() == []


@pytest.mark.advice("check_channels_usual")
def test_a_rule_that_holds_again_is_no_longer_broken(morning: Morning) -> None:
    statement = "update channel_metrics set spend = %s * spend where channel = 'google_ads' and date = lead_today() - 1"
    morning.db.fetch(statement, [9])
    morning.sandbox.fault("permission", "SearchStream", times=50)
    assert morning.run("lead_stats").tasks["check_stats.check_channels_usual"] == "failed"
    assert morning.open_findings("check_channels_usual")
    morning.sandbox.request("DELETE", "/faults")
    assert morning.run("lead_stats").tasks["check_stats.check_channels_usual"] == "success"
    assert morning.open_findings("check_channels_usual") == morning.open_findings("channel_unusual") == []


STATS = "lead_generation_stats"
WRONG_ROWS = (
    f"alter table {STATS} drop constraint {STATS}_leads_check, drop constraint {STATS}_leads_sum_check; "
    "create function wrong() returns trigger language plpgsql as $$ begin {0}; return new; end $$; "
    f"create trigger wrong before insert or update on {STATS} for each row execute function wrong()"
)


@pytest.mark.advice("check_every_segment_has_a_row", "check_counts", "check_leads_add_up")
@pytest.mark.parametrize(
    ("name", "broken", "repaired"),
    [
        (
            "check_every_segment_has_a_row",
            f"revoke select on leads from lead_pipeline; delete from {STATS} where date = lead_today() - 1; "
            "delete from channel_metrics where date = lead_today() - 1 and channel = 'leads'",
            "grant select on leads to lead_pipeline",
        ),
        ("check_counts", WRONG_ROWS.format("new.leads_accepted := -1"), f"drop trigger wrong on {STATS}"),
        (
            "check_leads_add_up",
            WRONG_ROWS.format("new.leads_generated := new.leads_generated + 1"),
            f"drop trigger wrong on {STATS}",
        ),
    ],
)
def test_rows_that_were_repaired_and_written_again_close_the_check_of_the_run(
    morning: Morning, name: str, broken: str, repaired: str
) -> None:
    morning.db.fetch(broken)
    # What is equal is not written again, and would not be broken.
    morning.db.fetch(f"update {STATS} set leads_generated = leads_generated + 1 where date = lead_today() - 1")
    run = morning.run("lead_stats")
    assert run.tasks[f"check_stats.{name}"] == "failed"
    assert the_open_one(morning, name)["date"] == YESTERDAY
    morning.db.fetch(repaired)
    assert morning.run("lead_stats", clear=run).state == "success"
    assert morning.open_findings(name) == []


# -- an account that says nothing ------------------------------------------------------------------------------------


@pytest.mark.advice("empty_report")
def test_days_that_a_report_lacks_are_closed_by_the_zero_that_a_person_states(morning: Morning) -> None:
    lost = [YESTERDAY - timedelta(days=days) for days in (3, 4)]
    morning.sandbox.set_account(ACCOUNT, hidden=lost)
    read_again()
    found = the_open_one(morning, "empty_report")
    assert (found["level"], found["subject"], found["evidence_date"]) == ("stop", ACCOUNT, lost[0])
    costs = "select sum(spend) from channel_metrics where channel = 'google_ads' and account = %s and date = any(%s)"
    assert morning.db.value(costs, [ACCOUNT, lost]) > 0, "what was read before stays"

    morning.db.fetch(statement_of(found))
    assert f"lead_stats with from = {lost[1]} and to = {lost[0]}" in found["remediation"]
    pull("google_ads", ACCOUNT, day.Window(lost[1], lost[0]), RUN)
    assert morning.open_findings("empty_report") == []
    assert morning.db.value(costs, [ACCOUNT, lost]) == 0


@pytest.mark.advice("empty_report")
def test_an_account_that_reports_again_is_no_longer_named(morning: Morning) -> None:
    morning.sandbox.fault("empty", "SearchStream", customer=ACCOUNT, text="metrics.cost_micros")
    read_again()
    assert "clear pull_google_ads when it reports again" in the_open_one(morning, "empty_report")["remediation"]
    read_again()
    assert morning.open_findings("empty_report") == []


@pytest.mark.advice("empty_report")
def test_an_account_that_is_newer_than_its_sources_say_gets_the_day_it_begins(morning: Morning) -> None:
    began = YESTERDAY - timedelta(days=9)
    before = [began - timedelta(days=days) for days in range(1, HISTORY_DAYS)]
    morning.db.fetch("delete from channel_metrics where channel = 'google_ads' and account = %s", [ACCOUNT])
    morning.sandbox.set_account(ACCOUNT, hidden=before)
    read_again(days=HISTORY_DAYS)
    assert "set valid_from of its rows in channel_sources" in the_open_one(morning, "empty_report")["remediation"]
    morning.db.fetch("update channel_sources set valid_from = %s where account = %s", [began, ACCOUNT])
    read_again(days=HISTORY_DAYS)
    assert morning.open_findings("empty_report") == []


# -- money of no segment, or of one that ended -----------------------------------------------------------------------


@pytest.mark.advice("unmatched_spend_growing")
@pytest.mark.parametrize("is_active", [True, False], ids=["added", "set inactive"])
def test_campaigns_that_were_added_or_set_inactive_no_longer_cost_more_and_more(
    morning: Morning, is_active: bool
) -> None:
    ended = YESTERDAY - timedelta(days=3)
    morning.db.fetch("update channel_sources set valid_to = %s where external_id = %s", [ended, CAMPAIGN])
    read_again()
    found = the_open_one(morning, "unmatched_spend_growing")
    assert found["subject"] == ACCOUNT and f"€{found['amount']:.2f} per day" in found["detail"]
    (named,) = [row for row in morning.open_findings("source_without_segment") if CAMPAIGN in row["subject"]]
    morning.db.fetch(
        "insert into channel_sources (channel, account, external_id, segment_id, valid_from, is_active) "
        "select channel, account, external_id, segment_id, valid_to + 1, %s from channel_sources "
        "where external_id = %s",
        [is_active, CAMPAIGN],
    )
    read_again()
    assert morning.open_findings("unmatched_spend_growing") == []
    assert named["id"] not in [row["id"] for row in morning.open_findings("source_without_segment")]


@pytest.mark.advice("inactive_segment_spends")
@pytest.mark.parametrize("advice", ["Pause the campaigns", "give them to an active segment"])
def test_money_of_a_segment_that_ended_is_paused_or_given_to_another(morning: Morning, advice: str) -> None:
    morning.db.fetch("update lead_segments set is_active = false where code = 'schilder_utrecht'")
    read_again()
    found = the_open_one(morning, "inactive_segment_spends")
    assert (found["level"], found["evidence_date"]) == ("warn", YESTERDAY) and advice in found["remediation"]
    assert f"€{found['amount']:.2f} on" in found["detail"]
    if advice.startswith("Pause"):
        morning.sandbox.set_campaign(CAMPAIGN, "PAUSED", YESTERDAY)
    else:
        morning.db.fetch("update channel_sources set valid_to = lead_today() - 2 where external_id = %s", [CAMPAIGN])
        morning.db.fetch(
            "insert into channel_sources (channel, account, external_id, segment_id, valid_from) "
            "select 'google_ads', %s, %s, id, lead_today() - 1 from lead_segments where code = 'schilder_gelderland'",
            [ACCOUNT, CAMPAIGN],
        )
    read_again()
    assert morning.open_findings("inactive_segment_spends") == []


# -- budgets that are not steered ------------------------------------------------------------------------------------


OF_GOOGLE: dict[str, Any] = {"user": None}


@pytest.mark.advice("budget_type", "campaign_not_eligible", "campaign_state_unknown")
@pytest.mark.parametrize(
    ("reason", "of", "broken", "advice", "repaired"),
    [
        (
            "budget_type",
            OF_UTRECHT,
            {"delivery_method": "ACCELERATED"},
            "a standard daily budget",
            {"delivery_method": "STANDARD"},
        ),
        (
            "campaign_not_eligible",
            UTRECHT,
            {"primary_status": "NOT_ELIGIBLE", "primary_status_reasons": ["NO_KEYWORDS"]},
            "Look at the campaign's status",
            {"primary_status": "ELIGIBLE", "primary_status_reasons": []},
        ),
        (
            "campaign_state_unknown",
            UTRECHT,
            {"primary_status": "UNKNOWN"},
            "Look at the campaign in Google Ads",
            {"primary_status": "ELIGIBLE"},
        ),
    ],
)
def test_a_budget_that_may_be_steered_again_is_no_longer_named(
    morning: Morning, reason: str, of: str, broken: dict[str, Any], advice: str, repaired: dict[str, Any]
) -> None:
    morning.sandbox.edit(of, **OF_GOOGLE, **broken)
    read_budgets()
    assert advice in the_open_one(morning, reason)["remediation"]
    morning.sandbox.edit(of, **OF_GOOGLE, **repaired)
    read_budgets()
    assert morning.open_findings(reason) == []


@pytest.mark.advice("campaign_type")
@pytest.mark.parametrize("advice", ["set is_automated to false", "give the segment a search campaign"])
def test_a_campaign_of_another_type_is_steered_by_hand_or_replaced(morning: Morning, advice: str) -> None:
    morning.sandbox.edit(UTRECHT, **OF_GOOGLE, advertising_channel_type="SMART")
    read_budgets()
    found = the_open_one(morning, "campaign_type")
    assert advice in found["remediation"]
    if advice.startswith("set"):
        morning.db.fetch(
            "update lead_segment_channels set is_automated = false where segment_id = %s", [found["segment_id"]]
        )
    else:
        morning.db.fetch("update channel_sources set valid_to = lead_today() - 1 where external_id = %s", [CAMPAIGN])
        morning.db.fetch(
            "update channel_sources set segment_id = %s where external_id = '20000001004'", [found["segment_id"]]
        )
    read_budgets()
    assert morning.open_findings("campaign_type") == []
