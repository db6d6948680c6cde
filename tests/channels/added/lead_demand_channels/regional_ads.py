"""Ads in regional papers, over a small HTTP service at REGIONAL_ADS_URL. It bills in steps of ten cents, counts no
impressions, and names accounts, campaigns and budgets in its own way.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from http.client import HTTPException
from typing import Any, ClassVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pandas as pd

from lead_demand.channels.contract import Fetched
from lead_demand.channels.matching import match_exactly
from lead_demand.channels.paid import BUDGET_COLUMNS, AccountChange, ChangeHistory, Outcome, from_micros, to_micros
from lead_demand.channels.sums import Sum
from lead_demand.database.findings import Level
from lead_demand.errors import SourceRefused, SourceUnavailable
from lead_demand.runs.day import AMSTERDAM, Window

OURS = "pipeline"


class RegionalAds:
    channel: ClassVar[str] = "regional_ads"
    metrics: ClassVar[tuple[str, ...]] = ("spend_micros", "clicks")
    empty_day: ClassVar[Level] = "stop"
    late_days: ClassVar[int] = 1
    unmatched: ClassVar[str | None] = None
    sums: ClassVar[tuple[Sum, ...]] = (Sum("spend", "spend_micros", ("spend_micros",), "stop"),)
    billable_unit = Decimal("0.10")

    def fetch(self, account: str, window: Window) -> Fetched:
        rows = _ask(f"/{account}/figures?first={window.first}&last={window.last}")
        records = [(row["campaign"], row["date"], row["spend_micros"], row["clicks"], True) for row in rows]
        return Fetched(pd.DataFrame(records, columns=["external_id", "date", *self.metrics, "is_final"]))

    def fetch_totals(self, account: str, window: Window) -> pd.DataFrame:
        rows = _ask(f"/{account}/totals?first={window.first}&last={window.last}")
        return pd.DataFrame([(row["date"], row["spend_micros"]) for row in rows], columns=["date", "spend_micros"])

    def match(self, raw: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
        return raw.assign(segment_id=match_exactly(raw, sources))

    def read_budgets(self, account: str, history: ChangeHistory | None = None) -> pd.DataFrame:
        others: dict[str, AccountChange] = {}
        for change in history.changes if history else ():
            if not change.is_ours:
                others.setdefault(change.resource, change)
        records = [
            {
                "campaign_id": row["campaign"],
                "campaign_name": row["name"],
                "budget_id": row["budget"],
                "amount_micros": int(Decimal(row["amount"]) * 1_000_000),
                "campaigns_on_budget": 1,
                "is_budget_limited": row["sells_out"],
                "is_learning": False,
                "is_serving": True,
                "currency": "EUR",
                "time_zone": "Europe/Amsterdam",
                "changed_at": others[row["budget"]].at.isoformat() if row["budget"] in others else None,
                "changed_by": others[row["budget"]].by if row["budget"] in others else None,
            }
            for row in _ask(f"/{account}/budgets")
        ]
        return pd.DataFrame(records, columns=list(BUDGET_COLUMNS), dtype=object)

    def change_history(self, account: str, since_days: int) -> ChangeHistory:
        until = datetime.now(tz=AMSTERDAM)
        since = until - timedelta(days=since_days)
        changes = [
            AccountChange(
                row["budget"],
                datetime.fromisoformat(row["at"]),
                row["by"],
                row["by"] == OURS,
                Decimal(row["old"]),
                Decimal(row["new"]),
            )
            for row in _ask(f"/{account}/changes")
        ]
        return ChangeHistory(tuple(change for change in changes if change.at >= since), since, until)

    def removed_campaigns(self, account: str, campaigns: Sequence[str]) -> set[str]:
        return set(campaigns) & set(_ask(f"/{account}/removed"))

    def foreign_changes(self, account: str, since_days: int) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for change in self.change_history(account, since_days).changes:
            if not change.is_ours:
                found.setdefault(change.resource, (change.at.isoformat(), change.by))
        return found

    def own_changes(self, account: str, since_days: int) -> dict[str, list[tuple[datetime, Decimal]]]:
        found: dict[str, list[tuple[datetime, Decimal]]] = {}
        for change in self.change_history(account, since_days).changes:
            if change.is_ours and change.new_value is not None:
                found.setdefault(change.resource, []).append((change.at, change.new_value))
        return found

    def live_amounts(self, account: str, budgets: Sequence[str]) -> dict[str, Decimal]:
        rows = _ask(f"/{account}/budgets")
        return {row["budget"]: Decimal(row["amount"]) for row in rows if row["budget"] in budgets}

    def set_budgets(
        self, account: str, amounts: Mapping[str, Decimal], *, validate_only: bool = False
    ) -> dict[str, Outcome]:
        billed = {name: str(from_micros(to_micros(amount, self.billable_unit))) for name, amount in amounts.items()}
        try:
            answer = _ask(f"/{account}/budgets", {"amounts": billed, "validate_only": validate_only})
        except (SourceUnavailable, SourceRefused) as error:
            # Nobody knows whether it was done before the line broke.
            return {name: Outcome(None, type(error).__name__, str(error)) for name in amounts}
        return {
            name: Outcome(said == "done", None if said == "done" else "refused", said, answer["request"])
            for name, said in answer["said"].items()
        }


def _ask(path: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(os.environ["REGIONAL_ADS_URL"] + path, data), timeout=10) as answer:  # noqa: S310
            return json.loads(answer.read())
    except HTTPError as error:
        kind = SourceUnavailable if error.code >= 500 else SourceRefused
        raise kind(f"Regional ads answered {error.code} to {path}.") from error
    except (OSError, HTTPException) as error:
        raise SourceUnavailable(f"Regional ads could not be reached: {error}.") from error


CHANNEL = RegionalAds
