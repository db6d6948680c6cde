"""The HTTP service that `regional_ads` reads and changes: campaigns, figures, budgets and who changed them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class RegionalPaper:
    """What the paper knows. `figures`: (campaign, ISO day) -> spend in micros and clicks.

    `mode`: 'well'; 'mute', the next write is done, its answer is lost, and from then on nothing is answered; 'away',
    nothing is answered; 'strict', no amount is accepted.
    """

    account: str
    amounts: dict[str, Decimal] = field(default_factory=dict)  # by budget, which pays for the campaign of its number
    figures: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    changes: list[dict[str, str]] = field(default_factory=list)
    mode: str = "well"
    writes: list[dict[str, str]] = field(default_factory=list)

    def set(self, budget: str, amount: Decimal, by: str) -> None:
        at = datetime.now(tz=UTC).isoformat()
        old, self.amounts[budget] = self.amounts[budget], amount
        self.changes.insert(0, {"budget": budget, "at": at, "by": by, "old": str(old), "new": str(amount)})

    def get(self, path: str, asked: dict[str, str]) -> Any:
        first, last = asked.get("first", ""), asked.get("last", "9999")
        rows = [
            {"campaign": campaign, "date": day, "spend_micros": spend, "clicks": clicks}
            for (campaign, day), (spend, clicks) in sorted(self.figures.items())
            if first <= day <= last
        ]
        if path == "figures":
            return rows
        if path == "totals":
            days = sorted({row["date"] for row in rows})
            return [
                {"date": day, "spend_micros": sum(int(row["spend_micros"]) for row in rows if row["date"] == day)}
                for day in days
            ]
        if path == "budgets":
            return [
                {
                    "budget": budget,
                    "campaign": budget.replace("B", "C"),
                    "name": f"Paper {budget}",
                    "amount": str(amount),
                    "sells_out": True,
                }
                for budget, amount in self.amounts.items()
            ]
        return {"changes": self.changes, "removed": []}[path]

    def post(self, asked: dict[str, Any]) -> Any:
        said = {}
        for budget, amount in asked["amounts"].items():
            said[budget] = "no amount is accepted today" if self.mode == "strict" else "done"
            if said[budget] == "done" and not asked["validate_only"]:
                self.set(budget, Decimal(amount), "pipeline")
        self.writes.append(asked["amounts"])
        return {"said": said, "request": f"paper-{len(self.writes)}"}


def serve(paper: RegionalPaper) -> tuple[ThreadingHTTPServer, str]:
    """Serve it on a free port of this machine until `shutdown`. Returns the server and its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            _, account, path = address.path.split("/")
            if paper.mode == "away":
                return self.answer(503, {})
            if account != paper.account:
                return self.answer(404, {})
            asked = {name: values[0] for name, values in parse_qs(address.query).items()}
            return self.answer(200, paper.get(path, asked))

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if paper.mode == "away":
                return self.answer(503, {})
            answer = paper.post(asked)
            if paper.mode == "mute":
                paper.mode = "away"
                self.close_connection = True
                return None
            return self.answer(200, answer)

        def answer(self, status: int, body: Any) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *said: Any) -> None:
            """Not into the log of the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"
