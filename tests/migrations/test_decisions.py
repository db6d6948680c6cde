"""Decisions and fetches: what a budget moves on is the pipeline's alone to write, on its day, once."""

from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.migrations.conftest import PIPELINES, SeededDatabase

PEOPLE = ("authenticated", "admin", "service_role", None)  # None = the owner, a superuser
INCREASE = """
insert into budget_decisions (segment_id, channel, decision_date, action, old_budget, new_budget)
values (%s, 'bing_ads', lead_today() + %s::integer, 'increase', 172.80, 98765.43)
"""


def act_as(db: SeededDatabase, who: str | None) -> psycopg.Connection[dict[str, Any]]:
    return db.act_as(who) if who else db.connect(autocommit=False)


@pytest.mark.parametrize("days", [-1, 0, 1])
@pytest.mark.parametrize("who", PEOPLE)
def test_nobody_else_decides(seeded_db: SeededDatabase, who: str | None, days: int) -> None:
    with act_as(seeded_db, who) as connection, pytest.raises(errors.InsufficientPrivilege) as e:
        connection.execute(INCREASE, [seeded_db.segment, days])
    # Whom the grants let through hears from the guard what to do.
    assert (who is not None) or (e.value.diag.message_detail and e.value.diag.message_hint)


@pytest.mark.parametrize("days", [-1, 1])
@pytest.mark.parametrize("who", PIPELINES)
def test_the_pipeline_decides_today_alone(seeded_db: SeededDatabase, who: str, days: int) -> None:
    with act_as(seeded_db, who) as connection, pytest.raises(errors.InsufficientPrivilege, match="is of today") as e:
        connection.execute(INCREASE, [seeded_db.segment, days])
    assert e.value.diag.message_detail and e.value.diag.message_hint


@pytest.mark.parametrize("days_ago", [0, 1])
@pytest.mark.parametrize("who", [*PEOPLE, *PIPELINES])
@pytest.mark.parametrize(
    "change",
    ["new_budget = 98765.43", "is_dry_run = not is_dry_run", "decision_date = lead_today()", "sentence = 'other'"],
)
def test_nobody_rewrites_a_decision(seeded_db: SeededDatabase, who: str | None, change: str, days_ago: int) -> None:
    if days_ago:
        seeded_db.restore("update budget_decisions set decision_date = lead_today() - 1, is_dry_run = false")
    try:
        with act_as(seeded_db, who) as connection:
            if change == "decision_date = lead_today()" and not days_ago:
                change = "decision_date = lead_today() - 1"
            with pytest.raises((errors.InsufficientPrivilege, errors.RestrictViolation)) as e:
                connection.execute(f"update budget_decisions set {change}")
        if who is None:
            assert e.value.diag.message_detail and e.value.diag.message_hint
    finally:
        seeded_db.restore("update budget_decisions set decision_date = lead_today()")


@pytest.mark.parametrize("who", PIPELINES)
def test_the_pipeline_fills_in_what_came_of_it(seeded_db: SeededDatabase, who: str) -> None:
    with act_as(seeded_db, who) as connection:
        cursor = connection.execute("update budget_decisions set realised_leads_7d = 4, realised_leads_14d = 5")
        assert cursor.rowcount == 2
        connection.rollback()


@pytest.mark.parametrize("who", ["authenticated", "admin", "service_role"])
@pytest.mark.parametrize(
    "statement",
    [
        "insert into channel_fetches (channel, date_from, date_to, row_count)"
        " values ('leads', lead_today() - 1, lead_today() - 1, 9)",
        "update channel_fetches set fetched_at = now()",
    ],
)
def test_nobody_else_says_that_a_channel_was_fetched(seeded_db: SeededDatabase, who: str, statement: str) -> None:
    with act_as(seeded_db, who) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement)
