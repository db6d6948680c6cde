"""
# lead_budget_revert: revert one budget change, or all of a day

Sets a budget back to what it was before a change of ours, if it still is what that change made it, and logs that as a
change of its own (`budget_revert`) with the name of the person who asked.

**When.** Only by hand: Trigger, then fill the form.

**Inputs.** `channel_orchestration_log`, the live budgets in Google Ads, the switches in `orchestration_settings`.

**Params.** Exactly one of:
- `log_id`: the `id` of one row of `channel_orchestration_log` with status `success`;
- `day`: every change that took effect on that day.

**Re-run rule.** Start a new run. What was reverted is not reverted again; a budget can be reverted once per day. The
revert starts the cool-down: the planner leaves the budget alone until it is over. To keep it for longer, set
`is_automated` to false in `lead_segment_channels`. In a dry run nothing is reverted: Google only validates the change.

**If it fails.** The log's last four lines say what happened and what to do; one alert per run says the same.
- [NothingToRevert](runbook.md#nothingtorevert): the row or day has no change that took effect, or the kill switch is
  on.
- [ChangesFailed](runbook.md#changesfailed): somebody changed the budget since, it would exceed its cap, or Google
  refused. The log row says which.
- [ChangesUnsettled](runbook.md#changesunsettled): Google gave no definite answer; the next try reads the budget back.
- [ChangesLeftOpen](runbook.md#changesleftopen): the account refuses access while a change is open.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import Param, dag

from lead_demand.channels.registry import STEERED
from lead_demand.oncall.alerts import RUN_CALLBACKS, TASK_DEFAULTS
from lead_demand.tasks.lead_budget_revert import revert_budgets, settle_open_changes

UUID_FORM = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


@dag(
    dag_id="lead_budget_revert",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="Europe/Amsterdam"),
    catchup=False,
    is_paused_upon_creation=False,  # nothing starts it but a person, whom a paused DAG would keep waiting
    max_active_runs=1,
    allowed_run_types=["manual"],
    params={
        "log_id": Param(
            None,
            type=["null", "string"],
            pattern=UUID_FORM,
            title="One change",
            description="The id of a row of channel_orchestration_log with status success.",
        ),
        "day": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Or every change of a day",
            description="Every budget that still has the amount of that day's change is reverted.",
        ),
    },
    default_args={
        "owner": "marketing-operations",
        **TASK_DEFAULTS,
    },
    **RUN_CALLBACKS,
    tags=["tier:1", "rerun:new-run"],
)
def lead_budget_revert() -> None:
    settle_open_changes(STEERED) >> revert_budgets(STEERED)


lead_budget_revert()
