"""c) Leads counted into statistics, for a day and for a year, against the bare SELECT and COPY of what it found."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bench.pipeline.measure import (
    Database,
    Figure,
    Findings,
    Scale,
    Server,
    add_segments,
    median,
    run_statement,
    seconds,
    where_the_time_goes,
    window_of,
)
from bench.pipeline.writing import COLUMNS, STATEMENT, copy_files
from lead_demand.runs.day import Window

COUNT, KEEP = "lead_stats/create_counted_leads.sql", "lead_stats/upsert_channel_metrics_leads.sql"
METRICS = (
    "segment_id, channel, account, date, leads_generated, leads_accepted, leads_rejected, leads_pending, "
    "leads_by_source, is_final"
)
WHY = (
    "The bare SELECT counts by segment and day; the statement also counts by source, for the planner needs to know "
    "what Google Ads brought, and adds the segments without a lead. COPY adds whole pages where the upsert adds rows."
)
BARE = """
select
    segment_id, (created_at at time zone 'Europe/Amsterdam')::date as date, count(*),
    count(*) filter (where status = 'accepted'), count(*) filter (where status = 'rejected'),
    count(*) filter (where status not in ('accepted', 'rejected'))
from leads
where
    segment_id is not null
    and created_at >= '{first}'::timestamp at time zone 'Europe/Amsterdam'
    and created_at < ('{last}'::date + 1)::timestamp at time zone 'Europe/Amsterdam'
group by 1, 2
"""


def measure(server: Server, scale: Scale, folder: Path) -> Findings:
    """Both statements that take a lead to `lead_generation_stats`; what they write is written to two tables."""
    year = window_of(scale.days, earlier=1)  # the day after it is measured alone, with the year in place
    with server.database() as database:
        add_segments(database, scale.segments)
        add_leads(database, scale.leads, Window(year.first, year.last + timedelta(days=1)))
        figures = [_compare(database, scale, year, folder, 1)]
        database.settle()
        day = year.last + timedelta(days=1)
        figures = [_compare(database, scale, Window(day, day), folder, scale.repeats), *figures]
        _remove(database, Window(day, day))
        profiles = {"c, a day": where_the_time_goes(database, COUNT, Window(day, day))}
        month = year.chunks()[1]
        _remove(database, month)
        profiles["c, a month of the year"] = where_the_time_goes(database, COUNT, month)
        return Findings(figures, profiles)


def add_leads(database: Database, leads: int, window: Window) -> None:
    """Attributed leads spread over segments, sources and days, in the order in which they came."""
    with database.owner() as connection:
        indexes = connection.execute(
            "select indexname, indexdef from pg_indexes where tablename = 'leads' and indexname <> 'leads_pkey'"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"drop index {name}")
        # Without its size, which autovacuum may not have told yet, each lead is looked for in all segments.
        connection.execute("analyze lead_segments")
        connection.execute("set session_replication_role = replica")
        connection.execute(
            f"""
            with s as (select id, branch, region, row_number() over (order by code) as place from lead_segments)
            insert into leads (created_at, status, branch, region, postal_code, source_channel, segment_id)
            select
                ('{window.first}'::timestamp + n * (interval '{window.days} days' / {leads})) at time zone
                    'Europe/Amsterdam',
                (array['accepted', 'rejected', 'new'])[1 + n % 3], s.branch, s.region, '3511 AB',
                (array['google_ads', 'seo', 'microsite', null])[1 + n % 4], s.id
            from generate_series(0, {leads} - 1) as n
            join s on s.place = 1 + (n::bigint * 7919) % (select count(*) from lead_segments)
            order by n
            """
        )
        for _, definition in indexes:
            connection.execute(definition)


def _compare(database: Database, scale: Scale, window: Window, folder: Path, repeats: int) -> Figure:
    ours, bare = [], []
    for _ in range(repeats):
        _remove(database, window)
        ours.append(
            seconds(lambda: (run_statement(database, KEEP, window, COUNT), run_statement(database, STATEMENT, window)))
        )
        files = {
            f"channel_metrics ({METRICS})": _file(database, METRICS, "channel_metrics", window, folder),
            f"lead_generation_stats ({COLUMNS})": _file(database, COLUMNS, "lead_generation_stats", window, folder),
        }
        _remove(database, window)
        bare.append(seconds(lambda: _bare(database, window)))
        bare[-1] += sum(seconds(lambda: copy_files(database, [path], table)) for table, path in files.items())  # noqa: B023
    what = "a day" if window.days == 1 else f"{window.days} days"
    return Figure(
        "c", f"{scale.leads:,} leads, {scale.segments:,} segments: statistics of {what}",
        median(ours), "s", median(bare), "the bare SELECT, and COPY of its rows into the two tables",
        median(ours) / median(bare), at_most=1.5, why=WHY,
    )  # fmt: skip


def _bare(database: Database, window: Window) -> None:
    with database.owner() as connection:
        connection.execute(
            "explain (analyze, timing off, costs off) " + BARE.format(first=window.first, last=window.last)
        )


def _remove(database: Database, window: Window) -> None:
    with database.owner() as connection:
        for table in ("channel_metrics", "lead_generation_stats"):
            if window.days > 1:
                connection.execute(f"truncate {table}")
            else:
                connection.execute(f"delete from {table} where date between %s and %s", [window.first, window.last])
    database.settle()


def _file(database: Database, columns: str, table: str, window: Window, folder: Path) -> Path:
    path = folder / f"{table}-{window.first}.csv"
    with database.owner() as connection, path.open("wb") as file, connection.cursor() as cursor:
        query = (
            f"copy (select {columns} from {table} where date between '{window.first}' and '{window.last}' "
            "order by segment_id, date) to stdout (format csv)"
        )
        with cursor.copy(query) as copy:
            for block in copy:
                file.write(block)
    return path
