"""What partners can take: when its source has failed, and which findings that leaves.

A segment that the adapter does not name has no partners and capacity 0. That is believed of single segments; of most
of them at once it is far more often a table that is not readable or not loaded, so the source counts as failed:

- the adapter names no active segment at all, unless it is known that none had partners before; or
- of the segments that had a capacity when it was last recorded (and at least three of them), more than half have none,
  or only of partners who are all away since today.

A person confirms that it is true with a row of `capacity_confirmations` without a segment, written on the same day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lead_demand.errors import CapacitySourceFailed
from lead_demand.findings import Checked, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import psycopg

CHANNEL, ACCOUNT = "partner_capacity", "leads_db"
SOURCE_FAILED = "capacity_source_failed"


def failure_of(read: dict[str, Any]) -> CapacitySourceFailed | None:
    """The error of a read of the partners, or None where it succeeded.

    :param read: `is_failed`, and how many active segments there are (`segments`), the adapter names (`named`), had a
        capacity when it was last recorded (`had`), and have none of it now (`lost`).
    """
    if not read["is_failed"]:
        return None
    if not read["named"]:
        return CapacitySourceFailed(
            f"The partners' tables name none of the {read['segments']} active segments; {read['had']} had a capacity "
            "when it was last recorded."
        )
    return CapacitySourceFailed(
        f"The partners' tables give no capacity, or say that all partners are away, for {read['lost']} of the "
        f"{read['had']} segments that had one when it was last recorded."
    )


def failure_of_rights(error: psycopg.Error) -> CapacitySourceFailed:
    """The error where lead_pipeline may not read a table of the adapter."""
    return CapacitySourceFailed(
        f"The partners' capacity may not be read: {error.diag.message_primary or 'insufficient privilege'}.",
        todo="Grant lead_pipeline select on the tables that include/sql/sources/partner_capacity.sql reads.",
    )


def source_findings(failure: Exception | None, of_day: date) -> tuple[Sequence[Finding], Sequence[Checked]]:
    """The finding of a failed source, and what was looked for: without a failure an open one is closed."""
    found = [
        Finding(
            SOURCE_FAILED,
            "stop",
            f"{said} Every budget is held.",
            f"{todo} Then clear pull_partner_capacity and what comes after it.",
            channel=CHANNEL,
            subject=ACCOUNT,
        )
        for said, todo in ([_words(failure)] if failure else [])
    ]
    return found, [Checked(SOURCE_FAILED, CHANNEL, ACCOUNT)]


def _words(failure: Exception) -> tuple[str, str]:
    from lead_demand.errors import explain

    facts = explain(failure)
    return facts.happened, facts.todo
