"""`lead_stats` in Airflow: what a day's run leaves behind, and what it never touches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lead_demand.runs import day
from tests.fixtures.morning import Morning


def stats_of(morning: Morning, code: str) -> dict[str, Any]:
    return morning.db.fetch(
        "select stats.* from lead_generation_stats as stats "
        "join lead_segments as segments on stats.segment_id = segments.id "
        "where segments.code = %s and stats.date = lead_today() - 1",
        [code],
    )[0]


def test_every_active_segment_has_yesterday_and_the_leads_add_up_to_the_companys_own(morning: Morning) -> None:
    counts = morning.db.fetch(
        "select count(*) as days, sum(leads_generated) as leads from lead_generation_stats "
        "where date = lead_today() - 1"
    )[0]
    assert counts["days"] == morning.db.value("select count(*) from lead_segments where is_active")
    assert counts["leads"] == morning.db.value(
        "select count(*) from leads where segment_id is not null "
        "and (created_at at time zone 'Europe/Amsterdam')::date = lead_today() - 1"
    )


@pytest.mark.long
def test_leads_go_to_the_longest_postal_prefix_of_their_branch_then_to_their_region(morning: Morning) -> None:
    db = morning.db
    for region, prefix in (("west", "10"), ("centrum", "1012"), ("tweeling", "20"), ("dubbel", "20")):
        db.fetch(
            "insert into lead_segments (code, branch, region, postal_prefixes) values (%s, 'loodgieter', %s, %s)",
            [f"loodgieter_{region}", region, [prefix]],
        )
    leads = {
        "1012 AB": ("west", "loodgieter_centrum"),
        "1099 AB": ("centrum", "loodgieter_west"),
        None: ("West", "loodgieter_west"),
        "2011 AB": ("elders", None),
        "9999 ZZ": ("nergens", None),
    }
    ids = {
        postal: db.value(
            "insert into leads (created_at, status, branch, postal_code, region) "
            "values ((lead_today() - 1)::timestamp at time zone 'Europe/Amsterdam', 'new', 'Loodgieter', %s, %s) "
            "returning id",
            [postal, region],
        )
        for postal, (region, _) in leads.items()
    }
    assert morning.run("lead_stats").state == "success"
    found = {
        postal: db.value(
            "select max(segments.code) from leads left join lead_segments as segments "
            "on leads.segment_id = segments.id where leads.id = %s",
            [lead_id],
        )
        for postal, lead_id in ids.items()
    }
    assert found == {postal: code for postal, (_, code) in leads.items()}
    assert morning.findings("leads_without_segment")


def test_a_second_run_of_the_day_rewrites_no_row(morning: Morning) -> None:
    before = morning.row_versions()
    assert morning.run("lead_stats").state == "success"
    assert morning.row_versions() == before


@pytest.mark.long
def test_a_day_run_alone_or_within_a_range_gives_the_same_rows(morning: Morning) -> None:
    before = morning.row_versions()
    for days_ago in (1, 9, 40):
        backfilled = morning.run("lead_stats", run_type="backfill", day=day.today() - timedelta(days=days_ago))
        assert backfilled.state == "success"
        assert backfilled.tasks["announce_day"] == "skipped"
    assert morning.row_versions() == before


@pytest.mark.long
def test_an_old_day_or_a_range_is_never_announced(morning: Morning) -> None:
    yesterday = day.latest_whole_day()
    asked = {"from": str(yesterday - timedelta(days=3)), "to": str(yesterday)}
    assert morning.run("lead_stats", conf=asked).tasks["announce_day"] == "skipped"
    old = morning.run("lead_stats", run_type="scheduled", day=yesterday - timedelta(days=1))
    assert (old.state, old.tasks["announce_day"]) == ("success", "skipped")
    latest = morning.run("lead_stats", run_type="scheduled", day=yesterday)
    assert (latest.state, latest.tasks["announce_day"]) == ("success", "success")


@pytest.mark.long
def test_a_backfill_leaves_the_capacity_of_past_days_as_it_was_recorded(morning: Morning) -> None:
    db = morning.db
    past = "select sum(capacity_total_leads) from lead_generation_stats where date = lead_today() - 10"
    recorded = db.value(past)
    db.fetch("update partner_capacity set daily_leads = daily_leads + 5")
    morning.run("lead_stats", run_type="backfill", day=day.today() - timedelta(days=10))
    assert db.value(past) == recorded
    yesterday = stats_of(morning, "schilder_utrecht")["capacity_total_leads"]
    morning.run("lead_stats")
    assert stats_of(morning, "schilder_utrecht")["capacity_total_leads"] > yesterday


@pytest.mark.parametrize(
    ("fault", "finding"),
    [("duplicate_rows", "duplicate_row"), ("negative_metrics", "impossible_metric"), ("empty", "empty_report")],
)
def test_rows_that_cannot_be_true_are_named_and_change_nothing(morning: Morning, fault: str, finding: str) -> None:
    before = morning.row_versions()
    morning.sandbox.fault(fault, "SearchStream", customer="1234567890", text="metrics.cost_micros")
    assert morning.run("lead_stats").state == "success"
    named = morning.findings(finding)
    assert named and all(row["level"] == "stop" and row["channel"] == "google_ads" for row in named)
    assert all(row["remediation"] for row in named)
    after = morning.row_versions()
    assert after.pop("channel_totals") != before.pop("channel_totals"), "what was left out is in no sum"
    assert after == before, "what was known before stays as it was"


def test_a_campaign_of_no_segment_is_named_with_what_it_spent(morning: Morning) -> None:
    (found,) = [row for row in morning.findings("source_without_segment") if row["channel"] == "google_ads"]
    assert "20000001013" in found["subject"] and "spend" in found["detail"]


def test_a_segment_without_a_campaign_is_named_and_the_others_go_on(morning: Morning) -> None:
    assert [row["level"] for row in morning.findings("no_campaign")] == ["stop"]
    assert stats_of(morning, "stukadoor_utrecht")["google_ads_spend"] is None
    assert stats_of(morning, "schilder_utrecht")["google_ads_spend"] > 0


def test_an_account_that_fails_makes_the_run_red_and_the_other_accounts_go_on(morning: Morning) -> None:
    db = morning.db
    db.fetch("delete from channel_fetches")
    morning.sandbox.fault("permission", "SearchStream", times=50, customer="2345678901")
    run = morning.run("lead_stats")
    assert run.state == "failed"
    assert run.tasks["announce_day"] == "success", "the other segments' budgets go on"
    fetched = {row["account"] for row in db.fetch("select account from channel_fetches where channel = 'google_ads'")}
    assert fetched == {"1234567890"}


def test_nothing_is_announced_when_leads_were_not_read(morning: Morning) -> None:
    morning.db.fetch("delete from lead_generation_stats where date = lead_today() - 1")
    morning.db.fetch("delete from channel_metrics where date = lead_today() - 1 and channel = 'leads'")
    morning.db.fetch("revoke select on leads from lead_pipeline")
    run = morning.run("lead_stats")
    assert run.state == "failed"
    assert run.tasks["check_stats.check_every_segment_has_a_row"] == "failed"
    assert run.tasks["announce_day"] == "upstream_failed"


@pytest.mark.long
def test_a_decision_learns_what_came_of_it_once_its_days_are_complete(morning: Morning) -> None:
    db = morning.db
    for days_ago in (20, 8, 3):
        db.restore(
            "insert into budget_decisions (segment_id, decision_date, action, is_blocked, reasons, sentence, inputs) "
            "select id, lead_today() - %s::int, 'hold', false, '{within_dead_band}', 'Hold.', '{}' from lead_segments "
            "where code = 'schilder_utrecht'",
            [days_ago],
        )
    assert morning.run("lead_stats").state == "success"
    found = {
        row["days"]: (row["realised_leads_7d"], row["realised_leads_14d"])
        for row in db.fetch(
            "select lead_today() - decision_date as days, realised_leads_7d, realised_leads_14d from budget_decisions"
        )
    }
    realised = db.value(
        "select round(avg(leads_generated), 4) from lead_generation_stats as stats "
        "join lead_segments as segments on stats.segment_id = segments.id "
        "where code = 'schilder_utrecht' and date between lead_today() - 20 and lead_today() - 14"
    )
    assert found[20][0] == realised and found[20][1] is not None
    assert found[8][0] is not None and found[8][1] is None, "14 days are not over yet"
    assert found[3] == (None, None)


def test_five_times_the_usual_leads_hold_the_day_until_a_person_finds_it_right(morning: Morning) -> None:
    db = morning.db
    leads = db.value(
        "select count(*) from leads where (created_at at time zone 'Europe/Amsterdam')::date > '2000-01-01'"
    )
    db.fetch(
        "insert into leads (created_at, status, branch, postal_code, region) "
        "select (lead_today() - 1)::timestamp at time zone 'Europe/Amsterdam', 'new', branch, postal_code, region "
        "from leads where segment_id is not null limit %s",
        [leads // 4],
    )
    held = morning.run("lead_stats")
    assert held.tasks["check_stats.check_channels_usual"] == "failed"
    assert held.tasks["announce_day"] == "upstream_failed", "so no budget moves"
    (finding,) = morning.findings("channel_unusual")
    assert (finding["level"], finding["channel"], finding["date"]) == ("stop", "leads", day.latest_whole_day())
    (broken,) = morning.findings("check_channels_usual")
    assert broken["level"] == "stop" and "five times of their usual" in broken["detail"]
    assert "clear attribute_leads and" in broken["remediation"], "the channel that is unusual is the one to read again"

    db.fetch("update pipeline_findings set level = 'info' where name = 'channel_unusual'")
    accepted = morning.run("lead_stats")
    assert (accepted.state, accepted.tasks["announce_day"]) == ("success", "success")


@pytest.mark.long
def test_a_reporting_channel_that_was_not_read_is_a_warning_and_the_day_goes_on(morning: Morning) -> None:
    morning.db.fetch("delete from channel_fetches where channel = 'ga4'")
    morning.sandbox.fault("permission", "runReport", times=50)
    run = morning.run("lead_stats")
    assert run.tasks["announce_day"] == "success"
    (stale,) = morning.findings("stale_channel")
    assert (stale["level"], stale["channel"]) == ("warn", "ga4") and "no day at all" in stale["detail"]


@pytest.mark.long
def test_partners_in_another_spelling_are_named_and_one_row_of_a_person_gives_the_target_back(morning: Morning) -> None:
    db = morning.db
    whole = stats_of(morning, "schilder_noord_brabant")["capacity_total_leads"]
    db.fetch(
        "update partner_capacity set region = 'N-Brabant' where branch = 'schilder' and region = 'Noord-Brabant' "
        "and partner_id % 2 = 0"
    )
    morning.run("lead_stats")
    missing = whole - stats_of(morning, "schilder_noord_brabant")["capacity_total_leads"]
    (finding,) = morning.open_findings("capacity_without_segment")
    assert missing > 0 and f"take {missing} leads per day" in finding["detail"]
    db.fetch(
        "insert into lead_spellings (kind, spelling, country, meaning) "
        "values ('region', 'N-Brabant', 'NL', 'noord-brabant')"
    )
    assert morning.run("lead_stats").state == "success"
    assert stats_of(morning, "schilder_noord_brabant")["capacity_total_leads"] == whole
    assert morning.open_findings("capacity_without_segment") == []
    morning.run("lead_budgets")
    assert morning.plans()["schilder_noord_brabant"]["target_leads_per_day"] >= whole
