"""What a person finds on the page, in a real browser on real rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lead_demand.runs import day
from tests.ui.browser.conftest import Browsed, Opened

if TYPE_CHECKING:
    from playwright.sync_api import Locator

Open = Callable[..., Opened]
Picture = Callable[[str], Path]


def names(one: Opened) -> list[str]:
    """The segments that the table lists, by the address of each."""
    links = one.tab.locator("tr.segment a.name").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    return [link.removeprefix("#/segment/") for link in links]


def counted(one: Opened) -> int:
    """How many segments stand below their groups' headings."""
    texts = one.tab.locator("tr.group .n").all_inner_texts()
    return sum(int(text.strip()) for text in texts)


def test_today_says_first_whether_anybody_is_needed(open_page: Open, browsed: Browsed, screenshot: Picture) -> None:
    one = open_page(width=1400)
    heading = one.show("#/today").inner_text()
    waiting = browsed.database.value(
        "select count(*) from lead_segment_plans "
        "where date = lead_today() and orchestration_status = 'waiting_approval'"
    )
    assert waiting and heading.startswith(f"Today ran. {waiting} increase"), heading
    assert len(one.tab.locator(".strip .tile").all()) == 5
    assert re.search(
        r"\+€[\d.,]+ per day, for \d+\.\d more leads per day expected", one.tab.locator(".strip").inner_text()
    )
    lead = one.tab.locator(".lead").inner_text()
    assert re.search(r"\d+ of \d+ judged changes? came nearer .* \d+% of \d+ weeks came as expected", lead), lead
    gap = one.tab.locator(".strip .tile").first
    assert re.search(r"Most missing: .+ −\d+\.\d, .+By branch: .+ −\d", gap.inner_text(), re.DOTALL), gap.inner_text()
    work = one.tab.locator(".strip .tile").nth(2).inner_text()
    assert re.search(r"Approver: \d+ questions?", work), work
    assert re.search(r"(Marketing|Data team|On call): \d+ repairs?", work), work
    groups = one.tab.locator("tr.group th").all_inner_texts()
    assert [text.split("\n")[0].split(" ")[0] for text in groups] == ["Needs", "Changed", "Held"]
    assert counted(one) == browsed.database.value("select count(*) from lead_segments where is_active")
    for text in ("Waits for a yes", "Applied", "Reverted", "Failed", "Held"):
        assert one.tab.locator(".today .chip", has_text=text).first.is_visible(), text
    one.tab.set_viewport_size({"width": 1400, "height": 1000})
    one.tab.screenshot(path=screenshot("page_today"))


def test_a_filter_narrows_the_list_and_its_address_shows_the_same_to_another(open_page: Open, browsed: Browsed) -> None:
    one = open_page()
    one.show("#/today")
    one.tab.select_option("#choose-region", "utrecht")
    one.settled()
    shown = names(one)
    assert shown and all(name.endswith("_utrecht") for name in shown)
    assert counted(one) == browsed.database.value("select count(*) from lead_segments where region = 'utrecht'")
    one.tab.select_option("#choose-sort", "name")
    one.settled()
    other = open_page()
    other.show(one.tab.url.split("/lead-demand/")[1])
    assert names(other) == names(one)
    assert other.tab.locator("#choose-region").input_value() == "utrecht"
    one.tab.click("#clear")
    one.settled()
    assert counted(one) > len(shown)


def test_a_slash_searches_while_the_focus_stays_in_the_field(open_page: Open) -> None:
    one = open_page()
    one.show("#/today")
    one.tab.keyboard.press("/")
    one.tab.keyboard.type("schilder utr")
    one.tab.wait_for_url(re.compile("q=schilder"))
    one.settled()
    one.tab.locator(".filters .count", has_text="1 of").wait_for()
    assert names(one) == ["schilder_utrecht"]
    assert one.tab.evaluate("document.activeElement.id") == "search"
    assert one.tab.locator("#search").input_value() == "schilder utr"


