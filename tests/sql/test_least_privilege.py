"""The pipeline's role holds what its statements need and nothing more: each right, taken away, breaks a statement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql as composed
from psycopg.rows import dict_row

from lead_demand.database import sql
from local.embedded_postgres import EmbeddedPostgres
from tests.fixtures.postgres import LeadsDatabase, drop_database
from tests.sql.statements import STATEMENTS, window

HELD = """
select distinct table_name as name, privilege_type as verb
from (
    select grantee, table_schema, table_name, privilege_type from information_schema.table_privileges
    union
    select grantee, table_schema, table_name, privilege_type from information_schema.column_privileges
) as granted
where table_schema = 'public' and grantee = 'lead_pipeline'
order by 1, 2
"""
# Values of statements that are planned, not run: their types come from where they stand.
ROW_VALUES = (
    "action_type budget_id status action since rows findings checked step log_id day changed_at changed_by"
    " decisions is_complete kill_switch currency time_zone advice statement_timeout lock_timeout"
    " not_steerable most_without_source lately most_unknown"
    " idle_timeout unit total_cap_words total_daily_cap max_daily_increase approval_threshold approve"
    " question_id asked chosen form responder_id responder_name responded_at limit changes until morning"
    " results differences tried claims outcomes seen segments"
    " refusals blocking code days sort group q branch region reason after_urgency after_weight after_code kind who"
    " after_day after_at after_id from to segment"
)
# A function is a black box to EXPLAIN, so this one is run.
RUN_FOR_REAL = {"lead_stats/update_lead_segment_plans.sql"}
# A temporary table of its own rows: its query is judged like any other statement.
COUNTED, QUERY = "lead_stats/create_counted_leads.sql", "on commit drop as"


@pytest.fixture(scope="module")
def database(postgres_cluster: EmbeddedPostgres, morning_template: str) -> Iterator[LeadsDatabase]:
    postgres_cluster.create_database("least_privilege", template=morning_template)
    yield LeadsDatabase("least_privilege", postgres_cluster.url("least_privilege"))
    drop_database(postgres_cluster, "least_privilege")


def refused(connection: psycopg.Connection[Any], values: dict[str, Any]) -> set[str]:
    """The statements that lead_pipeline may not run, as the server judges them when it plans them."""
    connection.execute("update lead_segment_plans set lead_gap = 999 where date = lead_today() - 1")
    connection.execute(sql.render(COUNTED), values)
    connection.execute("grant select on counted_leads to lead_pipeline")
    connection.execute("set local role lead_pipeline")
    created = {name for name in STATEMENTS if "/create_" in name and name != COUNTED}
    for name in created:
        connection.execute(sql.render(name))
    found = set()
    for name in STATEMENTS.keys() - created:
        query = sql.render(name).rpartition(QUERY)[2]
        try:
            with connection.transaction():
                connection.execute(("" if name in RUN_FOR_REAL else "explain ") + query, values)
        except psycopg.errors.InsufficientPrivilege:
            found.add(name)
    return found


def test_each_right_of_the_pipeline_is_needed_by_a_statement_and_none_is_missing(database: LeadsDatabase) -> None:
    with psycopg.connect(database.owner_url, row_factory=dict_row) as connection:
        held = connection.execute(HELD).fetchall()
        today = connection.execute("select lead_today() as today").fetchone()
        assert held and today
        values = dict.fromkeys(ROW_VALUES.split()) | window(today["today"], 1)
        connection.rollback()
        assert refused(connection, values) == set(), "a right is missing"
        connection.rollback()
        unneeded = []
        for right in held:
            connection.execute(
                composed.SQL("revoke {} on {} from lead_pipeline").format(
                    composed.SQL(right["verb"]), composed.Identifier("public", right["name"])
                )
            )
            if not refused(connection, values):
                unneeded.append((right["name"], right["verb"]))
            connection.rollback()
        assert unneeded == []
