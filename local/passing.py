"""A day passes in the sandbox's company while the calendar stands still: its history moves back by one day.

Everything that has a date in the leads database and in the sandbox lies a day further back afterwards, so that today
is the real today again, and yesterday is a new day that nobody has read yet. A clock that can be shifted would be the
other way. It was not taken: `lead_today()`, `now()` and Airflow's own clock (when a run is due, which day it is about,
what was fetched "this morning") all had to be shifted alike, in code that moves real money, for the sake of the
sandbox. This way the product knows nothing of it, and every other command (`make run`, `make up`, `make show`) goes on
from there.

Dates within sentences and findings move too. Moments keep their time of day in Amsterdam. The week is the sandbox's own
(`World.weekday`): what was a Wednesday stays one in its figures, whatever weekday its date has now. What Airflow itself
remembers of its runs stays as it is.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import httpx
import psycopg
from psycopg import sql

from local import LocalError

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip
# `2026-11-26`, `26 November`, `26 November 2026`; the same for PostgreSQL.
WRITTEN_DAY = rf"\b(?:(\d{{4}}-\d{{2}}-\d{{2}})|(\d{{1,2}}) ({'|'.join(MONTHS)})(?: (\d{{4}}))?)(?!\d)"
_DAY = re.compile(WRITTEN_DAY)
# Texts and JSON that name days, of tables with a column `id`.
SAID = {
    "budget_decisions": ("sentence", "inputs"),
    "pipeline_findings": ("detail", "remediation"),
    "channel_orchestration_log": ("error_detail",),
}
# Counted by calendar weeks from the decisions, so counted again.
COUNTED = "outcome_weeks"
# Leads are numbered by their day (`sandbox.world.world.Leads.id`).
_LEAD_ID = sql.SQL("""
    case
        when id / 1000000000 = to_char(created_at at time zone 'Europe/Amsterdam', 'YYMMDD')::bigint
            then to_char((created_at at time zone 'Europe/Amsterdam')::date - 1, 'YYMMDD')::bigint * 1000000000
                + id % 1000000000
        else id
    end""")
_EARLIER = {
    "date": sql.SQL("{0} - 1"),
    "timestamptz": sql.SQL("({0} at time zone 'Europe/Amsterdam' - interval '1 day') at time zone 'Europe/Amsterdam'"),
    "timestamp": sql.SQL("{0} - interval '1 day'"),
}
_COLUMNS = """
select relation.relnamespace::regnamespace::text as schema, relation.relname as table,
    array_agg(attribute.attname::text order by attribute.attnum) as columns,
    array_agg(type.typname::text order by attribute.attnum) as types
from pg_class as relation
inner join pg_attribute as attribute
    on relation.oid = attribute.attrelid and attribute.attnum > 0
    and not attribute.attisdropped and attribute.attgenerated = ''
inner join pg_type as type on attribute.atttypid = type.oid
where relation.relkind = 'r' and relation.relnamespace::regnamespace::text in ('public', 'sandbox')
group by relation.oid
having bool_or(type.typname = any(%s))
order by relation.oid
"""
_REMEMBERED = """
create schema if not exists sandbox;
create table if not exists sandbox.passed (
    is_only boolean primary key default true check (is_only),
    days integer not null default 0,
    is_decided boolean not null default true
);
insert into sandbox.passed default values on conflict do nothing
"""


def days_passed(url: str) -> tuple[int, bool]:
    """How many days have passed, and whether the morning of the last of them was lived to its end.

    `url`: the leads database, as its owner.
    """
    with psycopg.connect(url) as connection:
        connection.execute(_REMEMBERED)
        row = connection.execute("select days, is_decided from sandbox.passed").fetchone()
    assert row  # noqa: S101 - the statement before put it there
    return int(row[0]), bool(row[1])


def mark_decided(url: str) -> None:
    """The morning after the last day that passed is over."""
    with psycopg.connect(url) as connection:
        connection.execute("update sandbox.passed set is_decided = true")


def pass_day(url: str, control: str) -> None:
    """Move the history of the database and of the sandbox back by a day: both, or again both when it is repeated.

    `url`: the leads database, as its owner; `control`: the sandbox's control plane. Raises LocalError where this is not
    the sandbox's company, where the two do not belong together, or where somebody works on the database; nothing was
    changed then.
    """
    lived, _ = days_passed(url)
    refuse_others(url, control)
    with _control(control) as sandbox:
        passed = int(sandbox.get("/passed").raise_for_status().json()["passed"])
        # A sandbox that is one ahead is what an interrupted move leaves.
        if passed not in (lived, lived + 1):
            raise LocalError(
                f"{passed} days have passed in the sandbox and {lived} in the leads database: they are not of one "
                "company. Nothing was changed. `make clean` removes both."
            )
        with psycopg.connect(url) as connection:
            try:
                _move_back(connection)
            except psycopg.errors.LockNotAvailable:
                raise LocalError(
                    "Somebody works on the leads database. Nothing was changed. Run the same command again."
                ) from None
            sandbox.post("/passed", json={"days": lived + 1}).raise_for_status()
            _remember(connection, lived + 1)


def _remember(connection: psycopg.Connection[Any], passed: int) -> None:
    connection.execute("update sandbox.passed set days = %s, is_decided = false", [passed])


def refuse_others(url: str, control: str) -> None:
    """Raises LocalError unless the database holds the company of this sandbox, and no account but the sandbox's."""
    with psycopg.connect(url) as connection:
        connection.read_only = True
        row = connection.execute("select to_regclass('sandbox.written_capacity') is not null").fetchone()
        if not (row and row[0]):
            raise LocalError(
                "This leads database was not filled by the sandbox. Only the sandbox's company can live a day on "
                "demand. Nothing was changed."
            )
        theirs = {account for (account,) in connection.execute("select distinct account from channel_sources")}
    with _control(control) as sandbox:
        # A day without leads, for the sake of the sources that come with it.
        company = sandbox.get("/company", params={"from": "1900-01-01", "to": "1900-01-01"}).raise_for_status().json()
    if foreign := theirs - {source["account"] for source in company["sources"]}:
        raise LocalError(
            f"channel_sources names accounts that are not the sandbox's: {', '.join(sorted(foreign))}. Nothing was "
            "changed."
        )


