"""The audit trail: what may be claimed, what closes a row, and that nothing else ever changes, for anybody."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors

from lead_demand.database.sql import render
from tests.fixtures.claims import CAMPAIGN_BUDGET, OPPOSITE, claim, decide, log, record_fetches, steer
from tests.fixtures.findings import UNKNOWN
from tests.fixtures.postgres import MEMBER, LeadsDatabase
from tests.migrations.conftest import OTHER_BUDGET, PIPELINES, SeededDatabase, owned_by_a_member
from tools import REPOSITORY

PEOPLE = ("admin", "service_role", None)  # None = the owner, a superuser
WRITERS = (*PEOPLE, *PIPELINES)
BUDGET = OTHER_BUDGET


def says_it_all(error: psycopg.Error) -> bool:
    """What happened, what was left untouched, what to do next."""
    return bool(error.diag.message_primary and error.diag.message_detail and error.diag.message_hint)


def act_as(db: SeededDatabase, who: str | None) -> psycopg.Connection[dict[str, Any]]:
    return db.act_as(who) if who else db.connect(autocommit=False)


def name_of(db: SeededDatabase, who: str | None) -> str:
    """How the log names somebody: by who is signed in, or by the role."""
    return db.claims[who]["sub"] if who == "admin" else who or db.value("select current_user")


@pytest.mark.parametrize("who", PIPELINES)
class TestClaim:
    """Of OTHER_BUDGET, whose segment's increase from 50 to 60 is decided."""

    def test_a_fresh_claim_for_today_is_taken(self, seeded_db: SeededDatabase, who: str) -> None:
        with act_as(seeded_db, who) as connection:
            row = claim(connection, seeded_db.other, BUDGET)
            found = connection.execute(
                "select status, kind, closed_at, decision_date = lead_today() as today"
                " from channel_orchestration_log where id = %s",
                [row],
            ).fetchone()
            connection.rollback()
        assert found == {"status": "pending", "kind": "plan", "closed_at": None, "today": True}

    @pytest.mark.parametrize("status", ["success", "failed", "done"])
    def test_it_starts_as_pending(self, seeded_db: SeededDatabase, who: str, status: str) -> None:
        with act_as(seeded_db, who) as connection, pytest.raises(errors.CheckViolation, match="starts as pending") as e:
            claim(connection, seeded_db.other, BUDGET, status=status)
        assert says_it_all(e.value)

    @pytest.mark.parametrize("days", [-1, 1])
    def test_it_is_about_today(self, seeded_db: SeededDatabase, who: str, days: int) -> None:
        day = seeded_db.value("select lead_today() + %s::integer", [days])
        with (
            act_as(seeded_db, who) as connection,
            pytest.raises(errors.CheckViolation, match="only be claimed for") as e,
        ):
            claim(connection, seeded_db.other, BUDGET, decision_date=day)
        assert says_it_all(e.value)

    def test_it_needs_this_very_account_to_be_fetched(self, seeded_db: SeededDatabase, who: str) -> None:
        with act_as(seeded_db, who) as connection:
            with pytest.raises(
                errors.ObjectNotInPrerequisiteState, match=r": google_ads \(account 2222222222\)\n"
            ) as e:
                claim(connection, seeded_db.other, BUDGET, account="2222222222")
        assert says_it_all(e.value)

    @pytest.mark.parametrize(
        ("columns", "why"),
        {
            "no decision": ({"decision_id": None}, "names no decision"),
            "a decision that does not exist": ({"decision_id": uuid4()}, "names no decision"),
            "the other direction": (
                {"action_type": "budget_decrease", "new_value": 40},
                "its decision is to increase",
            ),
            "an action of no decision": ({"action_type": "budget_doubling"}, "its decision is to increase"),
            "more than was decided": ({"new_value": Decimal("98765.43")}, "add up to 98715.43"),
            "a cent more than was decided": ({"new_value": Decimal("60.01")}, "add up to 10.01"),
            "less than was decided": ({"new_value": 59}, "its decision says 60"),
            "another old amount": ({"old_value": 51}, "50.000000 was in force"),
            "no old amount": ({"old_value": None}, "50.000000 was in force"),
            "a budget of another segment": ({"external_id": CAMPAIGN_BUDGET}, "no campaign of the segment"),
            "a budget that nobody knows": ({"external_id": "x"}, "no campaign of the segment"),
        }.values(),
        ids=lambda given: given if isinstance(given, str) else "",
    )
    def test_it_is_what_a_decision_of_today_says(
        self, seeded_db: SeededDatabase, who: str, columns: dict[str, Any], why: str
    ) -> None:
        with act_as(seeded_db, who) as connection, pytest.raises(errors.CheckViolation, match=why) as e:
            claim(connection, seeded_db.other, BUDGET, **columns)
        assert says_it_all(e.value)

    def test_it_is_of_its_own_segment(self, seeded_db: SeededDatabase, who: str) -> None:
        of_other = seeded_db.value("select id from budget_decisions where segment_id = %s", [seeded_db.other])
        with act_as(seeded_db, who) as connection, pytest.raises(errors.CheckViolation, match="another segment"):
            claim(connection, seeded_db.segment, BUDGET, decision_id=of_other)

    def test_who_closed_it_and_when_is_not_the_writers_to_say(self, seeded_db: SeededDatabase, who: str) -> None:
        with act_as(seeded_db, who) as connection:
            past = {"created_at": "2020-01-01", "closed_at": "2020-01-01", "error_code": "x", "request_id": "x"}
            row = claim(connection, seeded_db.other, BUDGET, **past)
            found = connection.execute(
                "select created_at = now() as now, closed_at, error_code, request_id"
                " from channel_orchestration_log where id = %s",
                [row],
            ).fetchone()
            connection.rollback()
        assert found == {"now": True, "closed_at": None, "error_code": None, "request_id": None}


