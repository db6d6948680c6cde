"""Everybody can use the page: by keyboard, with a screen reader, on a phone, in the dark, in Dutch, inside Airflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.ui.browser.conftest import Browsed, Opened

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator

Open = Callable[..., Opened]
PHONE, DESK = 390, 1400


def views(browsed: Browsed) -> list[str]:
    changed = browsed.codes("d.action = $$decrease$$")[0]
    blocked = browsed.codes("d.is_blocked")[0]
    return ["#/today", f"#/segment/{changed}", f"#/segment/{blocked}", "#/log", "#/health"]


@pytest.mark.parametrize(("theme", "width"), [("light", PHONE), ("dark", DESK)])
def test_no_view_has_a_barrier_or_scrolls_sideways(theme: str, width: int, open_page: Open, browsed: Browsed) -> None:
    one = open_page(width=width, color_scheme=theme)
    for address in views(browsed):
        one.show(address)
        if "segment" in address:
            one.tab.locator(".chart canvas").first.wait_for()
        assert one.barriers() == [], address
        assert one.width() <= width, address


@pytest.mark.parametrize("address", ["#/today?q=nowhere", "#/segment/nowhere", "#/log?q=nowhere"])
def test_no_state_has_a_barrier(address: str, open_page: Open) -> None:
    one = open_page(width=PHONE)
    one.allow = ("Failed to load resource",)
    one.show(address)
    assert one.barriers() == []


def test_the_keyboard_alone_reaches_a_segment_and_its_chart(open_page: Open, browsed: Browsed) -> None:
    one = open_page()
    one.show("#/today")
    press = one.tab.keyboard.press
    press("Tab")
    assert one.tab.evaluate("document.activeElement.id") == "skip"
    press("Enter")
    assert one.tab.evaluate("document.activeElement.id") == "main"
    press("/")
    code = browsed.codes("d.action = $$decrease$$")[0]
    one.tab.keyboard.type(code)
    one.tab.locator(".filters .count", has_text="1 of").wait_for()
    for _ in range(30):
        press("Tab")
        if one.tab.evaluate("document.activeElement.className") == "name":
            break
    press("Enter")
    one.tab.locator(".answer").wait_for()
    assert one.tab.evaluate("document.activeElement.id") == "main", "the reader begins at the new view"
    assert one.tab.locator("#live").inner_text().startswith(one.tab.locator("h1").inner_text())
    one.tab.locator(".chart canvas").first.wait_for()
    for _ in range(60):
        press("Tab")
        if "mark" in one.tab.evaluate("document.activeElement.className"):
            break
    press("Enter")
    one.tab.locator(".story li:focus").wait_for()


def test_what_a_filter_did_is_told_without_a_move_of_the_focus(open_page: Open) -> None:
    one = open_page()
    one.show("#/today")
    one.tab.focus("#choose-region")
    one.tab.select_option("#choose-region", "utrecht")
    one.settled()
    assert "segments match" in one.tab.locator("#live").inner_text()
    assert one.tab.evaluate("document.activeElement.id") == "choose-region"


def test_a_dutch_browser_reads_dutch_words_numbers_and_reasons(open_page: Open, browsed: Browsed) -> None:
    one = open_page(locale="nl-NL")
    heading = one.show("#/today").inner_text()
    assert heading.startswith("Vandaag is besloten")
    assert one.tab.evaluate("document.documentElement.lang") == "nl"
    text = one.tab.locator("main").inner_text()
    assert "Waarom" in text and "€ " in text.replace("\xa0", " ")
    assert "What partners can take" not in text
    one.show("#/health")
    assert one.barriers() == [], "the language of every text is named"
    assert open_page(locale="de-DE").show("#/today").inner_text().startswith("Today ran")


def test_forced_colours_and_paper_leave_nothing_out(open_page: Open, browsed: Browsed) -> None:
    one = open_page(forced_colors="active")
    one.show("#/today")
    assert one.tab.locator(".bullet-short .expected").first.is_visible()
    one.tab.emulate_media(media="print", forced_colors="none")
    assert one.tab.locator("tr.segment").first.is_visible()
    assert not one.tab.locator(".filters").is_visible()


def framed(one: Opened, browsed: Browsed) -> FrameLocator:
    """The page inside Airflow's own UI, opened by its entry in the navigation."""
    one.tab.goto(browsed.url)
    one.tab.get_by_role("link", name="Leads").first.click()
    frame = one.tab.frame_locator("iframe")
    frame.locator("main:not([aria-busy]) h1").wait_for()
    return frame


def test_inside_airflow_it_follows_the_theme_and_its_links_leave_the_frame(open_page: Open, browsed: Browsed) -> None:
    one = open_page(width=DESK)
    one.allow = ("allow-same-origin for its sandbox",)  # Chromium's word on Airflow's own frame
    frame = framed(one, browsed)
    for mode in ("dark", "light"):
        one.tab.evaluate("mode => document.documentElement.classList.toggle('dark', mode === 'dark')", mode)
        frame.locator(f"html[data-theme={mode}]").wait_for()
    assert frame.locator("#copy-link").is_visible()
    frame.locator("p.lead a.out").click()
    one.tab.wait_for_url("**/dags/lead_budgets/runs/**")
    # Airflow's own pages may write to the console; what is ours says so by its address.
    one.errors = [error for error in one.errors if "/lead-demand/" in error]


def test_a_policy_forbids_what_the_page_does_not_need(open_page: Open, browsed: Browsed) -> None:
    one = open_page()
    one.allow = ("Content Security Policy",)
    one.show("#/today")
    ran = one.tab.evaluate(
        "() => { const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        " document.body.append(script); return window.ran === true }"
    )
    assert not ran
    assert any("Content Security Policy" in error for error in one.errors)
