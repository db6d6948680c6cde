"""`python -m bench.page`: what each answer of the morning page takes over its bare statements, and how large it is.

python -m bench.page             10,000 segments and 90 days, written to docs as well
python -m bench.page --quick     the same with little data, printed only

The server is the page's own application under uvicorn, without Airflow's login before it; the statements are run on a
connection that is open already. Both are the median of several, warm. Where there is a Chromium, each view is opened
in it as well, with nothing of it kept from before, until what it is about can be read.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "plugins"))

import httpx  # noqa: E402
import psycopg  # noqa: E402

from bench.page import history  # noqa: E402
from bench.pipeline.measure import Database, Server  # noqa: E402
from lead_demand.runs.day import today  # noqa: E402
from lead_demand.ui import answers, filters  # noqa: E402
from local.ports import free_port  # noqa: E402

PAGE = "PAGE-BENCHMARK.md"
MOST_OVER_MS, MOST_BYTES = 300, 200_000
MOST_SECONDS = 2.0  # until a view can be read
CODE = "b1_r11"
# Of each view: its address, and what is there once it can be read.
VIEWS = {
    "Today": ("#/today", "tr.segment"),
    "a segment": (f"#/segment/{CODE}", ".answer .reply"),
    "Log": ("#/log", "table.log td.at-why"),
    "Health": ("#/health", "table.plain .name"),
}
NO_KEY = filters.row_key(None) | dict.fromkeys(("q", "branch", "region", "action", "reason", "group"))
NO_FILTER = filters.log_key(None) | dict.fromkeys(("q", "kind", "who", "status"))


@dataclass(frozen=True)
class Answer:
    """One request, and the same statements without a server."""

    path: str
    bare: Callable[[psycopg.Connection[Any]], Any]


def asked() -> list[Answer]:
    since, until = filters.span(None, None)
    span = {"from": since, "to": until}
    return [
        Answer("api/today", lambda c: answers.today(c, today(), NO_KEY | {"sort": "gap"})),
        Answer("api/today?sort=euros", lambda c: answers.today(c, today(), NO_KEY | {"sort": "euros"})),
        Answer("api/today?q=b10", lambda c: answers.today(c, today(), NO_KEY | {"sort": "gap", "q": "b10"})),
        Answer(f"api/segment/{CODE}", lambda c: answers.segment(c, CODE, today(), 90)),
        Answer("api/log", lambda c: answers.log(c, NO_FILTER | span)),
        Answer("api/log?kind=hold", lambda c: answers.log(c, NO_FILTER | span | {"kind": "hold"})),
        Answer("api/log?q=b10", lambda c: answers.log(c, NO_FILTER | span | {"q": "b10"})),
        Answer("api/health", answers.health),
    ]


def main() -> int:
    """Measure, print the table; 1 where an answer takes too long over its statements or is too large."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="little data; shows that it works, and nothing else")
    options = parser.parse_args()
    segments, days, times = (200, 20, 3) if options.quick else (10_000, 90, 5)
    with tempfile.TemporaryDirectory(prefix="bench-page-") as name:
        server = Server(Path(name), durable=False)
        try:
            with server.database() as database:
                history.fill(database, segments, days)
                os.environ["AIRFLOW_CONN_LEADS_DB"] = database.pipeline_url.replace("postgresql://", "postgres://")
                with served() as url:
                    rows = list(measure(database, url, times))
                    views = list(opened(url, times))
                version = server.version
        finally:
            server.remove()
    text = report(rows, views, segments, days, version)
    print(text)
    if not options.quick:
        (ROOT / "docs" / PAGE).write_text(text)
    is_missed = any(over > MOST_OVER_MS or size > MOST_BYTES for _, _, over, size in rows)
    return int(is_missed or any(seconds > MOST_SECONDS for _, seconds in views))


def measure(database: Database, url: str, times: int) -> Iterator[tuple[str, float, float, int]]:
    """Of each answer: path, ms of its statements, ms over them, bytes."""
    with psycopg.connect(database.pipeline_url) as connection, httpx.Client(timeout=120) as client:
        connection.execute("set jit = off")
        for answer in asked():
            bare = median_ms(lambda answer=answer: answer.bare(connection), times)  # type: ignore[misc]
            size = len(client.get(f"{url}/{answer.path}").raise_for_status().content)
            whole = median_ms(lambda answer=answer: client.get(f"{url}/{answer.path}"), times)  # type: ignore[misc]
            yield answer.path, bare, whole - bare, size


def opened(url: str, times: int) -> Iterator[tuple[str, float]]:
    """Of each view: its name, and the median seconds until it can be read; nothing where there is no Chromium."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for name, (address, readable) in VIEWS.items():
            found = []
            for _ in range(times):
                context = browser.new_context()  # nothing is kept from the last one
                tab = context.new_page()
                begun = time.perf_counter()
                tab.goto(f"{url}/page{address}")
                tab.locator(readable).first.wait_for()
                found.append(time.perf_counter() - begun)
                context.close()
            yield name, statistics.median(found)
        browser.close()


@contextmanager
def served() -> Iterator[str]:
    """The page's application on a port of its own; its address."""
    import uvicorn

    from lead_demand.ui import app, guard
    from lead_demand.ui.reading import LeadsReader

    page = app.make_app(LeadsReader())
    page.dependency_overrides[guard.may_look] = lambda: None  # asked of Airflow, at the same cost on each of its pages
    port = free_port()
    config = uvicorn.Config(guard.SecurityHeaders(guard.Gate(page)), host="127.0.0.1", port=port, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


def median_ms(work: Callable[[], Any], times: int) -> float:
    """Median milliseconds of a call that was made once before."""
    work()
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        found.append((time.perf_counter() - begun) * 1000)
    return statistics.median(found)


def report(
    rows: list[tuple[str, float, float, int]],
    views: list[tuple[str, float]],
    segments: int,
    days: int,
    version: str,
) -> str:
    """The table as Markdown."""
    lines = [
        "# What the morning page costs",
        "",
        f"Written by `make bench-page`: {segments:,} segments, {days} days, PostgreSQL {version}. An answer "
        f"may take {MOST_OVER_MS} ms over its bare statements and have {MOST_BYTES // 1000} kB.",
        "",
        "| answer | its statements | over them | size | |",
        "|---|---:|---:|---:|---|",
    ]
    for path, bare, over, size in rows:
        verdict = "met" if over <= MOST_OVER_MS and size <= MOST_BYTES else "not met"
        lines.append(f"| `{path}` | {bare:.0f} ms | {max(over, 0):.0f} ms | {size / 1000:.0f} kB | {verdict} |")
    if views:
        lines += [
            "",
            f"Opened in Chromium with nothing kept from before, until it can be read; {MOST_SECONDS:.0f} s at most.",
            "",
            "| view | readable after | |",
            "|---|---:|---|",
            *(f"| {name} | {took:.2f} s | {'met' if took <= MOST_SECONDS else 'not met'} |" for name, took in views),
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
