"""What a campaign is decides what its budget counts for: Google's client, the read, SQL and the decision, in one go."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from lead_demand import database
from lead_demand.budgets import decisions, limits_now, planning
from lead_demand.channels.pull import pull
from lead_demand.database import sql
from lead_demand.runs import day
from tests.fixtures.morning import Morning

PAINTERS, ROOFERS = "1234567890", "2345678901"
NOORD_BRABANT, UTRECHT, ZUID_HOLLAND, DEN_HAAG = (f"customers/{PAINTERS}/campaigns/2000000100{n}" for n in range(1, 5))
OF_NOORD_BRABANT, OF_UTRECHT, OF_ZUID_HOLLAND, OF_DEN_HAAG = (
    f"customers/{PAINTERS}/campaignBudgets/3000000200{n}" for n in range(1, 5)
)
CENT = Decimal("0.01")
MERKNAAM = "20000001013"  # of the roofers, of no segment
BY_GOOGLE: dict[str, Any] = {"user": None}  # what Google works out leaves no change event


def at(days: int, time: str = "23:59:59") -> str:
    """A time of the account, so many days from today."""
    return f"{day.today() + timedelta(days=days)} {time}"


def decide(morning: Morning, run: str = "test-run") -> dict[str, dict[str, Any]]:
    for account in (PAINTERS, ROOFERS):
        planning.read_budgets("google_ads", account, run)
    planning.plan("google_ads", run)
    return morning.decisions()


def room_taken(morning: Morning) -> Decimal:
    with database.connect() as connection:
        return limits_now.room_taken(connection, "google_ads")[0]


def taken_before(morning: Morning) -> Decimal:
    for account in (PAINTERS, ROOFERS):
        planning.read_budgets("google_ads", account, "before")
    return room_taken(morning)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        ({"end_date_time": "yesterday"}, "campaign_ended"),
        ({"status": "PAUSED"}, "campaign_paused"),
        ({"start_date_time": "tomorrow"}, "campaign_not_started"),
        ({"experiment_type": "DRAFT"}, "campaign_draft"),
    ],
    ids=["ended", "paused", "not started", "draft"],
)
def test_a_campaign_that_costs_nothing_is_not_counted_and_says_why(
    morning: Morning, edit: dict[str, str], reason: str
) -> None:
    before = taken_before(morning)
    when = {"yesterday": at(-1), "tomorrow": at(1, "00:00:00")}
    fields = {name: when.get(value, value) for name, value in edit.items()}
    morning.sandbox.edit(UTRECHT, **BY_GOOGLE, **fields)
    row = decide(morning)["schilder_utrecht"]
    assert (row["action"], row["is_blocked"], row["reasons"]) == ("hold", False, [reason])
    assert (row["old_budget"], row["new_budget"]) == (0, 0)
    assert room_taken(morning) == before - 140


def test_of_several_campaigns_one_that_ended_is_not_counted_and_the_others_are_steered(morning: Morning) -> None:
    morning.sandbox.edit(DEN_HAAG, **BY_GOOGLE, end_date_time=at(-3))
    row = decide(morning)["schilder_zuid_holland"]
    assert (row["action"], row["old_budget"]) == ("increase", 90)
    decisions.apply_changes("increase", "google_ads", "test-run")
    changed = {entry["external_id"] for entry in morning.log() if entry["code"] == "schilder_zuid_holland"}
    assert changed == {OF_ZUID_HOLLAND}


def test_a_suspended_account_costs_nothing(morning: Morning) -> None:
    morning.sandbox.edit(f"customers/{ROOFERS}", **BY_GOOGLE, status="SUSPENDED")
    rows = decide(morning)
    assert rows["dakdekker_limburg"]["reasons"] == ["account_not_serving"]
    assert rows["dakdekker_limburg"]["old_budget"] == 0
    assert rows["schilder_utrecht"]["action"] == "decrease"


@pytest.mark.advice("campaign_total_budget")
def test_a_total_budget_counts_per_day_and_is_held(morning: Morning) -> None:
    before = taken_before(morning)
    morning.sandbox.edit(NOORD_BRABANT, **BY_GOOGLE, start_date_time=at(-10, "00:00:00"), end_date_time=at(19))
    total = 30 * 110_000_000
    morning.sandbox.edit(
        OF_NOORD_BRABANT, **BY_GOOGLE, period="CUSTOM_PERIOD", total_amount_micros=total, amount_micros=0
    )
    row = decide(morning)["schilder_noord_brabant"]
    assert (row["action"], row["reasons"], row["old_budget"]) == ("hold", ["campaign_total_budget"], 110)
    assert room_taken(morning) == before
    (found,) = morning.open_findings("campaign_total_budget")
    assert ": 3300.00 over its whole period." in found["detail"]
    assert "Give the campaign a new, daily budget" in found["remediation"]
    morning.sandbox.edit(NOORD_BRABANT, campaign_budget=OF_DEN_HAAG)
    morning.sandbox.edit(DEN_HAAG, status="PAUSED")
    planning.read_budgets("google_ads", PAINTERS, "after the advice was followed")
    assert morning.open_findings("campaign_total_budget") == []


@pytest.mark.advice("campaign_experiment")
def test_an_experiment_pays_from_the_budget_of_its_base_and_both_are_left_alone(morning: Morning) -> None:
    before = taken_before(morning)
    morning.sandbox.edit(
        DEN_HAAG,
        **BY_GOOGLE,
        experiment_type="EXPERIMENT",
        base_campaign=ZUID_HOLLAND,
        campaign_budget=OF_ZUID_HOLLAND,
    )
    row = decide(morning, "first read with the experiment")["schilder_zuid_holland"]
    assert row["action"] == "hold" and "campaign_experiment" in row["reasons"]
    assert "shared_budget" not in row["reasons"] and row["old_budget"] == 90
    assert room_taken(morning) == before - 50
    assert {found["subject"] for found in morning.findings("campaign_experiment")} == {
        f"{PAINTERS}/20000001003",
        f"{PAINTERS}/20000001004",
    }
    assert not [found for found in morning.findings("shared_budget") if OF_ZUID_HOLLAND in found["subject"]]
    morning.sandbox.edit(DEN_HAAG, end_date_time=at(-1))
    planning.read_budgets("google_ads", PAINTERS, "after the experiment")
    assert morning.open_findings("campaign_experiment") == []


@pytest.mark.parametrize(
    ("of", "fields", "reason"),
    [
        (UTRECHT, {"advertising_channel_type": "LOCAL_SERVICES"}, "campaign_type"),
        (UTRECHT, {"advertising_channel_type": "SMART"}, "campaign_type"),
        (UTRECHT, {"advertising_channel_type": 99}, "campaign_type"),
        (UTRECHT, {"primary_status": "NOT_ELIGIBLE"}, "campaign_not_eligible"),
        (OF_UTRECHT, {"delivery_method": "ACCELERATED"}, "budget_type"),
        (OF_UTRECHT, {"type": "FIXED_CPA"}, "budget_type"),
    ],
)
def test_a_budget_that_is_not_steered_is_counted_and_says_why(
    morning: Morning, of: str, fields: dict[str, Any], reason: str
) -> None:
    before = taken_before(morning)
    morning.sandbox.edit(of, **BY_GOOGLE, **fields)
    row = decide(morning)["schilder_utrecht"]
    assert row["action"] == "hold" and reason in row["reasons"] and row["old_budget"] == 140
    assert room_taken(morning) == before


def test_a_campaign_that_a_person_points_at_another_budget_is_left_alone(morning: Morning) -> None:
    morning.sandbox.edit(DEN_HAAG, status="PAUSED", days_ago=9)  # so that its budget pays for nothing else
    morning.sandbox.edit(UTRECHT, campaign_budget=OF_DEN_HAAG)
    row = decide(morning)["schilder_utrecht"]
    assert row["action"] == "hold" and "foreign_edit" in row["reasons"]
    assert row["inputs"]["budget_changed_by"] == "marketing@vakwerkgids.example"


def test_another_budget_than_at_the_last_read_is_a_foreign_edit_even_without_an_event(morning: Morning) -> None:
    for run in ("yesterday", "again"):
        planning.read_budgets("google_ads", PAINTERS, run)
    morning.sandbox.edit(UTRECHT, **BY_GOOGLE, campaign_budget=OF_DEN_HAAG)
    planning.read_budgets("google_ads", PAINTERS, "seen first")
    row = decide(morning, "seen again")["schilder_utrecht"]
    assert row["action"] == "hold" and "foreign_edit" in row["reasons"]


@pytest.mark.parametrize(
    ("fields", "operation"),
    [({"status": "ENABLED"}, "UPDATE"), ({"end_date_time": None}, "UPDATE"), ({"name": "NL | new"}, "CREATE")],
    ids=["enabled", "other dates", "made"],
)
def test_other_edits_of_a_campaign_that_move_money_are_left_alone(
    morning: Morning, fields: dict[str, Any], operation: str
) -> None:
    morning.sandbox.edit(UTRECHT, operation=operation, **fields)
    assert "foreign_edit" in decide(morning)["schilder_utrecht"]["reasons"]


def test_a_campaign_that_was_only_renamed_is_steered(morning: Morning) -> None:
    morning.sandbox.edit(UTRECHT, name="NL | schilder utrecht")
    assert decide(morning)["schilder_utrecht"]["action"] == "decrease"


@pytest.mark.advice("shared_budget")
def test_a_budget_that_a_campaign_of_another_segment_shares_is_named_until_it_has_its_own(morning: Morning) -> None:
    shared = len(morning.open_findings("shared_budget"))
    morning.sandbox.edit(UTRECHT, campaign_budget=OF_NOORD_BRABANT)
    planning.read_budgets("google_ads", PAINTERS, "shared")
    assert len(morning.open_findings("shared_budget")) == shared + 2
    morning.sandbox.edit(UTRECHT, campaign_budget=OF_UTRECHT)
    planning.read_budgets("google_ads", PAINTERS, "its own again")
    assert len(morning.open_findings("shared_budget")) == shared


@pytest.mark.parametrize("status", ["UNAVAILABLE", "UNKNOWN", "UNSPECIFIED", 99])
def test_a_bidding_status_that_says_nothing_holds_the_budget(morning: Morning, status: str | int) -> None:
    morning.sandbox.edit(
        UTRECHT,
        **BY_GOOGLE,
        bidding_strategy_system_status=status,
        primary_status="ELIGIBLE",
        primary_status_reasons=[],
    )
    row = decide(morning)["schilder_utrecht"]
    assert row["action"] == "hold" and row["is_blocked"]
    assert {"learning_unknown", "budget_limited_unknown"} <= set(row["reasons"])


def test_what_a_paused_campaign_is_learning_does_not_hold_the_others(morning: Morning) -> None:
    morning.sandbox.edit(
        DEN_HAAG, **BY_GOOGLE, status="PAUSED", bidding_strategy_system_status="LEARNING_SETTING_CHANGE"
    )
    assert decide(morning)["schilder_zuid_holland"]["action"] == "increase"


def test_a_raise_goes_to_the_campaigns_that_their_budget_limits_and_no_further_than_their_own_step(
    morning: Morning,
) -> None:
    morning.sandbox.edit(
        DEN_HAAG,
        **BY_GOOGLE,
        primary_status="ELIGIBLE",
        primary_status_reasons=[],
        bidding_strategy_system_status="ENABLED",
    )
    (limits,) = morning.db.fetch(
        "select max_increase_pct from lead_segment_channels join lead_segments on segment_id = id "
        "where code = 'schilder_zuid_holland'"
    )
    row = decide(morning)["schilder_zuid_holland"]
    step = 90 * limits["max_increase_pct"] / 100
    assert (row["action"], row["old_budget"]) == ("increase", 140)
    rise = row["new_budget"] - 140
    assert step - CENT <= rise <= step
    decisions.apply_changes("increase", "google_ads", "test-run")
    (changed,) = [entry for entry in morning.log() if entry["code"] == "schilder_zuid_holland"]
    assert (changed["external_id"], changed["old_value"], changed["new_value"]) == (OF_ZUID_HOLLAND, 90, 90 + rise)
    morning.assert_log_is_the_truth()


def restate(morning: Morning) -> Decimal | None:
    """Pull both accounts for yesterday as `lead_stats` does; the segment's spend of that day."""
    yesterday = day.Window(day.latest_whole_day(), day.latest_whole_day())
    for account in (PAINTERS, ROOFERS):
        pull("google_ads", account, yesterday, "restated")
    values = {"first": yesterday.first, "last": yesterday.last, "dag_run_id": "restated"}
    morning.db.fetch(sql.render("lead_stats/upsert_lead_generation_stats.sql"), values)
    (row,) = morning.db.fetch(
        "select google_ads_spend from lead_generation_stats join lead_segments on segment_id = id "
        "where code = 'schilder_utrecht' and date = %s",
        [yesterday.last],
    )
    return row["google_ads_spend"]


