"""Why a claim of a budget change was not sent: every code, what it means, and what a person can do about it.

Right before a change is sent, its row in `channel_orchestration_log` is compared with its decision, the limits of this
moment and its approval. `docs/REASONS.md` is generated from this table.
"""

from __future__ import annotations

from lead_demand.planner.codes import Code


class Refusal(Code):
    """Why a claim in `channel_orchestration_log` was not sent: its `error_code`, and the name of the finding."""

    NOT_OF_A_DECISION = (
        "not_of_a_decision",
        "The row asks for what no decision of today says, nor any change that it would revert. It is a bug, or "
        "somebody wrote it past the rules of the table.",
        "Find out who wrote the row: created_at and dag_run_id in channel_orchestration_log, and the database's own "
        "log. If no run of lead_budgets did, change the password of the pipeline's login and look at who may act as "
        "the owner of the table. Then set resolved_at of this finding.",
    )
    BEYOND_LIMITS = (
        "beyond_limits",
        "At the moment of sending it would have passed the cap, the floor, the largest step, total_daily_cap, "
        "max_daily_increase or what monthly_budget leaves, or automation was off.",
        "If a person changed that limit this morning, nothing: the next day's run decides within it. If nobody did, "
        "treat the row as one that no decision covers: find out who wrote it. Then set resolved_at of this finding.",
    )
    BEYOND_SEGMENT_MONTH = (
        "beyond_segment_month",
        "At the moment of sending, the increase would have passed what the monthly_budget of its segment leaves per "
        "day.",
        "If a person lowered monthly_budget in lead_segment_channels this morning, nothing: the next day's run decides "
        "within it. If nobody did, compare the view month_pace_of_segments with the decision. Then set resolved_at of "
        "this finding.",
    )
    BEYOND_BRANCH_MONTH = (
        "beyond_branch_month",
        "At the moment of sending, the increase would have passed what the monthly_budget of its branch leaves per "
        "day.",
        "If a person lowered monthly_budget in lead_branch_channels this morning, nothing: the next day's run decides "
        "within it. If nobody did, compare the view month_pace_of_branches with the decision. Then set resolved_at of "
        "this finding.",
    )
    NOT_APPROVED = (
        "not_approved",
        "The increase is larger than approval_threshold, and no answer of a person approved it.",
        "If a person lowered approval_threshold this morning, nothing: the next day's run asks. If nobody did, find "
        "out who wrote the row: a large one is claimed only after an approval. Then set resolved_at of this finding.",
    )


def refusal_of(code: str) -> Refusal:
    """The refusal with this code. Raises KeyError for a code that is not in the table."""
    return _BY_CODE[code]


_BY_CODE = {refusal.value: refusal for refusal in Refusal}
