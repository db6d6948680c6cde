"""The HTTP server: Search Console, GA4, the OAuth token endpoint, and the control plane under ``/_sandbox``.

====================  ===========================================================================================
GET  /health          ``{"ok": true}``
GET  /today           ``{"today": date}``
POST /step            ``{"days": n}``: moves today ahead, gives ``{"today": date}``
POST /passed          ``{"days": n}``: lets days pass while today stays, until n have passed in all; gives
                      ``{"passed": n}``. GET: how many have
POST /reset           back to the first morning: budgets, clock, faults and calls
GET  /budgets         ``{resource name: micros in force}``
POST /budgets         ``{"resource_name", "amount_micros", "user"}``: an edit by a person in Google's own pages
POST /campaigns       ``{"campaign", "status", "since", "successor"}``: a person pauses or removes a campaign from a
                      day on; a ``successor`` is the id of a new campaign that goes on in its place
POST /accounts        ``{"customer", "rests_on", "hidden"}``: weekdays (Monday 0) without any ad, days that reports lack
                      (of a site or a property, which ``customer`` may be too, these alone)
POST /edits           ``{"resource_name", "fields", "user", "days_ago", "operation"}``: fields of a campaign, a budget
                      or a customer as a person sets them in Google's own pages (paused, other dates, another budget, a
                      total budget), or with ``"user": null`` as Google works them out (a bidding status, a primary
                      status, a campaign type, an experiment, an account's currency, time zone or status). An edit by
                      a person leaves a change event; ``days_ago`` moves it back
GET  /changes         every edit of a budget since the first morning, by whomever, oldest first
POST /faults          queues a fault (see ``faults``); DELETE forgets all
GET  /calls           what reached the services, oldest first; DELETE forgets it
GET  /company         ``?from=&to=&as_of=``: what the company's own database would hold (see ``books``)
====================  ===========================================================================================
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from sandbox.google import ga4, reports, search_console
from sandbox.world import books, catalogue
from sandbox.world.faults import TOKEN_FAULTS, Fault
from sandbox.world.records import AccountDays, CampaignState
from sandbox.world.state import State

Json = dict[str, Any]

CONTROL = "/_sandbox"
_SEARCH_CONSOLE = re.compile(r"/webmasters/v3/sites/(?P<where>.+)/searchAnalytics/query")
_GA4 = re.compile(r"/v1beta/properties/(?P<where>\d+):runReport")
_STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip


def _error(code: int, message: str, reason: str = "badRequest") -> tuple[int, Json]:
    errors = [{"reason": reason, "domain": "global", "message": message}]
    return code, {"error": {"code": code, "status": _STATUS[code], "message": message, "errors": errors}}


def _size(row: Json) -> float:
    """The first number of a report's row: sessions, or clicks."""
    return float(row["metricValues"][0]["value"]) if "metricValues" in row else float(row["clicks"])


def _larger(row: Json, more: float) -> Json:
    if "metricValues" in row:
        return {**row, "metricValues": [{"value": str(int(float(v["value"]) * more))} for v in row["metricValues"]]}
    return {**row, **{name: float(int(row[name] * more)) for name in ("clicks", "impressions")}}


def _with_value(answer: Json, row: Json, name: str, value: object) -> Json:
    """The row with another value in a field, or in the cell of a dimension or metric of that name."""
    for cells, headers in (("dimensionValues", "dimensionHeaders"), ("metricValues", "metricHeaders")):
        names = [header["name"] for header in answer.get(headers, [])]
        if name in names:
            found = list(row[cells])
            found[names.index(name)] = {"value": value}
            return {**row, cells: found}
    return {**row, name: float(value) if value in ("NaN", "Infinity") else value}


