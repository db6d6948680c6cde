"""What the page has to tell: a company of 60 segments on the morning after everything has happened once.

Put into the tables as one restores a dump. Days are counted from today, moments lie in the morning of their day in
Amsterdam, whatever the hour at which the tests run.
"""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from lead_demand.runs.day import AMSTERDAM, today
from tests.fixtures.postgres import LeadsDatabase

ACCOUNT = "1234567890"
CHANNEL = "google_ads"
SEGMENTS = 60
DAYS = 10
# Stands in everything of a lead that says who somebody is: no answer may hold it.
MARKER = "Persoonsgegeven"
SCRIPT = "<script>alert(1)</script>"
FORMULA = "=cmd()"
# Segments by what today has for them; all others hold.
APPLIED, DOWN, WAITING, REFUSED, FAILED = "s00", "s01", "s02", "s03", "s04"
REVERTED, REJECTED, EXPIRED, PENDING, SWITCHED_OFF = "s05", "s06", "s07", "s08", "s09"
BLOCKED = [f"s{number}" for number in range(10, 14)]  # four for one reason: a cluster
BLOCKED_ALONE = "s14"
UNDECIDED = "s15"
TWO_BUDGETS = "s16"
REFUSED_UNCLAIMED = "s17"
HOLDING = [f"s{number}" for number in range(18, SEGMENTS)]
OUTCOMES = {
    APPLIED: "applied",
    DOWN: "applied",
    WAITING: "waiting",
    REFUSED: "refused",
    FAILED: "failed",
    REVERTED: "reverted",
    REJECTED: "rejected",
    EXPIRED: "expired",
    PENDING: "pending",
    SWITCHED_OFF: "held",
    BLOCKED_ALONE: "held",
    UNDECIDED: None,
    TWO_BUDGETS: "reverted",
    REFUSED_UNCLAIMED: "refused",
    **dict.fromkeys((*BLOCKED, *HOLDING), "held"),
}
ERRORS = {
    REFUSED: "beyond_limits",
    FAILED: "RESOURCE_EXHAUSTED",
    REJECTED: "approval_rejected",
    EXPIRED: "approval_expired",
}


def at(day: date, hour: int = 7, minute: int = 0) -> datetime:
    """A moment of a day in Amsterdam."""
    return datetime.combine(day, time(hour, minute), AMSTERDAM)