@contextmanager
def _control(url: str) -> Iterator[httpx.Client]:
    try:
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            yield client
    except httpx.HTTPError as error:
        raise LocalError(f"The sandbox does not answer ({error}). Run the same command again.") from error


def _move_back(connection: psycopg.Connection[Any]) -> None:
    tables = connection.execute(_COLUMNS, [list(_EARLIER)]).fetchall()
    connection.execute("set local lock_timeout = '10s'")
    names = sql.SQL(", ").join(sql.Identifier(schema, table) for schema, table, _, _ in tables)
    connection.execute(sql.SQL("lock table {} in access exclusive mode").format(names))
    # The history is moved, not written: no trigger, guard or foreign key is about that.
    connection.execute("set local session_replication_role = replica")
    for schema, table, columns, types in tables:
        if table != COUNTED:
            _move_table(connection, sql.Identifier(schema, table), table, dict(zip(columns, types, strict=True)))
    _count_weeks(connection)
    ((today,),) = connection.execute("select public.lead_today()").fetchall()
    for table, texts in SAID.items():
        for column in texts:
            _move_said(connection, table, column, today)


def _count_weeks(connection: psycopg.Connection[Any]) -> None:
    from lead_demand.database.sql import render

    ((first, last),) = connection.execute(
        "select min(decision_date), public.lead_today() from public.budget_decisions"
    ).fetchall()
    connection.execute(sql.SQL("delete from public.{}").format(sql.Identifier(COUNTED)))
    if first:
        connection.execute(render("lead_stats/upsert_outcome_weeks.sql"), {"first": first, "last": last})


def _move_table(connection: psycopg.Connection[Any], where: sql.Identifier, table: str, types: dict[str, str]) -> None:
    """All rows anew: of rows that are updated one by one, a day's would meet those of the day before."""
    names = sql.SQL(", ").join(map(sql.Identifier, types))
    moved = sql.SQL(", ").join(
        _LEAD_ID
        if (table, column) == ("leads", "id")
        else _EARLIER[kind].format(sql.Identifier(column))
        if kind in _EARLIER
        else sql.Identifier(column)
        for column, kind in types.items()
    )
    execute = connection.execute
    execute(sql.SQL("create temporary table moved on commit drop as select {} from {}").format(names, where))
    execute(sql.SQL("delete from {}").format(where))
    execute(sql.SQL("insert into {} ({}) overriding system value select {} from moved").format(where, names, moved))
    execute("drop table moved")


def _move_said(connection: psycopg.Connection[Any], table: str, column: str, today: date) -> None:
    where, name = sql.Identifier("public", table), sql.Identifier(column)
    found = connection.execute(
        sql.SQL("select id, {0}::text, pg_typeof({0})::text from {1} where {0}::text ~ {2}").format(
            name, where, r"\d{4}-\d\d-\d\d|\d (" + "|".join(MONTHS) + ")"
        )
    ).fetchall()
    if found:
        update = sql.SQL("update {} set {} = %s::{} where id = %s").format(where, name, sql.SQL(found[0][2]))
        with connection.cursor() as cursor:
            cursor.executemany(update, [(a_day_earlier(said, today), key) for key, said, _ in found])


def a_day_earlier(said: str, today: date) -> str:
    """A text in which every day is named as the one before; one without a year is the nearest to `today`."""

    def moved(found: re.Match[str]) -> str:
        iso, day, month, year = found.groups()
        try:
            if iso:
                return str(date.fromisoformat(iso) - timedelta(days=1))
            years = [int(year)] if year else [today.year, today.year - 1, today.year + 1]
            days = [at for each in years if (at := _date(each, MONTHS.index(month) + 1, int(day)))]
            earlier = min(days, key=lambda at: abs(at - today)) - timedelta(days=1)
        except (ValueError, OverflowError):  # no day at all
            return found[0]
        return f"{earlier.day} {MONTHS[earlier.month - 1]}" + (f" {earlier.year}" if year else "")

    return _DAY.sub(moved, said)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
