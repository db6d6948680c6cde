"""A database that knows nothing of its tables: after a major upgrade, a restore or a bulk load."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from lead_demand.database import sql
from lead_demand.runs.day import today
from local.embedded_postgres import EmbeddedPostgres
from tests.fixtures.postgres import LeadsDatabase, drop_database

SEGMENTS, LEADS = 1000, 20_000
# Of the two halves of the leads one is placed by its region, the other by its postal code.
COMPANY = f"""
alter table leads set (autovacuum_enabled = false);
alter table lead_segments set (autovacuum_enabled = false);
alter table channel_orchestration_log set (autovacuum_enabled = false);
insert into lead_segments (code, branch, region, postal_prefixes)
select 'b' || n / 50 || '_r' || n % 50, 'b' || n / 50, 'r' || n % 50, array[(1000 + n % 50)::text]
from generate_series(0, {SEGMENTS} - 1) as n;
insert into leads (created_at, status, branch, region, postal_code)
select
    now() - interval '2 days', 'new', 'b' || n % {SEGMENTS} / 50,
    case when n % 2 = 0 then 'r' || n % {SEGMENTS} % 50 else 'elsewhere' end,
    case when n % 2 = 1 then (1000 + n % {SEGMENTS} % 50)::text || ' AB' end
from generate_series(0, {LEADS} - 1) as n
"""

# An increase of each segment, decided and claimed.
CLAIMS = """
insert into lead_segment_channels (
    segment_id, channel, min_daily_budget, max_daily_budget, max_increase_pct, max_decrease_pct, cooldown_days,
    is_automated
)
select id, 'google_ads', 10, 80, 20, 20, 1, true from lead_segments;
insert into channel_sources (channel, account, external_id, segment_id)
select 'google_ads', '1234567890', row_number() over (order by code), id from lead_segments;
insert into channel_budgets (
    channel, account, campaign_id, budget_id, amount, campaigns_on_budget, is_learning, is_serving, currency, time_zone,
    dag_run_id
)
select
    'google_ads', '1234567890', external_id, external_id, 50, 1, false, true, 'EUR', 'Europe/Amsterdam', 'run'
from channel_sources;
insert into budget_decisions (
    segment_id, channel, decision_date, action, old_budget, new_budget, is_dry_run, is_blocked
)
select id, 'google_ads', lead_today(), 'increase', 50, 60, false, false from lead_segments;
insert into channel_orchestration_log (
    segment_id, channel, action_type, old_value, new_value, status, account, external_id, decision_date, kind,
    decision_id
)
select
    decisions.segment_id, 'google_ads', 'budget_increase', 50, 60, 'pending', '1234567890', sources.external_id,
    lead_today(), 'plan', decisions.id
from budget_decisions as decisions inner join channel_sources as sources on decisions.segment_id = sources.segment_id
"""
LIMITS = {
    "channel": "google_ads",
    "unit": Decimal("0.01"),
    "total_cap_words": "total_daily_cap",
    "total_daily_cap": Decimal(100_000),
    "max_daily_increase": Decimal(100_000),
    "approval_threshold": Decimal(50),
    "approve": "Approve",
}


@pytest.fixture(scope="module")
def never_analyzed(postgres_cluster: EmbeddedPostgres, leads_template: str) -> Iterator[LeadsDatabase]:
    name = "never_analyzed"
    postgres_cluster.create_database(name, template=leads_template)
    database = LeadsDatabase(name, postgres_cluster.url(name))
    with database.connect() as owner:
        owner.execute("set session_replication_role = replica")
        for statement in (*COMPANY.split(";"), *CLAIMS.split(";")):
            owner.execute(statement)
    yield database
    drop_database(postgres_cluster, name)


def compared_in_vain(plan: dict[str, Any]) -> int:
    """How many rows, or pairs of rows, were looked at once per row of something else, and in vain."""
    vain = ("Rows Removed by Join Filter", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    loops = plan["Actual Loops"]
    own = loops * sum(plan.get(name, 0) for name in vain) if loops > 1 or vain[0] in plan else 0
    return int(own) + sum(compared_in_vain(below) for below in plan.get("Plans", ()))


def test_a_lead_is_not_compared_with_every_segment(never_analyzed: LeadsDatabase) -> None:
    values = {"first": today() - timedelta(4), "last": today()}
    with psycopg.connect(never_analyzed.pipeline_url, cursor_factory=psycopg.ClientCursor) as connection:
        sql.join_whole_sets(connection)
        explain = f"explain (analyze, format json) {sql.render('lead_stats/update_leads.sql')}"
        (planned,) = connection.execute(explain, values).fetchall()[0][0]
    assert never_analyzed.value("select count(*) from leads where segment_id is not null") == LEADS
    assert never_analyzed.value("select reltuples from pg_class where relname = 'leads'") == -1
    assert compared_in_vain(planned["Plan"]) < LEADS


def test_an_open_change_is_not_compared_with_every_other(never_analyzed: LeadsDatabase) -> None:
    with psycopg.connect(never_analyzed.pipeline_url, cursor_factory=psycopg.ClientCursor) as connection:
        sql.join_whole_sets(connection)
        statement = sql.render("lead_budgets/select_sendable.sql")
        assert [row[1] for row in connection.execute(statement, LIMITS).fetchall()] == [None] * SEGMENTS
        (planned,) = connection.execute(f"explain (analyze, format json) {statement}", LIMITS).fetchall()[0][0]
    assert never_analyzed.value("select reltuples from pg_class where relname = 'channel_orchestration_log'") == -1
    assert compared_in_vain(planned["Plan"]) < 20 * SEGMENTS, "each has nine checks, most of which hold"
