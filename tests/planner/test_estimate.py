"""What the planner expects follows what changes, and its interval is as wide as the evidence is thin."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from lead_demand.planner.planner import LeadDemandPlanner
from tests.planner.frames import TODAY, both, history, segment

DAYS, SEGMENTS = 84, 40


def company(rate: np.ndarray, seed: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Segments that bring `rate` paid leads per day, shape (segments, days), and one free one, by chance."""
    chance = np.random.default_rng(seed)
    pairs = []
    for number, leads in enumerate(rate):
        paid, free = chance.poisson(leads), chance.poisson(1.0, len(leads))
        accepted = chance.binomial(paid + free, 0.75)
        counts = {"google_ads_leads": paid, "leads_generated": paid + free, "leads_accepted": accepted}
        days = history(f"s{number:02}", len(leads), **counts, leads_rejected=paid + free - accepted)
        pairs.append((days, segment(f"s{number:02}")))
    return both(*pairs)


def planned(rate: np.ndarray) -> pd.DataFrame:
    return LeadDemandPlanner().plan(*company(rate), TODAY)


def width(plan: pd.DataFrame) -> float:
    return float(((plan.expected_high - plan.expected_low) / plan.expected_leads_per_day).mean())


def drifting(daily: float, seed: int = 5) -> np.ndarray:
    """Three leads per day, each segment's rate walking by itself."""
    steps = np.random.default_rng(seed).normal(0, daily, (SEGMENTS, DAYS))
    return 3 * np.exp(steps.cumsum(1))


STEADY = np.full((SEGMENTS, DAYS), 3.0)


# A rate that does not move at all for months is not believed: there the interval is on the safe side.
@pytest.mark.parametrize(("daily", "at_most"), [(0.0, 0.91), (0.04, 0.86)])
def test_the_interval_holds_the_truth_as_often_as_it_says(daily: float, at_most: float) -> None:
    inside = []
    for seed in range(6):
        rate = drifting(daily, seed)
        plan = LeadDemandPlanner().plan(*company(rate, seed), TODAY)
        truth = rate[:, -1] + 1.0
        inside += ((plan.expected_low <= truth) & (truth <= plan.expected_high)).tolist()
    assert 0.74 < np.mean(inside) < at_most  # 240 segments: a standard error of 0.026


def test_rates_that_drift_are_less_certain_and_followed_faster() -> None:
    calm, restless = planned(STEADY), planned(drifting(0.04))
    assert width(restless) > 1.3 * width(calm)
    last = restless.expected_leads_per_day.to_numpy() - 1.0
    truth, average = drifting(0.04)[:, -1], drifting(0.04).mean(1)
    assert np.abs(np.log(last / truth)).mean() < 0.85 * np.abs(np.log(average / truth)).mean()


def test_days_that_burst_tell_less() -> None:
    bursts = np.random.default_rng(7).gamma(2.0, 0.5, STEADY.shape)
    assert width(planned(STEADY * bursts)) > 1.15 * width(planned(STEADY))


def test_a_season_that_all_segments_share_is_followed_within_weeks() -> None:
    season = STEADY.copy()
    season[:, -21:] *= 1.6
    plan = planned(season)
    assert plan.expected_leads_per_day.mean() == pytest.approx(1.0 + 3 * 1.6, rel=0.06)
    alone = STEADY.copy()
    alone[0, -21:] *= 1.6
    assert planned(alone).expected_leads_per_day[0] < 0.95 * plan.expected_leads_per_day[0]


