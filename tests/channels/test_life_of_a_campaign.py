"""Campaigns that are removed, replaced, handed to another segment, and accounts that rest: from Google's answer over
the pull and the statistics to the decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from lead_demand import database
from lead_demand.budgets import planning
from lead_demand.channels import registry
from lead_demand.channels.pull import pull
from lead_demand.database import sql
from lead_demand.runs import day
from lead_demand.runs.day import Window
from sandbox.company.load import load
from tests.fixtures.airflow import use_database
from tests.fixtures.findings import BOUND, statement_of
from tests.fixtures.morning import HISTORY_DAYS, Morning, a_morning
from tests.fixtures.postgres import LeadsDatabase, drop_database
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.steps import execute_step

PAINTERS, ROOFERS = "1234567890", "2345678901"
UTRECHT, GELDERLAND = "20000001002", "20000001005"  # campaigns
RUN = "a run of this test"
YESTERDAY = day.latest_whole_day()
MONTH = Window(YESTERDAY - timedelta(days=29), YESTERDAY)
# What follows the pulls in lead_stats, in its order.
STEPS = (
    "update_channel_metrics.sql",
    "upsert_lead_generation_stats.sql",
    "insert_pipeline_findings.sql",
    "insert_pipeline_findings_sources.sql",
    "insert_pipeline_findings_silent_days.sql",
    "insert_pipeline_findings_channels.sql",
)


def restate(window: Window = MONTH, accounts: tuple[str, ...] = (PAINTERS, ROOFERS)) -> None:
    """The pulls of Google Ads and what follows them, each step in a transaction of its own."""
    values = {"first": window.first, "last": window.last, "dag_run_id": RUN} | BOUND
    for account in accounts:
        pull("google_ads", account, window, RUN)
    for statement in ("upsert_channel_metrics_leads.sql", *STEPS):
        with database.connect() as connection:
            connection.execute(sql.render("lead_stats/lock_step.sql"), {"step": statement})
            execute_step(connection, f"lead_stats/{statement}", values)


@pytest.fixture(scope="module")
def books(postgres_cluster: Any, leads_template: str, sandbox: Sandbox) -> Iterator[str]:
    """Name of a database with the company's books and the statistics of all its days, without Airflow."""
    name = "life_of_a_campaign"
    postgres_cluster.create_database(name, template=leads_template)
    database = LeadsDatabase(name, postgres_cluster.url(name))
    sandbox.reset()
    load(database.owner_url, sandbox.control, days=HISTORY_DAYS)
    with pytest.MonkeyPatch.context() as patch:
        use_database(patch, database)
        first = YESTERDAY - timedelta(days=HISTORY_DAYS - 1)
        values = {"first": first, "last": YESTERDAY, "dag_run_id": RUN}
        with database.connect() as connection:
            for statement in ("update_leads.sql", "upsert_channel_metrics_partner_capacity.sql"):
                connection.execute(sql.render(f"lead_stats/{statement}"), values)
        restate(Window(first, MONTH.first - timedelta(days=1)))
        restate()
    yield name
    drop_database(postgres_cluster, name)


@pytest.fixture
def morning(postgres_cluster: Any, books: str, sandbox: Sandbox) -> Iterator[Morning]:
    """A copy of it, and the world as it was on its first morning."""
    with a_morning(postgres_cluster, books, sandbox, None, f"{books}_copy") as made:
        yield made


def decide(morning: Morning) -> dict[str, dict[str, Any]]:
    """This morning's decisions by segment."""
    with database.connect() as connection:
        days = {"first": day.today(), "last": YESTERDAY}
        rows = connection.execute(sql.render("channels/select_accounts.sql"), days).fetchall()
    for channel, account in rows:
        if registry.CHANNELS[channel].is_paid:
            planning.read_budgets(channel, account, RUN)
    planning.plan("google_ads", RUN)
    return morning.decisions()


def spend(morning: Morning, code: str) -> dict[date, Decimal | None]:
    """A segment's spend by day, as the statistics have it."""
    rows = morning.db.fetch(
        "select date, google_ads_spend from lead_generation_stats as stats join lead_segments as segments "
        "on stats.segment_id = segments.id where code = %s and date between %s and %s order by date",
        [code, MONTH.first, MONTH.last],
    )
    return {row["date"]: row["google_ads_spend"] for row in rows}


def total(morning: Morning) -> Decimal:
    """Everything that the accounts' campaigns of any segment cost, as stored."""
    return morning.db.value(
        "select sum(spend) from channel_metrics where channel = 'google_ads' and date between %s and %s",
        [MONTH.first, MONTH.last],
    )


def open_findings(morning: Morning, name: str) -> list[dict[str, Any]]:
    return [row for row in morning.findings(name) if row["resolved_at"] is None]


