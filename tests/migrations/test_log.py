"""The audit trail: what may be claimed, what closes a row, and that nothing else ever changes, for anybody."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from lead_demand.sql import render
from tests.fixtures.postgres import LeadsDatabase
from tests.migrations.conftest import SeededDatabase, claim, record_fetches

WRITERS = ("admin", "service_role", "lead_pipeline", None)  # None = the owner, a superuser
BUDGET = "customers/1234567890/campaignBudgets/7"


def says_it_all(error: psycopg.Error) -> bool:
    """What happened, what was left untouched, what to do next."""
    return bool(error.diag.message_primary and error.diag.message_detail and error.diag.message_hint)


def act_as(db: SeededDatabase, who: str | None) -> psycopg.Connection[dict[str, Any]]:
    return db.act_as(who) if who else db.connect(autocommit=False)


@pytest.mark.parametrize("who", WRITERS)
class TestClaim:
    def test_a_fresh_claim_for_today_is_taken(self, seeded_db: SeededDatabase, who: str | None) -> None:
        with act_as(seeded_db, who) as connection:
            row = claim(connection, seeded_db.segment, BUDGET)
            found = connection.execute(
                "select status, kind, closed_at, decision_date = lead_today() as today"
                " from channel_orchestration_log where id = %s",
                [row],
            ).fetchone()
            connection.rollback()
        assert found == {"status": "pending", "kind": "plan", "closed_at": None, "today": True}

    @pytest.mark.parametrize("status", ["success", "failed", "done"])
    def test_it_starts_as_pending(self, seeded_db: SeededDatabase, who: str | None, status: str) -> None:
        with act_as(seeded_db, who) as connection, pytest.raises(errors.CheckViolation, match="starts as pending") as e:
            claim(connection, seeded_db.segment, BUDGET, status=status)
        assert says_it_all(e.value)

    @pytest.mark.parametrize("days", [-1, 1])
    def test_it_is_about_today(self, seeded_db: SeededDatabase, who: str | None, days: int) -> None:
        day = seeded_db.value("select lead_today() + %s::integer", [days])
        with (
            act_as(seeded_db, who) as connection,
            pytest.raises(errors.CheckViolation, match="only be claimed for") as e,
        ):
            claim(connection, seeded_db.segment, BUDGET, decision_date=day)
        assert says_it_all(e.value)

    def test_it_needs_this_very_account_to_be_fetched(self, seeded_db: SeededDatabase, who: str | None) -> None:
        with act_as(seeded_db, who) as connection:
            with pytest.raises(
                errors.ObjectNotInPrerequisiteState, match=r": google_ads \(account 2222222222\)\n"
            ) as e:
                claim(connection, seeded_db.segment, BUDGET, account="2222222222")
        assert says_it_all(e.value)


@pytest.mark.parametrize("missing", ["leads", "partner_capacity", "google_ads"])
@pytest.mark.parametrize(
    "reason",
    {
        "never": None,
        "before midnight": "update channel_fetches set fetched_at = %(midnight)s - interval '1 second'",
        "yesterday not covered": "update channel_fetches set date_to = lead_today() - 2",
        "only today covered": "update channel_fetches set date_from = lead_today(), date_to = lead_today()",
    }.items(),
    ids=lambda reason: reason[0],
)
def test_no_claim_without_fresh_data(leads_db: LeadsDatabase, missing: str, reason: tuple[str, str | None]) -> None:
    segment = leads_db.add_segment()
    with leads_db.connect() as owner:
        if reason[1]:
            record_fetches(owner, missing)
            midnight = "(lead_today()::timestamp at time zone 'Europe/Amsterdam')"
            owner.execute(reason[1].replace("%(midnight)s", midnight))
        record_fetches(owner, " ".join({"leads", "partner_capacity", "google_ads"} - {missing}))
    with leads_db.connect("lead_pipeline") as pipeline:
        with pytest.raises(errors.ObjectNotInPrerequisiteState, match=f"not fetched today .*: {missing}") as e:
            claim(pipeline, segment)
        assert says_it_all(e.value)
        record_fetches(pipeline, missing)
        claim(pipeline, segment)


OPPOSITE = {"old_value": 60, "new_value": 50}  # of what `claim` claims


def test_one_claim_a_budget_a_day(leads_db: LeadsDatabase) -> None:
    segment = leads_db.add_segment()
    with leads_db.connect("lead_pipeline") as pipeline:
        record_fetches(pipeline)
        first = claim(pipeline, segment)
        with pytest.raises(errors.UniqueViolation):
            claim(pipeline, segment)
        pipeline.execute("update channel_orchestration_log set status = 'success' where id = %s", [first])
        with pytest.raises(errors.UniqueViolation, match="claim_key"):
            claim(pipeline, segment)
        claim(pipeline, segment, kind="revert", reverts=first, **OPPOSITE)


def test_an_open_claim_blocks_its_budget(leads_db: LeadsDatabase) -> None:
    """A revert beside a plan that nobody settled would leave two answers to what is in force."""
    segment = leads_db.add_segment()
    with leads_db.connect("lead_pipeline") as pipeline:
        record_fetches(pipeline)
        first = claim(pipeline, segment)
        pipeline.execute("update channel_orchestration_log set status = 'success'")
        with leads_db.connect() as owner:
            owner.execute("alter table channel_orchestration_log disable trigger user")
            owner.execute("update channel_orchestration_log set decision_date = decision_date - 1")
            owner.execute("alter table channel_orchestration_log enable trigger user")
        claim(pipeline, segment)
        with pytest.raises(errors.UniqueViolation, match="open_key"):
            claim(pipeline, segment, kind="revert", reverts=first, **OPPOSITE)


def test_a_revert_needs_no_fresh_data_but_the_row_that_it_reverts(leads_db: LeadsDatabase) -> None:
    segment = leads_db.add_segment()
    with leads_db.connect("lead_pipeline") as pipeline:
        record_fetches(pipeline)
        first = claim(pipeline, segment)
        pipeline.execute("update channel_orchestration_log set status = 'success'")
        with leads_db.connect() as owner:
            owner.execute("update channel_fetches set fetched_at = now() - interval '2 days'")
        for reverts, budget in ((first, BUDGET), (uuid4(), BUDGET), (None, BUDGET)):
            with pytest.raises(errors.CheckViolation, match="is not a change of budget") as e:
                claim(pipeline, segment, budget, kind="revert", reverts=reverts, **OPPOSITE)
            assert says_it_all(e.value)
        with pytest.raises(errors.CheckViolation, match="took effect"):
            claim(pipeline, segment, kind="revert", reverts=first)
        claim(pipeline, segment, kind="revert", reverts=first, **OPPOSITE)
        with pytest.raises((errors.CheckViolation, errors.ObjectNotInPrerequisiteState)):
            claim(pipeline, segment, BUDGET, kind="plan", reverts=first)


@pytest.mark.parametrize("who", WRITERS)
class TestClose:
    @pytest.mark.parametrize("status", ["success", "failed"])
    def test_once(self, seeded_db: SeededDatabase, who: str | None, status: str) -> None:
        with act_as(seeded_db, who) as connection:
            row = connection.execute(
                "update channel_orchestration_log set status = %s, error_code = 'E', error_detail = 'd',"
                " request_id = 'r', decided_by = 'anna' returning closed_at is not null as closed",
                [status],
            ).fetchone()
            assert row == {"closed": True}
            for again in ("success", "failed", "pending"):
                with (
                    pytest.raises(errors.ObjectNotInPrerequisiteState, match="is final") as e,
                    connection.transaction(),
                ):
                    connection.execute("update channel_orchestration_log set status = %s", [again])
                assert says_it_all(e.value)
            with pytest.raises(errors.ObjectNotInPrerequisiteState), connection.transaction():
                connection.execute("update channel_orchestration_log set error_detail = 'other'")
            connection.rollback()

    @pytest.mark.parametrize("status", ["pending", "applied", None])
    def test_only_as_success_or_failed(self, seeded_db: SeededDatabase, who: str | None, status: str | None) -> None:
        with act_as(seeded_db, who) as connection, pytest.raises(errors.CheckViolation, match="success or failed") as e:
            connection.execute("update channel_orchestration_log set status = %s", [status])
        assert says_it_all(e.value)

    def test_nothing_but_the_closing_columns(self, seeded_db: SeededDatabase, who: str | None) -> None:
        columns = seeded_db.fetch(
            "select column_name as name from information_schema.columns"
            " where table_name = 'channel_orchestration_log' and column_name <> all(%s)",
            [["status", "error_code", "error_detail", "request_id", "decided_by", "closed_at"]],
        )
        assert len(columns) == 14
        other = "'x'"
        values = {
            "id": "gen_random_uuid()", "segment_id": "gen_random_uuid()", "decision_id": "gen_random_uuid()",
            "reverts": "gen_random_uuid()", "old_value": "1", "new_value": "1", "created_at": "now()",
            "decision_date": "lead_today() - 1",
        }  # fmt: skip
        for column in (row["name"] for row in columns):
            with act_as(seeded_db, who) as connection:
                wanted = errors.InsufficientPrivilege if who == "lead_pipeline" else errors.RestrictViolation
                change = f"status = 'success', {column} = {values.get(column, other)}"
                with pytest.raises(wanted) as e:
                    connection.execute(f"update channel_orchestration_log set {change}")
                assert who == "lead_pipeline" or says_it_all(e.value)


@pytest.mark.parametrize("statement", ["delete from {}", "truncate {}", "truncate {} cascade"])
def test_not_even_the_owner_deletes(seeded_db: SeededDatabase, statement: str) -> None:
    with (
        seeded_db.connect(autocommit=False) as owner,
        pytest.raises(errors.RestrictViolation, match="never deleted") as e,
    ):
        owner.execute(statement.format("channel_orchestration_log"))
    assert says_it_all(e.value)


def test_no_cascade_reaches_the_trail(seeded_db: SeededDatabase) -> None:
    for statement in (
        "truncate lead_segments cascade",
        "truncate budget_decisions cascade",
        "delete from lead_segments",
    ):
        with seeded_db.connect(autocommit=False) as owner:
            with pytest.raises((errors.RestrictViolation, errors.ForeignKeyViolation)):
                owner.execute(statement)


class TestManual:
    """What a person did on a channel whose budgets nobody steers, such as a page written for seo."""

    ASKED = "(segment_id, channel, action_type, old_value, new_value, status)"

    def log(self, db: SeededDatabase, who: str | None, values: str, columns: str = ASKED) -> dict[str, Any]:
        """Insert a row, read it as everybody signed in does, and roll it back."""
        with act_as(db, who) as connection:
            statement = f"insert into channel_orchestration_log {columns} values {values} returning id"
            found = connection.execute(statement, {"segment": db.segment}).fetchone()
            row = connection.execute("select * from channel_orchestration_log where id = %(id)s", found).fetchone()
            connection.rollback()
        return row

    @pytest.mark.parametrize("status", ["pending", "success", "failed"])
    @pytest.mark.parametrize("who", ["admin", "service_role", None])
    def test_an_admin_logs_what_was_done_for_seo_in_the_columns_that_were_asked_for(
        self, seeded_db: SeededDatabase, who: str | None, status: str
    ) -> None:
        row = self.log(seeded_db, who, f"(%(segment)s, 'seo', 'page_published', 12, 8.5, '{status}')")
        assert (row["kind"], row["status"], row["closed_at"] is None) == ("manual", status, status == "pending")
        assert row["decided_by"] == (seeded_db.claims["admin"]["sub"] if who == "admin" else None)
        assert (row["old_value"], row["new_value"]) == (12, Decimal("8.5"))

    def test_it_needs_no_numbers_and_may_be_about_a_page_and_an_earlier_day(self, seeded_db: SeededDatabase) -> None:
        row = self.log(
            seeded_db,
            "admin",
            "(%(segment)s, 'seo', 'page_published', '/schilder/utrecht', lead_today() - 3, 'success')",
            "(segment_id, channel, action_type, external_id, decision_date, status)",
        )
        assert (row["kind"], row["new_value"], row["external_id"]) == ("manual", None, "/schilder/utrecht")

    def test_it_is_closed_once_and_stays(self, seeded_db: SeededDatabase) -> None:
        with act_as(seeded_db, "admin") as connection:
            insert = "insert into channel_orchestration_log (segment_id, channel, action_type) values (%s, 'seo', 'x')"
            connection.execute(insert, [seeded_db.segment])
            close = "update channel_orchestration_log set status = 'success' where channel = 'seo'"
            assert connection.execute(close).rowcount == 1
            with pytest.raises(errors.ObjectNotInPrerequisiteState, match="is final"):
                connection.execute(close)
            connection.rollback()

    def test_not_tomorrow(self, seeded_db: SeededDatabase) -> None:
        with pytest.raises(errors.CheckViolation, match="on its day or later") as e:
            self.log(
                seeded_db,
                "admin",
                "(%(segment)s, 'seo', 'page_published', lead_today() + 1)",
                "(segment_id, channel, action_type, decision_date)",
            )
        assert says_it_all(e.value)

    @pytest.mark.parametrize("who", ["admin", "service_role", None])
    @pytest.mark.parametrize("kind", ["plan", "manual"])
    def test_a_budget_that_is_steered_is_never_logged_past_its_guard(
        self, seeded_db: SeededDatabase, who: str | None, kind: str
    ) -> None:
        with pytest.raises(errors.CheckViolation, match=r"starts as pending|are steered") as e:
            self.log(
                seeded_db,
                who,
                f"(%(segment)s, 'google_ads', 'budget_increase', 50, 60, 'success', '{kind}')",
                "(segment_id, channel, action_type, old_value, new_value, status, kind)",
            )
        assert says_it_all(e.value)

    @pytest.mark.parametrize("kind", ["plan", "revert", "manual"])
    def test_the_pipeline_cannot_make_one(self, seeded_db: SeededDatabase, kind: str) -> None:
        with pytest.raises((errors.InsufficientPrivilege, errors.CheckViolation, errors.ObjectNotInPrerequisiteState)):
            self.log(
                seeded_db,
                "lead_pipeline",
                f"(%(segment)s, 'seo', 'budget_increase', 50, 60, 'pending', '{kind}')",
                "(segment_id, channel, action_type, old_value, new_value, status, kind)",
            )

    def test_a_budget_row_still_needs_its_budget_and_amount(self, seeded_db: SeededDatabase) -> None:
        for column in ("account", "external_id", "new_value"):
            with act_as(seeded_db, None) as connection, pytest.raises(errors.Error):
                claim(connection, seeded_db.segment, BUDGET, **{column: None})
            with act_as(seeded_db, None) as connection, pytest.raises(errors.CheckViolation):
                connection.execute("alter table channel_orchestration_log disable trigger user")
                claim(connection, seeded_db.segment, **{"external_id": BUDGET, column: None})


def test_a_manual_row_changes_nothing_of_what_the_pipeline_does(seeded_db: SeededDatabase) -> None:
    """Neither open claims nor the room under the caps know of it."""
    with seeded_db.connect("lead_pipeline") as pipeline:
        names = ("select_open_changes", "select_room", "select_committed", "select_work")
        key = {"channel": "google_ads", "action_type": None, "dag_run_id": "x"}
        before = [pipeline.execute(render(f"lead_budgets/{name}.sql"), key).fetchall() for name in names]
        with act_as(seeded_db, "admin") as admin:
            admin.execute(
                "insert into channel_orchestration_log (segment_id, channel, action_type) values (%s, 'seo', 'x')",
                [seeded_db.segment],
            )
            admin.commit()
        assert [pipeline.execute(render(f"lead_budgets/{name}.sql"), key).fetchall() for name in names] == before
