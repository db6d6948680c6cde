"""
# lead_budgets: decide today's budgets, apply them, and log each with its outcome

Settles what an earlier run left open, reads the live budgets, lets `LeadDemandPlanner` decide every segment once per
day, applies decreases and then increases by the write-ahead protocol, and ends with one table. Increases above
`approval_threshold` wait for a person, under Required Actions, until `approval_deadline`; no answer means no.

**When.** When `lead_stats` announces the latest whole day (a little after 06:00 Europe/Amsterdam), or started by hand.

**Inputs.** `lead_generation_stats` and `channel_metrics` up to yesterday, the live budgets in Google Ads, the limits in
`lead_segment_channels` and `lead_branch_channels`, the switches in `orchestration_settings`, what was confirmed in
`capacity_confirmations`, and the open findings that hold: `sums_differ` and `capacity_source_failed`.

**Params.** None: this DAG only knows today.

**Re-run rule.** Start a new run; never clear an old one. The first evaluation of a segment owns its day: a later run
settles what is open and evaluates only segments that missing data had blocked. Airflow refuses a backfill, the tasks
refuse another day, and Postgres refuses a second change of a budget on one day.

**If it fails.** The log's last four lines say what happened and what to do; one alert per run says the same.
- [ChangesUnsettled](runbook.md#changesunsettled): Google gave no definite answer. The claim is pending; the next try,
  or the next run, reads the budget back.
- [ChangesFailed](runbook.md#changesfailed): Google refused, a person changed the budget meanwhile, or its partners left
  before it was sent. The message says which; nothing needs repair for the others.
- [SourceRefused](runbook.md#sourcerefused), [ChangesLeftOpen](runbook.md#changesleftopen): credentials, access, or the
  daily quota. What is open stays pending until it is read back.
- [AnswerUnusable](runbook.md#answerunusable): there is no valid answer; nothing was sent. Start a new run: it asks
  again. [AnswerUnclear](runbook.md#answerunclear): the next try asks again by itself.
- [MessageBroken](runbook.md#messagebroken): the text of the question cannot be rendered; nobody was asked.
- [NotToday](runbook.md#nottoday): an old run was cleared. Start a new run instead.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import TriggerRule, dag

from lead_demand.budgets.approval_operator import AskForApproval
from lead_demand.channels.registry import STEERED
from lead_demand.oncall.alerts import RUN_CALLBACKS, TASK_DEFAULTS
from lead_demand.runs.assets import LATEST_DAY
from lead_demand.runs.task_ids import ASK_FOR_APPROVAL, DIRECTIONS
from lead_demand.tasks.lead_budgets import (
    change_approved_budgets,
    change_budgets,
    choose_directions,
    hold_budgets,
    plan_budgets,
    read_accounts,
    read_budgets,
    report,
    settle_open_changes,
)


@dag(
    dag_id="lead_budgets",
    doc_md=__doc__,
    schedule=[LATEST_DAY],
    start_date=pendulum.datetime(2025, 1, 1, tz="Europe/Amsterdam"),
    catchup=False,
    # A question to a person may keep a run open until the afternoon; the day can be run again meanwhile.
    max_active_runs=3,
    # A past day's budget cannot be set any more, so Airflow itself refuses to backfill this DAG.
    allowed_run_types=["asset_triggered", "manual"],
    default_args={
        "owner": "marketing-operations",
        **TASK_DEFAULTS,
    },
    **RUN_CALLBACKS,
    tags=["tier:1", "rerun:new-run"],
)
def lead_budgets() -> None:
    accounts = read_accounts(STEERED)
    settled = settle_open_changes(STEERED)
    live = read_budgets.partial(channel=STEERED).expand(account=accounts)
    branch = choose_directions(STEERED)
    decrease = change_budgets.override(task_id=DIRECTIONS["decrease"])("decrease", STEERED)
    # Neither a refused decrease nor a day without any may block the increases: only ALL_DONE runs after both. It runs
    # after a plan that failed too: the task itself refuses that.
    increase = change_budgets.override(task_id=DIRECTIONS["increase"], trigger_rule=TriggerRule.ALL_DONE)(
        "increase", STEERED
    )
    hold = hold_budgets(STEERED)
    ask = AskForApproval(
        task_id=ASK_FOR_APPROVAL,
        channel=STEERED,
        doc_md="One question to a person about all large increases; no answer by the deadline means no.",
    )

    accounts >> settled >> live >> plan_budgets(STEERED) >> branch >> [decrease, increase, hold, ask]
    decrease >> increase
    # The small changes and the report of the morning do not wait for a person.
    [decrease, increase, hold] >> report(STEERED)
    # Who approved passes between the two through the database: whoever may edit an XCom may not approve.
    ask >> change_approved_budgets(STEERED)


lead_budgets()
