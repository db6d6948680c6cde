"""Google Ads: spend, clicks and impressions per campaign and day; daily budgets read and set.

Source: Google Ads API, version pinned in `hook.py`. Connections: `google_ads_default` (and `google_cloud_default` for
the key file). Days are the account's own; an account in another time zone or currency than `orchestration_settings` is
never budgeted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import ClassVar

import pandas as pd

from lead_demand.channels.contract import Fetched
from lead_demand.channels.google_ads import history, live_budgets
from lead_demand.channels.google_ads.hook import GoogleAdsBudgetHook
from lead_demand.channels.google_ads.messages import whole_micros
from lead_demand.channels.matching import match_exactly
from lead_demand.channels.paid import ChangeHistory, Outcome, from_micros, to_micros
from lead_demand.channels.sums import Sum
from lead_demand.database import sql
from lead_demand.database.findings import Level
from lead_demand.runs.day import Window, today

# Each metric, by its field of the API's `metrics`.
FIELDS = {
    "spend_micros": "cost_micros",
    "impressions": "impressions",
    "clicks": "clicks",
    "conversions_micros": "conversions",
}
_metrics_of = attrgetter(*FIELDS.values())
# How many names one query may list.
NAMES_PER_QUERY = 1_000


class GoogleAds:
    """Campaigns of Google Ads accounts; `external_id` is the campaign id, an account is a ten-digit customer id."""

    channel: ClassVar[str] = "google_ads"
    metrics: ClassVar[tuple[str, ...]] = tuple(FIELDS)
    empty_day: ClassVar[Level] = "stop"
    late_days: ClassVar[int] = 1
    unmatched: ClassVar[str | None] = None
    # Each campaign's cost is rounded for itself, and so is the account's; a conversion may be shared by campaigns. Late
    # corrections reach the two reports at different times.
    sums: ClassVar[tuple[Sum, ...]] = (
        Sum("spend", "spend_micros", ("spend_micros",), "stop", Decimal("0.05"), Decimal("0.001")),
        Sum("impressions", "impressions", ("impressions",), "warn", Decimal(10), Decimal("0.005")),
        Sum("clicks", "clicks", ("clicks",), "warn", Decimal(2), Decimal("0.005")),
        Sum("conversions", "conversions_micros", ("conversions_micros",), "warn", Decimal(1), Decimal("0.01")),
    )
    billable_unit = Decimal("0.01")

    def __init__(self) -> None:
        self.hook = GoogleAdsBudgetHook()

    def fetch(self, account: str, window: Window) -> Fetched:
        """One row per (campaign, day) that had any activity, whatever became of the campaign since: the API leaves out
        days on which every metric is zero, and gives paused and removed campaigns where the query names no status.
        """
        query = sql.render_gaql("campaign_metrics.gaql", fields=FIELDS.values(), first=window.first, last=window.last)
        records = [
            (str(row.campaign.id), row.segments.date, *_metrics_of(row.metrics))
            for row in self.hook.rows(account, query)
        ]
        frame = _whole(pd.DataFrame(records, columns=["external_id", "date", *self.metrics]))
        # Conversions land on the day of the click for up to a month, so nothing younger is final.
        settled = (today() - timedelta(days=30)).isoformat()
        return Fetched(frame.assign(is_final=frame["date"] < settled))

    def fetch_totals(self, account: str, window: Window) -> pd.DataFrame:
        """The account's own row of each day: every campaign is in it, also one that is removed or of a kind that the
        list of campaigns lacks.
        """
        query = sql.render_gaql("account_metrics.gaql", fields=FIELDS.values(), first=window.first, last=window.last)
        records = [(row.segments.date, *_metrics_of(row.metrics)) for row in self.hook.rows(account, query)]
        return _whole(pd.DataFrame(records, columns=["date", *self.metrics]))

    def match(self, raw: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
        return raw.assign(segment_id=match_exactly(raw, sources))

    def read_budgets(self, account: str, history: ChangeHistory | None = None) -> pd.DataFrame:
        return live_budgets.read_budgets(self.hook, account, history)

    def removed_campaigns(self, account: str, campaigns: Sequence[str]) -> set[str]:
        removed: set[str] = set()
        for start in range(0, len(campaigns), NAMES_PER_QUERY):
            query = sql.render_gaql("removed_campaigns.gaql", campaigns=campaigns[start : start + NAMES_PER_QUERY])
            removed |= {str(row.campaign.id) for row in self.hook.rows(account, query, timeout=60)}
        return removed

    def change_history(self, account: str, since_days: int) -> ChangeHistory:
        return history.change_history(self.hook, account, since_days)

    def foreign_changes(self, account: str, since_days: int) -> dict[str, tuple[str, str]]:
        others = history.by_others(self.change_history(account, since_days))
        return {name: change for name, change in others.items() if "/campaignBudgets/" in name}

    def own_changes(self, account: str, since_days: int) -> dict[str, list[tuple[datetime, Decimal]]]:
        changes: dict[str, list[tuple[datetime, Decimal]]] = {}
        for change in self.change_history(account, since_days).changes:
            if change.is_ours and change.new_value is not None:
                changes.setdefault(change.resource, []).append((change.at, change.new_value))
        return changes

    def live_amounts(self, account: str, budgets: Sequence[str]) -> dict[str, Decimal]:
        amounts: dict[str, Decimal] = {}
        for start in range(0, len(budgets), NAMES_PER_QUERY):
            query = sql.render_gaql("budget_amounts.gaql", budgets=budgets[start : start + NAMES_PER_QUERY])
            for row in self.hook.rows(account, query, timeout=60):
                amounts[row.campaign_budget.resource_name] = from_micros(row.campaign_budget.amount_micros)
        return amounts

    def set_budgets(
        self, account: str, amounts: Mapping[str, Decimal], *, validate_only: bool = False
    ) -> dict[str, Outcome]:
        micros: dict[str, int] = {}
        outcomes: dict[str, Outcome] = {}
        for budget, amount in amounts.items():
            try:
                micros[budget] = to_micros(amount, self.billable_unit)
            except ValueError as error:
                outcomes[budget] = Outcome(False, "invalid_amount", f"{error}; it was not sent")
        if micros:
            outcomes |= self.hook.set_amounts(account, micros, validate_only=validate_only)
        return outcomes


def _whole(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with conversions, which have fractions, as whole micros."""
    return frame.assign(conversions_micros=[whole_micros(amount) for amount in frame["conversions_micros"]])


CHANNEL = GoogleAds
