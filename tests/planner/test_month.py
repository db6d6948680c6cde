"""The month's budget: what is short is taken where a euro brings the fewest leads that partners can take."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd

from lead_demand.planner import LeadDemandPlanner, PlannerSettings
from lead_demand.reasons import Reason
from tests.planner.frames import TODAY, both, history, segment


def plan(month_cap: int | None, *pairs: tuple[pd.DataFrame, pd.DataFrame]) -> Any:
    cap = None if month_cap is None else Decimal(month_cap)
    return LeadDemandPlanner(PlannerSettings(month_cap=cap)).plan(*both(*pairs), TODAY).set_index("segment_id")


def dear(**columns: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same leads as the others for twice the money, and partners who would take more."""
    spend = {"google_ads_spend": Decimal(160), "google_ads_budget": Decimal(160), "capacity_total_leads": 5}
    limits = {"current_budget": Decimal(160), "max_daily_budget": Decimal(400), "capacity_total_leads": 5}
    return history("dear", **spend), segment("dear", **limits | columns)


def cheap(**columns: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leads for half the money, and partners who would take more."""
    return history("cheap", capacity_total_leads=5), segment("cheap", **{"capacity_total_leads": 5} | columns)


def full(**columns: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leads at the same price, and a little more of them than partners take: nothing that is worth a change."""
    of_yesterday = history("full", capacity_total_leads=2.9)
    return of_yesterday, segment("full", **{"capacity_total_leads": 2.9} | columns)


def test_a_month_with_room_changes_nothing() -> None:
    pairs = dear(), cheap(), full()
    pd.testing.assert_frame_equal(plan(None, *pairs), plan(1000, *pairs))


def test_increases_wait_when_the_month_has_no_room_for_them() -> None:
    result = plan(320, dear(), cheap(), full())
    assert (result.action == "hold").all()
    assert all(Reason.MONTH_BUDGET in result.reasons[name] for name in ("dear", "cheap"))


def test_what_partners_cannot_take_goes_first_then_where_leads_are_dear() -> None:
    little = plan(310, dear(), cheap(), full())
    assert little.new_budget.to_dict() == {"dear": 160, "cheap": 80, "full": 70}
    more = plan(280, dear(), cheap(), full())
    assert more.new_budget.to_dict() == {"dear": 144, "cheap": 80, "full": 56}
    most = plan(0, dear(), cheap(), full())
    assert most.new_budget.to_dict() == {"dear": 112, "cheap": 56, "full": 56}


def test_a_campaign_that_its_budget_does_not_limit_gives_before_one_that_it_does() -> None:
    result = plan(220, dear(), cheap(budget_limited=False))
    assert result.new_budget.to_dict() == {"dear": 160, "cheap": 60}


def test_the_month_does_not_wait_for_a_cool_down_and_the_sentence_says_why() -> None:
    row = plan(70, full(last_change_date=TODAY, cooldown_days=7)).loc["full"]
    assert (row.action, row.new_budget) == ("decrease", 70)
    assert row.reasons == [Reason.MONTH_BUDGET]
    assert "€80 → €70" in row.sentence and "the month's budget" in row.sentence


def test_what_is_stopped_is_left_alone_and_the_others_give_for_it() -> None:
    result = plan(200, dear(blocks=["foreign_edit"]), cheap())
    assert result.new_budget.to_dict() == {"dear": 160, "cheap": 56}
    unknown = plan(0, dear(current_budget=None, max_daily_budget=None), cheap())
    assert unknown.action["cheap"] == "hold" and Reason.TOTAL_BUDGET_UNKNOWN in unknown.reasons["cheap"]
