"""The month's budget: what is short is taken where a euro brings the fewest leads that partners can take."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from lead_demand.planner.planner import LeadDemandPlanner
from lead_demand.planner.reasons import Reason
from lead_demand.planner.settings import PlannerSettings
from tests.planner.frames import TODAY, both, history, segment

Segment = tuple[pd.DataFrame, pd.DataFrame]


def plan(room: float | str | None, *pairs: Segment, **settings: Any) -> Any:
    month = None if room is None else Decimal(str(room))
    made = LeadDemandPlanner(PlannerSettings(month_room=month, **settings))
    return made.plan(*both(*pairs), TODAY).set_index("segment_id")


def dear(**columns: Any) -> Segment:
    """The same leads as the others for twice the money, and partners who would take more."""
    spend = {"google_ads_spend": Decimal(160), "google_ads_budget": Decimal(160), "capacity_total_leads": 5}
    limits = {"current_budget": Decimal(160), "max_daily_budget": Decimal(400), "capacity_total_leads": 5}
    return history("dear", **spend), segment("dear", **limits | columns)


def cheap(**columns: Any) -> Segment:
    """Leads for half the money, and partners who would take more."""
    return history("cheap", capacity_total_leads=5), segment("cheap", **{"capacity_total_leads": 5} | columns)


def full(**columns: Any) -> Segment:
    """Leads at the same price, and a little more of them than partners take: nothing that is worth a change."""
    of_yesterday = history("full", capacity_total_leads=2.9)
    return of_yesterday, segment("full", **{"capacity_total_leads": 2.9} | columns)


def test_a_month_with_room_changes_nothing() -> None:
    pairs = dear(), cheap(), full()
    pd.testing.assert_frame_equal(plan(None, *pairs), plan(1000, *pairs))


def test_increases_share_the_room_and_wait_without_any() -> None:
    result = plan(0, dear(), cheap(), full())
    assert (result.action == "hold").all()
    assert all(Reason.MONTH_BUDGET in result.reasons[name] for name in ("dear", "cheap"))
    some = plan(40, dear(), cheap(), full())
    assert sum(some.new_budget) - 320 == 40


def test_what_is_left_goes_where_a_euro_brings_most() -> None:
    """The dear one lacks more leads, and gets what the cheap one leaves; a day's limit goes by the gap."""
    pairs = dear(capacity_total_leads=9), cheap()
    free = plan(None, *pairs).new_budget
    rise = free["cheap"] - 80
    assert rise > 0 and free["dear"] > 160
    month = plan(float(rise) + 4, *pairs)
    assert month.new_budget.to_dict() == {"dear": 164, "cheap": free["cheap"]}
    assert Reason.MONTH_BUDGET in month.reasons["dear"] and Reason.MONTH_BUDGET not in month.reasons["cheap"]
    day = plan(None, *pairs, max_daily_increase=free["dear"] - 160)
    assert day.new_budget.to_dict() == {"dear": free["dear"], "cheap": 80}


def test_what_partners_cannot_take_goes_first_then_where_leads_are_dear() -> None:
    little = plan(-10, dear(), cheap(), full())
    assert little.new_budget.to_dict() == {"dear": 160, "cheap": 80, "full": 70}
    more = plan(-40, dear(), cheap(), full())
    assert more.new_budget.to_dict() == {"dear": 144, "cheap": 80, "full": 56}
    most = plan(-1000, dear(), cheap(), full())
    assert most.new_budget.to_dict() == {"dear": 112, "cheap": 56, "full": 56}


def test_a_campaign_that_its_budget_does_not_limit_gives_before_one_that_it_does() -> None:
    result = plan(-20, dear(), cheap(budget_limited=False))
    assert result.new_budget.to_dict() == {"dear": 160, "cheap": 60}


def test_what_goes_down_anyway_counts() -> None:
    leaving = history("left", capacity_total_leads=3), segment("left", capacity_total_leads=0)
    assert plan(None, leaving).new_budget["left"] == 56
    result = plan(-24, leaving, cheap())
    assert result.new_budget.to_dict() == {"left": 56, "cheap": 80}
    assert Reason.MONTH_BUDGET not in result.reasons["left"]


def test_no_budget_is_touched_for_a_cent() -> None:
    result = plan("-0.01", dear(), cheap(), full())
    assert result.new_budget.to_dict() == {"dear": 160, "cheap": 80, "full": Decimal("73.6")}


def test_the_month_does_not_wait_for_a_cool_down_and_the_sentence_says_why() -> None:
    row = plan(-10, full(last_change_date=TODAY, cooldown_days=7)).loc["full"]
    assert (row.action, row.new_budget) == ("decrease", 70)
    assert row.reasons == [Reason.MONTH_BUDGET]
    assert "€80 → €70 (−12%, the month's budget)" in row.sentence
    assert "unless capacity moves, the month is short" in row.sentence


@pytest.mark.parametrize(
    "stopped",
    [
        {"blocks": ["foreign_edit"]},
        {"blocks": ["shared_budget"]},
        {"current_budget": None},
        {"current_budget": None, "max_daily_budget": None},
    ],
)
def test_what_is_stopped_or_unknown_costs_the_others_nothing_that_the_month_does_not_lack(
    stopped: dict[str, Any],
) -> None:
    assert plan(-10, dear(**stopped), cheap(), full()).new_budget[["cheap", "full"]].tolist() == [80, 70]
    rest = plan(0, dear(**stopped), cheap(), full())
    assert rest.action[["cheap", "full"]].tolist() == ["hold", "hold"]
    everything = plan(-1000, dear(**stopped))
    assert everything.action["dear"] == "hold"


def test_a_sum_that_is_not_known_is_named_whatever_the_month_says() -> None:
    unknown = dear(current_budget=None, max_daily_budget=None)
    row = plan(1000, unknown, cheap(), total_daily_cap=Decimal(1000)).loc["cheap"]
    assert Reason.TOTAL_BUDGET_UNKNOWN in row.reasons and row.is_blocked


def test_a_month_that_is_short_lowers_nothing_where_there_is_nothing() -> None:
    assert plan(-10, (history(), segment().iloc[:0])).empty
    assert plan(-10, (history().iloc[:0], segment())).action["a"] == "hold"


def test_a_budget_above_its_cap_that_the_month_lowers_ends_at_the_cap_although_it_cools_down() -> None:
    above = full(max_daily_budget=60, last_change_date=TODAY - dt.timedelta(days=1))
    assert plan(None, above).loc["full"].new_budget == 80
    assert plan("-0.01", above).loc["full"].new_budget == 60
