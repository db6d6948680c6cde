"""A year of thousands of segments: no statement of the pipeline reads a large table from end to end.

`LEADS_TEST_SEGMENTS=10000` fills it for ten times as many segments. Each statement is planned, and then really run:
the counters of the transaction also see what functions, triggers and foreign keys read, which no plan shows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from lead_demand.database import sql
from lead_demand.planner.settings import PlannerSettings
from local.embedded_postgres import EmbeddedPostgres
from tests.fixtures.postgres import LeadsDatabase, drop_database
from tests.sql.statements import ACCOUNT, CHANNEL, RUN, STATEMENTS, prepare, window

SEGMENTS = int(os.environ.get("LEADS_TEST_SEGMENTS", "1000"))
DAYS = 400
LEADS = 250 * SEGMENTS
LOG_DAYS = 150
# Configuration, with a few rows per segment, may be read whole; what grows by the day may not.
DAILY = {
    "channel_metrics": DAYS,
    "lead_generation_stats": DAYS,
    "lead_segment_plans": DAYS,
    "leads": DAYS,
    "channel_fetches": DAYS,
    "budget_decisions": LOG_DAYS,
    "channel_orchestration_log": LOG_DAYS,
}
# Holds the open findings alone, which are few.
SMALL = {"pipeline_findings_open_idx"}
# Besides its window a statement may look back a week.
LOOKS_BACK = 7

SEGMENT_ROWS = f"""
insert into lead_segments (code, branch, region)
select 'b' || n / 50 || '_r' || n % 50, 'b' || n / 50, 'r' || n % 50 from generate_series(1, {SEGMENTS}) as n;
insert into lead_segment_channels
select id, '{CHANNEL}', 5, 500, 20, 30, 3, true from lead_segments;
insert into channel_sources (channel, account, external_id, segment_id)
select '{CHANNEL}', '{ACCOUNT}', row_number() over (order by code), id from lead_segments;
insert into channel_budgets (
    channel, account, campaign_id, budget_id, amount, campaigns_on_budget, is_learning, is_serving, currency, time_zone,
    dag_run_id
)
select '{CHANNEL}', '{ACCOUNT}', external_id, external_id, 50, 1, false, true, 'EUR', 'Europe/Amsterdam', '{RUN}'
from channel_sources;
update lead_segment_channels set monthly_budget = 1500;
insert into lead_branch_channels (branch, channel, monthly_budget)
select distinct branch, '{CHANNEL}', 75000 from lead_segments;
insert into partners (name, branch, region) select code, branch, region from lead_segments;
insert into partner_capacity (partner_id, branch, region, daily_leads) select id, branch, region, 6 from partners;
grant select on partners, partner_capacity to lead_pipeline;
update orchestration_settings
set dry_run = false, total_daily_cap = 1000000, max_daily_increase = 100000, approval_threshold = 1000;
analyze lead_segments;
"""
# Day after day, as the rows really come.
EACH_DAY = f"generate_series(lead_today() - {DAYS}, lead_today() - 1, interval '1 day') as day, lead_segments as s"
# Two halves of about equal weight, for two sessions.
METRICS_AND_LEADS = [
    f"""
    insert into channel_metrics (segment_id, channel, date, account, spend, clicks, impressions, daily_budget)
    select s.id, '{CHANNEL}', day::date, '{ACCOUNT}', 42.5, 31, 900, 50 from {EACH_DAY}
    """,
    f"""
    insert into channel_metrics (
        segment_id, channel, date, account, leads_generated, leads_accepted, leads_rejected, leads_pending,
        leads_by_source
    )
    select s.id, 'leads', day::date, 'leads_db', 5, 3, 1, 1, '{{"google_ads": {{"generated": 3}}}}' from {EACH_DAY}
    """,
    f"""
    insert into leads (created_at, status, branch, region, postal_code, source_channel, segment_id)
    select
        lead_today() - interval '1 minute' - (n::float8 / {LEADS}) * interval '{DAYS - 1} days', 'accepted', s.branch,
        s.region, '3511 AB', 'google_ads', case when n % 100 > 0 then s.id end
    from generate_series({LEADS}, 1, -1) as n
    join (select *, row_number() over (order by code) as place from lead_segments) as s on s.place = n % {SEGMENTS} + 1
    """,
]
OTHERS = [
    f"""
    insert into channel_metrics (segment_id, channel, date, account, capacity_partners, capacity_total_leads)
    select s.id, 'partner_capacity', day::date, 'leads_db', 2, 6 from {EACH_DAY}
    """,
    f"""
    insert into lead_generation_stats (
        segment_id, date, leads_generated, leads_accepted, leads_rejected, leads_pending, google_ads_spend,
        google_ads_clicks, capacity_total_leads
    )
    select s.id, day::date, 5, 3, 1, 1, 42.5, 31, 6 from {EACH_DAY}
    """,
    f"""
    insert into lead_segment_plans (segment_id, date, target_leads_per_day, lead_gap, actual_daily_budget_google_ads)
    select s.id, day::date, 6, 1, 50 from {EACH_DAY}
    """,
    f"""
    insert into budget_decisions (
        segment_id, decision_date, action, old_budget, new_budget, reasons, sentence, dag_run_id
    )
    select id, day::date, case when number % 4 = 3 then 'increase' else 'hold' end, 50,
        case when number % 4 = 3 then 55 else 50 end, '{{gap}}', 'In one sentence.', '{RUN}'
    from generate_series(lead_today() - {LOG_DAYS}, lead_today(), interval '1 day') as day,
        (select id, row_number() over (order by code) as number from lead_segments) as s
    where day < lead_today() or number % 4 > 1
    """,
    # Today's plans of the segments that are decided.
    """
    insert into lead_segment_plans (segment_id, date, target_leads_per_day, actual_daily_budget_google_ads)
    select segment_id, decision_date, 6, 50 from budget_decisions where decision_date = lead_today()
    """,
    # Every past change is closed; of today's, a twentieth of the segments are claimed and open.
    """
    insert into channel_orchestration_log (
        segment_id, channel, action_type, old_value, new_value, status, account, external_id, decision_date,
        decision_id, closed_at
    )
    select
        d.segment_id, d.channel, 'budget_increase', 50, 55,
        case when d.decision_date = lead_today() then 'pending' else 'success' end, c.account, c.external_id,
        d.decision_date, d.id, case when d.decision_date < lead_today() then now() end
    from budget_decisions as d
    join channel_sources as c on d.segment_id = c.segment_id
    where d.action = 'increase' and (d.decision_date < lead_today() or c.external_id::integer % 20 = 7)
    """,
    f"""
    insert into channel_fetches (channel, account, date_from, date_to, row_count, fetched_at)
    select channel, account, day::date - 3, day::date - 1, {SEGMENTS}, day + interval '6 hours'
    from generate_series(lead_today() - {DAYS}, lead_today(), interval '1 day') as day,
        (
            select 'leads', 'leads_db'
            union all select 'partner_capacity', 'leads_db'
            union all select 'google_ads', (1234567880 + n)::text from generate_series(1, 20) as n
        ) as fetched (channel, account)
    """,
]


def fill(database: LeadsDatabase, statements: list[str]) -> None:
    """As an owner who restores a dump: no trigger and no foreign key is asked."""
    with database.connect() as owner:
        owner.execute("set session_replication_role = replica")
        for statement in statements:
            owner.execute(statement)


@pytest.fixture(scope="module")
def grown(postgres_cluster: EmbeddedPostgres, leads_template: str) -> Iterator[LeadsDatabase]:
    name = "grown"
    postgres_cluster.create_database(name, template=leads_template)
    database = LeadsDatabase(name, postgres_cluster.url(name))
    for table in reversed(DAILY):  # what refers to another table comes first
        database.fetch(f"alter table {table} set unlogged")  # written in half the time; no plan depends on it
    fill(database, [SEGMENT_ROWS])
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda statements: fill(database, statements), [METRICS_AND_LEADS, OTHERS]))
    database.fetch("analyze")
    yield database
    drop_database(postgres_cluster, name)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def whole_reads(plan: dict[str, Any]) -> list[str]:
    """The steps of a plan that read a growing table, or one of its indexes, from end to end."""
    found = []
    for node in nodes(plan):
        kind, table = node["Node Type"], node.get("Relation Name")
        if table in DAILY and (kind == "Seq Scan" or (kind.startswith("Index") and "Index Cond" not in node)):
            found.append(f"{kind} of {table} {node.get('Filter', '')}")
        elif kind == "Bitmap Index Scan" and "Index Cond" not in node and node["Index Name"] not in SMALL:
            found.append(f"{kind} of {node['Index Name']}")
    return found


PLANNED = sorted(name for name in STATEMENTS if "/create_" not in name)
WITH_WINDOW = [name for name in PLANNED if "%(first)s" in sql.render(name) or "%(last)s" in sql.render(name)]


@pytest.mark.parametrize(
    ("name", "days"),
    [
        *((name, 1) for name in PLANNED),
        *((name, 30) for name in WITH_WINDOW),
        ("lead_budgets/select_history.sql", PlannerSettings().window_days),
    ],
    ids=str,
)
def test_every_table_that_grows_is_read_by_an_index(grown: LeadsDatabase, name: str, days: int) -> None:
    text = sql.render(name)
    with psycopg.connect(grown.pipeline_url, row_factory=dict_row, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("set local max_parallel_workers_per_gather = 0")  # their reading is counted elsewhere
        values = prepare(
            connection,
            STATEMENTS[name],
            window(connection.execute("select lead_today()").fetchone()["lead_today"], days),
        )
        (planned,) = connection.execute(f"explain (format json) {text}", values).fetchone().values()
        assert whole_reads(planned[0]["Plan"]) == []

        counted = "select relname, seq_scan, coalesce(idx_tup_fetch, 0) as fetched from pg_stat_xact_user_tables"
        before = {row["relname"]: row for row in connection.execute(counted)}
        connection.execute(text, values)
        after = {row["relname"]: row for row in connection.execute(counted)}
        connection.rollback()

    rows = {row["relname"]: row["n"] for row in grown.fetch("select relname, reltuples as n from pg_class")}
    for table, held in DAILY.items():
        assert after[table]["seq_scan"] == before[table]["seq_scan"], f"{table} was read whole"
        fetched = after[table]["fetched"] - before[table]["fetched"]
        assert fetched <= STATEMENTS[name].times * rows[table] * (days + LOOKS_BACK) / held, (
            f"{table}: {fetched:.0f} rows were read"
        )


@pytest.mark.parametrize("function", ["update_lead_gaps", "update_lead_gap", "calculate_lead_gap"])
def test_the_functions_are_planned_without_their_arguments(grown: LeadsDatabase, function: str) -> None:
    """Before PostgreSQL 18 a function's statements have one plan for all arguments."""
    body, arguments = grown.fetch(
        "select prosrc, pg_get_function_identity_arguments(oid) as names from pg_proc where proname = %s", [function]
    )[0].values()
    names, types = zip(*(argument.split() for argument in arguments.split(", ")), strict=True)
    for place, name in enumerate(names, 1):
        if name.startswith("p_"):  # the others are named like columns, and only ever said as $1 and $2
            body = body.replace(name, f"${place}")
    given = {"date": "lead_today() - 1", "uuid": "gen_random_uuid()"}
    with psycopg.connect(grown.pipeline_url, row_factory=dict_row) as connection:
        connection.execute("set local plan_cache_mode = force_generic_plan")
        for number, statement in enumerate(part for part in body.split(";") if part.strip()):
            connection.execute(f"prepare s{number} ({', '.join(types)}) as {statement}")
            call = f"execute s{number} ({', '.join(given[kind] for kind in types)})"
            (planned,) = connection.execute(f"explain (format json) {call}").fetchone().values()
            assert whole_reads(planned[0]["Plan"]) == []
        connection.rollback()
