"""The planner's two frames for tests: steady segments that a test changes in one place."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

TODAY = dt.date(2026, 3, 11)


def history(segment_id: Any = "a", days: int = 56, **columns: Any) -> pd.DataFrame:
    """A segment that brings 3 paid and 1 free lead every day for €80, of which partners accept 3 of 4."""
    dates = [TODAY - dt.timedelta(days=age) for age in range(days, 0, -1)]
    row = {
        "leads_generated": 4,
        "leads_accepted": 3,
        "leads_rejected": 1,
        "leads_pending": 0,
        "google_ads_leads": 3,
        "leads_without_source": 0,
        "google_ads_spend": Decimal(80),
        "google_ads_clicks": 40,
        "google_ads_budget": Decimal(80),
        "capacity_total_leads": 3,
    }
    return pd.DataFrame({"segment_id": segment_id, "date": dates, **row, **columns})


def segment(segment_id: Any = "a", **columns: Any) -> pd.DataFrame:
    """The same segment's set-up: what it brings is what partners take, so nothing is to be done."""
    row = {
        "segment_id": segment_id,
        "name": "Schilder Utrecht",
        "current_budget": Decimal(80),
        "min_daily_budget": Decimal(10),
        "max_daily_budget": Decimal(200),
        "max_increase_pct": Decimal(20),
        "max_decrease_pct": Decimal(30),
        "cooldown_days": 3,
        "last_change_date": None,
        "capacity_total_leads": 3,
        "target_override": None,
        "budget_limited": True,
        "blocks": [],
    }
    row.update(columns)
    return pd.DataFrame({name: pd.Series([value], dtype=object) for name, value in row.items()})


def both(*pairs: tuple[pd.DataFrame, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Histories and set-ups of several segments, each as one frame."""
    histories, segments = zip(*pairs, strict=True)
    return pd.concat(histories, ignore_index=True), pd.concat(segments, ignore_index=True)


def euros(low: int, high: int) -> st.SearchStrategy[Decimal]:
    """Amounts in whole cents."""
    return st.integers(low * 100, high * 100).map(lambda cents: Decimal(cents) / 100)


@st.composite
def companies(draw: st.DrawFn, largest: int = 5) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A few segments with counts that chance made, limits of every kind, and nothing unknown but what may be."""
    count = draw(st.integers(1, largest))
    days = draw(st.integers(14, 60))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pairs = []
    for index in range(count):
        budget = draw(euros(1, 500))
        floor, cap = sorted([draw(euros(0, 500)), draw(euros(0, 500))])
        paid = chance.poisson(draw(st.sampled_from([0.2, 1.0, 4.0])), days)
        free = chance.poisson(draw(st.sampled_from([0.0, 0.5, 2.0])), days)
        generated = paid + free
        decided = chance.binomial(generated, np.linspace(1.0, 0.3, days))
        accepted = chance.binomial(decided, 0.6)
        spend = [Decimal(int(cents)) / 100 for cents in chance.uniform(0.5, 1.2, days) * float(budget) * 100]
        pairs.append(
            (
                history(
                    f"s{index}",
                    days,
                    leads_generated=generated,
                    leads_accepted=accepted,
                    leads_rejected=decided - accepted,
                    leads_pending=generated - decided,
                    google_ads_leads=paid,
                    google_ads_spend=spend,
                    google_ads_budget=budget,
                    capacity_total_leads=draw(st.integers(0, 8)),
                ),
                segment(
                    f"s{index}",
                    current_budget=budget,
                    min_daily_budget=floor,
                    max_daily_budget=cap,
                    max_increase_pct=draw(st.sampled_from([Decimal(0), Decimal("12.5"), Decimal(20), Decimal(50)])),
                    max_decrease_pct=draw(st.sampled_from([Decimal(0), Decimal("7.25"), Decimal(30), Decimal(100)])),
                    cooldown_days=draw(st.integers(0, 5)),
                    last_change_date=draw(st.none() | st.integers(0, 9).map(lambda age: TODAY - dt.timedelta(age))),
                    capacity_total_leads=draw(st.integers(0, 12)),
                    target_override=draw(st.sampled_from([None, None, None, 0, 5])),
                    budget_limited=draw(st.sampled_from([True, True, True, False, None])),
                ),
            )
        )
    return both(*pairs)
