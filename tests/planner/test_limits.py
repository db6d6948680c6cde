"""The limits of one segment, by themselves."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lead_demand.planner.limits import step_of_limited

TWENTY = Decimal(20)


def test_where_a_part_of_the_budget_is_limited_the_step_is_that_part() -> None:
    assert step_of_limited(TWENTY, True, Decimal(25), Decimal(100)) == 5


def test_a_step_that_does_not_come_out_even_is_rounded_down() -> None:
    assert step_of_limited(TWENTY, True, Decimal(20), Decimal(30)) == Decimal("13.3333")


@pytest.mark.parametrize(
    ("is_limited", "limited", "current"),
    [
        (True, Decimal(100), Decimal(100)),
        (True, Decimal(101), Decimal(100)),
        (False, Decimal(25), Decimal(100)),
        (None, Decimal(25), Decimal(100)),
        (True, None, Decimal(100)),
        (True, Decimal(0), Decimal(100)),
        (True, Decimal(25), None),
    ],
)
def test_where_all_of_it_or_nothing_known_is_limited_the_step_is_whole(
    is_limited: bool | None, limited: Decimal | None, current: Decimal | None
) -> None:
    assert step_of_limited(TWENTY, is_limited, limited, current) == TWENTY


def test_a_step_that_is_not_known_stays_unknown() -> None:
    assert step_of_limited(None, True, Decimal(25), Decimal(100)) is None
