"""Search Console: clicks and impressions from Google's free results, per page path prefix and day.

Source: searchanalytics.query. Its days are Pacific Time and its last two or three days are still growing: reporting
only, it never holds a budget.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pandas as pd

from lead_demand.channels.contract import match_longest_prefix
from lead_demand.channels.reporting_api import ReportingApiHook
from lead_demand.channels.sums import Sum
from lead_demand.day import Window
from lead_demand.findings import Level

ROWS_PER_REQUEST = 25_000


class SearchConsole:
    """Verified sites; `external_id` is a page path prefix such as `/schilder/utrecht`, an account is a site."""

    name: ClassVar[str] = "search_console"
    metrics: ClassVar[tuple[str, ...]] = ("impressions", "clicks")
    empty_day: ClassVar[Level] = "info"
    late_days: ClassVar[int] = 4
    unmatched: ClassVar[str | None] = "pages outside every prefix"
    # The API gives the top rows of a site only, at most 50,000 a day.
    sums: ClassVar[tuple[Sum, ...]] = (
        Sum("clicks", "clicks", ("clicks",), "warn", Decimal(10), Decimal("0.05")),
        Sum("impressions", "impressions", ("impressions",), "warn", Decimal(100), Decimal("0.10")),
    )

    def fetch(self, account: str, window: Window) -> pd.DataFrame:
        hook = ReportingApiHook("searchconsole", "v1")
        body: dict[str, Any] = {
            "startDate": window.first.isoformat(),
            "endDate": window.last.isoformat(),
            # Adding the query would drop every row that Google holds back for privacy.
            "dimensions": ["date", "page"],
            "dataState": "all",
            "rowLimit": ROWS_PER_REQUEST,
        }
        records: list[tuple[str, str, int, int]] = []
        first_incomplete: str | None = None
        while True:
            answer = hook.call(
                "searchconsole.searchanalytics.query",
                {"siteUrl": account, "body": {**body, "startRow": len(records)}},
                f"Search Console {account}",
            )
            metadata = answer.get("metadata", {})
            # The reference and the client's own description of the API spell this field differently.
            first_incomplete = (
                metadata.get("first_incomplete_date") or metadata.get("firstIncompleteDate") or first_incomplete
            )
            rows = answer.get("rows", [])
            records += [
                (
                    urlsplit(row["keys"][1]).path or "/",
                    row["keys"][0],
                    round(row["impressions"]),
                    round(row["clicks"]),
                )
                for row in rows
            ]
            if len(rows) < ROWS_PER_REQUEST:
                break
        frame = pd.DataFrame(records, columns=["external_id", "date", *self.metrics])
        # http and https, with and without www: the same path may come under several addresses.
        frame = frame.groupby(["external_id", "date"], as_index=False, sort=False).sum()
        return frame.assign(is_final=frame["date"] < (first_incomplete or "9999-12-31"))

    def fetch_totals(self, account: str, window: Window) -> pd.DataFrame:
        """The site's days. Counted by page like the rows: of a search that shows two pages of a site, a sum by property
        counts one.
        """
        body: dict[str, Any] = {
            "startDate": window.first.isoformat(),
            "endDate": window.last.isoformat(),
            "dimensions": ["date"],
            "aggregationType": "byPage",
            "dataState": "all",
            "rowLimit": ROWS_PER_REQUEST,  # a row a day
        }
        answer = ReportingApiHook("searchconsole", "v1").call(
            "searchconsole.searchanalytics.query", {"siteUrl": account, "body": body}, f"Search Console {account}"
        )
        records = [(row["keys"][0], round(row["impressions"]), round(row["clicks"])) for row in answer.get("rows", [])]
        return pd.DataFrame(records, columns=["date", *self.metrics])

    def match(self, raw: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
        return raw.assign(segment_id=match_longest_prefix(raw["external_id"], sources))


CHANNEL = SearchConsole
