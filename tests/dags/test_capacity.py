"""What partners can take: read from the company's tables, recorded by `lead_stats`, decided on by `lead_budgets`.

The first tests run both DAGs in Airflow; the others run the same bodies of the same tasks, without a run around them.
"""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lead_demand.budgets import planning
from lead_demand.channels import partner_capacity
from lead_demand.database import sql
from lead_demand.errors import CapacitySourceFailed
from lead_demand.planner.reasons import Reason
from lead_demand.runs import day, window_statements
from sandbox.company.partners import play
from tests.fixtures.findings import BOUND
from tests.fixtures.morning import Morning
from tests.fixtures.steps import COUNTED_LEADS

BRABANT, UTRECHT = "schilder_noord_brabant", "schilder_utrecht"
YESTERDAY = day.latest_whole_day()
LATEST = """
select segments.code, stats.capacity_partners as partners, stats.capacity_total_leads as leads
from lead_segments as segments
join lead_generation_stats as stats on segments.id = stats.segment_id and stats.date = lead_today() - 1
"""
FETCHES = "select count(*) from channel_fetches where channel = 'partner_capacity'"


def capacities(morning: Morning) -> dict[str, tuple[int, int | None]]:
    """Partners and leads per day by segment, as the planner is told."""
    return {row["code"]: (row["partners"], row["leads"]) for row in morning.db.fetch(LATEST)}


def happens(morning: Morning, shape: str, *segments: str, **values: Any) -> None:
    play(morning.db.owner_url, shape, segments, **values)


def read_partners(morning: Morning) -> None:
    """The tasks of `lead_stats` that capacity goes through, of a run of the latest whole day."""
    task: Any = SimpleNamespace(run_id="a run", max_tries=0)
    of_day, store = day.Window(YESTERDAY, YESTERDAY), cast("Any", {})
    restated = day.Window(YESTERDAY - timedelta(days=29), YESTERDAY)
    capacity = sql.render("lead_stats/upsert_channel_metrics_partner_capacity.sql")
    leads = sql.render("lead_stats/upsert_channel_metrics_leads.sql")
    window_statements.run_statement("pull_leads", leads, of_day, task, store, before=sql.render(COUNTED_LEADS))
    try:
        partner_capacity.pull_partner_capacity("pull_partner_capacity", capacity, of_day, task, store)
    finally:
        for name, window in (("upsert_lead_generation_stats", restated), ("insert_pipeline_findings", of_day)):
            statement = sql.render(f"lead_stats/{name}.sql")
            window_statements.run_statement(name, statement, window, task, store, bound=BOUND)


def decide(morning: Morning) -> dict[str, dict[str, Any]]:
    """The tasks of `lead_budgets` that decide; today's decisions by segment."""
    for account in ("1234567890", "2345678901"):
        planning.read_budgets("google_ads", account, "a run")
    planning.plan("google_ads", "a run")
    return morning.decisions()


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


@pytest.mark.advice("segment_without_partners")
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
    read_partners(morning)
    assert capacities(morning)["glaszetter_drenthe"] == (0, 0)
    assert "glaszetter_drenthe" in advised(morning, "segment_without_partners")["detail"]
    morning.db.fetch("update lead_segments set is_active = false where code = 'glaszetter_drenthe'")
    read_partners(morning)
    assert not still_open(morning, "segment_without_partners")


def test_a_second_run_of_a_morning_lowers_the_capacity_again(morning: Morning) -> None:
    happens(morning, "enter", BRABANT, daily_leads=9)
    read_partners(morning)
    raised = capacities(morning)[BRABANT]
    happens(morning, "enter", BRABANT, daily_leads=1)
    read_partners(morning)
    assert (raised, capacities(morning)[BRABANT]) == ((4, 18), (4, 10))


@pytest.mark.long
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


def test_a_failed_source_makes_the_run_red_and_holds_every_segment(morning: Morning) -> None:
    happens(morning, "emptied")
    run = morning.run("lead_stats")
    assert (run.state, run.tasks["pull_channels.pull_partner_capacity"]) == ("failed", "failed")
    assert run.tries["pull_channels.pull_partner_capacity"] > 1, "a table that is being loaded again fills up"
    morning.run("lead_budgets")
    assert all(Reason.STALE_CHANNEL in decision["reasons"] for decision in morning.decisions().values())
    assert not morning.log()


