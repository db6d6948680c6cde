"""GA4 ``runReport`` over the world, whose last two days still grow by a few percent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

from sandbox.google.reports import PLAIN, BadRequest, Json, Shape, copies_of, spellings_of
from sandbox.world import catalogue
from sandbox.world.state import State

_VISITS_SHOWN = {1: 0.95, 2: 0.98}
REPORT_ROWS, REPORT_ROWS_MAX = 10_000, 250_000
_TOKENS_A_DAY = 200_000
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
                for copy in (*copies_of(catalogue.MAIN_HOST), "(not set)")
            ]
            return sorted([*groups, *copies])
        case "spellings" if {"hostName", "landingPage"} <= set(dimensions):
            at, page = dimensions.index("hostName"), dimensions.index("landingPage")
            spelt = []
            for n, (keys, values) in enumerate(groups):
                key = list(keys)
                key[at] = (keys[at], keys[at].upper(), f"{keys[at]}:443", f"{keys[at]}.", f"www.{keys[at]}")[n % 5]
                key[at] = key[at].replace("www.www.", "www.")
                key[page] = spellings_of(keys[page])[n // 5 % 5].partition("?")[0]
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
