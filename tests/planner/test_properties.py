"""What must hold for any company: found by trying many, not by example."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from lead_demand.planner.planner import LeadDemandPlanner
from lead_demand.planner.reasons import Reason
from lead_demand.planner.settings import PlannerSettings
from tests.planner.frames import TODAY, companies, euros

CENT = Decimal("0.01")
Company = tuple[pd.DataFrame, pd.DataFrame]


def plan(company: Company, **changes: Any) -> pd.DataFrame:
    return LeadDemandPlanner(PlannerSettings(**changes)).plan(*company, TODAY).set_index("segment_id")


@settings(max_examples=60, deadline=None)
@given(companies(), euros(0, 1500) | st.none(), euros(0, 100) | st.none(), euros(-500, 200) | st.none())
def test_never_outside_the_limits_nor_beyond_one_step(
    company: Company, cap: Decimal | None, daily: Decimal | None, month: Decimal | None
) -> None:
    result = plan(company, total_daily_cap=cap, max_daily_increase=daily, month_room=month)
    shared = {Reason.TOTAL_CAP, Reason.DAILY_INCREASE_LIMIT, Reason.MONTH_BUDGET}
    for row in company[1].itertuples():
        decided = result.loc[row.segment_id]
        new, old = decided.new_budget, row.current_budget
        high = (old * (1 + row.max_increase_pct / 100)).quantize(CENT, ROUND_FLOOR)
        low = (old * (1 - row.max_decrease_pct / 100)).quantize(CENT, ROUND_CEILING)
        low = max(low, CENT)  # no channel takes an amount of nothing: the largest step ends at the smallest amount
        assert isinstance(new, Decimal)
        assert new > 0
        assert decided.action == ("increase" if new > old else "decrease" if new < old else "hold")
        if new == old:
            assert decided.reasons
            continue
        assert new == new.quantize(CENT)
        assert low <= new <= high
        if row.min_daily_budget > high:
            assert new == high or shared & set(decided.reasons)
        elif row.max_daily_budget < low:
            assert new == low
        else:
            assert row.min_daily_budget <= new <= row.max_daily_budget


@settings(max_examples=60, deadline=None)
@given(companies(), euros(0, 1500), euros(0, 100))
def test_the_shared_limits_are_kept(company: Company, cap: Decimal, daily: Decimal) -> None:
    result = plan(company, total_daily_cap=cap, max_daily_increase=daily)
    old = company[1].set_index("segment_id").current_budget
    steps = result.new_budget - old
    assert sum(result.new_budget) <= max(cap, sum(old))
    assert sum(step for step in steps if step > 0) <= daily
    unlimited = plan(company)
    assert (unlimited.new_budget >= result.new_budget).all()
    falling = unlimited.action == "decrease"
    assert (unlimited.new_budget[falling] == result.new_budget[falling]).all()


@settings(max_examples=60, deadline=None)
@given(companies(), euros(-500, 200))
def test_what_the_month_lacks_is_saved_as_far_as_one_step_allows(company: Company, room: Decimal) -> None:
    result, free, least = plan(company, month_room=room), plan(company), plan(company, month_room=Decimal(-(10**6)))
    old = company[1].set_index("segment_id").current_budget
    saved, most = sum(old - result.new_budget), sum(old - least.new_budget)
    assert saved >= min(-room, most)
    assert (least.new_budget <= result.new_budget).all() and (result.new_budget <= free.new_budget).all()
    if (free.new_budget <= old).all() and sum(old - free.new_budget) >= -room:
        assert (result.new_budget == free.new_budget).all()
    lower = result.new_budget < free.new_budget
    assert all(Reason.MONTH_BUDGET in codes for codes in result.reasons[lower])


@settings(max_examples=40, deadline=None)
@given(companies(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(company: Company, shuffle: Any) -> None:
    history, segments = company
    seed = shuffle.randrange(2**32)
    mixed = history.sample(frac=1, random_state=seed), segments.sample(frac=1, random_state=seed)
    cap = sum(segments.current_budget) + 5
    one, other = plan(company, total_daily_cap=cap), plan(mixed, total_daily_cap=cap)
    assert list(other.index) == list(mixed[1].segment_id)
    pd.testing.assert_frame_equal(one, other.loc[one.index])


@settings(max_examples=40, deadline=None)
@given(companies(), st.integers(1, 200))
def test_a_history_in_parts_decides_as_it_does_in_one(company: Company, rows: int) -> None:
    history, segments = company
    parts = (history.iloc[start : start + rows] for start in range(0, len(history), rows))
    in_parts = LeadDemandPlanner().plan(parts, segments, TODAY).set_index("segment_id")
    pd.testing.assert_frame_equal(plan(company), in_parts)


@settings(max_examples=40, deadline=None)
@given(companies(), st.integers(0, 4), st.integers(1, 30))
def test_more_capacity_never_lowers_the_target_nor_the_budget(company: Company, which: int, more: int) -> None:
    history, segments = company
    which %= len(segments)
    larger = segments.copy()
    larger.loc[which, "capacity_total_leads"] += more
    before, after = plan(company).iloc[which], plan((history, larger)).iloc[which]
    assert after.target_leads_per_day >= before.target_leads_per_day
    assert after.new_budget >= before.new_budget


@settings(max_examples=40, deadline=None)
@given(companies(), st.sampled_from([10, 100, 100_000]))
def test_the_scale_of_the_currency_does_not_matter(company: Company, scale: int) -> None:
    history, segments = company[0].copy(), company[1].copy()
    for frame, columns in (
        (history, ["google_ads_spend", "google_ads_budget"]),
        (segments, ["current_budget", "min_daily_budget", "max_daily_budget"]),
    ):
        frame[columns] = frame[columns].map(lambda amount: amount * scale)
    cap = sum(company[1].current_budget) + 7
    one = plan(company, total_daily_cap=cap)
    other = plan((history, segments), total_daily_cap=cap * scale, currency_unit=CENT * scale)
    assert (one.reasons == other.reasons).all()
    assert all(abs(a * scale - b) <= CENT * scale for a, b in zip(one.new_budget, other.new_budget, strict=True))
    np.testing.assert_allclose(one.expected_leads_per_day, other.expected_leads_per_day, rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(companies(), st.data())
def test_a_hole_or_a_double_is_named_whatever_else_is_true(company: Company, data: st.DataObject) -> None:
    history, segments = company
    own = history.index[history.segment_id == "s0"]
    day = data.draw(st.sampled_from(list(own[-14:])))
    doubled = plan((pd.concat([history, history.loc[[day]]]), segments)).loc["s0"]
    assert doubled.action == "hold"
    assert Reason.DUPLICATE_DAY in doubled.reasons
    if day == own[0]:
        return
    missing = plan((history.drop(index=day), segments), missing_days=0).loc["s0"]
    assert missing.action == "hold"
    assert Reason.MISSING_DAYS in missing.reasons


@settings(max_examples=40, deadline=None)
@given(companies())
def test_every_answer_is_complete(company: Company) -> None:
    result = plan(company)
    codes = {reason.value: reason for reason in Reason}
    for row in result.itertuples():
        assert row.sentence.endswith(".")
        assert "nan" not in row.sentence.lower()
        assert all(code in codes for code in row.reasons)
        assert row.is_blocked == (row.action == "hold" and any(codes[code].blocking for code in row.reasons))
        if row.action == "increase":
            assert codes.keys() & set(row.reasons) & {"below_capacity", "below_floor"}
            assert not any(codes[code].blocking for code in row.reasons)
    known = result[result.expected_leads_per_day.notna()]
    assert (known.expected_low <= known.expected_leads_per_day + 1e-9).all()
    assert (known.expected_leads_per_day <= known.expected_high + 1e-9).all()


@settings(max_examples=30, deadline=None)
@given(companies(), st.integers(0, 400))
def test_days_after_today_change_nothing(company: Company, later: int) -> None:
    future = company[0].assign(date=TODAY + dt.timedelta(days=later), leads_generated=10_000)
    future = future.drop_duplicates("segment_id")
    pd.testing.assert_frame_equal(plan(company), plan((pd.concat([company[0], future]), company[1])))
