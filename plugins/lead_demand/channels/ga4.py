"""Google Analytics 4: sessions from free search on the main site; sessions and leads of the microsites.

Source: analyticsdata runReport. Numbers of the last two days still grow. Leads counted here are a report, never added
to the leads of the company's own table.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pandas as pd

from lead_demand.channels.contract import match_longest_prefix
from lead_demand.channels.reporting_api import ReportingApiHook
from lead_demand.channels.sums import Sum
from lead_demand.day import Window, today
from lead_demand.findings import Level

ROWS_PER_REQUEST = 100_000
FREE_SEARCH = "Organic Search"


class Ga4:
    """Properties; `external_id` is a microsite's host name, or `path:/prefix` on the main site."""

    name: ClassVar[str] = "ga4"
    metrics: ClassVar[tuple[str, ...]] = ("visits", "microsite_visits", "microsite_leads")
    empty_day: ClassVar[Level] = "warn"
    late_days: ClassVar[int] = 2
    unmatched: ClassVar[str | None] = "hosts and pages of no segment"
    # Sessions are estimated; one that visits two hosts counts for each, and rows of few users are withheld.
    sums: ClassVar[tuple[Sum, ...]] = (
        Sum("sessions", "sessions", ("visits", "microsite_visits"), "warn", Decimal(20), Decimal("0.10")),
    )

    def fetch(self, account: str, window: Window) -> pd.DataFrame:
        hook = ReportingApiHook("analyticsdata", "v1beta")
        body: dict[str, Any] = {
            "dateRanges": [{"startDate": window.first.isoformat(), "endDate": window.last.isoformat()}],
            "dimensions": [
                {"name": "date"},
                {"name": "hostName"},
                {"name": "landingPage"},
                {"name": "sessionDefaultChannelGroup"},
            ],
            "metrics": [{"name": "sessions"}, {"name": "keyEvents"}],
            "limit": str(ROWS_PER_REQUEST),
        }
        records: list[tuple[str, str, str, str, int, int]] = []
        while True:
            answer = hook.call(
                "analyticsdata.properties.runReport",
                {"property": f"properties/{account}", "body": {**body, "offset": str(len(records))}},
                f"GA4 property {account}",
            )
            rows = answer.get("rows", [])
            for row in rows:
                day, host, page, group = (value["value"] for value in row["dimensionValues"])
                sessions, leads = (round(float(value["value"])) for value in row["metricValues"])
                records.append((f"{day[:4]}-{day[4:6]}-{day[6:]}", host, page, group, sessions, leads))
            if len(rows) < ROWS_PER_REQUEST:
                break
        frame = pd.DataFrame(records, columns=["date", "host", "page", "group", "sessions", "leads"])
        return _by_external_id(frame)

    def fetch_totals(self, account: str, window: Window) -> pd.DataFrame:
        """The property's sessions of each day, whatever the host, page and channel."""
        body = {
            "dateRanges": [{"startDate": window.first.isoformat(), "endDate": window.last.isoformat()}],
            "dimensions": [{"name": "date"}],
            "metrics": [{"name": "sessions"}],
            "limit": str(ROWS_PER_REQUEST),  # a row a day
        }
        answer = ReportingApiHook("analyticsdata", "v1beta").call(
            "analyticsdata.properties.runReport",
            {"property": f"properties/{account}", "body": body},
            f"GA4 property {account}",
        )
        records = []
        for row in answer.get("rows", []):
            day, sessions = row["dimensionValues"][0]["value"], row["metricValues"][0]["value"]
            records.append((f"{day[:4]}-{day[4:6]}-{day[6:]}", round(float(sessions))))
        return pd.DataFrame(records, columns=["date", "sessions"])

    def match(self, raw: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
        """Microsites by host, where every session counts; main-site pages by path prefix, where only free search
        counts.
        """
        hosts = dict(zip(sources["external_id"], sources["segment_id"], strict=True))
        paths = sources[sources["external_id"].str.startswith("path:")]
        # Comprehensions, because an empty report has no strings to split.
        host = pd.Series([key.partition("|")[0] for key in raw["external_id"]], raw.index, dtype=object)
        page = pd.Series(["path:" + key.partition("|")[2] for key in raw["external_id"]], raw.index, dtype=object)
        by_host, by_path = host.map(hosts), match_longest_prefix(page, paths)
        return raw.assign(
            segment_id=by_host.where(by_host.notna(), by_path),
            visits=raw["visits"].where(by_host.isna(), 0),
            microsite_visits=raw["microsite_visits"].where(by_host.notna() | by_path.isna(), 0),
            microsite_leads=raw["microsite_leads"].where(by_host.notna() | by_path.isna(), 0),
        )


def _by_external_id(frame: pd.DataFrame) -> pd.DataFrame:
    """Sessions per `host|page` and day: free search sessions as visits, all sessions as microsite visits until
    matched.
    """
    external = [f"{host}|{page.partition('?')[0]}" for host, page in zip(frame["host"], frame["page"], strict=True)]
    counted = pd.DataFrame(
        {
            "external_id": external,
            "date": frame["date"],
            "visits": frame["sessions"].where(frame["group"] == FREE_SEARCH, 0),
            "microsite_visits": frame["sessions"],
            "microsite_leads": frame["leads"],
            "sessions": frame["sessions"],
        }
    )
    summed = counted.groupby(["external_id", "date"], as_index=False, sort=False).sum()
    grows_until = (today() - timedelta(days=2)).isoformat()
    return summed.assign(is_final=summed["date"] < grows_until)


CHANNEL = Ga4
