"""The default world is aimed: its first morning shows every kind of decision, whatever day of the week it is."""

from collections import Counter
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from lead_demand.planner.planner import LeadDemandPlanner
from lead_demand.planner.settings import PlannerSettings
from sandbox.world import books
from sandbox.world.catalogue import build
from sandbox.world.world import DAYS_OF_HISTORY, PAID, World

SEED, WINDOW = 1, 60


def first_morning(today: date) -> pd.DataFrame:
    """What the planner decides in the morning of ``today`` on a world that starts then; index = segment code."""
    catalogue = build(seed=SEED)
    world = World(catalogue, SEED, today - timedelta(days=DAYS_OF_HISTORY))
    rows = []
    for age in range(WINDOW, 0, -1):
        day = today - timedelta(days=age)
        in_force = np.array([[e for n, e in b.history if n >= age][-1] for b in catalogue.budgets], dtype=float)
        totals = world.day(day, in_force)
        leads, capacity = world.leads(totals), world.capacity(day)
        is_decided = age > leads.delay
        for n, segment in enumerate(catalogue.segments):
            own, paid = leads.segment == n, catalogue.campaigns_of_segment.get(n, [])
            known = segment.role != "unknown_capacity"
            rows.append(
                {
                    "segment_id": segment.code,
                    "date": day,
                    "leads_generated": own.sum(),
                    "leads_accepted": (own & is_decided & leads.accepted).sum(),
                    "leads_rejected": (own & is_decided & ~leads.accepted).sum(),
                    "leads_pending": (own & ~is_decided).sum(),
                    "google_ads_leads": (own & (leads.source == PAID) & leads.attributed).sum(),
                    "leads_without_source": (own & ~leads.attributed).sum(),
                    "google_ads_spend": totals.spend_micros[paid].sum() / 1e6,
                    "google_ads_clicks": totals.clicks[paid].sum(),
                    "google_ads_impressions": totals.impressions[paid].sum(),
                    "google_ads_budget": sum(in_force[catalogue.campaigns[c].budget] for c in paid),
                    "capacity_total_leads": capacity[n] if known else None,
                }
            )
    limits = {limit["segment"]: limit for limit in books.company_limits(catalogue)}
    capacity = world.capacity(today)
    segments = [
        {
            "segment_id": segment.code,
            "current_budget": sum(catalogue.campaigns[c].ref for c in catalogue.campaigns_of_segment[n]),
            **{k: v for k, v in limits[segment.code].items() if k not in ("segment", "channel")},
            "last_change_date": None,
            "capacity_total_leads": capacity[n] if segment.role != "unknown_capacity" else None,
            "target_override": None,
            "budget_limited": True,
            "blocks": {"learning": ["learning"], "shared_budget": ["shared_budget"]}.get(segment.role, []),
        }
        for n, segment in enumerate(catalogue.segments)
        if segment.code in limits
    ]
    planner = LeadDemandPlanner(PlannerSettings())
    return planner.plan(pd.DataFrame(rows), pd.DataFrame(segments), today).set_index("segment_id")


@pytest.mark.parametrize("today", [date(2026, 11, 23) + timedelta(days=n) for n in range(7)])
def test_every_segment_does_what_its_role_says(today: date) -> None:
    plan = first_morning(today)
    for segment in build(seed=SEED).segments:
        if segment.role != "no_campaign":
            expected = segment.role if segment.role in ("increase", "decrease") else "hold"
            assert plan.loc[segment.code, "action"] == expected, plan.loc[segment.code, "sentence"]
    assert Counter(plan["action"]) == {"increase": 3, "decrease": 2, "hold": 6}