@pytest.mark.parametrize("shape", ["emptied", "partners_emptied", "row_security", "hidden_capacity", "grant_lost"])
def test_a_source_that_lost_its_partners_fails_and_no_earlier_capacity_is_used(morning: Morning, shape: str) -> None:
    fetches, before = morning.db.value(FETCHES), capacities(morning)
    happens(morning, shape)
    with pytest.raises(CapacitySourceFailed):
        read_partners(morning)
    assert morning.db.value(FETCHES) == fetches, "nothing counts as read"
    assert capacities(morning) == before
    assert advised(morning, "capacity_source_failed")["level"] == "stop"
    assert not still_open(morning, "segment_without_partners"), "a failed source says nothing of a segment"
    decide(morning)
    decisions = morning.decisions()
    assert all(decision["action"] == "hold" for decision in decisions.values())
    assert all(Reason.STALE_CHANNEL in decision["reasons"] for decision in decisions.values())
    morning.assert_log_is_the_truth()

    if shape == "grant_lost":
        happens(morning, "repaired")
        read_partners(morning)
        assert not still_open(morning, "capacity_source_failed"), "the advice closes it"
        decide(morning)
        assert Reason.STALE_CHANNEL not in morning.decisions()[BRABANT]["reasons"]


def test_most_segments_without_partners_at_once_are_a_failed_source_and_some_are_not(morning: Morning) -> None:
    known = sorted(code for code, (_, leads) in capacities(morning).items() if leads)
    half = len(known) // 2
    happens(morning, "leave", *known[:half])
    read_partners(morning)
    assert [capacities(morning)[code] for code in known[:half]] == [(0, 0)] * half
    # What this morning's first run recorded is no excuse: together they are more than half of yesterday's.
    happens(morning, "leave", *known[half : half + 2])
    with pytest.raises(CapacitySourceFailed):
        read_partners(morning)
    assert f"{half + 2} of the {len(known)} segments" in advised(morning, "capacity_source_failed")["detail"]


def test_most_segments_whose_partners_are_all_away_since_today_are_a_failed_source(morning: Morning) -> None:
    before = capacities(morning)
    happens(morning, "all_away", *before, absent_from=day.today() - timedelta(days=1))
    with pytest.raises(CapacitySourceFailed, match="all partners are away"):
        read_partners(morning)
    assert capacities(morning) == before, "nothing of it was recorded"
    happens(morning, "all_away", *(before.keys() - {UTRECHT}))
    read_partners(morning)
    assert capacities(morning)[UTRECHT][1] == 0, "of one segment it is believed"


@pytest.mark.advice("capacity_source_failed")
def test_a_person_confirms_for_the_day_that_the_partners_are_gone(morning: Morning) -> None:
    happens(morning, "partners_emptied")
    with pytest.raises(CapacitySourceFailed):
        read_partners(morning)
    advice = advised(morning, "capacity_source_failed")["remediation"]
    assert "capacity_confirmations today, with segment_id NULL and confirmed_capacity 0" in advice
    earlier = morning.db.value(
        "insert into capacity_confirmations (confirmed_capacity, confirmed_at) values (0, now() - interval '1 day') "
        "returning id"
    )
    with pytest.raises(CapacitySourceFailed):
        read_partners(morning)  # of another day
    morning.db.fetch("update capacity_confirmations set confirmed_at = now() where id = %s", [earlier])
    read_partners(morning)
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
    read_partners(morning)


# Figures that cannot be, or that nobody knows


@pytest.mark.advice("capacity_impossible")
@pytest.mark.parametrize("figure", ["-3", "3000000000", "NaN", "Infinity"])
def test_a_figure_that_cannot_be_is_named_and_holds_its_segment_alone(morning: Morning, figure: str) -> None:
    happens(morning, "wide_figures")
    happens(morning, "enter", BRABANT, daily_leads=figure)
    read_partners(morning)
    assert capacities(morning)[BRABANT] == (4, None) and capacities(morning)[UTRECHT][1]
    found = advised(morning, "capacity_impossible")
    told = {"NaN": "no number", "Infinity": "no number"}.get(figure, figure)
    assert told in found["detail"] and found["subject"] == "partner 101"
    decide(morning)
    assert Reason.MISSING_CAPACITY in morning.decisions()[BRABANT]["reasons"]
    assert morning.decisions()[UTRECHT]["action"] == "decrease"
    happens(morning, "enter", BRABANT, daily_leads="3.0")
    read_partners(morning)
    assert capacities(morning)[BRABANT] == (4, 12) and not still_open(morning, "capacity_impossible")


