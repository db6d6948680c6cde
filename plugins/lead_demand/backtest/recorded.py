"""What was recorded of a past morning, as the planner is given it again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypedDict, cast

from lead_demand.planner.estimate import KEPT
from lead_demand.planner.reasons import Reason, reason_of

#: What the planner was given besides the limits, which a replay sets itself.
CAPACITY = ("capacity_total_leads", "capacity_absent_leads", "capacity_absent_week", "capacity_absent_until")
GIVEN = (*CAPACITY, "target_override", "budget_limited", "limited_budget", "budget_lost_share", "last_change_date")
#: What a person had switched off or not set yet is no reason to hold in a replay: it asks what would have been decided.
SET_BY_PEOPLE = (
    Reason.AUTOMATION_OFF,
    Reason.KILL_SWITCH,
    Reason.SETTINGS_MISSING,
    Reason.MISSING_LIMITS,
    Reason.INVALID_LIMITS,
)


class Recorded(TypedDict):
    """One row of lead_backtest/select_morning.sql: a segment on a morning. What was decided is None without a decision.

    The capacity is of that morning's statistics (leads per day); what the decision was made on is in `inputs`.
    """

    segment_id: str
    code: str
    country: str
    branch: str
    capacity_total_leads: float | None
    capacity_absent_leads: float | None
    capacity_absent_week: float | None
    capacity_absent_until: dt.date | None
    action: str | None
    old_budget: Decimal | None  # EUR
    new_budget: Decimal | None
    reasons: list[str] | None
    inputs: Mapping[str, Any] | None  # JSON


class Given(TypedDict):
    """One segment of a morning as the planner is given it, without its budget and limits; None = unknown."""

    segment_id: str
    code: str
    country: str
    branch: str
    capacity_total_leads: float | None
    capacity_absent_leads: float | None
    capacity_absent_week: float | None
    capacity_absent_until: dt.date | str | None
    target_override: float | None
    budget_limited: bool | None
    limited_budget: Decimal | None  # EUR
    budget_lost_share: float | None
    last_change_date: dt.date | str | None
    old_budget: Decimal | None  # EUR; of which `limited_budget` is a part
    blocks: list[str]


def given(row: Recorded, budget: int | None) -> Given:
    """One segment of a morning as the planner is given it; `budget`: in force that morning, micros."""
    inputs = row["inputs"]
    if inputs is None:
        # Whether Google called it limited that day is not known; the share of its budget that it spent tells as well.
        known: dict[str, Any] = {name: dict(row)[name] for name in CAPACITY} | {"budget_limited": True}
        codes: list[str] = [] if budget is not None else [Reason.NO_CAMPAIGN]
    else:
        known = {name: inputs.get(name) for name in GIVEN}
        codes = [*inputs.get("blocks", ()), *(code for code in row["reasons"] or () if _blocks(code))]
    segment = {
        "segment_id": row["segment_id"],
        "code": row["code"],
        "country": row["country"],
        "branch": row["branch"],
        **dict.fromkeys(GIVEN),
        **known,
        "limited_budget": as_decimal(known.get("limited_budget")),
        "old_budget": row["old_budget"],
        "blocks": [code for code in dict.fromkeys(codes) if code not in SET_BY_PEOPLE],
    }
    return cast("Given", segment)


def kept_estimate(row: Recorded) -> dict[str, float] | None:
    """The estimate that was kept with a decision; None where there is none, or not all of one."""
    kept = (row["inputs"] or {}).get("estimate")
    return kept if kept and {*KEPT} <= kept.keys() else None


def _blocks(code: str) -> bool:
    reason = reason_of(code)
    return reason is None or reason.blocking


def as_decimal(value: Decimal | float | str | None) -> Decimal | None:
    """An amount that went through JSON or a frame; None where it is missing."""
    amount = None if value is None else Decimal(str(value))
    return None if amount is None or amount.is_nan() else amount