def _spoil(answer: Json, fault: Fault | None) -> Json:
    """A report as a data fault leaves it. What must be the same on all pages of a report is done in ``reports``."""
    metadata = answer.get("metadata", {}) | (reports.said(fault.kind, fault.args) if fault else {})
    match fault.kind if fault else None:
        case "empty" | "empty_reason":
            answer = {k: v for k, v in answer.items() if k not in ("rows", "rowCount")}
        case "duplicate_rows":
            rows = [row for row in answer.get("rows", []) for _ in range(2)]
            answer = {**answer, "rows": rows} | ({"rowCount": 2 * answer["rowCount"]} if "rowCount" in answer else {})
        case "negative_metrics" if answer.get("rows"):
            first = dict(answer["rows"][0])
            if "metricValues" in first:
                first["metricValues"] = [{"value": f"-{v['value']}"} for v in first["metricValues"]]
            else:
                first |= {"clicks": -first["clicks"], "impressions": -first["impressions"]}
            answer = {**answer, "rows": [first, *answer["rows"][1:]]}
        case "row_missing" if answer.get("rows"):
            rows = answer["rows"]
            largest = max(range(len(rows)), key=lambda at: _size(rows[at]))
            answer = {**answer, "rows": rows[:largest] + rows[largest + 1 :]}
            answer |= {"rowCount": answer["rowCount"] - 1} if "rowCount" in answer else {}
        case "inflated" if answer.get("rows"):
            more = 1 + (fault.args.get("share", 0.25) if fault else 0)
            answer = {**answer, "rows": [_larger(row, more) for row in answer["rows"]]}
        case "value" if fault and answer.get("rows"):
            at = int(fault.args.get("at", 0)) % len(answer["rows"])
            row = _with_value(answer, answer["rows"][at], fault.args["field"], fault.args["value"])
            answer = {**answer, "rows": [*answer["rows"][:at], row, *answer["rows"][at + 1 :]]}
        case "by_property" if "responseAggregationType" in answer:
            answer = {**answer, "responseAggregationType": "byProperty"}
        case "growing" if "rowCount" in answer:
            answer = {**answer, "rowCount": answer["rowCount"] + 1}
    return {**answer, "metadata": metadata} if metadata else answer


