"""Statistics written to `lead_generation_stats`: rows that lie ready against COPY of them; derived and written against
the bare SELECT that derives them and COPY of what it found, for COPY alone has nothing to derive.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy

from bench.pipeline.measure import (
    Database,
    Figure,
    Findings,
    Scale,
    Server,
    add_metrics,
    add_segments,
    median,
    row_versions,
    run_statement,
    seconds,
    where_the_time_goes,
    window_of,
)
from lead_demand.database import sql
from lead_demand.runs.day import Window

STATEMENT = "lead_stats/upsert_lead_generation_stats.sql"
COLUMNS = (
    "segment_id, date, leads_generated, leads_accepted, leads_rejected, leads_pending, google_ads_spend, "
    "google_ads_clicks, google_ads_impressions, seo_clicks, seo_visits, microsite_visits, microsite_leads, "
    "capacity_partners, capacity_total_leads, capacity_absent_leads, capacity_absent_week, capacity_absent_until"
)
_NAMES = COLUMNS.split(", ")
WRITING = (
    "INSERT … ON CONFLICT puts one row at a time through the role's policy, the search for a conflict and the heap; "
    "COPY adds whole pages for an owner whom policies do not bind. The foreign key (its trigger) costs both the same."
)
DERIVING = (
    "Beside what the bare SELECT reads and sums, the statement asks which accounts each segment should have (a missing "
    "one makes the day unknown), looks for the rows that are there already, and writes row by row where COPY adds "
    "whole pages."
)
# The same rows without asking what is missing or already there.
BARE = """
select
    segment_id, date, max(leads_generated), max(leads_accepted), max(leads_rejected), max(leads_pending), sum(spend),
    sum(clicks) filter (where channel = 'google_ads'), sum(impressions) filter (where channel = 'google_ads'),
    sum(clicks) filter (where channel = 'search_console'), sum(visits), sum(microsite_visits), sum(microsite_leads),
    max(capacity_partners), max(capacity_total_leads), max(capacity_absent_leads), max(capacity_absent_week),
    max(capacity_absent_until)
