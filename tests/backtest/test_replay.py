"""Past mornings replayed: as they were known then, and with other settings."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lead_demand.backtest.replay import replay
from lead_demand.backtest.trials import CHANGED, DECIDED, TODAY, Replay, Trial
from lead_demand.budgets.planning import decision_rows
from lead_demand.planner.forecasts import FORECASTS, LastDays
from lead_demand.planner.planner import LeadDemandPlanner
from lead_demand.planner.settings import PlannerSettings
from tests.planner.frames import TODAY as LAST_DAY
from tests.planner.frames import history, segment

DAY = dt.timedelta(days=1)
LIMITS = ("min_daily_budget", "max_daily_budget", "max_increase_pct", "max_decrease_pct", "cooldown_days")
Rows = list[tuple[dt.date, list[dict[str, Any]]]]


def decided(segments: pd.DataFrame, known: pd.DataFrame, morning: dt.date) -> list[dict[str, Any]]:
    """The morning's decisions as the database gives them back."""
    planned = LeadDemandPlanner().plan(known, segments, morning)
    rows = decision_rows(planned, segments).to_dict("records")
    return [
        {
            "segment_id": row["segment_id"],
            "code": row["segment_id"],
            "country": "NL",
            "branch": "schilder",
            "capacity_total_leads": None,
            "action": row["action"],
            "old_budget": row["old_budget"],
            "new_budget": row["new_budget"],
            "reasons": row["reasons"].strip("{}").split(","),
            "inputs": json.loads(row["inputs"]),
        }
        for row in rows
    ]


def undecided(segment_id: str = "a", capacity: float | None = 5) -> list[dict[str, Any]]:
    nothing = dict.fromkeys(("action", "old_budget", "new_budget", "reasons", "inputs"))
    absent = dict.fromkeys(("capacity_absent_leads", "capacity_absent_week", "capacity_absent_until"))
    known = {"segment_id": segment_id, "code": segment_id, "country": "NL", "branch": "schilder"}
    return [{**known, **nothing, **absent, "capacity_total_leads": capacity}]


def played(known: pd.DataFrame, mornings: Rows, *changes: Trial, limits: pd.DataFrame | None = None) -> Replay:
    limits = segment() if limits is None else limits
    dates = [morning for morning, _ in mornings]
    trials = [Trial(TODAY, PlannerSettings()), *changes]
    return replay(known, mornings, limits[["segment_id", *LIMITS]], trials, min(dates), max(dates))


def of(found: Replay, trial: str) -> Any:
    (row,) = found.results[found.results["trial"] == trial].itertuples()
    return row


def test_a_morning_that_was_decided_is_replayed_from_what_was_known_then() -> None:
    morning = LAST_DAY - 30 * DAY
    until = history()[history()["date"] < morning]
    rows = decided(segment(capacity_total_leads=5), until, morning)
    later = history(leads_accepted=1, leads_rejected=3)  # verdicts that nobody knew of that morning
    found = of(played(later, [(morning, rows)]), TODAY)
    assert (found.kept, found.increases, found.differing) == (1, 1, 0)
    assert found.last_budget == rows[0]["new_budget"] == Decimal(96)
    again = of(played(later, [(morning, undecided())]), TODAY)
    assert (again.kept, again.evaluations) == (0, 1)
    assert again.target > 2 * found.target, "estimated again, it knows the verdicts"


def test_an_estimate_that_went_through_the_database_is_the_same_to_the_last_digit() -> None:
    morning = LAST_DAY - 10 * DAY
    known = history(leads_generated=5)
    rows = decided(segment(), known[known["date"] < morning], morning)
    planner = LeadDemandPlanner()
    read = planner.read(known[known["date"] < morning], segment(), morning)
    rates, other = (
        planner.estimate(read),
        LastDays(1)(read.known, read.days, read.calendar, read.today, PlannerSettings().assumptions),
    )
    assert other.with_kept([rows[0]["inputs"]["estimate"]]).kept() == rates.kept()
    assert other.with_kept([None]).kept() == other.kept()


def test_what_held_a_segment_then_holds_it_again_and_what_a_person_switched_off_does_not() -> None:
    morning = LAST_DAY - 30 * DAY
    until = history()[history()["date"] < morning]

    def replayed(*blocks: str) -> Any:
        rows = decided(segment(capacity_total_leads=5, blocks=list(blocks)), until, morning)
        assert rows[0]["action"] == "hold"
        return of(played(history(), [(morning, rows)]), TODAY)

    assert replayed("learning").increases == 0
    assert replayed("shared_budget").increases == 0
    assert replayed("automation_off", "kill_switch").increases == 1


