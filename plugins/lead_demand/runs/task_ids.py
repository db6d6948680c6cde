"""The names of DAGs and tasks that code outside of their own DAG file must know."""

from __future__ import annotations

LEAD_STATS, LEAD_BUDGETS = "lead_stats", "lead_budgets"

# Of lead_stats.
PULL_LEADS = "pull_channels.pull_leads"
ANNOUNCE_DAY = "announce_day"

# Of lead_budgets.
PLAN_BUDGETS = "plan_budgets"
CHOOSE_DIRECTIONS = "choose_directions"
ASK_FOR_APPROVAL = "ask_for_approval"
#: What may have work in a morning -> the task that does it.
DIRECTIONS = {
    "decrease": "decrease_budgets",
    "increase": "increase_budgets",
    "hold": "hold_budgets",
    "ask": ASK_FOR_APPROVAL,
}
CHANGE_APPROVED_BUDGETS = "change_approved_budgets"

# Of lead_budget_revert; the first is a task of lead_budgets too.
SETTLE_OPEN_CHANGES, REVERT_BUDGETS = "settle_open_changes", "revert_budgets"

#: The tasks that send changes of budgets or settle them.
CHANGE_BUDGETS = frozenset(
    {
        DIRECTIONS["decrease"],
        DIRECTIONS["increase"],
        CHANGE_APPROVED_BUDGETS,
        SETTLE_OPEN_CHANGES,
        REVERT_BUDGETS,
    }
)