from channel_metrics
where date between '{first}' and '{last}'
group by segment_id, date
order by segment_id, date
"""
AGAIN = (
    "Nothing is written, but every row is derived again to know that it did not change: what remains is the reading."
)
# The same upsert with its values in the statement, as each of the other ways would send it.
_UPSERT = (
    f"insert into lead_generation_stats as t ({COLUMNS}) values ({', '.join(['%s'] * len(_NAMES))}) "
    f"on conflict (segment_id, date) do update set {', '.join(f'{n} = excluded.{n}' for n in _NAMES[2:])} "
    f"where ({', '.join(f't.{n}' for n in _NAMES[2:])}) "
    f"is distinct from ({', '.join(f'excluded.{n}' for n in _NAMES[2:])})"
)


def measure(server: Server, scale: Scale, folder: Path) -> Findings:
    """a) the first writing of a day and of a year; b) the second, over unchanged data."""
    spare = 3 * scale.repeats + 4  # days before the year, each written once
    year = window_of(scale.days)
    with server.database() as database:
        add_segments(database, scale.segments)
        add_metrics(database, year.first - timedelta(days=spare), year.last)
        figures = [*_year(database, scale, year, folder), *_day(database, scale, year, folder)]
        day = Window(year.first - timedelta(days=spare), year.first - timedelta(days=spare))
        profiles = {"a, a day": where_the_time_goes(database, STATEMENT, day)}
        month = year.chunks()[1]
        with database.owner() as connection:
            connection.execute(
                "delete from lead_generation_stats where date between %s and %s", [month.first, month.last]
            )
        database.settle()
        profiles["a, a month of the year"] = where_the_time_goes(database, STATEMENT, month)
        return Findings(figures, profiles)


def _files(database: Database, chunks: list[Window], folder: Path) -> list[Path]:
    """The finished rows of each chunk as CSV, in the order of the key."""
    paths = []
    with database.owner() as connection:
        for chunk in chunks:
            path = folder / f"stats-{chunk.first}.csv"
            with path.open("wb") as file, connection.cursor() as cursor:
                query = (
                    f"copy (select {COLUMNS} from lead_generation_stats where date between '{chunk.first}' and "
                    f"'{chunk.last}' order by segment_id, date) to stdout (format csv)"
                )
                with cursor.copy(query) as copy:
                    for block in copy:
                        file.write(block)
            paths.append(path)
    return paths


def copy_files(database: Database, paths: list[Path], table: str = f"lead_generation_stats ({COLUMNS})") -> None:
    """Plain COPY by the owner, whom row level security does not ask; one transaction a file."""
    with database.owner() as connection, connection.cursor() as cursor:
        for path in paths:
            with path.open("rb") as file, cursor.copy(f"copy {table} from stdin (format csv)") as copy:
                while block := file.read(1 << 20):
                    copy.write(block)


def _against_copy(what: str, rows: int, ready: float, whole: float, copied: float, selected: float) -> list[Figure]:
    """Our writing beside COPY of the same rows: once they lie ready, and with what it takes to derive them."""
    bare = copied + selected
    return [
        Figure(
            "a", f"{what}: stats written, rows ready", rows / ready, "rows/s", rows / copied,
            "plain COPY of the finished rows", copied / ready, at_least=0.75, why=WRITING,
        ),
        Figure(
            "a", f"{what}: stats derived from five channels and written", rows / whole, "rows/s", rows / bare,
            "the bare SELECT, and COPY of its rows", bare / whole, at_least=0.75, why=DERIVING,
        ),
        Figure(
            "a", f"{what}: the same against COPY alone", rows / whole, "rows/s", rows / copied,
            "plain COPY of the finished rows", copied / whole,
        ),
    ]  # fmt: skip


def _select(database: Database, chunks: list[Window]) -> None:
    with database.owner() as connection:
        connection.execute("set work_mem = '48MB'")  # as our steps have it
        for chunk in chunks:
            query = BARE.format(first=chunk.first, last=chunk.last)
            connection.execute(f"explain (analyze, timing off, costs off) {query}")


def _year(database: Database, scale: Scale, year: Window, folder: Path) -> list[Figure]:
    rows = scale.segments * year.days
    database.settle()
    first = seconds(lambda: run_statement(database, STATEMENT, year))
    database.settle()
    before = row_versions(database, "lead_generation_stats")
    again = seconds(lambda: run_statement(database, STATEMENT, year))
    rewritten = 0 if row_versions(database, "lead_generation_stats") == before else rows

    files = _files(database, year.chunks(), folder)
    _truncate(database)
    database.settle()
    copied = seconds(lambda: copy_files(database, files))
    selected = seconds(lambda: _select(database, year.chunks()))
    _truncate(database)
    database.settle()
    ready = _write_ready(database, year.chunks(), files)
    what = f"{scale.segments:,} segments × {year.days} days"
    return [
        *_against_copy(what, rows, ready, first, copied, selected),
        Figure("b", f"{what}: rows rewritten by a second run", rewritten, "rows", at_most=0),
        Figure("b", f"{what}: second run", again, "s", first, "the first run", again / first, at_most=0.5, why=AGAIN),
    ]  # fmt: skip


def _write_ready(database: Database, chunks: list[Window], paths: list[Path]) -> float:
    """Seconds of our upsert alone: its rows lie ready in a temporary table, each chunk in a transaction of its own."""
    text = sql.render(STATEMENT)
    upsert = text[text.index("insert into lead_generation_stats") :]
    took = 0.0
    for chunk, path in zip(chunks, paths, strict=True):
        with database.pipeline() as connection:
            connection.execute(
                f"create temporary table known on commit drop as select {COLUMNS} from lead_generation_stats limit 0"
            )
            with connection.cursor() as cursor, cursor.copy(f"copy known ({COLUMNS}) from stdin (format csv)") as copy:
                copy.write(path.read_bytes())
            connection.execute("analyze known")

            def write(connection: Any = connection, chunk: Window = chunk) -> None:
                connection.execute(sql.render("lead_stats/lock_step.sql"), {"step": STATEMENT})
                connection.execute(upsert, {"first": chunk.first, "last": chunk.last})
                connection.commit()

            took += seconds(write)
    return took


def _truncate(database: Database) -> None:
    with database.owner() as connection:
        connection.execute("truncate lead_generation_stats")


def _day(database: Database, scale: Scale, year: Window, folder: Path) -> list[Figure]:
    """Days before the year, one after another, into the table that holds the year; ours and COPY take turns."""
    day = year.first
    ours, again, copied, ready, selected = [], [], [], [], []
    for _ in range(scale.repeats):
        day -= timedelta(days=1)
        database.settle()
        ours.append(seconds(lambda: run_statement(database, STATEMENT, Window(day, day))))  # noqa: B023
        again.append(seconds(lambda: run_statement(database, STATEMENT, Window(day, day))))  # noqa: B023
        selected.append(seconds(lambda: _select(database, [Window(day, day)])))  # noqa: B023
        (path,) = _files(database, [Window(day, day)], folder)
        day -= timedelta(days=1)
        path.write_text(path.read_text().replace(str(day + timedelta(days=1)), str(day)))
        database.settle()
        copied.append(seconds(lambda: copy_files(database, [path])))  # noqa: B023
        day -= timedelta(days=1)
        path.write_text(path.read_text().replace(str(day + timedelta(days=1)), str(day)))
        database.settle()
        ready.append(_write_ready(database, [Window(day, day)], [path]))
    first, second, limit = median(ours), median(again), median(copied)
    what = f"{scale.segments:,} segments × 1 day"
    figures = [
        *_against_copy(what, scale.segments, median(ready), first, limit, median(selected)),
        Figure("b", f"{what}: second run", second, "s", first, "the first run", second / first, at_most=0.5, why=AGAIN),
    ]  # fmt: skip
    lines = path.read_text().splitlines()[: scale.sample]
    for name, write in OTHERS.items():
        day -= timedelta(days=1)
        rows = [[value or None for value in line.split(",")] for line in lines]
        for row in rows:
            row[1] = str(day)
        database.settle()
        took = seconds(lambda: write(database, rows))  # noqa: B023
        figures.append(
            Figure(
                "a", f"{name}, {scale.sample:,} rows of a day", len(rows) / took, "rows/s", scale.segments / limit,
                "plain COPY of the finished rows", (len(rows) / took) / (scale.segments / limit),
                note=f"extrapolated: {scale.segments / len(rows) * took:.1f} s a day, "
                f"{scale.segments * scale.days / len(rows) * took / 60:.0f} min for {scale.days} days",
            )
        )  # fmt: skip
    return figures


def _row_by_row(database: Database, rows: list[list[Any]]) -> None:
    with database.pipeline() as connection:
        for row in rows:
            connection.execute(_UPSERT, row)
            connection.commit()


def _executemany(database: Database, rows: list[list[Any]]) -> None:
    with database.pipeline() as connection, connection.cursor() as cursor:
        cursor.executemany(_UPSERT, rows)


def _to_sql(database: Database, rows: list[list[Any]]) -> None:
    """An insert only: pandas knows no upsert."""
    engine = sqlalchemy.create_engine(database.pipeline_url.replace("postgresql://", "postgresql+psycopg://"))
    frame = pd.DataFrame(rows, columns=_NAMES)
    numbers = _NAMES[2:]
    frame[numbers] = frame[numbers].apply(pd.to_numeric)
    frame["date"] = pd.to_datetime(frame["date"]).dt.date
    frame.to_sql(
        "lead_generation_stats",
        engine,
        if_exists="append",
        index=False,
        dtype={"segment_id": sqlalchemy.types.UUID(as_uuid=False)},
    )
    engine.dispose()


OTHERS: dict[str, Callable[[Database, list[list[Any]]], None]] = {
    "row by row, committed": _row_by_row,
    "executemany": _executemany,
    "pandas to_sql (insert only)": _to_sql,
}
