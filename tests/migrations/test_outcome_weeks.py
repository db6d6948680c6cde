"""outcome_weeks: the counts behind "how often right", kept by week, say what the view of each decision says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from lead_demand.database import sql
from tests.migrations.conftest import SeededDatabase
from tests.migrations.test_how_often_right import FIRST, QUESTION, decide, forget, live, send

UPSERT = sql.render("lead_stats/upsert_outcome_weeks.sql")
OF_THE_VIEW = """
select
    channel, date_trunc('week', decision_date::timestamp)::date as week, made as action, count(*) as decisions,
    count(*) filter (where is_judged) as judged, count(is_as_promised) as promises,
    count(*) filter (where is_as_promised) as promises_kept, count(is_nearer) as changes,
    count(*) filter (where is_nearer) as came_nearer, count(nearer_by_luck) as by_chance,
    round(coalesce(sum(nearer_by_luck), 0)::numeric, 6) as luck,
    round(coalesce(sum(nearer_by_luck * (1 - nearer_by_luck)), 0)::numeric, 6) as luck_variance,
    round(coalesce(sum(came - target) filter (where is_judged), 0), 4) as leads_over_target,
    round(coalesce(sum(promised) filter (where is_as_promised is not null), 0), 4) as leads_promised,
    round(coalesce(sum(came) filter (where is_as_promised is not null), 0), 4) as leads_came
from budget_outcomes
where came is not null
group by 1, 2, 3
order by 1, 2, 3
"""
KEPT = """
select
    channel, week, action, decisions, judged, promises, promises_kept, changes, came_nearer, by_chance, luck,
    luck_variance, leads_over_target, leads_promised, leads_came
from outcome_weeks
where decisions > 0
order by 1, 2, 3
"""


@pytest.fixture
def db(seeded_db: SeededDatabase) -> Iterator[SeededDatabase]:
    """The shared database with nothing decided and nothing counted."""
    forget(seeded_db)
    seeded_db.restore("delete from outcome_weeks")
    yield seeded_db
    forget(seeded_db)
    seeded_db.restore("delete from outcome_weeks")


def count(db: SeededDatabase, first: date, last: date) -> None:
    """As the task of lead_stats does, for statistics of these days."""
    with db.connect("lead_pipeline") as pipeline:
        pipeline.execute(UPSERT, {"first": first, "last": last})


def test_the_weeks_say_what_the_view_says_of_each_decision(db: SeededDatabase) -> None:
    live(db, flips_coins=False, segments=4, weeks=10)
    db.restore("delete from outcome_weeks")
    count(db, FIRST - timedelta(80), FIRST + timedelta(6))
    kept = db.fetch(KEPT)
    assert kept == db.fetch(OF_THE_VIEW) and len(kept) >= 10


def test_what_changes_later_is_counted_again_with_its_whole_week(db: SeededDatabase) -> None:
    decide(db, FIRST, "increase", 5, 6.9, realised=6.5)
    decide(db, FIRST - timedelta(40), "hold", 5, None, realised=6.5, old=60)
    change = send(db, FIRST)
    count(db, FIRST - timedelta(50), FIRST + timedelta(6))
    assert {row["action"]: row["decisions"] for row in db.fetch(KEPT)} == {"increase": 1, "hold": 1}
    # Reverted the same day: nothing was changed, so the week has a hold and no increase.
    send(db, FIRST, "decrease", kind="revert", reverts=change)
    count(db, FIRST + timedelta(6), FIRST + timedelta(6))
    assert db.fetch(KEPT) == db.fetch(OF_THE_VIEW)
    assert [row["action"] for row in db.fetch(KEPT)] == ["hold", "hold"]
    assert (
        db.value("select sum(reverted) from outcome_weeks")
        == 1
        == db.value("select sum(reverted) / 2 from how_often_right")
    )


def test_only_weeks_that_the_window_touches_are_counted_again(db: SeededDatabase) -> None:
    for weeks in range(6):
        decide(db, FIRST - timedelta(7 * weeks), "hold", 5, None, realised=6.5)
    count(db, FIRST - timedelta(60), FIRST + timedelta(6))
    before = {row["week"]: row["version"] for row in versions(db)}
    db.restore("update budget_decisions set realised_leads_7d = 5.5")
    count(db, FIRST + timedelta(6), FIRST + timedelta(6))
    after = {row["week"]: row["version"] for row in versions(db)}
    changed = {week for week in after if after[week] != before[week]}
    monday = FIRST - timedelta(FIRST.weekday())
    assert monday in changed and changed <= {monday, monday - timedelta(7), monday - timedelta(14)}


def test_a_second_count_writes_nothing(db: SeededDatabase) -> None:
    live(db, flips_coins=True, segments=3, weeks=5)
    count(db, FIRST - timedelta(60), FIRST + timedelta(6))
    before = versions(db)
    count(db, FIRST - timedelta(60), FIRST + timedelta(6))
    assert versions(db) == before


def versions(db: SeededDatabase) -> list[dict[str, Any]]:
    return db.fetch("select week, action, xmin::text || ctid::text as version from outcome_weeks order by week, action")


def test_the_question_of_a_person_and_of_the_page_is_answered_from_the_weeks(db: SeededDatabase) -> None:
    live(db, flips_coins=False, segments=3, weeks=5)
    db.restore("delete from outcome_weeks")
    assert db.fetch(QUESTION) == [], "nothing was counted yet"
    count(db, FIRST - timedelta(60), FIRST + timedelta(6))
    asked = db.fetch(QUESTION)
    assert [row["week"] for row in asked[:2]] == ["all", "all"] and len(asked) > 2
    assert sum(row["decisions"] for row in asked if row["week"] == "all") == 15


def test_what_came_is_set_against_what_was_promised_over_all_decisions(db: SeededDatabase) -> None:
    # A hold promises what was expected if left alone. Of the third it is not known yet what came.
    for weeks, came in ((0, 7), (1, 6), (2, None)):
        decide(db, FIRST - timedelta(7 * weeks), "hold", 6, None, realised=came)
    count(db, FIRST - timedelta(60), FIRST + timedelta(6))
    (row,) = [row for row in db.fetch(QUESTION) if row["week"] == "all"]
    assert row["came_of_promised_pct"] == round(100 * 13 / 12)
