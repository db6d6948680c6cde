"""The two functions by the names that were asked for, as SQL says them and as Supabase's rpc() sends them."""

import json

import psycopg
import pytest

from tests.migrations.conftest import SeededDatabase

CALLERS = ("authenticated", "admin", "service_role", "lead_pipeline")


def prepare(db: SeededDatabase) -> None:
    """The seeded segment aims for 6 and got 4 yesterday; another segment and another day would give other gaps."""
    db.fetch("update lead_generation_stats set leads_generated = 4, leads_accepted = 4, leads_rejected = 0,"
             " leads_pending = 0")  # fmt: skip
    db.fetch(
        "insert into lead_segment_plans (segment_id, date, target_leads_per_day) values (%s, lead_today() - 1, 6)"
        " on conflict do nothing",
        [db.segment],
    )


@pytest.fixture(scope="module")
def gap_db(seeded_db: SeededDatabase) -> SeededDatabase:
    prepare(seeded_db)
    return seeded_db


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize("function", ["calculate_lead_gap", "update_lead_gap"])
def test_a_call_by_name(gap_db: SeededDatabase, who: str, function: str) -> None:
    with gap_db.act_as(who) as connection:
        day = "lead_today() - 1"
        found = connection.execute(
            f"select {function}(segment_id => %s, date => {day}) as gap,"
            f" {function}(date => {day}, segment_id => gen_random_uuid()) as nobody,"
            f" {function}(segment_id => %s, date => lead_today()) as not_over",
            [gap_db.segment, gap_db.segment],
        ).fetchone()
        connection.rollback()
    assert found == {"gap": 2, "nobody": None, "not_over": None}


def test_a_call_as_rpc_sends_it(gap_db: SeededDatabase) -> None:
    """PostgREST finds the function by the keys of the JSON body and passes each by its name."""
    body = {"segment_id": str(gap_db.segment), "date": str(gap_db.value("select lead_today() - 1"))}
    with gap_db.act_as("authenticated") as connection:
        names = connection.execute("select proargnames from pg_proc where proname = 'calculate_lead_gap'").fetchone()
        found = connection.execute(
            "select pgrst.gap from json_to_record(%s::json) as arguments (segment_id uuid, date date),"
            " lateral (select calculate_lead_gap(segment_id => arguments.segment_id, date => arguments.date) as gap)"
            " as pgrst",
            [json.dumps(body)],
        ).fetchone()
        connection.rollback()
    assert names == {"proargnames": list(body)}
    assert found == {"gap": 2}


def test_only_the_asked_segment_and_day_are_updated(gap_db: SeededDatabase) -> None:
    with gap_db.act_as("admin") as connection:
        connection.execute("select update_lead_gap(segment_id => %s, date => lead_today() - 1)", [gap_db.segment])
        gaps = connection.execute("select lead_today() - date as ago, lead_gap from lead_segment_plans").fetchall()
        connection.rollback()
    assert sorted((row["ago"], row["lead_gap"]) for row in gaps) == [(0, None), (1, 2)]


def test_nobody_else_calls_them(gap_db: SeededDatabase) -> None:
    for function in ("calculate_lead_gap", "update_lead_gap"):
        with gap_db.act_as("anon") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"select {function}(segment_id => %s, date => current_date)", [gap_db.segment])
