"""Search Console ``searchAnalytics.query`` and GA4 ``runReport`` over the world.

Both leave ``rows`` out where there are none, as the real services do. Search Console lags: the last two days before
today are incomplete and only shown with ``dataState: all``. GA4's last two days still grow by a few percent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from operator import itemgetter
from typing import Any

import numpy as np

from sandbox.world import catalogue
from sandbox.world.state import State

Json = dict[str, Any]

INCOMPLETE_DAYS = 2
_SEARCH_SHOWN = {1: 0.35, 2: 0.8}  # share of the clicks known, by age in days
_VISITS_SHOWN = {1: 0.95, 2: 0.98}
SEARCH_ROWS, SEARCH_ROWS_MAX = 1_000, 25_000
REPORT_ROWS, REPORT_ROWS_MAX = 10_000, 250_000
_TOKENS_A_DAY = 200_000
_BLOG = "/blog/wat-kost-een-vakman"  # a page that belongs to no segment
_TWO_PAGES = 0.15  # of the impressions: a search that shows two pages, which counts once by property
_TOWN_SHARE = 0.3  # of a segment's clicks that land on the page of its first town


class BadRequest(Exception):
    """The service would answer 400 INVALID_ARGUMENT, or 404 for an unknown site or property."""

    def __init__(self, message: str, code: int = 400) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Shape:
    """How a report differs from the plain one: the kind of a fault (see ``faults``), or none.

    ``rows``: the most rows of a page where the shape makes pages short.
    """

    kind: str = ""
    rows: int = 100


PLAIN = Shape()


def said(kind: str, args: Json) -> Json:
    """The metadata in which a report says that it is not the whole one."""
    match kind:
        case "other_row":
            return {"dataLossFromOtherRow": True}
        case "sampled":
            return {"samplingMetadatas": [{"samplesReadCount": "500000", "samplingSpaceSize": "10000000"}]}
        case "thresholded":
            return {"subjectToThresholding": True}
        case "empty_reason":
            return {"emptyReason": args.get("reason", "INSUFFICIENT_DATA")}
        case "restricted":
            restriction = {"metricName": "keyEvents", "restrictedMetricTypes": ["REVENUE_DATA"]}
            return {"schemaRestrictionResponse": {"activeMetricRestrictions": [restriction]}}
        case "truncated":
            before = {"dataTruncationDate": args["before"]} if "before" in args else {}
            kept = "Query date range may not be fully served."
            return {"dataTruncationReasons": [{"dataTruncationMessage": kept, **before}]}
        case "time_zone":
            return {"timeZone": args.get("time_zone", "America/Los_Angeles")}
        case "incomplete":
            return {args.get("field", "first_incomplete_date"): args["date"]}
    return {}


def _copies(host: str) -> tuple[str, ...]:
    """Hosts on which the pages of a site are seen without being the site."""
    site = host.removeprefix("www.")
    return (f"staging.{site}", f"www-{site.replace('.', '-')}.translate.goog", "localhost")


def _spellings(path: str) -> tuple[str, ...]:
    """Ways to write one path."""
    last = path.rstrip("/").rpartition("/")[2]
    encoded = path.replace(last, f"%{ord(last[0]):02x}{last[1:]}") if last else path
    return (
        path.upper(),
        path.replace("/", "//"),
        f"{encoded}?gclid=1",
        f"{path.rstrip('/')}/index.html",
        f"/x/..{path}",
    )


# -- Search Console -----------------------------------------------------------------------------------------------


def _search_shaped(rows: Iterable[Json], kind: str) -> Iterator[Json]:
    """The rows of a site that has copies, whose pages are reached under many addresses, or that has one row alone."""
    for n, row in enumerate(rows):
        if kind == "one_row":
            if row["impressions"]:
                yield row
                return
            continue
        if kind == "spellings":
            host, path = row["page"].removeprefix("https://").partition("/")[::2]
            hosts = (host, host.upper(), f"{host}:443", f"{host}.", host.removeprefix("www."))
            scheme, name = ("http", "https")[n % 2], hosts[n % 5]
            yield {**row, "page": f"{scheme}://{name}{_spellings('/' + path)[n // 5 % 5]}"}
            continue
        yield row
        if kind == "copies":
            for copy in _copies(catalogue.MAIN_HOST):
                yield {**row, "page": row["page"].replace(catalogue.MAIN_HOST, copy)}


def _search_rows(state: State, first: date, last: date) -> Iterator[Json]:
    """One row a (date, page) with clicks and impressions as known today."""
    base, today = f"https://{catalogue.MAIN_HOST}", state.today()
    pages = []
    for segment in state.catalogue.segments:
        town = re.sub(r"\W+", "-", segment.towns[0][1].lower()).strip("-")
        pages.append((f"{base}{segment.page_prefix}/", f"{base}{segment.page_prefix}/{town}"))
    for day in state.days(first, last):
        if day.date in state.account_days(catalogue.SITE_URL).hidden:
            continue
        name = str(day.date)
        shown = _SEARCH_SHOWN.get((today - day.date).days, 1.0)
        clicks = np.floor(day.seo_clicks * shown).astype(int).tolist()
        impressions = np.floor(day.seo_impressions * shown).astype(int).tolist()
        for (page, town_page), all_clicks, all_views in zip(pages, clicks, impressions, strict=True):
            in_town, seen_in_town = int(all_clicks * _TOWN_SHARE), int(all_views * _TOWN_SHARE)
            yield {"date": name, "page": page, "clicks": all_clicks - in_town, "impressions": all_views - seen_in_town}
            yield {"date": name, "page": town_page, "clicks": in_town, "impressions": seen_in_town}
        total = sum(clicks)
        yield {"date": name, "page": base + _BLOG, "clicks": total // 25, "impressions": total}


def _search_filter(filter_: Json, row: Json) -> bool:
    have, want = str(row[filter_["dimension"].lower()]), filter_["expression"]
    match filter_.get("operator", "equals").lower().replace("_", ""):
        case "equals":
            return have.lower() == want.lower()
        case "notequals":
            return have.lower() != want.lower()
        case "contains":
            return want.lower() in have.lower()
        case "notcontains":
            return want.lower() not in have.lower()
        case "includingregex":
            return bool(re.search(want, have))
        case "excludingregex":
            return not re.search(want, have)
        case other:
            raise BadRequest(f"Unknown filter operator '{other}'.")


def _search_totals(
    rows: Iterable[Json], dimensions: list[str], filters: list[Json]
) -> list[tuple[tuple[str, ...], int, int]]:
    """(keys, clicks, impressions) of every group: by key where the date leads, else the most clicks first."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        if row["impressions"] and (not filters or all(_search_filter(f, row) for f in filters)):
            total = groups.setdefault(tuple([row[name] for name in dimensions]), [0, 0])
            total[0] += row["clicks"]
            total[1] += row["impressions"]
    totals = [(keys, clicks, views) for keys, (clicks, views) in groups.items()]
    if dimensions[:1] == ["date"]:
        totals.sort(key=itemgetter(0))
    else:
        totals.sort(key=itemgetter(1), reverse=True)
    return totals


