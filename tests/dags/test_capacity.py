"""What partners can take: read from the company's tables, recorded by `lead_stats`, decided on by `lead_budgets`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lead_demand import day
from lead_demand.reasons import Reason
from sandbox.partners import play
from tests.fixtures.morning import Morning

BRABANT, UTRECHT = "schilder_noord_brabant", "schilder_utrecht"
YESTERDAY = day.latest_whole_day()
LATEST = """
select segments.code, stats.capacity_partners as partners, stats.capacity_total_leads as leads
from lead_segments as segments
join lead_generation_stats as stats on segments.id = stats.segment_id and stats.date = lead_today() - 1
"""
FETCHES = "select count(*) from channel_fetches where channel = 'partner_capacity'"


def capacities(morning: Morning) -> dict[str, tuple[int, int | None]]:
    """Partners and leads a day by segment, as the planner is told."""
    return {row["code"]: (row["partners"], row["leads"]) for row in morning.db.fetch(LATEST)}


def happens(morning: Morning, shape: str, *segments: str, **values: Any) -> None:
    play(morning.db.owner_url, shape, segments, **values)


def still_open(morning: Morning, name: str) -> list[dict[str, Any]]:
    return [row for row in morning.findings(name) if row["resolved_at"] is None]


def advised(morning: Morning, name: str) -> dict[str, Any]:
    (found,) = still_open(morning, name)
    return found


def before_the_first_run(morning: Morning) -> None:
    """As if nothing had been read today."""
    morning.db.fetch("delete from channel_metrics where channel = 'partner_capacity' and date = lead_today() - 1")
    morning.db.fetch(
        "update lead_generation_stats set capacity_partners = null, capacity_total_leads = null "
        "where date = lead_today() - 1"
    )
    morning.db.fetch("delete from channel_fetches where channel = 'partner_capacity'")


# No partners: known, and 0


@pytest.mark.parametrize("first_run", [True, False], ids=["before the first run", "between two runs"])
def test_a_segment_whose_partners_all_left_has_capacity_0_and_goes_toward_its_floor(
    morning: Morning, first_run: bool
) -> None:
    if first_run:
        before_the_first_run(morning)
    happens(morning, "leave", BRABANT)
    assert morning.run("lead_stats").state == "success"
    assert capacities(morning)[BRABANT] == (0, 0)
    assert advised(morning, "segment_without_partners")["level"] == "warn"
    assert morning.run("lead_budgets").state == "success"
    decision = morning.decisions()[BRABANT]
    assert (decision["action"], decision["target_leads_per_day"]) == ("decrease", 0)
    assert Reason.CAPACITY_ZERO in decision["reasons"] and Reason.CAPACITY_LEAP not in decision["reasons"]
    assert decision["new_budget"] < decision["old_budget"]

    happens(morning, "return", BRABANT)
    morning.run("lead_stats")
    assert capacities(morning)[BRABANT] == (4, 12)
    assert not still_open(morning, "segment_without_partners"), "the advice closes it"


def test_a_segment_that_never_had_a_partner_has_capacity_0_until_it_is_deactivated(morning: Morning) -> None:
    morning.db.fetch(
        "insert into lead_segments (code, branch, region) values ('glaszetter_drenthe', 'glaszetter', 'drenthe')"
    )
    assert morning.run("lead_stats").state == "success"
    assert capacities(morning)["glaszetter_drenthe"] == (0, 0)
    assert "glaszetter_drenthe" in advised(morning, "segment_without_partners")["detail"]
    morning.db.fetch("update lead_segments set is_active = false where code = 'glaszetter_drenthe'")
    morning.run("lead_stats")
    assert not still_open(morning, "segment_without_partners")


def test_a_second_run_of_a_morning_lowers_the_capacity_again(morning: Morning) -> None:
    happens(morning, "enter", BRABANT, daily_leads=9)
    morning.run("lead_stats")
    raised = capacities(morning)[BRABANT]
    happens(morning, "enter", BRABANT, daily_leads=1)
    morning.run("lead_stats")
    assert (raised, capacities(morning)[BRABANT]) == ((4, 18), (4, 10))


def test_an_old_day_or_a_backfill_never_records_what_partners_take_now(morning: Morning) -> None:
    past = (
        "select date, segment_id, capacity_partners, capacity_total_leads from channel_metrics "
        "where channel = 'partner_capacity' and date < lead_today() - 1 order by 1, 2"
    )
    recorded, fetches = morning.db.fetch(past), morning.db.value(FETCHES)
    happens(morning, "leave", BRABANT)
    happens(morning, "enter", UTRECHT, daily_leads=4)
    assert morning.run("lead_stats", run_type="backfill", day=YESTERDAY - timedelta(days=9)).state == "success"
    asked = {"from": str(YESTERDAY - timedelta(days=12)), "to": str(YESTERDAY - timedelta(days=3))}
    assert morning.run("lead_stats", conf=asked).state == "success"
    assert morning.db.fetch(past) == recorded
    assert morning.db.value(FETCHES) == fetches and not morning.findings("segment_without_partners")


# A source that lost its partners


@pytest.mark.parametrize("shape", ["emptied", "partners_emptied", "row_security", "hidden_capacity", "grant_lost"])
def test_a_source_that_lost_its_partners_fails_and_no_earlier_capacity_is_used(morning: Morning, shape: str) -> None:
    fetches, before = morning.db.value(FETCHES), capacities(morning)
    happens(morning, shape)
    run = morning.run("lead_stats")
    assert run.tasks["pull_channels.pull_partner_capacity"] == "failed"
    assert morning.db.value(FETCHES) == fetches, "nothing counts as read"
    assert capacities(morning) == before
    assert advised(morning, "capacity_source_failed")["level"] == "stop"
    assert not still_open(morning, "segment_without_partners"), "a failed source says nothing of a segment"
    morning.run("lead_budgets")
    decisions = morning.decisions()
    assert all(decision["action"] == "hold" for decision in decisions.values())
    assert all(Reason.STALE_CHANNEL in decision["reasons"] for decision in decisions.values())
    morning.assert_log_is_the_truth()

    if shape == "grant_lost":
        happens(morning, "repaired")
        assert morning.run("lead_stats").state == "success"
        assert not still_open(morning, "capacity_source_failed"), "the advice closes it"
        morning.run("lead_budgets")
        assert Reason.STALE_CHANNEL not in morning.decisions()[BRABANT]["reasons"]


def test_most_segments_without_partners_at_once_are_a_failed_source_and_some_are_not(morning: Morning) -> None:
    known = sorted(code for code, (_, leads) in capacities(morning).items() if leads)
    half = len(known) // 2
    happens(morning, "leave", *known[:half])
    assert morning.run("lead_stats").state == "success"
    assert [capacities(morning)[code] for code in known[:half]] == [(0, 0)] * half
    # What this morning's first run recorded is no excuse: together they are more than half of yesterday's.
    happens(morning, "leave", *known[half : half + 2])
    assert morning.run("lead_stats").tasks["pull_channels.pull_partner_capacity"] == "failed"
    assert f"{half + 2} of the {len(known)} segments" in advised(morning, "capacity_source_failed")["detail"]


def test_a_person_confirms_for_the_day_that_the_partners_are_gone(morning: Morning) -> None:
    happens(morning, "partners_emptied")
    assert morning.run("lead_stats").tasks["pull_channels.pull_partner_capacity"] == "failed"
    advice = advised(morning, "capacity_source_failed")["remediation"]
    assert "capacity_confirmations today, with segment_id NULL and confirmed_capacity 0" in advice
    earlier = morning.db.value(
        "insert into capacity_confirmations (confirmed_capacity, confirmed_at) values (0, now() - interval '1 day') "
        "returning id"
    )
    assert morning.run("lead_stats").tasks["pull_channels.pull_partner_capacity"] == "failed", "of another day"
    morning.db.fetch("update capacity_confirmations set confirmed_at = now() where id = %s", [earlier])
    assert morning.run("lead_stats").state == "success"
    assert set(capacities(morning).values()) == {(0, 0)}
    assert not still_open(morning, "capacity_source_failed"), "the advice closes it"
    # The day after, no partner is what is known: it needs no second confirmation.
    morning.db.fetch(
        "update channel_metrics set date = date - 1 where channel = 'partner_capacity' "
        "and date = lead_today() - 1 and not exists (select from channel_metrics as m where "
        "m.segment_id = channel_metrics.segment_id and m.channel = 'partner_capacity' "
        "and m.date = channel_metrics.date - 1)"
    )
    morning.db.fetch(
        "update channel_metrics set capacity_partners = 0, capacity_total_leads = 0 "
        "where channel = 'partner_capacity' and date = lead_today() - 2"
    )
    morning.db.fetch("update capacity_confirmations set confirmed_at = now() - interval '1 day'")
    assert morning.run("lead_stats").state == "success"


# Figures that cannot be, or that nobody knows


@pytest.mark.parametrize("figure", ["-3", "3000000000", "NaN", "Infinity"])
def test_a_figure_that_cannot_be_is_named_and_holds_its_segment_alone(morning: Morning, figure: str) -> None:
    happens(morning, "wide_figures")
    happens(morning, "enter", BRABANT, daily_leads=figure)
    assert morning.run("lead_stats").state == "success"
    assert capacities(morning)[BRABANT] == (4, None) and capacities(morning)[UTRECHT][1]
    found = advised(morning, "capacity_impossible")
    assert figure in found["detail"] and found["subject"] == "partner 101"
    morning.run("lead_budgets")
    assert Reason.MISSING_CAPACITY in morning.decisions()[BRABANT]["reasons"]
    assert morning.decisions()[UTRECHT]["action"] == "decrease"
    happens(morning, "enter", BRABANT, daily_leads="3.0")
    morning.run("lead_stats")
    assert capacities(morning)[BRABANT] == (4, 12) and not still_open(morning, "capacity_impossible")


def test_a_sum_that_no_segment_can_take_is_named_and_stops_no_other(morning: Morning) -> None:
    happens(morning, "wide_figures")
    morning.db.fetch("update partner_capacity set daily_leads = 2147483647 where partner_id in (101, 102)")
    assert morning.run("lead_stats").state == "success"
    assert capacities(morning)[BRABANT] == (4, None) and capacities(morning)[UTRECHT][1]
    assert "together" in advised(morning, "capacity_impossible")["detail"]


@pytest.mark.parametrize("shape", ["forget", "never_entered"])
def test_one_partner_of_unknown_capacity_makes_the_sum_unknown_and_is_named(morning: Morning, shape: str) -> None:
    happens(morning, shape, BRABANT)
    assert morning.run("lead_stats").state == "success"
    assert capacities(morning)[BRABANT] == (4, None)
    (found,) = [row for row in still_open(morning, "capacity_unknown") if BRABANT in row["detail"]]
    assert "partner 101" in found["detail"]
    morning.db.fetch(
        "insert into partner_capacity select id, branch, region, 3 from partners where id = 101 "
        "on conflict (partner_id, branch, region) do update set daily_leads = 3"
    )
    morning.run("lead_stats")
    assert capacities(morning)[BRABANT] == (4, 12)
    assert BRABANT not in str([row["detail"] for row in still_open(morning, "capacity_unknown")])


# Capacity that leaps


def leaps_to(morning: Morning, figure: int) -> dict[str, Any]:
    """The decision on Noord-Brabant, where 12 a day are usual, after its first partner entered a figure."""
    happens(morning, "steady", BRABANT, daily_leads=12)
    happens(morning, "enter", BRABANT, daily_leads=figure)
    assert morning.run("lead_stats").state == "success"
    assert morning.run("lead_budgets").state == "success"
    return morning.decisions()[BRABANT]


def test_capacity_that_leaps_up_holds_until_a_person_confirms_it(morning: Morning) -> None:
    held = leaps_to(morning, 99_999)
    assert (held["action"], held["is_blocked"], held["new_budget"]) == ("hold", True, held["old_budget"])
    assert Reason.CAPACITY_LEAP in held["reasons"] and held["inputs"]["capacity_usual"] == 12
    assert morning.decisions()[UTRECHT]["action"] == "decrease", "the others go on"
    found = advised(morning, "capacity_leap")
    assert found["level"] == "stop" and "100008" in found["detail"]
    segment = morning.db.value("select id from lead_segments where code = %s", [BRABANT])
    assert f"capacity_confirmations with segment_id {segment} and confirmed_capacity 100008" in found["remediation"]

    morning.db.fetch(
        "insert into capacity_confirmations (segment_id, confirmed_capacity) values (%s, 100008)", [segment]
    )
    assert morning.run("lead_stats").state == "success"
    assert not still_open(morning, "capacity_leap"), "the advice closes it"
    morning.run("lead_budgets")
    assert morning.decisions()[BRABANT]["action"] == "increase"


def test_capacity_that_is_corrected_is_no_leap_any_more(morning: Morning) -> None:
    leaps_to(morning, 99_999)
    happens(morning, "enter", BRABANT, daily_leads=3)
    morning.run("lead_stats")
    assert not still_open(morning, "capacity_leap")
    morning.run("lead_budgets")
    assert morning.decisions()[BRABANT]["action"] == "increase"


def test_capacity_that_falls_by_more_than_the_bound_holds_too(morning: Morning) -> None:
    happens(morning, "steady", BRABANT, daily_leads=60)
    morning.run("lead_stats")
    morning.run("lead_budgets")
    assert Reason.CAPACITY_LEAP in morning.decisions()[BRABANT]["reasons"]


def test_partners_who_are_there_and_all_say_0_are_a_leap_and_partners_who_left_are_not(morning: Morning) -> None:
    morning.db.fetch("update partner_capacity set daily_leads = 0 where partner_id between 101 and 199")
    morning.run("lead_stats")
    morning.run("lead_budgets")
    held = morning.decisions()[BRABANT]
    assert capacities(morning)[BRABANT] == (4, 0) and Reason.CAPACITY_LEAP in held["reasons"]


def leap_of(morning: Morning) -> list[dict[str, Any]]:
    """What is a leap now, after the day was read again."""
    assert morning.run("lead_stats").state == "success"
    return [row for row in still_open(morning, "capacity_leap") if BRABANT in row["detail"]]


def test_a_level_that_stood_for_some_days_is_believed(morning: Morning) -> None:
    happens(morning, "steady", BRABANT, daily_leads=12)
    happens(morning, "enter", BRABANT, daily_leads=90)
    happens(morning, "stood", BRABANT, days=3)
    (found,) = leap_of(morning)
    assert "for 5 days (now 4)" in found["detail"]
    happens(morning, "stood", BRABANT, days=4)
    assert not leap_of(morning)


def test_the_bounds_are_settings_of_marketing(morning: Morning) -> None:
    happens(morning, "steady", BRABANT, daily_leads=12)
    happens(morning, "enter", BRABANT, daily_leads=40)
    assert leap_of(morning)
    morning.set(max_capacity_rise=10)
    assert not leap_of(morning)
    morning.set(max_capacity_rise=2, min_capacity_leap=50)
    assert not leap_of(morning)
    morning.set(min_capacity_leap=5, capacity_leap_days=1)
    assert not leap_of(morning)


def test_a_few_leads_more_are_no_leap_whatever_their_ratio(morning: Morning) -> None:
    happens(morning, "steady", BRABANT, daily_leads=1)
    morning.db.fetch("update partner_capacity set daily_leads = 1 where partner_id between 101 and 199")
    assert not leap_of(morning), "from 1 to 4"
    happens(morning, "enter", BRABANT, daily_leads=4)
    assert leap_of(morning), "from 1 to 7"


def test_partners_who_take_little_on_one_weekday_do_not_hold_it(morning: Morning) -> None:
    happens(morning, "steady", BRABANT, daily_leads=30)
    happens(morning, "quiet_weekday", BRABANT, daily_leads=2)
    assert not leap_of(morning)
    assert capacities(morning)[BRABANT] == (4, 2)
    happens(morning, "steady", BRABANT, daily_leads=30)
    assert leap_of(morning), "it was never so on this weekday"


def test_a_confirmation_ends(morning: Morning) -> None:
    happens(morning, "steady", BRABANT, daily_leads=12)
    happens(morning, "enter", BRABANT, daily_leads=90)
    morning.db.fetch(
        "insert into capacity_confirmations (segment_id, confirmed_capacity) select id, 99 from "
        "lead_segments where code = %s",
        [BRABANT],
    )
    assert not leap_of(morning)
    morning.db.fetch("update capacity_confirmations set valid_until = lead_today() - 1")
    assert leap_of(morning)


def test_what_tells_a_leap_and_cannot_be_read_holds_every_segment(morning: Morning) -> None:
    morning.db.fetch("revoke select on capacity_confirmations from lead_pipeline")
    assert morning.run("lead_budgets").state == "success"
    decisions = morning.decisions()
    assert all(decision["action"] == "hold" for decision in decisions.values())
    assert all(Reason.SETTINGS_MISSING in decision["reasons"] for decision in decisions.values())
    (found,) = morning.findings("settings_unreadable")
    assert found["subject"] == "capacity_confirmations"


@pytest.mark.parametrize(
    "setting", ["max_capacity_rise", "max_capacity_fall", "min_capacity_leap", "capacity_leap_days"]
)
@pytest.mark.parametrize("value", ["null", "'NaN'"])
def test_a_bound_that_is_no_number_lets_no_leap_through(morning: Morning, setting: str, value: str) -> None:
    with morning.db.connect() as owner:
        owner.execute(
            f"alter table orchestration_settings drop constraint orchestration_settings_{setting}_check, "
            f"alter column {setting} drop not null, alter column {setting} type numeric"
        )
        owner.execute(f"update orchestration_settings set {setting} = {value}")
    happens(morning, "steady", BRABANT, daily_leads=12)
    happens(morning, "enter", BRABANT, daily_leads=99_999)
    morning.run("lead_stats")
    morning.run("lead_budgets")
    assert Reason.CAPACITY_LEAP in morning.decisions()[BRABANT]["reasons"]
