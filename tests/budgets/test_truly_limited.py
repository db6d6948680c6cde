"""Whether a budget truly limits its segment: from Google's answer, through the table and SQL, to what is decided."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lead_demand.budgets import planning
from tests.fixtures.morning import Morning

PAINTERS, ROOFERS = "1234567890", "2345678901"
SHARE = "metrics.search_budget_lost_impression_share"
NOORD_BRABANT = f"customers/{PAINTERS}/campaigns/20000001001"


def decide(morning: Morning) -> dict[str, dict[str, Any]]:
    for account in (PAINTERS, ROOFERS):
        planning.read_budgets("google_ads", account, "test-run")
    planning.plan("google_ads", "test-run")
    return morning.decisions()


def test_a_raise_names_what_google_recommends_and_keeps_what_it_was_checked_by(morning: Morning) -> None:
    row = decide(morning)["schilder_noord_brabant"]
    assert row["action"] == "increase" and row["sentence"].endswith("Google recommends €330.")
    (told,) = morning.db.fetch("select * from channel_budgets where campaign_id = '20000001001'")
    assert Decimal("0.6") < told["budget_lost_share"] < Decimal("0.75") and 0 < told["search_impression_share"] < 1
    assert told["recommended_budget"] == 330
    inputs = row["inputs"]
    assert Decimal(inputs["budget_lost_share"]) == told["budget_lost_share"]
    assert Decimal(inputs["recommended_budget"]) == 330


def test_a_limited_campaign_that_lost_nothing_is_not_raised(morning: Morning) -> None:
    morning.sandbox.fault("value", "SearchStream", text=SHARE, field=SHARE, value=0.002)  # of the first campaign
    row = decide(morning)["schilder_noord_brabant"]
    assert (row["action"], row["is_blocked"], row["new_budget"]) == ("hold", False, row["old_budget"])
    assert row["reasons"] == ["not_budget_limited", "below_capacity"]
    assert "hardly a search was missed for want of budget" in row["sentence"]
    assert row["inputs"]["budget_limited"] is True and Decimal(row["inputs"]["budget_lost_share"]) == Decimal("0.002")


def test_searches_missed_by_a_campaign_that_google_calls_not_limited_are_told(morning: Morning) -> None:
    morning.sandbox.edit(
        NOORD_BRABANT,
        user=None,
        primary_status="ELIGIBLE",
        primary_status_reasons=[],
        bidding_strategy_system_status="ENABLED",
    )
    row = decide(morning)["schilder_noord_brabant"]
    assert (row["action"], row["reasons"]) == ("hold", ["not_budget_limited", "below_capacity"])
    lost = round(100 * float(row["inputs"]["budget_lost_share"]))
    assert f"Google says that a campaign misses {lost}% of its searches for want of budget." in row["sentence"]


@pytest.mark.parametrize("missing", ["of one type", "refused"])
def test_without_the_shares_the_day_is_decided_as_it_always_was(morning: Morning, missing: str) -> None:
    if missing == "refused":
        morning.sandbox.fault("permission", "SearchStream", times=2, text=SHARE)
    else:
        morning.sandbox.edit(NOORD_BRABANT, user=None, advertising_channel_type="PERFORMANCE_MAX")
    row = decide(morning)["schilder_noord_brabant"]
    assert row["action"] == "increase" and row["inputs"]["budget_lost_share"] is None
    assert Decimal(row["inputs"]["recommended_budget"]) == 330