def search_analytics(state: State, site: str, query: Json, shape: Shape = PLAIN) -> Json:
    """The answer to searchAnalytics.query; dimensions date and page."""
    if site != catalogue.SITE_URL:
        raise BadRequest(f"User does not have sufficient permission for site '{site}'.", 403)
    dimensions = [name.lower() for name in query.get("dimensions", [])]
    if unknown := set(dimensions) - {"date", "page"}:
        raise BadRequest(f"The sandbox does not serve the dimension {', '.join(sorted(unknown))}.")
    limit, start = int(query.get("rowLimit", SEARCH_ROWS)), int(query.get("startRow", 0))
    if not 1 <= limit <= SEARCH_ROWS_MAX:
        raise BadRequest(f"rowLimit must be between 1 and {SEARCH_ROWS_MAX}.")
    first, last = date.fromisoformat(query["startDate"]), date.fromisoformat(query["endDate"])
    is_all = query.get("dataState", "final").lower() == "all"
    first_incomplete = state.today() - timedelta(days=INCOMPLETE_DAYS)

    filters = [f for group in query.get("dimensionFilterGroups", []) for f in group["filters"]]
    end = last if is_all else min(last, first_incomplete - timedelta(days=1))

    asked = query.get("aggregationType", "auto").lower()
    if asked == "byproperty" and ("page" in dimensions or any(f["dimension"].lower() == "page" for f in filters)):
        raise BadRequest("Data that is grouped or filtered by page cannot be aggregated by property.")
    by_page = "page" in dimensions or asked == "bypage"

    def totals() -> list[tuple[tuple[str, ...], int, int]]:
        rows = _search_shaped(_search_rows(state, first, end), shape.kind)
        found = _search_totals(rows, dimensions, filters)
        return found if by_page else [(keys, clicks, views - int(views * _TWO_PAGES)) for keys, clicks, views in found]

    found = state.report(
        "searchAnalytics", shape.kind, first, end, *dimensions, by_page, json.dumps(filters), make=totals
    )
    if shape.kind in ("shifted", "short_pages"):
        limit = min(limit, shape.rows)
    if shape.kind == "unmatched" and "page" in dimensions:
        found = [((*keys[:-1], "https://www.vakwerkgids.example/over-ons"), *rest) for keys, *rest in found[:1]]
    shown = found[start : start + limit]
    if shape.kind == "shifted" and shown and start:
        # As many clicks, another order: the last row of the page before comes again, in place of another.
        shown = [found[start - 1], *shown[1:]]
    page: list[Json] = [
        {
            "keys": list(keys),
            "clicks": float(clicks),
            "impressions": float(views),
            "ctr": clicks / views,
            "position": 6.5,
        }
        for keys, clicks, views in shown
    ]
    answer: Json = {"responseAggregationType": "byPage" if by_page else "byProperty"}
    if page:
        answer["rows"] = page
    if is_all and "date" in dimensions and first_incomplete <= last:
        answer["metadata"] = {"firstIncompleteDate": str(first_incomplete)}
    return answer


