"""What on call is told of a morning that went through: most segments hold for one reason, or only a person can go on.

That something was not decided in time is told by `check_deadline` in `tasks/lead_digest.py`. The words are in
`include/messages/holds.md.j2` and `include/messages/findings.md.j2`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from lead_demand import messages
from lead_demand.budgets.digest import listed, reasons_of
from lead_demand.planner.reasons import Reason

FINDINGS_SHOWN = 10
# Of the segments that the planner may change, so many must hold for one reason before that is news of its own.
FEWEST, MOST = 2, 0.5


@dataclass(frozen=True)
class Alert:
    """One message to on call. `failure`: no budget was decided as it should be; `warning`: the others were."""

    severity: Literal["failure", "warning"]
    message: messages.Message


def of_holds(today: Sequence[Mapping[str, Any]], of: date, run_id: str) -> Alert | None:
    """Where more than half of the segments that the planner may change are held for one reason that a person can end.
    Raises MessageBroken.

    :param today: rows of lead_budgets/select_report.sql, one per segment.
    """
    steered = [row for row in today if row["action"] and Reason.AUTOMATION_OFF not in row["reasons"].split(", ")]
    held = {
        reason: [row["segment"] for row in steered if reason in reasons_of(row)] for reason in Reason if reason.blocking
    }
    # Of several that hold as many, the one that a decision lists first: the others may follow from it.
    reason = max(held, key=lambda reason: len(held[reason]))
    codes = held[reason]
    if len(codes) < FEWEST or len(codes) <= MOST * len(steered):
        return None
    message = messages.render(
        "holds.md.j2",
        {
            "today": of.isoformat(),
            "held": len(codes),
            "segments": len(steered),
            "code": reason.value,
            "phrase": reason.phrase,
            "meaning": reason.meaning,
            "what_to_do": reason.what_to_do,
            "codes": listed(codes),
            "run_id": run_id,
        },
    )
    return Alert("failure" if len(codes) == len(steered) else "warning", message)


def of_findings(found: Sequence[Mapping[str, Any]], run_id: str) -> Alert | None:
    """Where findings of level stop are open. Raises MessageBroken.

    :param found: rows of lead_digest/select_stop_findings.sql.
    """
    if not found:
        return None
    total = found[0]["total"]
    message = messages.render(
        "findings.md.j2",
        {
            "total": total,
            "names": ", ".join(dict.fromkeys(row["name"] for row in found)),
            "findings": found,
            "more": total - len(found),
            "run_id": run_id,
        },
    )
    return Alert("warning", message)
