"""month_pace, and the same per segment and per branch: what the month has cost, may still cost and leaves, on whatever
day of the month it is.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.fixtures.claims import ACCOUNT, steer
from tests.fixtures.postgres import LeadsDatabase


@pytest.fixture
def segment(leads_db: LeadsDatabase) -> UUID:
    """A segment whose campaign may cost €50 per day; it was read since two months ago."""
    made = leads_db.add_segment()
    steer(leads_db, made)
    return made


def on(db: LeadsDatabase, today: date) -> None:
    """Let it be that day for everything that the database does."""
    db.fetch(
        "create or replace function public.lead_today() returns date language sql stable set search_path = ''"
        f" as $$ select date '{today}' $$"
    )


def spend(db: LeadsDatabase, segment: UUID, today: date, amount: Decimal | None = Decimal(50), days: int = 62) -> None:
    for age in range(1, days + 1):
        db.restore(
            "insert into lead_generation_stats (segment_id, date, google_ads_spend) values (%s, %s, %s)",
            [segment, today - timedelta(age), amount],
        )


def pace(db: LeadsDatabase, monthly_budget: int | None = 1520) -> dict[str, Any]:
    db.fetch("update orchestration_settings set monthly_budget = %s", [monthly_budget])
    (row,) = db.fetch("select * from month_pace", role="lead_pipeline")
    return row


@pytest.mark.parametrize(
    ("today", "gone", "left"),
    [
        (date(2026, 3, 1), 0, 31),
        (date(2026, 3, 20), 19, 12),
        (date(2026, 3, 31), 30, 1),
        (date(2028, 2, 29), 28, 1),
        (date(2026, 12, 31), 30, 1),
    ],
)
def test_on_any_day_budgets_that_never_changed_may_come_to_thirty_days_and_a_bit(
    leads_db: LeadsDatabase, segment: UUID, today: date, gone: int, left: int
) -> None:
    on(leads_db, today)
    spend(leads_db, segment, today)
    row = pace(leads_db)
    assert (row["month"], row["days_left"], row["spent"]) == (today.replace(day=1), left, 50 * gone)
    assert (row["assumed"], row["in_force"]) == (0, 50)
    # 30.4 budgets, or the days that are left where that is more; at most twice the budget on each of them.
    assert row["at_most"] == 50 * gone + min(100 * left, max(50 * left, 1520 - 50 * gone))
    assert row["projected"] == 50 * (gone + left)


@pytest.mark.parametrize("today", [date(2026, 3, 1), date(2026, 3, 17), date(2026, 3, 24), date(2026, 3, 31)])
@pytest.mark.parametrize("amount", [10, 50, 90])
@pytest.mark.parametrize("monthly_budget", [800, 1550, 1900, 4000])
def test_raised_to_its_cap_the_budgets_keep_the_month_and_lowered_to_it_they_cost_less(
    leads_db: LeadsDatabase, segment: UUID, today: date, amount: int, monthly_budget: int
) -> None:
    on(leads_db, today)
    spend(leads_db, segment, today, Decimal(amount))
    row = pace(leads_db, monthly_budget)
    leads_db.fetch("update channel_budgets set amount = %s", [row["total_cap"]])
    then = pace(leads_db, monthly_budget)
    if row["total_cap"] >= 50:
        assert then["at_most"] <= monthly_budget + Decimal("0.01")
    else:  # a cut is no larger than what it saves for certain; the next mornings cut what is left
        assert row["at_most"] > monthly_budget and then["at_most"] < row["at_most"]


def test_without_a_monthly_budget_there_is_no_cap(leads_db: LeadsDatabase, segment: UUID) -> None:
    assert pace(leads_db, None)["total_cap"] is None


def test_a_day_whose_spend_is_not_known_counts_as_the_budget_of_that_day(
    leads_db: LeadsDatabase, segment: UUID
) -> None:
    today = date(2026, 3, 20)
    on(leads_db, today)
    spend(leads_db, segment, today, Decimal(10))
    leads_db.restore("update lead_generation_stats set google_ads_spend = null where date = %s", [today - timedelta(2)])
    leads_db.restore("delete from lead_generation_stats where date = %s", [today - timedelta(3)])
    leads_db.restore(
        "insert into lead_segment_plans (segment_id, date, actual_daily_budget_google_ads) values (%s, %s, 30)",
        [segment, today - timedelta(3)],
    )
    row = pace(leads_db)
    assert (row["spent"], row["assumed"]) == (10 * 17, 50 + 30)
    assert row["projected"] == 170 + 80 + 10 * 12, "the pace is that of the days that are known"
    leads_db.fetch("update channel_budgets set is_serving = false")
    assert pace(leads_db)["assumed"] == 30, "a campaign that was paused had its budget all the same"


def test_a_segment_that_began_this_month_owes_nothing_for_the_days_before(
    leads_db: LeadsDatabase, segment: UUID
) -> None:
    today = date(2026, 3, 20)
    on(leads_db, today)
    spend(leads_db, segment, today, days=4)
    assert (pace(leads_db)["spent"], pace(leads_db)["assumed"]) == (200, 0)


def test_what_a_segment_spent_before_it_was_switched_off_stays_spent(leads_db: LeadsDatabase, segment: UUID) -> None:
    today = date(2026, 3, 20)
    on(leads_db, today)
    spend(leads_db, segment, today)
    leads_db.fetch("update lead_segments set is_active = false")
    row = pace(leads_db)
    assert (row["spent"], row["in_force"], row["at_most"]) == (950, 0, 950)
    assert row["total_cap"] == pytest.approx(Decimal(570) / Decimal("30.4"))


def test_a_budget_that_two_segments_share_is_counted_once(leads_db: LeadsDatabase, segment: UUID) -> None:
    other = leads_db.add_segment("dakdekker", "utrecht")
    leads_db.fetch(
        "insert into channel_sources (channel, account, external_id, segment_id) values ('google_ads', %s, '7', %s)",
        [ACCOUNT, other],
    )
    leads_db.fetch(
        "insert into channel_budgets (channel, account, campaign_id, budget_id, amount, campaigns_on_budget,"
        " is_learning, is_serving, currency, time_zone, dag_run_id) select channel, account, '7', budget_id, amount,"
        " 2, is_learning, is_serving, currency, time_zone, dag_run_id from channel_budgets",
        role="lead_pipeline",
    )
    assert pace(leads_db)["in_force"] == 50


FIGURES = ("spent", "assumed", "in_force", "projected", "at_most")


def levels(db: LeadsDatabase, level: str) -> list[dict[str, Any]]:
    return db.fetch("select * from month_pace_levels where level = %s", [level], role="lead_pipeline")


@pytest.mark.parametrize("today", [date(2026, 3, 1), date(2026, 3, 24), date(2028, 2, 29)])
@pytest.mark.parametrize("monthly_budget", [800, 1550, 4000])
def test_a_company_of_one_segment_is_as_far_as_its_segment_and_its_branch(
    leads_db: LeadsDatabase, segment: UUID, today: date, monthly_budget: int
) -> None:
    on(leads_db, today)
    spend(leads_db, segment, today)
    leads_db.fetch(
        "insert into lead_segment_channels (segment_id, channel, monthly_budget) values (%s, 'google_ads', %s)",
        [segment, monthly_budget],
    )
    leads_db.fetch(
        "insert into lead_branch_channels (branch, channel, monthly_budget) values ('schilder', 'google_ads', %s)",
        [monthly_budget],
    )
    row = pace(leads_db, monthly_budget)
    row["month_cap"] = row.pop("total_cap")
    (of_segment,) = leads_db.fetch("select * from month_pace_of_segments", role="service_role")
    (of_branch,) = leads_db.fetch("select * from month_pace_of_branches", role="service_role")
    assert of_segment == {"code": "schilder_utrecht"} | row
    assert of_branch == {"country": "NL", "branch": "schilder"} | row
    assert row["month_cap"] is not None


def test_segments_and_branches_add_up_to_all(leads_db: LeadsDatabase, segment: UUID) -> None:
    today = date(2026, 3, 20)
    on(leads_db, today)
    others = [leads_db.add_segment("schilder", "gelderland"), leads_db.add_segment("dakdekker", "utrecht")]
    for place, each in enumerate(others, 2):
        steer(leads_db, each, f"customers/{ACCOUNT}/campaignBudgets/{place}", 40 * place)
    for place, each in enumerate((segment, *others)):
        spend(leads_db, each, today, Decimal(10 + 7 * place))
    leads_db.restore(
        "delete from lead_generation_stats where date = %s and segment_id = %s", [today - timedelta(3), others[0]]
    )
    leads_db.fetch("update lead_segments set is_active = false where id = %s", [others[1]])
    all_together = pace(leads_db)
    for level, rows in (("segment", 3), ("branch", 2)):
        found = levels(leads_db, level)
        assert len(found) == rows
        assert {name: sum(row[name] for row in found) for name in FIGURES} == {
            name: all_together[name] for name in FIGURES
        }
    assert all_together["assumed"] == 80
    painters = next(row for row in levels(leads_db, "branch") if row["branch"] == "schilder")
    assert (painters["in_force"], painters["assumed"]) == (130, 80)


def test_a_limit_of_one_is_none_of_the_others(leads_db: LeadsDatabase, segment: UUID) -> None:
    other = leads_db.add_segment("dakdekker", "utrecht")
    leads_db.fetch(
        "insert into lead_segment_channels (segment_id, channel, monthly_budget) values (%s, 'google_ads', 900)",
        [segment],
    )
    leads_db.fetch(
        "insert into lead_branch_channels (branch, channel, monthly_budget) values ('dakdekker', 'google_ads', 5)"
    )
    limited = {
        row["segment_id"] or row["branch"]: row["monthly_budget"]
        for level in ("segment", "branch")
        for row in levels(leads_db, level)
    }
    assert limited == {segment: 900, other: None, "schilder": None, "dakdekker": 5}
    caps = {row["branch"]: row["month_cap"] for row in levels(leads_db, "branch")}
    assert caps["schilder"] is None and caps["dakdekker"] is not None
    assert pace(leads_db, None)["total_cap"] is None
