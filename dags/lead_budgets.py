"""
# lead_budgets: decide today's budgets, apply them, and log each with its outcome

Finishes what an earlier run left open, reads the live budgets, lets `LeadDemandPlanner` decide every segment once a
day, applies decreases and then increases by the write-ahead protocol, and closes with one table. Increases above
`approval_threshold` wait for a person, under Required Actions, until `approval_deadline`; no answer is a no.

**When.** When `lead_stats` announces the latest whole day (a little after 06:00 Europe/Amsterdam), or started by hand.

**Inputs.** `lead_generation_stats` and `channel_metrics` up to yesterday, the live budgets in Google Ads, the limits in
`lead_segment_channels`, the switches in `orchestration_settings`, what was confirmed in `capacity_confirmations`, and
the open findings that hold: `sums_differ` and `capacity_source_failed`.

**Params.** None: this DAG only knows today.

**Re-run rule.** Start a new run; never clear an old one. The first evaluation of a segment owns its day: a later run
settles what is open and evaluates only segments that missing data had blocked. Airflow refuses a backfill, the tasks
refuse another day, and Postgres refuses a second change of a budget on one day.

**If it fails.** The log's last four lines say what happened and what to do; one alert a run says it too.
- [ChangesUnsettled](runbook.md#changesunsettled): Google gave no definite answer. The claim is pending; the next
  try, or the next run, reads the budget back.
- [ChangesFailed](runbook.md#changesfailed): Google refused, a person changed the budget meanwhile, or its partners left
  before it was sent. The message says which; nothing needs repair for the others.
- [SourceRefused](runbook.md#sourcerefused), [ChangesLeftOpen](runbook.md#changesleftopen): credentials, access, or the
  quota of the day. What is open stays pending until it is read back.
- [AnswerUnusable](runbook.md#answerunusable): nobody's answer counts; nothing was sent. Start a new run: it asks again.
- [NotToday](runbook.md#nottoday): an old run was cleared. Start a new run instead.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import TriggerRule, dag, task

from lead_demand import tasks
from lead_demand.assets import LATEST_DAY
from lead_demand.channels import STEERED
from lead_demand.oncall import RUN_CALLBACKS, TASK_DEFAULTS
from lead_demand.operators import AskForApproval


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
def lead_budgets():
    @task(doc_md="Refuses every day but today, then names the ads accounts to read.")
    def read_accounts(dag_run=None, triggering_asset_events=None) -> list[str]:
        events = [event for group in triggering_asset_events.values() for event in group]
        return tasks.paid_accounts(STEERED, dag_run, [event.extra.get("stats_date") for event in events])

    @task(doc_md="Reads back every change that was claimed and never closed, before anything new is planned.")
    def settle_open_changes(dag_run=None) -> None:
        tasks.settle(STEERED, dag_run)

    @task(
        map_index_template="{{ account }}",
        doc_md="The live budgets of one account; if it fails, only its own segments hold.",
    )
    def read_budgets(account: str, dag_run=None) -> None:
        tasks.read_account_budgets(STEERED, account, dag_run)

    @task(
        trigger_rule=TriggerRule.ALL_DONE,
        doc_md="Every segment without a decision of today, in one evaluation.",
    )
    def plan_budgets(dag_run=None) -> None:
        tasks.plan_budgets(STEERED, dag_run)

    @task.branch(doc_md="The directions that have work; decreases go before increases.")
    def choose_directions(dag_run=None, ti=None) -> list[str]:
        return tasks.directions_with_work(STEERED, dag_run, ti)

    @task(doc_md="Claim, compare, apply, settle: each budget on its own feet, each change sent at most once.")
    def change_budgets(action: str, dag_run=None, ti=None) -> None:
        tasks.change_budgets(action, STEERED, dag_run, ti)

    @task(doc_md="Sends what was approved; what was rejected, or not answered in time, is logged so.")
    def change_approved_budgets(dag_run=None, ti=None) -> None:
        tasks.change_approved_budgets(STEERED, dag_run, ti)

    @task(doc_md="Marks today's holds; no budget is touched.")
    def hold_budgets(dag_run=None) -> None:
        tasks.hold_budgets(STEERED, dag_run)

    @task(
        trigger_rule=TriggerRule.ALL_DONE,
        doc_md="Today in one table; red when any task before it is, so that a refused change never hides.",
    )
    def report(dag_run=None, ti=None) -> None:
        tasks.report_budgets(STEERED, dag_run, ti)

    accounts = read_accounts()
    settled = settle_open_changes()
    live = read_budgets.expand(account=accounts)
    branch = choose_directions()
    decrease = change_budgets.override(task_id="decrease_budgets")("decrease")
    # Neither a refused decrease nor a day without any may keep back the increases: only ALL_DONE runs after both. What
    # it would let through as well, a plan that failed, the task itself refuses.
    increase = change_budgets.override(task_id="increase_budgets", trigger_rule=TriggerRule.ALL_DONE)("increase")
    hold = hold_budgets()
    ask = AskForApproval(
        task_id=tasks.ASK,
        channel=STEERED,
        doc_md="One question to a person about all large increases; no answer by the deadline is a no.",
    )

    accounts >> settled >> live >> plan_budgets() >> branch >> [decrease, increase, hold, ask]
    decrease >> increase
    # The small changes and the report of the morning do not wait for a person.
    [decrease, increase, hold] >> report()
    # Who approved passes between the two through the database: whoever may edit an XCom may not approve.
    ask >> change_approved_budgets()


lead_budgets()
