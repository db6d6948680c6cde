"""PlannerSettings: every number that the planner decides by, with its default."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

# Days, up to yesterday, in which missing ones are counted; and leads of an unknown status.
LATELY = 28
_MICROS = 1_000_000


@dataclass(frozen=True)
class Assumptions:
    """What the estimate takes as given; see the fields of `PlannerSettings` with these names."""

    elasticity: float
    outage_expected_leads: float
    outage_min_days: int


@dataclass(frozen=True)
class PlannerSettings:
    """How the planner decides; every value has a working default.

    Money is in `currency`. None for one of the three amounts means that there is no such limit.
    """

    # The estimate
    window_days: int = 112  # days of history that the estimate looks at
    elasticity: float = 0.7  # leads grow with spend to this power
    min_history_days: int = 14  # complete days before anything is decided
    missing_days: int = 3  # of the last 28 so many may be missing, but not yesterday
    holidays: Mapping[str, Collection[dt.date]] = field(default_factory=dict)  # by country code; they count as Sundays
    # The gate
    dead_band: float = 0.08  # of the target
    significance: float = 0.9  # in standard deviations of the gap
    interval: float = 0.80  # chance that expected_low to expected_high holds the true mean
    least_spent: float = 0.85  # of its budgets in two weeks; a campaign that leaves more is not limited by them
    least_lost: float = 0.01  # of its searches in two weeks, for want of budget; one that loses less is not raised
    # What waives the cool-down
    capacity_move: float = 0.20  # since the last change, of what it was then
    follow_through: float | None = 1.5  # a gap of so many standard deviations after a full step; None = never
    # What makes the counts unusable
    max_share_without_source: float = 0.10  # of a segment's leads
    max_share_of_unknown_status: float = 0.10  # of a segment's leads of the last 28 days
    recent_source_days: int = 14  # judged by themselves as well: a tag that just broke is lost in the window
    outage_expected_leads: float = 5.0  # so many paid leads had to come, and none did
    outage_min_days: int = 2  # days in a row, up to yesterday
    # Money
    currency: str = "EUR"
    currency_unit: Decimal = Decimal("0.01")  # the smallest amount that can be billed
    total_daily_cap: Decimal | None = None  # sum of all budgets
    month_room: Decimal | None = None  # what the month leaves for increases of budgets; below 0, what has to go down
    # The same for the months of single branches, by country and branch; a branch that is absent has no monthly budget
    branch_month_room: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    max_daily_increase: Decimal | None = None  # sum of a day's increases
    approval_threshold: Decimal | None = None  # a larger increase is asked of a person
    dry_run: bool = False  # nothing is sent, so no sentence says when the next change may come

    def __post_init__(self) -> None:
        shares = 0 < self.elasticity <= 1 and 0 < self.interval < 1
        if not shares:
            raise ValueError(
                "PlannerSettings: elasticity must lie in (0, 1] and interval in (0, 1). Nothing was planned. "
                "Correct the setting."
            )
        if not self.currency_unit.is_finite() or self.currency_unit * _MICROS < 1:
            raise ValueError(
                f"PlannerSettings: currency_unit {self.currency_unit} is no amount of at least 0.000001. "
                "Nothing was planned. Give the currency's billable unit, such as Decimal('0.01')."
            )

    @property
    def assumptions(self) -> Assumptions:
        """The part of the settings that the estimate needs."""
        return Assumptions(
            elasticity=self.elasticity,
            outage_expected_leads=self.outage_expected_leads,
            outage_min_days=self.outage_min_days,
        )

    @property
    def unit(self) -> int:
        """`currency_unit` in micros."""
        return int(self.currency_unit * _MICROS)
