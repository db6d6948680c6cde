"""Google Analytics 4: sessions from free search on the main site; sessions and leads of the microsites.

Source: analyticsdata runReport. Numbers of the last two days still grow. Leads counted here are a report, never added
to the leads of the company's own table.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from lead_demand.channels import addresses
from lead_demand.channels.contract import FOREIGN_HOSTS, Doubt, Fetched
from lead_demand.channels.matching import match_longest_prefix
from lead_demand.channels.reporting_api import UNCHANGED, ReportingApiHook
from lead_demand.channels.search_console import site_host
from lead_demand.channels.sums import Sum
from lead_demand.channels.whole_numbers import as_numbers, whole
from lead_demand.database.findings import Level
from lead_demand.errors import SourceUnavailable
from lead_demand.runs.day import AMSTERDAM, Window, today

ROWS_PER_REQUEST = 100_000
# A report that changes while its pages are read is read again so often.
TRIES = 3
FREE_SEARCH = "Organic Search"
DIMENSIONS = ("date", "hostName", "landingPage", "sessionDefaultChannelGroup")
METRICS = ("sessions", "keyEvents")
Record = tuple[str, str, str, str, object, object]
# Sessions or key events of one row.
LARGEST_ROW = 100_000_000


@dataclass(frozen=True)
class _Answer:
    """All pages of one report: its rows and what the first of them says of the whole."""

    days: frozenset[str]
    records: list[Record]
    metadata: dict[str, Any]

    @property
    def is_rolled_up(self) -> bool:
        """Whether fewer days at once may give what is missing here."""
        return bool(self.metadata.get("dataLossFromOtherRow") or self.metadata.get("samplingMetadatas"))


class Ga4:
    """Properties; `external_id` is a microsite's host name, or `path://host/prefix` on a main site.

    `path:/prefix` leaves the host to be found: those that other rows of the property name and those of the sites that
    Search Console reports on; without any, the only one that has sessions.
    """

    channel: ClassVar[str] = "ga4"
    metrics: ClassVar[tuple[str, ...]] = ("visits", "microsite_visits", "microsite_leads")
    empty_day: ClassVar[Level] = "warn"
    late_days: ClassVar[int] = 2
    unmatched: ClassVar[str | None] = "hosts and pages of no segment"
    # Sessions are estimated; one that visits two hosts counts for each, and rows of few users are withheld.
    sums: ClassVar[tuple[Sum, ...]] = (
        Sum("sessions", "sessions", ("visits", "microsite_visits"), "warn", Decimal(20), Decimal("0.10")),
    )

    def fetch(self, account: str, window: Window) -> Fetched:
        hook = ReportingApiHook("analyticsdata", "v1beta")
        answers = [_read(hook, account, window)]
        if answers[0].is_rolled_up and window.days > 1:
            answers = [_read(hook, account, day) for day in window.chunks(1)]
        records = [record for answer in answers for record in answer.records]
        frame = pd.DataFrame(records, columns=["date", "host", "page", "group", "sessions", "leads"])
        return Fetched(_by_external_id(frame), [doubt for answer in answers for doubt in _doubts(answer)])

    def fetch_totals(self, account: str, window: Window) -> pd.DataFrame:
        """The property's sessions of each day, whatever the host, page and channel."""
        body = {
            "dateRanges": [{"startDate": window.first.isoformat(), "endDate": window.last.isoformat()}],
            "dimensions": [{"name": "date"}],
            "metrics": [{"name": "sessions"}],
            "limit": str(ROWS_PER_REQUEST),  # a row per day
        }
        answer = ReportingApiHook("analyticsdata", "v1beta").call(
            "analyticsdata.properties.runReport",
            {"property": f"properties/{account}", "body": body},
            f"GA4 property {account}",
        )
        records = []
        for row in answer.get("rows", []):
            day, sessions = row["dimensionValues"][0]["value"], row["metricValues"][0].get("value")
            records.append((_iso(day), sessions))
        return pd.DataFrame(records, columns=["date", "sessions"])

    def match(self, raw: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
        """Microsites by host, where every session counts; main-site pages by path prefix, where only free search
        counts.
        """
        given = list(zip(sources["external_id"], sources["segment_id"], strict=True))
        microsites = {addresses.host(key): segment for key, segment in given if not key.startswith("path:")}
        paths = [(key.removeprefix("path:"), segment) for key, segment in given if key.startswith("path:")]
        host = pd.Series([key.partition("|")[0] for key in raw["external_id"]], raw.index, dtype=object)
        page = pd.Series([key.replace("|", "", 1) for key in raw["external_id"]], raw.index, dtype=object)
        by_host = host.map(microsites).astype(object)

        named = {addresses.page(key): segment for key, segment in paths if key.startswith("//")}
        open_paths = {addresses.path(key).rstrip("/"): segment for key, segment in paths if not key.startswith("//")}
        # Where nothing states the site's host, the only host that has such pages is it, and of two it is unknown which.
        stated = {key.partition("/")[0] for key in named}
        stated |= {site_host(site) for sites in sources.get("sites", pd.Series(dtype=object)).head(1) for site in sites}
        candidates = {name for name in host.unique() if name not in microsites and not addresses.is_copy(name)}
        prefixes = {
            site + path: segment for site in stated or candidates for path, segment in open_paths.items()
        } | named
        by_path = match_longest_prefix(
            page, pd.DataFrame(list(prefixes.items()), columns=["external_id", "segment_id"], dtype=object)
        ).astype(object)
        is_ambiguous = by_host.isna() & by_path.notna() & (not stated)
        is_ambiguous &= host[is_ambiguous].nunique() > 1

        is_foreign = ~host.isin(stated or candidates) & by_host.isna()
        return raw.assign(
            segment_id=by_host.where(by_host.notna(), by_path),
            visits=raw["visits"].where(by_host.isna(), 0),
            microsite_visits=raw["microsite_visits"].where(by_host.notna() | by_path.isna(), 0),
            microsite_leads=raw["microsite_leads"].where(by_host.notna() | by_path.isna(), 0),
            outside=pd.Series(None, raw.index, dtype=object).mask(is_foreign, FOREIGN_HOSTS),
            is_ambiguous=is_ambiguous,
        )


def _read(hook: ReportingApiHook, account: str, window: Window) -> _Answer:
    """The whole report. Raises SourceUnavailable where it keeps changing while its pages are read."""
    body: dict[str, Any] = {
        "dateRanges": [{"startDate": window.first.isoformat(), "endDate": window.last.isoformat()}],
        "dimensions": [{"name": name} for name in DIMENSIONS],
        "metrics": [{"name": name} for name in METRICS],
        # Without an order, a row may come on two pages and another on none.
        "orderBys": [{"dimension": {"dimensionName": name}} for name in DIMENSIONS],
        "limit": str(ROWS_PER_REQUEST),
    }
    days = frozenset(str(day.first) for day in window.chunks(1))
    for _ in range(TRIES):
        records: list[Record] = []
        totals: set[int | None] = set()
        metadata: dict[str, Any] = {}
        while True:
            answer = hook.call(
                "analyticsdata.properties.runReport",
                {"property": f"properties/{account}", "body": {**body, "offset": str(len(records))}},
                f"GA4 property {account}",
            )
            rows = answer.get("rows", [])
            metadata = {**metadata, **answer.get("metadata", {})}
            if rows or not records:
                totals.add(answer.get("rowCount", 0 if not rows else None))
            records += map(_record, rows)
            total = answer.get("rowCount")
            if not rows or (len(rows) < ROWS_PER_REQUEST if total is None else len(records) >= total):
                break
        if len(totals) == 1 and totals <= {len(records), None}:
            return _Answer(days, records, metadata)
    said = " then ".join(sorted(map(str, totals)))
    raise SourceUnavailable(
        f"GA4 property {account} said that its report of {window} has {said} rows, and gave {len(records)}.",
        unchanged=UNCHANGED,
    )


def _record(row: dict[str, Any]) -> Record:
    # What a row does not say is empty: it is then of no day, host or page, or has no number.
    day, host, page, group = [*(value.get("value", "") for value in row.get("dimensionValues", [])), *4 * [""]][:4]
    sessions, leads = [*(value.get("value") for value in row.get("metricValues", [])), None, None][:2]
    return _iso(day), host, page, group, sessions, leads


def _iso(day: str) -> str:
    """GA4's 20260314 as an ISO date; what is none of them stays a text that is no day."""
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


def _doubts(answer: _Answer) -> list[Doubt]:
    """What a report says of itself; the fields are those of the API's ResponseMetaData."""
    said, days = answer.metadata, answer.days
    doubts: list[Doubt] = []
    if said.get("dataLossFromOtherRow"):
        doubts.append(
            Doubt(
                "put its smaller pages together as (other)",
                "In GA4, give pages fewer distinct addresses (no ids, no session keys in the path).",
                days,
            )
        )
    for sample in said.get("samplingMetadatas", [])[:1]:
        read, of = (whole(sample.get(name), 0, 2**63) or 0 for name in ("samplesReadCount", "samplingSpaceSize"))
        doubts.append(
            Doubt(
                f"read a sample of its events{f' ({read / of:.0%})' if of else ''}",
                "One day has more events than GA4 reads at once: send fewer events to the property, or split it.",
                days,
            )
        )
    if said.get("subjectToThresholding"):
        doubts.append(
            Doubt(
                "left out what too few people did (data thresholds)",
                "In GA4 under Admin, Reporting identity, choose Device-based.",
                days,
            )
        )
    if reason := said.get("emptyReason"):
        doubts.append(Doubt(f"gave an empty report, for the reason {reason}", "Remove that reason in GA4.", days))
    restricted = sorted(
        restriction.get("metricName", "")
        for restriction in said.get("schemaRestrictionResponse", {}).get("activeMetricRestrictions", [])
        if restriction.get("metricName") in METRICS
    )
    if restricted:
        doubts.append(
            Doubt(
                f"hid {', '.join(restricted)} from the service account",
                "In GA4 under Admin, Property access management, take the data restrictions off its role.",
                days,
            )
        )
    for truncation in said.get("dataTruncationReasons", []):
        cut = _truncated(truncation, days)
        if cut:
            message = truncation.get("dataTruncationMessage") or truncation.get("dataTruncationType", "no reason given")
            doubts.append(Doubt(f"cut its report short ({message})", "Ask only for days that GA4 still keeps.", cut))
    if zone := said.get("timeZone"):
        other = frozenset(day for day in days if not _same_day(zone, day))
        doubts.append(
            Doubt(
                f"counts its days in {zone}, which are other days than those of {AMSTERDAM.key}",
                f"In GA4 under Admin, Property details, set the reporting time zone to that of {AMSTERDAM.key}.",
                other,
                name="property_time_zone",
                is_usable=False,
            )
        )
    return [doubt for doubt in doubts if doubt.days]


def _truncated(truncation: dict[str, Any], days: frozenset[str]) -> frozenset[str]:
    """The days of a report that it says are cut: before a date, in ranges, or all where it names none."""
    if before := truncation.get("dataTruncationDate"):
        return frozenset(day for day in days if day < before)
    if ranges := truncation.get("dataTruncationDateRanges"):
        return frozenset(
            day
            for day in days
            if any(span.get("startDate", "") <= day <= span.get("endDate", "9999-12-31") for span in ranges)
        )
    return days


def _same_day(zone: str, day: str) -> bool:
    """Whether a day begins and ends in a zone when it does here."""
    try:
        theirs = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    begins = datetime.combine(datetime.fromisoformat(day).date(), time.min, AMSTERDAM)
    return all(
        moment.astimezone(theirs).replace(tzinfo=None) == moment.replace(tzinfo=None)
        for moment in (begins, begins + timedelta(days=1))
    )


def _by_external_id(frame: pd.DataFrame) -> pd.DataFrame:
    """Sessions per `host|page` and day, both normalised: free search sessions as visits, all sessions as microsite
    visits until matched. A row that was given twice is counted once, and comes again with zeros.
    """
    # "(other)" stands in place of a date too, where small rows are put together: it is of no day.
    frame = frame[~frame["date"].str.contains("(", regex=False).astype(bool)] if len(frame) else frame
    keys = ["date", "host", "page", "group"]
    frame = as_numbers(frame, ["sessions", "leads"], 0, LARGEST_ROW)
    again = frame.duplicated(keys)
    pages = zip(frame["host"], frame["page"], strict=True)
    external = [f"{addresses.host(host)}|{_page(page)}" for host, page in pages]
    counted = pd.DataFrame(
        {
            "external_id": external,
            "date": frame["date"],
            "visits": frame["sessions"].where(frame["group"] == FREE_SEARCH, 0),
            "microsite_visits": frame["sessions"],
            "microsite_leads": frame["leads"],
            "sessions": frame["sessions"],
            "unreadable": frame["unreadable"],
        },
        index=frame.index,
    )
    sums = dict.fromkeys(("visits", "microsite_visits", "microsite_leads", "sessions"), "sum") | {"unreadable": "first"}
    summed = counted[~again].groupby(["external_id", "date"], as_index=False, sort=False).agg(sums)
    if again.any():
        repeated = counted[again].drop_duplicates(["external_id", "date"])
        zeros = dict.fromkeys(repeated.columns.drop(["external_id", "date", "unreadable"]), 0)
        summed = pd.concat([summed, repeated.assign(**zeros, unreadable=None)], ignore_index=True)
    grows_until = (today() - timedelta(days=2)).isoformat()
    return summed.assign(is_final=summed["date"] < grows_until)


def _page(page: str) -> str:
    """A landing page in normal form; GA4's words for none, `(not set)` and `(other)`, are no path."""
    return addresses.path(page) if page.startswith("/") else page or "(not set)"


CHANNEL = Ga4
