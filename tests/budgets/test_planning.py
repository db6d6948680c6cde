"""How a day is planned from what the database holds."""

from __future__ import annotations

import weakref
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from lead_demand.budgets import planning
from lead_demand.database import sql
from lead_demand.planner import planner
from lead_demand.planner.settings import PlannerSettings
from lead_demand.runs import day
from tests.fixtures.morning import Morning


def test_the_window_is_never_in_memory_as_a_whole(morning: Morning, monkeypatch: pytest.MonkeyPatch) -> None:
    read = planning._history
    parts: list[weakref.ref[Any]] = []
    held: list[int] = []

    def remembered(*arguments: Any) -> Any:
        for part in read(*arguments):
            parts.append(weakref.ref(part))
            held.append(sum(part() is not None for part in parts))
            yield part

    monkeypatch.setattr(sql, "_ROWS_AT_ONCE", 20)
    monkeypatch.setattr(planning, "_history", remembered)
    assert planning.plan("google_ads", "test-run").evaluated
    assert len(parts) > 10 and max(held) <= 2


def test_a_day_with_nothing_to_decide_is_planned_all_the_same(morning: Morning) -> None:
    morning.db.fetch("update lead_segments set is_active = false")
    assert planning.plan("google_ads", "test-run").evaluated == 0


def test_the_planner_knows_the_public_holidays_of_its_segments_countries(
    morning: Morning, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[PlannerSettings] = []
    made = planner.LeadDemandPlanner.__init__

    def remembered(self: planner.LeadDemandPlanner, settings: PlannerSettings) -> None:
        given.append(settings)
        made(self, settings)

    monkeypatch.setattr(planner.LeadDemandPlanner, "__init__", remembered)
    assert planning.plan("google_ads", "test-run").evaluated
    (settings,) = given
    today = day.today()
    first = today - timedelta(days=settings.window_days)
    assert set(settings.holidays) == {"NL"}
    for christmas in (date(year, 12, 25) for year in range(first.year, today.year + 1)):
        assert christmas in settings.holidays["NL"]


def test_a_decision_keeps_the_limits_in_force_as_a_person_had_set_them(morning: Morning) -> None:
    code = "schilder_utrecht"
    morning.set(total_daily_cap=4_321, max_daily_increase=543, approval_threshold=54)
    morning.db.fetch(
        "update lead_segment_channels set max_daily_budget = 321.5, cooldown_days = null where segment_id ="
        " (select id from lead_segments where code = %s)",
        [code],
    )
    assert planning.plan("google_ads", "test-run").evaluated
    morning.set(total_daily_cap=1)
    kept = morning.decisions()[code]["inputs"]["limits_set"]
    assert {
        name: kept[name] for name in ("total_daily_cap", "max_daily_increase", "approval_threshold", "month_cap")
    } == {
        "total_daily_cap": "4321.000000",
        "max_daily_increase": "543.000000",
        "approval_threshold": "54.000000",
        "month_cap": None,
    }
    assert (Decimal(kept["max_daily_budget"]), kept["cooldown_days"]) == (Decimal("321.5"), None), (
        "unknown stays unknown"
    )