@pytest.mark.parametrize(
    ("decision", "why"),
    [
        ({"is_dry_run": True}, "a hold or of a dry run"),
        ({"old": 50, "new": 50, "is_blocked": True}, "a hold or of a dry run"),
        ({"old": 50, "new": 50}, "a hold or of a dry run"),
        ({"old": 40, "new": 60}, "add up to 50.* and 40.* was decided on"),
    ],
    ids=["dry run", "blocked", "hold", "made on another amount"],
)
def test_a_decision_that_moves_no_budget_is_not_claimed(
    leads_db: LeadsDatabase, decision: dict[str, Any], why: str
) -> None:
    segment = leads_db.add_segment()
    steer(leads_db, segment)
    made = decide(leads_db, segment, **decision)
    with leads_db.connect("lead_pipeline") as pipeline:
        record_fetches(pipeline)
        with pytest.raises(errors.CheckViolation, match=why):
            claim(pipeline, segment, decision_id=made)


def test_a_decision_of_yesterday_is_not_claimed(leads_db: LeadsDatabase) -> None:
    segment = leads_db.add_segment()
    steer(leads_db, segment)
    decision = decide(leads_db, segment)
    leads_db.restore("update budget_decisions set decision_date = lead_today() - 1")
    with leads_db.connect("lead_pipeline") as pipeline:
        record_fetches(pipeline)
        with pytest.raises(errors.CheckViolation, match="its decision is of "):
            claim(pipeline, segment, decision_id=decision)


