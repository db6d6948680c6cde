"""The months' budgets of single segments and of branches: each binds its own, and no other segment."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead_demand.planner.planner import LeadDemandPlanner
from lead_demand.planner.reasons import Reason
from lead_demand.planner.settings import PlannerSettings
from tests.planner.frames import TODAY, both, companies, euros, history, segment

PAINT, ROOF = ("NL", "schilder"), ("NL", "dakdekker")
Company = tuple[pd.DataFrame, pd.DataFrame]


def plan(company: Company, months: Mapping[tuple[str, str], Any] | None = None, **changes: Any) -> pd.DataFrame:
    rooms = {branch: Decimal(str(room)) for branch, room in (months or {}).items()}
    planner = LeadDemandPlanner(PlannerSettings(branch_month_room=rooms, **changes))
    return planner.plan(*company, TODAY).set_index("segment_id")


def one(segment_id: str, branch: tuple[str, str] = PAINT, cost: int = 80, wants: float = 5, **columns: Any) -> Company:
    """A segment that brings 3 paid leads per day for `cost`, and whose partners take `wants` accepted ones."""
    of_days = {"google_ads_spend": Decimal(cost), "google_ads_budget": Decimal(cost), "capacity_total_leads": wants}
    row = {"current_budget": Decimal(cost), "max_daily_budget": Decimal(400), "capacity_total_leads": wants}
    country, name = branch
    return history(segment_id, **of_days), segment(segment_id, **row, country=country, branch=name, **columns)


class TestOfASegment:
    def test_what_its_month_leaves_is_its_cap(self) -> None:
        free = plan(both(one("a"), one("b")))
        assert free.new_budget.to_dict() == {"a": 96, "b": 96}
        result = plan(both(one("a", month_cap=Decimal(90)), one("b")))
        assert result.new_budget.to_dict() == {"a": 90, "b": 96}
        assert Reason.SEGMENT_MONTH_BUDGET in result.reasons["a"]
        assert "the month's budget of the segment" in result.sentence["a"]
        assert not {Reason.MONTH_BUDGET, Reason.SEGMENT_MONTH_BUDGET} & set(result.reasons["b"])

    def test_the_lower_of_cap_and_month_binds(self) -> None:
        limits = {"month_cap": Decimal(0), "min_daily_budget": Decimal(70)}
        result = plan(both(one("a", month_cap=Decimal(300)), one("b", **limits)))
        assert result.new_budget.to_dict() == {"a": 96, "b": 70}, "a floor is kept"
        assert Reason.SEGMENT_MONTH_BUDGET not in result.reasons["a"]

    def test_a_month_that_is_short_lowers_it_whatever_its_cool_down(self) -> None:
        result = plan(both(one("a", month_cap=Decimal(70), last_change_date=TODAY, cooldown_days=7), one("b")))
        assert result.new_budget.to_dict() == {"a": 70, "b": 96}
        assert result.reasons["a"] == [Reason.SEGMENT_MONTH_BUDGET, Reason.BELOW_CAPACITY]
        assert "−12%, the month's budget of the segment" in result.sentence["a"]
        lowest = plan(both(one("a", month_cap=Decimal(1))))
        assert lowest.new_budget["a"] == 56, "one step"

    def test_below_its_floor_it_does_not_rise_past_its_month(self) -> None:
        result = plan(both(one("a", min_daily_budget=Decimal(90), month_cap=Decimal(85))))
        assert (result.action["a"], result.new_budget["a"]) == ("hold", 80)

    @pytest.mark.parametrize("wrong", [Decimal(-1), float("inf")])
    def test_an_amount_that_cannot_be_holds(self, wrong: Any) -> None:
        result = plan(both(one("a", month_cap=wrong), one("b")))
        assert result.reasons["a"][0] == Reason.INVALID_LIMITS and result.action["a"] == "hold"
        assert result.action["b"] == "increase"


class TestOfABranch:
    def test_it_binds_its_segments_together_and_no_other(self) -> None:
        company = both(one("a"), one("b"), one("c", ROOF), one("d", ("BE", "schilder")))
        result = plan(company, {PAINT: 20})
        assert result.new_budget[["c", "d"]].tolist() == [96, 96]
        assert sum(result.new_budget[["a", "b"]]) == 180
        none = plan(company, {PAINT: 0})
        assert none.new_budget.to_dict() == {"a": 80, "b": 80, "c": 96, "d": 96}
        assert all(Reason.BRANCH_MONTH_BUDGET in none.reasons[name] for name in "ab")
        assert "the month's budget of the branch" in none.sentence["a"]

    def test_money_goes_where_a_euro_brings_most(self) -> None:
        """The dear one lacks more leads, and gets what the cheap one leaves."""
        company = both(one("dear", cost=160, wants=9), one("cheap", wants=5))
        assert plan(company).new_budget.to_dict() == {"dear": 192, "cheap": 96}
        assert plan(company, {PAINT: 20}).new_budget.to_dict() == {"dear": 164, "cheap": 96}

    def test_short_it_is_lowered_where_a_euro_brings_fewest(self) -> None:
        company = both(one("dear", cost=160), one("cheap"), one("full", wants=2.9), one("other", ROOF, wants=2.9))
        little = plan(company, {PAINT: -10}).new_budget.to_dict()
        assert little == {"dear": 160, "cheap": 80, "full": 70, "other": 80}
        more = plan(company, {PAINT: -40}).new_budget.to_dict()
        assert more == {"dear": 144, "cheap": 80, "full": 56, "other": 80}

    def test_the_total_binds_after_the_branches(self) -> None:
        company = both(one("a", wants=6), one("b", ROOF))
        result = plan(company, {PAINT: 0}, total_daily_cap=Decimal(170))
        assert result.new_budget.to_dict() == {"a": 80, "b": 90}, "what a branch does not take is left to the others"
        short = plan(company, {PAINT: -10}, month_room=Decimal(-10))
        assert short.new_budget.to_dict() == {"a": 70, "b": 80}, "what its branch saves counts for all"


@st.composite
def limited_companies(draw: st.DrawFn) -> tuple[Company, dict[tuple[str, str], Decimal]]:
    """A company whose segments and branches have monthly budgets, or none."""
    frames, segments = draw(companies())
    branches = [draw(st.sampled_from([PAINT, ROOF])) for _ in range(len(segments))]
    caps = [draw(euros(0, 600) | st.none()) for _ in range(len(segments))]
    countries, names = zip(*branches, strict=True)
    of_month = pd.Series(caps, dtype=object, index=segments.index)
    limited = segments.assign(country=countries, branch=names, month_cap=of_month)
    rooms = {branch: draw(euros(-300, 300)) for branch in (PAINT, ROOF) if draw(st.booleans())}
    return (frames, limited), rooms


@settings(max_examples=80, deadline=None)
@given(limited_companies(), euros(0, 1500) | st.none(), euros(-500, 200) | st.none())
def test_no_increase_passes_a_month_of_its_segment_or_branch(
    limited: tuple[Company, dict[tuple[str, str], Decimal]], cap: Decimal | None, month: Decimal | None
) -> None:
    company, rooms = limited
    result = plan(company, rooms, total_daily_cap=cap, month_room=month)
    raised: dict[tuple[str, str], Decimal] = {}
    for row in company[1].itertuples():
        decided = result.loc[row.segment_id]
        step = decided.new_budget - row.current_budget
        if step > 0:
            assert row.month_cap is None or decided.new_budget <= row.month_cap
            branch = (row.country, row.branch)
            raised[branch] = raised.get(branch, Decimal(0)) + step
        # Never below what a decrease may come to.
        low = row.current_budget * (1 - row.max_decrease_pct / 100)
        assert decided.new_budget >= low
        assert decided.new_budget >= min(row.min_daily_budget, row.current_budget)
    assert all(raised.get(branch, 0) <= max(room, 0) for branch, room in rooms.items())


@settings(max_examples=60, deadline=None)
@given(limited_companies())
def test_what_the_months_lack_is_saved_as_far_as_one_step_allows(
    limited: tuple[Company, dict[tuple[str, str], Decimal]],
) -> None:
    company, rooms = limited
    bare = company[0], company[1].assign(month_cap=None)
    least = plan(bare, dict.fromkeys((PAINT, ROOF), -(10**6)))
    old = company[1].set_index("segment_id").current_budget
    result = plan(company, rooms)
    assert (least.new_budget <= result.new_budget).all()
    for row in company[1].itertuples():
        if row.month_cap is not None and row.month_cap < row.current_budget:
            wanted = max(row.month_cap, least.new_budget[row.segment_id])
            assert result.new_budget[row.segment_id] <= wanted
    for branch, room in rooms.items():
        branches = zip(company[1].country, company[1].branch, strict=True)
        of_branch = company[1].segment_id[[found == branch for found in branches]]
        saved = sum((old - result.new_budget)[of_branch])
        assert saved >= min(-room, sum((old - least.new_budget)[of_branch]))


@settings(max_examples=40, deadline=None)
@given(companies())
def test_without_such_limits_and_with_wide_ones_the_plan_is_the_same(company: Company) -> None:
    frames, segments = company
    named = segments.assign(country="NL", branch="schilder", month_cap=None)
    one_branch = plan((frames, named.drop(columns="month_cap")))
    pd.testing.assert_frame_equal(one_branch, plan((frames, named)))
    wide = named.assign(month_cap=Decimal(10**6))
    pd.testing.assert_frame_equal(one_branch, plan((frames, wide), {PAINT: 10**6}))
