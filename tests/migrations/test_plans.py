"""Plans: whose target it is, what of the past may change, and the gap."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection, errors

from tests.fixtures.postgres import LeadsDatabase
from tests.migrations.conftest import PIPELINES, SeededDatabase, owned_by_a_member

TODAY, YESTERDAY = "lead_today()", "lead_today() - 1"


@pytest.fixture
def plan_db(seeded_db: SeededDatabase) -> Iterator[SeededDatabase]:
    """The shared database with a plan of yesterday and one of today, both by the planner."""
    reset = "delete from lead_segment_plans; update lead_generation_stats set leads_generated = null;"
    seeded_db.fetch(
        f"{reset} insert into lead_segment_plans (segment_id, date, target_leads_per_day)"
        f" select id, day, 6 from lead_segments, unnest(array[{TODAY}, {YESTERDAY}]) as day where branch = 'schilder'"
    )
    yield seeded_db


@pytest.fixture(scope="module")
def gap_connection(seeded_db: SeededDatabase) -> Iterator[Connection[dict[str, object]]]:
    with seeded_db.connect() as connection:
        yield connection


class TestTarget:
    @pytest.mark.parametrize("target", [6, 9])
    def test_an_admin_who_writes_it_owns_it(self, plan_db: SeededDatabase, target: int) -> None:
        """Also when the number stays: to pin today's target is a decision."""
        with plan_db.act_as("admin", autocommit=True) as admin:
            source = admin.execute(
                f"update lead_segment_plans set target_leads_per_day = {target} where date = {TODAY}"
                " returning target_source"
            ).fetchone()
        assert source == {"target_source": "admin"}

    def test_an_admin_plans_ahead(self, plan_db: SeededDatabase) -> None:
        with plan_db.act_as("admin", autocommit=True) as admin:
            admin.execute(
                "insert into lead_segment_plans (segment_id, date, target_leads_per_day)"
                f" values (%s, {TODAY} + 1, 8), (%s, {TODAY} + 2, null)",
                [plan_db.segment, plan_db.segment],
            )
        rows = plan_db.fetch(f"select target_source from lead_segment_plans where date > {TODAY} order by date")
        assert [row["target_source"] for row in rows] == ["admin", "planner"]

    @pytest.mark.parametrize("hand_back", ["target_leads_per_day = null", "target_source = 'planner'"])
    def test_an_admin_hands_it_back(self, plan_db: SeededDatabase, hand_back: str) -> None:
        with plan_db.act_as("admin", autocommit=True) as admin:
            admin.execute(f"update lead_segment_plans set target_leads_per_day = 9 where date = {TODAY}")
            admin.execute(f"update lead_segment_plans set {hand_back} where date = {TODAY}")
        assert plan_db.value(f"select target_source from lead_segment_plans where date = {TODAY}") == "planner"

    def test_an_admin_who_writes_something_else_does_not_own_it(self, plan_db: SeededDatabase) -> None:
        with plan_db.act_as("admin", autocommit=True) as admin:
            admin.execute(f"update lead_segment_plans set orchestration_status = 'held' where date = {TODAY}")
        assert plan_db.value(f"select target_source from lead_segment_plans where date = {TODAY}") == "planner"

    @pytest.mark.parametrize("who", ["service_role", None])
    def test_a_person_in_the_database_itself_owns_a_new_target(self, plan_db: SeededDatabase, who: str | None) -> None:
        """Supabase's table editor works as the owner; a target typed there must outlive the next morning's run."""
        with plan_db.connect(who) as person:
            person.execute("update lead_segment_plans set target_leads_per_day = 9, orchestration_status = 'held'")
        rows = plan_db.fetch("select target_source from lead_segment_plans order by date")
        assert [row["target_source"] for row in rows] == ["planner", "admin"]  # the past is history, not a wish

    @pytest.mark.parametrize("who", PIPELINES)
    def test_the_pipeline_leaves_an_admins_target_alone(self, plan_db: SeededDatabase, who: str) -> None:
        plan_db.fetch(f"update lead_segment_plans set target_source = 'admin' where date = {TODAY}")
        with plan_db.act_as(who, autocommit=True) as pipeline:
            pipeline.execute(
                "update lead_segment_plans set target_leads_per_day = 6, expected_leads_per_day = 4"
                f" where date = {TODAY}"
            )
            with pytest.raises(errors.RestrictViolation, match="was set by an admin") as e:
                pipeline.execute(f"update lead_segment_plans set target_leads_per_day = 7 where date = {TODAY}")
        assert e.value.diag.message_hint and e.value.diag.message_detail

    @pytest.mark.parametrize("who", PIPELINES)
    def test_a_target_of_the_pipeline_is_the_planners(self, plan_db: SeededDatabase, who: str) -> None:
        with plan_db.act_as(who, autocommit=True) as pipeline:
            pipeline.execute(f"update lead_segment_plans set target_leads_per_day = 7 where date = {TODAY}")
            pipeline.execute(
                f"insert into lead_segment_plans (segment_id, date, target_leads_per_day) values (%s, {TODAY}, 8)",
                [plan_db.other],
            )
        rows = plan_db.fetch(f"select distinct target_source from lead_segment_plans where date = {TODAY}")
        assert [row["target_source"] for row in rows] == ["planner"]

    def test_the_owner_of_the_tables_is_a_person_also_with_the_rights_of_the_pipeline(
        self, leads_db: LeadsDatabase
    ) -> None:
        leads_db.add_segment()
        leads_db.fetch("insert into lead_segment_plans (segment_id, date) select id, lead_today() from lead_segments")
        with owned_by_a_member(leads_db, "lead_segment_plans") as owner:
            owner.execute("update lead_segment_plans set target_leads_per_day = 9")
        assert leads_db.value("select target_source from lead_segment_plans") == "admin"


