"""What Google says of a budget besides its flag: it checks a raise and is told. It is no input of the estimate, and
where it is missing nothing changes.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead_demand.planner.planner import LeadDemandPlanner
from lead_demand.planner.reasons import Reason
from lead_demand.planner.settings import PlannerSettings
from tests.planner.frames import TODAY, companies, history, segment

MORE = {"capacity_total_leads": 5}
Company = tuple[pd.DataFrame, pd.DataFrame]


def plan(days: pd.DataFrame, segments: pd.DataFrame, **changes: Any) -> pd.DataFrame:
    return LeadDemandPlanner(PlannerSettings(**changes)).plan(days, segments, TODAY)


def one(days: pd.DataFrame | None = None, **columns: Any) -> pd.Series:
    return plan(history() if days is None else days, segment(**columns)).iloc[0]


def budgets(*spans: tuple[int, int]) -> pd.DataFrame:
    """The steady segment's history with (days, EUR) in force, the last ones up to yesterday."""
    euros = [Decimal(amount) for count, amount in spans for _ in range(count)]
    return history(google_ads_budget=[Decimal(80)] * (56 - len(euros)) + euros)


def test_a_budget_called_limited_that_misses_nothing_is_not_raised_and_both_are_told() -> None:
    row = one(**MORE, budget_lost_share=Decimal("0.004"))
    assert (row.action, row.new_budget, row.is_blocked) == ("hold", Decimal(80), False)
    assert row.reasons == [Reason.NOT_BUDGET_LIMITED, Reason.BELOW_CAPACITY]
    assert row.sentence == (
        "Schilder Utrecht: 4 of 6.7 leads per day expected (3.3–4.7). Budget stays €80: its budget does not limit it. "
        "Google calls it limited, but says that hardly a search was missed for want of budget."
    )


@pytest.mark.parametrize(("lost", "action"), [("0.0099", "hold"), ("0.01", "increase"), ("0.9001", "increase")])
def test_from_one_search_in_a_hundred_on_the_flag_is_believed(lost: str, action: str) -> None:
    assert one(**MORE, budget_lost_share=Decimal(lost)).action == action


def test_how_little_is_nothing_is_a_setting() -> None:
    segments = segment(**MORE, budget_lost_share=0.03)
    assert plan(history(), segments, least_lost=0.05).action[0] == "hold"


def test_what_a_larger_budget_missed_says_nothing_of_todays() -> None:
    assert one(budgets((8, 100), (6, 80)), **MORE, budget_lost_share=0).action == "increase"
    assert one(budgets((30, 100), (14, 80)), **MORE, budget_lost_share=0).action == "hold"
    # What a smaller one did not miss, a larger one does not miss either.
    assert one(budgets((8, 60), (6, 80)), **MORE, budget_lost_share=0).action == "hold"


@pytest.mark.parametrize("lost", [0.0, 0.5])
@pytest.mark.parametrize(
    "columns", [{"capacity_total_leads": 1}, {"capacity_total_leads": 0}, {"max_daily_budget": 70}, {}]
)
def test_no_decrease_and_no_other_hold_is_touched(columns: dict[str, int], lost: float) -> None:
    without, given_it = one(**columns), one(**columns, budget_lost_share=lost, recommended_budget=120)
    pd.testing.assert_series_equal(without, given_it)


def test_searches_missed_by_a_budget_that_is_said_not_to_limit_are_told_and_change_nothing() -> None:
    spends = {"google_ads_spend": Decimal(50)}
    row = one(history(**spends), **MORE, budget_limited=False, budget_lost_share=Decimal("0.234"))
    without = one(history(**spends), **MORE, budget_limited=False)
    assert (
        row.sentence == f"{without.sentence} Google says that a campaign misses 23% of its searches for want of budget."
    )
    pd.testing.assert_series_equal(row.drop("sentence"), without.drop("sentence"))
    beyond = one(history(**spends), **MORE, budget_limited=False, budget_lost_share=Decimal("0.9001"))
    assert "misses more than 90% of its searches" in beyond.sentence
    little = one(history(**spends), **MORE, budget_limited=False, budget_lost_share=Decimal("0.10"))
    assert little.sentence == without.sentence
    # What the smaller budget of last week missed, today's may not.
    raised = one(budgets((8, 60), (6, 80)), **MORE, budget_limited=False, budget_lost_share=Decimal("0.234"))
    assert "searches" not in raised.sentence


def test_what_google_recommends_is_named_where_more_is_spent_or_wanted() -> None:
    raised = one(**MORE, recommended_budget=Decimal(150))
    assert raised.new_budget == Decimal(96) and raised.sentence.endswith("was not enough. Google recommends €150.")
    waiting = one(
        capacity_total_leads=3.5, last_change_date=TODAY - dt.timedelta(days=1), recommended_budget=Decimal(150)
    )
    assert Reason.COOL_DOWN in waiting.reasons and waiting.sentence.endswith("Google recommends €150.")
    for enough in ({}, {"capacity_total_leads": 1}):
        assert "recommends" not in one(**enough, recommended_budget=Decimal(150)).sentence
    assert "recommends" not in one(**MORE, recommended_budget=Decimal(96)).sentence  # as decided


BLANKS = [None, np.nan, pd.NA, "n/a", Decimal("NaN"), Decimal("1.5"), -0.2, np.inf]


@pytest.mark.parametrize("blank", BLANKS, ids=repr)
@pytest.mark.parametrize("columns", [MORE, {"capacity_total_leads": 1}, {**MORE, "budget_limited": False}, {}])
def test_a_share_that_is_missing_or_cannot_be_true_changes_nothing(columns: dict[str, Any], blank: Any) -> None:
    pd.testing.assert_series_equal(one(**columns), one(**columns, budget_lost_share=blank))


@pytest.mark.parametrize("blank", [None, np.nan, pd.NA, "n/a", Decimal("NaN"), -1, 0, np.inf], ids=repr)
def test_a_recommendation_that_is_missing_or_cannot_be_true_is_not_told(blank: Any) -> None:
    pd.testing.assert_series_equal(one(**MORE), one(**MORE, recommended_budget=blank))


@settings(max_examples=60, deadline=None)
@given(companies(), st.lists(st.sampled_from([None, 0.0, 0.004, 0.2, 0.9001]), min_size=5, max_size=5))
def test_whatever_was_lost_the_worst_that_it_does_is_to_keep_a_raise(
    company: Company, lost: list[float | None]
) -> None:
    days, segments = company
    without = plan(days, segments)
    checked = plan(days, segments.assign(budget_lost_share=lost[: len(segments)]))
    same = checked.new_budget == without.new_budget
    assert (without.action[~same] == "increase").all() and (checked.action[~same] == "hold").all()
    assert all(Reason.NOT_BUDGET_LIMITED in codes for codes in checked.reasons[~same])
    kept = ["is_blocked", "target_leads_per_day", "expected_leads_per_day", "expected_low", "expected_high", "sd"]
    pd.testing.assert_frame_equal(checked[kept], without[kept])
