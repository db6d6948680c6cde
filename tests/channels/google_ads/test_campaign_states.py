"""Every value that Google Ads knows of a campaign's state has its place; a value that nobody knows is unknown."""

# The API gives times of the account without a zone.
# ruff: noqa: DTZ001
from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from importlib import import_module

import pytest

from lead_demand.channels.google_ads import campaign_states
from lead_demand.channels.google_ads.campaign_states import Facts
from lead_demand.channels.google_ads.hook import API_VERSION
from lead_demand.planner.reasons import Reason

NOW = datetime(2026, 3, 10, 6, 30)
SEARCH = Facts(
    status="ENABLED",
    primary_status="ELIGIBLE",
    reasons=(),
    bidding_status="ENABLED",
    bidding_type="MAXIMIZE_CONVERSIONS",
    channel_type="SEARCH",
    experiment_type="BASE",
    account_status="ENABLED",
    starts=datetime(2025, 1, 1),
    ends=None,
    period="DAILY",
    budget_type="STANDARD",
    delivery="STANDARD",
    amount_micros=50_000_000,
    total_micros=0,
)


def values(module: str, name: str) -> set[str]:
    """The names of an enum as the installed client ships it."""
    found = import_module(f"google.ads.googleads.{API_VERSION}.enums.types.{module}")
    return {value.name for value in getattr(getattr(found, f"{name}Enum"), name)}


@pytest.mark.parametrize(
    ("table", "module", "name"),
    [
        (campaign_states.LEARNING, "bidding_strategy_system_status", "BiddingStrategySystemStatus"),
        (campaign_states.LIMITED, "bidding_strategy_system_status", "BiddingStrategySystemStatus"),
        (campaign_states.REASONS, "campaign_primary_status_reason", "CampaignPrimaryStatusReason"),
        (campaign_states.STEERABLE, "advertising_channel_type", "AdvertisingChannelType"),
        (campaign_states.PRIMARY, "campaign_primary_status", "CampaignPrimaryStatus"),
    ],
    ids=["learning", "limited", "reasons", "types", "primary status"],
)
def test_every_value_of_the_api_version_is_in_the_table(table: dict[str, object], module: str, name: str) -> None:
    assert table.keys() == values(module, name)


def test_the_other_enums_are_those_that_the_rules_name() -> None:
    assert (
        values("campaign_status", "CampaignStatus") - {"UNSPECIFIED", "UNKNOWN"} == campaign_states.NOT_SERVING.keys()
    )
    assert values("budget_period", "BudgetPeriod") == {"UNSPECIFIED", "UNKNOWN", "DAILY", "CUSTOM_PERIOD"}
    assert values("campaign_experiment_type", "CampaignExperimentType") == {
        "UNSPECIFIED", "UNKNOWN", "BASE", "DRAFT", "EXPERIMENT",
    }  # fmt: skip
    assert values("customer_status", "CustomerStatus") == {
        "UNSPECIFIED", "UNKNOWN", "ENABLED", "CANCELED", "SUSPENDED", "CLOSED",
    }  # fmt: skip
    assert values("bidding_strategy_type", "BiddingStrategyType") >= campaign_states.MANUAL_BIDDING


@pytest.mark.parametrize("status", ["UNSPECIFIED", "UNKNOWN", "UNAVAILABLE", "PAUSED", "A_VALUE_OF_NEXT_YEAR"])
def test_a_bidding_status_that_says_nothing_leaves_learning_and_limited_unknown(status: str) -> None:
    facts = replace(SEARCH, bidding_status=status)
    assert campaign_states.learning(facts) is None and campaign_states.limited(facts) is None


@pytest.mark.parametrize("status", sorted(s for s, learns in campaign_states.LEARNING.items() if learns))
def test_every_kind_of_learning_is_learning(status: str) -> None:
    assert campaign_states.learning(replace(SEARCH, bidding_status=status)) is True


@pytest.mark.parametrize(
    ("reasons", "learns", "limits"),
    [
        ((), False, False),
        (("BUDGET_CONSTRAINED",), False, True),
        (("BIDDING_STRATEGY_LEARNING",), True, False),
        (("SEARCH_VOLUME_LIMITED", "HAS_ADS_DISAPPROVED"), False, False),
        (("A_REASON_OF_NEXT_YEAR",), None, None),
        (("A_REASON_OF_NEXT_YEAR", "BUDGET_CONSTRAINED"), None, True),
    ],
)
def test_the_reasons_of_a_campaign_say_more_than_its_bidding(
    reasons: tuple[str, ...], learns: bool | None, limits: bool | None
) -> None:
    facts = replace(SEARCH, reasons=reasons)
    assert (campaign_states.learning(facts), campaign_states.limited(facts)) == (learns, limits)


