"""docs/how_often_right.sql: what a person asks of the decisions once their days are over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pytest

from lead_demand.database import sql
from lead_demand.runs.day import AMSTERDAM
from tests.migrations.conftest import SeededDatabase
from tools import REPOSITORY

QUESTION = (REPOSITORY / "docs" / "how_often_right.sql").read_text()
COUNT = sql.render("lead_stats/upsert_outcome_weeks.sql")
FIRST = datetime.now(AMSTERDAM).date() - timedelta(days=20)
DECIDE = """
insert into budget_decisions (
    segment_id, decision_date, action, is_dry_run, is_blocked, old_budget, new_budget, target_leads_per_day,
    expected_leads_per_day, expected_low, expected_high, inputs, realised_leads_7d
)
values (
    %(segment)s, %(day)s, %(action)s, %(dry)s, %(blocked)s, %(old)s,
    %(old)s * case %(action)s when 'increase' then 1.2 when 'decrease' then 0.8 else 1 end, %(target)s, %(expected)s,
    %(expected)s::numeric - %(half_width)s::numeric, %(expected)s::numeric + %(half_width)s::numeric,
    jsonb_build_object('expected_after', %(after)s::numeric), %(realised)s
)
"""
SEND = """
insert into channel_orchestration_log (
    segment_id, channel, action_type, old_value, new_value, account, external_id, decision_date, kind, decision_id,
    reverts, status, closed_at
)
values (
    %(segment)s, 'google_ads', 'budget_' || %(action)s, 50, 60, '1', %(budget)s, %(day)s, %(kind)s, null, %(reverts)s,
    %(status)s, case when %(status)s <> 'pending' then now() end
)
returning id
"""


def restore(db: SeededDatabase, statement: str, values: Any) -> Any:
    """History is restored, not decided or claimed: no guard is asked."""
    with db.connect(autocommit=True) as owner:
        owner.execute("set session_replication_role = replica")
        cursor = owner.execute(statement, values)
        return cursor.fetchone()["id"] if cursor.description else None  # type: ignore[index]


def decide(db: SeededDatabase, day: date, action: str, expected: float, after: float | None, **given: Any) -> None:
    values = {"action": action, "expected": expected, "after": after, "realised": None, "target": 7, "half_width": 1}
    flags = {"dry": False, "blocked": False, "old": 50}
    restore(db, DECIDE, values | flags | {"segment": db.segment, "day": day} | given)


def send(db: SeededDatabase, day: date, action: str = "increase", **given: Any) -> Any:
    values = {"kind": "plan", "reverts": None, "status": "success", "budget": "b1"}
    return restore(db, SEND, values | {"segment": db.segment, "day": day, "action": action} | given)


@pytest.fixture
def db(seeded_db: SeededDatabase) -> Iterator[SeededDatabase]:
    """The shared database with nothing decided."""
    forget(seeded_db)
    yield seeded_db
    forget(seeded_db)


def answer(db: SeededDatabase) -> list[dict[str, Any]]:
    """What the question says, once lead_stats has counted the weeks of half a year."""
    with db.connect("lead_pipeline") as pipeline:
        pipeline.execute(COUNT, {"first": FIRST - timedelta(182), "last": FIRST + timedelta(6)})
    return db.fetch(QUESTION)


def forget(db: SeededDatabase) -> None:
    db.restore("delete from outcome_weeks")
    db.restore("delete from channel_orchestration_log where decision_date < lead_today()")
    db.restore("delete from budget_decisions")
    db.restore("delete from lead_segments where branch = 'luck'")


def outcome(db: SeededDatabase, day: date = FIRST) -> dict[str, Any]:
    (row,) = db.fetch("select * from budget_outcomes where decision_date = %s", [day])
    return row


def test_a_change_is_judged_by_what_it_promised_and_by_what_would_have_been(db: SeededDatabase) -> None:
    decide(db, FIRST, "increase", 5, 6.5, realised=6.3)
    send(db, FIRST)
    found = outcome(db)
    assert (found["made"], found["in_force"], found["alone"], found["promised"]) == ("increase", 60, 5, Decimal("6.5"))
    assert (found["is_judged"], found["is_as_promised"], found["is_nearer"]) == (True, True, True)
    # Two leads from the target, 1.15 of deviation: had nothing been changed, 3 to 11 would be nearer by half of that.
    assert 0.4 < found["nearer_by_luck"] < 0.5


@pytest.mark.parametrize(
    ("came", "is_nearer", "as_promised"), [(9.5, False, False), (3.0, False, False), (8, True, True)]
)
def test_too_much_is_as_wrong_as_too_little(
    db: SeededDatabase, came: float, is_nearer: bool, as_promised: bool
) -> None:
    decide(db, FIRST, "increase", 5, 6.9, realised=came)
    send(db, FIRST)
    assert (outcome(db)["is_nearer"], outcome(db)["is_as_promised"]) == (is_nearer, as_promised)


@pytest.mark.parametrize("status", ["failed", "pending", None])
def test_a_change_that_was_never_made_is_the_hold_that_it_was(db: SeededDatabase, status: str | None) -> None:
    decide(db, FIRST, "increase", 5, 6.9, realised=5.2, dry=status is None)
    if status:
        send(db, FIRST, status=status)
    found = outcome(db)
    assert (found["decided"], found["made"], found["in_force"], found["promised"]) == ("increase", "hold", 50, 5)
    assert (found["is_as_promised"], found["is_nearer"], found["nearer_by_luck"]) == (True, None, None)


@pytest.mark.parametrize(
    ("days", "made", "is_judged"), [(0, "hold", True), (1, "increase", False), (7, "increase", True)]
)
def test_a_reverted_change_counts_as_made_for_as_long_as_it_was(
    db: SeededDatabase, days: int, made: str, is_judged: bool
) -> None:
    decide(db, FIRST, "increase", 5, 6.9, realised=6.5)
    change = send(db, FIRST)
    send(db, FIRST + timedelta(days), "decrease", kind="revert", reverts=change)
    assert (outcome(db)["made"], outcome(db)["is_judged"]) == (made, is_judged)


def test_of_two_changes_in_seven_days_nobody_can_say_which_it_was(db: SeededDatabase) -> None:
    for days in (0, 4, 11):
        decide(db, FIRST + timedelta(days), "increase", 5, 6.9, realised=6.5, old=50 * Decimal("1.2") ** (days and 1))
        send(db, FIRST + timedelta(days))
    judged = [row["is_judged"] for row in db.fetch("select is_judged from budget_outcomes order by decision_date")]
    assert judged == [False, True, True]


def test_an_edit_by_hand_in_the_account_leaves_nothing_to_judge(db: SeededDatabase) -> None:
    decide(db, FIRST, "increase", 5, 6.9, realised=6.5)
    send(db, FIRST)
    decide(db, FIRST + timedelta(2), "hold", 6.9, None, old=60)
    assert outcome(db)["is_judged"]
    decide(db, FIRST + timedelta(3), "hold", 6.9, None, old=45)
    assert not outcome(db)["is_judged"]


@pytest.mark.parametrize("given", [{"blocked": True}, {"realised": None}])
def test_nothing_is_said_of_what_decided_nothing_or_is_not_over(db: SeededDatabase, given: dict[str, Any]) -> None:
    decide(db, FIRST, "hold", 7, None, **{"realised": 6.0} | given)
    assert answer(db) == []


def live(db: SeededDatabase, flips_coins: bool, segments: int = 15, weeks: int = 20) -> dict[str, dict[str, Any]]:
    """A change of 20% in every segment and week, in a world where leads follow the budget; what the question says of
    them all.
    """
    luck = np.random.default_rng(18)
    made = [
        restore(
            db,
            "insert into lead_segments (code, branch, region) values (%s, 'luck', %s) returning id",
            [f"luck_r{number}", f"r{number}"],
        )
        for number in range(segments)
    ]
    with db.connect(autocommit=True) as owner:
        owner.execute("set session_replication_role = replica")
        for week, segment in product(range(weeks), made):
            leads = luck.uniform(4, 16)
            target = leads * luck.choice([0.7, 0.8, 1.25, 1.4])
            believed = leads * luck.normal(1, 0.08)
            wanted = "increase" if target > believed else "decrease"
            action = str(luck.choice(["increase", "decrease"])) if flips_coins else wanted
            effect = 1 + 0.75 * ((1.2 if action == "increase" else 0.8) ** 0.7 - 1)
            values = {
                "segment": segment,
                "day": FIRST - timedelta(7 * (week + 1)),
                "action": action,
                "expected": round(float(believed), 4),
                "after": round(float(believed * effect), 4),
                "target": round(float(target), 4),
                "half_width": round(float(1.2816 * 0.08 * leads), 4),
                "realised": round(float(luck.poisson(7 * leads * effect)) / 7, 4),
                "dry": False,
                "blocked": False,
                "old": 50,
            }
            owner.execute(DECIDE, values)
            owner.execute(SEND, values | {"kind": "plan", "reverts": None, "status": "success", "budget": str(segment)})
    return {row["action"]: row for row in answer(db) if row["week"] == "all"}


def test_a_planner_that_flips_coins_is_called_no_better_than_luck(db: SeededDatabase) -> None:
    said = live(db, flips_coins=True)
    assert {row["verdict"] for row in said.values()} == {"no better than luck"} and len(said) == 2
    # Its promises hold all the same: it knows what its changes bring, and not which of them are wanted.
    assert all(70 <= row["as_promised_pct"] <= 90 for row in said.values())


def test_a_planner_that_goes_where_leads_are_wanted_is_better_than_luck(db: SeededDatabase) -> None:
    said = live(db, flips_coins=False)
    assert {row["verdict"] for row in said.values()} == {"better than luck"} and len(said) == 2
    assert all(row["nearer_pct"] > row["nearer_by_luck_pct"] + 8 for row in said.values())
    assert sum(row["judged"] for row in said.values()) == 300
