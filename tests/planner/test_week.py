"""Partners and demand that breathe with the week: the budget is chosen for the week, a day shows its own figures."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lead_demand.planner.planner import LeadDemandPlanner
from lead_demand.planner.reasons import Reason
from lead_demand.planner.settings import PlannerSettings
from lead_demand.planner.week import public_holidays
from tests.planner.frames import TODAY, both, history, segment

MONDAY = dt.date(2026, 3, 9)
WEEKEND = (5, 6)


def week(capacity: tuple[float, float], leads: tuple[int, int], today: dt.date, name: str = "a", **columns: Any) -> Any:
    """A segment that on weekdays and on weekend days takes so much and brings so many leads, and its set-up.

    Three of four leads are paid and accepted; each morning's capacity is recorded under the day before.
    """
    dates = [today - dt.timedelta(days=age) for age in range(56, 0, -1)]

    def of(pair: tuple[float, float], date: dt.date) -> float:
        return pair[date.weekday() in WEEKEND]

    generated = np.array([of(leads, date) for date in dates])
    days = history(
        name,
        leads_generated=generated,
        google_ads_leads=generated * 3 // 4,
        leads_accepted=generated * 3 // 4,
        leads_rejected=generated - generated * 3 // 4,
        capacity_total_leads=[of(capacity, date + dt.timedelta(days=1)) for date in dates],
    )
    days["date"] = dates
    return days, segment(name, **{"capacity_total_leads": of(capacity, today)} | columns)


def company(capacity: tuple[float, float], leads: tuple[int, int], today: dt.date, **columns: Any) -> pd.Series:
    """The plan of the first of ten such segments: how the week breathes is learned from all of them."""
    pairs = [week(capacity, leads, today, f"s{number}", **columns) for number in range(10)]
    return LeadDemandPlanner().plan(*both(*pairs), today).iloc[0]


@pytest.mark.parametrize("weekday", range(7))
def test_partners_who_take_less_at_weekends_and_get_less_move_no_budget(weekday: int) -> None:
    row = company((6, 2.4), (8, 4), MONDAY + dt.timedelta(days=weekday))
    assert row.action == "hold"
    assert Reason.WITHIN_DEAD_BAND in row.reasons


def test_the_plan_of_a_saturday_shows_a_saturdays_figures_and_the_weeks() -> None:
    saturday = company((6, 2.4), (8, 4), MONDAY + dt.timedelta(days=5))
    friday = company((6, 2.4), (8, 4), MONDAY + dt.timedelta(days=4))
    assert saturday.target_leads_per_day == pytest.approx(2.4 / 0.75, rel=0.01)
    assert saturday.expected_leads_per_day == pytest.approx(4, rel=0.15)
    assert friday.target_leads_per_day == pytest.approx(8, rel=0.01)
    assert friday.expected_leads_per_day == pytest.approx(8, rel=0.1)
    assert saturday.target_week == pytest.approx(friday.target_week) == pytest.approx((5 * 8 + 2 * 3.2) / 7, rel=0.01)
    assert saturday.expected_week == pytest.approx((5 * 8 + 2 * 4) / 7, rel=0.05)
    assert "of 3.2 leads expected today" in saturday.sentence
    assert "of 6.6 per day over the week" in saturday.sentence


def test_a_small_company_learns_its_weekend_and_is_less_sure_of_one_day_than_of_the_week() -> None:
    """Ten segments that bring two leads per day at most: what they bring on Saturdays is a fifth of their weekdays."""
    saturday = company((2, 0.4), (2, 0.4), MONDAY + dt.timedelta(days=5))  # type: ignore[arg-type]
    assert saturday.expected_leads_per_day == pytest.approx(0.4, abs=0.2)
    scaled = saturday.expected_week / saturday.expected_leads_per_day
    friday = company((2, 0.4), (2, 0.4), MONDAY + dt.timedelta(days=4))  # type: ignore[arg-type]

    def part(row: pd.Series) -> float:
        return float((row.expected_high - row.expected_low) / row.expected_leads_per_day)

    assert scaled > 2 and part(saturday) > part(friday)


@pytest.mark.parametrize("weekday", range(7))
def test_partners_who_take_nothing_on_sundays_have_not_left(weekday: int) -> None:
    today = MONDAY + dt.timedelta(days=weekday)
    row = company((7.2, 0), (8, 4), today)
    assert row.action == "hold"
    assert Reason.CAPACITY_ZERO not in row.reasons
    assert row.target_leads_per_day == (0 if weekday in WEEKEND else pytest.approx(9.6, rel=0.01))


@pytest.mark.parametrize("weekday", range(7))
def test_a_gap_over_the_week_is_closed_on_whatever_day(weekday: int) -> None:
    row = company((12, 4.8), (8, 4), MONDAY + dt.timedelta(days=weekday))
    assert (row.action, row.new_budget) == ("increase", Decimal(96))


def test_partners_who_left_for_good_are_seen_in_spite_of_the_pattern() -> None:
    days, set_up = week((6, 2.4), (8, 4), MONDAY, capacity_total_leads=1)
    row = LeadDemandPlanner().plan(days, set_up, MONDAY).iloc[0]
    assert row.action == "decrease"


@pytest.mark.parametrize("weekday", range(7))
def test_a_weekend_is_no_move_of_capacity_that_waives_the_cool_down(weekday: int) -> None:
    today = MONDAY + dt.timedelta(days=weekday)
    row = company((9, 3.6), (8, 4), today, last_change_date=today - dt.timedelta(days=2), cooldown_days=5)
    assert row.action == "hold"
    assert Reason.COOL_DOWN in row.reasons


def test_capacity_without_a_pattern_is_taken_as_it_is() -> None:
    plain = history(days=56, capacity_total_leads=[3] * 20 + [5] * 16 + [4] * 20)
    row = LeadDemandPlanner().plan(plain, segment(capacity_total_leads=4), TODAY).iloc[0]
    assert row.target_week == row.target_leads_per_day
    forecast, _, _change = row.sentence.partition("Budget ")
    assert "over the week" not in forecast, "the day and its week are one figure"


KINGS_DAY = dt.date(2026, 4, 27)  # a Monday
NETHERLANDS = PlannerSettings(holidays={"NL": [KINGS_DAY, KINGS_DAY - dt.timedelta(days=21)]})  # and Easter Monday


def holiday_plan(capacity_today: float, settings: PlannerSettings = NETHERLANDS, sunday: float = 2.4) -> pd.Series:
    """The plan of King's Day: leads come as on a Sunday, partners take 6 on weekdays and `sunday` at weekends."""
    pairs = []
    for number in range(10):
        days, known = week((6, sunday), (8, 4), KINGS_DAY, f"s{number}", country="NL")
        easter = days["date"] == KINGS_DAY - dt.timedelta(days=21)
        counts = ["leads_generated", "leads_accepted", "leads_rejected", "google_ads_leads"]
        days.loc[easter, counts] = [4, 3, 1, 3]
        # Each morning's capacity is recorded under the day before.
        days.loc[days.index[-1], "capacity_total_leads"] = capacity_today
        pairs.append((days, known.assign(capacity_total_leads=pd.Series([capacity_today], dtype=object))))
    return LeadDemandPlanner(settings).plan(*both(*pairs), KINGS_DAY).iloc[0]


