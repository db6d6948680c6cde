"""Partners who announced that they are away: the budget is chosen for the week that is ahead, without them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings

from lead_demand.planner.planner import LeadDemandPlanner
from lead_demand.planner.reasons import Reason
from tests.planner.frames import TODAY, both, companies, history, segment
from tests.planner.test_week import MONDAY, week

DAYS = 56


def company(
    present: list[float] | float = 3,
    absent: list[float | None] | float | None = None,
    absent_week: list[float | None] | float | None = None,
    today: dt.date = TODAY,
    **columns: Any,
) -> pd.Series:
    """The plan of a segment of 3 leads per day that brings what partners take. Lists are of the last mornings, the last
    of them today's; before them all partners are there.
    """

    def mornings(given: Any, before: float | None) -> list[Any]:
        lately = given if isinstance(given, list) else [given]
        return [before] * (DAYS - len(lately)) + lately

    days = history(
        capacity_total_leads=mornings(present, 3),
        capacity_absent_leads=mornings(absent, None),
        capacity_absent_week=mornings(absent_week, None),
    )
    days["date"] += today - TODAY
    now = {name: days[name].iloc[-1] for name in days if name.startswith("capacity")}
    return LeadDemandPlanner().plan(days, segment(**now | columns), today).iloc[0]


@given(companies())
@settings(max_examples=25)
def test_without_an_absence_nothing_changes_at_all(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    days, segments = frames
    plan = LeadDemandPlanner().plan(days, segments, TODAY)
    for nothing in (None, 0):
        columns = {"capacity_absent_leads": nothing, "capacity_absent_week": nothing}
        told = LeadDemandPlanner().plan(
            days.assign(**columns), segments.assign(**columns, capacity_absent_until=None), TODAY
        )
        pd.testing.assert_frame_equal(told, plan, check_exact=True)


def test_a_partner_who_will_be_away_lowers_the_week_and_not_today() -> None:
    row = company(absent=0, absent_week=1.2, capacity_absent_until=TODAY + dt.timedelta(days=9))
    assert row.target_leads_per_day == pytest.approx(3 / 0.75, rel=0.01)
    assert row.target_week == pytest.approx(1.8 / 0.75, rel=0.01)
    assert row.action == "decrease" and Reason.PARTNERS_ABSENT in row.reasons
    assert (
        "Partners are away in the coming week, the last until 20 March: they take 1.8 of 3 leads per day over it. "
        "Budget" in row.sentence
    )


def test_a_partner_who_is_away_today_counts_for_the_days_after_the_return() -> None:
    row = company(present=1, absent=2, absent_week=2 / 7, capacity_absent_until=TODAY)
    assert row.target_leads_per_day == pytest.approx(1 / 0.75, rel=0.01)
    assert row.target_week == pytest.approx((3 - 2 / 7) / 0.75, rel=0.01)
    assert row.action == "hold"


def test_partners_who_are_all_away_for_the_whole_week_take_nothing_of_it() -> None:
    row = company(present=0, absent=3, absent_week=3)
    assert row.target_week == 0 and row.action == "decrease"
    assert {Reason.CAPACITY_ZERO, Reason.PARTNERS_ABSENT} <= set(row.reasons)
    assert "Partners are away in the coming week, the last until further notice: they take 0 of 3" in row.sentence


def test_an_absence_that_ends_in_another_year_says_which() -> None:
    row = company(absent=0, absent_week=1.2, capacity_absent_until=dt.date(2099, 12, 31))
    assert "until 31 December 2099:" in row.sentence


def test_what_a_person_wants_is_wanted_whoever_is_away() -> None:
    row = company(absent=0, absent_week=1.2, target_override=4)
    assert row.target_week == 4 and row.action == "hold"
    assert Reason.PARTNERS_ABSENT not in row.reasons and "away" not in row.sentence


def test_an_absence_that_cannot_be_a_number_stops_the_segment() -> None:
    assert Reason.BAD_INPUT_ROW in company(absent=-1, absent_week=1.2).reasons


# Neither a habit nor a leap


@pytest.mark.parametrize("weekday", range(7))
def test_a_free_friday_that_is_announced_each_week_is_no_pattern(weekday: int) -> None:
    """Half of the capacity is away on Fridays: the week has a seventh of that less, on whatever day it is asked."""
    today = MONDAY + dt.timedelta(days=weekday)
    mornings = [today - dt.timedelta(days=age) for age in range(DAYS - 1, -1, -1)]
    away = [1.5 if morning.weekday() == 4 else 0.0 for morning in mornings]
    row = company([3 - leads for leads in away], away, [1.5 / 7] * DAYS, today)
    assert row.target_week == pytest.approx((3 - 1.5 / 7) / 0.75, rel=0.01)


@pytest.mark.parametrize("weekday", range(7))
def test_an_absence_beside_a_weekly_pattern_takes_its_part_of_the_week(weekday: int) -> None:
    """A third of the partners is away for weeks; at weekends they take little, and nothing on Sundays."""
    today = MONDAY + dt.timedelta(days=weekday)
    pairs = []
    for number in range(10):
        days, known = week((6, 0), (8, 4), today, f"s{number}")
        everybody = days["capacity_total_leads"]
        days = days.assign(
            capacity_total_leads=everybody * 2 / 3,
            capacity_absent_leads=everybody / 3,
            capacity_absent_week=everybody / 3,
        )
        now = {name: pd.Series([days[name].iloc[-1]], dtype=object) for name in days if name.startswith("capacity")}
        pairs.append((days, known.assign(**now)))
    row = LeadDemandPlanner().plan(*both(*pairs), today).iloc[0]
    assert row.target_week == pytest.approx(2 / 3 * 6 * 5 / 7 / 0.75, rel=0.01)


# The cool-down


def test_a_change_that_reckoned_with_an_absence_waits_out_its_cool_down() -> None:
    """It is in the middle of it: what is there today fell by more than a fifth since, the week's mean did not."""
    two_days_ago = {"last_change_date": TODAY - dt.timedelta(days=2), "cooldown_days": 5}
    row = company([3, 3, 1.5], [0, 0, 1.5], [1.1, 1.2, 1.3], **two_days_ago)
    assert row.action == "hold" and Reason.COOL_DOWN in row.reasons


def test_an_absence_that_was_announced_since_the_last_change_need_not_wait() -> None:
    row = company([3, 3, 3], [None, None, 0], [None, None, 1.2], last_change_date=TODAY - dt.timedelta(days=2))
    assert row.action == "decrease" and Reason.CAPACITY_MOVED in row.reasons


def test_a_partner_who_is_back_sooner_than_was_known_is_a_move_of_capacity() -> None:
    back = company(
        [1, 1, 1, 6], [2, 2, 2, None], [2, 2, 2, None],
        last_change_date=TODAY - dt.timedelta(days=1), cooldown_days=5,
    )  # fmt: skip
    assert back.action == "increase" and Reason.CAPACITY_MOVED in back.reasons
