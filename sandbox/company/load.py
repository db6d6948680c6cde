"""``load()``: writes the sandbox company's books into Postgres, as its own systems would have by this morning.

What its partners then do between two looks is played by `sandbox.company.partners`, what its forms and imports send by
`sandbox.company.forms`.

Idempotent: a second load on the same day changes nothing, one on a later day adds the new days and the decisions on
earlier leads. What a person has edited stays as it is. Only for a database that holds no real company.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import httpx
import psycopg
from psycopg import sql

Json = dict[str, Any]
Connection = psycopg.Connection[tuple[Any, ...]]
Span = tuple[date, date]

_LEADS_AT_ONCE = 100_000  # about; how much of the books is fetched in one go
_LEADS_PER_SEGMENT = 9  # about; per day
_LEAD_COLUMNS = (
    "id", "created_at", "status", "branch", "postal_code", "region", "city", "name", "email", "phone", "price",
    "partner_id", "source_channel", "source_campaign_id", "source_keyword",
)  # fmt: skip


@dataclass(frozen=True)
class LoadReport:
    """What a load wrote: rows that are new, leads that were decided since, and whether the caps were set."""

    first: date
    last: date
    segments: int = 0
    partners: int = 0
    capacities: int = 0
    leads: int = 0
    decisions: int = 0
    plans: int = 0
    settings: int = 0

    @property
    def changed(self) -> int:
        """Rows written or changed, all told."""
        return (
            self.segments + self.partners + self.capacities + self.leads + self.decisions + self.plans + self.settings
        )


# Each statement reads the table `staged`, in the order of keys, so that two writers never wait in a ring.
_SEGMENTS = """
insert into public.lead_segments (code, branch, region, postal_prefixes)
select code, branch, region, postal_prefixes from staged order by code
on conflict do nothing
"""
_LIMITS = """
insert into public.lead_segment_channels (
    segment_id, channel, min_daily_budget, max_daily_budget, max_increase_pct, max_decrease_pct, cooldown_days,
    is_automated
)
select
    segments.id, channel, min_daily_budget, max_daily_budget, max_increase_pct, max_decrease_pct, cooldown_days, true
from staged inner join public.lead_segments as segments on staged.segment = segments.code
order by segments.id, channel
on conflict do nothing
"""
_SOURCES = """
insert into public.channel_sources (channel, account, external_id, segment_id, description)
select channel, account, external_id, segments.id, staged.description
from staged inner join public.lead_segments as segments on staged.segment = segments.code
-- Spans of days that a person gave it are theirs.
where not exists (
    select from public.channel_sources as known
    where known.channel = staged.channel and known.account = staged.account and known.external_id = staged.external_id
)
order by channel, account, external_id
"""
# Only a row that is still as the migration made it: caps that a person set are theirs.
_SETTINGS = """
update public.orchestration_settings
set
    dry_run = false,
    total_daily_cap = %(total_daily_cap)s,
    max_daily_increase = %(max_daily_increase)s,
    approval_threshold = %(approval_threshold)s
where
    not kill_switch and dry_run
    and total_daily_cap is null and max_daily_increase is null and approval_threshold is null
