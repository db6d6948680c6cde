"""What the planner is given of each segment: what the database knows, its limits, and why its budget may not move."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import psycopg

from lead_demand.database import sql
from lead_demand.database.findings import Finding
from lead_demand.database.settings import Switches
from lead_demand.planner.finding_codes import what_to_do
from lead_demand.planner.limits import LIMITS, step_of_limited
from lead_demand.planner.reasons import Reason
from lead_demand.planner.settings import LATELY, PlannerSettings
from lead_demand.runs import day

if TYPE_CHECKING:
    from datetime import datetime

# By table, the reason for which segments hold while it cannot be read; also the code of the finding.
UNREADABLE = {
    "orchestration_settings": Reason.SETTINGS_MISSING,
    "capacity_confirmations": Reason.SETTINGS_MISSING,
    "lead_segment_channels": Reason.MISSING_LIMITS,
}
# Of select_limits.sql: what the months of the segment and of its branch leave, in EUR per day.
MONTHS = ("has_monthly_budget", "month_cap", "has_branch_monthly_budget", "branch_month_cap", "branch_month_room")
LIMIT_COLUMNS = [*LIMITS, "is_automated", *MONTHS]  # of select_limits.sql, beside segment_id


def read_undecided(
    connection: psycopg.Connection[Any], settings: PlannerSettings, switches: Switches, key: dict[str, Any]
) -> tuple[pd.DataFrame, list[Finding]]:
    """The segments without a decision of today, with their limits and every block that was found before planning.

    Limits that cannot be read are unknown, and a finding says so: the segments hold, and the day goes on.
    """
    segments = sql.read_frame(
        connection,
        sql.render("lead_budgets/select_segments.sql"),
        key
        | {
            "is_complete": switches.is_complete,
            "kill_switch": switches.kill_switch,
            "currency": switches.currency,
            "time_zone": switches.time_zone,
            "lately": LATELY,
            "most_unknown": settings.max_share_of_unknown_status,
        },
    )
    unreadable: list[Finding] = []
    try:
        with connection.transaction():
            limits = sql.read_frame(connection, sql.render("lead_budgets/select_limits.sql"), key)
    except psycopg.OperationalError:
        raise  # the connection or a lock: the next try reads them
    except psycopg.Error as error:
        limits = pd.DataFrame(columns=["segment_id", *LIMIT_COLUMNS])
        unreadable.append(cannot_be_read("lead_segment_channels", error.diag.message_primary or str(error)))
    limits_unreadable = bool(unreadable)
    segments = segments.merge(limits, on="segment_id", how="left")
    segments[LIMIT_COLUMNS] = segments[LIMIT_COLUMNS].astype(object).where(segments[LIMIT_COLUMNS].notna(), None)
    # As a person set them, before a step is cut to the budgets that it goes to: kept with the decision.
    segments["limits_set"] = pd.Series(
        [
            {name: given[name] for name in LIMITS}
            | {"segment_month_cap": given["month_cap"], "branch_month_cap": given["branch_month_cap"]}
            | switches.shared_limits
            for given in segments[LIMIT_COLUMNS].to_dict("records")
        ],
        index=segments.index,
        dtype=object,
    )
    judged, unread = _judged_capacity(connection)
    unreadable += unread
    given = [
        (segment_id, capacity if capacity is None or absent is None else capacity + absent)
        for segment_id, capacity, absent in zip(
            segments["segment_id"], segments["capacity_total_leads"], segments["capacity_absent_leads"], strict=True
        )
    ]
    # Another capacity than was judged has just been written: it is not known whether that one leaps.
    leaps = {
        segment_id
        for segment_id, capacity in given
        if judged and capacity is not None and _leaps(judged.get(segment_id), capacity)
    }
    usual = {segment_id: judged[segment_id]["usual"] for segment_id in leaps & judged.keys()}
    # As objects: numbers beside None would become floats with NaN, which is no JSON.
    segments["capacity_usual"] = pd.Series(
        [usual.get(segment_id) for segment_id, _ in given], index=segments.index, dtype=object
    )
    steps = [
        step_of_limited(*row)
        for row in zip(
            segments["max_increase_pct"],
            segments["budget_limited"],
            segments["limited_budget"],
            segments["current_budget"],
            strict=True,
        )
    ]
    segments["max_increase_pct"] = pd.Series(steps, index=segments.index, dtype=object)
    unknown_months = _unknown_months(segments)
    segments["blocks"] = [
        [
            *blocks,
            *([Reason.CAPACITY_LEAP] if segment_id in leaps else []),
            *([Reason.SETTINGS_MISSING] if unread and Reason.SETTINGS_MISSING not in blocks else []),
            *([Reason.MISSING_LIMITS] if segment_id in unknown_months else []),
            *([] if automated is True or limits_unreadable else [Reason.AUTOMATION_OFF]),
            *([Reason.FOREIGN_EDIT] if _is_recent(changed_at, cooldown) else []),
        ]
        for segment_id, blocks, automated, changed_at, cooldown in zip(
            segments["segment_id"],
            segments["blocks"],
            segments["is_automated"],
            segments["budget_changed_at"],
            segments["cooldown_days"],
            strict=True,
        )
    ]
    return segments, unreadable


def _judged_capacity(connection: psycopg.Connection[Any]) -> tuple[dict[str, dict[str, Any]], list[Finding]]:
    """By segment: the capacity that was judged (`capacity`, leads per day), what is `usual`, and whether it leaps.

    What tells a leap and cannot be read is unknown for every segment, and a finding says so.
    """
    try:
        with connection.transaction():
            rows = sql.read_rows(connection, sql.render("lead_budgets/select_capacity_leaps.sql"))
    except psycopg.OperationalError:
        raise  # the connection or a lock: the next try reads them
    except psycopg.Error as error:
        return {}, [cannot_be_read("capacity_confirmations", error.diag.message_primary or str(error))]
    return {row["segment_id"]: row for row in rows}, []


def _leaps(judged: dict[str, Any] | None, capacity: int) -> bool:
    return judged is None or judged["is_leap"] or judged["capacity"] != capacity


def _unknown_months(segments: pd.DataFrame) -> set[str]:
    """The segments that have a monthly budget, or whose branch has one, of which is not known what it leaves."""
    return {
        segment_id
        for has_budget, cap in (
            ("has_monthly_budget", "month_cap"),
            ("has_branch_monthly_budget", "branch_month_cap"),
        )
        for segment_id, is_limited, amount in zip(
            segments["segment_id"], segments[has_budget], segments[cap], strict=True
        )
        if is_limited and (amount is None or not amount.is_finite())
    }


def branch_month_room(segments: pd.DataFrame) -> dict[tuple[str, str], Decimal]:
    """By country and branch, what the month of each branch that has a monthly budget leaves, in EUR per day.

    :param segments: of `read_undecided`.
    """
    rows = zip(segments["country"], segments["branch"], segments["branch_month_room"], strict=True)
    return {(country, branch): room for country, branch, room in rows if room is not None and room.is_finite()}


def _is_recent(changed_at: datetime | None, cooldown_days: int | None) -> bool:
    """Whether somebody else changed the budget within the cool-down, or three days where that is not known."""
    if pd.isna(changed_at):
        return False
    days = 3 if pd.isna(cooldown_days) else int(cooldown_days)
    return changed_at.astimezone(day.AMSTERDAM).date() >= day.today() - timedelta(days=days)


def cannot_be_read(table: str, error: str) -> Finding:
    return Finding(
        UNREADABLE[table],
        "stop",
        f"{table} cannot be read ({error.strip()}); every budget that needs it was held.",
        what_to_do(UNREADABLE[table]),
        subject=table,
    )