def test_a_public_holiday_is_expected_to_be_a_sunday() -> None:
    row = holiday_plan(2.4)
    assert row.expected_leads_per_day == pytest.approx(4, rel=0.1)
    assert row.target_leads_per_day == pytest.approx(2.4 / 0.75, rel=0.02)
    assert row.action == "hold"
    unaware = holiday_plan(2.4, PlannerSettings())
    assert unaware.expected_leads_per_day > 6.5
    assert unaware.action == "decrease", "without a calendar it takes the holiday for partners who left"


def test_a_holiday_that_the_partners_calendar_does_not_know_is_no_leap() -> None:
    row = holiday_plan(6)
    assert row.target_week == pytest.approx(holiday_plan(2.4).target_week, rel=0.02)
    assert row.action == "hold"


def test_partners_who_are_closed_on_sundays_and_holidays_have_not_left() -> None:
    row = holiday_plan(0, sunday=0)
    assert row.target_week > 0 and row.target_leads_per_day == 0
    assert Reason.CAPACITY_ZERO not in row.reasons


def test_partners_who_left_on_a_holiday_are_seen() -> None:
    row = holiday_plan(0)
    assert row.target_week == 0 and row.action == "decrease"


def test_each_country_has_its_own_holidays() -> None:
    """Of two segments with one history only the one whose country is off expects a Sunday."""
    pairs = [week((6, 2.4), (8, 4), KINGS_DAY, f"s{n}", country=("NL", "BE", "")[n % 3]) for n in range(12)]
    plan = LeadDemandPlanner(NETHERLANDS).plan(*both(*pairs), KINGS_DAY)
    expected = plan.expected_leads_per_day.to_numpy().reshape(-1, 3).mean(0)
    assert expected[0] < 0.65 * expected[1] and expected[1] == pytest.approx(expected[2], rel=0.02)


def test_a_country_has_its_own_holidays_and_one_without_a_calendar_none() -> None:
    found = public_holidays(["NL", "BE", "NL", "XX"], TODAY - dt.timedelta(days=112), TODAY)
    kings_day, national_day = ({dt.date(TODAY.year, *on) for on in pair} for pair in (((4, 27),), ((7, 21),)))
    assert set(found) == {"NL", "BE"}
    assert kings_day & found["NL"] and not kings_day & found["BE"]
    assert national_day <= found["BE"] and not national_day & found["NL"]