# -- GA4 ----------------------------------------------------------------------------------------------------------

_DIMENSIONS = ("date", "hostName", "landingPage", "pagePath", "sessionDefaultChannelGroup", "eventName")
_METRICS = ("sessions", "eventCount", "keyEvents")


def _visits(state: State, first: date, last: date) -> Iterator[Json]:
    """One row a (date, host, page, channel group, event). Sessions are counted on their session_start event."""
    paid_of = state.catalogue.campaigns_of_segment
    main, pages = catalogue.MAIN_HOST, [f"{segment.page_prefix}/" for segment in state.catalogue.segments]
    for day in state.days(first, last):
        if day.date in state.account_days(catalogue.GA4_PROPERTY).hidden:
            continue
        name, shown = day.date.strftime("%Y%m%d"), _VISITS_SHOWN.get((state.today() - day.date).days, 1.0)
        clicks, paid_leads = day.clicks.tolist(), day.paid_leads.tolist()
        counts = zip(
            *(day.seo_clicks.tolist(), day.seo_leads.tolist(), day.direct_sessions.tolist(), day.direct_leads.tolist()),
            *(day.microsite_sessions.tolist(), day.microsite_leads.tolist()),
            strict=True,
        )
        for n, (seo, seo_leads, direct, direct_leads, microsite, microsite_leads) in enumerate(counts):
            paid, page, microsite_host = paid_of.get(n, []), pages[n], state.catalogue.segments[n].microsite_host
            visits = [
                (main, page, "Organic Search", seo, seo_leads),
                (main, page, "Direct", direct, direct_leads),
                (main, page, "Paid Search", sum(clicks[c] for c in paid), sum(paid_leads[c] for c in paid)),
            ]
            if microsite_host:
                visits.append((microsite_host, "/", "Organic Search", microsite, microsite_leads))
            for host, path, group, sessions, leads in visits:
                for event, count, is_key in (("session_start", sessions, False), ("generate_lead", leads, True)):
                    known = int(count * shown)
                    yield {
                        "date": name,
                        "hostName": host,
                        "landingPage": path,
                        "pagePath": path,
                        "sessionDefaultChannelGroup": group,
                        "eventName": event,
                        "sessions": 0 if is_key else known,
                        "eventCount": known,
                        "keyEvents": known if is_key else 0,
                    }


