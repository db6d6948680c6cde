"""The page of a company that has lived thirty days: `make up`, a morning, people who act, and `make tomorrow`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.airflow_settings import ADMIN
from tests.fixtures.local_stack import Up
from tests.fixtures.postgres import LeadsDatabase
from tests.ui.browser.conftest import Browsed, Opened
from tests.ui.browser.test_views import counted, drawn
from tests.ui.conftest import Served

# Some minutes: LEADS_TEST_UP=1 make test ARGS=tests/ui/browser/test_lived.py
pytestmark = [
    pytest.mark.skipif(os.environ.get("LEADS_TEST_UP") != "1", reason="lives thirty days beside make up"),
    pytest.mark.usefixtures("starts_services"),
]
Open = Callable[..., Opened]
DAYS, LATER = 30, 9
MARKETING = "marketing@vakwerkgids.example"


@pytest.fixture(scope="module")
def lived_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """`make up`, today's morning in its Airflow, and thirty days: after 21 of them a person reverts a change, another
    edits a budget in Google, a third sets a limit.
    """
    up = Up(tmp_path_factory.mktemp("lived") / "home")
    try:
        done = up.command("up")
        assert done.returncode == 0, done.stdout + done.stderr
        database = LeadsDatabase("leads", up.stack.leads_url)
        database.fetch("update orchestration_settings set approval_threshold = 15, approval_deadline = '23:59:59'")
        assert "Large changes wait for a person" in up.morning()
        assert "its morning is over" in up.tomorrow(DAYS - LATER)
        _act(up, database)
        up.tomorrow(LATER)
        yield up
    finally:
        up.command("clean")


def _act(up: Up, database: LeadsDatabase) -> None:
    (made,) = database.fetch(
        "select id, segment_id from channel_orchestration_log where status = 'success' and kind = 'plan' "
        "order by decision_date desc, external_id limit 1"
    )
    api = up.api()
    run_id = api.trigger("lead_budget_revert", {"log_id": str(made["id"])})
    up.until(lambda: api.run("lead_budget_revert", run_id)["state"] in ("success", "failed"), "the revert ends")
    assert api.run("lead_budget_revert", run_id)["state"] == "success"
    (other,) = database.fetch(
        "select budgets.budget_id, budgets.amount, sources.segment_id from channel_budgets as budgets "
        "join channel_sources as sources on budgets.campaign_id = sources.external_id "
        "and budgets.account = sources.account where sources.segment_id <> %s and sources.is_active "
        "and budgets.amount > 20 order by budgets.budget_id limit 1",
        [made["segment_id"]],
    )
    edit = {
        "resource_name": other["budget_id"],
        "amount_micros": int(other["amount"] * 1_000_000) + 7_000_000,
        "user": MARKETING,
    }
    httpx.post(f"{up.stack.control}/budgets", json=edit).raise_for_status()
    database.fetch(
        "update lead_segment_channels set max_daily_budget = max_daily_budget + 5 where is_automated"
        " and segment_id not in (%s, %s)",
        [made["segment_id"], other["segment_id"]],
    )


@pytest.fixture(scope="module")
def browsed(chromium: str, packages: None, lived_up: Up) -> Browsed:
    """That server, with the session of its admin."""
    url, stack = lived_up.stack.airflow_url, lived_up.stack
    answer = httpx.post(f"{url}/auth/token", json={"username": ADMIN, "password": stack.admin_password})
    token = answer.raise_for_status().json()["access_token"]
    database = LeadsDatabase("leads", stack.leads_url)
    run_id = database.value("select max(dag_run_id) from budget_decisions where decision_date = lead_today()")
    return Browsed(Served(url, {"reader": token}), database, run_id)


def test_no_question_of_a_morning_that_is_over_waits_in_airflow(lived_up: Up) -> None:
    assert lived_up.api().runs("lead_budgets", state=["running"]) == []


def test_without_a_session_nothing_is_shown(browsed: Browsed) -> None:
    for path in ("page", "api/today", "api/log.csv"):
        assert browsed.served.get(path, who=None).status_code == 401, path


@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 1400), ("light", 390), ("dark", 390)])
def test_each_view_is_whole_in_both_themes_and_on_a_phone(
    theme: str, width: int, open_page: Open, browsed: Browsed
) -> None:
    codes = [row["code"] for row in browsed.database.fetch("select code from lead_segments where is_active")]
    one = open_page(width=width, color_scheme=theme)
    for address in ("#/today", "#/log", "#/health", *(f"#/segment/{code}" for code in sorted(codes)[:3])):
        one.show(address)
        assert one.tab.locator(".state").count() == 0, address
        if "segment" in address:
            drawn(one)
        assert one.barriers() == [], address
        assert one.width() <= width, address


def test_today_counts_every_segment_once_and_each_day_of_the_month_is_there(open_page: Open, browsed: Browsed) -> None:
    one = open_page()
    assert one.show("#/today").inner_text().startswith("Today ran")
    active = browsed.database.value("select count(*) from lead_segments where is_active")
    assert counted(one) == active
    today = browsed.database.value("select lead_today()")
    for back in (1, LATER, DAYS):
        one.show(f"#/today?day={today - timedelta(days=back)}")
        assert "that day" in one.tab.locator("h1").inner_text()
        assert counted(one) == active, back


def stories(browsed: Browsed, condition: str) -> list[dict[str, Any]]:
    return browsed.database.fetch(
        "select distinct segments.code, log.decision_date from channel_orchestration_log as log "
        f"join lead_segments as segments on log.segment_id = segments.id where {condition} order by 2, 1"
    )


def test_a_change_of_three_weeks_ago_says_what_it_promised_and_what_came(open_page: Open, browsed: Browsed) -> None:
    changed = stories(browsed, "log.kind = 'plan' and log.status = 'success' and log.decision_date < lead_today() - 16")
    assert changed
    one = open_page()
    one.show(f"#/segment/{changed[0]['code']}")
    drawn(one)
    told = one.tab.locator(".story li.plan").all_inner_texts()
    assert any(re.search(r"€[\d.,]+ → €[\d.,]+", text) and "in the 7 days after" in text for text in told), told
    assert one.tab.locator(".story .came .chip").first.is_visible()


def test_a_revert_an_edit_in_google_and_a_limit_are_told_with_who_did_it(open_page: Open, browsed: Browsed) -> None:
    (reverted,) = stories(browsed, "log.kind = 'revert'")
    one = open_page()
    one.show(f"#/segment/{reverted['code']}")
    assert ADMIN in one.tab.locator(".story li.revert").first.inner_text()
    edited = browsed.database.value(
        "select segments.code from budget_edits as edits join lead_segments as segments "
        "on edits.segment_id = segments.id where edits.edited_by = %s order by edits.edited_at desc limit 1",
        [MARKETING],
    )
    one.show(f"#/segment/{edited}")
    told = one.tab.locator(".story li.edit").first.inner_text()
    assert "marketing" in told and "→" in told
    one.show("#/log?kind=revert")
    assert one.tab.locator("td.at-who").all_inner_texts() == [ADMIN]


@pytest.mark.parametrize("kind", ["plan", "limit", "hold"])
def test_the_log_of_the_month_is_paged_and_handed_out(
    open_page: Open, browsed: Browsed, tmp_path: Path, kind: str
) -> None:
    one = open_page(accept_downloads=True)
    one.show(f"#/log?kind={kind}")
    rows = one.tab.locator("table.log tbody tr:not(.day-row)")
    while one.tab.locator("#more-log").count():
        before = rows.count()
        one.tab.click("#more-log")
        rows.nth(before).wait_for()
    with one.tab.expect_download() as started:
        one.tab.click("#csv")
    started.value.save_as(tmp_path / "log.csv")
    lines = (tmp_path / "log.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) - 1 == rows.count() > (50 if kind == "hold" else 0), "holds are more than one page"


def test_health_knows_every_source_and_how_often_decisions_were_right(open_page: Open, browsed: Browsed) -> None:
    one = open_page()
    one.show("#/health")
    for name in ("Google Ads", "Search Console", "GA4", "Leads", "Partner capacity"):
        assert one.tab.locator("table.plain .name", has_text=name).first.is_visible(), name
    assert one.tab.locator(".rate").count(), "weeks that were judged"


def test_every_link_leads_somewhere(open_page: Open, browsed: Browsed) -> None:
    one = open_page()
    inside, outside = set[str](), set[str]()
    code = stories(browsed, "log.kind = 'revert'")[0]["code"]
    for address in ("#/today", "#/log", "#/health", f"#/segment/{code}"):
        one.show(address)
        for link in one.tab.locator("a[href]").evaluate_all("links => links.map(link => link.getAttribute('href'))"):
            (inside if link.startswith("#") else outside).add(link)
    for link in sorted(inside - {"#main"}):
        one.show(link)
        assert one.tab.locator(".state").count() == 0, link
    assert not [link for link in outside if "lived__" in link], "no run that Airflow does not know"
    for link in sorted(outside):
        if not link.startswith("https://ads.google.com/aw/campaigns?campaignId="):
            assert browsed.served.get(link).status_code == 200, link