class TestSeveralBudgets:
    """A segment with budgets of 30 and 20 whose sum a decision changes."""

    FIRST, SECOND = (f"customers/1234567890/campaignBudgets/{number}" for number in (11, 12))

    def decided(self, db: LeadsDatabase, new: int | Decimal) -> UUID:
        segment = db.add_segment()
        for budget, amount in ((self.FIRST, 30), (self.SECOND, 20)):
            steer(db, segment, budget, amount)
        decide(db, segment, 50, new)
        with db.connect("lead_pipeline") as pipeline:
            record_fetches(pipeline)
        return segment

    @pytest.mark.parametrize(
        ("new", "first", "second"),
        [(60, 36, 24), (60, 40, 20), (40, 24, 16), (Decimal("40.005"), Decimal("24.01"), Decimal("15.99"))],
        ids=["in proportion", "to one of them", "a decrease", "rounded down to cents"],
    )
    def test_the_rows_may_add_up_to_what_was_decided(
        self, leads_db: LeadsDatabase, new: Any, first: Any, second: Any
    ) -> None:
        segment = self.decided(leads_db, new)
        action = {"action_type": "budget_increase" if new > 50 else "budget_decrease"}
        with leads_db.connect("lead_pipeline") as pipeline:
            claim(pipeline, segment, self.FIRST, old_value=30, new_value=first, **action)
            if second != 20:
                claim(pipeline, segment, self.SECOND, old_value=20, new_value=second, **action)
            with pytest.raises(errors.CheckViolation, match=r"add up to|other way|its decision is to"):
                claim(pipeline, segment, self.SECOND, old_value=20, new_value=70 - new, **action)

    @pytest.mark.server_timer
    def test_two_transactions_do_not_each_claim_the_whole(self, leads_db: LeadsDatabase) -> None:
        segment = self.decided(leads_db, 60)
        with (
            leads_db.connect("lead_pipeline", autocommit=False) as one,
            leads_db.connect(MEMBER, autocommit=False) as two,
        ):
            claim(one, segment, self.FIRST, old_value=30, new_value=40)
            two.execute("set local lock_timeout = '200ms'")
            with pytest.raises(errors.LockNotAvailable):
                claim(two, segment, self.SECOND, old_value=20, new_value=30)
            one.commit()
            two.rollback()
            with pytest.raises(errors.CheckViolation, match="add up to 20"):
                claim(two, segment, self.SECOND, old_value=20, new_value=30)


@pytest.mark.parametrize("who", WRITERS)
@pytest.mark.parametrize(
    ("action", "old", "new"),
    [("budget_increase", 10, 5), ("budget_increase", 5, 5), ("budget_decrease", 5, 10)],
)
def test_a_row_that_contradicts_itself_is_refused(
    seeded_db: SeededDatabase, who: str | None, action: str, old: int, new: int
) -> None:
    with act_as(seeded_db, who) as connection, pytest.raises(errors.CheckViolation, match="the other way") as e:
        log(connection, seeded_db.other, BUDGET, action_type=action, old_value=old, new_value=new)
    assert says_it_all(e.value)


def decided(db: LeadsDatabase) -> UUID:
    """A segment whose increase from 50 to 60 is decided."""
    segment = db.add_segment()
    steer(db, segment)
    decide(db, segment)
    return segment


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
    segment = decided(leads_db)
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


def test_one_claim_a_budget_a_day(leads_db: LeadsDatabase) -> None:
    segment = decided(leads_db)
    with leads_db.connect("lead_pipeline") as pipeline:
        record_fetches(pipeline)
        first = claim(pipeline, segment)
        with pytest.raises((errors.UniqueViolation, errors.CheckViolation)):
            claim(pipeline, segment)
        pipeline.execute("update channel_orchestration_log set status = 'success' where id = %s", [first])
        with pytest.raises((errors.UniqueViolation, errors.CheckViolation)):
            claim(pipeline, segment)
        claim(pipeline, segment, kind="revert", reverts=first, **OPPOSITE)
        pipeline.execute("update channel_orchestration_log set status = 'success' where kind = 'revert'")
        with pytest.raises(errors.UniqueViolation, match="claimed_key"):
            claim(pipeline, segment, kind="revert", reverts=first, **OPPOSITE)


def test_an_open_claim_blocks_its_budget(leads_db: LeadsDatabase) -> None:
    """A revert beside a plan that nobody settled would leave two answers to what is in force."""
    segment = decided(leads_db)
    with leads_db.connect("lead_pipeline") as pipeline:
        record_fetches(pipeline)
        first = claim(pipeline, segment)
        pipeline.execute("update channel_orchestration_log set status = 'success'")
        leads_db.restore(
            "update channel_orchestration_log set decision_date = decision_date - 1;"
            " update budget_decisions set decision_date = decision_date - 1"
        )
        decide(leads_db, segment)
        claim(pipeline, segment)
        with pytest.raises(errors.UniqueViolation, match="open_key"):
            claim(pipeline, segment, kind="revert", reverts=first, **OPPOSITE)