def segment(morning: Morning, code: str) -> Any:
    return morning.db.value("select id from lead_segments where code = %s", [code])


@pytest.mark.advice("campaign_not_found")
def test_a_replaced_campaign_keeps_its_past_and_following_the_advice_heals_and_closes_the_finding(
    morning: Morning,
) -> None:
    before = spend(morning, "schilder_utrecht")
    replaced = YESTERDAY - timedelta(days=4)
    morning.sandbox.set_campaign(UTRECHT, "REMOVED", replaced, successor="20000009999")

    restate()
    (finding,) = open_findings(morning, "campaign_not_found")
    assert finding["level"] == "stop" and "was removed" in finding["detail"]
    after = spend(morning, "schilder_utrecht")
    assert {day: after[day] for day in after if day < replaced} == {
        day: before[day] for day in before if day < replaced
    }
    assert decide(morning)["schilder_utrecht"]["is_blocked"], "what replaced it is not known"

    morning.db.fetch(statement_of(finding))
    starts = finding["remediation"].split("valid_from = '")[1][:10]
    assert starts == str(replaced)
    morning.db.fetch(
        "insert into channel_sources (channel, account, external_id, segment_id, valid_from) "
        "values ('google_ads', %s, '20000009999', %s, %s)",
        [PAINTERS, segment(morning, "schilder_utrecht"), starts],
    )
    restate()
    assert spend(morning, "schilder_utrecht") == before, "every day, and the successor's days too"
    assert not open_findings(morning, "campaign_not_found")
    decided = decide(morning)["schilder_utrecht"]
    assert not decided["is_blocked"] and decided["old_budget"] == 140


def test_a_budget_recorded_before_the_successor_was_known_is_recorded_again_and_then_stays(morning: Morning) -> None:
    def recorded() -> Decimal:
        return morning.db.value(
            "select daily_budget from channel_metrics where channel = 'google_ads' and segment_id = %s and date = %s",
            [segment(morning, "schilder_utrecht"), YESTERDAY],
        )

    assert recorded() == 140
    morning.db.fetch("delete from channel_metrics where channel = 'google_ads' and date = %s", [YESTERDAY])
    morning.sandbox.set_campaign(UTRECHT, "REMOVED", YESTERDAY, successor="20000009999")
    restate()
    (finding,) = open_findings(morning, "campaign_not_found")
    morning.db.fetch(statement_of(finding))
    morning.db.fetch(
        "insert into channel_sources (channel, account, external_id, segment_id, valid_from) "
        "values ('google_ads', %s, '20000009999', %s, %s)",
        [PAINTERS, segment(morning, "schilder_utrecht"), YESTERDAY],
    )
    restate()
    assert recorded() == 140
    for budget, amount in morning.sandbox.budgets().items():
        morning.sandbox.set_budget(budget, amount + 10_000_000)
    restate()
    assert recorded() == 140, "what is changed today is not yesterday's"


def test_sources_that_were_all_switched_off_by_mistake_keep_their_figures(morning: Morning) -> None:
    reported = "select date, metric, reported from channel_totals where channel = 'google_ads' order by 1, 2, 3"
    before, totals = spend(morning, "schilder_utrecht"), morning.db.fetch(reported)
    assert any(row["reported"] for row in totals)
    morning.db.fetch("update channel_sources set is_active = false")
    restate(accounts=())
    with database.connect() as connection:
        window = {"first": MONTH.first, "last": MONTH.last}
        connection.execute(sql.render("lead_stats/update_channel_totals.sql"), window)
    assert spend(morning, "schilder_utrecht") == before
    assert morning.db.fetch(reported) == totals
    morning.db.fetch("update channel_sources set is_active = true")
    restate()
    assert spend(morning, "schilder_utrecht") == before


def test_a_removed_campaign_without_a_successor_leaves_no_days_that_cost_nothing(morning: Morning) -> None:
    removed = YESTERDAY - timedelta(days=4)
    before = spend(morning, "schilder_utrecht")
    morning.sandbox.set_campaign(UTRECHT, "REMOVED", removed)
    restate()
    (finding,) = open_findings(morning, "campaign_not_found")
    morning.db.fetch(statement_of(finding))
    restate()
    after = spend(morning, "schilder_utrecht")
    assert {day: cost for day, cost in after.items() if cost is not None} == {
        day: cost for day, cost in before.items() if day < removed
    }
    assert "no_campaign" in decide(morning)["schilder_utrecht"]["reasons"]
    assert not open_findings(morning, "campaign_not_found") and len(open_findings(morning, "no_campaign"))


