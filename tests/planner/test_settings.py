"""Settings that cannot be true are refused before anything is planned."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lead_demand.planner.settings import PlannerSettings


@pytest.mark.parametrize("setting", [{"elasticity": 0.0}, {"elasticity": 1.1}, {"interval": 0.0}, {"interval": 1.0}])
def test_an_impossible_share_is_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Nothing was planned"):
        PlannerSettings(**setting)


@pytest.mark.parametrize("unit", [Decimal(0), Decimal("0.0000001"), Decimal("NaN")])
def test_a_unit_that_is_no_amount_is_refused(unit: Any) -> None:
    with pytest.raises(ValueError, match="currency_unit"):
        PlannerSettings(currency_unit=unit)


def test_the_unit_is_told_in_micros() -> None:
    assert PlannerSettings().unit == 10_000
    assert PlannerSettings(currency_unit=Decimal(1)).unit == 1_000_000
