"""It adds up: what segments got + what belongs to none = the whole account, all leads, all capacity."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lead_demand import day
from tests.fixtures.morning import Morning

YESTERDAY = day.latest_whole_day()
PAINTERS, ROOFERS = "1234567890", "2345678901"
ADDENDS = "in_segments + in_none + not_counted + left_out"


def totals(morning: Morning, channel: str, metric: str) -> dict[Any, dict[str, Any]]:
    rows = morning.db.fetch(
        "select * from channel_totals where channel = %s and metric = %s and date = lead_today() - 1", [channel, metric]
    )
    return {row["account"]: row for row in rows}


def test_each_account_and_day_adds_up_to_the_cent_and_to_the_lead(morning: Morning) -> None:
    rows = morning.db.fetch(
        f"select channel, metric, count(*) as days, count(reported) as asked, max(abs({ADDENDS} - reported)) as off "
        "from channel_totals where date >= lead_today() - 30 and in_segments is not null group by 1, 2"
    )
    exact = {(row["channel"], row["metric"]) for row in rows if row["off"] == 0}
    assert exact >= {
        ("google_ads", "spend"), ("google_ads", "clicks"), ("google_ads", "impressions"), ("leads", "leads"),
        ("google_ads", "conversions"), ("search_console", "clicks"), ("ga4", "sessions"),
        ("partner_capacity", "capacity"),
    }  # fmt: skip
    assert all(row["asked"] == row["days"] for row in rows)
    assert morning.findings("sums_differ") == []
