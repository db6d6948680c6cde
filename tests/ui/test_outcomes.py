"""What came of a change is said by one rule, wherever it is read; a question that comes each morning is told once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from lead_demand import database
from lead_demand.database import sql
from lead_demand.runs.day import today
from tests.fixtures.postgres import LeadsDatabase
from tests.ui.conftest import Served
from tests.ui.story import HOLDING, WAITING, Story

CODE = "tegelzetter_utrecht"
# (days ago, old, new, of the week: target, expected without the change and with it, low, high; what came)
HELPED = (24, 50, 60, 9.4, 6.0, 8.0, 5.5, 6.5, 8.2)
MISSED = (16, 60, 70, 9.4, 8.0, 9.4, 8.0, 8.0, 7.9)
FOLLOWED = (5, 75, 70, 9.4, 12.5, 12.0, 11.0, 13.0, None)
UNKNOWN = (3, 70, 60, 9.4, 12.0, 10.5, 11.0, 13.0, None)
UNANSWERED = 9
SINCE = {"from": (today() - timedelta(40)).isoformat()}


def _decided(story: Story, segment: UUID, told: tuple[Any, ...]) -> None:
    back, old, new, target, alone, after, low, high, came = told
    day = today() - timedelta(back)
    # The weekday of the decision is half of its week.
    inputs = f'{{"target_week": {target}, "expected_week": {alone}, "expected_after": {after}, "is_automated": true}}'
    decision = story.insert(
        "budget_decisions", segment_id=segment, decision_date=day, dag_run_id=f"lived__{back}", inputs=inputs,
        action="increase" if new > old else "decrease", old_budget=old, new_budget=new, sentence="Told.",
        target_leads_per_day=target / 2, expected_leads_per_day=alone / 2, expected_low=low / 2, expected_high=high / 2,
        realised_leads_7d=came, reasons=["step_limit"],
    )  # fmt: skip
    story.segments[CODE] = segment
    story.change(CODE, day, decision, old_value=old, new_value=new, action_type="budget_change")


@pytest.fixture(scope="module")
def lived(leads: LeadsDatabase) -> Iterator[LeadsDatabase]:
    """One segment more, with three changes; and another, about which nobody answered for nine days."""
    with psycopg.connect(leads.owner_url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("set session_replication_role = replica")
        story = Story(connection)
        segment = story.insert("lead_segments", code=CODE, branch="tegelzetter", region="utrecht")
        for told in (HELPED, MISSED, FOLLOWED, UNKNOWN):
            _decided(story, segment, told)
        story.segments[WAITING] = leads.value("select id from lead_segments where code = %s", [WAITING])
        for back in range(1, UNANSWERED):
            row = {"status": "failed", "error_code": "approval_expired", "new_value": 150}
            story.change(WAITING, today() - timedelta(back), None, **row)
    yield leads


@pytest.fixture(scope="module")
def counted(served: Served, lived: LeadsDatabase) -> Served:
    """How often decisions were right has been counted, as `lead_stats` does."""
    with database.connect() as connection:
        window = {"first": today() - timedelta(60), "last": today() - timedelta(1)}
        connection.execute(sql.render("lead_stats/upsert_outcome_weeks.sql"), window)
    return served


def test_the_badge_of_a_change_is_what_health_counts(counted: Served) -> None:
    entries = counted.json("api/log", q=CODE, kind="increase", **SINCE)["rows"]
    assert [row["verdict"] for row in entries] == ["not_nearer", "on_target"]
    missed, helped = (row["outcome"] for row in entries)
    assert helped["is_as_promised"] is True
    # Within chance of the target, and still no nearer to it than what was expected without the change.
    told = {"verdict": "not_nearer", "is_as_promised": False, "promised": 9.4, "alone": 8, "came": 7.9, "target": 9.4}
    assert missed == told | {"is_followed": False}
    events = [row for row in counted.json(f"api/segment/{CODE}")["events"] if row["kind"] == "plan"]
    assert [event["outcome"]["verdict"] for event in events] == [None, None, "not_nearer", "on_target"]
    # Its seven days are not over either, and a further change fell into them: nobody will be able to judge it.
    assert [event["outcome"]["is_followed"] for event in events] == [False, True, False, False]
    (right,) = [
        row for row in counted.json("api/health")["right"] if row["action"] == "increase" and row["week"] == "all"
    ]
    assert (right["judged"], right["nearer_pct"]) == (2, 50)


def test_today_says_whether_changes_helped_with_the_figures_of_health(counted: Served) -> None:
    trust, health = counted.json("api/today")["trust"], counted.json("api/health")["right"]
    changes = [row for row in health if row["week"] == "all" and row["action"] != "hold"]
    assert trust["changes"] == sum(row["judged"] for row in changes if row["nearer_pct"] is not None) > 1
    assert trust["nearer"] == round(
        sum(row["judged"] * row["nearer_pct"] / 100 for row in changes if row["nearer_pct"])
    )
    holds = [row for row in health if row["week"] == "all" and row["action"] == "hold"]
    assert trust["weeks"] == sum(row["judged"] for row in holds)


def test_a_change_is_told_with_the_week_that_it_was_decided_by(counted: Served) -> None:
    decrease, _ = counted.json("api/log", q=CODE, kind="decrease", **SINCE)["rows"]
    assert (decrease["expected"], decrease["target"], decrease["low"], decrease["high"]) == (12, 9.4, 11, 13)
    (row,) = counted.json("api/today", day=(today() - timedelta(3)).isoformat(), q=CODE)["groups"][1]["rows"]
    assert (row["expected"], row["target"]) == (12, 9.4)
    assert (row["of_day"]["expected"], row["of_day"]["target"]) == (6, 4.7)


def test_a_question_that_nobody_answers_is_one_entry_of_the_log_and_says_for_how_long(counted: Served) -> None:
    (row,) = [row for row in counted.json("api/today", q=WAITING)["groups"][0]["rows"] if row["outcome"] == "waiting"]
    assert row["asked_days"] == UNANSWERED
    entries = [row for row in counted.json("api/log", q=WAITING)["rows"] if row["error_code"] == "approval_expired"]
    assert [row["asked_days"] for row in entries] == [UNANSWERED - 1]
    each = counted.json("api/log", q=WAITING, kind="approval")
    assert each["total"] == UNANSWERED - 1 and [row["asked_days"] for row in each["rows"]][-1] == 1


def test_what_needs_a_person_is_counted_once_on_today_and_in_health(counted: Served, lived: LeadsDatabase) -> None:
    """A segment that holds for what only a person can end is work, whatever its decision says; so is what Health knows
    of no segment.
    """
    held = HOLDING[0]
    finding = "insert into pipeline_findings (name, level, segment_id, detail, remediation) "
    lived.fetch(
        f"{finding} select 'shared_budget', 'stop', id, 'Shared.', 'Part it.' from lead_segments where code = %s",
        [held],
    )
    lived.fetch(f"{finding} values ('currency_mismatch', 'stop', null, 'Dollars.', 'Move it.')")
    (row,) = counted.json("api/today", q=held)["groups"][0]["rows"]
    assert (row["part"], row["outcome"], row["finding"]) == ("person", "held", "shared_budget")
    today_s, health = counted.json("api/today")["counts"], counted.json("api/health")
    stops = [finding for finding in health["findings"] if finding["level"] == "stop"]
    listed = {row["code"] for row in counted.json("api/today", group="person")["groups"][0]["rows"]}
    clustered = {"s10", "s11", "s12", "s13"}
    others = [finding for finding in stops if finding["segment"] not in listed | clustered]
    assert today_s["other_findings"] == len(others) == 1
    assert {finding["who"] for finding in health["findings"]} == {"marketing"}


def test_a_limit_that_is_set_for_many_segments_at_once_is_one_entry_of_the_log(
    counted: Served, lived: LeadsDatabase
) -> None:
    def of_bing() -> list[tuple[str, int | None]]:
        return [
            (row["column"], row["together"]) for row in counted.json("api/log")["rows"] if row["channel"] == "bing_ads"
        ]

    before = counted.json("api/log")["total"]
    lived.fetch(
        "insert into lead_segment_channels (segment_id, channel, min_daily_budget, max_daily_budget, cooldown_days)"
        " select id, 'bing_ads', 10, 80, 3 from lead_segments"
    )
    lived.fetch("update limit_changes set changed_at = changed_at - interval '2 minutes' where channel = 'bing_ads'")
    segments = lived.value("select count(*) from lead_segments")
    told = of_bing()
    assert {"min_daily_budget", "max_daily_budget", "cooldown_days"} <= {column for column, _ in told}
    assert len(told) == len(dict(told)) and {together for _, together in told} == {segments}
    assert counted.json("api/log")["total"] == before + len(told)
    assert counted.json("api/log", kind="limit")["total"] >= segments * len(told), "the filter lists each"
    lines = counted.get("api/log.csv").text.splitlines()
    assert sum("bing_ads" in line for line in lines) == segments * len(told), "and so does the file"
    # A limit that somebody changes later is told by itself, as are all limits of one segment.
    lived.fetch(
        "update lead_segment_channels set max_daily_budget = 90, min_daily_budget = 11, cooldown_days = 4"
        " where channel = 'bing_ads' and segment_id = (select id from lead_segments where code = %s)",
        [CODE],
    )
    assert sorted(column for column, together in of_bing() if together is None) == [
        "cooldown_days", "max_daily_budget", "min_daily_budget",
    ]  # fmt: skip
    own = [row for row in counted.json("api/log", q=CODE)["rows"] if row["kind"] == "limit"]
    assert len(own) > 3 and all(row["together"] is None for row in own)