@pytest.mark.advice("capacity_impossible")
def test_a_sum_that_no_segment_can_take_is_named_and_stops_no_other(morning: Morning) -> None:
    happens(morning, "wide_figures")
    morning.db.fetch("update partner_capacity set daily_leads = 2147483647 where partner_id in (101, 102)")
    read_partners(morning)
    assert capacities(morning)[BRABANT] == (4, None) and capacities(morning)[UTRECHT][1]
    found = advised(morning, "capacity_impossible")
    assert "together" in found["detail"] and "Correct their daily capacity" in found["remediation"]
    morning.db.fetch("update partner_capacity set daily_leads = 3 where partner_id in (101, 102)")
    read_partners(morning)
    assert capacities(morning)[BRABANT] == (4, 12) and not still_open(morning, "capacity_impossible")


@pytest.mark.advice("missing_capacity")
@pytest.mark.parametrize("shape", ["forget", "never_entered"])
def test_one_partner_of_unknown_capacity_makes_the_sum_unknown_and_is_named(morning: Morning, shape: str) -> None:
    happens(morning, shape, BRABANT)
    read_partners(morning)
    assert capacities(morning)[BRABANT] == (4, None)
    (found,) = [row for row in still_open(morning, "missing_capacity") if BRABANT in row["detail"]]
    assert "partner 101" in found["detail"]
    morning.db.fetch("delete from partner_capacity where partner_id = 101")
    morning.db.fetch(
        "insert into partner_capacity (partner_id, branch, region, daily_leads) "
        "select id, branch, region, 3 from partners where id = 101"
    )
    read_partners(morning)
    assert capacities(morning)[BRABANT] == (4, 12)
    assert BRABANT not in str([row["detail"] for row in still_open(morning, "missing_capacity")])


# Absences that are announced


def test_a_partner_who_will_be_away_lowers_the_budget_of_the_week_before_it_leaves(morning: Morning) -> None:
    first, last = day.today() + timedelta(days=2), day.today() + timedelta(days=40)
    happens(morning, "away", UTRECHT, absent_from=first, absent_to=last)
    read_partners(morning)
    assert capacities(morning)[UTRECHT] == (2, 5), "today everybody is there"
    decide(morning)
    decision, other = morning.decisions()[UTRECHT], morning.decisions()[BRABANT]
    # The first of the two takes 3 of the 5, and is away on five of the seven days.
    assert decision["inputs"]["target_week"] == pytest.approx(
        float(decision["target_leads_per_day"]) * (1 - 3 / 7), rel=0.01
    )
    assert decision["action"] == "decrease" and Reason.PARTNERS_ABSENT in decision["reasons"]
    assert f"the last until {last.day} {last:%B}" in decision["sentence"]
    assert "they take 2.9 of 5 leads per day over it" in decision["sentence"]
    assert Reason.PARTNERS_ABSENT not in other["reasons"] and "away" not in other["sentence"]


def test_an_absence_is_no_leap_when_it_begins_nor_when_it_ends(morning: Morning) -> None:
    happens(morning, "steady", BRABANT, daily_leads=12)
    on = [day.today() - timedelta(days=3), day.today() + timedelta(days=9)]
    everybody = "update partner_capacity set absent_from = %s, absent_to = %s where partner_id between 101 and 199"
    morning.db.fetch(everybody, on)
    assert not leap_of(morning)
    decide(morning)
    gone = morning.decisions()[BRABANT]
    assert capacities(morning)[BRABANT] == (4, 0) and gone["action"] == "decrease"
    assert {Reason.PARTNERS_ABSENT, Reason.CAPACITY_ZERO} <= set(gone["reasons"])

    # Weeks later: nobody was there on any day that is looked at, and today all are back.
    for table in ("channel_metrics", "lead_generation_stats"):
        morning.db.fetch(
            f"update {table} set capacity_absent_leads = capacity_total_leads, capacity_total_leads = 0 "
            "where date < lead_today() - 1 and capacity_total_leads is not null"
        )
    morning.db.fetch(everybody, [None, None])
    assert not leap_of(morning)
    assert capacities(morning)[BRABANT] == (4, 12)


# Capacity that leaps


def leaps_to(morning: Morning, figure: int) -> dict[str, Any]:
    """The decision on Noord-Brabant, where 12 per day are usual, after its first partner entered a figure."""
    happens(morning, "steady", BRABANT, daily_leads=12)
    happens(morning, "enter", BRABANT, daily_leads=figure)
    read_partners(morning)
    decide(morning)
    return morning.decisions()[BRABANT]


