"""month_pace: what the month has cost, may still cost and leaves, on whatever day of the month it is."""

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
    """A segment whose campaign may cost €50 a day; it was read since two months ago."""
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
            "insert into channel_metrics (segment_id, channel, account, date, spend)"
            " values (%s, 'google_ads', %s, %s, %s)",
            [segment, ACCOUNT, today - timedelta(age), amount],
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
    assert row["projected"] == 50 * gone + (50 * left if gone else 0)


def test_room_that_is_left_is_what_increases_may_still_cost(leads_db: LeadsDatabase, segment: UUID) -> None:
    on(leads_db, date(2026, 3, 20))
    spend(leads_db, segment, date(2026, 3, 20))
    assert pace(leads_db, 1550)["total_cap"] == 50, "950 spent and 600 that the budget may still cost"
    # Each euro more on the budget may cost 24 in the twelve days.
    assert pace(leads_db, 1550 + 240)["total_cap"] == 60
    # And each euro less saves twelve for certain.
    assert pace(leads_db, 1550 - 120)["total_cap"] == 40
    assert pace(leads_db, 100)["total_cap"] == 0
    assert pace(leads_db, None)["total_cap"] is None


def test_a_day_whose_spend_is_not_known_counts_as_its_budget(leads_db: LeadsDatabase, segment: UUID) -> None:
    today = date(2026, 3, 20)
    on(leads_db, today)
    spend(leads_db, segment, today, Decimal(10))
    leads_db.restore("update channel_metrics set spend = null where date = %s", [today - timedelta(2)])
    leads_db.restore("delete from channel_metrics where date = %s", [today - timedelta(3)])
    row = pace(leads_db)
    assert (row["spent"], row["assumed"]) == (10 * 17, 50 * 2)


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
    assert row["total_cap"] == ((Decimal(1520) - 950) / 24).quantize(row["total_cap"])


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
