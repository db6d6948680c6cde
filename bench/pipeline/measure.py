"""What every measurement shares: its size, its clock, a migrated PostgreSQL of its own, and the form of a figure."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql as composed

from lead_demand.database import sql
from lead_demand.runs.day import Window, latest_whole_day
from local.embedded_postgres import EmbeddedPostgres
from tools.migrate import migrate

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "of-this-benchmark-only"  # noqa: S105
TEMPLATE = "template_leads"
TABLES = "leads, lead_segments, channel_sources, channel_metrics, lead_generation_stats, lead_segment_plans"
_numbers = count(1)


@dataclass(frozen=True)
class Scale:
    """How large each measurement is. `worlds`: segments of the mornings in Airflow; `repeats`: of what takes less than
    a second; `sample`: rows of the ways that are too slow for all of them.
    """

    name: str
    segments: int
    days: int
    leads: int
    worlds: tuple[int, ...]
    repeats: int
    sample: int


SCALES = {
    "default": Scale("default", 10_000, 365, 5_000_000, (12, 1_000, 10_000), 5, 2_000),
    "small": Scale("small", 30, 40, 2_000, (12,), 1, 20),
}


@dataclass(frozen=True)
class Figure:
    """One line of the report: `ours` and `limit` in `unit`, measured in the same run; `ratio` says what is compared.

    `at_least`/`at_most`: what the ratio must reach; neither = shown for comparison.
    """

    section: str
    what: str
    ours: float
    unit: str
    limit: float | None = None
    against: str = ""
    ratio: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""
    why: str = ""  # where the time goes, said where the aim is missed

    @property
    def verdict(self) -> str:
        if self.at_least is None and self.at_most is None:
            return ""
        judged = self.ours if self.ratio is None else self.ratio
        low = self.at_least is None or judged >= self.at_least
        high = self.at_most is None or judged <= self.at_most
        return "met" if low and high else "not met"


@dataclass
class Findings:
    """What a measurement found: its figures, where the time of each went, and the version of its PostgreSQL."""

    figures: list[Figure] = field(default_factory=list)
    profiles: dict[str, list[str]] = field(default_factory=dict)
    server: str = ""

    def __add__(self, other: Findings) -> Findings:
        return Findings([*self.figures, *other.figures], self.profiles | other.profiles, self.server or other.server)


def seconds(work: Callable[[], Any]) -> float:
    """Wall seconds of one call, without the collector of garbage."""
    gc.collect()
    gc.disable()
    begun = time.perf_counter()
    try:
        work()
    finally:
        gc.enable()
    return time.perf_counter() - begun


def median(values: list[float]) -> float:
    return statistics.median(values)


@dataclass(frozen=True)
class Database:
    """A migrated database; `owner_url` is a superuser's, `pipeline_url` the role's that the DAGs log in as."""

    owner_url: str

    @property
    def pipeline_url(self) -> str:
        parts = urlsplit(self.owner_url)
        return urlunsplit(parts._replace(netloc=f"lead_pipeline:{PASSWORD}@{parts.hostname}:{parts.port}"))

    def owner(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.owner_url, autocommit=True)

    def pipeline(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.pipeline_url)

    def value(self, query: str, values: Any = None) -> Any:
        with self.owner() as connection:
            row = connection.execute(query, values).fetchone()
            return row[0] if row else None

    def settle(self) -> None:
        """Leave no work of what was before to what is measured next."""
        with self.owner() as connection:
            connection.execute(f"vacuum analyze {TABLES}")
            connection.execute("checkpoint")


class Server:
    """A PostgreSQL of this benchmark, with the settings of the local stack; every database a copy of one template."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.postgres = EmbeddedPostgres(folder / "postgres", durable=durable)
        self.postgres.start()
        self.postgres.create_database(TEMPLATE)
        url = self.postgres.url(TEMPLATE)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute((ROOT / "sandbox" / "supabase.sql").read_text())
            migrate(url, report=lambda line: None)
            connection.execute(composed.SQL("alter role lead_pipeline login password {}").format(PASSWORD))

    @property
    def version(self) -> str:
        with psycopg.connect(self.postgres.url("postgres")) as connection:
            return f"{connection.info.server_version // 10_000}.{connection.info.server_version % 10_000}"

    @contextmanager
    def database(self) -> Iterator[Database]:
        name = f"bench_{next(_numbers)}"
        self.postgres.create_database(name, template=TEMPLATE)
        yield Database(self.postgres.url(name))
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")

    def remove(self) -> None:
        self.postgres.stop()
        self.postgres.remove()


def window_of(days: int, earlier: int = 0) -> Window:
    """The last `days` whole days, or those that end so many days earlier."""
    last = latest_whole_day() - timedelta(days=earlier)
    return Window(last - timedelta(days=days - 1), last)


def run_statement(database: Database, name: str, window: Window, before: str = "") -> int:
    """A statement over a window as the DAG's task runs it, without its sums; returns the rows it wrote.

    :param before: what its task runs before it, which joins sets whole.
    """
    written = 0
    for chunk in window.chunks():
        with database.pipeline() as connection:
            connection.execute(sql.render("lead_stats/lock_step.sql"), {"step": name})
            values = {"first": chunk.first, "last": chunk.last, "dag_run_id": "bench"}
            if before:
                sql.join_whole_sets(connection)
                connection.execute(sql.render(before), values)
            cursor = connection.execute(sql.render(name), values)
            row = cursor.fetchone() if cursor.description else None
            written += row[0] if row else cursor.rowcount
    return written


def row_versions(database: Database, table: str) -> int:
    """A number that changes with every rewritten row."""
    return database.value(f"select coalesce(sum(hashtext(ctid::text || xmin::text)::bigint), 0) from {table}")


