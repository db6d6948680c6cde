"""How each file of `include/sql` is run: with what values, after what, and which tables it then changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from lead_demand.database import sql
from tests.fixtures.findings import BOUND, UNKNOWN

RUN = "test-run"
CHANNEL, ACCOUNT = "google_ads", "1234567890"
FINDING = {
    "name": "campaign_not_found",
    "level": "stop",
    "segment_id": None,
    "channel": CHANNEL,
    "date": None,
    "subject": "1234567890/77",
    "detail": "There is no campaign 77.",
    "remediation": "Correct channel_sources.",
    "amount": 12.34,
}
CHECKED = {"name": "campaign_not_found", "channel": CHANNEL, "account": ACCOUNT, "first": None, "last": None}

# Rows for the temporary tables, as COPY would bring them.
PULLED = """
insert into pulled_metrics (
    segment_id, date, spend_micros, daily_budget_micros, conversions_micros, impressions, clicks, is_final
)
select segments.id, day::date, 12340000, 50000000, 1500000, 900, 31, true
from lead_segments as segments, generate_series(%(first)s::date, %(last)s::date, interval '1 day') as day
where segments.is_active
"""
TOTALS = """
insert into pulled_totals
select day::date, 'spend', true, 12.34, 0, 0, 1000, 0.05, 'stop'
from generate_series(%(first)s::date, %(last)s::date, interval '1 day') as day
"""
PLANNED = """
insert into planned
select
    id, action, place = 3, place = 1, 50, case action when 'increase' then 55 when 'decrease' then 45 else 50 end,
    6.4, 5.2, 4.1, 6.8, array['gap'], 'In one sentence.', '{"current_budget": "50"}'
from (
    select id, place, case place when 1 then 'increase' when 2 then 'decrease' else 'hold' end as action
    from (select id, row_number() over (order by code) as place from lead_segments where is_active) as numbered
) as evaluated
"""
READ = """
insert into read_budgets
select
    external_id, description, external_id, 50000000, 1, true, false, true, null, null, null, null, 'EUR',
    'Europe/Amsterdam', null, null, 0.25, 0.1, 60000000