@pytest.mark.advice("campaign_not_found")
def test_a_campaign_that_was_never_in_the_account_leaves_its_segment_unknown_until_it_is_corrected(
    morning: Morning,
) -> None:
    before = spend(morning, "schilder_utrecht")
    change = "update channel_sources set external_id = %s where external_id = %s"
    morning.db.fetch(change, ["99999999", UTRECHT])
    restate()
    (finding,) = open_findings(morning, "campaign_not_found")
    assert "never had" in finding["detail"]
    assert spend(morning, "schilder_utrecht") == before
    assert decide(morning)["schilder_utrecht"]["is_blocked"]
    morning.db.fetch(change, [UTRECHT, "99999999"])
    restate()
    assert not open_findings(morning, "campaign_not_found") and spend(morning, "schilder_utrecht") == before


def test_a_paused_campaign_keeps_its_past(morning: Morning) -> None:
    before, paused = spend(morning, "schilder_utrecht"), YESTERDAY - timedelta(days=2)
    morning.sandbox.set_campaign(UTRECHT, "PAUSED", paused)
    restate()
    expected = {day: cost if day < paused else 0 for day, cost in before.items()}
    assert spend(morning, "schilder_utrecht") == expected
    assert not open_findings(morning, "campaign_not_found")


def test_handing_a_campaign_to_another_segment_from_a_day_on_moves_the_days_from_then_on(morning: Morning) -> None:
    giver, taker = (spend(morning, code) for code in ("schilder_utrecht", "schilder_gelderland"))
    whole, moved = total(morning), YESTERDAY - timedelta(days=9)
    morning.db.fetch(
        "update channel_sources set valid_to = %s where external_id = %s", [moved - timedelta(days=1), UTRECHT]
    )
    morning.db.fetch(
        "insert into channel_sources (channel, account, external_id, segment_id, valid_from) "
        "values ('google_ads', %s, %s, %s, %s)",
        [PAINTERS, UTRECHT, segment(morning, "schilder_gelderland"), moved],
    )
    restate()
    assert total(morning) == whole
    assert spend(morning, "schilder_utrecht") == {day: cost if day < moved else None for day, cost in giver.items()}
    assert spend(morning, "schilder_gelderland") == {
        day: cost + (giver[day] if day >= moved else 0) for day, cost in taker.items()
    }
    assert not open_findings(morning, "sources_changed"), "all of it lay within the days that are restated anyway"


@pytest.mark.advice("sources_changed")
def test_handing_a_campaign_over_for_all_time_names_the_range_to_restate_and_is_done_after_it(
    morning: Morning,
) -> None:
    first = morning.db.value("select min(date) from channel_metrics where channel = 'google_ads'")
    giver, taker = (spend(morning, code) for code in ("schilder_utrecht", "schilder_gelderland"))
    morning.db.fetch(
        "update channel_sources set segment_id = %s where external_id = %s",
        [segment(morning, "schilder_gelderland"), UTRECHT],
    )
    restate()
    assert set(spend(morning, "schilder_utrecht").values()) == {None}
    assert spend(morning, "schilder_gelderland") == {day: cost + giver[day] for day, cost in taker.items()}
    (finding,) = open_findings(morning, "sources_changed")
    assert f"from = {first} and to = {MONTH.first - timedelta(days=1)}" in finding["remediation"]

    restate(Window(first, MONTH.first - timedelta(days=1)))
    assert not open_findings(morning, "sources_changed")
    left = "select count(spend) from channel_metrics where segment_id = %s and channel = 'google_ads'"
    assert morning.db.value(left, [segment(morning, "schilder_utrecht")]) == 0
    assert not morning.db.value("select count(*) from channel_source_changes where restated_at is null")


def test_an_account_whose_sources_ended_is_read_for_its_past_and_is_not_stale(morning: Morning) -> None:
    morning.db.fetch(
        "update channel_sources set valid_to = %s where account = %s", [YESTERDAY - timedelta(days=3), ROOFERS]
    )
    with database.connect() as connection:
        values = {"first": MONTH.first, "last": MONTH.last}
        rows = connection.execute(sql.render("channels/select_accounts.sql"), values).fetchall()
        today = connection.execute(
            sql.render("channels/select_accounts.sql"), {"first": day.today(), "last": YESTERDAY}
        ).fetchall()
    assert ("google_ads", ROOFERS) in rows and ("google_ads", ROOFERS) not in today
    morning.db.fetch("delete from channel_fetches where account = %s", [ROOFERS])
    restate(accounts=(PAINTERS,))
    assert not [row for row in open_findings(morning, "stale_channel") if row["subject"] == ROOFERS]


def test_two_rows_that_share_a_day_are_refused_with_the_row_that_has_it(morning: Morning) -> None:
    insert = (
        "insert into channel_sources (channel, account, external_id, segment_id, valid_from) "
        "values ('google_ads', %s, %s, %s, lead_today())"
    )
    values = [PAINTERS, UTRECHT, segment(morning, "schilder_gelderland")]
    with pytest.raises(psycopg.errors.ExclusionViolation, match="already belongs to schilder_utrecht") as refused:
        morning.db.fetch(insert, values)
    assert "Set valid_to" in refused.value.diag.message_hint
    morning.db.fetch("update channel_sources set valid_to = lead_today() - 1 where external_id = %s", [UTRECHT])
    morning.db.fetch(insert, values)