class Story:
    """Writes the rows; `segments`: code -> id."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self.connection = connection
        self.segments: dict[str, UUID] = {}

    def insert(self, table: str, **values: Any) -> Any:
        """One row; returns its id where it has one."""
        columns, places = ", ".join(values), ", ".join(f"%({name})s" for name in values)
        returning = (
            " returning id" if table in ("lead_segments", "budget_decisions", "channel_orchestration_log") else ""
        )
        cursor = self.connection.execute(f"insert into {table} ({columns}) values ({places}){returning}", values)
        row = cursor.fetchone() if returning else None
        return row["id"] if row else None

    def company(self) -> None:
        for number in range(SEGMENTS):
            code = f"s{number:02}"
            branch, region = ("schilder", "dakdekker")[number % 2], f"regio-{number:02}"
            self.segments[code] = self.insert("lead_segments", code=code, branch=branch, region=region)
            self.insert(
                "lead_segment_channels",
                segment_id=self.segments[code],
                channel=CHANNEL,
                min_daily_budget=20,
                max_daily_budget=200,
                max_increase_pct=20,
                max_decrease_pct=30,
                cooldown_days=3,
                is_automated=code != SWITCHED_OFF,
            )
            self.campaign(code, str(900 + number), f"budget/{code}", SCRIPT if number == 0 else f"NL {code}")
        self.campaign(TWO_BUDGETS, "990", f"budget/{TWO_BUDGETS}/2", f"NL {TWO_BUDGETS} brand")

    def campaign(self, code: str, campaign: str, budget: str, name: str) -> None:
        """A campaign of a segment, with a budget of its own."""
        self.insert(
            "channel_sources",
            channel=CHANNEL,
            account=ACCOUNT,
            external_id=campaign,
            segment_id=self.segments[code],
        )
        self.insert(
            "channel_budgets",
            channel=CHANNEL,
            account=ACCOUNT,
            campaign_id=campaign,
            campaign_name=name,
            budget_id=budget,
            amount=50,
            campaigns_on_budget=1,
            is_learning=False,
            is_serving=True,
            currency="EUR",
            time_zone="Europe/Amsterdam",
            dag_run_id="run-0",
        )

    def history(self, day: date) -> None:
        """A day on which every segment held, with what came of it once that is known."""
        for number, (code, segment) in enumerate(self.segments.items()):
            leads = 4 + number % 3
            self.insert(
                "lead_generation_stats",
                segment_id=segment,
                date=day,
                leads_generated=leads,
                leads_accepted=2,
                leads_rejected=1,
                leads_pending=leads - 3,
                google_ads_spend="40.25",
            )
            self.insert(
                "lead_segment_plans",
                segment_id=segment,
                date=day,
                target_leads_per_day=8,
                expected_leads_per_day=5,
                lead_gap=8 - leads,
                target_daily_budget_google_ads=50,
                actual_daily_budget_google_ads=50,
                orchestration_status="held",
            )
            self.insert(
                "channel_metrics",
                segment_id=segment,
                channel="leads",
                account="leads_db",
                date=day,
                leads_generated=leads,
                leads_accepted=2,
                leads_rejected=1,
                leads_pending=leads - 3,
                leads_by_source=Jsonb(
                    {"seo": {"generated": leads, "accepted": 2, "rejected": 1, "pending": leads - 3}}
                ),
                is_final=day < today() - timedelta(3),
            )
            self.decide(code, day, "hold", 50, 50, ["within_dead_band"])

    def decide(self, code: str, day: date, action: str, old: Any, new: Any, reasons: list[str], **columns: Any) -> UUID:
        number = int(code[1:])
        inputs = {
            "wanted_budget": 50 + number,
            "min_daily_budget": "20.000000",
            "max_daily_budget": "200.000000",
            "cooldown_days": 3,
            "max_increase_pct": "20",
            "max_decrease_pct": "30",
            "is_automated": code != SWITCHED_OFF,
            "expected_after": 5.5,
            "budget_changed_by": None,
            "budget_changed_at": None,
        }
        values = {
            "target_leads_per_day": 8,
            "expected_leads_per_day": 5 + number / 100,
            "expected_low": 4,
            "expected_high": 6,
        } | columns
        return self.insert(
            "budget_decisions",
            segment_id=self.segments[code],
            decision_date=day,
            evaluated_at=at(day, 6, 5),
            dag_run_id=f"run-{(today() - day).days}",
            action=action,
            old_budget=old,
            new_budget=new,
            reasons=reasons,
            sentence=f"{code}: {action}.",
            inputs=json.dumps(inputs),
            **values,
        )

    def change(self, code: str, day: date, decision: UUID | None, **columns: Any) -> UUID:
        """A row of the log of the segment's budget."""
        values = {
            "segment_id": self.segments[code],
            "channel": CHANNEL,
            "action_type": "budget_increase",
            "old_value": 50,
            "new_value": 60,
            "account": ACCOUNT,
            "external_id": f"budget/{code}",
            "decision_date": day,
            "kind": "plan",
            "decision_id": decision,
            "dag_run_id": f"run-{(today() - day).days}",
            "status": "success",
            "created_at": at(day, 6, 6),
            "closed_at": at(day, 6, 7),
        } | columns
        if values["status"] == "pending":
            values["closed_at"] = None
        return self.insert("channel_orchestration_log", **values)

    def plan_of_today(self, code: str, status: str, new: Any = 60) -> None:
        self.insert(
            "lead_segment_plans",
            segment_id=self.segments[code],
            date=today(),
            target_leads_per_day=8,
            target_daily_budget_google_ads=new,
            actual_daily_budget_google_ads=50,
            orchestration_status=status,
        )

    def this_morning(self) -> None:
        day = today()
        for code in (APPLIED, REFUSED, FAILED, REVERTED, REJECTED, EXPIRED, PENDING, TWO_BUDGETS):
            decision = self.decide(code, day, "increase", 50, 60, ["step_limit", "below_capacity"])
            status = {APPLIED: "success", REVERTED: "success", TWO_BUDGETS: "success", PENDING: "pending"}.get(
                code, "failed"
            )
            named = {APPLIED: "anke@leads.example", REJECTED: "bert@leads.example"}
            row = self.change(
                code,
                day,
                decision,
                status=status,
                error_code=ERRORS.get(code),
                error_detail=FORMULA if code == FAILED else None,
                decided_by=named.get(code),
            )
            self.plan_of_today(code, "applied" if status == "success" else "failed")
            if code == REVERTED:
                self.revert(code, row, "cees@leads.example")
            if code == TWO_BUDGETS:
                other = self.change(code, day, decision, external_id=f"budget/{code}/2")
                self.revert(code, row, "cees@leads.example")
                self.revert(code, other, "cees@leads.example", external_id=f"budget/{code}/2")
        decision = self.decide(DOWN, day, "decrease", 50, 40, ["above_capacity"], expected_low=9, expected_high=11)
        self.change(DOWN, day, decision, action_type="budget_decrease", new_value=40)
        self.plan_of_today(DOWN, "applied", 40)
        self.decide(WAITING, day, "increase", 50, 150, ["needs_approval"])
        self.plan_of_today(WAITING, "waiting_approval", 150)
        self.decide(REFUSED_UNCLAIMED, day, "increase", 50, 60, ["below_capacity"])
        self.plan_of_today(REFUSED_UNCLAIMED, "failed")
        self.decide(SWITCHED_OFF, day, "hold", None, None, ["automation_off", "no_campaign"], is_blocked=True)
        unknown = dict.fromkeys(
            ("target_leads_per_day", "expected_leads_per_day", "expected_low", "expected_high"), None
        )
        for code in (*BLOCKED, BLOCKED_ALONE):
            reason = "stale_channel" if code == BLOCKED_ALONE else "missing_capacity"
            self.decide(code, day, "hold", 50, 50, [reason], is_blocked=True, **unknown)
        for code in HOLDING:
            self.decide(code, day, "hold", 50, 50, ["within_dead_band"])
            self.plan_of_today(code, "held", 50)

    def revert(self, code: str, row: UUID, who: str, **columns: Any) -> None:
        values = {"old_value": 60, "new_value": 50, "action_type": "budget_revert", "kind": "revert", "reverts": row}
        moments = {"created_at": at(today(), 6, 40), "closed_at": at(today(), 6, 41)}
        self.change(code, today(), None, decided_by=who, **values | moments | columns)

    def people(self) -> None:
        """An edit in the channel, a limit that somebody changed, a record made by hand, a finding, a lead."""
        yesterday = today() - timedelta(1)
        segment = self.segments[APPLIED]
        self.insert(
            "budget_edits",
            channel=CHANNEL,
            account=ACCOUNT,
            budget_id="budget/s00",
            edited_at=at(yesterday, 14),
            segment_id=segment,
            edited_by="marketing@leads.example",
            old_value=45,
            new_value=50,
            dag_run_id="run-0",
        )
        for column, old, new in (("max_daily_budget", "150", "200"), ("is_automated", None, "true")):
            self.insert(
                "limit_changes",
                changed_at=at(yesterday, 15),
                changed_by="dirk@leads.example",
                table_name="lead_segment_channels",
                segment_id=segment,
                channel=CHANNEL,
                column_name=column,
                old_value=old,
                new_value=new,
            )
        self.insert(
            "limit_changes",
            changed_at=at(yesterday, 17),
            changed_by="dirk@leads.example",
            table_name="lead_branch_channels",
            country="NL",
            branch="dakdekker",
            channel=CHANNEL,
            column_name="monthly_budget",
            old_value="9000.000000",
            new_value="12000.000000",
        )
        self.insert(
            "limit_changes",
            changed_at=at(yesterday, 16),
            changed_by="dirk@leads.example",
            table_name="orchestration_settings",
            column_name="dry_run",
            old_value="true",
            new_value="false",
        )
        nothing = dict.fromkeys(("old_value", "new_value", "external_id", "account", "dag_run_id"))
        by_hand = {"kind": "manual", "channel": "seo", "action_type": "new_page", "decided_by": "els@leads.example"}
        self.change(APPLIED, yesterday, None, **nothing | by_hand)
        self.insert(
            "pipeline_findings",
            name="capacity_unknown",
            level="stop",
            segment_id=self.segments[BLOCKED[0]],
            channel="partner_capacity",
            subject=SCRIPT,
            detail=f"It is unknown how many leads {SCRIPT} takes.",
            remediation="Enter the capacity.",
        )
        self.insert("pipeline_findings", name="x_info", level="info", detail="Kept.")
        self.insert(
            "leads",
            branch="schilder",
            region="utrecht",
            name=f"{MARKER} Jansen",
            email=f"{MARKER}@example.com",
            phone=f"{MARKER}-06",
            segment_id=segment,
        )

    def sources(self) -> None:
        for days in range(DAYS):
            day = today() - timedelta(days)
            for channel, account in ((CHANNEL, ACCOUNT), ("leads", "leads_db"), ("partner_capacity", "leads_db")):
                self.insert(
                    "channel_fetches",
                    channel=channel,
                    account=account,
                    date_from=day - timedelta(9),
                    date_to=day - timedelta(1),
                    row_count=SEGMENTS,
                    dag_run_id=f"stats-{days}",
                    fetched_at=at(day, 6, 1),
                )
            self.insert(
                "channel_totals",
                channel=CHANNEL,
                account=ACCOUNT,
                date=day - timedelta(1),
                metric="spend",
                segments=SEGMENTS,
                in_segments=1610,
                in_none="12.5",
                reported="1622.5" if days else "1700",
            )


def tell(database: LeadsDatabase) -> None:
    """Fill a migrated database."""
    with psycopg.connect(database.owner_url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("set session_replication_role = replica")
        story = Story(connection)
        story.company()
        for days in range(DAYS, 0, -1):
            story.history(today() - timedelta(days))
        story.this_morning()
        story.people()
        story.sources()
        connection.execute(
            "update orchestration_settings set dry_run = false, approval_threshold = 75, total_daily_cap = 5000,"
            " max_daily_increase = 500, monthly_budget = 40000;"
            " insert into lead_branch_channels (branch, channel, monthly_budget)"
            " values ('dakdekker', 'google_ads', 12000), ('schilder', 'google_ads', null);"
            " update lead_segment_channels set monthly_budget = 2500.5"
        )
        connection.execute("analyze")