@pytest.mark.parametrize("who", PIPELINES)
def test_a_revert_needs_no_fresh_data_but_the_row_that_it_reverts(leads_db: LeadsDatabase, who: str) -> None:
    segment = decided(leads_db)
    with leads_db.connect(who) as pipeline:
        record_fetches(pipeline)
        first = claim(pipeline, segment)
        pipeline.execute("update channel_orchestration_log set status = 'success'")
        with leads_db.connect() as owner:
            owner.execute("update channel_fetches set fetched_at = now() - interval '2 days'")
        for reverts, budget in ((first, BUDGET), (uuid4(), BUDGET), (None, BUDGET)):
            with pytest.raises(errors.CheckViolation, match="is not a change of budget") as e:
                claim(pipeline, segment, budget, kind="revert", reverts=reverts, **OPPOSITE)
            assert says_it_all(e.value)
        for wrong in ({"new_value": 49}, {"old_value": 61}, {"action_type": "budget_shift"}):
            with pytest.raises(errors.CheckViolation, match="took effect"):
                claim(pipeline, segment, kind="revert", reverts=first, **OPPOSITE | wrong)
        back = claim(pipeline, segment, kind="revert", reverts=first, **OPPOSITE)
        pipeline.execute("update channel_orchestration_log set status = 'success' where id = %s", [back])
        with pytest.raises(errors.CheckViolation, match="took effect"):
            claim(pipeline, segment, kind="revert", reverts=back, action_type="budget_revert")
        with pytest.raises((errors.CheckViolation, errors.ObjectNotInPrerequisiteState)):
            claim(pipeline, segment, BUDGET, kind="plan", reverts=first)


@pytest.mark.parametrize("who", PEOPLE)
def test_nobody_else_claims_a_revert(seeded_db: SeededDatabase, who: str | None) -> None:
    with act_as(seeded_db, who) as connection:
        (row,) = connection.execute("select id from channel_orchestration_log").fetchall()
        with pytest.raises(errors.InsufficientPrivilege, match="only the pipeline claims") as e:
            log(connection, seeded_db.segment, kind="revert", reverts=row["id"], **OPPOSITE)
    assert says_it_all(e.value)


@pytest.mark.parametrize("who", PIPELINES)
class TestDecidedBy:
    CLOSE = "update channel_orchestration_log set status = 'failed', error_code = 'E', decided_by = 'eva' where id = %s"

    def test_it_may_be_said_when_the_row_is_closed(self, seeded_db: SeededDatabase, who: str) -> None:
        with act_as(seeded_db, who) as connection:
            row = claim(connection, seeded_db.other, BUDGET)
            found = connection.execute(f"{self.CLOSE} returning decided_by, error_code", [row]).fetchone()
            connection.rollback()
        assert found == {"decided_by": "eva", "error_code": "E"}

    def test_once_said_it_stays(self, seeded_db: SeededDatabase, who: str) -> None:
        with act_as(seeded_db, who) as connection:
            row = claim(connection, seeded_db.other, BUDGET, decided_by="anna")
            with pytest.raises(errors.RestrictViolation, match="was decided by anna") as e:
                connection.execute(self.CLOSE, [row])
        assert says_it_all(e.value)


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("status", ["success", "failed"])
def test_a_person_who_closes_a_claim_does_so_in_their_own_name(
    seeded_db: SeededDatabase, who: str | None, status: str
) -> None:
    with act_as(seeded_db, who) as connection:
        row = connection.execute(
            "update channel_orchestration_log set status = %s, error_code = 'quota', error_detail = 'It was late.',"
            " request_id = 'r', decided_by = 'anna', closed_at = '2020-01-01'"
            " returning error_code, error_detail, request_id, decided_by, closed_at = now() as now",
            [status],
        ).fetchone()
        connection.rollback()
    name = name_of(seeded_db, who)
    assert row == {
        "error_code": "closed_by_hand" if status == "failed" else None,
        "error_detail": f"closed by hand by {name}: It was late.",
        "request_id": None,
        "decided_by": name,
        "now": True,
    }