"""
_PARTNERS = """
insert into public.partners (id, name, branch, region)
select id, name, branch, region from staged order by id
on conflict (id) do nothing
"""
# Partners' capacity moves with the world, but a figure that a person has changed since the last load stays.
_WRITTEN = """
create schema if not exists sandbox;
create table if not exists sandbox.written_capacity (partner_id bigint primary key, daily_leads integer not null);
"""
_CAPACITIES = """
with written as (
    insert into public.partner_capacity as current (partner_id, branch, region, daily_leads)
    select staged.id, staged.branch, staged.region, staged.daily_leads
    from staged
    left join sandbox.written_capacity as before on staged.id = before.partner_id
    left join public.partner_capacity as found on staged.id = found.partner_id
    where
        before.daily_leads is distinct from staged.daily_leads
        and found.daily_leads is not distinct from before.daily_leads
        and staged.daily_leads is not null
    order by staged.id
    on conflict (partner_id, country, branch, region) do update set daily_leads = excluded.daily_leads
    returning current.partner_id, current.daily_leads
)
insert into sandbox.written_capacity (partner_id, daily_leads)
select partner_id, daily_leads from written
on conflict (partner_id) do update set daily_leads = excluded.daily_leads
"""
_PAST_CAPACITY = """
insert into public.channel_metrics (
    segment_id, channel, account, date, capacity_partners, capacity_total_leads, is_final
)
select segments.id, 'partner_capacity', 'leads_db', staged.date, staged.partners, staged.leads, true
from staged inner join public.lead_segments as segments on staged.segment = segments.code
where staged.date < %(last)s
order by segments.id, staged.date
on conflict do nothing
"""
_PLANS = """
insert into public.lead_segment_plans (
    segment_id, date, target_leads_per_day, actual_daily_budget_google_ads, orchestration_status
)
select segments.id, staged.date, staged.target, staged.euros, 'dry_run'
from staged inner join public.lead_segments as segments on staged.segment = segments.code
order by segments.id, staged.date
on conflict do nothing
"""
_DECISIONS = """
update public.leads
set status = staged.status, price = staged.price, partner_id = staged.partner_id
from staged
where leads.id = staged.id and leads.status = 'new' and staged.status <> 'new'
"""
_LEADS = sql.SQL(
    "insert into public.leads ({columns}) select {columns} from staged order by id on conflict do nothing"
).format(columns=sql.SQL(", ").join(map(sql.Identifier, _LEAD_COLUMNS)))


def _stage(cursor: psycopg.Cursor[Any], columns: str, rows: list[Json] | dict[str, list[Any]]) -> None:
    """Put rows, or a table by column, into a fresh temporary table ``staged`` of those columns (name and type)."""
    names = [column.split()[0] for column in columns.split(",")]
    lines: Iterable[tuple[Any, ...]]
    if isinstance(rows, dict):
        lines = zip(*(rows.get(name, []) for name in names), strict=True)
    else:
        lines = (tuple(row[name] for name in names) for row in rows)
    cursor.execute(f"drop table if exists pg_temp.staged; create temporary table staged ({columns}) on commit drop")
    with cursor.copy("copy pg_temp.staged from stdin") as copy:
        for line in lines:
            copy.write_row(line)
    cursor.execute(f"analyze pg_temp.staged ({names[0]})")  # how many rows there are, and one column: enough for a plan


def _load_setup(cursor: psycopg.Cursor[Any], books: Json) -> dict[str, int]:
    """Segments, their limits and sources, the caps, partners and their capacity as of this morning."""
    _stage(cursor, "code text, branch text, region text, postal_prefixes text[]", books["segments"])
    segments = cursor.execute(_SEGMENTS).rowcount
    _stage(
        cursor,
        "segment text, channel text, min_daily_budget numeric, max_daily_budget numeric, max_increase_pct numeric, "
        "max_decrease_pct numeric, cooldown_days int",
        books["limits"],
    )
    cursor.execute(_LIMITS)
    _stage(cursor, "channel text, account text, external_id text, segment text, description text", books["sources"])
    cursor.execute(_SOURCES)
    settings = cursor.execute(_SETTINGS, books["settings"]).rowcount
    _stage(cursor, "id bigint, name text, branch text, region text, daily_leads int", books["partners"])
    partners = cursor.execute(_PARTNERS).rowcount
    capacities = cursor.execute(_CAPACITIES).rowcount
    cursor.execute("grant select on public.partners, public.partner_capacity to lead_pipeline")
    return {"segments": segments, "settings": settings, "partners": partners, "capacities": capacities}


def _load_days(cursor: psycopg.Cursor[Any], books: Json, last: date) -> dict[str, int]:
    """The leads, recorded capacity and plans of some days; ``last`` is the day whose capacity is still read live."""
    _stage(cursor, "segment text, date date, partners int, leads int", books["capacity"])
    cursor.execute(_PAST_CAPACITY, {"last": last})

    _stage(cursor, "segment text, date date, target int, euros numeric", books["plans"])
    plans = cursor.execute(_PLANS).rowcount

    _stage(
        cursor,
        "id bigint, created_at timestamptz, status text, branch text, postal_code text, region text, city text, "
        "name text, email text, phone text, price numeric, partner_id bigint, source_channel text, "
        "source_campaign_id text, source_keyword text",
        books["leads"],
    )
    decisions = cursor.execute(_DECISIONS).rowcount
    leads = cursor.execute(_LEADS).rowcount
    return {"plans": plans, "leads": leads, "decisions": decisions}


def _one_ahead(make: Callable[[Span], Json], spans: list[Span]) -> Iterator[Json]:
    """What ``make`` gives for each span, the next one in the making while the caller works on this one."""
    coming: deque[Future[Json]] = deque()
    with ThreadPoolExecutor(max_workers=1) as maker:
        for span in spans:
            coming.append(maker.submit(make, span))
            if len(coming) > 1:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def load(url: str, control: str, days: int = 60) -> LoadReport:
    """Write the last ``days`` days up to yesterday (Europe/Amsterdam) in one transaction.

    ``url``: the database, as its owner; ``control``: the sandbox's control URL. Raises httpx.HTTPError when the
    sandbox does not answer and psycopg.Error when the database refuses; either way nothing was written.
    """
    with psycopg.connect(url) as connection, connection.cursor() as cursor, httpx.Client(timeout=300) as http:

        def books(first: date, last: date, as_of: date) -> Json:
            answer = http.get(f"{control}/company", params={"from": str(first), "to": str(last), "as_of": str(as_of)})
            return answer.raise_for_status().json()

        cursor.execute(_WRITTEN)
        ((today,),) = cursor.execute("select public.lead_today()")
        first, last = today - timedelta(days=days), today - timedelta(days=1)

        setup = books(last, last, today)
        counts = {**_load_setup(cursor, setup), "plans": 0, "leads": 0, "decisions": 0}
        at_once = max(1, _LEADS_AT_ONCE // (_LEADS_PER_SEGMENT * len(setup["segments"])))
        spans = [
            (first + timedelta(days=n), min(last, first + timedelta(days=n + at_once - 1)))
            for n in range(0, days, at_once)
        ]
        for days_books in _one_ahead(lambda span: books(*span, today), spans):
            for name, count in _load_days(cursor, days_books, last).items():
                counts[name] += count
    return LoadReport(first, last, **counts)
