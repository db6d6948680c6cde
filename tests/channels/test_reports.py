"""Search Console and GA4 as real accounts answer: through the real clients and a pull, into `channel_metrics`."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from lead_demand.channels.pull import pull
from lead_demand.errors import SourceUnavailable
from lead_demand.runs.day import Window, today
from sandbox.company.load import load
from sandbox.google.reports import copies_of
from sandbox.world.catalogue import GA4_PROPERTY, MAIN_HOST, SITE_URL
from tests.fixtures.airflow import use_database
from tests.fixtures.postgres import LeadsDatabase
from tests.fixtures.sandbox import Sandbox

ACCOUNTS = {"search_console": (SITE_URL, "searchAnalytics"), "ga4": (GA4_PROPERTY, "runReport")}
LAST = today() - timedelta(days=5)
DAYS = Window(LAST - timedelta(days=4), LAST)
Held = dict[tuple[str, date], dict[str, Any]]


class Reports:
    """The company's own sources in a database of its own, and the sandbox that reports on them."""

    def __init__(self, db: LeadsDatabase, sandbox: Sandbox) -> None:
        self.db, self.sandbox = db, sandbox

    def pull(self, channel: str, window: Window = DAYS) -> Held:
        """Pull, and give what is then held of the window."""
        pull(channel, ACCOUNTS[channel][0], window, "a run")
        return self.held(channel, window)

    def held(self, channel: str, window: Window = DAYS) -> Held:
        rows = self.db.fetch(
            "select code, date, impressions, clicks, visits, microsite_visits, microsite_leads, is_final "
            "from channel_metrics join lead_segments on segment_id = id "
            "where channel = %s and date between %s and %s order by code, date",
            [channel, window.first, window.last],
        )
        return {(row.pop("code"), row.pop("date")): row for row in rows}

    def forget(self) -> None:
        self.db.fetch("delete from channel_metrics")

    def fault(self, channel: str, kind: str, times: int = 200, **args: Any) -> None:
        self.sandbox.fault(kind, ACCOUNTS[channel][1], times=times, **args)

    def findings(self, name: str) -> list[dict[str, Any]]:
        return self.db.fetch("select * from pipeline_findings where name = %s and resolved_at is null", [name])


