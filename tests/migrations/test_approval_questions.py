"""What was asked and answered, and who changed a limit: written once, by nobody who would profit."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from tests.migrations.conftest import SeededDatabase

ASK = "insert into approval_questions (id, channel, dag_run_id, asked) values (%s, 'google_ads', 'a run', '[]')"
RECORD = "update approval_questions set chosen = '{Approve}', recorded_at = now(), responder_id = 'anke' where id = %s"
EVERYBODY = ("admin", "service_role", "lead_pipeline", None)  # None = the owner, a superuser


def act_as(db: SeededDatabase, who: str | None) -> psycopg.Connection[dict[str, Any]]:
    return db.act_as(who) if who else db.connect(autocommit=False)


def changes(db: SeededDatabase) -> list[tuple[Any, ...]]:
    rows = db.fetch(
        "select table_name, column_name, old_value, new_value from limit_changes where changed_by = 'test@x.nl'"
        " order by id"
    )
    return [tuple(row.values()) for row in rows]


def test_the_pipeline_asks_and_records_an_answer_once(seeded_db: SeededDatabase) -> None:
    question = uuid4()
    with act_as(seeded_db, "lead_pipeline") as connection:
        connection.execute(ASK, [question])
        assert connection.execute(RECORD, [question]).rowcount == 1
        with pytest.raises(errors.ObjectNotInPrerequisiteState, match="counts once") as refused:
            connection.execute(RECORD, [question])
        assert refused.value.diag.message_detail and refused.value.diag.message_hint


@pytest.mark.parametrize("given", ["now(), '{Approve}'", "null, '{Approve}'"])
def test_a_question_is_not_made_with_its_answer(seeded_db: SeededDatabase, given: str) -> None:
    values = f"(gen_random_uuid(), 'google_ads', 'a run', '[]', {given})"
    with act_as(seeded_db, "lead_pipeline") as connection, pytest.raises(psycopg.Error, match=r"row-level|check"):
        connection.execute(
            f"insert into approval_questions (id, channel, dag_run_id, asked, recorded_at, chosen) values {values}"
        )


@pytest.mark.parametrize("who", EVERYBODY)
def test_nobody_rewrites_what_was_asked_or_deletes_it(seeded_db: SeededDatabase, who: str | None) -> None:
    question = uuid4()
    with seeded_db.connect() as owner:
        owner.execute(ASK, [question])
    for statement in (
        "update approval_questions set asked = '[1]' where id = %s",
        "update approval_questions set dag_run_id = 'another' where id = %s",
        "delete from approval_questions where id = %s",
    ):
        with (
            act_as(seeded_db, who) as connection,
            pytest.raises((errors.RestrictViolation, errors.InsufficientPrivilege)),
        ):
            connection.execute(statement, [question])


def test_a_change_of_a_limit_names_who_from_what_and_to_what(seeded_db: SeededDatabase) -> None:
    claims = seeded_db.add_user(is_admin=True) | {"email": "test@x.nl"}
    segment = seeded_db.add_segment("dakdekker", "drenthe")
    with seeded_db.connect("authenticated", claims) as admin:
        admin.execute(
            "insert into lead_segment_channels (segment_id, channel, max_daily_budget) values (%s, 'google_ads', 100)",
            [segment],
        )
        admin.execute("update lead_segment_channels set max_daily_budget = 300 where segment_id = %s", [segment])
        admin.execute("update lead_segment_channels set max_daily_budget = 300 where segment_id = %s", [segment])
        admin.execute("update lead_segment_channels set monthly_budget = 900 where segment_id = %s", [segment])
        admin.execute(
            "insert into lead_branch_channels (branch, channel, monthly_budget)"
            " values ('dakdekker', 'google_ads', 5000)"
        )
        admin.execute("update lead_branch_channels set monthly_budget = null where branch = 'dakdekker'")
        admin.execute("update orchestration_settings set approvers = '{anke}'")
        admin.execute(
            "insert into lead_segment_plans (segment_id, date, target_leads_per_day) values (%s, lead_today(), 9)",
            [segment],
        )
        admin.execute("update lead_segment_plans set target_leads_per_day = 12 where segment_id = %s", [segment])
        admin.execute("update lead_segment_plans set orchestration_status = 'held' where segment_id = %s", [segment])
    assert changes(seeded_db) == [
        ("lead_segment_channels", "is_automated", None, "false"),
        ("lead_segment_channels", "max_daily_budget", None, "100.000000"),
        ("lead_segment_channels", "max_daily_budget", "100.000000", "300.000000"),
        ("lead_segment_channels", "monthly_budget", None, "900.000000"),
        ("lead_branch_channels", "monthly_budget", None, "5000.000000"),
        ("lead_branch_channels", "monthly_budget", "5000.000000", None),
        ("orchestration_settings", "approvers", None, '["anke"]'),
        ("lead_segment_plans", "target_leads_per_day", None, "9"),
        ("lead_segment_plans", "target_leads_per_day", "9", "12"),
    ]


def test_a_change_of_a_branchs_limit_says_of_which_branch(seeded_db: SeededDatabase) -> None:
    seeded_db.fetch("update lead_branch_channels set monthly_budget = 4000 where branch = 'schilder'")
    (row,) = seeded_db.fetch("select * from limit_changes order by id desc limit 1")
    assert (row["country"], row["branch"], row["channel"], row["segment_id"]) == ("NL", "schilder", "google_ads", None)
    assert (row["old_value"], row["new_value"]) == ("5000.000000", "4000.000000")
    seeded_db.fetch("update lead_branch_channels set monthly_budget = 5000")


def test_a_direct_connection_is_named_by_its_role(seeded_db: SeededDatabase) -> None:
    seeded_db.fetch("update orchestration_settings set dry_run = not dry_run")
    assert seeded_db.value("select changed_by from limit_changes order by id desc limit 1") == "postgres"
    seeded_db.fetch("update orchestration_settings set dry_run = not dry_run")


def test_the_planners_own_target_is_no_change_of_a_limit(seeded_db: SeededDatabase) -> None:
    segment = seeded_db.add_segment("loodgieter", "drenthe")
    before = seeded_db.value("select count(*) from limit_changes")
    with seeded_db.connect("lead_pipeline") as pipeline:
        pipeline.execute(
            "insert into lead_segment_plans (segment_id, date, target_leads_per_day) values (%s, lead_today(), 9)",
            [segment],
        )
        pipeline.execute("update lead_segment_plans set target_leads_per_day = 8 where segment_id = %s", [segment])
    assert seeded_db.value("select count(*) from limit_changes") == before


@pytest.mark.parametrize("approvers", ['{""}', "{null}"])
def test_an_approver_has_a_name(seeded_db: SeededDatabase, approvers: str) -> None:
    with seeded_db.connect(autocommit=False) as owner, pytest.raises(errors.CheckViolation):
        owner.execute("update orchestration_settings set approvers = %s", [approvers])
