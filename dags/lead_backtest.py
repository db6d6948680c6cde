"""
# lead_backtest: past mornings with other settings

Replays the planner over mornings that are over, with today's settings and with those of the form side by side, and says
which decisions would differ, what they would have brought and cost, and how often the forecasts held. No budget is read
in Google Ads or changed, and nothing that a decision depends on is written.

**When.** Only by hand: Trigger, then fill the form. An empty form replays the last 90 mornings with today's settings.

**Inputs.** `lead_generation_stats`, `budget_decisions` (a morning that was decided is replayed from what was known
then; one before that from its days as they are known now), `lead_segment_channels` and `orchestration_settings` as they
are today; segments that are active today.

**Params.** `date_from` and `date_to`; what to try, the same for every segment; `forecast`, another forecast. A budget
carries over from morning to morning as the tried settings left it, until a person changes the real one. Automation that
was off is replayed as if it were on, and an increase that would have waited for approval as if it had been approved; a
month's budget is not considered. A segment without a known capacity or budget is left out on that morning: capacity is
recorded from the first run of `lead_stats` on, and cannot be restated.

**Re-run rule.** Clear it or start a new run: each adds a report to `backtest_results` and `backtest_differences`.

**If it fails.** The log's last four lines say what happened and what to do.
- [NothingToReplay](runbook.md#nothingtoreplay): the range has too few statistics before it.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import Param, dag

from lead_demand.channels.registry import STEERED
from lead_demand.oncall.alerts import RUN_CALLBACKS, TASK_DEFAULTS
from lead_demand.tasks.lead_backtest import replay_mornings


def number(title: str, description: str, **bounds: float) -> Param:
    return Param(None, type=["null", "number"], title=title, description=description, **bounds)


@dag(
    dag_id="lead_backtest",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="Europe/Amsterdam"),
    catchup=False,
    is_paused_upon_creation=False,  # nothing starts it but a person, whom a paused DAG would keep waiting
    max_active_runs=1,
    allowed_run_types=["manual"],
    params={
        "date_from": Param(None, type=["null", "string"], format="date", title="First morning"),
        "date_to": Param(None, type=["null", "string"], format="date", title="Last morning"),
        "max_increase_pct": number("Largest increase, %", "Instead of each segment's own.", minimum=0),
        "max_decrease_pct": number("Largest decrease, %", "Instead of each segment's own.", minimum=0, maximum=100),
        "min_daily_budget": number("Floor, EUR per day", "Instead of each segment's own.", minimum=0),
        "max_daily_budget": number("Cap, EUR per day", "Instead of each segment's own.", minimum=0),
        "cooldown_days": number("Cool-down, days", "Instead of each segment's own.", minimum=0),
        "total_daily_cap": number("Total daily cap, EUR", "Of all budgets together.", minimum=0),
        "max_daily_increase": number("Increases per day, EUR", "Of all segments together.", minimum=0),
        "dead_band": number("Dead band", "A gap below this part of the target is left alone.", minimum=0, maximum=1),
        "significance": number("Significance", "A gap below so many standard deviations is left alone.", minimum=0),
        "follow_through": number("Follow-through", "Such a gap after a full step skips the cool-down.", minimum=0),
        "forecast": Param(
            None,
            type=["null", "string"],
            title="Forecast",
            description="One of FORECASTS in plugins/lead_demand/planner/forecasts.py, compared with the default.",
        ),
    },
    default_args={
        "owner": "marketing-operations",
        **TASK_DEFAULTS,
    },
    **RUN_CALLBACKS,
    tags=["tier:2", "rerun:clear"],
)
def lead_backtest() -> None:
    replay_mornings(STEERED)


lead_backtest()