def test_the_figures_of_the_strip_are_filters(open_page: Open) -> None:
    one = open_page()
    one.show("#/today")
    one.tab.click("#only-short")
    one.settled()
    assert one.tab.locator("#only-short").get_attribute("aria-pressed") == "true"
    sides = set(one.tab.locator("td.at-gap").all_inner_texts())
    assert sides and all("short" in side for side in sides)


def test_more_rows_come_from_the_server_and_each_segment_stands_there_once(open_page: Open, browsed: Browsed) -> None:
    one = open_page()
    one.show("#/today?sort=name")
    clustered = sum(int(re.findall(r"\d+", text)[0]) for text in one.tab.locator("tr.cluster .name").all_inner_texts())
    while (more := one.tab.locator("tr.more button")).count():
        before = len(names(one))
        more.first.click()
        one.tab.locator("tr.segment").nth(before).wait_for()
    shown = names(one)
    assert len(shown) == len(set(shown))
    assert len(shown) + clustered == browsed.database.value("select count(*) from lead_segments where is_active")
    assert one.tab.evaluate("document.activeElement.className") == "name", "the focus goes on where the new rows begin"


def test_many_segments_with_one_repair_are_one_line_that_lists_them(open_page: Open, browsed: Browsed) -> None:
    one = open_page()
    one.show("#/today")
    cluster = one.tab.locator("tr.cluster").first
    count = int(re.findall(r"\d+", cluster.locator(".name").inner_text())[0])
    cluster.locator("button.link").first.click()
    one.settled()
    assert "reason=" in one.tab.url
    assert one.tab.locator("tr.cluster").count() == 0
    assert counted(one) >= count > 2


def test_a_past_day_is_shown_as_it_was_decided(open_page: Open, browsed: Browsed) -> None:
    past = day.today() - timedelta(days=12)
    one = open_page()
    one.show("#/today")
    one.tab.fill("#choose-day", past.isoformat())
    one.settled()
    one.tab.locator("h1", has_text="that day").wait_for()
    assert f"day={past}" in one.tab.url
    made = browsed.database.value(
        "select count(distinct segment_id) from channel_orchestration_log "
        "where decision_date = %s and kind = 'plan' and status = 'success'",
        [past],
    )
    group = one.tab.locator("#group-changed .n").inner_text()
    assert made and int(group) == made


def open_segment(one: Opened, browsed: Browsed, story: str) -> str:
    """Show a segment whose log has a row that meets the SQL condition; returns its code."""
    code = browsed.database.value(
        "select s.code from channel_orchestration_log l join lead_segments s on l.segment_id = s.id "
        f"where {story} order by s.code limit 1"
    )
    one.show(f"#/segment/{code}")
    return str(code)


def drawn(one: Opened) -> Locator:
    """The chart, once both panes are drawn."""
    chart = one.tab.locator(".chart")
    chart.locator("canvas").nth(1).wait_for()
    return chart


def test_a_segment_tells_why_its_budget_is_what_it_is_and_whether_that_helped(
    open_page: Open, browsed: Browsed, screenshot: Picture
) -> None:
    one = open_page(width=1400)
    open_segment(
        one, browsed, "l.kind = 'plan' and l.status = 'success' and l.decision_date = lead_today() - 9 and "
        "not exists (select from channel_orchestration_log r where r.reverts = l.id)"
    )  # fmt: skip
    answer = one.tab.locator(".answer").inner_text()
    assert re.search(r"the planner (raised|lowered) it from €[\d.,]+ to €[\d.,]+", answer), answer
    assert "leads per day were expected" in answer
    assert one.tab.locator(".answer .chip, .answer .reply").first.is_visible()
    assert one.tab.locator(".story .came .chip").first.is_visible(), "what came of an older change"
    holds = one.tab.locator(".story li.hold").all_inner_texts()
    assert any("days" in text and "–" in text for text in holds), "holds are told as spells"
    limits = one.tab.locator(".card", has_text="Limits in force").inner_text()
    assert "Cap" in limits and "set by" in limits
    drawn(one)
    one.tab.set_viewport_size({"width": 1400, "height": 1060})
    one.tab.wait_for_timeout(300)  # it draws in steps
    one.tab.screenshot(path=screenshot("page_segment"))