def forget_leads(morning: Morning, condition: str) -> None:
    """As if no lead had come from Google Ads on those days."""
    morning.db.fetch(
        "update leads set source_channel = 'seo' where source_channel = 'google_ads' and "
        f"{condition.format('(created_at at time zone ' + repr('Europe/Amsterdam') + ')::date')}"
    )


def read_anew(morning: Morning) -> None:
    """As if the accounts had never been read."""
    morning.db.fetch("delete from channel_metrics where channel = 'google_ads'")
    morning.db.fetch("delete from lead_generation_stats")


def test_an_ad_schedule_of_monday_to_friday_is_zeros_on_weekends(morning: Morning) -> None:
    for account in (PAINTERS, ROOFERS):
        morning.sandbox.set_account(account, rests_on=(5, 6))
    forget_leads(morning, "extract(isodow from {}) in (6, 7)")
    read_anew(morning)
    restate()
    found = spend(morning, "schilder_utrecht")
    for day_, cost in found.items():
        if day_.weekday() >= 5:
            # Yesterday's silence is believed tomorrow.
            assert cost == (0 if day_ < YESTERDAY else None), day_
        else:
            assert cost > 0, day_
    assert not open_findings(morning, "silent_day_doubtful") and not open_findings(morning, "empty_report")


@pytest.mark.advice("day_without_rows")
def test_yesterdays_silence_holds_today_and_is_stated_as_zero_by_a_person(morning: Morning) -> None:
    morning.sandbox.set_account(PAINTERS, rests_on=(YESTERDAY.weekday(),))
    forget_leads(morning, f"{{}} = '{YESTERDAY}'")
    read_anew(morning)
    restate()
    (finding,) = open_findings(morning, "day_without_rows")
    assert (finding["level"], finding["date"]) == ("warn", YESTERDAY)
    assert spend(morning, "schilder_utrecht")[YESTERDAY] is None
    held = decide(morning)["schilder_utrecht"]
    assert held["is_blocked"] and "missing_spend" in held["reasons"]

    morning.db.fetch(statement_of(finding))
    restate()
    assert spend(morning, "schilder_utrecht")[YESTERDAY] == 0
    assert not open_findings(morning, "day_without_rows")
    assert "missing_spend" not in decide(morning)["schilder_utrecht"]["reasons"]


@pytest.mark.advice("silent_day_doubtful")
def test_a_day_that_a_report_lacks_although_leads_came_is_unknown_until_a_person_states_it(morning: Morning) -> None:
    lost = YESTERDAY - timedelta(days=5)
    morning.sandbox.set_account(PAINTERS, hidden=(lost,))
    read_anew(morning)
    restate()
    (finding,) = open_findings(morning, "silent_day_doubtful")
    assert (finding["level"], finding["date"], finding["subject"]) == ("stop", lost, PAINTERS)
    assert "leads from google_ads" in finding["detail"]
    costs = spend(morning, "schilder_utrecht")
    assert [day_ for day_, cost in costs.items() if cost is None] == [lost]

    morning.db.fetch(statement_of(finding))
    restate(Window(lost, lost))
    assert spend(morning, "schilder_utrecht")[lost] == 0
    assert not open_findings(morning, "silent_day_doubtful")


def test_a_day_that_a_report_lacks_heals_once_it_is_there(morning: Morning) -> None:
    lost, before = YESTERDAY - timedelta(days=5), spend(morning, "schilder_utrecht")
    morning.sandbox.set_account(PAINTERS, hidden=(lost,))
    read_anew(morning)
    restate()
    assert open_findings(morning, "silent_day_doubtful")
    morning.sandbox.set_account(PAINTERS)
    restate()
    assert spend(morning, "schilder_utrecht") == before and not open_findings(morning, "silent_day_doubtful")


def test_a_day_on_which_every_account_was_silent_is_doubted_unless_it_is_so_every_week(morning: Morning) -> None:
    lost = YESTERDAY - timedelta(days=5)
    forget_leads(morning, "true")
    for account in (PAINTERS, ROOFERS):
        morning.sandbox.set_account(account, hidden=(lost,))
    read_anew(morning)
    restate()
    assert {row["subject"] for row in open_findings(morning, "silent_day_doubtful")} == {PAINTERS, ROOFERS}
    for account in (PAINTERS, ROOFERS):
        morning.sandbox.set_account(account, hidden=(lost, lost - timedelta(days=7)))
    read_anew(morning)
    restate()
    assert not open_findings(morning, "silent_day_doubtful")
    assert spend(morning, "schilder_utrecht")[lost] == 0
