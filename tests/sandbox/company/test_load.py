"""The loader: the company's books in a real Postgres, idempotent, and never over a person's edit."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sandbox.company.load import load
from tests.fixtures.postgres import LeadsDatabase
from tests.fixtures.sandbox import Sandbox

DAYS = 30
SEGMENT = "join public.lead_segments s on s.id = segment_id"


@pytest.fixture
def books(leads_db: LeadsDatabase, sandbox: Sandbox) -> Iterator[LeadsDatabase]:
    """A database into which the company was loaded once."""
    report = load(leads_db.owner_url, sandbox.control, DAYS)
    assert (report.segments, report.settings, report.plans) == (12, 1, 12 * DAYS)
    assert report.leads > 60 * DAYS and (report.last - report.first).days == DAYS - 1
    yield leads_db


def contents(db: LeadsDatabase) -> dict[str, list[dict[str, Any]]]:
    tables = ("lead_segments", "lead_segment_channels", "channel_sources", "orchestration_settings", "partners")
    tables += ("partner_capacity", "leads", "lead_segment_plans", "channel_metrics")
    return {table: db.fetch(f"select * from public.{table} order by 1, 2, 3") for table in tables}


def test_a_second_load_changes_nothing(books: LeadsDatabase, sandbox: Sandbox) -> None:
    before = contents(books)
    assert load(books.owner_url, sandbox.control, DAYS).changed == 0
    assert contents(books) == before


def test_a_later_load_adds_days_and_decisions(books: LeadsDatabase, sandbox: Sandbox) -> None:
    before = contents(books)
    books.fetch("delete from public.leads where created_at >= public.lead_today() - 2")
    books.fetch(
        "update public.leads set status = 'new', price = null, partner_id = null "
        "where created_at >= public.lead_today() - 8"
    )
    report = load(books.owner_url, sandbox.control, DAYS)
    assert report.leads > 0 and report.decisions > 0
    assert contents(books) == before


def test_what_a_person_edited_stays(books: LeadsDatabase, sandbox: Sandbox) -> None:
    for edit in (
        "update public.orchestration_settings set dry_run = true, total_daily_cap = 5",
        "update public.lead_segment_channels set max_daily_budget = 99, is_automated = false",
        "update public.channel_sources set is_active = false where channel = 'ga4'",
        "update public.partner_capacity set daily_leads = daily_leads + 7",
        "update public.lead_segment_plans set target_leads_per_day = 77, target_source = 'admin'",
        "update public.leads set status = 'invalid' where id = (select min(id) from public.leads)",
    ):
        books.fetch(edit)
    before = contents(books)
    assert load(books.owner_url, sandbox.control, DAYS).changed == 0
    assert contents(books) == before


def test_capacity_moves_with_the_world(books: LeadsDatabase, sandbox: Sandbox) -> None:
    """A partner whose figure is still the loader's own follows; here the world's is made to look newer."""
    before = contents(books)
    books.fetch("update public.partner_capacity set daily_leads = daily_leads + 1 where partner_id = 101")
    books.fetch("update sandbox.written_capacity set daily_leads = daily_leads + 1 where partner_id = 101")
    assert load(books.owner_url, sandbox.control, DAYS).capacities == 1
    assert contents(books) == before


def test_leads_look_like_a_companys(books: LeadsDatabase) -> None:
    (facts,) = books.fetch(
        """
        select
            count(*) filter (where source_channel is null)::float / count(*) as without_source,
            count(*) filter (where postal_code is null)::float / count(*) as without_code,
            count(*) filter (where region = 'Friesland') as elsewhere,
            bool_and(email like '%@example.invalid') as is_invented,
            bool_and(segment_id is null) as is_unattributed,
            bool_and(source_campaign_id is null or source_channel = 'google_ads') as campaigns_are_paid,
            bool_and((status = 'accepted') = (price is not null)) as accepted_are_priced,
            count(*) filter (where (created_at at time zone 'Europe/Amsterdam')::time > '23:00') as late,
            count(*) filter (where (created_at at time zone 'Europe/Amsterdam')::time < '01:00') as early,
            array_agg(distinct status order by status) as statuses
        from public.leads
        """
    )
    assert 0.01 < facts["without_source"] < 0.05 and 0.03 < facts["without_code"] < 0.1
    assert facts["elsewhere"] > 0 and facts["late"] > 0 and facts["early"] > 0
    assert facts["statuses"] == ["accepted", "new", "rejected"]
    for name in ("is_invented", "is_unattributed", "campaigns_are_paid", "accepted_are_priced"):
        assert facts[name] is True, name


def test_days_are_those_of_amsterdam_and_decisions_come_later(books: LeadsDatabase, sandbox: Sandbox) -> None:
    rows = books.fetch(
        """
        select (created_at at time zone 'Europe/Amsterdam')::date as day, count(*) as leads,
            count(*) filter (where status = 'new') as new
        from public.leads group by 1 order by 1 desc
        """
    )
    today = sandbox.today()
    assert [row["day"] for row in rows] == [today - timedelta(days=n) for n in range(1, DAYS + 1)]
    for row in rows[::10]:
        assert row["leads"] == len(sandbox.company(row["day"], row["day"])["leads"]["id"])
    assert rows[0]["new"] == rows[0]["leads"]
    assert 0 < rows[2]["new"] < rows[2]["leads"]
    assert rows[8]["new"] == 0


def test_what_the_segments_are_given(books: LeadsDatabase) -> None:
    limits = books.fetch(f"select s.code, c.* from public.lead_segment_channels c {SEGMENT} order by 1")
    assert len(limits) == 11 and "stukadoor_utrecht" not in {row["code"] for row in limits}
    for row in limits:
        assert row["min_daily_budget"] < row["max_daily_budget"] and row["is_automated"]
        assert (row["max_increase_pct"], row["max_decrease_pct"], row["cooldown_days"]) == (20, 30, 3)
    two = books.value(
        f"select count(*) from public.channel_sources {SEGMENT} "
        "where channel = 'google_ads' and code = 'schilder_zuid_holland'"
    )
    assert two == 2
    assert not books.fetch("select from public.channel_sources where external_id = '20000001013'")
    settings = books.fetch("select * from public.orchestration_settings")[0]
    assert not settings["dry_run"] and not settings["kill_switch"]
    assert (settings["max_daily_increase"], settings["approval_threshold"]) == (150, 75)


def test_plans_and_capacity_of_past_mornings(books: LeadsDatabase, sandbox: Sandbox) -> None:
    yesterday = sandbox.today() - timedelta(days=1)
    plans = {
        row["code"]: row
        for row in books.fetch(
            f"select s.code, p.* from public.lead_segment_plans p {SEGMENT} where date = %s", [yesterday]
        )
    }
    brabant, unknown, unpaid = (
        plans[c] for c in ("schilder_noord_brabant", "stukadoor_noord_brabant", "stukadoor_utrecht")
    )
    assert (brabant["target_leads_per_day"], brabant["actual_daily_budget_google_ads"]) == (16, 110)
    assert {plan["orchestration_status"] for plan in plans.values()} == {"dry_run"}
    assert unknown["target_leads_per_day"] is None and unknown["actual_daily_budget_google_ads"] == 70
    assert unpaid["target_leads_per_day"] == 6 and unpaid["actual_daily_budget_google_ads"] is None
    edited = books.fetch(
        f"select distinct actual_daily_budget_google_ads as euros from public.lead_segment_plans {SEGMENT} "
        "where code = 'dakdekker_noord_holland' order by 1"
    )
    assert [row["euros"] for row in edited] == [120, 130]
    assert books.value("select max(date) from public.lead_segment_plans") == yesterday
    capacity = books.fetch(
        f"select s.code, max(date) as last from public.channel_metrics {SEGMENT} "
        "where channel = 'partner_capacity' group by 1"
    )
    assert len(capacity) == 11 and {row["last"] for row in capacity} == {yesterday - timedelta(days=1)}


def test_the_pipeline_may_read_what_partners_take(books: LeadsDatabase) -> None:
    total = books.value(
        """
        select sum(capacity.daily_leads) from public.partner_capacity as capacity
        join public.partners on partners.id = capacity.partner_id
        where partners.branch = 'schilder' and partners.region = 'Noord-Brabant'
        """,
        role="lead_pipeline",
    )
    assert total == 12
    known = books.fetch("select distinct branch, region from public.partner_capacity")
    assert len(known) == 11
