"""Two runs of lead_stats at once over overlapping days: no deadlock, and the rows that one run would leave."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from lead_demand.database import sql
from local.embedded_postgres import EmbeddedPostgres
from tests.fixtures.findings import BOUND
from tests.fixtures.postgres import LeadsDatabase, drop_database
from tests.fixtures.steps import execute_step
from tests.sql.statements import ACCOUNT, CHANNEL, FINDING, PULLED, RUN

ROUNDS = 6
# Each in a transaction of its own, in the order of the DAG.
STEPS = (
    "lead_stats/update_leads.sql",
    "lead_stats/upsert_channel_metrics.sql",
    "findings/upsert_pipeline_findings.sql",
    "lead_stats/upsert_channel_metrics_leads.sql",
    "lead_stats/upsert_channel_metrics_partner_capacity.sql",
    "lead_stats/insert_pipeline_findings_capacity.sql",
    "lead_stats/upsert_channel_totals_leads.sql",
    "lead_stats/upsert_channel_totals_partner_capacity.sql",
    "lead_stats/update_channel_metrics.sql",
    "lead_stats/update_channel_totals.sql",
    "lead_stats/upsert_lead_generation_stats.sql",
    "lead_stats/insert_pipeline_findings_sums.sql",
    "lead_stats/insert_pipeline_findings.sql",
    "lead_stats/insert_pipeline_findings_leads.sql",
    "lead_stats/insert_pipeline_findings_partners.sql",
    "lead_stats/insert_pipeline_findings_sources.sql",
    "lead_stats/insert_pipeline_findings_silent_days.sql",
    "lead_stats/update_lead_segment_plans.sql",
    "lead_stats/update_budget_decisions.sql",
)
# So that every row of every step has to be written again; half of them are gone, the other half are wrong.
SPOIL = """
update leads set segment_id = null;
delete from channel_metrics where channel <> 'partner_capacity' and extract(day from date)::int % 2 = 0;
update channel_metrics set spend = 1 where channel = 'google_ads';
update channel_metrics set leads_by_source = '{}' where channel = 'leads';
update channel_metrics set capacity_partners = 99 where channel = 'partner_capacity' and date = lead_today() - 1;
delete from lead_generation_stats where extract(day from date)::int % 2 = 0;
update lead_generation_stats set google_ads_spend = 0.5;
update lead_segment_plans set lead_gap = null;
update budget_decisions set realised_leads_7d = 0, realised_leads_14d = 0;
delete from channel_totals;
delete from pipeline_findings
"""
LEFT = """
select md5(string_agg(t::text, ',' order by t::text)) from (
    select to_jsonb(m) - '{created_at,updated_at}'::text[] from channel_metrics as m
    where date between %(first)s and %(last)s
    union all
    select to_jsonb(s) - '{created_at,updated_at}'::text[] from lead_generation_stats as s
    where date between %(first)s and %(last)s
    union all
    select to_jsonb(p) - '{updated_at}'::text[] from lead_segment_plans as p
    union all
    select to_jsonb(d) from budget_decisions as d
    union all
    select jsonb_build_array(name, segment_id, channel, date, subject, detail, resolved_at is null)
    from pipeline_findings
    union all
    select to_jsonb(t) - '{id,created_at,updated_at,checked_at}'::text[] from channel_totals as t
    where date between %(first)s and %(last)s
    union all
    select jsonb_build_array(id, segment_id) from leads
) as t
"""


@pytest.fixture(scope="module")
def db(postgres_cluster: EmbeddedPostgres, morning_template: str) -> Iterator[LeadsDatabase]:
    postgres_cluster.create_database("overlap", template=morning_template)
    database = LeadsDatabase("overlap", postgres_cluster.url("overlap"))
    database.restore(
        "insert into budget_decisions (segment_id, decision_date, action) "
        "select id, lead_today() - days, 'hold' from lead_segments, generate_series(7, 40) as days"
    )
    yield database
    drop_database(postgres_cluster, "overlap")


def run(connection: psycopg.Connection[Any], step: str, first: date, last: date) -> None:
    findings = [
        {**FINDING, "date": str(first + timedelta(days=n)), "subject": f"{ACCOUNT}/{campaign}"}
        for n in range((last - first).days + 1)
        for campaign in range(20)
    ]
    if first.day % 2:
        findings.reverse()
    values = {"first": first, "last": last, "dag_run_id": RUN, "channel": CHANNEL, "account": ACCOUNT} | BOUND
    if step.endswith("upsert_channel_metrics.sql"):
        connection.execute(sql.render("lead_stats/create_pulled_metrics.sql"))
        connection.execute(PULLED, values)
    checked = [
        {"name": FINDING["name"], "channel": CHANNEL, "account": ACCOUNT, "first": str(first), "last": str(last)}
    ]
    execute_step(connection, step, values | {"findings": Jsonb(findings), "checked": Jsonb(checked)})
    connection.commit()


def test_overlapping_windows_in_opposite_order_never_deadlock_and_leave_what_one_run_leaves(db: LeadsDatabase) -> None:
    last = db.value("select lead_today()") - timedelta(days=1)
    whole = (last - timedelta(days=44), last)
    windows = [(whole[0], last - timedelta(days=10)), (last - timedelta(days=34), last)]
    everything = dict(zip(("first", "last"), whole, strict=True))

    def spoil() -> None:
        for statement in SPOIL.split(";"):
            db.fetch(statement)

    spoil()
    with psycopg.connect(db.pipeline_url) as connection:
        for step in STEPS:
            for window in windows:
                run(connection, step, *window)
    expected = db.value(LEFT, everything)
    spoil()
    assert db.value(LEFT, everything) != expected

    with (
        ThreadPoolExecutor(2) as pool,
        psycopg.connect(db.pipeline_url) as one,
        psycopg.connect(db.pipeline_url) as two,
    ):
        for _ in range(ROUNDS):
            spoil()
            barrier = Barrier(2)

            def walk(connection: psycopg.Connection[Any], order: list[tuple[date, date]], barrier: Barrier) -> None:
                for step in STEPS:
                    for window in order:
                        barrier.wait(600)
                        run(connection, step, *window)

            walks = [pool.submit(walk, one, windows, barrier), pool.submit(walk, two, windows[::-1], barrier)]
            for walk_ in walks:
                walk_.result()
            assert db.value(LEFT, everything) == expected


def test_a_finding_that_a_later_run_was_first_to_write_is_seen_again(db: LeadsDatabase) -> None:
    """The earlier transaction's time lies before the row's first_seen."""
    findings = {"findings": Jsonb([{**FINDING, "subject": "seen by both"}]), "checked": Jsonb([])}
    statement = sql.render("findings/upsert_pipeline_findings.sql")
    with psycopg.connect(db.pipeline_url) as early, psycopg.connect(db.pipeline_url) as late:
        early.execute("select now()")
        late.execute(statement, findings)
        late.commit()
        early.execute(statement, findings)
    (row,) = db.fetch("select first_seen, last_seen from pipeline_findings where subject = 'seen by both'")
    assert row["first_seen"] == row["last_seen"]
