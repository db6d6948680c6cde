"""Whether a budget truly limits its campaign, as Google tells it: a check that is asked for once per account, and that
nothing waits for.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from lead_demand.channels.google_ads.channel import GoogleAds
from lead_demand.channels.paid import ChangeHistory, without_impossible_hints
from lead_demand.runs.day import AMSTERDAM
from tests.fixtures.sandbox import Sandbox

PAINTERS = "1234567890"
UTRECHT, OF_UTRECHT = f"customers/{PAINTERS}/campaigns/20000001002", f"customers/{PAINTERS}/campaignBudgets/30000002002"
OF_THE_REPORT = "search_budget_lost_impression_share"
SHARES = ["search_impression_share", "budget_lost_share"]


def read(account: str = PAINTERS) -> Any:
    """One row per campaign, by its id, as a decision is made on it."""
    now = datetime.now(tz=AMSTERDAM)
    return GoogleAds().read_budgets(account, ChangeHistory((), now, now)).set_index("campaign_id")


def test_each_campaign_has_its_shares_and_what_google_recommends(first_morning: Sandbox) -> None:
    row = read().loc["20000001002"]
    assert row["budget_lost_share"] == pytest.approx(2 / 3, abs=0.04)
    assert 0 < row["search_impression_share"] < 1 - row["budget_lost_share"]
    assert row["recommended_micros"] == pytest.approx(3 * row["amount_micros"], rel=0.01)
    assert row["is_budget_limited"]


def test_they_cost_one_request_per_account_and_none_where_nothing_is_decided(first_morning: Sandbox) -> None:
    first_morning.clear()
    read()
    asked = [call["query"] for call in first_morning.calls("SearchStream")]
    assert [OF_THE_REPORT in query for query in asked] == [False, True]
    first_morning.clear()
    budgets = GoogleAds().read_budgets(PAINTERS)
    assert len(first_morning.calls("SearchStream")) == 1
    assert budgets[SHARES].isna().all(axis=None) and budgets["recommended_micros"].notna().any()


def test_a_campaign_without_searches_has_no_shares_and_is_read_all_the_same(first_morning: Sandbox) -> None:
    first_morning.edit(UTRECHT, user=None, advertising_channel_type="PERFORMANCE_MAX")
    rows = read()
    assert rows.loc["20000001002", SHARES].isna().all() and rows.loc["20000001002", "amount_micros"] == 140_000_000
    assert rows.loc["20000001001", SHARES].notna().all()


def test_less_and_more_than_google_counts_are_kept_as_it_says_them(first_morning: Sandbox) -> None:
    first_morning.fault("value", "SearchStream", text=OF_THE_REPORT, field=f"metrics.{OF_THE_REPORT}", value=0.9001)
    assert read().iloc[0]["budget_lost_share"] == 0.9001
    first_morning.fault(
        "value", "SearchStream", text=OF_THE_REPORT, field="metrics.search_impression_share", value=0.0999
    )
    assert read().iloc[0]["search_impression_share"] == 0.0999


def test_the_amount_in_force_is_no_recommendation(first_morning: Sandbox) -> None:
    first_morning.set_budget(OF_UTRECHT, 9_000_000_000)  # more than its market absorbs
    assert read()["recommended_micros"].isna().to_dict()["20000001002"]


@pytest.mark.parametrize(
    "kind", ["permission", "not_approved", "quota_daily", "too_large", "unavailable", "cut", "internal", "auth_expired"]
)
def test_a_report_that_is_not_given_leaves_the_shares_unknown_and_the_budgets_read(
    first_morning: Sandbox, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = read()
    first_morning.fault(kind, "SearchStream", text=OF_THE_REPORT, retry_delay=40_000)
    rows = read()
    assert rows[SHARES].isna().all(axis=None)
    assert rows.drop(columns=SHARES).equals(whole.drop(columns=SHARES))
    (told,) = [record.message for record in caplog.records if ".google_ads." in record.name]
    assert told.startswith(f"The budgets of account {PAINTERS} were read, the shares of its searches were not")


@pytest.mark.parametrize(
    ("field", "column", "value"),
    [
        ("metrics.search_budget_lost_impression_share", "budget_lost_share", 1.5),
        ("metrics.search_budget_lost_impression_share", "budget_lost_share", -0.1),
        ("metrics.search_budget_lost_impression_share", "budget_lost_share", "NaN"),
        ("metrics.search_impression_share", "search_impression_share", "Infinity"),
        ("campaign_budget.recommended_budget_amount_micros", "recommended_micros", -1),
        ("campaign_budget.recommended_budget_amount_micros", "recommended_micros", 2**62),
    ],
)
def test_what_cannot_be_true_is_not_known_and_holds_nothing(
    first_morning: Sandbox, field: str, column: str, value: Any
) -> None:
    first_morning.fault("value", "SearchStream", text=field, field=field, value=value)
    kept = without_impossible_hints(read())
    assert kept[column].isna().iloc[0] and kept[column].notna().iloc[1:].any()


def test_a_channel_that_says_nothing_of_it_need_not(first_morning: Sandbox) -> None:
    bare = read().drop(columns=[*SHARES, "recommended_micros"])
    assert without_impossible_hints(bare).equals(bare)