from channel_sources
where channel = %(channel)s and account = %(account)s
"""
ONE_CHANGE = f"""
select jsonb_agg(claim)::text as claims
from (
    select
        1 as place, 1 as claim_group, decisions.id as decision_id, decisions.segment_id, decisions.channel,
        'budget_increase' as action_type, budgets.amount as old_value, decisions.new_budget as new_value,
        budgets.account, budgets.budget_id, 'plan' as kind, '{RUN}' as dag_run_id
    from budget_decisions as decisions
    join channel_sources as sources
        on decisions.segment_id = sources.segment_id and sources.channel = decisions.channel
    join channel_budgets as budgets
        on sources.account = budgets.account and sources.external_id = budgets.campaign_id
    where decisions.action = 'increase' and decisions.decision_date = lead_today()
        and decisions.old_budget = budgets.amount
        and not exists (select from channel_orchestration_log as log where log.decision_id = decisions.id)
    order by budgets.budget_id
    limit 1
) as claim
"""
# A campaign that belonged to a segment of old, and to another one now.
RE_MAPPED = """
update channel_sources set segment_id = (select min(id::text)::uuid from lead_segments where code like 'stukadoor%')
where id = (select min(id) from channel_sources where channel = 'google_ads' and account = '1234567890')
"""
ONE_BUDGET = """
select jsonb_agg(jsonb_build_object('budget_id', budget_id, 'amount', amount + 1))::text as seen
from (select * from channel_budgets order by budget_id limit 1) as one
"""
ONE_CLAIM = """
select jsonb_agg(jsonb_build_object('id', id, 'status', 'success', 'request_id', 'r-1'))::text as outcomes
from (select id from channel_orchestration_log where status = 'pending' order by external_id limit 1) as one
"""
ONE_EDIT = """
select jsonb_build_array(jsonb_build_object(
    'resource', min(budget_id), 'at', now() - interval '1 hour', 'by', 'anke', 'is_ours', false, 'old_value', 50,
    'new_value', 55
))::text as changes
from channel_budgets
"""
# What the page asks of its own accord; a month and the days of a segment are further back than a week.
PAGE_ROW = "select lead_today() as day, (select id from lead_segments order by code limit 1) as segment"
PAGE_VALUES = {
    "channel": CHANNEL,
    "refusals": ["beyond_limits"],
    "blocking": ["stale_channel"],
    "code": "schilder_utrecht",
    "days": 90,
    "rows": 50,
    "sort": "euros",
    "group": None,
    **dict.fromkeys(["q", "branch", "region", "action", "reason", "after_urgency", "after_weight", "after_code"]),
    **dict.fromkeys(["kind", "who", "status", "after_day", "after_at", "after_id"]),
}
# Of each of its statements, how many times a week of rows it may come by.
PAGE = {
    "backtests": 1,
    "budget_runs": 1,
    "day_counts": 1,
    "day_groups": 2,
    "day_runs": 1,
    "finding_counts": 1,
    "freshness": 2,
    "month": 10,  # as the pipeline's, and again for the branches that have a monthly budget
    "provisional": 4,
    "right": 1,
    "segment": 1,
    "segment_channels": 1,
    "segment_days": 1,
    "segment_events": 1,
    "segment_id": 1,
    "settings": 1,
    "stat_runs": 2,
    "sums": 1,
    "trust": 1,
    "unmatched": 1,
}
LOG_ROW = 'select lead_today() - 30 as "from", lead_today() as "to"'
QUESTION = "select '00000000-0000-4000-8000-000000000001' as question_id"
ASKED = (
    "insert into approval_questions (id, channel, dag_run_id, asked)"
    f" values ('00000000-0000-4000-8000-000000000001', 'google_ads', '{RUN}', '[]')"
)
SHOWN = """
select jsonb_build_array(jsonb_build_object(
    'decision_id', id, 'segment', 'schilder', 'old_budget', old_budget, 'new_budget', new_budget
))::text as asked
from budget_decisions where action = 'increase' limit 1
"""
ONE_PLAN = """
select array_agg(segment_id) as segments
from (
    select segment_id from lead_segment_plans where date = lead_today() and orchestration_status = 'planned'
    order by segment_id
    limit 1
) as one
"""
YESTERDAY = "= lead_today() - 1"
# So many that the month is added up: it, and the week before it, is read.
MONTHS = """
update lead_segment_channels set monthly_budget = 3000 where channel = 'google_ads';
insert into lead_branch_channels (country, branch, channel, monthly_budget)
select distinct country, branch, 'google_ads', 100000 from lead_segments
on conflict do nothing
"""
LIMITS = {
    "unit": 0.01,
    "total_cap_words": "total_daily_cap",
    "total_daily_cap": 5_000,
    "max_daily_increase": 2_000,
    "approval_threshold": 1_000,
    "approve": "Approve",
}


@dataclass(frozen=True)
class Statement:
    """One file. The state of the day it is run in: `morning` (statistics are there, nothing is decided), `decided`
    (budgets read, decisions and plans written) or `claimed` (every change of today is pending in the log).
    """

    state: str = "morning"
    # Run by the owner, so that the first run has something to do; `restored` = as one who restores a dump.
    undo: str = ""
    restored: bool = False
    # Run in the statement's own transaction, before it: names of files, and text.
    first: tuple[str, ...] = ()
    # A query whose one row adds to the values.
    row: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    # The tables in which the first run changes something; the second run changes nothing in any.
    writes: frozenset[str] = frozenset()
    # How often it may come by the same row.
    times: int = 1


def _statement(state: str = "morning", *, writes: str = "", **given: Any) -> Statement:
    return Statement(state, writes=frozenset(writes.split()), **given)


STATEMENTS = {
    "begin.sql": _statement(values={"statement_timeout": 60_000, "lock_timeout": 20_000, "idle_timeout": 180_000}),
    "findings/select_pipeline_findings.sql": _statement(
        undo="insert into pipeline_findings (name, level, detail) values ('stale', 'warn', 'No fetch.')",
        values={"since": "2020-01-01"},
    ),
    "findings/upsert_pipeline_findings.sql": _statement(
        values={"findings": Jsonb([FINDING, FINDING]), "checked": Jsonb([CHECKED])}
    ),
    "lead_backtest/insert_backtest_differences.sql": _statement(values={"differences": Jsonb([])}),
    "lead_backtest/insert_backtest_results.sql": _statement(values={"results": Jsonb([]), "tried": None}),
    "lead_backtest/select_countries.sql": _statement(),
    "lead_backtest/select_morning.sql": _statement(row="select lead_today() - 1 as morning"),
    "lead_budget_revert/select_reversible.sql": _statement(
        "claimed",
        undo="update channel_orchestration_log set status = 'success'",
        row="select lead_today() as day",
        values={"log_id": None},
    ),
    "lead_budgets/create_planned.sql": _statement(),
    "lead_budgets/create_read_budgets.sql": _statement(),
    "lead_budgets/insert_approval_question.sql": _statement(
        "decided", row=QUESTION, values={"asked": Jsonb([])}, writes="approval_questions"
    ),
    "lead_budgets/insert_budget_decisions.sql": _statement(
        first=("lead_budgets/create_planned.sql", PLANNED), writes="budget_decisions"
    ),
    "lead_budgets/insert_channel_orchestration_log.sql": _statement(
        "decided",
        row=ONE_CHANGE,
        writes="channel_orchestration_log",
    ),
    "lead_budgets/insert_pipeline_findings.sql": _statement(
        "decided", values={"currency": "EUR", "time_zone": "Europe/Amsterdam", "not_steerable": ["campaign_type"]}
    ),
    "lead_budgets/insert_budget_edits.sql": _statement("decided", row=ONE_EDIT, writes="budget_edits"),
    "lead_budgets/insert_pipeline_findings_history.sql": _statement(
        "decided",
        row="select lead_today() - 28 as since, now() as until",
        values={"changes": Jsonb([])},
        times=4,  # as far back as an account's own history goes
    ),
    "lead_budgets/insert_pipeline_findings_overwritten.sql": _statement(
        "claimed",
        undo="update channel_orchestration_log set status = 'success'",
        row="select external_id as budget_id, created_at as changed_at from channel_orchestration_log limit 1",
        values={"changed_by": "marketing@vakwerkgids.example"},
    ),
    "lead_budgets/lock_channel.sql": _statement(),
    "lead_budgets/select_altered_questions.sql": _statement("decided", row=SHOWN),
    "lead_budgets/select_approval_question.sql": _statement("decided", undo=ASKED),
    "lead_budgets/select_asked_segments.sql": _statement("decided", undo=ASKED, row=QUESTION),
    "lead_budgets/select_branch_months.sql": _statement(undo=MONTHS, times=5),
    "lead_budgets/select_campaign_segments.sql": _statement(),
    "lead_budgets/select_capacity_leaps.sql": _statement(
        undo="update lead_generation_stats set capacity_total_leads = 999"
        f" where date {YESTERDAY} and capacity_total_leads is not null",
        times=4,  # four weeks tell what is usual
    ),
    "lead_budgets/select_claimed.sql": _statement(
        "claimed", row="select array_agg(decision_id) as decisions from channel_orchestration_log"
    ),
    "lead_budgets/select_committed.sql": _statement("decided"),
    "lead_budgets/select_failed_changes.sql": _statement(
        "claimed",
        undo="update channel_orchestration_log set status = 'failed', error_code = 'refused'",
        values={"action_type": "budget_increase", "decisions": None},
    ),
    "lead_budgets/select_history.sql": _statement(),
    "lead_budgets/select_large_changes.sql": _statement(
        "decided",
        undo="update lead_segment_plans set orchestration_status = 'waiting_approval' where date = lead_today()",
    ),
    "lead_budgets/select_limit_changes.sql": _statement("decided", values={"limit": 20}),
    "lead_budgets/select_limits.sql": _statement(undo=MONTHS, times=5),
    "lead_budgets/select_month.sql": _statement(times=5),  # the month, and the week before it
    "lead_budgets/select_open_changes.sql": _statement("claimed", values={"action_type": None}),
    "lead_budgets/select_report.sql": _statement("decided"),
    "lead_budgets/select_month_rooms.sql": _statement("claimed", undo=MONTHS, times=5),
    "lead_budgets/select_room.sql": _statement("claimed"),
    "lead_budgets/select_sendable.sql": _statement(
        "claimed", first=("join_whole_sets.sql",), undo=MONTHS, values=LIMITS, times=5
    ),
    "lead_budgets/select_segments.sql": _statement(
        values={"is_complete": True, "kill_switch": False, "currency": "EUR", "time_zone": "Europe/Amsterdam"}
        | UNKNOWN,
        times=4,  # unexplained statuses of four weeks
    ),
    "lead_budgets/select_settings.sql": _statement(),
    "lead_budgets/select_unclaimed.sql": _statement(
        "decided", values={"action": "increase", "status": "planned", "decisions": None}
    ),
    "lead_budgets/select_work.sql": _statement("decided"),
    "lead_budgets/update_approval_question.sql": _statement(
        "decided",
        undo=ASKED,
        row=QUESTION,
        values={"chosen": ["Reject"], "form": Jsonb({})}
        | dict.fromkeys(("responder_id", "responder_name", "responded_at")),
        writes="approval_questions",
    ),
    "lead_budgets/update_channel_budgets.sql": _statement("decided", row=ONE_BUDGET),
    "lead_budgets/update_channel_orchestration_log.sql": _statement(
        "claimed",
        row=ONE_CLAIM,
        writes="channel_orchestration_log",
    ),
    "lead_budgets/update_lead_segment_plans_held.sql": _statement(
        "decided", first=("join_whole_sets.sql",), writes="lead_segment_plans"
    ),
    "lead_budgets/update_lead_segment_plans_refused.sql": _statement(
        "decided", row=ONE_PLAN, writes="lead_segment_plans"
    ),
    "lead_budgets/update_lead_segment_plans_settled.sql": _statement(
        "claimed", undo="update channel_orchestration_log set status = 'success'", writes="lead_segment_plans"
    ),
    "lead_budgets/upsert_channel_budgets.sql": _statement(first=("lead_budgets/create_read_budgets.sql", READ)),
    "lead_budgets/upsert_lead_segment_plans.sql": _statement(
        first=("lead_budgets/create_planned.sql", PLANNED, "lead_budgets/insert_budget_decisions.sql"),
        writes="budget_decisions lead_segment_plans",
    ),
    "lead_stats/check_every_segment_has_a_row.sql": _statement(),
    "lead_stats/check_counts.sql": _statement(),
    "lead_stats/check_leads_add_up.sql": _statement(),
    "lead_stats/create_counted_leads.sql": _statement(times=2),
    "lead_stats/create_pulled_metrics.sql": _statement(),
    "lead_stats/create_pulled_left_out.sql": _statement(),
    "lead_stats/create_pulled_totals.sql": _statement(),
    "lead_stats/insert_pipeline_findings_sums.sql": _statement(
        undo=f"update lead_generation_stats set google_ads_spend = google_ads_spend + 1 where date {YESTERDAY}",
        times=2,  # what is kept is compared with what is stated
    ),
    "lead_stats/select_sums.sql": _statement(),
    "lead_stats/update_channel_totals.sql": _statement(
        undo="update channel_sources set is_active = not is_active where channel = 'google_ads';"
        " update channel_totals set in_segments = in_segments + 1 where channel = 'google_ads'",
        writes="channel_totals",
    ),
    "lead_stats/upsert_channel_totals.sql": _statement(
        first=("lead_stats/create_pulled_totals.sql", "lead_stats/create_pulled_left_out.sql", TOTALS),
        writes="channel_totals",
    ),
    "lead_stats/upsert_channel_totals_leads.sql": _statement(
        first=("join_whole_sets.sql", "lead_stats/create_counted_leads.sql"),
        undo=f"update channel_totals set in_none = in_none + 1 where channel = 'leads' and date {YESTERDAY}",
        writes="channel_totals",
        times=2,  # as every statement on leads: once to count, once for what was posted twice
    ),
    "lead_stats/upsert_channel_totals_partner_capacity.sql": _statement(
        undo=f"update channel_totals set in_none = in_none + 1 where channel = 'partner_capacity' and date {YESTERDAY}",
        writes="channel_totals",
    ),
    "lead_stats/insert_channel_fetches.sql": _statement(values={"rows": 12}),
    "lead_stats/check_channels_usual.sql": _statement(values={"since": "2026-01-01"}),
    "lead_stats/insert_pipeline_findings.sql": _statement(times=4),  # it includes select_capacity_leaps.sql
    "lead_stats/insert_pipeline_findings_leads.sql": _statement(first=("join_whole_sets.sql",), times=3),
    "lead_stats/insert_pipeline_findings_partners.sql": _statement(),
    "lead_stats/insert_pipeline_findings_capacity.sql": _statement(),
    "join_whole_sets.sql": _statement(),
    "lead_stats/lock_step.sql": _statement(values={"step": "a step"}),
    "lead_stats/insert_pipeline_findings_channels.sql": _statement(
        times=2,  # a week is judged, each of its days by the week before it
    ),
    "lead_digest/select_decided.sql": _statement("decided"),
    "lead_digest/select_figures.sql": _statement("decided"),
    "lead_digest/select_freshness.sql": _statement(),
    "lead_digest/select_promises.sql": _statement("decided"),
    "lead_digest/select_reverts.sql": _statement("decided"),
    "lead_digest/select_stop_findings.sql": _statement("decided", values={"limit": 10}),
    "lead_digest/select_undecided.sql": _statement("decided"),
    "channels/select_accounts.sql": _statement(),
    "lead_stats/select_channel_sources.sql": _statement(),
    "lead_stats/select_doubtful_days.sql": _statement(
        undo="update channel_metrics set spend = 0, impressions = 0, clicks = 0, is_empty = true"
        " where channel = 'google_ads' and date = lead_today() - 3"
    ),
    "lead_stats/select_earliest_day.sql": _statement(),
    "lead_stats/select_known_days.sql": _statement(),
    "lead_stats/insert_pipeline_findings_silent_days.sql": _statement(),
    "lead_stats/insert_pipeline_findings_sources.sql": _statement(),
    "lead_stats/update_channel_metrics.sql": _statement(
        undo=RE_MAPPED,
        first=("lead_stats/insert_channel_fetches.sql",),
        values={"rows": 1},
        writes="channel_metrics",
    ),
    "lead_stats/update_channel_metrics_budgets.sql": _statement(
        undo=RE_MAPPED, first=("lead_stats/create_pulled_metrics.sql", PULLED), writes="channel_metrics"
    ),
    "lead_stats/select_partner_capacity.sql": _statement(),
    "lead_stats/select_report.sql": _statement(),
    "lead_stats/update_budget_decisions.sql": _statement(
        restored=True,
        undo="insert into budget_decisions (segment_id, decision_date, action)"
        " select id, lead_today() - 14, 'hold' from lead_segments",
        writes="budget_decisions",
        times=15,  # a day of statistics belongs to what came of fourteen decisions
    ),
    "lead_stats/upsert_outcome_weeks.sql": _statement(
        restored=True,
        undo="insert into budget_decisions (segment_id, decision_date, action, realised_leads_7d)"
        " select id, lead_today() - 14, 'hold', 5 from lead_segments",
        writes="outcome_weeks",
        times=15,
    ),
    "lead_stats/update_lead_segment_plans.sql": _statement(
        undo=f"update lead_segment_plans set lead_gap = null where date {YESTERDAY}", writes="lead_segment_plans"
    ),
    "lead_stats/update_leads.sql": _statement(
        first=("join_whole_sets.sql",), undo="update leads set segment_id = null", writes="leads"
    ),
    "lead_stats/upsert_channel_metrics.sql": _statement(
        first=("lead_stats/create_pulled_metrics.sql", PULLED), writes="channel_metrics"
    ),
    "lead_stats/upsert_channel_metrics_leads.sql": _statement(
        first=("join_whole_sets.sql", "lead_stats/create_counted_leads.sql"),
        undo=f"delete from channel_metrics where channel = 'leads' and date {YESTERDAY}",
        writes="channel_metrics",
        times=2,
    ),
    "lead_stats/upsert_channel_metrics_partner_capacity.sql": _statement(
        undo=f"update channel_metrics set capacity_partners = 99 where capacity_partners > 0 and date {YESTERDAY}",
        writes="channel_metrics",
    ),
    "lead_stats/upsert_lead_generation_stats.sql": _statement(
        undo=f"update lead_generation_stats set google_ads_spend = 0.5 where date {YESTERDAY}",
        writes="lead_generation_stats",
        times=2,  # compared first, and locked where it differs
    ),
    **{
        f"ui/select_{name}.sql": _statement("claimed", row=PAGE_ROW, values=PAGE_VALUES, times=times)
        for name, times in PAGE.items()
    },
    "ui/select_findings.sql": _statement("claimed", values=PAGE_VALUES | {"segment": None}),
    **{
        f"ui/select_{name}.sql": _statement("claimed", row=LOG_ROW, values=PAGE_VALUES, times=5)
        for name in ("log", "log_total")
    },
}


# The ends of other files, which run with those.
FRAGMENTS = {"findings/record_found.sql", "sums/figures.sql", "sums/kept.sql", "sums/keep_known.sql"}


def inventory() -> set[str]:
    """Every file of include/sql but the adapters, what reads them and the fragments, which the others include."""
    files = {path.relative_to(sql.SQL_FOLDER).as_posix() for path in sql.SQL_FOLDER.rglob("*.sql")}
    return {name for name in files if not name.startswith(("sources/", "reading/"))} - FRAGMENTS


def window(today: date, days: int) -> dict[str, Any]:
    """The values that most statements share, for the last `days` whole days."""
    return {
        "first": today - timedelta(days=days),
        "last": today - timedelta(days=1),
        "dag_run_id": RUN,
        "channel": CHANNEL,
        "account": ACCOUNT,
        "dry_run": False,
    } | BOUND


def prepare(
    connection: psycopg.Connection[dict[str, Any]], statement: Statement, values: dict[str, Any]
) -> dict[str, Any]:
    """Run what belongs before the statement in its own transaction; returns all its values."""
    values = {**values, **statement.values}
    for step in statement.first:
        connection.execute(sql.render(step) if step.endswith(".sql") else step, values)
    if statement.row:
        row = connection.execute(statement.row).fetchone()
        assert row, "there is no row to run it for"
        values |= row
    return values
