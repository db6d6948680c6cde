"""
# lead_digest: the day in one message for marketing, and an alert where nothing was decided

Sends marketing yesterday's leads, spend and gap, what changed and was reverted, who has to do what and how fresh each
channel is, on Mondays the week as well; fails, and so alerts on call, when some active segment has no decision of
today. On call gets one more alert where most segments hold for one reason, and one about findings that only a person
can end. It reads only the tables, so that it also notices a morning on which `lead_stats` or `lead_budgets` never
started.

**When.** Every day at 08:00 Europe/Amsterdam: by then the budgets are decided, or wait for a person.

**Inputs.** `lead_generation_stats`, `budget_decisions` and their outcomes, `lead_segment_plans`,
`channel_orchestration_log`, `channel_fetches`, `pipeline_findings`; the texts in `include/messages`; the connection
`lead_demand_alerts`.

**Params.** None: this DAG only knows today.

**Re-run rule.** Start a new run; it sends the digest and the alerts again, as the day is then. It only sends messages.
A scheduled run that starts on a later day than it was due (after an outage, or when this DAG is unpaused before 08:00)
is skipped: it could only report today under an earlier date.

**If it fails.**
- `check_deadline`: [DeadlineMissed](runbook.md#deadlinemissed). No second alert is sent where a failure of `lead_stats`
  or `lead_budgets` that stopped the day was already reported this morning.
- `send_digest`, `alert_on_call`: a template that cannot be rendered is [MessageBroken](runbook.md#messagebroken);
  otherwise the database, mostly [DatabaseUnavailable](runbook.md#databaseunavailable). A message that cannot be
  delivered never fails a run; the log says why.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import CronTriggerTimetable, dag

from lead_demand.channels.registry import STEERED
from lead_demand.oncall.alerts import RUN_CALLBACKS, TASK_DEFAULTS
from lead_demand.tasks.lead_digest import alert_on_call, check_deadline, send_digest


@dag(
    dag_id="lead_digest",
    doc_md=__doc__,
    # Not a DeadlineAlert of lead_stats: Airflow drops it once that run succeeds, though lead_budgets may never start.
    schedule=CronTriggerTimetable("0 8 * * *", timezone="Europe/Amsterdam"),
    start_date=pendulum.datetime(2025, 1, 1, tz="Europe/Amsterdam"),
    catchup=False,
    max_active_runs=1,
    # A digest of a past day would report today under that date.
    allowed_run_types=["scheduled", "manual"],
    default_args={"owner": "marketing-operations", **TASK_DEFAULTS},
    **RUN_CALLBACKS,
    tags=["tier:2", "rerun:new-run"],
)
def lead_digest() -> None:
    check_deadline(STEERED)
    send_digest(STEERED)
    alert_on_call(STEERED)


lead_digest()
