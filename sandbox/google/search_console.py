"""Search Console ``searchAnalytics.query`` over the world.

Search Console lags: the last two days before today are incomplete and only shown with ``dataState: all``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from operator import itemgetter

import numpy as np

from sandbox.google.reports import PLAIN, BadRequest, Json, Shape, copies_of, spellings_of
from sandbox.world import catalogue
from sandbox.world.state import State

INCOMPLETE_DAYS = 2
_SEARCH_SHOWN = {1: 0.35, 2: 0.8}  # share of the clicks known, by age in days
SEARCH_ROWS, SEARCH_ROWS_MAX = 1_000, 25_000
_BLOG = "/blog/wat-kost-een-vakman"  # a page that belongs to no segment
_TWO_PAGES = 0.15  # of the impressions: a search that shows two pages, which counts once by property
_TOWN_SHARE = 0.3  # of a segment's clicks that land on the page of its first town


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
            yield {**row, "page": f"{scheme}://{name}{spellings_of('/' + path)[n // 5 % 5]}"}
            continue
        yield row
        if kind == "copies":
            for copy in copies_of(catalogue.MAIN_HOST):
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
        other = "https://www.vakwerkgids.example/over-ons"
        found = [((*keys[:-1], other), clicks, views) for keys, clicks, views in found[:1]]
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
