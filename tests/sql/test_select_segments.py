"""What the planner is told of a segment that has several campaigns."""

from __future__ import annotations

from typing import Any

import pytest

from lead_demand import sql
from tests.fixtures.postgres import LeadsDatabase

KEY = {"channel": "google_ads", "dag_run_id": "a run"}
VALUES = {"is_complete": True, "kill_switch": False, "currency": "EUR", "time_zone": "Europe/Amsterdam"}
SOURCE = """
insert into channel_sources (channel, account, external_id, segment_id)
values ('google_ads', '1234567890', %(campaign)s, %(segment)s)
"""
BUDGET = """
insert into channel_budgets (
    channel, account, campaign_id, budget_id, amount, campaigns_on_budget, is_budget_limited, is_learning, is_serving,
    currency, time_zone, changed_at, changed_by, dag_run_id
)
values (
    'google_ads', '1234567890', %(campaign)s, %(campaign)s, 50, 1, %(limited)s, false, %(serving)s, 'EUR',
    'Europe/Amsterdam', now() - %(hours)s * interval '1 hour', %(by)s, 'a run'
)
"""


def told(db: LeadsDatabase, *campaigns: dict[str, Any]) -> dict[str, Any]:
    """The segment's row, given what was read of each of its campaigns."""
    segment = db.add_segment()
    for number, campaign in enumerate(campaigns):
        row = {"limited": True, "serving": True, "hours": None, "by": None} | campaign
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