@pytest.mark.parametrize(
    ("status", "limits"), [("MULTIPLE", None), ("MULTIPLE_LIMITED", None), ("LIMITED_BY_DATA", False)]
)
def test_several_limits_at_once_may_be_the_budget(status: str, limits: bool | None) -> None:
    assert campaign_states.limited(replace(SEARCH, bidding_status=status)) is limits


def test_manual_bidding_has_no_status_and_nothing_to_learn() -> None:
    facts = replace(SEARCH, bidding_type="MANUAL_CPC", bidding_status="UNAVAILABLE")
    assert campaign_states.learning(facts) is False and campaign_states.limited(facts) is False


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"status": "PAUSED"}, Reason.CAMPAIGN_PAUSED),
        ({"ends": datetime(2026, 3, 9, 23, 59, 59)}, Reason.CAMPAIGN_ENDED),
        ({"ends": datetime(2026, 3, 10, 23, 59, 59)}, None),  # its last day
        ({"primary_status": "ENDED"}, Reason.CAMPAIGN_ENDED),
        ({"starts": datetime(2026, 3, 11)}, Reason.CAMPAIGN_NOT_STARTED),
        ({"experiment_type": "DRAFT"}, Reason.CAMPAIGN_DRAFT),
        ({"account_status": "SUSPENDED"}, Reason.ACCOUNT_NOT_SERVING),
        ({"status": "UNKNOWN"}, None),  # it may cost something, so it is counted
        # Extended a minute ago: the primary status follows later, and meanwhile the money is counted.
        ({"primary_status": "ENDED", "ends": datetime(2026, 4, 1)}, None),
    ],
)
def test_what_costs_nothing_is_told_from_what_may(changed: dict[str, object], why: Reason | None) -> None:
    assert campaign_states.not_serving(replace(SEARCH, **changed), NOW) is why  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, None),
        ({"primary_status": "ENDED", "ends": datetime(2026, 4, 1)}, Reason.CAMPAIGN_STATE_UNKNOWN),
        ({"primary_status": "NOT_ELIGIBLE"}, Reason.CAMPAIGN_NOT_ELIGIBLE),
        ({"primary_status": "A_STATUS_OF_NEXT_YEAR"}, Reason.CAMPAIGN_STATE_UNKNOWN),
        ({"status": "UNKNOWN"}, Reason.CAMPAIGN_STATE_UNKNOWN),
        ({"account_status": "UNKNOWN"}, Reason.CAMPAIGN_STATE_UNKNOWN),
        ({"experiment_type": "EXPERIMENT"}, Reason.CAMPAIGN_EXPERIMENT),
        ({"experiment_type": "UNKNOWN"}, Reason.CAMPAIGN_STATE_UNKNOWN),
        ({"period": "CUSTOM_PERIOD"}, Reason.CAMPAIGN_TOTAL_BUDGET),
        ({"period": "UNKNOWN"}, Reason.BUDGET_TYPE),
        ({"budget_type": "FIXED_CPA"}, Reason.BUDGET_TYPE),
        ({"delivery": "ACCELERATED"}, Reason.BUDGET_TYPE),
        ({"channel_type": "LOCAL_SERVICES"}, Reason.CAMPAIGN_TYPE),
        ({"channel_type": "A_TYPE_OF_NEXT_YEAR"}, Reason.CAMPAIGN_TYPE),
        ({"channel_type": "PERFORMANCE_MAX"}, None),
    ],
)
def test_only_a_standard_daily_budget_of_a_known_type_is_steered(
    changed: dict[str, object], why: Reason | None
) -> None:
    found = campaign_states.not_steerable(replace(SEARCH, **changed), in_experiment=False)  # type: ignore[arg-type]
    assert (found[0] if found else None) is why


def test_the_base_of_a_running_experiment_is_left_alone() -> None:
    found = campaign_states.not_steerable(SEARCH, in_experiment=True)
    assert found is not None and found[0] is Reason.CAMPAIGN_EXPERIMENT


@pytest.mark.parametrize(
    ("starts", "ends", "daily"),
    [
        (datetime(2026, 3, 1), datetime(2026, 3, 30, 23, 59, 59), 100_000_000),
        (datetime(2026, 3, 1), datetime(2026, 3, 1, 23, 59, 59), 3_000_000_000),
        (
            datetime(2026, 3, 1),
            datetime(2026, 3, 7, 23, 59, 59),
            428_571_429,
        ),  # rounded up: never less than it may cost
        (datetime(2026, 3, 1), None, 3_000_000_000),
    ],
)
def test_a_total_budget_costs_its_total_over_its_days(starts: datetime, ends: datetime | None, daily: int) -> None:
    facts = replace(
        SEARCH, period="CUSTOM_PERIOD", amount_micros=0, total_micros=3_000_000_000, starts=starts, ends=ends
    )
    assert campaign_states.daily_micros(facts) == daily
