"""The settings that stop or bound every change, as they are at this moment."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lead_demand.database import sql

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Switches:
    """`orchestration_settings`. Anything unknown reads as the safe side: no change.

    Money is in EUR per day, `approval_deadline` a time of day in Europe/Amsterdam. `is_complete` is False where
    anything was missing, not a number, or could not be read; `missing` names what has no value, `error` says what the
    database answered, if it did. `approvers`: user ids of Airflow; empty = everybody who may answer a question.
    `month_cap`: what all budgets may come to so that `monthly_budget` is kept, `month_room`: how far they are below it,
    negative where they are above; None = there is no monthly budget.
    """

    is_complete: bool = False
    kill_switch: bool = True
    dry_run: bool = True
    total_daily_cap: Decimal | None = None
    max_daily_increase: Decimal | None = None
    approval_threshold: Decimal | None = None
    approval_deadline: time | None = None
    currency: str | None = None
    time_zone: str | None = None
    approvers: tuple[str, ...] = ()
    month_cap: Decimal | None = None
    month_room: Decimal | None = None
    missing: tuple[str, ...] = ()
    error: str | None = None

    @property
    def total_cap(self) -> tuple[str, Decimal | None]:
        """What bounds the sum of all budgets the most, in words, and its EUR per day; None = not known."""
        total, month = self.total_daily_cap, self.month_cap
        if total is not None and month is not None and month < total:
            return f"the €{month:.2f} per day that monthly_budget leaves", month
        return f"total_daily_cap, now {'not known' if total is None else f'€{total:.2f}'},", total

    @property
    def shared_limits(self) -> dict[str, Decimal | None]:
        """The limits that all segments share, by the names of their columns; `month_cap` is what monthly_budget leaves,
        in EUR per day.
        """
        return {
            "total_daily_cap": self.total_daily_cap,
            "max_daily_increase": self.max_daily_increase,
            "approval_threshold": self.approval_threshold,
            "month_cap": self.month_cap,
        }

    @property
    def changes_allowed(self) -> bool:
        return self.is_complete and not self.kill_switch

    @property
    def why_no_change(self) -> str:
        """Why no budget may change at all, in a sentence; empty where they may."""
        if self.missing:
            return f"No budget may change: orchestration_settings has no {', no '.join(self.missing)}."
        if not self.is_complete:
            return f"No budget may change: orchestration_settings cannot be read ({self.error or 'its row is gone'})."
        if self.kill_switch:
            return (
                "No budget may change: the kill switch in orchestration_settings is on. What it holds today stays held "
                "today when it is off again."
            )
        return "Dry run: nothing was sent." if self.dry_run else ""


def read_switches(connection: psycopg.Connection[Any]) -> Switches:
    """The row of `orchestration_settings`. What cannot be read allows nothing; only a lost connection is raised."""
    import psycopg

    try:
        with connection.transaction():
            row = connection.execute(sql.render("lead_budgets/select_settings.sql")).fetchone()
    except psycopg.OperationalError:
        raise  # the connection or a lock: the next try reads it
    except psycopg.Error as error:
        log.warning("orchestration_settings cannot be read, so nothing may change: %s", error)
        return Switches(error=error.diag.message_primary or str(error).strip())
    if row is None:
        return Switches()
    kill_switch, dry_run, *amounts, deadline, currency, time_zone, approvers, has_month, month = row
    total, increase, threshold, month_cap, month_room = (
        value if value is not None and value.is_finite() else None for value in (*amounts, *(month or (None, None)))
    )
    needed = {
        "kill_switch": kill_switch,
        "dry_run": dry_run,
        "total_daily_cap": total,
        "max_daily_increase": increase,
        "approval_threshold": threshold,
        "approval_deadline": deadline,
        "currency": currency,
        "time_zone": time_zone,
        # None is no limit; one that is no number is not known.
        "number in monthly_budget": month_cap if has_month else 0,
    }
    missing = tuple(name for name, value in needed.items() if value is None)
    return Switches(
        is_complete=not missing,
        missing=missing,
        kill_switch=kill_switch is not False,
        dry_run=dry_run is not False,
        total_daily_cap=total,
        max_daily_increase=increase,
        approval_threshold=threshold,
        approval_deadline=deadline,
        currency=currency,
        time_zone=time_zone,
        approvers=tuple(approvers or ()),
        month_cap=month_cap,
        month_room=month_room,
    )
