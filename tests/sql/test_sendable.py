"""select_sendable.sql: of each open change, whether it may be sent at this moment, and why not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from lead_demand.database.sql import render
from tests.fixtures.claims import OPPOSITE, approve, claim, decide, log, record_fetches, steer
from tests.fixtures.postgres import MEMBER, LeadsDatabase

OTHER = "customers/1234567890/campaignBudgets/2"
LIMITS = {
    "unit": Decimal("0.01"),
    "total_cap_words": "total_daily_cap",
    "total_daily_cap": Decimal(1_000),
    "max_daily_increase": Decimal(100),
    "approval_threshold": Decimal(50),
    "approve": "Approve",
}


def limits(db: LeadsDatabase, segment: UUID) -> None:
    db.fetch(
        "insert into lead_segment_channels (segment_id, channel, min_daily_budget, max_daily_budget, max_increase_pct,"
        " max_decrease_pct, cooldown_days, is_automated) values (%s, 'google_ads', 10, 80, 20, 20, 1, true)",
        [segment],
    )


@pytest.fixture
def segment(leads_db: LeadsDatabase) -> UUID:
    """A segment whose budget of 50 may go up to 80 and move by a fifth; nothing is decided."""
    made = leads_db.add_segment()
    steer(leads_db, made)
    limits(leads_db, made)
    with leads_db.connect("lead_pipeline") as pipeline:
        record_fetches(pipeline)
    return made


def why_not(db: LeadsDatabase, who: str = "lead_pipeline", **settings: Any) -> list[str | None]:
    """The code of each open change, the oldest first."""
    with db.connect(who) as connection:
        values = LIMITS | settings | {"channel": "google_ads"}
        rows = connection.execute(render("lead_budgets/select_sendable.sql"), values).fetchall()
    assert all(row["detail"] for row in rows if row["error_code"])
    return [row["error_code"] for row in rows]


def claimed(db: LeadsDatabase, segment: UUID, new: int = 60, **columns: Any) -> UUID:
    decide(db, segment, 50, new)
    action = "budget_increase" if new > 50 else "budget_decrease"
    with db.connect("lead_pipeline") as pipeline:
        return claim(pipeline, segment, action_type=action, new_value=new, **columns)


@pytest.mark.parametrize("who", ["lead_pipeline", MEMBER])
@pytest.mark.parametrize("new", [60, 40])
def test_what_was_decided_may_be_sent(leads_db: LeadsDatabase, segment: UUID, new: int, who: str) -> None:
    claimed(leads_db, segment, new)
    assert why_not(leads_db, who) == [None]


@pytest.mark.parametrize(
    ("new", "change"),
    [
        (60, "max_daily_budget = 59"),
        (60, "max_daily_budget = null"),
        (60, "max_increase_pct = 19"),
        (60, "max_increase_pct = null"),
        (60, "is_automated = false"),
        (40, "min_daily_budget = 41"),
        (40, "min_daily_budget = null"),
        (40, "max_decrease_pct = 19"),
        (40, "max_decrease_pct = null"),
        (40, "is_automated = false"),
    ],
)
def test_a_limit_of_the_segment_is_the_one_of_this_moment(
    leads_db: LeadsDatabase, segment: UUID, new: int, change: str
) -> None:
    claimed(leads_db, segment, new)
    leads_db.fetch(f"update lead_segment_channels set {change}")
    assert why_not(leads_db) == ["beyond_limits"]
    leads_db.fetch("delete from lead_segment_channels")
    assert why_not(leads_db) == ["beyond_limits"]


@pytest.mark.parametrize(
    ("new", "change"), [(60, "min_daily_budget = 70"), (60, "max_decrease_pct = 0"), (40, "max_daily_budget = 30")]
)
def test_a_limit_of_the_other_direction_stands_in_no_way(
    leads_db: LeadsDatabase, segment: UUID, new: int, change: str
) -> None:
    """A budget that is below its floor or above its cap comes nearer, a step at a time."""
    claimed(leads_db, segment, new)
    leads_db.fetch(f"update lead_segment_channels set min_daily_budget = 1; update lead_segment_channels set {change}")
    assert why_not(leads_db) == [None]


@pytest.mark.parametrize("value", [Decimal("9.99"), None])
def test_an_increase_above_the_threshold_needs_its_approval(
    leads_db: LeadsDatabase, segment: UUID, value: Decimal | None
) -> None:
    claimed(leads_db, segment)
    assert why_not(leads_db, approval_threshold=value) == ["not_approved"]
    approve(leads_db)
    assert why_not(leads_db, approval_threshold=value) == ["not_approved"], "it was claimed in nobody's name"
    leads_db.restore("update channel_orchestration_log set decided_by = 'Anke de Wit'")
    assert why_not(leads_db, approval_threshold=value) == [None]


@pytest.mark.parametrize("answer", [None, "Reject"])
def test_a_name_in_the_row_is_no_approval(leads_db: LeadsDatabase, segment: UUID, answer: str | None) -> None:
    claimed(leads_db, segment, decided_by="Anke de Wit")
    if answer:
        approve(leads_db, answer)
    assert why_not(leads_db, approval_threshold=Decimal(9)) == ["not_approved"]


@pytest.mark.parametrize(
    ("limit", "value", "code"),
    [
        ("total_daily_cap", Decimal(60), None),
        ("total_daily_cap", Decimal("59.99"), "beyond_limits"),
        ("total_daily_cap", None, "beyond_limits"),
        ("max_daily_increase", Decimal(10), None),
        ("max_daily_increase", Decimal("9.99"), "beyond_limits"),
        ("max_daily_increase", None, "beyond_limits"),
    ],
)
def test_the_shared_limits_are_those_of_this_moment(
    leads_db: LeadsDatabase, segment: UUID, limit: str, value: Decimal | None, code: str | None
) -> None:
    claimed(leads_db, segment)
    assert why_not(leads_db, **{limit: value}) == [code]


def month_of(db: LeadsDatabase, level: str, per_day: Any) -> None:
    """Let the monthly budget of the segment, or of its branch, leave so many EUR per day."""
    amount = f"(select at_most + greatest(30.4, days_left) * ({per_day} - in_force) from month_pace_of_{level})"
    if level == "segments":
        db.fetch(f"update lead_segment_channels set monthly_budget = {amount}")
    else:
        db.fetch(
            f"insert into lead_branch_channels (branch, channel, monthly_budget) values ('schilder', 'google_ads',"
            f" {amount}) on conflict (country, branch, channel) do update set monthly_budget = excluded.monthly_budget"
        )


@pytest.mark.parametrize(("level", "code"), [("segments", "beyond_segment_month"), ("branches", "beyond_branch_month")])
def test_the_months_of_segment_and_branch_are_those_of_this_moment(
    leads_db: LeadsDatabase, segment: UUID, level: str, code: str
) -> None:
    claimed(leads_db, segment)
    for per_day, said in (("60.01", None), ("59.99", code), ("50", code)):
        month_of(leads_db, level, per_day)
        assert why_not(leads_db) == [said], per_day
    leads_db.fetch("update lead_segment_channels set monthly_budget = 0")
    assert why_not(leads_db) == ["beyond_segment_month"], "the segment's own is named first"
    leads_db.fetch("update lead_segment_channels set monthly_budget = null")
    leads_db.fetch("update lead_branch_channels set monthly_budget = null")
    assert why_not(leads_db) == [None]


@pytest.mark.parametrize("level", ["segments", "branches"])
def test_a_decrease_passes_whatever_the_months_leave(leads_db: LeadsDatabase, segment: UUID, level: str) -> None:
    claimed(leads_db, segment, 40)
    month_of(leads_db, level, "50")
    table = {"segments": "lead_segment_channels", "branches": "lead_branch_channels"}[level]
    leads_db.fetch(f"update {table} set monthly_budget = 0")
    assert why_not(leads_db) == [None]


@pytest.mark.parametrize("table", ["lead_segment_channels", "lead_branch_channels"])
def test_a_month_that_is_no_number_lets_no_increase_through(leads_db: LeadsDatabase, segment: UUID, table: str) -> None:
    claimed(leads_db, segment)
    month_of(leads_db, "branches", "90")
    leads_db.fetch(
        f"alter table {table} drop constraint {table}_monthly_budget_check; update {table} set monthly_budget = 'NaN'"
    )
    assert why_not(leads_db) == [f"beyond_{table.split('_')[1]}_month"]


def test_the_segments_of_a_branch_share_its_month_the_oldest_claim_first(
    leads_db: LeadsDatabase, segment: UUID
) -> None:
    second, other = leads_db.add_segment("schilder", "gelderland"), leads_db.add_segment("dakdekker", "gelderland")
    for each, budget in ((second, OTHER), (other, "customers/1234567890/campaignBudgets/3")):
        steer(leads_db, each, budget)
        limits(leads_db, each)
    claimed(leads_db, segment)
    claimed(leads_db, second, budget=OTHER)
    claimed(leads_db, other, budget="customers/1234567890/campaignBudgets/3")
    amount = "(select at_most + greatest(30.4, days_left) * 15 from month_pace_of_branches where branch = 'schilder')"
    leads_db.fetch(
        "insert into lead_branch_channels (branch, channel, monthly_budget)"
        f" values ('schilder', 'google_ads', {amount})"
    )
    assert why_not(leads_db) == [None, "beyond_branch_month", None]
    assert why_not(leads_db, max_daily_increase=Decimal(20)) == [None, "beyond_branch_month", None], (
        "what is refused takes no room of the others"
    )
    leads_db.fetch("update lead_segment_channels set monthly_budget = 0 where segment_id = %s", [segment])
    assert why_not(leads_db) == ["beyond_segment_month", None, None]


def test_a_decrease_takes_no_room(leads_db: LeadsDatabase, segment: UUID) -> None:
    claimed(leads_db, segment, 40)
    assert why_not(leads_db, total_daily_cap=Decimal(1), max_daily_increase=Decimal(0)) == [None]


def test_the_oldest_claim_gets_the_room_and_one_that_is_refused_takes_none(
    leads_db: LeadsDatabase, segment: UUID
) -> None:
    second, third = leads_db.add_segment("dakdekker", "gelderland"), leads_db.add_segment("stukadoor", "drenthe")
    for each, budget in ((second, OTHER), (third, "customers/1234567890/campaignBudgets/3")):
        steer(leads_db, each, budget)
        limits(leads_db, each)
    with leads_db.connect() as owner:
        owner.execute("set session_replication_role = replica")
        forged = {"new_value": 98_765, "created_at": "2020-01-01"}
        log(owner, third, "customers/1234567890/campaignBudgets/3", **forged)
    claimed(leads_db, segment)
    claimed(leads_db, second, budget=OTHER)
    assert why_not(leads_db, max_daily_increase=Decimal(20)) == ["not_of_a_decision", None, None]
    assert why_not(leads_db, max_daily_increase=Decimal(19)) == ["not_of_a_decision", None, "beyond_limits"]
    assert why_not(leads_db, total_daily_cap=Decimal(170)) == ["not_of_a_decision", None, None]
    assert why_not(leads_db, total_daily_cap=Decimal(169)) == ["not_of_a_decision", None, "beyond_limits"]


@pytest.mark.parametrize(
    "change",
    [
        "decision_id = null",
        "action_type = 'budget_decrease'",
        "action_type = 'budget_revert'",
        "new_value = 60.01",
        "new_value = 98765.43",
        "new_value = 50",
        "new_value = 45",
        "channel = 'google_ads', segment_id = (select id from lead_segments where branch = 'dakdekker')",
        "kind = 'revert', reverts = id",
    ],
)
def test_a_row_that_says_something_else_than_its_decision(leads_db: LeadsDatabase, segment: UUID, change: str) -> None:
    other = leads_db.add_segment("dakdekker", "gelderland")
    limits(leads_db, other)
    claimed(leads_db, segment, decided_by="Anke de Wit")
    leads_db.restore(f"update channel_orchestration_log set {change}")
    assert why_not(leads_db) == ["not_of_a_decision"]


@pytest.mark.parametrize(
    "change",
    [
        "is_dry_run = true",
        "decision_date = decision_date - 1",
        "channel = 'bing_ads'",
        "new_budget = 59",
        "old_budget = 51",
        "action = 'decrease', new_budget = 40",
        "action = 'hold', new_budget = old_budget",
        "action = 'hold', new_budget = old_budget, is_blocked = true",
    ],
)
def test_a_decision_that_says_something_else_than_its_row(leads_db: LeadsDatabase, segment: UUID, change: str) -> None:
    claimed(leads_db, segment)
    leads_db.restore(f"update budget_decisions set {change}")
    assert why_not(leads_db) == ["not_of_a_decision"]


def test_a_claim_of_another_day_or_that_is_closed_is_not_among_them(leads_db: LeadsDatabase, segment: UUID) -> None:
    claimed(leads_db, segment)
    leads_db.restore("update channel_orchestration_log set decision_date = decision_date - 1")
    assert why_not(leads_db) == []
    leads_db.restore(
        "update channel_orchestration_log set decision_date = decision_date + 1, status = 'success', closed_at = now()"
    )
    assert why_not(leads_db) == []


class TestSeveralBudgets:
    """A segment with budgets of 30 and 20."""

    FIRST, SECOND = (f"customers/1234567890/campaignBudgets/{number}" for number in (11, 12))

    def claimed(self, db: LeadsDatabase, new: Any, first: Any, second: Any) -> None:
        segment = db.add_segment()
        limits(db, segment)
        for budget, amount in ((self.FIRST, 30), (self.SECOND, 20)):
            steer(db, segment, budget, amount)
        decide(db, segment, 50, new)
        action = {"action_type": "budget_increase" if new > 50 else "budget_decrease"}
        with db.connect("lead_pipeline") as pipeline:
            record_fetches(pipeline)
            for budget, old, to in ((self.FIRST, 30, first), (self.SECOND, 20, second)):
                claim(pipeline, segment, budget, old_value=old, new_value=to, **action)

    @pytest.mark.parametrize(
        ("new", "first", "second"),
        [
            (60, 36, 24),
            (40, 24, 16),
            # Rounded down to cents, the largest takes the rest: a cent beyond its own fifth.
            (60, Decimal("36.01"), Decimal("23.99")),
            (Decimal("40.005"), Decimal("24.01"), Decimal("15.99")),
        ],
    )
    def test_a_split_of_what_was_decided_may_be_sent(
        self, leads_db: LeadsDatabase, new: Any, first: Any, second: Any
    ) -> None:
        self.claimed(leads_db, new, first, second)
        assert why_not(leads_db) == [None, None]

    def test_what_is_in_force_already_counts(self, leads_db: LeadsDatabase) -> None:
        self.claimed(leads_db, 60, 36, 24)
        leads_db.fetch(
            "update channel_orchestration_log set status = 'success' where external_id = %s", [self.FIRST],
            role="lead_pipeline",
        )  # fmt: skip
        leads_db.fetch("update channel_budgets set amount = 36 where budget_id = %s", [self.FIRST])
        assert why_not(leads_db, max_daily_increase=Decimal(10), total_daily_cap=Decimal(60)) == [None]
        assert why_not(leads_db, max_daily_increase=Decimal("9.99")) == ["beyond_limits"]
        leads_db.restore("update channel_orchestration_log set new_value = 24.01 where status = 'pending'")
        assert why_not(leads_db) == ["not_of_a_decision"]

    def test_the_whole_step_on_one_budget_is_beyond_its_own(self, leads_db: LeadsDatabase) -> None:
        self.claimed(leads_db, 60, Decimal("30.01"), Decimal("29.99"))
        assert why_not(leads_db) == [None, "beyond_limits"]


class TestRevert:
    @pytest.fixture
    def reverted(self, leads_db: LeadsDatabase, segment: UUID) -> UUID:
        """A decrease from 50 to 30 that took effect and is being reverted, in the name of Anke."""
        decide(leads_db, segment, 50, 30)
        with leads_db.connect("lead_pipeline") as pipeline:
            change = claim(pipeline, segment, action_type="budget_decrease", new_value=30)
            pipeline.execute("update channel_orchestration_log set status = 'success'; ")
            pipeline.execute("update channel_budgets set amount = 30")
            back = OPPOSITE | {"old_value": 30, "new_value": 50}
            return claim(pipeline, segment, kind="revert", reverts=change, decided_by="Anke de Wit", **back)

    def test_the_opposite_of_a_change_may_be_sent_whatever_the_step(
        self, leads_db: LeadsDatabase, reverted: UUID
    ) -> None:
        leads_db.fetch("update lead_segment_channels set is_automated = false")
        assert why_not(leads_db, max_daily_increase=Decimal(0)) == [None]

    def test_up_to_the_cap_and_the_total(self, leads_db: LeadsDatabase, reverted: UUID) -> None:
        assert why_not(leads_db, total_daily_cap=Decimal("49.99")) == ["beyond_limits"]
        for cap in ("49.99", "null"):
            leads_db.fetch(f"update lead_segment_channels set max_daily_budget = {cap}")
            assert why_not(leads_db) == ["beyond_limits"]

    def test_up_to_what_the_months_leave(self, leads_db: LeadsDatabase, reverted: UUID) -> None:
        for level, code in (("segments", "beyond_segment_month"), ("branches", "beyond_branch_month")):
            month_of(leads_db, level, "49.99")
            assert why_not(leads_db) == [code]
            month_of(leads_db, level, "50.01")
            assert why_not(leads_db) == [None]

    def test_a_large_one_is_asked_for_by_a_person(self, leads_db: LeadsDatabase, reverted: UUID) -> None:
        assert why_not(leads_db, approval_threshold=Decimal(19)) == [None]
        leads_db.restore("update channel_orchestration_log set decided_by = null")
        assert why_not(leads_db, approval_threshold=Decimal(19)) == ["not_approved"]

    @pytest.mark.parametrize(
        "change",
        ["new_value = 51", "old_value = 29", "external_id = 'x'", "account = '2'", "action_type = 'budget_increase'"],
    )
    def test_nothing_else(self, leads_db: LeadsDatabase, reverted: UUID, change: str) -> None:
        leads_db.restore(f"update channel_orchestration_log set {change} where kind = 'revert'")
        assert why_not(leads_db) == ["not_of_a_decision"]
