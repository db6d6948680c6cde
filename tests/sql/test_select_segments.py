"""What the planner is told of a segment that has several campaigns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lead_demand.database import sql
from tests.fixtures.postgres import LeadsDatabase
from tests.sql.statements import UNKNOWN

KEY = {"channel": "google_ads", "dag_run_id": "a run"}
VALUES = {"is_complete": True, "kill_switch": False, "currency": "EUR", "time_zone": "Europe/Amsterdam"} | UNKNOWN
SOURCE = """
insert into channel_sources (channel, account, external_id, segment_id)
values ('google_ads', '1234567890', %(campaign)s, %(segment)s)
"""
BUDGET = """
insert into channel_budgets (
    channel, account, campaign_id, budget_id, amount, campaigns_on_budget, is_budget_limited, is_learning, is_serving,
    currency, time_zone, changed_at, changed_by, budget_lost_share, recommended_budget, dag_run_id
)
values (
    'google_ads', '1234567890', %(campaign)s, %(campaign)s, 50, 1, %(limited)s, false, %(serving)s, 'EUR',
    'Europe/Amsterdam', now() - %(hours)s * interval '1 hour', %(by)s, %(lost)s, %(recommended)s,
    'a run'
)
"""


def told(db: LeadsDatabase, *campaigns: dict[str, Any]) -> dict[str, Any]:
    """The segment's row, given what was read of each of its campaigns."""
    segment = db.add_segment()
    for number, campaign in enumerate(campaigns):
        row = {"limited": True, "serving": True, **dict.fromkeys(("hours", "by", "lost", "recommended"))} | campaign
        for statement in (SOURCE, BUDGET):
            db.fetch(statement, {**row, "campaign": str(number), "segment": segment})
    (answer,) = db.fetch(sql.render("lead_budgets/select_segments.sql"), KEY | VALUES, role="lead_pipeline")
    return answer


@pytest.mark.parametrize(
    ("campaigns", "limited"),
    [
        ([True, False], True),
        ([False, False], False),
        ([None, False], None),
        ([True, None], None),
        ([None, None], None),
    ],
)
def test_whether_the_budget_limits_is_known_only_when_it_is_of_every_campaign(
    leads_db: LeadsDatabase, campaigns: list[bool | None], limited: bool | None
) -> None:
    assert told(leads_db, *({"limited": each} for each in campaigns))["budget_limited"] is limited


def test_a_paused_campaign_is_not_asked_whether_its_budget_limits_it(leads_db: LeadsDatabase) -> None:
    assert told(leads_db, {"limited": True}, {"limited": None, "serving": False})["budget_limited"] is True


def test_the_latest_change_is_said_of_who_made_it(leads_db: LeadsDatabase) -> None:
    row = told(leads_db, {"hours": 9, "by": "zoe@example.com"}, {"hours": 2, "by": "anna@example.com"}, {})
    assert row["budget_changed_by"] == "anna@example.com"


@pytest.mark.parametrize(
    ("campaigns", "limited"),
    [([True, True, False], 100), ([True, True, True], 150), ([False, False, False], None)],
)
def test_how_much_of_the_budget_limits_is_told_beside_the_whole(
    leads_db: LeadsDatabase, campaigns: list[bool], limited: int | None
) -> None:
    row = told(leads_db, *({"limited": each} for each in campaigns))
    assert (row["current_budget"], row["limited_budget"]) == (150, limited)


def test_where_no_campaign_serves_nothing_is_in_force_and_nothing_limits(leads_db: LeadsDatabase) -> None:
    row = told(leads_db, {"limited": None, "serving": False}, {"limited": True, "serving": False})
    assert (row["current_budget"], row["budget_limited"]) == (0, False)


@pytest.mark.parametrize(
    ("lost", "of_segment"),
    [(["0.004", "0.23"], "0.23"), (["0.004", None], None), ([None, None], None), (["0", "0"], "0")],
)
def test_the_campaign_that_lost_most_speaks_for_the_segment_once_all_have_said(
    leads_db: LeadsDatabase, lost: list[str | None], of_segment: str | None
) -> None:
    found = told(leads_db, *({"lost": each} for each in lost))["budget_lost_share"]
    assert found == (of_segment and Decimal(of_segment))


@pytest.mark.parametrize(
    ("recommended", "of_segment"), [([60, 80], 140), ([60, None], None), ([None, None], None), ([60], 60)]
)
def test_a_recommendation_for_a_part_of_the_budgets_is_none_for_the_segment(
    leads_db: LeadsDatabase, recommended: list[int | None], of_segment: int | None
) -> None:
    assert told(leads_db, *({"recommended": each} for each in recommended))["recommended_budget"] == of_segment


def test_what_is_said_of_a_paused_campaign_does_not_count(leads_db: LeadsDatabase) -> None:
    row = told(leads_db, {"lost": "0.02", "recommended": 60}, {"lost": "0.9", "recommended": None, "serving": False})
    assert (row["budget_lost_share"], row["recommended_budget"]) == (Decimal("0.02"), 60)