def test_steps_in_one_direction_are_told_as_one_movement(open_page: Open, browsed: Browsed) -> None:
    """From where, to where, since when: the last step alone would hide most of it."""
    (row,) = browsed.database.fetch(
        """
        select l.id::text, s.code, l.old_value, l.new_value
        from channel_orchestration_log l join lead_segments s on l.segment_id = s.id
        where l.kind = 'plan' and l.status = 'success' and l.decision_date = lead_today() and l.new_value < l.old_value
            and not exists (select from channel_orchestration_log r where r.reverts = l.id)
            and not exists (
                select from budget_edits e where e.segment_id = l.segment_id and e.edited_at > now() - interval '4 days'
            )
        order by s.code limit 1
        """
    )
    values = "'id', gen_random_uuid(), 'old_value', l.old_value + 1, 'new_value', l.old_value"
    earlier = ", ".join(f"'{name}', l.{name} - interval '2 days'" for name in ("created_at", "closed_at"))
    browsed.database.restore(
        "insert into channel_orchestration_log select (jsonb_populate_record(l, jsonb_build_object("
        f"{values}, 'decision_date', l.decision_date - 2, {earlier}))).* "
        "from channel_orchestration_log l where l.id = %s::uuid",
        [row["id"]],
    )
    one = open_page(width=1400)
    one.show(f"#/segment/{row['code']}")
    reply = one.tab.locator(".answer .reply").inner_text()
    old, new = (f"€{amount:.2f}".removesuffix(".00") for amount in (row["old_value"] + 1, row["new_value"]))
    assert re.match(rf"From \d+ \w+ to \d+ \w+ the planner lowered it in 2 steps from {old} to {new}", reply), reply
    browsed.database.restore(
        "delete from channel_orchestration_log where segment_id = (select id from lead_segments where code = %s) "
        "and decision_date = lead_today() - 2 and kind = 'plan'",
        [row["code"]],
    )


def test_a_mark_of_the_chart_leads_to_its_sentence_and_arrows_read_the_days(open_page: Open, browsed: Browsed) -> None:
    one = open_page()
    open_segment(one, browsed, "l.kind = 'revert' and l.decision_date < lead_today()")
    chart = drawn(one)
    revert = chart.locator("button.mark-revert:not([hidden])").first
    revert.click()
    one.tab.locator(".story li.revert:focus").wait_for()
    assert "anke" in one.tab.locator(".story li.revert").first.inner_text()
    assert one.tab.locator(".story li.plan", has_text="Reverted on").count()
    chart.focus()
    before = chart.locator(".readout b").first.inner_text()
    one.tab.keyboard.press("ArrowLeft")
    assert chart.locator(".readout b").first.inner_text() != before
    one.tab.get_by_role("button", name="30 days").click()
    assert "range=30" in one.tab.url
    one.tab.locator("summary", has_text="The chart as a table").click()
    rows = one.tab.locator("details.numbers tbody tr")
    assert rows.count() >= 30


def test_an_edit_outside_the_planner_is_told_with_who_and_amounts(open_page: Open, browsed: Browsed) -> None:
    code = browsed.database.value(
        "select s.code from budget_edits e join lead_segments s on e.segment_id = s.id limit 1"
    )
    one = open_page()
    one.show(f"#/segment/{code}")
    told = one.tab.locator(".story li.edit").first.inner_text()
    assert "marketing" in told and "→" in told