@pytest.mark.advice("capacity_leap")
def test_capacity_that_leaps_up_holds_until_a_person_confirms_it(morning: Morning) -> None:
    held = leaps_to(morning, 99_999)
    assert (held["action"], held["is_blocked"], held["new_budget"]) == ("hold", True, held["old_budget"])
    assert Reason.CAPACITY_LEAP in held["reasons"] and held["inputs"]["capacity_usual"] == 12
    assert morning.decisions()[UTRECHT]["action"] == "decrease", "the others go on"
    found = advised(morning, "capacity_leap")
    assert found["level"] == "stop" and "100008" in found["detail"]
    segment = morning.db.value("select id from lead_segments where code = %s", [BRABANT])
    assert (found["segment_id"], found["amount"]) == (segment, 100008), "what to confirm"

    morning.db.fetch(
        "insert into capacity_confirmations (segment_id, confirmed_capacity) values (%s, 100008)", [segment]
    )
    read_partners(morning)
    assert not still_open(morning, "capacity_leap"), "the advice closes it"
    decide(morning)
    assert morning.decisions()[BRABANT]["action"] == "increase"


def test_capacity_that_is_corrected_is_no_leap_any_more(morning: Morning) -> None:
    leaps_to(morning, 99_999)
    happens(morning, "enter", BRABANT, daily_leads=3)
    read_partners(morning)
    assert not still_open(morning, "capacity_leap")
    decide(morning)
    assert morning.decisions()[BRABANT]["action"] == "increase"


def test_capacity_that_falls_by_more_than_the_bound_holds_too(morning: Morning) -> None:
    happens(morning, "steady", BRABANT, daily_leads=60)
    read_partners(morning)
    decide(morning)
    assert Reason.CAPACITY_LEAP in morning.decisions()[BRABANT]["reasons"]


def test_partners_who_are_there_and_all_say_0_are_a_leap_and_partners_who_left_are_not(morning: Morning) -> None:
    morning.db.fetch("update partner_capacity set daily_leads = 0 where partner_id between 101 and 199")
    read_partners(morning)
    decide(morning)
    held = morning.decisions()[BRABANT]
    assert capacities(morning)[BRABANT] == (4, 0) and Reason.CAPACITY_LEAP in held["reasons"]


def leap_of(morning: Morning) -> list[dict[str, Any]]:
    """What is a leap now, after the day was read again."""
    read_partners(morning)
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
    decide(morning)
    decisions = morning.decisions()
    assert all(decision["action"] == "hold" for decision in decisions.values())
    assert all(Reason.SETTINGS_MISSING in decision["reasons"] for decision in decisions.values())
    (found,) = morning.findings("settings_missing")
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
    read_partners(morning)
    decide(morning)
    assert Reason.CAPACITY_LEAP in morning.decisions()[BRABANT]["reasons"]


def test_an_increase_that_was_decided_is_not_sent_once_the_partners_have_left(morning: Morning) -> None:
    for account in ("1234567890", "2345678901"):
        planning.read_budgets("google_ads", account, "a run that died")
    planning.plan("google_ads", "a run that died")
    decided = {code for code, decision in morning.decisions().items() if decision["action"] == "increase"}
    assert BRABANT in decided
    happens(morning, "leave", BRABANT)
    read_partners(morning)
    morning.run("lead_budgets")
    sent = {row["code"] for row in morning.log() if row["action_type"] == "budget_increase"}
    assert sent == decided - {BRABANT}
    morning.assert_log_is_the_truth()


@pytest.mark.parametrize(("begins", "days", "is_sent"), [(1, 30, False), (0, 1, True)], ids=["from tomorrow", "today"])
def test_an_increase_that_was_decided_is_sent_by_the_capacity_of_the_week_that_is_known_then(
    morning: Morning, begins: int, days: int, is_sent: bool
) -> None:
    for account in ("1234567890", "2345678901"):
        planning.read_budgets("google_ads", account, "a run that died")
    planning.plan("google_ads", "a run that died")
    decided = {code for code, decision in morning.decisions().items() if decision["action"] == "increase"}
    assert BRABANT in decided
    first = day.today() + timedelta(days=begins)
    happens(morning, "all_away", BRABANT, absent_from=first, absent_to=first + timedelta(days=days - 1))
    read_partners(morning)
    morning.run("lead_budgets")
    sent = {row["code"] for row in morning.log() if row["action_type"] == "budget_increase"}
    assert sent == decided - (set() if is_sent else {BRABANT})
