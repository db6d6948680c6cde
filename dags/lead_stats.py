"""
# lead_stats: what every segment got yesterday, and how far that is from its target

Attributes new leads to segments, pulls every channel, writes one row per segment per day into `lead_generation_stats`,
checks it and whether it adds up, updates the lead gap of every plan in the window, and announces the day.
`lead_budgets` starts on that announcement.

**When.** Every day at 06:00 Europe/Amsterdam, for the day that ended at midnight.

**Inputs.** `leads`, the partners' capacity (both through `include/sql/sources`), Google Ads, Search Console, GA4. Which
campaign, page or host belongs to which segment, and on which days, is in `channel_sources`; what written words mean in
`lead_spellings`; on which days an account truly had nothing in `channel_zero_days`; which capacity looks wrong and is
right in `capacity_confirmations`. `pipeline_findings` names what a person has to add.

**Params.** `from` and `to`: restate a whole range of days in one run, month by month. Empty: the day before, with the
last days that sources still correct (leads and Google Ads 30, Search Console 10, GA4 3). Days before
`orchestration_settings.earliest_day` are refused.

**Re-run rule.** Clear the run, backfill it, or trigger it again: the result is the same rows, in any order and with
several runs at once. A retry goes on after the last month that was done; a run that was cleared begins again. Only
a run of the latest whole day, without a range, announces it; a backfill or an old day never starts budgets.

**If it fails.** The log's last four lines say what happened and what to do; one alert per run says the same.
- `pull_google_ads` failed: that account's segments hold today, the others go on. `pull_search_console` or `pull_ga4`
  failed: no budget waits for it. After [SourceUnavailable](runbook.md#sourceunavailable) wait;
  [SourceRefused](runbook.md#sourcerefused) needs a person.
- `pull_partner_capacity` failed with [CapacitySourceFailed](runbook.md#capacitysourcefailed): every segment holds until
  it succeeds; a person can confirm that the partners are really gone.
- A task of `check_stats` failed: nothing was announced and no budget moves. See [CheckFailed](runbook.md#checkfailed).
- Anything else of the database: [DatabaseUnavailable](runbook.md#databaseunavailable),
  [LoginRefused](runbook.md#loginrefused), [MigrationMissing](runbook.md#migrationmissing),
  [DatabaseRefused](runbook.md#databaserefused).
- The form was wrong: [InvalidRange](runbook.md#invalidrange). The set-up is:
  [SetupIncomplete](runbook.md#setupincomplete).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import Param, TaskGroup, TriggerRule, dag

from lead_demand.channels import registry
from lead_demand.channels.partner_capacity import PartnerCapacityOperator
from lead_demand.database.sql import LEADS_CONNECTION, SQL_FOLDER
from lead_demand.oncall.alerts import RUN_CALLBACKS, TASK_DEFAULTS
from lead_demand.planner.finding_codes import ADVICE, what_to_do
from lead_demand.planner.settings import PlannerSettings
from lead_demand.runs.checks import CheckOperator
from lead_demand.runs.operators import LastDayOperator, WindowOperator
from lead_demand.runs.timetable import DayAfterTimetable
from lead_demand.tasks.lead_stats import announce_day, pull, read_accounts, report

# The widest restatement: everything derived from the pulls is derived again over all of it.
WIDEST = max(spec.restated_days for spec in registry.CHANNELS.values())
OF_LEADS = registry.CHANNELS["leads"].restated_days


# Of the statements that find something.
FINDINGS: dict[str, Any] = {
    "counts": "findings",
    "bound": {"advice": ADVICE, "most_without_source": PlannerSettings.max_share_without_source},
}


@dag(
    dag_id="lead_stats",
    doc_md=__doc__,
    schedule=DayAfterTimetable("Europe/Amsterdam", delay=timedelta(hours=6)),
    start_date=pendulum.datetime(2025, 1, 1, tz="Europe/Amsterdam"),
    catchup=False,
    max_active_runs=1,
    params={
        "from": Param(
            None,
            type=["null", "string"],
            format="date",
            title="From",
            description="First day to restate. Leave both empty for yesterday and the days that sources still correct.",
        ),
        "to": Param(
            None,
            type=["null", "string"],
            format="date",
            title="To",
            description="Last day to restate, included",
        ),
    },
    default_args={
        "owner": "data",
        "conn_id": LEADS_CONNECTION,
        **TASK_DEFAULTS,
    },
    template_searchpath=[str(SQL_FOLDER)],
    **RUN_CALLBACKS,
    tags=["tier:1", "rerun:clear"],
)
def lead_stats() -> None:
    attribute_leads = WindowOperator(
        task_id="attribute_leads",
        sql="lead_stats/update_leads.sql",
        restated_days=OF_LEADS,
        whole_sets=True,
        doc_md="Branch and longest postal prefix decide, then the region. Only leads without a segment are touched.",
    )
    with TaskGroup("read_sources") as read_sources:
        accounts = {channel: read_accounts.override(task_id=channel)(channel) for channel in registry.pulled()}
    read_sources >> attribute_leads

    with TaskGroup("pull_channels") as pull_channels:
        for channel in registry.pulled():
            # Not a pool: a task whose pool does not exist waits forever, and nothing fails.
            at_once = registry.CHANNELS[channel].read_at_once
            pull.override(task_id=f"pull_{channel}", max_active_tis_per_dag=at_once).expand_kwargs(accounts[channel])
        pull_leads = WindowOperator(
            task_id="pull_leads",
            sql="lead_stats/upsert_channel_metrics_leads.sql",
            before="lead_stats/create_counted_leads.sql",
            whole_sets=True,
            sums="lead_stats/upsert_channel_totals_leads.sql",
            restated_days=OF_LEADS,
            doc_md="Counts by day of creation; acceptance comes days later, so the window is counted again every day.",
        )
        attribute_leads >> pull_leads
        pull_partner_capacity = PartnerCapacityOperator(
            task_id="pull_partner_capacity",
            sql="lead_stats/upsert_channel_metrics_partner_capacity.sql",
            sums="lead_stats/upsert_channel_totals_partner_capacity.sql",
            doc_md="Capacity is known only as it is now, so it is recorded for the latest whole day alone. A segment "
            "that the adapter does not name has none; an adapter that lost most segments fails.",
        )
        read_sources >> pull_partner_capacity

    release_moved_metrics = WindowOperator(
        task_id="release_moved_metrics",
        sql="lead_stats/update_channel_metrics.sql",
        sums="lead_stats/update_channel_totals.sql",
        restated_days=WIDEST,
        trigger_rule=TriggerRule.ALL_DONE,
        doc_md="What a change of channel_sources gave to another segment leaves the one that had it, once that other "
        "one was read.",
    )

    upsert_lead_generation_stats = WindowOperator(
        task_id="upsert_lead_generation_stats",
        sql="lead_stats/upsert_lead_generation_stats.sql",
        restated_days=WIDEST,
        trigger_rule=TriggerRule.ALL_DONE,
        doc_md="Runs also when a pull failed: the segments of the other accounts go on, the failed ones stay unknown.",
    )

    with TaskGroup("check_stats") as check_stats:
        CheckOperator(
            task_id="check_every_segment_has_a_row",
            sql="lead_stats/check_every_segment_has_a_row.sql",
            rule="every active segment has a row of statistics.",
            remediation=what_to_do("check_every_segment_has_a_row"),
            doc_md="Stop: a missing row means that leads were not read.",
        )
        CheckOperator(
            task_id="check_counts",
            sql="lead_stats/check_counts.sql",
            restated_days=WIDEST,
            rule="no count of leads is negative.",
            remediation=what_to_do("check_counts"),
            doc_md="Stop: a negative count cannot be.",
        )
        CheckOperator(
            task_id="check_leads_add_up",
            sql="lead_stats/check_leads_add_up.sql",
            restated_days=WIDEST,
            rule="accepted, rejected and pending leads add up to all leads.",
            remediation=what_to_do("check_leads_add_up"),
            doc_md="Stop: a lead has one status.",
        )
        LastDayOperator(
            task_id="record_findings",
            sql="lead_stats/insert_pipeline_findings.sql",
            **FINDINGS,
            doc_md="What is wrong with single segments goes to pipeline_findings; it holds them and nothing else.",
        )
        WindowOperator(
            task_id="record_lead_findings",
            sql="lead_stats/insert_pipeline_findings_leads.sql",
            restated_days=OF_LEADS,
            whole_sets=True,
            **FINDINGS,
            doc_md="Leads of no segment, and statuses and sources that mean nothing, with their number by day.",
        )
        LastDayOperator(
            task_id="record_partner_findings",
            sql="lead_stats/insert_pipeline_findings_partners.sql",
            **FINDINGS,
            doc_md="Capacity that fits no segment, with its size and how it is written.",
        )
        LastDayOperator(
            task_id="record_source_findings",
            sql="lead_stats/insert_pipeline_findings_sources.sql",
            **FINDINGS,
            doc_md="Days whose figures are from before a change of channel_sources, until they are restated.",
        )
        WindowOperator(
            task_id="record_silent_days",
            sql="lead_stats/insert_pipeline_findings_silent_days.sql",
            restated_days=WIDEST,
            **FINDINGS,
            doc_md="Days on which an account said nothing although leads say otherwise: unknown until it is stated.",
        )
        WindowOperator(
            task_id="record_sums",
            sql="lead_stats/insert_pipeline_findings_sums.sql",
            restated_days=WIDEST,
            **FINDINGS,
            doc_md="Segments + what belongs to none = the whole account, all leads, all capacity. A difference is "
            "named in pipeline_findings; of spend, leads and capacity it holds the budgets that are decided on it.",
        )
        record_channel_findings = LastDayOperator(
            task_id="record_channel_findings",
            sql="lead_stats/insert_pipeline_findings_channels.sql",
            **FINDINGS,
            doc_md="Channels that were not read, or are five times off their usual, go to pipeline_findings.",
        )
        check_channels_usual = CheckOperator(
            task_id="check_channels_usual",
            sql="lead_stats/check_channels_usual.sql",
            rule="leads and Google Ads are within five times of their usual.",
            remediation=what_to_do("check_channels_usual"),
            doc_md="Stop: such a day is more likely an error than a day to decide on.",
        )
        record_channel_findings >> check_channels_usual

    update_lead_gap = WindowOperator(
        task_id="update_lead_gap",
        sql="lead_stats/update_lead_segment_plans.sql",
        restated_days=WIDEST,
        doc_md="Target minus actual for every plan in the window; no plan is inserted.",
    )

    update_decision_outcomes = WindowOperator(
        task_id="update_decision_outcomes",
        sql="lead_stats/update_budget_decisions.sql",
        sums="lead_stats/upsert_outcome_weeks.sql",
        restated_days=WIDEST,
        doc_md="What came of each decision after 7 and 14 days, and by week how often we were right.",
    )

    pull_channels >> release_moved_metrics >> upsert_lead_generation_stats >> check_stats >> update_lead_gap
    update_lead_gap >> [announce_day(), update_decision_outcomes] >> report()


lead_stats()