def _report_filter(expression: Json | None, row: Json) -> bool:
    if not expression:
        return True
    if "andGroup" in expression:
        return all(_report_filter(e, row) for e in expression["andGroup"]["expressions"])
    if "orGroup" in expression:
        return any(_report_filter(e, row) for e in expression["orGroup"]["expressions"])
    if "notExpression" in expression:
        return not _report_filter(expression["notExpression"], row)
    filter_ = expression["filter"]
    have = str(row[filter_["fieldName"]])
    if "inListFilter" in filter_:
        return have in filter_["inListFilter"]["values"]
    want = filter_["stringFilter"]["value"]
    match filter_["stringFilter"].get("matchType", "EXACT"):
        case "EXACT":
            return have == want
        case "BEGINS_WITH":
            return have.startswith(want)
        case "ENDS_WITH":
            return have.endswith(want)
        case "CONTAINS":
            return want in have
        case "FULL_REGEXP":
            return bool(re.fullmatch(want, have))
        case "PARTIAL_REGEXP":
            return bool(re.search(want, have))
        case other:
            raise BadRequest(f"Unknown matchType '{other}'.")


def _report_totals(
    state: State, query: Json, spans: list[tuple[date, date]], *, one_row: bool = False
) -> list[tuple[tuple[str, ...], list[int]]]:
    """(dimension values, metric values) of every group that is shown, in order of the dimensions."""
    dimensions, metrics = ([field["name"] for field in query.get(kind, [])] for kind in ("dimensions", "metrics"))
    expression = query.get("dimensionFilter")
    groups: dict[tuple[str, ...], list[int]] = {}
    for first, last in spans:
        for row in _visits(state, first, last):
            if one_row and (groups or not row["sessions"]):
                continue
            if _report_filter(expression, row):
                total = groups.setdefault(tuple([row[name] for name in dimensions]), [0] * len(metrics))
                for n, name in enumerate(metrics):
                    total[n] += row[name]
    return [group for group in sorted(groups.items()) if query.get("keepEmptyRows") or any(group[1])]