@pytest.mark.parametrize("who", WRITERS)
class TestClose:
    @pytest.mark.parametrize("status", ["success", "failed"])
    def test_once(self, seeded_db: SeededDatabase, who: str | None, status: str) -> None:
        with act_as(seeded_db, who) as connection:
            row = connection.execute(
                "update channel_orchestration_log set status = %s, error_detail = 'd', closed_at = '2020-01-01'"
                " returning closed_at = now() as now",
                [status],
            ).fetchone()
            assert row == {"now": True}
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
                wanted = errors.InsufficientPrivilege if who in PIPELINES else errors.RestrictViolation
                change = f"status = 'success', {column} = {values.get(column, other)}"
                with pytest.raises(wanted) as e:
                    connection.execute(f"update channel_orchestration_log set {change}")
                assert who in PIPELINES or says_it_all(e.value)


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
    """What a person did by hand: published a page for seo, or changed a budget in the channel itself."""

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
    @pytest.mark.parametrize("who", PEOPLE)
    @pytest.mark.parametrize(("channel", "action"), [("seo", "page_published"), ("google_ads", "budget_decrease")])
    def test_a_person_records_it_in_the_columns_that_were_asked_for(
        self, seeded_db: SeededDatabase, who: str | None, status: str, channel: str, action: str
    ) -> None:
        row = self.log(seeded_db, who, f"(%(segment)s, '{channel}', '{action}', 12, 8.5, '{status}')")
        done = "failed" if status == "failed" else "success"
        assert (row["kind"], row["status"]) == ("manual", done) and row["closed_at"] is not None
        assert row["decided_by"] == name_of(seeded_db, who)
        assert (row["old_value"], row["new_value"]) == (12, Decimal("8.5"))

    def test_a_budget_that_was_changed_twice_on_a_day_has_two_records(self, seeded_db: SeededDatabase) -> None:
        columns = "(segment_id, channel, action_type, old_value, new_value, account, external_id)"
        with act_as(seeded_db, "admin") as connection:
            for old, new in ((12, 8), (8, 6)):
                values = f"(%(segment)s, 'google_ads', 'budget_decrease', {old}, {new}, '1234567890', 'b')"
                insert = f"insert into channel_orchestration_log {columns} values {values}"
                connection.execute(insert, {"segment": seeded_db.segment})
            count = "select count(*) as found from channel_orchestration_log where external_id = 'b'"
            assert connection.execute(count).fetchone()["found"] == 2
            connection.rollback()

    @pytest.mark.parametrize("who", PEOPLE)
    def test_a_pending_row_of_any_amount_is_a_record_and_no_claim(
        self, seeded_db: SeededDatabase, who: str | None
    ) -> None:
        row = self.log(
            seeded_db,
            who,
            "(%(segment)s, 'google_ads', 'budget_increase', 172.80, 98765.43, 'pending', 'plan', '1234567890', 'b',"
            " 'the director', '2020-01-01', 'x')",
            "(segment_id, channel, action_type, old_value, new_value, status, kind, account, external_id, decided_by,"
            " created_at, error_code)",
        )
        assert (row["kind"], row["status"], row["error_code"]) == ("manual", "success", None)
        assert row["decided_by"] == name_of(seeded_db, who)
        assert row["created_at"] == row["closed_at"] and row["created_at"].year > 2020

    @pytest.mark.parametrize("who", PEOPLE)
    @pytest.mark.parametrize("column", ["decision_id", "dag_run_id", "reverts"])
    def test_it_has_no_decision_and_no_run_behind_it(
        self, seeded_db: SeededDatabase, who: str | None, column: str
    ) -> None:
        decision = seeded_db.value("select id from budget_decisions where segment_id = %s", [seeded_db.other])
        given = {column: "scheduled" if column == "dag_run_id" else decision}
        with act_as(seeded_db, who) as connection:
            with pytest.raises(errors.InsufficientPrivilege, match="only the pipeline claims") as e:
                log(connection, seeded_db.other, BUDGET, **given)
        assert says_it_all(e.value)

    def test_it_needs_no_numbers_and_may_be_about_a_page_and_an_earlier_day(self, seeded_db: SeededDatabase) -> None:
        row = self.log(
            seeded_db,
            "admin",
            "(%(segment)s, 'seo', 'page_published', '/schilder/utrecht', lead_today() - 3, 'success')",
            "(segment_id, channel, action_type, external_id, decision_date, status)",
        )
        assert (row["kind"], row["new_value"], row["external_id"]) == ("manual", None, "/schilder/utrecht")

    def test_it_stays(self, seeded_db: SeededDatabase) -> None:
        with act_as(seeded_db, "admin") as connection:
            insert = "insert into channel_orchestration_log (segment_id, channel, action_type) values (%s, 'seo', 'x')"
            connection.execute(insert, [seeded_db.segment])
            with pytest.raises(errors.ObjectNotInPrerequisiteState, match="is final"):
                connection.execute("update channel_orchestration_log set status = 'failed' where channel = 'seo'")
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

    def test_the_owner_of_the_tables_is_a_person_also_with_the_rights_of_the_pipeline(
        self, leads_db: LeadsDatabase
    ) -> None:
        """Supabase's postgres is no superuser; it may have made lead_pipeline, or been granted it."""
        segment = decided(leads_db)
        with owned_by_a_member(leads_db, "channel_orchestration_log") as owner:
            log(owner, segment)
            (row,) = owner.execute("select kind, status, decided_by from channel_orchestration_log").fetchall()
        assert row == {"kind": "manual", "status": "success", "decided_by": "project_owner"}

    @pytest.mark.parametrize("who", PIPELINES)
    @pytest.mark.parametrize("kind", ["plan", "revert", "manual"])
    def test_the_pipeline_cannot_make_one(self, seeded_db: SeededDatabase, who: str, kind: str) -> None:
        with pytest.raises((errors.InsufficientPrivilege, errors.CheckViolation, errors.ObjectNotInPrerequisiteState)):
            self.log(
                seeded_db,
                who,
                f"(%(segment)s, 'seo', 'budget_increase', 50, 60, 'pending', '{kind}')",
                "(segment_id, channel, action_type, old_value, new_value, status, kind)",
            )

    def test_a_budget_row_still_needs_its_budget_and_amount(self, seeded_db: SeededDatabase) -> None:
        for column in ("account", "external_id", "new_value"):
            with act_as(seeded_db, "lead_pipeline") as connection, pytest.raises(errors.Error):
                claim(connection, seeded_db.other, BUDGET, **{column: None})
            with act_as(seeded_db, None) as connection, pytest.raises(errors.CheckViolation):
                connection.execute("alter table channel_orchestration_log disable trigger user")
                log(connection, seeded_db.other, **{"external_id": BUDGET, column: None})


