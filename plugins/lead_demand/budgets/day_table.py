"""The day in words and columns, alike wherever it is shown: by `plan_budgets`, by `report`, in the terminal."""

from __future__ import annotations

#: What each column of `lead_budgets/select_report.sql` is called.
SHOWN = {
    "segment": "segment",
    "capacity": "capacity",
    "target": "target",
    "expected": "expected",
    "gap": "gap yesterday",
    "old_budget": "old budget",
    "new_budget": "new budget",
    "action": "action",
    "became": "outcome",
    "reasons": "reasons",
    "sentence": "why",
}


def counted(increases: int, decreases: int, holds: int, blocked: int) -> str:
    """How many segments go which way; `blocked`: of the holds those that may still be decided today."""
    unknown = f", of which {blocked} because something is not known" if blocked else ""
    return f"{increases} increase, {decreases} decrease, {holds} hold{unknown}"
