"""Accounts that say little or nothing: through the steps of `lead_stats` over a range of days, to what stands in the
statistics. What is not known is NULL there, and 0 only where an account that reports had nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from lead_demand.runs.day import Window
from sandbox.world.catalogue import GA4_PROPERTY, SITE_URL
from tests.fixtures.findings import statement_of
from tests.fixtures.world import PAINTERS, World

UTRECHT = "schilder_utrecht"
ACCOUNTS = {"google_ads": PAINTERS, "search_console": SITE_URL, "ga4": GA4_PROPERTY}
COLUMNS = {"google_ads": "google_ads_spend", "search_console": "seo_clicks", "ga4": "seo_visits"}
CAMPAIGN = "20000001002"
REPORTS = ["search_console", "ga4"]
TEN_DAYS = 10


def of_the_past(world: World, days: int) -> Window:
    return Window(world.window.last - timedelta(days=days - 1), world.window.last)


def figures(world: World, channel: str, window: Window) -> dict[tuple[str, date], Any]:
    found = world.stats(COLUMNS[channel])
    return {key: figure for key, figure in found.items() if window.first <= key[1] <= window.last}


def of_day(world: World, channel: str, day: date) -> set[Any]:
    """The figures of a day, whatever the segment."""
    return {figure for (_, of), figure in figures(world, channel, Window(day, day)).items() if of == day}


# -- a day without rows from a site that always has rows -------------------------------------------------------------


@pytest.fixture(params=REPORTS)
def lost(request: pytest.FixtureRequest, world: World) -> Iterator[tuple[str, date]]:
    """A channel, and a day that its report lacks from the beginning."""
    window = of_the_past(world, TEN_DAYS)
    day = window.last - timedelta(days=6)
    world.sandbox.set_account(ACCOUNTS[request.param], hidden=[day])
    world.lead_stats(window)
    yield request.param, day


@pytest.mark.advice("silent_day_doubtful")
def test_a_day_that_a_report_lacks_is_doubtful_and_not_zero_until_a_person_states_it(
    world: World, lost: tuple[str, date]
) -> None:
    channel, day = lost
    (found,) = world.open_findings("silent_day_doubtful")
    assert (found["level"], found["channel"], found["date"]) == ("info", channel, day)
    assert found["subject"] == ACCOUNTS[channel] and "The day is unknown, and not 0" in found["detail"]
    known = figures(world, channel, of_the_past(world, TEN_DAYS))
    assert of_day(world, channel, day) == {None}
    assert None not in {figure for (_, of), figure in known.items() if of != day}
    assert world.held() == set() and world.open_findings() == []

    world.db.fetch(statement_of(found))
    assert f"from = {day} and to = {day}" in found["remediation"]
    world.lead_stats(Window(day, day))
    assert of_day(world, channel, day) == {0} and world.open_findings("silent_day_doubtful") == []
    world.lead_stats(of_the_past(world, TEN_DAYS))
    assert of_day(world, channel, day) == {0} and world.open_findings("silent_day_doubtful") == []


@pytest.mark.long
def test_a_day_that_a_report_lacks_is_known_once_its_rows_come(world: World, lost: tuple[str, date]) -> None:
    channel, day = lost
    assert of_day(world, channel, day) == {None}
    world.sandbox.set_account(ACCOUNTS[channel])
    world.lead_stats(Window(day, day))
    assert None not in of_day(world, channel, day) and max(of_day(world, channel, day)) > 0
    assert world.open_findings("silent_day_doubtful") == []


@pytest.mark.parametrize("channel", REPORTS)
def test_yesterday_may_still_be_on_its_way_and_is_no_zero(world: World, channel: str) -> None:
    yesterday = world.window.last
    world.sandbox.set_account(ACCOUNTS[channel], hidden=[yesterday])
    world.lead_stats()
    (found,) = world.open_findings("day_without_rows")
    assert (found["channel"], found["date"]) == (channel, yesterday) and found["level"] != "stop"
    assert of_day(world, channel, yesterday) == {None}
    world.sandbox.set_account(ACCOUNTS[channel])
    world.lead_stats()
    assert world.open_findings("day_without_rows") == [] and max(of_day(world, channel, yesterday)) > 0


@pytest.mark.parametrize("channel", REPORTS)
def test_what_was_read_before_does_not_become_zero(world: World, channel: str) -> None:
    window = of_the_past(world, TEN_DAYS)
    day = window.last - timedelta(days=6)
    world.lead_stats(window)
    before = figures(world, channel, window)
    world.sandbox.set_account(ACCOUNTS[channel], hidden=[day])
    world.lead_stats(window)
    (found,) = world.open_findings("empty_report")
    assert found["channel"] == channel and "were read before" in found["detail"]
    assert figures(world, channel, window) == before
    world.sandbox.set_account(ACCOUNTS[channel])
    world.lead_stats(window)
    assert world.open_findings("empty_report") == [] and figures(world, channel, window) == before


# -- no rows, none that belongs to a segment, one row, one segment, one day -------------------------------------------


def no_rows(world: World, channel: str, window: Window) -> None:
    days = [window.first - timedelta(days=n) for n in range(-window.days, 60)]
    world.sandbox.set_account(ACCOUNTS[channel], hidden=days)


def no_row_of_a_segment(world: World, channel: str, window: Window) -> None:
    if channel == "google_ads":  # the account's only sources are of a campaign that is paused
        one_segment(world, channel, window)
        world.sandbox.set_campaign(CAMPAIGN, "PAUSED", window.first - timedelta(days=60))
    else:
        world.db.fetch(
            "update channel_sources set external_id = replace(external_id, '/', '/ergens/') "
            "where channel = %s and external_id like '%%/%%'",
            [channel],
        )
        world.db.fetch("delete from channel_sources where channel = %s and external_id not like '%%/%%'", [channel])


def one_segment(world: World, channel: str, window: Window) -> None:
    world.db.fetch(
        "delete from channel_sources using lead_segments as segments where segment_id = segments.id "
        "and channel = %s and account = %s and code <> %s",
        [channel, ACCOUNTS[channel], UTRECHT],
    )


def one_row(world: World, channel: str, window: Window) -> None:
    if channel != "google_ads":
        method = {"search_console": "searchAnalytics", "ga4": "runReport"}[channel]
        world.sandbox.fault("one_row", method, times=100)
        return
    world.db.fetch("update leads set source_channel = 'seo'")  # they would say that the silence is none
    rows = world.db.fetch("select external_id from channel_sources where account = %s", [PAINTERS])
    for campaign in {row["external_id"] for row in rows} - {CAMPAIGN}:
        world.sandbox.set_campaign(campaign, "PAUSED", window.first - timedelta(days=60))
    world.sandbox.set_account(PAINTERS, hidden=[window.first + timedelta(days=n) for n in range(1, window.days)])


FewRows = Callable[[World, str, Window], None]


@pytest.mark.parametrize("few", [no_rows, no_row_of_a_segment, one_segment, one_row], ids=lambda few: few.__name__)
@pytest.mark.parametrize("channel", COLUMNS)
@pytest.mark.parametrize("days", [30, 1], ids=["a month", "one day"])
def test_a_range_of_an_account_that_says_little_is_counted_to_the_last_row_and_makes_nothing_up(
    world: World, channel: str, few: FewRows, days: int
) -> None:
    window = of_the_past(world, days)
    few(world, channel, window)
    world.lead_stats(window)
    account = [channel, ACCOUNTS[channel]]
    rows = world.db.fetch(
        "select code, date, coalesce(spend, clicks, visits) as figure, is_empty from channel_metrics "
        "join lead_segments on segment_id = id where channel = %s and account = %s",
        account,
    )
    held = {(row["code"], row["date"]): row["figure"] for row in rows}
    silent = {(row["code"], row["date"]) for row in rows if row["is_empty"]}
    stated = figures(world, channel, window)
    assert all(stated[key] == figure for key, figure in held.items() if key not in silent)
    assert all(stated[key] in (0, None) and held[key] == 0 for key in silent), "doubtful, or nothing"
    if channel != "google_ads":
        assert {stated[key] for key in stated.keys() - held.keys()} <= {None}
    off = world.db.fetch("select difference from channel_totals where channel = %s and account = %s", account)
    assert world.open_findings() == [] and {row["difference"] for row in off} <= {0, None}

    above_zero = {key for key, figure in held.items() if figure}
    if few is no_rows:
        assert not held, "nobody was asked whether that is a zero"
        assert world.open_findings("empty_report") or world.open_findings("day_without_rows")
    elif few is no_row_of_a_segment:
        # The account reports, and not on these; of a day that is still collected that is not known.
        assert not above_zero and (held or days == 1)
    elif few is one_segment:
        assert {code for code, _ in held} == {UTRECHT} and len(held) == days and above_zero
    else:
        assert len(above_zero) == 1


def test_leads_that_fit_no_segment_are_zero_leads_and_named(world: World) -> None:
    world.db.fetch("update lead_segments set branch = branch || '-elders', postal_prefixes = '{}'")
    world.lead_stats(of_the_past(world, 6), only=lambda task: task != "pull_partner_capacity")
    leads = world.stats("leads_generated")
    assert set(leads.values()) == {0} and len(leads) == 6 * len({code for code, _ in leads})
    assert world.open_findings("leads_without_segment") and world.open_findings() == []


def test_a_company_without_any_lead_has_zero_leads_on_each_day(world: World) -> None:
    world.db.fetch("delete from leads")
    world.lead_stats(of_the_past(world, 6))
    leads = world.stats("leads_generated")
    assert set(leads.values()) == {0} and world.open_findings() == []


def test_one_lead_of_one_day_is_one_lead(world: World) -> None:
    world.db.fetch("delete from leads where id > (select min(id) from leads)")
    one = world.db.value("select (created_at at time zone 'Europe/Amsterdam')::date from leads")
    world.lead_stats(Window(one, one))
    assert sum(world.stats("leads_generated").values()) + len(world.open_findings("leads_without_segment")) == 1
    assert world.open_findings() == []