@pytest.mark.parametrize("who", [*PIPELINES, "admin"])
class TestPast:
    def test_only_the_gap_changes(self, plan_db: SeededDatabase, who: str) -> None:
        with plan_db.act_as(who, autocommit=True) as connection:
            assert (
                connection.execute(f"update lead_segment_plans set lead_gap = 3 where date = {YESTERDAY}").rowcount == 1
            )
            for column, value in (
                ("target_leads_per_day", 7),
                ("expected_leads_per_day", 7),
                ("target_daily_budget_google_ads", 7),
                ("actual_daily_budget_google_ads", 7),
                ("orchestration_status", "'applied'"),
            ):
                with pytest.raises(errors.RestrictViolation, match="is history") as e:
                    connection.execute(
                        f"update lead_segment_plans set lead_gap = 9, {column} = {value} where date = {YESTERDAY}"
                    )
                assert e.value.diag.message_hint and e.value.diag.message_detail
        assert plan_db.value(f"select lead_gap from lead_segment_plans where date = {YESTERDAY}") == 3

    def test_a_plan_of_today_moves_nowhere(self, plan_db: SeededDatabase, who: str) -> None:
        with plan_db.act_as(who, autocommit=True) as connection:
            with pytest.raises((errors.RestrictViolation, errors.InsufficientPrivilege)):
                connection.execute(f"update lead_segment_plans set date = {TODAY} - 5 where date = {TODAY}")