def test_the_log_is_filtered_paged_and_handed_out_as_a_file(open_page: Open, browsed: Browsed, tmp_path: Path) -> None:
    one = open_page(accept_downloads=True)
    one.show("#/log")
    first = one.tab.locator("table.log tbody tr:not(.day-row)").count()
    assert first == 50
    one.tab.click("#more-log")
    one.tab.locator("table.log tbody tr:not(.day-row)").nth(first).wait_for()
    one.tab.select_option("#choose-kind", "revert")
    one.settled()
    assert set(one.tab.locator("td.at-what").all_inner_texts()) == {"Revert"}
    with one.tab.expect_download() as started:
        one.tab.click("#csv")
    target = tmp_path / "log.csv"
    started.value.save_as(target)
    lines = target.read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) - 1 == one.tab.locator("td.at-what").count()
    one.tab.fill("#choose-from", (day.today() + timedelta(days=-1)).isoformat())
    one.settled()
    assert "from=" in one.tab.url


def test_a_revert_is_two_clicks_away(open_page: Open, browsed: Browsed) -> None:
    one = open_page(permissions=["clipboard-read", "clipboard-write"])
    one.show("#/log?kind=plan")
    code = (
        one.tab.locator("tr", has=one.tab.get_by_role("button", name="Copy log id"))
        .first.locator("a.name")
        .get_attribute("title")
    )
    row = one.tab.locator("table.log tbody tr", has=one.tab.locator(f"a.name[title='{code}']")).first
    row.get_by_role("button", name="Copy log id").click()
    row.get_by_role("button", name="Copied").wait_for()
    copied = one.tab.evaluate("navigator.clipboard.readText()")
    found = browsed.database.fetch(
        "select s.code, l.kind, l.status from channel_orchestration_log l join lead_segments s on l.segment_id = s.id "
        "where l.id = %s::uuid",
        [copied],
    )
    assert [tuple(each.values()) for each in found] == [(code, "plan", "success")]
    row.get_by_role("link", name="Open lead_budget_revert").click()
    one.tab.wait_for_url(f"{browsed.url}/dags/lead_budget_revert**")


def test_health_shows_each_source_each_finding_and_how_often_decisions_were_right(
    open_page: Open, browsed: Browsed
) -> None:
    one = open_page(width=1400)
    one.show("#/health")
    text = one.tab.locator("main").inner_text()
    for name in ("Google Ads", "Search Console", "GA4", "Leads", "Partner capacity"):
        assert one.tab.locator("table.plain .name", has_text=name).first.is_visible(), name
    assert one.tab.locator(".cells").count() >= 5
    stops = browsed.database.value(
        "select count(*) from pipeline_findings where level = 'stop' and resolved_at is null and segment_id is not null"
    )
    assert (stops and f"{stops} finding" in text) or "findings need a repair" in text
    assert one.tab.locator(".finding b", has_text=re.compile("^(Marketing|Data team|On call)$")).count()
    assert one.tab.locator(".rate").count(), "weeks that were judged"
    assert re.match(r"The data is fresh; \d+ findings need a repair\.", one.tab.locator("h1").inner_text())
    assert re.search(r"without a change, \d+% of \d+ weeks came as expected", one.tab.locator(".lead").inner_text())
    came = one.tab.locator("tr", has_text="Leads that came").inner_text()
    assert re.search(r"\d+%", came), "whether too much is expected on the whole"
    assert one.tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing stands beyond the edge"
    assert one.tab.locator(f"a[href*='{browsed.run_id.split('T')[0]}']").count(), "a link to today's run"


def test_health_shows_what_other_settings_would_have_decided_on_past_mornings(
    open_page: Open, browsed: Browsed
) -> None:
    one = open_page(width=1400)
    one.show("#/health")
    section = one.tab.locator("section", has=one.tab.get_by_role("heading", name="Backtest"))
    heads = section.locator("table").first.locator("thead th").all_inner_texts()
    assert heads[1:] == ["As decided", "Today's settings", "dead_band 0.5"]
    told = {row.inner_text().split("\t")[0]: row.inner_text().split("\t")[1:] for row in section.locator("tr").all()}
    changed = browsed.database.value(
        "select sum(differing) from backtest_results where run_id = 'manual__dead_band' and trial = 'changed'"
    )
    assert changed and told["Decisions unlike the column before"][2] == str(changed)
    assert section.locator("table").nth(1).locator("a[href^='#/segment/']").count(), "where budgets would stand"
    assert section.locator("a[href$='/dags/lead_backtest/runs/manual__dead_band']").is_visible()
    earlier = section.locator("details")
    assert earlier.count() == 1 and not earlier.locator("table").is_visible()
    earlier.locator("summary").click()
    assert "cooldown_days 0" in earlier.locator("table").inner_text()
    assert not one.barriers()