def test_a_manual_row_changes_nothing_of_what_the_pipeline_does(seeded_db: SeededDatabase) -> None:
    """Neither open changes nor the room under the caps, the cool-down or a revert know of it."""
    undecided = seeded_db.add_segment("stukadoor", "drenthe")
    with seeded_db.connect("lead_pipeline") as pipeline:
        names = ["select_open_changes", "select_room", "select_committed", "select_work", "select_sendable"]
        statements = [render(f"lead_budgets/{name}.sql") for name in names]
        statements += [
            f"select code, last_change_date, blocks from ({render('lead_budgets/select_segments.sql')}) as found",
            render("lead_budget_revert/select_reversible.sql"),
            render("lead_budgets/select_failed_changes.sql"),
        ]
        limits = dict.fromkeys(
            ("total_cap_words", "total_daily_cap", "max_daily_increase", "approval_threshold", "unit"), 1_000
        )
        key = limits | UNKNOWN | {
            "approve": "Approve",
            "channel": "google_ads", "action_type": None, "dag_run_id": "x", "is_complete": True, "kill_switch": False,
            "currency": "EUR", "time_zone": "Europe/Amsterdam", "log_id": None,
            "day": seeded_db.value("select lead_today()"), "decisions": None,
        }  # fmt: skip
        before = [pipeline.execute(statement, key).fetchall() for statement in statements]
        with act_as(seeded_db, "admin") as admin:
            for status in ("pending", "success", "failed"):
                log(admin, seeded_db.segment, f"of {status}", new_value=98_765, status=status)
                log(admin, undecided, f"of a segment that is not decided, {status}", status=status)
            admin.commit()
        assert [pipeline.execute(statement, key).fetchall() for statement in statements] == before


def test_the_table_of_the_day_does_not_take_a_record_for_what_is_in_force(seeded_db: SeededDatabase) -> None:
    statement = (REPOSITORY / "local" / "sql" / "select_budgets.sql").read_text()
    before = seeded_db.fetch(statement)
    with act_as(seeded_db, "admin") as admin:
        log(admin, seeded_db.segment, "by hand", new_value=98_765)
        admin.commit()
    assert seeded_db.fetch(statement) == before