class TestGap:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        days=st.lists(
            st.tuples(
                st.booleans(),  # is there a plan?
                st.none() | st.integers(0, 50),  # its target
                st.none() | st.integers(-50, 50),  # the gap that it has
                st.booleans(),  # is there a stats row?
                st.none() | st.integers(0, 50),  # its leads
            ),
            min_size=1,
            max_size=6,
        )
    )
    def test_one_by_one_set_based_and_python_agree(
        self, gap_connection: Connection[dict[str, object]], seeded_db: SeededDatabase, days: list[tuple]
    ) -> None:
        start = date(2026, 3, 1)
        with gap_connection.transaction(force_rollback=True):
            wanted: dict[date, int | None] = {}
            before: dict[date, int | None] = {}
            for offset, (has_plan, target, gap, has_stats, leads) in enumerate(days):
                day = start + timedelta(offset)
                if has_plan:
                    gap_connection.execute(
                        "insert into lead_segment_plans (segment_id, date, target_leads_per_day, lead_gap)"
                        " values (%s, %s, %s, %s)",
                        [seeded_db.segment, day, target, gap],
                    )
                    known = has_stats and target is not None and leads is not None
                    wanted[day], before[day] = (target - leads if known else None), gap
                if has_stats:
                    gap_connection.execute(
                        "insert into lead_generation_stats (segment_id, date, leads_generated) values (%s, %s, %s)",
                        [seeded_db.segment, day, leads],
                    )
            end = start + timedelta(len(days) - 1)

            def gaps() -> dict[date, int | None]:
                rows = gap_connection.execute(
                    "select date, lead_gap from lead_segment_plans where date between %s and %s", [start, end]
                )
                return {row["date"]: row["lead_gap"] for row in rows}

            with gap_connection.transaction(force_rollback=True):
                for offset in range(len(days)):
                    day = start + timedelta(offset)
                    arguments = [seeded_db.segment, day]
                    one = gap_connection.execute("select update_lead_gap(%s, %s) as gap", arguments).fetchone()
                    also = gap_connection.execute("select calculate_lead_gap(%s, %s) as gap", arguments).fetchone()
                    assert one == also == {"gap": wanted.get(day)}
                assert gaps() == wanted
            changed = gap_connection.execute("select update_lead_gaps(%s, %s) as n", [start, end]).fetchone()
            assert changed == {"n": sum(wanted[day] != before[day] for day in wanted)}
            assert gaps() == wanted
            again = gap_connection.execute("select update_lead_gaps(%s, %s) as n", [start, end]).fetchone()
            assert again == {"n": 0}

    def test_an_unchanged_rerun_rewrites_no_row(self, plan_db: SeededDatabase) -> None:
        plan_db.fetch("update lead_generation_stats set leads_generated = 4")
        versions = "select xmin::text, ctid::text, updated_at from lead_segment_plans order by segment_id, date"
        assert plan_db.value(f"select update_lead_gaps({YESTERDAY}, {TODAY})", role="lead_pipeline") == 1
        before = plan_db.fetch(versions)
        assert plan_db.value(f"select update_lead_gaps({YESTERDAY}, {TODAY})", role="lead_pipeline") == 0
        assert plan_db.value(f"select update_lead_gap(%s, {YESTERDAY})", [plan_db.segment], role="lead_pipeline") == 2
        assert plan_db.fetch(versions) == before

    def test_stats_that_vanish_make_the_gap_unknown_again(self, plan_db: SeededDatabase) -> None:
        plan_db.fetch("update lead_generation_stats set leads_generated = 4")
        plan_db.value(f"select update_lead_gaps({YESTERDAY}, {TODAY})", role="lead_pipeline")
        plan_db.fetch("update lead_generation_stats set leads_generated = null")
        assert plan_db.value(f"select update_lead_gaps({YESTERDAY}, {TODAY})", role="lead_pipeline") == 1
        assert plan_db.value("select count(*) from lead_segment_plans where lead_gap is not null") == 0


@pytest.mark.parametrize(
    ("table", "column"), [("lead_generation_stats", "leads_generated"), ("channel_metrics", "clicks")]
)
def test_an_update_that_changes_nothing_rewrites_nothing(seeded_db: SeededDatabase, table: str, column: str) -> None:
    seeded_db.fetch(f"update {table} set {column} = 5")
    versions = f"select xmin::text, ctid::text, updated_at from {table}"
    before = seeded_db.fetch(versions)
    seeded_db.fetch(f"update {table} set {column} = 5", role="lead_pipeline")
    assert seeded_db.fetch(versions) == before
    seeded_db.fetch(f"update {table} set {column} = 6", role="lead_pipeline")
    after = seeded_db.fetch(versions)
    assert after[0]["updated_at"] > before[0]["updated_at"]


def test_stats_do_not_notice_avg_cpl_in_the_comparison(leads_db: LeadsDatabase) -> None:
    """The generated column is computed after the triggers; a comparison that saw it would rewrite every row."""
    segment = leads_db.add_segment()
    leads_db.fetch(
        f"insert into lead_generation_stats (segment_id, date, leads_generated, google_ads_spend)"
        f" values (%s, {YESTERDAY}, 3, 10)",
        [segment],
    )
    before = leads_db.fetch("select xmin::text, round(avg_cpl, 6)::text as cpl from lead_generation_stats")
    assert before[0]["cpl"] == "3.333333"
    leads_db.fetch("update lead_generation_stats set google_ads_spend = 10")
    assert leads_db.fetch("select xmin::text, round(avg_cpl, 6)::text as cpl from lead_generation_stats") == before
    leads_db.fetch("update lead_generation_stats set leads_generated = 0")
    assert leads_db.value("select avg_cpl from lead_generation_stats") is None