def _report_shaped(
    groups: list[tuple[tuple[str, ...], list[int]]], dimensions: list[str], shape: Shape
) -> list[tuple[tuple[str, ...], list[int]]]:
    """The groups as GA4 gives them where it does not give all, or where the tag runs on copies of the site too."""
    match shape.kind:
        case "other_row":
            kept, rest = groups[: len(groups) // 2], groups[len(groups) // 2 :]
            other = [sum(column) for column in zip(*(values for _, values in rest), strict=True)]
            return [*kept, (("(other)",) * len(dimensions), other)] if rest else kept
        case "sampled":
            return [(keys, [20 * (value // 20) for value in values]) for keys, values in groups]
        case "thresholded":
            return [(keys, values) for keys, values in groups if max(values) >= 10]
        case "copies" if "hostName" in dimensions:
            at = dimensions.index("hostName")
            copies = [
                ((*keys[:at], copy, *keys[at + 1 :]), values)
                for keys, values in groups
                if keys[at] == catalogue.MAIN_HOST
                for copy in (*_copies(catalogue.MAIN_HOST), "(not set)")
            ]
            return sorted([*groups, *copies])
        case "spellings" if {"hostName", "landingPage"} <= set(dimensions):
            at, page = dimensions.index("hostName"), dimensions.index("landingPage")
            spelt = []
            for n, (keys, values) in enumerate(groups):
                key = list(keys)
                key[at] = (keys[at], keys[at].upper(), f"{keys[at]}:443", f"{keys[at]}.", f"www.{keys[at]}")[n % 5]
                key[at] = key[at].replace("www.www.", "www.")
                key[page] = _spellings(keys[page])[n // 5 % 5].partition("?")[0]
                spelt.append((tuple(key), values))
            return sorted(spelt)
        case "unmatched":
            elsewhere = {"landingPage": "/over-ons", "hostName": catalogue.MAIN_HOST}
            return [
                (tuple(elsewhere.get(name, key) for name, key in zip(dimensions, keys, strict=True)), values)
                for keys, values in groups[:1]
            ]
    return groups


def _with_copies(
    state: State, query: Json, spans: list[tuple[date, date]], dimensions: list[str], shape: Shape
) -> list[tuple[tuple[str, ...], list[int]]]:
    """What is asked without the host counts the copies too."""
    by_host = {**query, "dimensions": [*query.get("dimensions", []), {"name": "hostName"}]}
    summed: dict[tuple[str, ...], list[int]] = {}
    for keys, values in _report_shaped(_report_totals(state, by_host, spans), [*dimensions, "hostName"], shape):
        total = summed.setdefault(keys[:-1], [0] * len(values))
        summed[keys[:-1]] = [a + b for a, b in zip(total, values, strict=True)]
    return sorted(summed.items())


def run_report(state: State, property_id: str, query: Json, shape: Shape = PLAIN) -> Json:
    """The answer to runReport; all values are strings, dates are YYYYMMDD, int64 fields are strings."""
    if property_id != catalogue.GA4_PROPERTY:
        raise BadRequest("User does not have sufficient permissions for this property.", 403)
    dimensions = [d["name"] for d in query.get("dimensions", [])]
    metrics = [m["name"] for m in query.get("metrics", [])]
    if unknown := {*dimensions} - {*_DIMENSIONS} | {*metrics} - {*_METRICS}:
        raise BadRequest(f"The sandbox does not serve the field {', '.join(sorted(unknown))}.")
    limit, offset = int(query.get("limit", REPORT_ROWS)), int(query.get("offset", 0))
    if not 1 <= limit <= REPORT_ROWS_MAX:
        raise BadRequest(f"limit must be between 1 and {REPORT_ROWS_MAX}.")

    spans = [
        (_report_date(state, span["startDate"]), _report_date(state, span["endDate"])) for span in query["dateRanges"]
    ]
    asked = json.dumps({name: part for name, part in query.items() if name not in ("limit", "offset")})
    one = shape.kind == "one_row"
    found = state.report("runReport", one, *spans, asked, make=lambda: _report_totals(state, query, spans, one_row=one))
    if shape.kind == "copies" and "hostName" not in dimensions:
        found = _with_copies(state, query, spans, dimensions, shape)
    else:
        found = _report_shaped(found, dimensions, shape)
    if shape.kind in ("growing", "short_pages"):
        limit = min(limit, shape.rows)
    cell = cache(lambda content: {"value": str(content)})  # most of them come again and again
    page = [
        {"dimensionValues": [cell(k) for k in keys], "metricValues": [cell(v) for v in values]}
        for keys, values in found[offset : offset + limit]
    ]
    answer: Json = {
        "dimensionHeaders": [{"name": name} for name in dimensions],
        "metricHeaders": [{"name": name, "type": "TYPE_INTEGER"} for name in metrics],
        "metadata": {"currencyCode": catalogue.CURRENCY, "timeZone": catalogue.TIME_ZONE},
        "kind": "analyticsData#runReport",
    }
    if found:
        answer["rowCount"] = len(found)
        if page:
            answer["rows"] = page
    if query.get("returnPropertyQuota"):
        answer["propertyQuota"] = {
            "tokensPerDay": {"consumed": 5, "remaining": _TOKENS_A_DAY - 5},
            "concurrentRequests": {"remaining": 10},
        }
    return answer


def _report_date(state: State, text: str) -> date:
    """An ISO date, or GA4's own today, yesterday and NdaysAgo."""
    if text in ("today", "yesterday"):
        return state.today() - timedelta(days=int(text == "yesterday"))
    if ago := re.fullmatch(r"(\d+)daysAgo", text):
        return state.today() - timedelta(days=int(ago[1]))
    return date.fromisoformat(text)
