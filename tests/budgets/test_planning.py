"""How a day is planned from what the database holds."""

from __future__ import annotations

import weakref
from typing import Any

import pytest

from lead_demand import planner, planning
from tests.fixtures.morning import Morning


def test_the_history_is_let_go_before_the_estimates_need_the_memory(
    morning: Morning, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, estimate = planning._history, planner.estimate
    histories: list[weakref.ref[Any]] = []
    held: list[bool] = []

    def remembered(*arguments: Any) -> Any:
        frame = read(*arguments)
        histories.append(weakref.ref(frame))
        return frame

    def looked_at(*arguments: Any) -> Any:
        held.append(histories[-1]() is not None)
        return estimate(*arguments)

    monkeypatch.setattr(planning, "_history", remembered)
    monkeypatch.setattr(planner, "estimate", looked_at)
    assert planning.plan("google_ads", "test-run").evaluated
    assert held == [False]