class _Handler(BaseHTTPRequestHandler):
    state: State
    protocol_version = "HTTP/1.1"
    is_cut = False

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what was called is kept in ``/calls``."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, verb: str) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            code, body = self._route(verb, urlsplit(self.path), raw)
        except reports.BadRequest as e:
            code, body = _error(e.code, str(e), "forbidden" if e.code == 403 else "badRequest")
        except (KeyError, TypeError, ValueError) as e:
            code, body = _error(400, str(e.args[0]) if e.args else repr(e))
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.is_cut:
            content, self.is_cut, self.close_connection = content[: len(content) // 2], False, True
        self.wfile.write(content)

    def _route(self, verb: str, url: SplitResult, raw: bytes) -> tuple[int, Json | list[Any]]:
        path = unquote(url.path)
        if path.startswith(f"{CONTROL}/"):
            run = _CONTROL.get((verb, path.removeprefix(CONTROL)))
            if run is None:
                return _error(404, f"The control plane has no {verb} {path}.")
            return 200, run(self.state, json.loads(raw or b"{}"), {k: v[0] for k, v in parse_qs(url.query).items()})
        if verb == "POST" and path == "/token":
            return self._token()
        for method, pattern, report in (
            ("searchAnalytics", _SEARCH_CONSOLE, search_console.search_analytics),
            ("runReport", _GA4, ga4.run_report),
        ):
            if verb == "POST" and (match := pattern.fullmatch(path)):
                return self._report(method, report, match["where"], json.loads(raw))
        return _error(404, f"The sandbox does not serve {verb} {path}.")

    def _token(self) -> tuple[int, Json]:
        self.state.calls.append({"method": "token", "at": self.state.now().isoformat()})
        fault = self.state.faults.take("token")
        if fault and fault.kind == "token":
            return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        if fault and fault.failure:
            return fault.failure.http, {"error": fault.failure.reason, "error_description": fault.message}
        args = fault.args if fault else {}
        token = self.state.tokens.new(args.get("seconds", 1) if fault and fault.kind == "token_expires" else None)
        return 200, {"access_token": token, "expires_in": args.get("expires_in", 3600), "token_type": "Bearer"}

    def _report(
        self, method: str, report: Callable[[State, str, Json, reports.Shape], Json], where: str, body: Json
    ) -> tuple[int, Json]:
        self.state.calls.append({"method": method, "at": self.state.now().isoformat(), "account": where, "body": body})
        header = self.headers.get("Authorization") or ""
        if not header.startswith("Bearer ") or self.state.tokens.is_expired(header.removeprefix("Bearer ")):
            return _error(401, "The request carries no OAuth token, or an expired one.", "authError")
        fault = self.state.faults.take(method, where, json.dumps(body))
        if fault and fault.failure:
            time.sleep(fault.args.get("sleep", 0))
            return _error(fault.failure.http, fault.message, fault.failure.reason)
        if fault and fault.base == "slow":
            time.sleep(fault.args.get("sleep", 2))
        self.is_cut = fault is not None and fault.base == "cut"
        shape = reports.Shape(fault.kind, fault.args.get("rows", 100)) if fault else reports.Shape()
        return 200, _spoil(report(self.state, where, body, shape), fault)


# -- control plane ------------------------------------------------------------------------------------------------


def _set_budget(state: State, body: Json, query: dict[str, str]) -> Json:
    user = body.get("user", catalogue.MARKETING_USER)
    changes = state.set_budgets({body["resource_name"]: int(body["amount_micros"])}, user, "GOOGLE_ADS_WEB_CLIENT")
    return {"changed": len(changes)}


def _set_campaign(state: State, body: Json, query: dict[str, str]) -> Json:
    since = date.fromisoformat(body["since"]) if "since" in body else state.today()
    state.set_campaign(int(body["campaign"]), CampaignState(body["status"], since, body.get("successor")))
    return {"status": body["status"]}


def _set_account(state: State, body: Json, query: dict[str, str]) -> Json:
    hidden = frozenset(map(date.fromisoformat, body.get("hidden", [])))
    state.set_account(body["customer"], AccountDays(frozenset(body.get("rests_on", [])), hidden))
    return {"customer": body["customer"]}


def _edit(state: State, body: Json, query: dict[str, str]) -> Json:
    user = body.get("user", catalogue.MARKETING_USER)
    state.edit(
        body["resource_name"], body["fields"], user, int(body.get("days_ago", 0)), body.get("operation", "UPDATE")
    )
    return {"edited": body["resource_name"]}


def _changes(state: State, body: Json, query: dict[str, str]) -> list[Json]:
    return [vars(change) | {"at": change.at.isoformat()} for change in state.changes(state.first_morning)]


def _add_fault(state: State, body: Json, query: dict[str, str]) -> Json:
    method = "token" if body["kind"] in TOKEN_FAULTS else body.get("method", "*")
    fault = Fault(method, body["kind"], int(body.get("times", 1)), body.get("args") or {})
    state.faults.add(fault)
    return {"queued": fault.kind}


def _company(state: State, body: Json, query: dict[str, str]) -> Json:
    as_of = date.fromisoformat(query["as_of"]) if "as_of" in query else state.today()
    first = date.fromisoformat(query["from"]) if "from" in query else state.first_day
    last = date.fromisoformat(query["to"]) if "to" in query else as_of - timedelta(days=1)
    return books.company(state, first, last, as_of)


def _forget_calls(state: State, body: Json, query: dict[str, str]) -> Json:
    state.calls.clear()
    return {"cleared": True}


def _reset(state: State, body: Json, query: dict[str, str]) -> Json:
    state.reset()
    return {"today": str(state.today())}


_CONTROL: dict[tuple[str, str], Callable[[State, Json, dict[str, str]], Json | list[Any]]] = {
    ("GET", "/health"): lambda state, body, query: {"ok": True},
    ("GET", "/today"): lambda state, body, query: {"today": str(state.today())},
    ("POST", "/step"): lambda state, body, query: {"today": str(state.step(int(body.get("days", 1))))},
    ("GET", "/passed"): lambda state, body, query: {"passed": state.days_passed},
    ("POST", "/passed"): lambda state, body, query: {"passed": state.pass_days(int(body["days"]))},
    ("POST", "/reset"): _reset,
    ("GET", "/budgets"): lambda state, body, query: dict(state.amounts),
    ("POST", "/budgets"): _set_budget,
    ("POST", "/campaigns"): _set_campaign,
    ("POST", "/accounts"): _set_account,
    ("POST", "/edits"): _edit,
    ("GET", "/changes"): _changes,
    ("POST", "/faults"): _add_fault,
    ("DELETE", "/faults"): lambda state, body, query: {"cleared": state.faults.clear()},
    ("GET", "/calls"): lambda state, body, query: list(state.calls),
    ("DELETE", "/calls"): _forget_calls,
    ("GET", "/company"): _company,
}


def serve(state: State, port: int = 0) -> ThreadingHTTPServer:
    """Serve on the loopback from a thread of its own; raises OSError when the port is taken."""
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