def add_segments(database: Database, segments: int) -> None:
    """Active segments, each with a campaign, its pages and a microsite, as in the sandbox company."""
    with database.owner() as connection:
        connection.execute(
            f"""
            insert into lead_segments (code, branch, region)
            select 'b' || n / 50 || '_r' || n % 50, 'b' || n / 50, 'r' || n % 50 from generate_series(1, {segments}) n;
            insert into channel_sources (channel, account, external_id, segment_id)
            select channel, account, prefix || row_number() over (partition by channel order by s.code), s.id
            from lead_segments as s, (values
                ('google_ads', '1234567890', ''), ('search_console', 'sc-domain:bench.example', '/'),
                ('ga4', '345678901', 'path:/')
            ) as c (channel, account, prefix);
            insert into partners (name, branch, region) select code, branch, region from lead_segments;
            insert into partner_capacity (partner_id, branch, region, daily_leads)
            select id, branch, region, 6 from partners;
            grant select on partners, partner_capacity to lead_pipeline;
            """
        )


METRICS = {
    "google_ads": (
        "'1234567890'",
        "spend, clicks, impressions, conversions",
        "20 + (h % 4000) / 100.0, h % 40, h % 900, (h % 5)",
    ),
    "search_console": ("'sc-domain:bench.example'", "clicks, impressions", "h % 25, h % 700"),
    "ga4": ("'345678901'", "visits, microsite_visits, microsite_leads", "h % 50, h % 30, h % 3"),
    "leads": (
        "'leads_db'",
        "leads_generated, leads_accepted, leads_rejected, leads_pending, leads_by_source",
        "5 + h % 3, 3, 1, 1 + h % 3, "
        """'{"google_ads": {"generated": 3, "accepted": 1, "rejected": 1, "pending": 1}}'::jsonb""",
    ),
    "partner_capacity": ("'leads_db'", "capacity_partners, capacity_total_leads", "2, 6"),
}


def add_metrics(database: Database, first: date, last: date, channels: tuple[str, ...] = tuple(METRICS)) -> None:
    """What every channel said of every segment and day, laid down day after day as the pulls do."""
    with database.owner() as connection:
        connection.execute("set session_replication_role = replica")  # as one restores a dump: triggers are asked later
        connection.execute("set maintenance_work_mem = '512MB'")
        connection.execute("alter table channel_metrics set unlogged")
        connection.execute("alter table channel_metrics drop constraint channel_metrics_pkey")
        connection.execute("drop index channel_metrics_channel_date_idx")
        for month in Window(first, last).chunks():
            for channel in channels:
                account, columns, values = METRICS[channel]
                connection.execute(
                    f"""
                    insert into channel_metrics (segment_id, channel, account, date, {columns})
                    select id, '{channel}', {account}, day::date, {values}
                    from generate_series('{month.first}'::date, '{month.last}'::date, interval '1 day') as day
                    cross join (select id, row_number() over (order by id) as n from lead_segments order by id) as s
                    cross join lateral (
                        select (n * 7919 + extract(epoch from day)::bigint / 3600) % 100003 as h
                    ) as drawn
                    order by day, id
                    """
                )
        connection.execute("alter table channel_metrics add primary key (segment_id, channel, account, date)")
        connection.execute("create index channel_metrics_channel_date_idx on channel_metrics (channel, date)")
        connection.execute("vacuum analyze channel_metrics")


def where_the_time_goes(database: Database, name: str, window: Window) -> list[str]:
    """The steps of a statement by the time each takes itself, as Markdown; rolled back."""
    with database.pipeline() as connection:
        values = {"first": window.first, "last": window.last, "dag_run_id": "bench"}
        connection.execute(sql.render("lead_stats/lock_step.sql"), {"step": name})
        row = connection.execute("explain (analyze, format json) " + sql.render(name), values).fetchone()
        connection.rollback()
    (explained,) = row[0]  # type: ignore[index]
    steps: list[tuple[float, str]] = []
    _own_times(explained["Plan"], steps, {})
    steps += [(trigger["Time"], f"trigger {trigger['Trigger Name']}") for trigger in explained.get("Triggers", [])]
    whole = explained["Execution Time"]
    largest = sorted(steps, reverse=True)[:7]
    return [
        f"{whole / 1000:.2f} s by EXPLAIN ANALYZE, {explained['Planning Time']:.0f} ms of planning before it:",
        "",
        "| step | own time | share |",
        "|---|---:|---:|",
        *(f"| {what} | {own:.0f} ms | {own / whole:.0%} |" for own, what in largest),
    ]


def _own_times(node: dict[str, Any], steps: list[tuple[float, str]], ctes: dict[str, float]) -> float:
    """Collects each node's time without that of the nodes it reads from; returns the node's whole time."""
    whole = node["Actual Total Time"] * node["Actual Loops"]
    below = 0.0
    for child in node.get("Plans", []):
        took = _own_times(child, steps, ctes)
        name = child.get("Subplan Name", "")
        if name.startswith("CTE "):
            ctes[name.removeprefix("CTE ")] = took  # spent by whoever reads it, not here
        else:
            below += took
    about = node.get("Relation Name") or node.get("CTE Name") or node.get("Function Name") or ""
    below += ctes.pop(node.get("CTE Name", ""), 0.0)
    kind = node["Operation"] if node["Node Type"] == "ModifyTable" else node["Node Type"]
    if kind != "Result":  # it only passes on what an InitPlan elsewhere has worked out
        steps.append((max(0.0, whole - below), f"{kind} {about}".strip()))
    return float(whole)
