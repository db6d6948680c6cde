"""What the sandbox says of the searches that a budget misses: the same story as its flag, its spend and its advice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.fixtures.sandbox import Sandbox
from tests.sandbox.google.clients import PAINTERS, SCHILDER_UTRECHT, search

EURO = 1_000_000
UTRECHT = f"customers/{PAINTERS}/campaigns/20000001002"
MARKET = 3 * 140 * EURO  # what its searches absorb, over the budget of the first morning


def told(sandbox: Sandbox, days: int = 14) -> Any:
    """Shares, flag and recommendation of one campaign."""
    today = sandbox.today()
    (row,) = search(
        "SELECT campaign.primary_status_reasons, campaign_budget.has_recommended_budget, "
        "campaign_budget.amount_micros, campaign_budget.recommended_budget_amount_micros, "
        "metrics.search_impression_share, metrics.search_budget_lost_impression_share, metrics.impressions "
        "FROM campaign WHERE campaign.id = 20000001002 "
        f"AND segments.date BETWEEN '{today - timedelta(days=days)}' AND '{today - timedelta(days=1)}'",
        PAINTERS,
    )
    return row


def test_a_third_of_the_market_misses_two_thirds_of_the_searches(first_morning: Sandbox) -> None:
    row = told(first_morning)
    assert row.metrics.search_budget_lost_impression_share == pytest.approx(2 / 3, abs=0.04)
    # Of those that it affords, others are shown on some.
    assert row.metrics.search_impression_share == pytest.approx(0.7 / 3, abs=0.03)
    assert row.campaign.primary_status_reasons
    assert row.campaign_budget.has_recommended_budget
    assert row.campaign_budget.recommended_budget_amount_micros == pytest.approx(MARKET, abs=EURO)


def test_a_budget_beyond_its_market_misses_next_to_nothing_and_is_recommended_nothing(first_morning: Sandbox) -> None:
    first_morning.set_budget(SCHILDER_UTRECHT, 2 * MARKET)
    first_morning.step(2)
    row = told(first_morning, days=2)
    assert row.metrics.search_budget_lost_impression_share == 0
    assert row.metrics.search_impression_share == pytest.approx(0.7)
    assert not row.campaign.primary_status_reasons
    assert not row.campaign_budget.has_recommended_budget
    assert row.campaign_budget.recommended_budget_amount_micros == row.campaign_budget.amount_micros == 2 * MARKET


def test_a_tiny_budget_is_said_to_miss_more_than_nine_in_ten(first_morning: Sandbox) -> None:
    first_morning.set_budget(SCHILDER_UTRECHT, 5 * EURO)
    first_morning.step(2)
    row = told(first_morning, days=2)
    assert row.metrics.search_budget_lost_impression_share == 0.9001
    assert row.metrics.search_impression_share == 0.0999


@pytest.mark.parametrize("kind", ["PERFORMANCE_MAX", "DISPLAY"])
def test_a_campaign_without_searches_has_no_shares(first_morning: Sandbox, kind: str) -> None:
    first_morning.edit(UTRECHT, user=None, advertising_channel_type=kind)
    metrics = told(first_morning).metrics
    assert metrics.impressions and not metrics.HasField("search_budget_lost_impression_share")
    assert not metrics.HasField("search_impression_share")


def test_days_without_an_impression_have_no_shares(first_morning: Sandbox) -> None:
    first_morning.set_campaign("20000001002", "PAUSED", first_morning.today() - timedelta(days=20))
    metrics = told(first_morning).metrics
    assert metrics.HasField("impressions") and not metrics.HasField("search_budget_lost_impression_share")
