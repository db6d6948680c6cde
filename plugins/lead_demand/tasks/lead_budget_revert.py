"""The tasks of `lead_budget_revert`."""

from __future__ import annotations

from lead_demand.runs import day
from lead_demand.runs.documented import documented
from lead_demand.runs.this_run import is_last_try, say, this_run
from lead_demand.tasks.lead_budgets import settle_open_changes

__all__ = ["revert_budgets", "settle_open_changes"]


@documented()
def revert_budgets(channel: str) -> None:
    """Claim, compare, apply, settle, in the name of the person who triggered the run: only where the live budget still
    is what the change made it.
    """
    from lead_demand.budgets import reverts

    dag_run = this_run()
    day.require_today(dag_run)
    log_id, of_day = reverts.asked(dag_run.conf or {})
    who = dag_run.triggering_user_name
    report = reverts.revert_changes(log_id, of_day, channel, dag_run.run_id, who, last_try=is_last_try())
    say(f"Reverts asked for by {who or 'nobody named'}: {report}.", report.lines())