@pytest.fixture
def reports(leads_db: LeadsDatabase, clean_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Reports:
    """No day is held yet."""
    load(leads_db.owner_url, clean_sandbox.control, days=1)
    leads_db.fetch("delete from channel_metrics")
    use_database(monkeypatch, leads_db)
    return Reports(leads_db, clean_sandbox)


@pytest.mark.advice("partial_report")
@pytest.mark.parametrize(
    ("kind", "channel", "says"),
    [
        ("sampled", "ga4", "a sample of its events (5%)"),
        ("thresholded", "ga4", "data thresholds"),
        ("other_row", "ga4", "(other)"),
        ("truncated", "ga4", "cut its report short"),
        ("restricted", "ga4", "hid keyEvents"),
        ("by_property", "search_console", "by property"),
    ],
)
def test_an_answer_that_says_it_is_partial_is_not_final_and_not_zero(
    reports: Reports, kind: str, channel: str, says: str
) -> None:
    reports.fault(channel, kind)
    partial = reports.pull(channel)
    assert not any(row["is_final"] for row in partial.values())
    (finding,) = reports.findings("partial_report")
    assert says in finding["detail"] and finding["evidence_date"] == DAYS.last and finding["remediation"]

    # The advice: remove the cause, then read these days again.
    reports.sandbox.clear()
    whole = reports.pull(channel)
    assert len(whole) == 5 * reports.db.value("select count(*) from lead_segments where is_active")
    assert all(row["is_final"] for row in whole.values())
    assert not reports.findings("partial_report")
    figures = ("impressions", "clicks", "visits", "microsite_visits", "microsite_leads")
    assert all(any(row[name] for name in figures) for row in partial.values()), "nothing unknown became 0"
    assert len(partial) < len(whole) or kind not in ("other_row", "thresholded")


def test_an_empty_report_with_a_reason_is_unknown_and_says_the_reason(reports: Reports) -> None:
    reports.fault("ga4", "empty_reason", reason="NO_DATA_YET")
    assert reports.pull("ga4") == {}
    (finding,) = reports.findings("partial_report")
    assert "NO_DATA_YET" in finding["detail"]
    reports.sandbox.clear()
    assert reports.pull("ga4") and not reports.findings("partial_report")


def test_days_that_are_whole_one_by_one_are_read_one_by_one(reports: Reports) -> None:
    whole = reports.pull("ga4")
    reports.forget()
    for kind in ("other_row", "sampled"):
        reports.sandbox.clear()
        reports.fault("ga4", kind, text=f'"startDate": "{DAYS.first}", "endDate": "{DAYS.last}"')
        assert reports.pull("ga4") == whole
        assert len(reports.sandbox.calls("runReport")) >= 1 + DAYS.days
    assert not reports.findings("partial_report")


def test_a_report_that_is_cut_before_a_date_is_whole_from_there_on(reports: Reports) -> None:
    reports.fault("ga4", "truncated", before=str(DAYS.last))
    found = reports.pull("ga4")
    assert {day for (_, day), row in found.items() if row["is_final"]} == {DAYS.last}


@pytest.mark.parametrize("field", ["first_incomplete_date", "firstIncompleteDate"])
def test_days_that_search_console_still_collects_are_not_final_and_not_zero(reports: Reports, field: str) -> None:
    first_incomplete = DAYS.last - timedelta(days=1)
    reports.fault("search_console", "incomplete", date=str(first_incomplete), field=field)
    found = reports.pull("search_console")
    assert {day for (_, day), row in found.items() if not row["is_final"]} == {first_incomplete, DAYS.last}
    assert all(row["impressions"] for (_, day), row in found.items() if day >= first_incomplete)
    assert not reports.findings("partial_report"), "the next days heal it"


@pytest.mark.parametrize("channel", ["search_console", "ga4"])
def test_a_staging_server_and_a_translation_are_not_the_site(reports: Reports, channel: str) -> None:
    plain = reports.pull(channel)
    reports.forget()
    reports.fault(channel, "copies")
    assert reports.pull(channel) == plain
    (finding,) = [row for row in reports.findings("source_without_segment") if "hosts" in row["subject"]]
    assert finding["level"] == "info" and "staging.vakwerkgids.example" in finding["detail"]
    reports.sandbox.clear()
    reports.pull(channel)
    assert not [row for row in reports.findings("source_without_segment") if "hosts" in row["subject"]]


@pytest.mark.parametrize("channel", ["search_console", "ga4"])
def test_www_ports_capitals_double_slashes_and_percent_encoding_are_the_same_page(
    reports: Reports, channel: str
) -> None:
    plain = reports.pull(channel)
    reports.forget()
    reports.fault(channel, "spellings")
    assert reports.pull(channel) == plain
    assert plain["schilder_noord_brabant", DAYS.last]["is_final"]


def test_a_source_may_be_spelt_in_any_way_too(reports: Reports) -> None:
    plain = {channel: reports.pull(channel) for channel in ACCOUNTS}
    reports.forget()
    reports.db.fetch(
        "update channel_sources set external_id = case "
        "when channel = 'search_console' then upper(external_id) || '/' "
        "when external_id like 'path:%' then 'path:' || upper(substr(external_id, 6)) || '//' "
        "else 'WWW.' || external_id || '.' end where channel <> 'google_ads'"
    )
    assert {channel: reports.pull(channel) for channel in ACCOUNTS} == plain


@pytest.mark.advice("host_not_stated")
def test_pages_on_two_hosts_of_which_none_is_named_are_unknown_until_the_host_is_named(reports: Reports) -> None:
    db, plain = reports.db, reports.pull("ga4")
    reports.forget()
    db.fetch("update channel_sources set is_active = false where channel = 'search_console'")
    assert reports.pull("ga4") == plain, "the only host that has sessions is the site"
    reports.forget()
    reports.fault("ga4", "copies")
    left = reports.pull("ga4")
    assert "schilder_noord_brabant" in {code for code, _ in plain} and len(left) < len(plain)
    assert all(plain[key] == row for key, row in left.items())
    (finding,) = reports.findings("host_not_stated")
    assert MAIN_HOST.removeprefix("www.") in finding["detail"] and "path://" in finding["remediation"]

    db.fetch(
        "update channel_sources set external_id = replace(external_id, 'path:/', %s) where channel = 'ga4'",
        [f"path://{MAIN_HOST}/"],
    )
    assert reports.pull("ga4") == plain and not reports.findings("host_not_stated")


@pytest.mark.advice("property_time_zone")
def test_the_days_of_a_property_in_another_time_zone_are_other_days(reports: Reports) -> None:
    reports.fault("ga4", "time_zone", time_zone="America/Los_Angeles")
    assert reports.pull("ga4") == {}
    (finding,) = reports.findings("property_time_zone")
    assert "America/Los_Angeles" in finding["detail"]
    reports.sandbox.clear()
    reports.fault("ga4", "time_zone", time_zone="Europe/Brussels")
    assert reports.pull("ga4"), "its days begin and end at the same moments"
    assert not reports.findings("property_time_zone")


@pytest.mark.parametrize("channel", ["search_console", "ga4"])
def test_short_pages_are_read_to_the_end(reports: Reports, channel: str) -> None:
    plain = reports.pull(channel)
    reports.forget()
    reports.fault(channel, "short_pages", rows=17)
    assert reports.pull(channel) == plain


def test_rows_that_move_between_pages_are_read_again_day_by_day(reports: Reports) -> None:
    plain = reports.pull("search_console")
    reports.forget()
    reports.fault("search_console", "shifted", rows=100)
    assert reports.pull("search_console") == plain
    assert not reports.findings("duplicate_row")


def test_rows_that_move_within_a_day_are_counted_once_and_named(reports: Reports) -> None:
    plain = reports.pull("search_console")
    reports.forget()
    reports.fault("search_console", "shifted", rows=10)
    found = reports.pull("search_console")
    assert found and all(row["clicks"] <= plain[key]["clicks"] and not row["is_final"] for key, row in found.items())
    assert reports.findings("duplicate_row") and reports.findings("partial_report")
    reports.sandbox.clear()
    assert reports.pull("search_console") == plain
    assert not reports.findings("duplicate_row") and not reports.findings("partial_report")


@pytest.mark.parametrize("channel", ["search_console", "ga4"])
def test_a_row_that_comes_twice_is_not_summed_twice(reports: Reports, channel: str) -> None:
    plain = reports.pull(channel)
    reports.fault(channel, "duplicate_rows")
    again = reports.pull(channel)
    figures = [{name: value for name, value in row.items() if name != "is_final"} for row in again.values()]
    assert figures == [{name: value for name, value in row.items() if name != "is_final"} for row in plain.values()]
    assert reports.findings("duplicate_row")
    reports.sandbox.clear()
    assert reports.pull(channel) == plain and not reports.findings("duplicate_row")


def test_a_report_that_grows_while_it_is_read_is_read_again_and_in_the_end_not_written(reports: Reports) -> None:
    plain = reports.pull("ga4")
    reports.forget()
    reports.fault("ga4", "growing", times=2, rows=100_000)
    assert reports.pull("ga4") == plain
    reports.forget()
    reports.fault("ga4", "growing")
    with pytest.raises(SourceUnavailable, match="rows, and gave"):
        reports.pull("ga4")
    assert reports.held("ga4") == {}


@pytest.mark.parametrize("channel", ["search_console", "ga4"])
@pytest.mark.parametrize("kind", ["unmatched", "empty"])
def test_a_month_without_a_row_that_matches_is_no_crash(reports: Reports, channel: str, kind: str) -> None:
    month = Window(DAYS.last - timedelta(days=30), DAYS.last)
    reports.fault(channel, kind)
    found = reports.pull(channel, month)
    assert all(not row["clicks"] and not row["visits"] for row in found.values())
    assert bool(found) == (kind == "unmatched"), "of an account that says nothing at all, nothing is known"


@pytest.mark.parametrize(
    ("channel", "outside"),
    [
        ("search_console", ["/blog", *(f"//{host}/" for host in copies_of(MAIN_HOST))]),
        ("ga4", [*copies_of(MAIN_HOST), "(not set)"]),
    ],
)
def test_pages_and_hosts_that_are_outside_on_purpose_are_not_named(
    reports: Reports, channel: str, outside: list[str]
) -> None:
    plain = reports.pull(channel)
    reports.fault(channel, "copies")
    reports.pull(channel)
    assert reports.findings("source_without_segment")
    reports.db.fetch(
        "insert into channel_sources (channel, account, external_id, segment_id, is_active) "
        "select %s, %s, external_id, (select id from lead_segments limit 1), false "
        "from unnest(%s::text[]) as external_id",
        [channel, ACCOUNTS[channel][0], outside],
    )
    assert reports.pull(channel) == plain
    assert not reports.findings("source_without_segment")
