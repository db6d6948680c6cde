"""Search Console: clicks and impressions from Google's free results, per page path prefix and day.

Source: searchanalytics.query. Its days are Pacific Time and its last two or three days are still growing: reporting
only, it never holds a budget.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pandas as pd

from lead_demand.channels import addresses
from lead_demand.channels.contract import FOREIGN_HOSTS, Doubt, Fetched
from lead_demand.channels.matching import match_longest_prefix
from lead_demand.channels.reporting_api import ReportingApiHook
from lead_demand.channels.sums import Sum
from lead_demand.channels.whole_numbers import as_numbers
from lead_demand.database.findings import Level
from lead_demand.runs.day import Window

ROWS_PER_REQUEST = 25_000
# Google keeps this many rows of a property per day and search type: the top ones, and says nothing of the rest.
MOST_ROWS_OF_A_DAY = 50_000
# Impressions or clicks of one page and day.
LARGEST_ROW = 100_000_000
PACIFIC = ZoneInfo("America/Los_Angeles")


@dataclass
class _Answer:
    """All pages of one query. `rows`: (impressions, clicks) as Google wrote them by (day, page URL); `again`: keys that
    came twice.
    """

    rows: dict[tuple[str, str], tuple[object, object]] = field(default_factory=dict)
    again: set[tuple[str, str]] = field(default_factory=set)
    first_incomplete: str | None = None
    aggregated: str = "BYPAGE"


class SearchConsole:
    """Verified sites; an account is a site.

    `external_id` is a page path prefix on the site's own host, with or without `www.` (`/schilder/utrecht`), or one on
    another host of a domain property (`//shop.site.nl/schilder`).
    """

    channel: ClassVar[str] = "search_console"
    metrics: ClassVar[tuple[str, ...]] = ("impressions", "clicks")
    empty_day: ClassVar[Level] = "info"
    late_days: ClassVar[int] = 4
    unmatched: ClassVar[str | None] = "pages outside every prefix"
    # The API gives the top rows of a site only, at most 50,000 per day.
    sums: ClassVar[tuple[Sum, ...]] = (
        Sum("clicks", "clicks", ("clicks",), "warn", Decimal(10), Decimal("0.05")),
        Sum("impressions", "impressions", ("impressions",), "warn", Decimal(100), Decimal("0.10")),
    )

    def fetch(self, account: str, window: Window) -> Fetched:
        hook = ReportingApiHook("searchconsole", "v1")
        answers = [_read(hook, account, window)]
        if answers[0].again and window.days > 1:
            # Rows with equally many clicks come in any order, so they move between pages. A day is mostly one page.
            answers = [_read(hook, account, day) for day in window.chunks(1)]
        rows = {key: figures for answer in answers for key, figures in answer.rows.items()}
        again = {key for answer in answers for key in answer.again}
        records = [(addresses.page(url), day, *figures) for (day, url), figures in rows.items()]
        frame = pd.DataFrame(records, columns=["external_id", "date", *self.metrics])
        # http and https, with and without www, capitals: one page may come under several addresses.
        frame = as_numbers(frame, self.metrics, 0, LARGEST_ROW)
        sums = dict.fromkeys(self.metrics, "sum") | {"unreadable": "first"}
        frame = frame.groupby(["external_id", "date"], as_index=False, sort=False).agg(sums)
        repeated = sorted({(addresses.page(url), day) for day, url in again})
        frame = pd.concat(
            [frame, pd.DataFrame([(*key, 0, 0, None) for key in repeated], columns=list(frame))]
            if repeated
            else [frame],
            ignore_index=True,
        )
        days = [str(day.first) for day in window.chunks(1)]
        return Fetched(frame.assign(is_final=True), _doubts(days, answers, rows, again))

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
            "rowLimit": ROWS_PER_REQUEST,  # a row per day
        }
        answer = ReportingApiHook("searchconsole", "v1").call(
            "searchconsole.searchanalytics.query", {"siteUrl": account, "body": body}, f"Search Console {account}"
        )
        records = [
            (*[*row.get("keys", []), ""][:1], row.get("impressions"), row.get("clicks"))
            for row in answer.get("rows", [])
        ]
        return pd.DataFrame(records, columns=["date", *self.metrics])

    def match(self, raw: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
        account = sources["account"].iloc[0] if len(sources) else ""
        prefixes = sources.assign(external_id=[_prefix(account, external) for external in sources["external_id"]])
        hosts = {site_host(account), *(prefix.partition("/")[0] for prefix in prefixes["external_id"])}
        is_foreign = pd.Series(
            [bool(account) and key.partition("/")[0] not in hosts for key in raw["external_id"]], raw.index, dtype=bool
        )
        segment = match_longest_prefix(raw["external_id"], prefixes)
        outside = pd.Series(None, raw.index, dtype=object).mask(is_foreign, FOREIGN_HOSTS)
        return raw.assign(segment_id=segment, outside=outside)


def site_host(account: str) -> str:
    """The normalised host of a property: `sc-domain:site.nl` and `https://www.site.nl/` are both `site.nl`."""
    if account.startswith("sc-domain:"):
        return addresses.host(account.removeprefix("sc-domain:"))
    return addresses.page(account).partition("/")[0]


def _prefix(account: str, external_id: str) -> str:
    if re.match(r"(https?:)?//", external_id):
        return addresses.page(external_id)
    return addresses.join(site_host(account), external_id)


def _read(hook: ReportingApiHook, account: str, window: Window) -> _Answer:
    body: dict[str, Any] = {
        "startDate": window.first.isoformat(),
        "endDate": window.last.isoformat(),
        # Adding the query would drop every row that Google holds back for privacy.
        "dimensions": ["date", "page"],
        "dataState": "all",
        "rowLimit": ROWS_PER_REQUEST,
    }
    found, start = _Answer(), 0
    while True:
        answer = hook.call(
            "searchconsole.searchanalytics.query",
            {"siteUrl": account, "body": {**body, "startRow": start}},
            f"Search Console {account}",
        )
        metadata = answer.get("metadata", {})
        # The reference and the client's own description of the API spell this field differently.
        said = (metadata.get("first_incomplete_date"), metadata.get("firstIncompleteDate"), found.first_incomplete)
        found.first_incomplete = min(filter(None, said), default=None)
        found.aggregated = answer.get("responseAggregationType", found.aggregated).upper().replace("_", "")
        rows = answer.get("rows", [])
        for row in rows:
            # A row that does not say its day or page is of none.
            day, page = [*map(str, row.get("keys", [])), "", ""][:2]
            key = (day, page)
            if key in found.rows:
                found.again.add(key)
            found.rows[key] = (row.get("impressions"), row.get("clicks"))
        # A page may be shorter than asked for and not be the last one; the one without rows is.
        if not rows:
            return found
        start += len(rows)


def _doubts(
    days: list[str],
    answers: list[_Answer],
    rows: dict[tuple[str, str], tuple[object, object]],
    again: set[tuple[str, str]],
) -> list[Doubt]:
    # A day that is not over in Pacific Time cannot be complete, whatever the answer says or leaves out.
    incomplete = min(
        str(datetime.now(PACIFIC).date()),
        *(answer.first_incomplete for answer in answers if answer.first_incomplete),
        "9999-12-31",
    )
    doubts = [
        Doubt("is still collecting", "", frozenset(day for day in days if day >= incomplete)),
        Doubt(
            "gave rows twice, so that others may be missing",
            "Nothing of it was summed twice; Google's order of rows changed between the pages of its answer.",
            frozenset(day for day, _ in again),
        ),
    ]
    amounts = pd.Series([day for day, _ in rows], dtype=object).value_counts()
    full = frozenset(str(day) for day, amount in amounts.items() if amount >= MOST_ROWS_OF_A_DAY)
    doubts.append(
        Doubt(
            f"gave the {MOST_ROWS_OF_A_DAY} top pages, which is all that Google keeps of a day",
            "Verify the largest folders of the site as URL-prefix properties of their own, and move their rows of "
            "channel_sources there.",
            full,
        )
    )
    if any(answer.aggregated not in ("BYPAGE", "AUTO") for answer in answers):
        doubts.append(
            Doubt(
                "aggregated its answer by property, not by page",
                "Compare with the Pages tab of the performance report.",
                frozenset(days),
            )
        )
    return [doubt for doubt in doubts if doubt.days]


CHANNEL = SearchConsole
