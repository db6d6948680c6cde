"""What on call is told of a morning that went through: one reason that holds most, and what only a person ends."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from lead_demand.budgets.morning_alerts import of_findings, of_holds
from lead_demand.planner.reasons import Reason

TODAY, RUN = date(2026, 11, 26), "run-1"
LABELS = ["What happened", "What was not changed", "Retried automatically", "What to do"]


def rows(*reasons: str | None, action: str = "hold") -> list[dict[str, Any]]:
    """One segment per text of reasons; None = it is changed."""
    return [
        {"segment": f"s{number}", "action": action if found is not None else "increase", "reasons": found or "gap"}
        for number, found in enumerate(reasons)
    ]


@pytest.mark.parametrize(
    ("reasons", "severity"),
    [
        (["missing_capacity"] * 3, "failure"),
        (["missing_capacity"] * 3 + ["automation_off"], "failure"),
        (["missing_capacity"] * 3 + [None], "warning"),
        (["missing_capacity"] * 2 + ["missing_leads", None], None),
        (["within_dead_band"] * 4, None),
        (["kill_switch"] * 4, None),
        (["automation_off, no_campaign"] * 4, None),
        (["missing_capacity"], None),
        ([], None),
    ],
    ids=str,
)
def test_most_segments_that_hold_for_one_reason_are_one_alert(reasons: list[str | None], severity: str | None) -> None:
    alert = of_holds(rows(*reasons), TODAY, RUN)
    assert (alert and alert.severity) == severity


def test_of_several_reasons_that_hold_as_many_the_first_is_named() -> None:
    later = "missing_capacity, sums_differ"
    alert = of_holds(rows(later, later, later), TODAY, RUN)
    assert alert is not None
    assert alert.message.subject == f"3 of 3 segments hold for one reason: {Reason.SUMS_DIFFER.phrase}"
    lines = [line.partition(": ")[0] for line in alert.message.lines if ": " in line]
    assert lines == LABELS
    assert "What was not changed: the budgets of s0, s1, s2." in alert.message.lines


def test_open_findings_that_stop_are_one_alert_with_what_to_do_about_each() -> None:
    since = datetime(2026, 11, 25, 5, 10, tzinfo=UTC)
    found = [
        {"name": name, "since": since, "detail": f"{name} is wrong.", "remediation": f"Repair {name}.", "total": 12}
        for name in ("campaign_not_found", "capacity_leap")
    ]
    alert = of_findings(found, RUN)
    assert alert is not None and alert.severity == "warning"
    assert alert.message.subject == "12 finding(s) need a person: campaign_not_found, capacity_leap"
    told = alert.message.lines
    assert "campaign_not_found, open since 25 Nov 06:10" in told
    labelled = [line.partition(": ")[0] for line in told if line.startswith(tuple(f"{label}: " for label in LABELS))]
    assert labelled == LABELS * 2
    assert "What to do: Repair capacity_leap." in told and "… and 10 more in pipeline_findings." in told
    assert of_findings([], RUN) is None
