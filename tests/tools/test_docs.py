"""The generated pages have one row per code and per setting."""

from __future__ import annotations

import dataclasses

from lead_demand.planner.finding_codes import FindingCode
from lead_demand.planner.reasons import Reason
from lead_demand.planner.refusals import Refusal
from lead_demand.planner.settings import PlannerSettings
from tools import docs


def test_the_page_of_reasons_has_one_row_per_reason_per_refusal_and_per_finding() -> None:
    rows = [line for line in docs.reasons_page().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [*Reason, *Refusal, *FindingCode]
    assert [row.count("|") for row in rows] == [5] * len(Reason) + [4] * (len(Refusal) + len(FindingCode))


def test_the_page_of_settings_has_every_number_of_the_planner_with_its_default() -> None:
    page = docs.settings_page().partition("PlannerSettings")[2]
    shown = {
        field.name: field.default for field in dataclasses.fields(PlannerSettings) if f"| `{field.name}` |" in page
    }
    assert {"window_days", "dead_band", "follow_through", "outage_min_days"} <= shown.keys()
    for name, default in shown.items():
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert float(row.split("`")[3]) == default
