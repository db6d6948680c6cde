"""Search Console and GA4 through GoogleDiscoveryApiHook, with the endpoint from the connection."""

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.fixtures.sandbox import Sandbox
from tests.sandbox.google.clients import ReportingHook, run_report, search_console

PREFIX = "https://www.vakwerkgids.example"


def span(first: date, last: date) -> dict[str, str]:
    return {"startDate": str(first), "endDate": str(last)}


def pages(first: date, last: date, **body: Any) -> list[dict[str, Any]]:
    """All rows by (date, page), page by page as a client has to."""
    rows: list[dict[str, Any]] = []
    while found := search_console(
        **span(first, last), dimensions=["date", "page"], rowLimit=50, startRow=len(rows), **body
    ).get("rows"):
        rows += found
    return rows


def test_clicks_by_date_and_page(clean_sandbox: Sandbox) -> None:
    last = clean_sandbox.today() - timedelta(days=3)
    rows = pages(last - timedelta(days=6), last)
    assert {row["keys"][0] for row in rows} == {str(last - timedelta(days=n)) for n in range(7)}
    assert len({tuple(row["keys"]) for row in rows}) == len(rows) > 100
    clicks: dict[str, float] = defaultdict(float)
    for row in rows:
        clicks["/".join(row["keys"][1].removeprefix(PREFIX).split("/")[:3])] += row["clicks"]
        assert row["impressions"] >= row["clicks"]
    assert clicks["/schilder/noord-brabant"] > 0 and clicks["/blog/wat-kost-een-vakman"] > 0
    leads = clean_sandbox.company(last - timedelta(days=6), last)["leads"]
    found = sum(
        (source, branch, region) == ("seo", "schilder", "Noord-Brabant")
        for source, branch, region in zip(leads["source_channel"], leads["branch"], leads["region"], strict=True)
    )
    assert 0 < found <= clicks["/schilder/noord-brabant"]


def test_the_last_two_days_are_incomplete(clean_sandbox: Sandbox) -> None:
    today = clean_sandbox.today()
    body = {**span(today - timedelta(days=5), today), "dimensions": ["date"]}
    final = search_console(**body)
    assert [row["keys"] for row in final["rows"]] == [[str(today - timedelta(days=n))] for n in (5, 4, 3)]
    assert "metadata" not in final
    fresh = search_console(**body, dataState="all")
    assert len(fresh["rows"]) == 5
    assert fresh["metadata"] == {"firstIncompleteDate": str(today - timedelta(days=2))}
    assert "rows" not in search_console(**span(today, today + timedelta(days=1)), dimensions=["date"])


def test_filters(clean_sandbox: Sandbox) -> None:
    last = clean_sandbox.today() - timedelta(days=3)
    filters = [{"filters": [{"dimension": "page", "operator": "contains", "expression": "/dakdekker/limburg"}]}]
    rows = pages(last, last, dimensionFilterGroups=filters)
    assert rows and all("/dakdekker/limburg" in row["keys"][1] for row in rows)


def test_a_foreign_site_is_refused(clean_sandbox: Sandbox) -> None:
    hook = ReportingHook("searchconsole", "v1")
    body = span(clean_sandbox.today(), clean_sandbox.today())
    with pytest.raises(HttpError) as error:
        hook.query("searchconsole.searchanalytics.query", {"siteUrl": "sc-domain:other.example", "body": body})
    assert error.value.status_code == 403


def report(first: date, last: date, *dimensions: str, metrics: tuple[str, ...] = ("sessions",), **body: Any) -> Any:
    return run_report(
        dateRanges=[span(first, last)],
        dimensions=[{"name": name} for name in dimensions],
        metrics=[{"name": name} for name in metrics],
        **body,
    )


def test_sessions_of_a_microsite(clean_sandbox: Sandbox) -> None:
    day = clean_sandbox.today() - timedelta(days=3)
    hosts = {"filter": {"fieldName": "hostName", "inListFilter": {"values": ["schilder-noord-brabant.example"]}}}
    answer = report(day, day, "date", "hostName", metrics=("sessions", "keyEvents"), dimensionFilter=hosts)
    ((row),) = answer["rows"]
    assert [value["value"] for value in row["dimensionValues"]] == [f"{day:%Y%m%d}", "schilder-noord-brabant.example"]
    sessions, leads = (int(value["value"]) for value in row["metricValues"])
    assert sessions >= leads
    assert answer["metadata"]["timeZone"] == "Europe/Amsterdam"
    books = clean_sandbox.company(day, day)["leads"]
    known = sum(
        (s, b, r) == ("microsite", "schilder", "Noord-Brabant")
        for s, b, r in zip(books["source_channel"], books["branch"], books["region"], strict=True)
    )
    assert known <= leads


def test_sessions_of_pages_by_channel(clean_sandbox: Sandbox) -> None:
    day = clean_sandbox.today() - timedelta(days=3)
    page = {"filter": {"fieldName": "landingPage", "stringFilter": {"value": "/schilder/", "matchType": "BEGINS_WITH"}}}
    answer = report(day, day, "landingPage", "sessionDefaultChannelGroup", dimensionFilter=page)
    groups = {row["dimensionValues"][1]["value"] for row in answer["rows"]}
    assert groups == {"Organic Search", "Direct", "Paid Search"}
    assert answer["rowCount"] == len(answer["rows"])


def test_the_last_days_still_grow(own_sandbox: Sandbox) -> None:
    yesterday = own_sandbox.today() - timedelta(days=1)

    def sessions() -> int:
        return int(report(yesterday, yesterday)["rows"][0]["metricValues"][0]["value"])

    seen = [sessions()]
    for _ in range(3):
        own_sandbox.step()
        seen.append(sessions())
    assert seen[0] < seen[1] < seen[2] == seen[3]
    assert seen[0] > 0.9 * seen[3]


def test_nothing_to_report(clean_sandbox: Sandbox) -> None:
    answer = report(clean_sandbox.today(), clean_sandbox.today(), "date")
    assert "rows" not in answer and "rowCount" not in answer