@pytest.mark.advice("currency_mismatch", "time_zone_mismatch")
@pytest.mark.parametrize(
    ("name", "other", "reason"),
    [("currency_code", "DKK", "currency_mismatch"), ("time_zone", "Europe/London", "time_zone_mismatch")],
)
def test_an_account_that_does_not_compare_makes_the_day_unknown_and_heals(
    morning: Morning, name: str, other: str, reason: str
) -> None:
    morning.db.fetch(
        "insert into channel_sources (channel, account, external_id, segment_id) "
        "select 'google_ads', %s, %s, id from lead_segments where code = 'schilder_utrecht'",
        [ROOFERS, MERKNAAM],
    )
    both = restate(morning)
    assert both is not None

    morning.sandbox.edit(f"customers/{ROOFERS}", **BY_GOOGLE, **{name: other})
    assert restate(morning) is None
    stored = morning.db.fetch(
        "select spend, daily_budget from channel_metrics where account = %s and channel = 'google_ads' and date = %s",
        [ROOFERS, day.latest_whole_day()],
    )
    assert stored and all(row["spend"] is None and row["daily_budget"] is None for row in stored)
    (found,) = morning.findings(reason)
    words = name.removesuffix("_code").replace("_", " ")
    assert f"has the {words} {other} (configured: " in found["detail"]
    assert ("currency" in found["detail"]) == (name == "currency_code")
    row = decide(morning)["schilder_utrecht"]
    assert row["action"] == "hold" and row["is_blocked"] and reason in row["reasons"]

    morning.sandbox.edit(
        f"customers/{ROOFERS}", **BY_GOOGLE, **{name: {"currency_code": "EUR"}.get(name, "Europe/Amsterdam")}
    )
    assert restate(morning) == both
    assert morning.open_findings(reason) == []
