"""Search Console ``searchAnalytics.query`` and GA4 ``runReport`` over the world.

Both leave ``rows`` out where there are none, as the real services do. Search Console lags: the last two days before
today are incomplete and only shown with ``dataState: all``. GA4's last two days still grow by a few percent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from operator import itemgetter
from typing import Any

import numpy as np

from sandbox import catalogue
from sandbox.state import State

Json = dict[str, Any]

INCOMPLETE_DAYS = 2
_SEARCH_SHOWN = {1: 0.35, 2: 0.8}  # share of the clicks known, by age in days
_VISITS_SHOWN = {1: 0.95, 2: 0.98}
SEARCH_ROWS, SEARCH_ROWS_MAX = 1_000, 25_000
REPORT_ROWS, REPORT_ROWS_MAX = 10_000, 250_000
_TOKENS_A_DAY = 200_000
_BLOG = "/blog/wat-kost-een-vakman"  # a page that belongs to no segment
_TOWN_SHARE = 0.3  # of a segment's clicks that land on the page of its first town


class BadRequest(Exception):
    """The service would answer 400 INVALID_ARGUMENT, or 404 for an unknown site or property."""

    def __init__(self, message: str, code: int = 400) -> None:
        super().__init__(message)
        self.code = code


# -- Search Console -----------------------------------------------------------------------------------------------


def _search_rows(state: State, first: date, last: date) -> Iterator[Json]:
    """One row a (date, page) with clicks and impressions as known today."""
    base, today = f"https://{catalogue.MAIN_HOST}", state.today()
    for day in state.days(first, last):
        shown = _SEARCH_SHOWN.get((today - day.date).days, 1.0)
        clicks = np.floor(day.seo_clicks * shown).astype(int).tolist()
        impressions = np.floor(day.seo_impressions * shown).astype(int).tolist()
        for segment, all_clicks, all_impressions in zip(state.catalogue.segments, clicks, impressions, strict=True):
            town = re.sub(r"\W+", "-", segment.towns[0][1].lower()).strip("-")
            in_town, shown_in_town = int(all_clicks * _TOWN_SHARE), int(all_impressions * _TOWN_SHARE)
            for path, count, views in (
                (f"{segment.page_prefix}/", all_clicks - in_town, all_impressions - shown_in_town),
                (f"{segment.page_prefix}/{town}", in_town, shown_in_town),
            ):
                yield {"date": str(day.date), "page": base + path, "clicks": count, "impressions": views}
        total = sum(clicks)
        yield {"date": str(day.date), "page": base + _BLOG, "clicks": total // 25, "impressions": total}


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


def search_analytics(state: State, site: str, query: Json) -> Json:
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
    groups: dict[tuple[str, ...], list[int]] = {}
    for row in _search_rows(state, first, last if is_all else min(last, first_incomplete - timedelta(days=1))):
        if row["impressions"] and all(_search_filter(f, row) for f in filters):
            total = groups.setdefault(tuple(row[name] for name in dimensions), [0, 0])
            total[0] += row["clicks"]
            total[1] += row["impressions"]
    rows: list[Json] = [
        {
            "keys": list(keys),
            "clicks": float(clicks),
            "impressions": float(views),
            "ctr": clicks / views,
            "position": 6.5,
        }
        for keys, (clicks, views) in groups.items()
    ]
    if dimensions[:1] == ["date"]:
        rows.sort(key=itemgetter("keys"))
    else:
        rows.sort(key=itemgetter("clicks"), reverse=True)

    answer: Json = {"responseAggregationType": "byPage" if "page" in dimensions else "byProperty"}
    if page := rows[start : start + limit]:
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
    for day in state.days(first, last):
        shown = _VISITS_SHOWN.get((state.today() - day.date).days, 1.0)
        for n, segment in enumerate(state.catalogue.segments):
            paid = paid_of.get(n, [])
            main, page = catalogue.MAIN_HOST, f"{segment.page_prefix}/"
            visits = [
                (main, page, "Organic Search", day.seo_clicks[n], day.seo_leads[n]),
                (main, page, "Direct", day.direct_sessions[n], day.direct_leads[n]),
                (main, page, "Paid Search", day.clicks[paid].sum(), day.paid_leads[paid].sum()),
            ]
            if segment.microsite_host:
                visits.append(
                    (segment.microsite_host, "/", "Organic Search", day.microsite_sessions[n], day.microsite_leads[n])
                )
            for host, path, group, sessions, leads in visits:
                for event, count, is_key in (("session_start", sessions, False), ("generate_lead", leads, True)):
                    known = int(count * shown)
                    yield {
                        "date": day.date.strftime("%Y%m%d"),
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


def run_report(state: State, property_id: str, query: Json) -> Json:
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

    groups: dict[tuple[str, ...], list[int]] = {}
    for span in query["dateRanges"]:
        first, last = (_report_date(state, span[name]) for name in ("startDate", "endDate"))
        for row in _visits(state, first, last):
            if _report_filter(query.get("dimensionFilter"), row):
                total = groups.setdefault(tuple(row[name] for name in dimensions), [0] * len(metrics))
                for n, name in enumerate(metrics):
                    total[n] += row[name]
    rows = [
        {"dimensionValues": [{"value": k} for k in keys], "metricValues": [{"value": str(v)} for v in values]}
        for keys, values in sorted(groups.items())
        if query.get("keepEmptyRows") or any(values)
    ]
    answer: Json = {
        "dimensionHeaders": [{"name": name} for name in dimensions],
        "metricHeaders": [{"name": name, "type": "TYPE_INTEGER"} for name in metrics],
        "metadata": {"currencyCode": catalogue.CURRENCY, "timeZone": catalogue.TIME_ZONE},
        "kind": "analyticsData#runReport",
    }
    if rows:
        answer["rowCount"] = len(rows)
        if page := rows[offset : offset + limit]:
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