def test_a_filter_that_finds_no_change_leads_to_the_log(open_page: Open, browsed: Browsed) -> None:
    one = open_page()
    one.show("#/today?action=decrease&q=nowhere")
    one.tab.get_by_role("link", name="Earlier ones are in the log").click()
    assert one.settled().inner_text() == "Log"
    assert "kind=decrease" in one.tab.url


def test_every_link_leads_somewhere(open_page: Open, browsed: Browsed) -> None:
    one = open_page()
    addresses = ["#/today", "#/log", "#/health", f"#/segment/{browsed.codes('d.action = $$decrease$$')[0]}"]
    inside: set[str] = set()
    outside: set[str] = set()
    for address in addresses:
        one.show(address)
        for link in one.tab.locator("a[href]").evaluate_all("links => links.map(link => link.getAttribute('href'))"):
            (inside if link.startswith(("#", "api/")) else outside).add(link)
    for link in sorted(inside):
        if link.startswith("api/"):
            assert browsed.served.get(link).status_code == 200, link
        elif link != "#main":
            one.show(link)
            assert one.tab.locator(".state").count() == 0, link
    kinds = {re.sub(r"[\w.:%+-]*__[\w.:%+-]*", "RUN", link.split("?")[0]) for link in outside}
    assert {"/dags/lead_budgets/runs/RUN", "/dags/lead_budget_revert", "https://ads.google.com/aw/campaigns"} <= kinds
    for link in sorted(outside):
        if link.startswith("https://"):
            assert link.startswith("https://ads.google.com/aw/campaigns?campaignId="), link
        else:
            assert browsed.served.get(link).status_code == 200, link
    known = browsed.served.get(f"/api/v2/dags/lead_budgets/dagRuns/{browsed.run_id.replace('+', '%2B')}")
    assert known.status_code == 200
    assert f"/dags/lead_budgets/runs/{browsed.run_id.replace(':', '%3A').replace('+', '%2B')}" in outside


def test_names_are_shown_as_they_are_and_never_run(open_page: Open, browsed: Browsed) -> None:
    name = f"<img src=x onerror=alert(1)> {{{{7*7}}}}' \"&amp; customers/{'2' * 70}/campaignBudgets/{'3' * 70}"
    put = browsed.database.restore
    put("update channel_orchestration_log set decided_by = %s where decided_by = 'anke'", [name])
    put(
        "insert into pipeline_findings (name, level, segment_id, subject, detail, remediation) select distinct "
        "'named', 'warn', segment_id, '', %s, %s from channel_orchestration_log where kind = 'revert'",
        [name, name],
    )
    try:
        one = open_page()
        one.show("#/log?kind=revert")
        assert name in one.tab.locator("td.at-who").all_inner_texts()
        open_segment(one, browsed, "l.kind = 'revert'")
        assert name in one.tab.locator(".story").inner_text() and name in one.tab.locator(".side").inner_text()
        assert one.width() <= 1280, "a word as long as a resource's name is broken"
        one.show("#/health")
        assert one.tab.locator(".finding", has_text=name).count()
        assert one.tab.locator("main img").count() == 0
    finally:
        put("update channel_orchestration_log set decided_by = 'anke' where decided_by = %s", [name])
        put("delete from pipeline_findings where name = 'named'")


def test_the_tab_of_a_run_opens_the_day_of_that_run(open_page: Open) -> None:
    past = day.today() - timedelta(days=5)
    one = open_page()
    one.show(f"page?dag=lead_budgets&run=asset_triggered__{past}T05:03:40+00:00")
    assert f"day={past}" in one.tab.url
    assert one.tab.locator("#choose-day").input_value() == past.isoformat()