def test_a_number_that_was_missing_then_holds_although_it_came_later() -> None:
    morning = LAST_DAY - 30 * DAY
    until = history()[history()["date"] < morning]
    until.loc[until["date"] == morning - DAY, "google_ads_spend"] = None
    rows = decided(segment(capacity_total_leads=5), until, morning)
    assert rows[0]["reasons"][0] == "missing_spend"
    assert of(played(history(), [(morning, rows)]), TODAY).increases == 0


def test_a_budget_goes_on_from_what_the_tried_settings_left_and_waits_out_its_own_cool_down() -> None:
    mornings: Rows = [(LAST_DAY - n * DAY, undecided(capacity=8)) for n in range(12, 0, -1)]
    larger = Trial(CHANGED, PlannerSettings(), {"max_increase_pct": Decimal(50), "cooldown_days": 30})
    found = played(history(), mornings, larger)
    today, changed, really = (of(found, trial) for trial in (TODAY, CHANGED, DECIDED))
    assert (really.increases, really.last_budget) == (0, 80)
    assert today.first_budget == 96 and changed.first_budget == 120
    assert (changed.increases, changed.last_budget) == (3, 200), (
        "a full step that leaves the gap open cools nothing down"
    )
    assert changed.increases < today.increases and today.last_budget > 96
    assert changed.leads > today.leads > really.leads
    assert today.differing == today.increases
    assert len(found.differences) == changed.differing > 0
    first = found.differences.iloc[0]
    assert (first.today_budget, first.changed_budget, first.decided_action) == (96, 120, None)


def test_a_budget_that_a_person_moved_is_where_every_trial_goes_on() -> None:
    first = LAST_DAY - 6 * DAY
    mornings: Rows = []
    for n in range(3):
        morning = first + n * DAY
        until = history()[history()["date"] < morning]
        given = (
            segment(capacity_total_leads=5)
            if n == 0
            else segment(
                current_budget=Decimal(60), capacity_total_leads=5, blocks=["foreign_edit"] if n == 1 else ["learning"]
            )
        )
        mornings.append((morning, decided(given, until, morning)))
    assert of(played(history(), mornings[:1]), TODAY).last_budget == 96
    found = played(history(), mornings, Trial(CHANGED, PlannerSettings(), {"max_increase_pct": Decimal(50)}))
    assert of(found, TODAY).last_budget == of(found, CHANGED).last_budget == 60


def test_a_budget_that_somebody_stopped_and_started_is_followed_by_every_trial() -> None:
    paused = history()
    paused["google_ads_budget"] = [
        Decimal(0) if LAST_DAY - 14 * DAY <= day <= LAST_DAY - 9 * DAY else Decimal(80) for day in paused["date"]
    ]
    mornings: Rows = [(LAST_DAY - n * DAY, undecided(capacity=8)) for n in range(12, 0, -1)]
    found = of(played(paused, mornings), TODAY)
    assert found.first_budget == 0 and found.last_budget > 80
    still = of(played(paused, mornings[:3]), TODAY)
    assert (still.last_budget, still.spend) == (0, 0)


def test_a_morning_without_statistics_leaves_each_trial_where_it_was() -> None:
    mornings: Rows = [(LAST_DAY - n * DAY, undecided(capacity=8)) for n in range(12, 0, -1)]
    whole = of(played(history(), mornings), TODAY)
    mornings[8] = (mornings[8][0], [])
    assert of(played(history(), mornings), TODAY).last_budget == pytest.approx(whole.last_budget, rel=0.25)
    assert of(played(history(), mornings), TODAY).last_budget > 96


def test_what_was_really_changed_meanwhile_cools_no_trial_down() -> None:
    mornings: Rows = []
    for n in range(3):
        morning = LAST_DAY - (6 - n) * DAY
        until = history()[history()["date"] < morning]
        blocks = ["learning"] if n == 0 else []
        given = segment(capacity_total_leads=5, blocks=blocks, last_change_date=morning - DAY if n else None)
        mornings.append((morning, decided(given, until, morning)))
    assert of(played(history(), mornings), TODAY).increases, "its own last change is none"


def test_what_google_said_of_another_budget_bars_no_trial() -> None:
    morning = LAST_DAY - 30 * DAY
    until = history()[history()["date"] < morning]
    rows = decided(segment(capacity_total_leads=9, budget_lost_share=0.0), until, morning)
    assert rows[0]["reasons"][0] == "not_budget_limited"
    assert of(played(history(), [(morning, rows)]), TODAY).increases == 0, "the same budget"
    before = (morning - DAY, undecided(capacity=9))
    assert of(played(history(), [before, (morning, rows)]), TODAY).increases == 2, "a raised one"


def test_a_dry_run_changed_nothing() -> None:
    mornings: Rows = []
    for n in (6, 5):
        morning = LAST_DAY - n * DAY
        mornings.append(
            (morning, decided(segment(capacity_total_leads=5), history()[history()["date"] < morning], morning))
        )
    really = of(played(history(), mornings), DECIDED)
    assert (really.increases, really.last_budget) == (0, 80)


