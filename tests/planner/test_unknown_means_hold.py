"""Unknown means hold, proven input by input: each is blanked in a segment that would otherwise be changed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lead_demand.planner.inputs import MAY_BE_ABSENT, NEEDED
from lead_demand.planner.planner import LeadDemandPlanner
from lead_demand.planner.reasons import Reason
from lead_demand.planner.settings import PlannerSettings
from tests.planner.frames import TODAY, both, history, segment

BLANKS = [None, np.nan, pd.NA, pd.NaT, Decimal("NaN"), "n/a"]
MORE, LESS = {"capacity_total_leads": 6}, {"capacity_total_leads": 1}
SEGMENT_INPUTS = {
    "current_budget": Reason.MISSING_CURRENT_BUDGET,
    "min_daily_budget": Reason.MISSING_LIMITS,
    "max_daily_budget": Reason.MISSING_LIMITS,
    "max_increase_pct": Reason.MISSING_LIMITS,
    "max_decrease_pct": Reason.MISSING_LIMITS,
    "cooldown_days": Reason.MISSING_LIMITS,
    "capacity_total_leads": Reason.MISSING_CAPACITY,
    "budget_limited": Reason.BUDGET_LIMITED_UNKNOWN,
}
LIMITS = ("min_daily_budget", "max_daily_budget", "max_increase_pct", "max_decrease_pct", "cooldown_days")


def plan(days: pd.DataFrame, segments: pd.DataFrame, **settings: Any) -> pd.Series:
    return LeadDemandPlanner(PlannerSettings(**settings)).plan(days, segments, TODAY).iloc[0]


def assert_blocked(row: pd.Series, reason: str, budget: Decimal | None = Decimal(80)) -> None:
    assert row.action == "hold"
    assert reason in row.reasons
    assert row.is_blocked
    assert row.new_budget == budget
    assert row.sentence


@pytest.mark.parametrize(("change", "action"), [(MORE, "increase"), (LESS, "decrease")])
def test_the_segments_below_do_change_when_nothing_is_blanked(change: dict[str, int], action: str) -> None:
    assert plan(history(), segment(**change)).action == action


@pytest.mark.parametrize("change", [MORE, LESS])
@pytest.mark.parametrize("blank", BLANKS, ids=repr)
@pytest.mark.parametrize("column", SEGMENT_INPUTS)
def test_a_blank_segment_input_holds(column: str, blank: Any, change: dict[str, int]) -> None:
    row = plan(history(), segment(**{**change, column: blank}))
    assert_blocked(row, SEGMENT_INPUTS[column], None if column == "current_budget" else Decimal(80))


@pytest.mark.parametrize("column", SEGMENT_INPUTS)
def test_an_absent_segment_column_holds(column: str) -> None:
    row = plan(history(), segment(**MORE).drop(columns=column))
    assert_blocked(row, SEGMENT_INPUTS[column], None if column == "current_budget" else Decimal(80))


@pytest.mark.parametrize("column", ["last_change_date", "target_override", "blocks", "name"])
@pytest.mark.parametrize("blank", [None, np.nan, pd.NA], ids=repr)
def test_what_may_be_empty_stops_nothing(column: str, blank: Any) -> None:
    assert plan(history(), segment(**MORE, **{column: blank})).action == "increase"
    assert plan(history(), segment(**MORE).drop(columns=column)).action == "increase"


@pytest.mark.parametrize("change", [MORE, LESS])
@pytest.mark.parametrize("blank", BLANKS, ids=repr)
@pytest.mark.parametrize("column", NEEDED)
def test_a_blank_of_yesterday_holds(column: str, blank: Any, change: dict[str, int]) -> None:
    days = history().astype({column: object})
    days.loc[days.index[-1], column] = blank
    assert_blocked(plan(days, segment(**change)), NEEDED[column])


@pytest.mark.parametrize("column", NEEDED)
def test_a_column_that_was_never_known_holds(column: str) -> None:
    assert_blocked(plan(history(**{column: None}), segment(**MORE)), NEEDED[column])
    if column != MAY_BE_ABSENT:
        assert_blocked(plan(history().drop(columns=column), segment(**MORE)), NEEDED[column])


def test_a_caller_who_says_nothing_of_sources_vouches_for_them() -> None:
    assert plan(history().drop(columns=MAY_BE_ABSENT), segment(**MORE)).action == "increase"


@pytest.mark.parametrize("change", [MORE, LESS])
@pytest.mark.parametrize("column", NEEDED)
def test_a_fourth_blank_within_four_weeks_holds_and_the_days_are_named(column: str, change: dict[str, int]) -> None:
    days = history().astype({column: object})
    days.loc[[30, 41, 54], column] = None
    assert plan(days, segment(**change)).action != "hold"
    days.loc[47, column] = None
    row = plan(days, segment(**change))
    assert_blocked(row, Reason.MISSING_DAYS)
    assert "Missing: 9 March, 2 March, 24 February, 13 February." in row.sentence


@pytest.mark.parametrize("missing", [[55], [28, 35, 42, 54], [20, 55]])
def test_yesterday_or_a_fourth_day_missing_holds(missing: list[int]) -> None:
    assert_blocked(plan(history().drop(index=missing), segment(**MORE)), Reason.MISSING_DAYS)


@pytest.mark.parametrize("missing", [[54], [28, 41, 54], [0, 5, 10, 20], range(3, 24)])
def test_a_few_days_missing_or_a_hole_of_long_ago_are_left_out(missing: list[int]) -> None:
    whole, holed = plan(history(), segment(**MORE)), plan(history().drop(index=list(missing)), segment(**MORE))
    assert holed.action == "increase"
    assert holed.expected_leads_per_day == pytest.approx(whole.expected_leads_per_day, rel=0.02)
    # Nothing is known of such a day, so a little less is known of the segment.
    assert holed.expected_high - holed.expected_low > whole.expected_high - whole.expected_low


def test_how_many_days_may_be_missing_is_a_setting() -> None:
    assert_blocked(plan(history().drop(index=40), segment(**MORE), missing_days=0), Reason.MISSING_DAYS)
    assert plan(history().drop(index=range(40, 45)), segment(**MORE), missing_days=5).action == "increase"


@pytest.mark.parametrize("doubled", [3, 55])
def test_a_doubled_day_holds(doubled: int) -> None:
    days = pd.concat([history(), history().iloc[[doubled]]])
    assert_blocked(plan(days, segment(**MORE)), Reason.DUPLICATE_DAY)


def test_a_doubled_segment_holds_and_gives_one_row() -> None:
    result = LeadDemandPlanner().plan(history(), pd.concat([segment(**MORE)] * 2), TODAY)
    assert len(result) == 1
    assert_blocked(result.iloc[0], Reason.DUPLICATE_SEGMENT, None)


@pytest.mark.parametrize("wrong", [-1, np.inf, -np.inf, Decimal("Infinity")], ids=repr)
@pytest.mark.parametrize("column", [*NEEDED, "google_ads_budget", "capacity_total_leads"])
def test_an_impossible_day_holds(column: str, wrong: Any) -> None:
    days = history().astype({column: object})
    days.loc[10, column] = wrong
    assert_blocked(plan(days, segment(**MORE)), Reason.BAD_INPUT_ROW)


@pytest.mark.parametrize("change", [{"leads_accepted": 9}, {"google_ads_leads": 5}])
def test_counts_that_contradict_each_other_hold(change: dict[str, int]) -> None:
    days = history()
    days.loc[10, list(change)] = list(change.values())
    assert_blocked(plan(days, segment(**MORE)), Reason.BAD_INPUT_ROW)


@pytest.mark.parametrize("date", [None, pd.NaT, "yesterday"], ids=repr)
def test_a_day_without_a_date_holds(date: Any) -> None:
    days = history().astype({"date": object})
    days.loc[10, "date"] = date
    assert_blocked(plan(days, segment(**MORE)), Reason.BAD_INPUT_ROW)


@pytest.mark.parametrize("wrong", [-1, np.inf, Decimal("-Infinity")], ids=repr)
@pytest.mark.parametrize("column", [*SEGMENT_INPUTS, "target_override"])
def test_an_impossible_segment_input_holds(column: str, wrong: Any) -> None:
    row = plan(history(), segment(**{**MORE, column: wrong}))
    unlike_an_amount = {"budget_limited": Reason.BUDGET_LIMITED_UNKNOWN} | dict.fromkeys(LIMITS, Reason.INVALID_LIMITS)
    code = unlike_an_amount.get(column, Reason.BAD_INPUT_ROW)
    assert_blocked(row, code, None if column == "current_budget" else Decimal(80))


@pytest.mark.parametrize("change", [{"min_daily_budget": 300}, {"max_decrease_pct": 101}])
def test_limits_that_contradict_each_other_hold(change: dict[str, int]) -> None:
    assert_blocked(plan(history(), segment(**MORE, **change)), Reason.INVALID_LIMITS)


@pytest.mark.parametrize("change", ["not a date", TODAY + dt.timedelta(days=1)])
def test_a_last_change_that_cannot_be_holds(change: Any) -> None:
    assert_blocked(plan(history(), segment(**MORE, last_change_date=change)), Reason.BAD_INPUT_ROW)


def test_too_little_history_holds() -> None:
    assert_blocked(plan(history(days=13), segment(**MORE)), Reason.TOO_LITTLE_HISTORY)
    assert plan(history(days=14), segment(**MORE)).action == "increase"
    assert_blocked(plan(history().iloc[:0], segment(**MORE)), Reason.TOO_LITTLE_HISTORY)


def test_a_history_that_begins_later_is_no_missing_day() -> None:
    days = history().astype({"google_ads_spend": object})
    days.loc[:20, "google_ads_spend"] = None
    assert plan(days, segment(**MORE)).action == "increase"


def test_too_many_leads_without_a_source_hold() -> None:
    assert_blocked(plan(history(leads_without_source=1), segment(**MORE)), Reason.LEADS_WITHOUT_SOURCE)
    assert plan(history(leads_without_source=0), segment(**MORE)).action == "increase"


@pytest.mark.parametrize("change", [MORE, LESS])
def test_a_tag_that_broke_lately_holds_though_the_window_is_long(change: dict[str, int]) -> None:
    """For 20 of 112 days two of three paid leads lost their source: 8.9% of the window, half of the last two weeks."""
    days = history(days=112)
    broken = days.index[-20:]
    days.loc[broken, ["google_ads_leads", "leads_without_source"]] = [1, 2]
    assert days.leads_without_source.sum() < 0.1 * days.leads_generated.sum()
    assert_blocked(plan(days, segment(**change)), Reason.LEADS_WITHOUT_SOURCE)


def test_one_lead_without_a_source_breaks_no_tag() -> None:
    """A small segment: of its five leads in two weeks one came without a source, of forty in the window as well."""
    fifth = np.arange(112) % 3 == 0
    lead = {"leads_generated": fifth * 1, "leads_accepted": fifth * 1, "leads_rejected": 0, "google_ads_leads": 0}
    days = history(days=112, **lead)
    assert days.leads_generated[-14:].sum() < 10
    days.loc[days.index[-4], "leads_without_source"] = 1
    others = [(history(str(number), days=112), segment(str(number))) for number in range(3)]
    result = LeadDemandPlanner().plan(*both((days, segment(**MORE)), *others), TODAY)
    assert Reason.LEADS_WITHOUT_SOURCE not in result.reasons[0]
    days.loc[days.index[-7], "leads_without_source"] = 1
    again = LeadDemandPlanner().plan(*both((days, segment(**MORE)), *others), TODAY)
    assert Reason.LEADS_WITHOUT_SOURCE in again.reasons[0]


def test_no_lead_at_all_for_days_while_money_is_spent_holds() -> None:
    days = history()
    silent = ["leads_generated", "leads_accepted", "leads_rejected", "google_ads_leads"]
    days.loc[days.index[-3:], silent] = 0
    assert_blocked(plan(days, segment(**MORE)), Reason.TRACKING_OUTAGE)


def test_a_tag_that_breaks_for_everybody_is_seen_on_its_first_day() -> None:
    company = [(history(name), segment(name, **MORE)) for name in ("a", "b", "c", "d")]
    for days, _ in company:
        days.loc[days.index[-1], ["leads_generated", "leads_accepted", "leads_rejected", "google_ads_leads"]] = 0
    result = LeadDemandPlanner().plan(*both(*company), TODAY)
    assert (result.action == "hold").all()
    assert result.reasons.map(lambda codes: Reason.TRACKING_OUTAGE in codes).all()
    alone = plan(*company[0])
    assert Reason.TRACKING_OUTAGE not in alone.reasons


def test_an_outage_that_is_over_does_not_count_against_the_segment() -> None:
    days = history()
    days.loc[30:40, ["leads_generated", "leads_accepted", "leads_rejected", "google_ads_leads"]] = 0
    steady, after = plan(history(), segment()), plan(days, segment())
    assert after.action == "hold"
    assert after.paid_rate == pytest.approx(steady.paid_rate, rel=0.01)
    assert after.expected_leads_per_day == pytest.approx(steady.expected_leads_per_day, rel=0.01)


@pytest.mark.parametrize(
    "code", ["learning", "foreign_edit", "shared_budget", "automation_off", "stale_channel", "something_new"]
)
@pytest.mark.parametrize("wrap", [list, tuple, set, lambda codes: np.array(codes, dtype=object), "".join])
def test_what_was_found_upstream_holds_with_that_code(code: str, wrap: Any) -> None:
    for change in (MORE, LESS):
        row = plan(history(), segment(**change, blocks=wrap([code])))
        assert row.action == "hold"
        assert code in row.reasons
        assert row.is_blocked == (code in {"stale_channel", "something_new"})


def test_what_a_segment_without_a_campaign_lacks_is_not_unknown() -> None:
    bare = segment(current_budget=None, min_daily_budget=None, budget_limited=None, blocks=["no_campaign"])
    row = plan(history(google_ads_spend=None, google_ads_budget=None), bare)
    assert row.reasons == [Reason.NO_CAMPAIGN]
    assert_blocked(row, Reason.NO_CAMPAIGN, None)


@pytest.mark.parametrize("code", [reason.value for reason in Reason])
def test_no_code_found_upstream_is_ever_lost(code: str) -> None:
    row = plan(history(), segment(**MORE, blocks=[code]))
    assert row.action == "hold"
    assert code in row.reasons


def test_nobody_decided_any_lead_yet() -> None:
    days = history(leads_accepted=0, leads_rejected=0, leads_pending=4)
    assert_blocked(plan(days, segment(**MORE)), Reason.MISSING_ACCEPTANCE)


def test_one_bad_segment_stops_no_other() -> None:
    alone = plan(history(), segment(**MORE))
    days, segments = both((history(), segment(**MORE)), (history("b", leads_rejected=None), segment("b", **MORE)))
    result = LeadDemandPlanner().plan(days, segments, TODAY)
    assert result.action.tolist() == ["increase", "hold"]
    assert result.new_budget[0] == alone.new_budget


def test_an_estimate_from_unusable_counts_is_not_shown() -> None:
    row = plan(history(google_ads_spend=None), segment(**MORE))
    assert np.isnan([row.expected_leads_per_day, row.expected_low, row.expected_high, row.gap_exact]).all()


@pytest.mark.parametrize("segments", [segment(), segment().iloc[:0], pd.DataFrame()], ids=["one", "none", "bare"])
@pytest.mark.parametrize("days", [history(), history().iloc[:0], pd.DataFrame()], ids=["some", "none", "bare"])
def test_empty_frames_are_no_error(days: pd.DataFrame, segments: pd.DataFrame) -> None:
    result = LeadDemandPlanner(PlannerSettings(total_daily_cap=Decimal(100))).plan(days, segments, TODAY)
    assert len(result) == len(segments)
    assert {"segment_id", "action", "new_budget", "reasons", "sentence", "is_blocked"} <= set(result.columns)