def test_a_season_of_one_branch_is_followed_in_that_branch_alone() -> None:
    """Painters' summer and roofers' autumn: one rises by half in three weeks, the other falls; the sum stays."""
    rise = np.linspace(0, 0.5, 21)
    season = STEADY.copy()
    season[::2, -21:] *= 1 + rise
    season[1::2, -21:] *= 1 - rise
    frames = company(season)
    apart = frames[1].assign(branch=["schilder", "dakdekker"] * (SEGMENTS // 2))
    truth = 1 + season[:, -1]

    def error(segments: pd.DataFrame) -> float:
        expected = LeadDemandPlanner().plan(frames[0], segments, TODAY).expected_leads_per_day
        return float(np.abs(np.log(expected / truth)).mean())

    assert error(apart) < 0.6 * error(frames[1])
    one = frames[1].assign(branch="schilder")
    pd.testing.assert_frame_equal(
        LeadDemandPlanner().plan(frames[0], one, TODAY), LeadDemandPlanner().plan(*frames, TODAY)
    )


def test_a_holiday_that_halves_demand_is_seen_on_its_second_morning_and_over_on_the_second_after() -> None:
    holiday = STEADY.copy()
    holiday[:, -2:] *= 0.4
    assert planned(holiday).expected_leads_per_day.mean() == pytest.approx(1 + 3 * 0.4, rel=0.15)
    holiday[:, -12:-2] *= 0.4
    holiday[:, -2:] = STEADY[:, -2:]
    plan = planned(holiday)
    assert plan.expected_leads_per_day.mean() == pytest.approx(1 + 3, rel=0.1)
    assert width(plan) > 1.1 * width(planned(STEADY))


def test_days_that_swing_make_the_worth_of_a_budget_uncertain_not_smaller() -> None:
    steady, swinging = company(STEADY), company(STEADY)
    swinging[0]["google_ads_spend"] = np.tile([40.0, 120.0], len(swinging[0]) // 2)
    calm, loud = (LeadDemandPlanner().plan(*frames, TODAY) for frames in (steady, swinging))
    assert loud.expected_leads_per_day.mean() == pytest.approx(calm.expected_leads_per_day.mean(), rel=0.08)
    assert width(loud) > width(calm)


@pytest.mark.parametrize("spent", [40, 80, 160])
def test_the_first_morning_moves_no_budget_for_one_days_odd_spend(spent: int) -> None:
    """A new installation knows the budget of yesterday only: its channel does not tell what was in force before."""
    days, segments = both(*((history(name), segment(name)) for name in "abcd"))
    last = days.date == days.date.max()
    days.loc[last & (days.segment_id == "a"), "google_ads_spend"] = spent
    first_morning = days.assign(google_ads_budget=days.google_ads_budget.where(last, None))
    settled, new = (LeadDemandPlanner().plan(frame, segments, TODAY) for frame in (days, first_morning))
    assert settled.action.tolist() == new.action.tolist() == ["hold"] * 4
    assert new.expected_leads_per_day[0] == pytest.approx(settled.expected_leads_per_day[0], rel=0.04)


@pytest.mark.parametrize("blank", [None, np.nan, pd.NA], ids=repr)
def test_budgets_that_are_not_known_make_the_worth_of_a_budget_uncertain(blank: object) -> None:
    days, segments = company(STEADY)
    days["google_ads_budget"] = days["google_ads_budget"].astype(object)
    known, unknown = (
        LeadDemandPlanner().plan(frame, segments, TODAY) for frame in (days, days.assign(google_ads_budget=blank))
    )
    assert unknown.expected_leads_per_day.mean() == pytest.approx(known.expected_leads_per_day.mean(), rel=0.01)
    assert width(unknown) > 1.02 * width(known)


def test_what_is_expected_far_from_what_was_ever_spent_is_less_certain() -> None:
    days, segments = company(STEADY)
    far = segments.assign(current_budget=20)
    near, away = (LeadDemandPlanner().plan(days, frame, TODAY) for frame in (segments, far))
    assert (away.sd / away.expected_leads_per_day).mean() > (near.sd / near.expected_leads_per_day).mean()


def test_a_lead_that_comes_after_its_click_was_paid_for() -> None:
    days, segments = company(STEADY)
    paused = days.assign(google_ads_spend=np.where([date.weekday() == 6 for date in days.date], 0.0, 80.0))
    assert (paused.google_ads_leads[paused.google_ads_spend == 0] > 0).any()
    plan = LeadDemandPlanner().plan(paused, segments, TODAY)
    # Seven days' leads for six days' money.
    assert plan.expected_leads_per_day.mean() == pytest.approx(1 + 3 * 7 / 6, rel=0.05)
    assert (plan.expected_high > plan.expected_low).all()


def test_leads_that_nothing_was_ever_spent_on_are_worth_no_budget() -> None:
    days, segments = company(STEADY[:3])
    plan = LeadDemandPlanner().plan(days.assign(google_ads_spend=0), segments, TODAY)
    assert (plan.action == "hold").all()
    assert plan.reasons.map(lambda codes: "too_little_history" in codes).all()


@pytest.mark.parametrize("leads", [0.0, 0.02, 2000.0])
def test_any_volume_has_a_finite_answer(leads: float) -> None:
    plan = planned(np.full((5, DAYS), leads))
    assert np.isfinite(plan.expected_leads_per_day).all() or leads == 0
    assert not (plan.expected_low > plan.expected_high).any()


def test_the_same_frames_give_the_same_answer() -> None:
    days, segments = company(drifting(0.02))
    first = LeadDemandPlanner().plan(days, segments, TODAY)
    pd.testing.assert_frame_equal(first, LeadDemandPlanner().plan(days, segments, TODAY))
    moved = days.assign(date=[date + dt.timedelta(days=7) for date in days.date])
    later = LeadDemandPlanner().plan(moved, segments, TODAY + dt.timedelta(days=7))
    np.testing.assert_allclose(first.expected_leads_per_day, later.expected_leads_per_day)