def test_two_forecasts_are_judged_on_the_same_days() -> None:
    morning = LAST_DAY - 10 * DAY
    rows = decided(segment(capacity_total_leads=5), history()[history()["date"] < morning], morning)
    later = history(leads_accepted=1, leads_rejected=3)
    ours = FORECASTS["rates"]
    found = replay(
        later,
        [(morning, rows)],
        segment()[["segment_id", *LIMITS]],
        [Trial(name, PlannerSettings(), estimator=ours) for name in (TODAY, CHANGED)],
        morning,
        morning,
    )
    today, changed = of(found, TODAY), of(found, CHANGED)
    assert today.kept == 0
    assert (today.target, today.missed_by) == (changed.target, changed.missed_by)


def test_what_is_left_out_is_counted_by_its_reason_and_no_forecast_of_it_is_judged() -> None:
    mornings: Rows = [(LAST_DAY - n * DAY, undecided(capacity=None)) for n in range(12, 6, -1)]
    found = played(history(), mornings)
    assert found.left_out == {"missing_capacity": 6}
    short = history(days=18)
    mornings = [(LAST_DAY - n * DAY, undecided()) for n in range(12, 6, -1)]
    assert played(short, mornings).results["judged"].sum() == 0, "nothing was foretold of so short a past"


def test_a_decision_of_an_older_release_is_estimated_again() -> None:
    morning = LAST_DAY - 10 * DAY
    rows = decided(segment(capacity_total_leads=5), history()[history()["date"] < morning], morning)
    del rows[0]["inputs"]["estimate"]["free_today"]
    assert of(played(history(), [(morning, rows)]), TODAY).kept == 0
    rows[0]["inputs"] = {"blocks": []}
    assert played(history(), [(morning, rows)]).left_out == {"missing_capacity": 1}


def test_nothing_changed_decides_nothing_otherwise() -> None:
    mornings: Rows = [(LAST_DAY - n * DAY, undecided(capacity=8)) for n in range(20, 0, -1)]
    found = played(history(), mornings, Trial(CHANGED, PlannerSettings()))
    assert found.differences.empty
    today, changed = (found.results[found.results["trial"] == trial] for trial in (TODAY, CHANGED))
    same = ["evaluations", "increases", "decreases", "leads", "spend", "last_budget"]
    pd.testing.assert_frame_equal(today[same].reset_index(drop=True), changed[same].reset_index(drop=True))


def test_what_is_not_known_of_one_trial_is_counted_in_none() -> None:
    mornings: Rows = [(LAST_DAY - n * DAY, undecided(capacity=None if n == 2 else 8)) for n in (3, 2, 1)]
    found = played(history(), mornings)
    assert of(found, TODAY).evaluations == of(found, DECIDED).evaluations == 2
    unknown = history(google_ads_budget=None)
    assert played(unknown, mornings).results["evaluations"].sum() == 0, "no budget is known to have been in force"


@pytest.mark.parametrize("name", list(FORECASTS))
def test_a_forecast_is_held_against_the_week_that_came(name: str) -> None:
    chance = np.random.default_rng(5)
    ids = [f"s{n:02}" for n in range(25)]
    frames = []
    for segment_id in ids:
        paid, free = chance.poisson(4, 90), chance.poisson(1, 90)
        accepted = chance.binomial(paid + free, 0.7)
        counts = {"leads_generated": paid + free, "leads_accepted": accepted, "leads_rejected": paid + free - accepted}
        frames.append(history(segment_id, 90, google_ads_leads=paid, **counts))
    limits = pd.concat([segment(segment_id) for segment_id in ids], ignore_index=True)
    mornings: Rows = [
        (LAST_DAY - n * DAY, [row for segment_id in ids for row in undecided(segment_id)]) for n in range(30, 0, -1)
    ]
    estimator = Trial(CHANGED, PlannerSettings(), estimator=FORECASTS[name])
    found = played(pd.concat(frames, ignore_index=True), mornings, estimator, limits=limits).results
    sums = found[found["trial"] == CHANGED].sum(numeric_only=True)
    assert sums["judged"] == len(ids) * 24, "the last six weeks are not over"
    assert 0.7 < sums["held"] / sums["judged"] < 0.9
    if name == "last_7_days":
        ours = found[found["trial"] == TODAY].sum(numeric_only=True)
        assert sums["missed_by"] > ours["missed_by"], "a week of a steady market knows less than a quarter of a year"


def test_a_week_in_which_the_budget_moved_judges_no_forecast() -> None:
    moved = history()
    moved.loc[moved["date"] >= LAST_DAY - 5 * DAY, "google_ads_budget"] = Decimal(90)
    mornings: Rows = [(LAST_DAY - n * DAY, undecided()) for n in range(13, 0, -1)]
    assert of(played(moved, mornings), TODAY).judged == 2, "of the 13th and 12th day before"
