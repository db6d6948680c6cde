"""d) The lead gap of every plan of a day: set-based, call by call, and as a plain join and write."""

from __future__ import annotations

from collections.abc import Callable
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
    window_of,
)

STATEMENT = "lead_stats/update_lead_segment_plans.sql"
DAYS = 30
PLAIN = """
update lead_segment_plans as p
set lead_gap = p.target_leads_per_day - s.leads_generated
from lead_generation_stats as s
where p.segment_id = s.segment_id and p.date = s.date and p.date = %(day)s and s.date = %(day)s
"""


def measure(server: Server, scale: Scale, folder: Path) -> Findings:
    """Every plan of yesterday gets another gap, each way in turn, in a month of plans and statistics."""
    with server.database() as database:
        add_segments(database, scale.segments)
        with database.owner() as connection:
            connection.execute("set session_replication_role = replica")
            days = (
                f"generate_series(lead_today() - {DAYS}, lead_today() - 1, interval '1 day') as day, lead_segments as s"
            )
            connection.execute(
                f"""
                insert into lead_generation_stats
                    (segment_id, date, leads_generated, leads_accepted, leads_rejected, leads_pending)
                select s.id, day::date, 5, 3, 1, 1 from {days};
                insert into lead_segment_plans (segment_id, date, target_leads_per_day)
                select s.id, day::date, 6 from {days};
                """
            )
        took: dict[str, list[float]] = {name: [] for name in WAYS}
        for _ in range(scale.repeats):
            for name, way in WAYS.items():
                with database.owner() as connection:
                    connection.execute("update lead_segment_plans set lead_gap = null where date = lead_today() - 1")
                database.settle()
                took[name].append(seconds(lambda: way(database)))  # noqa: B023
                if wrong := database.value(
                    "select count(*) from lead_segment_plans "
                    "where date = lead_today() - 1 and lead_gap is distinct from 1"
                ):
                    raise RuntimeError(f"{name} left {wrong} gaps wrong")
    ours, plain = median(took["set-based"]), median(took["plain join and write"])
    what = f"{scale.segments:,} plans of a day"
    figures = [
        Figure("d", f"{what}: gaps, set-based", ours, "s", plain, "a plain join and write", ours / plain, at_most=2.0),
        *(
            Figure("d", f"{what}: {name}", median(took[name]), "s", ours, "set-based", median(took[name]) / ours)
            for name in ("one call per segment, one transaction", "one call per segment, each committed")
        ),
    ]
    return Findings(figures)


def _set_based(database: Database) -> None:
    run_statement(database, STATEMENT, window_of(1))


def _plain(database: Database) -> None:
    with database.pipeline() as connection:
        connection.execute(PLAIN, {"day": window_of(1).last})


def _calls(database: Database, committed: bool = False) -> None:
    with database.pipeline() as connection:
        connection.autocommit = committed
        rows = connection.execute("select id, lead_today() - 1 from lead_segments").fetchall()
        for row in rows:
            connection.execute("select update_lead_gap(%s, %s)", row)


WAYS: dict[str, Callable[[Database], None]] = {
    "set-based": _set_based,
    "plain join and write": _plain,
    "one call per segment, one transaction": _calls,
    "one call per segment, each committed": lambda database: _calls(database, committed=True),
}
