"""Putting back what was changed: one row of the log, or every change of a day.

A budget is reverted only while it still is what that change made it: whoever moved it since meant something. The
statement below swaps old and new, and `BudgetProtocol.compare` reads the live budget and sends nothing where it is
another than the one to be reverted. The revert is a change like any other, with a claim and a row of its own
(`budget_revert`); it starts the cool-down (`planner/cool_down.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from lead_demand.budgets.changes import BudgetStep, ChangeReport, Claim, Claims
from lead_demand.budgets.limits_now import MonthRoom, month_room, room_taken
from lead_demand.budgets.protocol import BudgetProtocol
from lead_demand.database import sql
from lead_demand.errors import NothingToRevert
from lead_demand.runs import day
from lead_demand.text import euros

ACTION = "budget_revert"


def asked(conf: dict[str, Any]) -> tuple[UUID | None, date | None]:
    """The row or the day of the trigger form: exactly one of `log_id` and `day`. Raises NothingToRevert."""
    log_id, of_day = conf.get("log_id") or None, conf.get("day") or None
    if (log_id is None) == (of_day is None):
        raise NothingToRevert(
            f"Asked for was log_id={log_id} and day={of_day}, not exactly one of them.",
            todo="Start a new run with either the id of one row of channel_orchestration_log or a day.",
        )
    try:
        return (UUID(str(log_id)), None) if log_id else (None, date.fromisoformat(str(of_day)))
    except ValueError as error:
        raise NothingToRevert(
            f"log_id={log_id}, day={of_day}: {error}.",
            todo="Start a new run: copy the id from the log's row, or write the day as 2026-03-14.",
        ) from error


def revert_changes(
    log_id: UUID | None,
    of_day: date | None,
    channel: str,
    dag_run_id: str,
    decided_by: str | None,
    *,
    last_try: bool = False,
) -> ChangeReport:
    """Put back one change, or all of a day, each only where the live budget still is what the change made it.

    Raises NothingToRevert where there is no such change that took effect, or the settings allow none; ChangesFailed
    where one could not be reverted, ChangesUnsettled where a further try is needed, ChangesLeftOpen where an account
    refuses to be read; the others are reverted all the same.
    """
    with BudgetProtocol.alone(channel, ACTION, dag_run_id, last_try=last_try) as protocol:
        connection, report, switches = protocol.connection, protocol.report, protocol.switches
        asked_for = {"channel": channel, "log_id": log_id, "day": of_day}
        rows = sql.read_rows(connection, sql.render("lead_budget_revert/select_reversible.sql"), asked_for)
        connection.commit()
        if not rows:
            raise NothingToRevert(
                f"{'Row ' + str(log_id) if log_id else of_day} is no change of {channel} that took effect: there is "
                "nothing to revert."
            )
        cap_words, cap = switches.total_cap
        left = None if cap is None else cap - room_taken(connection, channel).total
        months = month_room(connection, channel)
        claims = _claims(rows, dag_run_id, decided_by, (cap_words, left), months, report)

        def claim(wanted: Sequence[Claims]) -> None:
            report.unclaimed += [f"{refused[0].segment}: {why}" for refused, why in protocol.claim(wanted)]

        protocol.carry_out(lambda _: claims, claim)
    report.raise_for("revert(s)")
    if report.switched_off:
        raise NothingToRevert(
            f"{len(report.success)} reverted, and no more: the kill switch is on, or a value of orchestration_settings "
            "is missing.",
            unchanged="The other budgets were not changed.",
            todo="To keep the planner away meanwhile, set is_automated to false in lead_segment_channels. Then set "
            "kill_switch to false, and start a new run with the same form.",
        )
    return report


def _claims(
    rows: list[dict[str, Any]],
    dag_run_id: str,
    decided_by: str | None,
    room: tuple[str, Decimal | None],
    months: MonthRoom,
    report: ChangeReport,
) -> list[Claims]:
    """One claim per row that may be reverted; why another may not is named in the report.

    :param room: what bounds the sum of all budgets, in words, and EUR per day below it; None = not known, so nothing
        goes up.
    :param months: what the monthly budgets of segments and branches leave.
    """
    claims: list[Claims] = []
    cap_words, left = room
    for row in rows:
        change = Claim(
            **{field.name: row[field.name] for field in fields(BudgetStep) if field.name != "action_type"},
            action_type=ACTION,
            kind="revert",
            reverts=row["reverts"],
            dag_run_id=dag_run_id,
            decided_by=decided_by,
        )
        if row["revert_status"] == "success":
            report.earlier.append((change, f"was already reverted on {row['revert_date']}"))
        elif row["revert_status"] == "pending" and row["revert_date"] != day.today():
            report.unclaimed.append(
                f"{row['segment']}: the revert of {row['revert_date']} is still open, for its account cannot be read; "
                "it is settled by the next run that can"
            )
        elif row["revert_status"] == "pending" or row["revert_run"] == dag_run_id:
            pass  # claimed today: it is finished, or named as refused, below
        elif row["new_value"] > row["old_value"] and not _is_within_cap(row):
            report.unclaimed.append(
                f"{row['segment']}: {euros(row['segment_budget'])} would be above its cap of "
                f"{euros(row['max_daily_budget'])}; it was left alone"
            )
        elif row["new_value"] > row["old_value"] and not (left is not None and change.step <= left):
            report.unclaimed.append(
                f"{row['segment']}: with +{euros(change.step)} {cap_words} would be passed; left alone"
            )
        elif change.step > 0 and (why := months.beyond(change.segment_id, change.step)):
            report.unclaimed.append(f"{row['segment']}: {why}")
        else:
            months.take(change.segment_id, change.step)
            left = None if left is None else left - max(change.step, Decimal(0))
            claims.append((change,))
    return claims


def _is_within_cap(row: dict[str, Any]) -> bool:
    """Whether the segment's budget would be at or below its cap; what is not known is not within it."""
    cap, wanted = row["max_daily_budget"], row["segment_budget"]
    return cap is not None and wanted is not None and cap.is_finite() and wanted <= cap
