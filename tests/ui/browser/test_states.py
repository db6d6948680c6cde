"""Where there is nothing to show, the page says why and what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from local.ports import free_port
from tests.fixtures.airflow import use_database
from tests.fixtures.postgres import LeadsDatabase
from tests.ui.browser.conftest import Browsed, Opened

Open = Callable[..., Opened]
# What Chromium itself writes for an answer that is no success.
REFUSED = ("Failed to load resource",)


def said(one: Opened) -> str:
    """Title and text of the state that stands instead of a view."""
    one.settled()
    return one.tab.locator(".state").inner_text()


def test_before_the_first_morning_it_says_what_will_come(
    open_page: Open, browsed: Browsed, leads_db: LeadsDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads_db.add_segment()
    use_database(monkeypatch, leads_db)
    one = open_page()
    one.show("#/today")
    assert "No morning has run yet" in said(one) and "06:00" in said(one) and "1 segment set up" in said(one)
    one.show("#/log")
    assert "appears here the morning that it is made" in said(one)
    one.show("#/health")
    assert "after the first run of lead_stats" in said(one)
    assert one.tab.locator("a[href$='/dags/lead_stats']").count()
    one.show("#/segment/schilder_utrecht")
    assert "Nothing yet" in one.tab.locator("main").inner_text()


def test_filters_that_nothing_meets_can_be_cleared(open_page: Open, browsed: Browsed) -> None:
    one = open_page()
    one.show("#/today?q=nowhere")
    assert "No segment matches" in said(one)
    one.tab.click("#clear-all")
    one.settled()
    assert one.tab.locator("tr.segment").count()
    one.show("#/log?q=nowhere")
    assert "Remove a filter" in said(one)


def test_a_session_that_ends_while_the_page_is_open_asks_to_sign_in(open_page: Open) -> None:
    one = open_page()
    one.allow = REFUSED
    one.show("#/today")
    one.tab.context.clear_cookies()
    one.tab.click("#views a[data-view=health]")
    assert "You are signed out" in said(one) and "Sign in to Airflow" in said(one)
    assert one.tab.get_by_role("button", name="Reload").is_visible()


@pytest.mark.parametrize(("who", "told"), [(None, "signed out"), ("stranger", "may not see")])
def test_whoever_may_not_look_is_told_what_to_do(who: str | None, told: str, open_page: Open, browsed: Browsed) -> None:
    one = open_page(who=who)
    one.allow = REFUSED
    answer = one.tab.goto(f"{browsed.url}/lead-demand/page")
    assert answer and answer.status == (403 if who else 401)
    assert told in one.tab.locator("body").inner_text()


def test_a_right_that_was_taken_away_is_told_from_a_session_that_ended(open_page: Open, browsed: Browsed) -> None:
    one = open_page()
    one.allow = REFUSED
    one.show("#/today")
    one.tab.context.add_cookies([{"name": "_token", "value": browsed.served.tokens["stranger"], "url": browsed.url}])
    one.tab.click("#views a[data-view=log]")
    assert "You may not see this page" in said(one) and "Ask an Airflow admin" in said(one)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("#/segment/nowhere", "There is no such segment"),
        ("#/segment/%E0%A4%A", "There is no such segment"),
        ("#/today?day=2020-13-45", "asks for what the page does not know"),
        ("#/log?kind=nonsense", "asks for what the page does not know"),
    ],
)
def test_an_address_that_means_nothing_leads_back(address: str, told: str, open_page: Open) -> None:
    one = open_page()
    one.allow = REFUSED
    one.show(address)
    assert told in said(one)
    one.tab.locator(".state a.button").click()
    one.settled()
    assert one.tab.locator(".state").count() == 0


def test_a_database_that_is_down_is_said_at_once_and_tried_again(
    open_page: Open, browsed: Browsed, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = open_page()
    one.allow = REFUSED
    one.show("#/today")
    with monkeypatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_LEADS_DB", f"postgres://nobody@127.0.0.1:{free_port()}/leads")
        one.tab.click("#views a[data-view=health]")
        assert "The leads database does not answer" in said(one)
        assert "budgets themselves" in said(one) and "runbook" in said(one)
    one.tab.wait_for_timeout(6_000)  # a failed login is remembered for some seconds
    one.tab.click("#again")
    one.settled()
    one.tab.locator(".cells").first.wait_for()


def test_a_network_that_is_lost_is_not_taken_for_the_database(open_page: Open) -> None:
    one = open_page()
    one.allow = ("Failed to load resource", "ERR_INTERNET_DISCONNECTED")
    one.show("#/today")
    one.tab.context.set_offline(True)
    one.tab.click("#views a[data-view=log]")
    assert "The server does not answer" in said(one) and "VPN" in said(one)
    one.tab.context.set_offline(False)
    one.tab.click("#again")
    one.settled()
    assert one.tab.locator("table.log").count()


def test_the_kill_switch_and_a_dry_run_stand_above_everything(open_page: Open, browsed: Browsed) -> None:
    browsed.database.fetch("update orchestration_settings set kill_switch = true, dry_run = true")
    try:
        one = open_page()
        assert one.show("#/today").inner_text() == "Everything is stopped by the kill switch."
        assert one.tab.locator(".banner").count() == 2
        one.show(f"#/segment/{browsed.codes('not d.is_blocked')[0]}")
        assert "Nothing moves" in one.tab.locator(".side").inner_text()
    finally:
        browsed.database.fetch("update orchestration_settings set kill_switch = false, dry_run = false")


def test_without_the_chart_library_the_numbers_stand_there_as_a_table(open_page: Open, browsed: Browsed) -> None:
    one = open_page()
    one.allow = REFUSED
    one.tab.route("**/static/vendor/*", lambda route: route.abort())
    one.show(f"#/segment/{browsed.codes('not d.is_blocked')[0]}")
    one.tab.get_by_text("chart library is not installed").wait_for()
    assert one.tab.locator("details.numbers[open] tbody tr").count() > 30


def test_before_today_is_decided_a_segment_shows_the_latest_budget(open_page: Open, browsed: Browsed) -> None:
    code = browsed.codes("d.action = $$decrease$$ and not d.is_blocked")[0]
    elsewhere = "update budget_decisions set decision_date = decision_date {} 9999 where {} and segment_id = %s"
    segment = browsed.database.value("select id from lead_segments where code = %s", [code])
    browsed.database.restore(elsewhere.format("+", "decision_date = lead_today()"), [segment])
    try:
        one = open_page()
        one.show(f"#/segment/{code}")
        assert "no campaign" not in one.tab.locator(".answer").inner_text()
        assert "Not decided" in one.tab.locator(".chips").inner_text()
        assert "per day" in one.tab.locator(".chips").inner_text()
    finally:
        browsed.database.restore(elsewhere.format("-", "decision_date > lead_today()"), [segment])
