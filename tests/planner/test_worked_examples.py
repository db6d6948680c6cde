"""Cases that a marketer would recognise, with the numbers written out."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest

from lead_demand.planner.planner import LeadDemandPlanner
from lead_demand.planner.reasons import Reason
from lead_demand.planner.settings import PlannerSettings
from tests.planner.frames import TODAY, both, history, segment


def plan(days: pd.DataFrame, segments: pd.DataFrame, **settings: Any) -> pd.DataFrame:
    return LeadDemandPlanner(PlannerSettings(**settings)).plan(days, segments, TODAY)


def one(days: pd.DataFrame, segments: pd.DataFrame, **settings: Any) -> pd.Series:
    return plan(days, segments, **settings).iloc[0]


def ago(days: int) -> dt.date:
    return TODAY - dt.timedelta(days=days)


def test_partners_get_what_they_take() -> None:
    row = one(history(), segment())
    assert (row.action, row.new_budget) == ("hold", Decimal(80))
    assert row.reasons == [Reason.WITHIN_DEAD_BAND, Reason.NOT_SIGNIFICANT]
    assert not row.is_blocked
    assert row.target_leads_per_day == pytest.approx(4, rel=0.01)
    assert row.expected_leads_per_day == pytest.approx(4, rel=0.01)
    assert row.sentence == (
        "Schilder Utrecht: 4 of 4 leads per day expected (3.3–4.7). Budget stays €80: the gap is within the dead band."
    )


def test_a_new_partner_wants_more() -> None:
    row = one(history(), segment(capacity_total_leads=5))
    assert (row.action, row.new_budget) == ("increase", Decimal(96))
    assert row.reasons == [Reason.STEP_LIMIT, Reason.BELOW_CAPACITY]
    assert row.sentence == (
        "Schilder Utrecht: 4 of 6.7 leads per day expected (3.3–4.7). Budget €80 → €96 (+20%, step limit): should "
        "bring 4.4 per day over the week, 0.4 more. Once made, the next not before 14 March, unless capacity moves, "
        "the month is short or a full step was not enough."
    )


def test_in_a_dry_run_no_sentence_says_when_the_next_change_may_come() -> None:
    proposed = one(history(), segment(capacity_total_leads=5), dry_run=True)
    assert proposed.sentence.endswith("should bring 4.4 per day over the week, 0.4 more. Dry run: it is not made.")
    days = history(capacity_total_leads=5)
    cooling = one(days, segment(capacity_total_leads=5, last_change_date=ago(1)), dry_run=True)
    assert cooling.reasons[0] == Reason.COOL_DOWN
    assert "not before" not in proposed.sentence + cooling.sentence


def test_a_partner_leaves() -> None:
    row = one(history(), segment(capacity_total_leads=2, max_decrease_pct=70))
    assert row.action == "decrease"
    assert row.reasons == [Reason.ABOVE_CAPACITY]
    # 2.67 leads are wanted and 1 is free: 1.67 of the 3 paid leads, for (1.67 / 3) ** (1 / 0.7) of the money.
    assert float(row.new_budget) == pytest.approx(80 * (5 / 9) ** (1 / 0.7), rel=0.02)


def test_free_leads_are_used_before_paid_ones() -> None:
    free_only = history(google_ads_leads=1, leads_generated=5, leads_accepted=4)
    row = one(free_only, segment(capacity_total_leads=2))
    assert (row.action, row.new_budget) == ("decrease", Decimal(56))
    assert row.wanted_budget == 0


def test_not_yet_decided_is_not_rejected() -> None:
    days = history()
    days.loc[days.index[-6:], ["leads_accepted", "leads_rejected", "leads_pending"]] = [0, 0, 4]
    row = one(days, segment())
    assert row.acceptance_rate == pytest.approx(0.75, abs=0.01)
    assert row.action == "hold"


def test_partners_take_nothing() -> None:
    row = one(history(), segment(capacity_total_leads=0))
    assert (row.action, row.new_budget) == ("decrease", Decimal(56))
    assert Reason.CAPACITY_ZERO in row.reasons
    at_floor = one(history(), segment(capacity_total_leads=0, min_daily_budget=80))
    assert at_floor.action == "hold"
    assert Reason.AT_FLOOR in at_floor.reasons


@pytest.mark.parametrize("cap", [0, 200])
@pytest.mark.parametrize(("unit", "least"), [("0.01", "0.01"), ("1", "1")])
def test_a_step_of_the_whole_budget_leaves_the_smallest_amount_that_can_be_billed(
    unit: str, least: str, cap: int
) -> None:
    free = {"min_daily_budget": 0, "max_decrease_pct": 100, "max_daily_budget": cap, "capacity_total_leads": 0}
    row = one(history(), segment(**free), currency_unit=Decimal(unit))
    assert (row.action, row.new_budget) == ("decrease", Decimal(least))
    there = one(history(), segment(**free, current_budget=Decimal(least)), currency_unit=Decimal(unit))
    assert (there.action, there.new_budget) == ("hold", Decimal(least))


def test_the_campaign_does_not_spend_its_budget() -> None:
    row = one(history(google_ads_spend=Decimal(50)), segment(capacity_total_leads=6, budget_limited=False))
    assert (row.action, row.new_budget) == ("hold", Decimal(80))
    assert row.reasons == [Reason.NOT_BUDGET_LIMITED, Reason.BELOW_CAPACITY]
    less = one(history(google_ads_spend=Decimal(50)), segment(capacity_total_leads=2, budget_limited=False))
    assert less.new_budget == Decimal(56)


def test_the_last_change_is_too_recent() -> None:
    row = one(history(), segment(capacity_total_leads=3.5, last_change_date=ago(2), cooldown_days=3))
    assert row.reasons == [Reason.COOL_DOWN, Reason.BELOW_CAPACITY]
    assert "Next change not before 12 March, unless capacity moves" in row.sentence
    assert one(history(), segment(capacity_total_leads=3.5, last_change_date=ago(3))).action == "increase"


@pytest.mark.parametrize(("capacity", "action"), [(3.6, "hold"), (3.61, "increase"), (2.4, "hold"), (2.39, "decrease")])
def test_a_move_of_capacity_waives_the_cool_down(capacity: float, action: str) -> None:
    row = one(history(), segment(capacity_total_leads=capacity, last_change_date=ago(1)))
    assert row.action == action
    assert (Reason.CAPACITY_MOVED in row.reasons) == (action != "hold")


def test_capacity_that_rose_lowers_no_budget_before_its_time() -> None:
    one_partner = {"last_change_date": ago(1), "capacity_total_leads": 2}  # 4 leads are expected, 2.7 are wanted
    rose, fell = one(history(capacity_total_leads=1), segment(**one_partner)), one(history(), segment(**one_partner))
    assert (rose.action, fell.action) == ("hold", "decrease")
    assert Reason.COOL_DOWN in rose.reasons
    assert Reason.CAPACITY_MOVED in fell.reasons


def test_never_twice_on_one_day() -> None:
    assert one(history(), segment(capacity_total_leads=3.5, cooldown_days=0, last_change_date=TODAY)).action == "hold"


@pytest.mark.parametrize(
    ("limits", "new", "reason"),
    [
        ({"max_daily_budget": 90}, 90, Reason.AT_CAP),
        ({"max_daily_budget": 80}, 80, Reason.AT_CAP),
        ({"max_daily_budget": 70}, 70, Reason.ABOVE_CAP),
        ({"max_daily_budget": 20}, 56, Reason.ABOVE_CAP),
        ({"min_daily_budget": 90}, 96, Reason.BELOW_FLOOR),
        ({"min_daily_budget": 150}, 96, Reason.BELOW_FLOOR),
    ],
)
def test_floor_and_cap_of_a_segment_that_wants_more(limits: dict[str, int], new: int, reason: Reason) -> None:
    row = one(history(), segment(capacity_total_leads=5, **limits))
    assert row.new_budget == new
    assert reason in row.reasons


def test_limits_bind_even_where_nothing_else_would_change() -> None:
    lowered = one(history(), segment(max_daily_budget=70))
    assert (lowered.new_budget, lowered.reasons) == (70, [Reason.ABOVE_CAP])
    assert "(−12%, toward the cap)" in lowered.sentence
    # A cap that is further away than one step is approached step by step.
    far = one(history(), segment(max_daily_budget=20))
    assert (far.new_budget, far.reasons) == (56, [Reason.ABOVE_CAP, Reason.STEP_LIMIT])
    assert "(−30%, toward the cap, step limit)" in far.sentence
    assert one(history(), segment(min_daily_budget=90)).new_budget == 90
    assert one(history(), segment(min_daily_budget=90, budget_limited=False)).new_budget == 80


def test_a_budget_above_its_cap_goes_down_even_where_it_is_not_what_limits_the_leads() -> None:
    row = one(history(), segment(max_daily_budget=70, budget_limited=False, capacity_total_leads=9))
    assert (row.action, row.new_budget) == ("decrease", 70)
    assert Reason.NOT_BUDGET_LIMITED not in row.reasons


def test_odd_cents_stay_inside_the_step() -> None:
    up = one(history(), segment(capacity_total_leads=9, current_budget=Decimal("33.33"), max_increase_pct=7))
    assert up.new_budget == Decimal("35.66")  # 35.6631 rounded down
    down = one(history(), segment(capacity_total_leads=0, current_budget=Decimal("33.33"), max_decrease_pct=7))
    assert down.new_budget == Decimal("31.00")  # 30.9969 rounded up
    stuck = one(history(), segment(capacity_total_leads=9, current_budget=Decimal("0.04"), min_daily_budget=0))
    assert stuck.reasons == [Reason.SMALLER_THAN_UNIT, Reason.BELOW_CAPACITY]
    yen = one(
        history(), segment(capacity_total_leads=9, current_budget=333, max_daily_budget=900), currency_unit=Decimal(1)
    )
    assert yen.new_budget == 399  # 399.6 rounded down


def test_a_target_set_by_a_person_is_kept() -> None:
    row = one(history(), segment(target_override=8))
    assert row.target_leads_per_day == 8
    assert row.action == "increase"
    assert Reason.TARGET_SET_BY_PERSON in row.reasons
    blocked = one(history(google_ads_spend=None), segment(target_override=8))
    assert (blocked.target_leads_per_day, blocked.action) == (8, "hold")


def test_the_total_cap_goes_to_the_largest_gap_first() -> None:
    company = both(
        (history("small"), segment("small", capacity_total_leads=4)),
        (history("large"), segment("large", capacity_total_leads=9)),
        (history("less"), segment("less", capacity_total_leads=1)),
    )
    # 240 today, so 20 is left for increases of 16 each. The decrease of `less` frees nothing yet: it may be refused.
    result = plan(*company, total_daily_cap=Decimal(260)).set_index("segment_id")
    assert result.new_budget.to_dict() == {"small": Decimal(84), "large": Decimal(96), "less": Decimal(56)}
    assert Reason.TOTAL_CAP in result.reasons["small"]
    assert Reason.TOTAL_CAP not in result.reasons["large"]
    daily = plan(*company, max_daily_increase=Decimal(10)).set_index("segment_id")
    assert daily.new_budget.to_dict() == {"small": Decimal(80), "large": Decimal(90), "less": Decimal(56)}
    assert daily.action["small"] == "hold"
    assert Reason.DAILY_INCREASE_LIMIT in daily.reasons["small"]


def test_a_budget_that_is_not_known_counts_as_its_cap() -> None:
    more = segment(capacity_total_leads=9)
    unknown = (history("b"), segment("b", current_budget=None, max_daily_budget=100))
    assert plan(*both((history(), more), unknown), total_daily_cap=Decimal(190)).new_budget[0] == 90
    neither = (history("b"), segment("b", current_budget=None, max_daily_budget=None))
    row = plan(*both((history(), more), neither), total_daily_cap=Decimal(10_000)).iloc[0]
    assert Reason.TOTAL_BUDGET_UNKNOWN in row.reasons
    assert row.is_blocked
    nothing = (history("b"), segment("b", current_budget=None, max_daily_budget=None, blocks=["no_campaign"]))
    assert plan(*both((history(), more), nothing), total_daily_cap=Decimal(10_000)).new_budget[0] == 96


def test_a_large_increase_is_asked_of_a_person() -> None:
    wanted = segment(capacity_total_leads=9)
    assert one(history(), wanted, approval_threshold=Decimal(15)).needs_approval
    assert not one(history(), wanted, approval_threshold=Decimal(16)).needs_approval
    assert "Waits for approval." in one(history(), wanted, approval_threshold=Decimal(15)).sentence


def test_a_small_segment_leans_on_the_others() -> None:
    quiet = {"leads_generated": 0, "leads_accepted": 0, "leads_rejected": 0, "google_ads_leads": 0}
    young = history("young", days=14, google_ads_spend=5, google_ads_budget=5, **quiet)
    others = [(history(str(number)), segment(str(number))) for number in range(8)]
    result = plan(*both(*others, (young, segment("young", current_budget=5, min_daily_budget=1))))
    assert result.iloc[-1].paid_rate > 0.01


def test_ids_and_numbers_of_any_make() -> None:
    key = uuid4()
    days = history(key).convert_dtypes().assign(segment_id=str(key), date=lambda rows: pd.to_datetime(rows.date))
    days["leads_generated"] = days["leads_generated"].astype("Int64")
    row = one(days, segment(key, capacity_total_leads="5", current_budget=80.1, code="schilder_utrecht", name=None))
    assert row.segment_id == key
    assert row.new_budget == Decimal("96.12")
    assert row.sentence.startswith("Schilder Utrecht: ")


def test_ten_thousand_segments_in_seconds() -> None:
    count = 10_000
    days = pd.concat([history()] * count, ignore_index=True)
    keys = [f"s{number:05}" for number in range(count)]
    days["segment_id"] = pd.Series(keys).repeat(56).to_numpy()
    segments = pd.concat([segment(capacity_total_leads=4)] * count, ignore_index=True).assign(segment_id=keys)
    started = time.process_time()
    result = plan(days, segments, total_daily_cap=Decimal(810_000))
    assert time.process_time() - started < 6  # about 1.5 s on a quiet machine
    assert (result.action == "increase").sum() == 625  # €10,000 for increases of €16


def stepped(factor: float, days_ago: int = 1, **columns: Any) -> pd.Series:
    """A segment that wants more, whose budget was changed some days ago to the €80 of today."""
    days = history(capacity_total_leads=columns["capacity_total_leads"])
    days["google_ads_budget"] = [Decimal(80) / Decimal(str(factor))] * (56 - days_ago) + [Decimal(80)] * days_ago
    return one(days, segment(last_change_date=ago(days_ago), **columns))


def test_a_full_step_that_was_not_enough_is_followed_at_once() -> None:
    row = stepped(1.2, capacity_total_leads=6)
    assert (row.action, row.new_budget) == ("increase", Decimal(96))
    assert Reason.FOLLOW_THROUGH in row.reasons
    assert "a further step, no cool-down" in row.sentence


@pytest.mark.parametrize(
    ("factor", "days_ago", "columns"),
    [
        (1.1, 1, {"capacity_total_leads": 6}),  # a smaller step: it was thought to be enough
        (0.7, 1, {"capacity_total_leads": 6}),  # the other way
        (1.2, 0, {"capacity_total_leads": 6}),  # of today
        (1.2, 1, {"capacity_total_leads": 3.5}),  # the gap may be chance
    ],
)
def test_any_other_change_is_waited_out(factor: float, days_ago: int, columns: dict[str, Any]) -> None:
    row = stepped(factor, days_ago, **columns)
    assert row.action == "hold"
    assert Reason.COOL_DOWN in row.reasons


def test_follow_through_can_be_switched_off() -> None:
    budgets = [Decimal(80) / Decimal("1.2")] * 55 + [Decimal(80)]
    days = history(google_ads_budget=budgets, capacity_total_leads=6)
    row = one(days, segment(capacity_total_leads=6, last_change_date=ago(1)), follow_through=None)
    assert row.action == "hold"


@pytest.mark.parametrize(("slow", "fast"), [("leads_rejected", "leads_accepted"), ("leads_accepted", "leads_rejected")])
def test_a_verdict_that_takes_longer_is_not_taken_for_a_rarer_one(slow: str, fast: str) -> None:
    """Of 12 leads per day partners accept 6 in the end; one verdict comes within a day, the other in ten."""
    age = np.arange(112, 0, -1)
    known = np.minimum(age / 10, 1)
    counts = {slow: np.floor(6 * known), fast: np.full(112, 6.0)}
    counts["leads_pending"] = 12 - counts[slow] - counts[fast]
    days = history(days=112, leads_generated=12, google_ads_leads=10, **counts)
    row = one(days, segment(capacity_total_leads=6))
    raw = days.leads_accepted.sum() / (days.leads_accepted + days.leads_rejected).sum()
    assert abs(row.acceptance_rate - 0.5) < min(0.015, abs(raw - 0.5))


def test_partners_who_became_choosier_are_believed_once_all_is_decided() -> None:
    """Every lead of yesterday and before is decided, so that no verdict can be late."""
    days = history(days=112, leads_generated=12, google_ads_leads=10, leads_accepted=9, leads_rejected=3)
    days.loc[days.index[-28:], ["leads_accepted", "leads_rejected"]] = [3, 9]
    assert one(days, segment(capacity_total_leads=6)).acceptance_rate < 0.4


def test_a_campaign_that_leaves_a_quarter_of_its_budget_is_not_limited_by_it_whatever_google_says() -> None:
    row = one(history(google_ads_spend=Decimal(60)), segment(capacity_total_leads=6, budget_limited=True))
    assert (row.action, row.new_budget) == ("hold", Decimal(80))
    assert Reason.NOT_BUDGET_LIMITED in row.reasons
    nearly_all = one(history(google_ads_spend=Decimal(75)), segment(capacity_total_leads=6, budget_limited=True))
    assert nearly_all.action == "increase"
