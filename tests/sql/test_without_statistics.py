"""A database that knows nothing of its tables: after a major upgrade, a restore or a bulk load."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
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


@pytest.fixture(scope="module")
def never_analyzed(postgres_cluster: EmbeddedPostgres, leads_template: str) -> Iterator[LeadsDatabase]:
    name = "never_analyzed"
    postgres_cluster.create_database(name, template=leads_template)
    database = LeadsDatabase(name, postgres_cluster.url(name))
    for statement in COMPANY.split(";"):
        database.fetch(statement)
    yield database
    drop_database(postgres_cluster, name)


def compared_in_vain(plan: dict[str, Any]) -> int:
    """How many pairs of rows were looked at and found not to belong together."""
    own = plan.get("Rows Removed by Join Filter", 0) * plan["Actual Loops"]
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
