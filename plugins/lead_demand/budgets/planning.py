"""What the planner is given, and what is kept of its answer: decisions and plans of today."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import chain
from typing import Any

import pandas as pd
import psycopg

from lead_demand import database
from lead_demand.budgets.lock import working_alone
from lead_demand.budgets.segments import UNREADABLE, branch_month_room, cannot_be_read, read_undecided
from lead_demand.channels import registry
from lead_demand.channels.paid import (
    FOREIGN_CHANGE_DAYS,
    IMPOSSIBLE_BUDGET,
    NOT_STEERABLE,
    PaidChannel,
    findings_of_budgets,
    impossible_budgets,
    without_impossible_hints,
)
from lead_demand.database import findings, sql
from lead_demand.database.settings import Switches, read_switches
from lead_demand.planner.finding_codes import ADVICE
from lead_demand.planner.planner import LeadDemandPlanner
from lead_demand.planner.settings import PlannerSettings
from lead_demand.planner.week import public_holidays
from lead_demand.runs import day
from lead_demand.text import plain

log = logging.getLogger(__name__)

DECISION_COLUMNS = [
    "segment_id",
    "action",
    "is_blocked",
    "needs_approval",
    "old_budget",
    "new_budget",
    "target_leads_per_day",
    "expected_leads_per_day",
    "expected_low",
    "expected_high",
    "reasons",
    "sentence",
    "inputs",
]


@dataclass(frozen=True)
class PlanReport:
    """How many segments got which decision.

    `blocked`: of the holds those that may still be decided today; `reasons`: how many have each code, the most frequent
    first.
    """

    evaluated: int
    increases: int
    decreases: int
    holds: int
    blocked: int
    dry_run: bool
    reasons: dict[str, int]


def read_budgets(channel: str, account: str, dag_run_id: str) -> int:
    """Read every campaign's live budget of one account into `channel_budgets`, and compare the account's change
    history with the log. Returns how many campaigns.

    Raises SourceUnavailable or SourceRefused; the segments of this account then hold, the others go on.
    """
    source: PaidChannel = registry.get_paid(channel)
    history = source.change_history(account, FOREIGN_CHANGE_DAYS)
    campaigns = source.read_budgets(account, history)
    impossible = impossible_budgets(campaigns)
    frame = campaigns[~campaigns["campaign_id"].isin(list(impossible))].drop(columns="unreadable", errors="ignore")
    # A number that is missing in a row that was left out makes fractions of the others.
    frame = frame.astype({"amount_micros": "Int64", "campaigns_on_budget": "Int64"})
    texts = ("campaign_name", "not_steerable_detail", "currency", "time_zone", "changed_by")
    frame = frame.assign(**{name: frame[name].map(plain, na_action="ignore") for name in texts})
    frame = without_impossible_hints(frame)
    with database.connect() as connection:
        connection.execute(sql.render("lead_budgets/create_read_budgets.sql"))
        sql.copy_frame(connection, "read_budgets", frame)
        key = {"channel": channel, "account": account, "dag_run_id": dag_run_id}
        connection.execute(sql.render("lead_budgets/upsert_channel_budgets.sql"), key)
        switches = read_switches(connection)
        expected = {"currency": switches.currency, "time_zone": switches.time_zone}
        told = {"advice": ADVICE, "not_steerable": list(NOT_STEERABLE)}
        connection.execute(sql.render("lead_budgets/insert_pipeline_findings.sql"), key | expected | told)
        changes = json.dumps([asdict(change) for change in history.changes], default=str)
        connection.execute(
            sql.render("lead_budgets/insert_pipeline_findings_history.sql"),
            {
                "channel": channel,
                "account": account,
                "since": history.since,
                "until": history.until,
                "changes": changes,
                "advice": ADVICE,
            },
        )
        connection.execute(sql.render("lead_budgets/insert_budget_edits.sql"), key | {"changes": changes})
        owners = sql.read_rows(connection, sql.render("lead_budgets/select_campaign_segments.sql"), key)
        segments = {row["external_id"]: row["segment_id"] for row in owners}
        found = findings_of_budgets(channel, account, campaigns, impossible, segments)
        findings.record(connection, found, [findings.Checked(IMPOSSIBLE_BUDGET, channel, account)])
    for line in findings.log_lines(found):
        log.warning("%s", line)
    return len(campaigns)


def plan(channel: str, dag_run_id: str, settings: PlannerSettings | None = None) -> PlanReport:
    """Evaluate every segment without a decision of today, and keep decisions and plans in one transaction.

    One at a time: two that cannot see each other's decisions would each spend the same room below the shared limits.
    """
    settings = settings or PlannerSettings()
    key = {"channel": channel, "dag_run_id": dag_run_id}
    with working_alone(channel), database.connect() as connection:
        sql.join_whole_sets(connection)
        switches = read_switches(connection)
        segments, unreadable = read_undecided(connection, settings, switches, key)
        if switches.error:
            unreadable.append(cannot_be_read("orchestration_settings", switches.error))
        settings = _with_limits(connection, settings, switches, key)
        first = day.today() - timedelta(days=settings.window_days)
        holidays = public_holidays(segments["country"], first, day.today())
        months = branch_month_room(segments)
        settings = replace(settings, holidays=holidays, branch_month_room=months, dry_run=switches.dry_run)
        planned = LeadDemandPlanner(settings).plan(_history(connection, channel, settings), segments, day.today())
        _write(connection, decision_rows(planned, segments), key | {"dry_run": switches.dry_run})
        looked_for = [findings.Checked(code) for code in sorted(set(UNREADABLE.values()))]
        findings.record(connection, unreadable, looked_for)
    blocked = int(planned["is_blocked"].sum()) if len(planned) else 0
    counts = planned["action"].value_counts().to_dict() if len(planned) else {}
    return PlanReport(
        len(planned),
        counts.get("increase", 0),
        counts.get("decrease", 0),
        counts.get("hold", 0),
        blocked,
        switches.dry_run,
        dict(Counter(chain.from_iterable(planned["reasons"])).most_common()) if len(planned) else {},
    )


def _history(connection: psycopg.Connection[Any], channel: str, settings: PlannerSettings) -> Iterator[pd.DataFrame]:
    first = day.today() - timedelta(days=settings.window_days)
    # The statistics have a column of spend, and it is of Google Ads alone.
    statement = sql.render("lead_budgets/select_history.sql", spend_is_in_stats=channel == "google_ads")
    return sql.numbers_in_parts(connection, statement, {"channel": channel, "first": first})


def _with_limits(
    connection: psycopg.Connection[Any], settings: PlannerSettings, switches: Switches, key: dict[str, Any]
) -> PlannerSettings:
    row = connection.execute(sql.render("lead_budgets/select_committed.sql"), key).fetchone()
    total, increase = row or (Decimal(0), Decimal(0))

    # A limit that is not known is 0 here: the segments are blocked by settings_missing anyway, and 0 lets nothing
    # through.
    def left(limit: Decimal | None, taken: Decimal) -> Decimal:
        return max((limit or Decimal(0)) - taken, Decimal(0))

    month = switches.month_room
    return replace(
        settings,
        total_daily_cap=left(switches.total_daily_cap, total),
        month_room=month if month is None or month <= 0 else left(month, increase),
        max_daily_increase=left(switches.max_daily_increase, increase),
        approval_threshold=switches.approval_threshold,
    )


def decision_rows(planned: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    inputs = segments.drop(columns=["segment_id"])
    estimate = planned[[column for column in planned if column not in DECISION_COLUMNS]]
    return planned.assign(
        old_budget=planned["segment_id"].map(
            dict(zip(segments["segment_id"], segments["current_budget"], strict=True))
        ),
        reasons=[_array(codes) for codes in planned["reasons"]],
        inputs=[
            json.dumps({**given, **found}, default=_plain)
            for given, found in zip(
                inputs.set_axis(segments["segment_id"]).loc[planned["segment_id"]].to_dict("records"),
                estimate.astype(object).where(estimate.notna(), None).to_dict("records"),
                strict=True,
            )
        ],
    )[DECISION_COLUMNS]


def _array(codes: list[str]) -> str:
    return "{" + ",".join(str(code) for code in codes) + "}"


def _plain(value: object) -> object:
    if hasattr(value, "item"):
        return value.item()
    return str(value)


def _write(connection: psycopg.Connection[Any], rows: pd.DataFrame, key: dict[str, Any]) -> None:
    connection.execute(sql.render("lead_budgets/create_planned.sql"))
    sql.copy_frame(connection, "planned", rows)
    connection.execute(sql.render("lead_budgets/insert_budget_decisions.sql"), key)
    connection.execute(sql.render("lead_budgets/upsert_lead_segment_plans.sql"), key)
