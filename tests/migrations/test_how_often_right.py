"""docs/how_often_right.sql: what a person asks of the decisions once their days are over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.migrations.conftest import SeededDatabase
from tools import REPOSITORY

QUESTION = (REPOSITORY / "docs" / "how_often_right.sql").read_text()
DECIDE = """
insert into budget_decisions (
    segment_id, decision_date, action, is_dry_run, is_blocked, old_budget, new_budget, target_leads_per_day,
    expected_leads_per_day, expected_low, expected_high, inputs, realised_leads_7d
)
select
    id, date '2026-03-02' + %(day)s::int, %(action)s, %(dry)s, %(blocked)s, 50,
    case %(action)s when 'increase' then 60 when 'decrease' then 40 else 50 end, 7, %(expected)s,
    %(expected)s::numeric - 1, %(expected)s::numeric + 1, jsonb_build_object('expected_after', %(after)s::numeric),
    %(realised)s
from lead_segments
where id = %(segment)s
"""
PLAN = """
insert into lead_segment_plans (segment_id, date, orchestration_status)
values (%(segment)s, date '2026-03-02' + %(day)s::int, %(status)s)
"""


@pytest.fixture
def db(seeded_db: SeededDatabase) -> Iterator[SeededDatabase]:
    """The shared database with decisions of one week. Chance allows 2 leads a day about a target of 7, and 1.6 about
    what is expected with an interval of ±1."""
    rows = [
        ("increase", 5, 6.9, 7.5, {}),  # brought what was expected
        ("increase", 5, 6.9, 9.5, {}),  # too many
        ("increase", 5, 6.9, 3.0, {}),  # less than expected, but not too many: more was wanted, and right
        ("decrease", 9, 7.2, 4.0, {}),  # too few
        ("hold", 7, None, 6.0, {}),
        ("increase", 7, 9.0, 7.0, {"dry": True}),  # nothing was changed: a hold that came true
        ("hold", 7, None, 1.0, {"blocked": True}),  # decided nothing
        ("hold", 7, None, None, {}),  # not over
    ]
    forget(seeded_db)
    with seeded_db.connect(autocommit=True) as owner:
        owner.execute("set session_replication_role = replica")  # history is restored, not decided
        for day, (action, expected, after, realised, flags) in enumerate(rows):
            values = {"day": day, "action": action, "expected": expected, "after": after, "realised": realised}
            owner.execute(DECIDE, {**values, "dry": False, "blocked": False, **flags, "segment": seeded_db.segment})
            status = "dry_run" if "dry" in flags else "planned" if action == "hold" else "applied"
            owner.execute(PLAN, {"day": day, "status": status, "segment": seeded_db.segment})
    yield seeded_db
    forget(seeded_db)


def forget(db: SeededDatabase) -> None:
    db.restore("delete from budget_decisions")
    db.fetch("delete from lead_segment_plans where date between '2026-03-02' and '2026-03-15'")


def answer(db: SeededDatabase) -> dict[str, tuple[int, ...]]:
    return {
        row["action"]: tuple(int(row[name]) for name in ("decisions", "as_expected_pct", "right_pct"))
        for row in db.fetch(QUESTION)
    }


def test_each_action_says_how_often_it_came_true_and_how_often_it_was_right(db: SeededDatabase) -> None:
    assert {str(row["week"]) for row in db.fetch(QUESTION)} == {"2026-03-02"}
    assert answer(db) == {"increase": (3, 33, 67), "decrease": (1, 0, 0), "hold": (2, 100, 100)}


@pytest.mark.parametrize("status", ["held", "failed", "waiting_approval", "planned", "absent"])
def test_an_increase_that_was_never_made_is_judged_as_the_hold_that_it_was(db: SeededDatabase, status: str) -> None:
    """The increase that brought too many leads: rejected, refused, not answered or stopped, nothing but luck did."""
    if status == "absent":
        db.fetch("delete from lead_segment_plans where date = '2026-03-03'")
    else:
        db.fetch("update lead_segment_plans set orchestration_status = %s where date = '2026-03-03'", [status])
    assert answer(db) == {"increase": (2, 50, 100), "decrease": (1, 0, 0), "hold": (3, 67, 67)}


def test_nothing_is_said_of_decisions_whose_days_are_not_over(db: SeededDatabase) -> None:
    db.fetch("update budget_decisions set realised_leads_7d = null")
    assert db.fetch(QUESTION) == []
