"""Who may do what: every actor, every table, every verb, with the real statement, on every version of PostgreSQL."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from local.embedded_postgres import EmbeddedPostgres
from tests.fixtures.claims import CAMPAIGN_BUDGET
from tests.fixtures.postgres import MEMBER, PG_VERSIONS, make_template
from tests.migrations.conftest import OTHER_BUDGET, PIPELINES, SeededDatabase, seeded_copy

SEGMENT = "(select id from lead_segments where branch = 'schilder')"
DONE, DENIED, NO_ROWS = "done", "denied", "no rows"

# What a plausible statement of each verb is; an insert of the pipeline is about the day that it is allowed to write. Of
# the log it is a claim of what was decided; what anybody else inserts there is RECORD, done by hand.
INSERT = {
    "lead_segments": "(code, branch, region) values ('dakdekker_drenthe', 'dakdekker', 'drenthe')",
    "lead_generation_stats": f"(segment_id, date) values ({SEGMENT}, lead_today() - 2)",
    "lead_segment_plans": f"(segment_id, date) select id, lead_today() from lead_segments where id <> {SEGMENT}",
    "lead_segment_channels": f"(segment_id, channel) values ({SEGMENT}, 'seo')",
    "lead_branch_channels": "(branch, channel) values ('dakdekker', 'google_ads')",
    "channel_sources": f"(channel, account, external_id, segment_id) values ('ga4', '1', 'x.nl', {SEGMENT})",
    "channel_source_changes": f"(channel, account, external_id, segment_id) values ('ga4', '1', 'x.nl', {SEGMENT})",
    "channel_zero_days": "(channel, account, date) values ('ga4', '1', lead_today() - 1)",
    "orchestration_settings": "default values on conflict do nothing",
    "approval_questions": "(id, channel, dag_run_id, asked) values (gen_random_uuid(), 'google_ads', 'test', '[]')",
    "limit_changes": "(changed_by, table_name, column_name) values ('test', 'orchestration_settings', 'dry_run')",
    "capacity_confirmations": f"(segment_id, confirmed_capacity) values ({SEGMENT}, 12)",
    "channel_metrics": f"(segment_id, channel, account, date) values ({SEGMENT}, 'ga4', '1', lead_today() - 1)",
    "channel_totals": (
        "(channel, account, date, metric, segments, in_none) values ('ga4', '1', lead_today() - 1, 'sessions', 0, 0)"
    ),
    "channel_fetches": "(channel, date_from, date_to, row_count) values ('ga4', lead_today() - 1, lead_today(), 0)",
    "pipeline_findings": "(name, level, detail) values ('stale', 'warn', 'No fetch.')",
    "budget_decisions": f"(segment_id, channel, action) values ({SEGMENT}, 'bing_ads', 'hold')",
    "channel_orchestration_log": (
        "(segment_id, channel, action_type, old_value, new_value, account, external_id, decision_id)"
        f" select segment_id, channel, 'budget_increase', 50, 60, '1234567890', '{OTHER_BUDGET}', id"
        f" from budget_decisions where segment_id <> {SEGMENT}"
    ),
    "channel_budgets": (
        "(channel, account, campaign_id, budget_id, amount, campaigns_on_budget, is_learning, is_serving, currency,"
        " time_zone, dag_run_id) values ('x', '1', '2', '2', 5, 1, false, true, 'EUR', 'Europe/Amsterdam', 'test')"
    ),
    "budget_edits": (
        "(channel, account, budget_id, edited_at, edited_by, new_value, dag_run_id)"
        " values ('google_ads', '1234567890', '1', now(), 'anke', 60, 'test')"
    ),
    "outcome_weeks": (
        "(channel, week, action, decisions, judged, promises, promises_kept, changes, came_nearer, by_chance, luck,"
        " luck_variance, leads_over_target)"
        " values ('google_ads', date_trunc('week', lead_today() - interval '9 days'), 'hold',"
        " 1, 1, 1, 1, 0, 0, 0, 0, 0, 0)"
    ),
    "backtest_results": (
        "(run_id, trial, segment_id, date_from, date_to, evaluations, kept, increases, decreases, differing, leads,"
        f" wanted, target, spend, judged, held, missed_by) select 'test', 'today', {SEGMENT}, lead_today(),"
        " lead_today(), 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0"
    ),
    "backtest_differences": (
        "(run_id, segment_id, date, today_action, changed_action)"
        f" values ('test', {SEGMENT}, lead_today(), 'hold', 'hold')"
    ),
    "lead_spellings": "(kind, spelling, meaning) values ('region', 'N-Brabant', 'noord-brabant')",
    "leads": "(branch) values ('schilder')",
    "profiles": "(id) select gen_random_uuid() where false",
    "partners": "(name, branch, region) values ('Jan', 'schilder', 'utrecht')",
}
RECORD = (
    "(segment_id, channel, action_type, old_value, new_value, status)"
    f" values ({SEGMENT}, 'google_ads', 'budget_increase', 172.80, 98765.43, 'pending')"
)
UPDATE = {
    "lead_segments": "is_active = false",
    "lead_generation_stats": "leads_generated = 1",
    "lead_segment_plans": "expected_leads_per_day = 3",
    "lead_segment_channels": "cooldown_days = 3",
    "lead_branch_channels": "monthly_budget = 3",
    "channel_sources": "is_active = false",
    "channel_source_changes": "restated_at = now()",
    "channel_zero_days": "is_zero = false",
    "orchestration_settings": "kill_switch = true",
    "approval_questions": "chosen = '{Approve}', recorded_at = now()",
    "limit_changes": "changed_by = 'test'",
    "capacity_confirmations": "valid_until = lead_today()",
    "channel_metrics": "spend = 2",
    "channel_totals": "in_none = 2",
    "channel_fetches": "row_count = 2",
    "pipeline_findings": "last_seen = now() + interval '1 hour'",
    "budget_decisions": "realised_leads_7d = 2",
    "channel_orchestration_log": "status = 'success'",
    "channel_budgets": "amount = 6",
    "budget_edits": "new_value = 6",
    "outcome_weeks": "decisions = 2",
    "backtest_results": "tried = 'x'",
    "backtest_differences": "decided_action = 'hold'",
    "lead_spellings": "updated_at = now()",
    "leads": f"segment_id = {SEGMENT}",
    "profiles": "is_admin = true",
    "partners": "is_active = false",
}
EMPTY = [("orchestration_settings", "insert"), ("profiles", "insert")]  # let in, and finds nothing to do
# No statement of the pipeline reads these.
OF_PEOPLE = ("lead_channel_roi", "lead_segment_limits", "month_pace_of_segments", "month_pace_of_branches")
VIEWS = ("budget_outcomes", "how_often_right", "month_pace", "month_pace_levels", *OF_PEOPLE)
OURS = [table for table in INSERT if table not in ("leads", "profiles", "partners")]
# What a trigger alone writes, and what the pipeline alone does: decisions, questions, and that a channel was fetched.
LOGGED = dict.fromkeys(
    (
        "channel_source_changes",
        "limit_changes",
        "budget_decisions",
        "channel_fetches",
        "approval_questions",
        "budget_edits",
        "outcome_weeks",
        "backtest_results",
        "backtest_differences",
    ),
    "select",
)

ALLOWED = {
    "anon": {},
    "authenticated": dict.fromkeys(OURS, "select") | {"profiles": "select"},
    "admin": dict.fromkeys(OURS, "select insert update") | LOGGED | {"profiles": "select"},
    "service_role": (
        dict.fromkeys(OURS, "select insert update")
        | LOGGED
        | dict.fromkeys(("leads", "profiles", "partners"), "select insert update delete truncate")
    ),
    "lead_pipeline": {
        "lead_segments": "select",
        "lead_segment_channels": "select",
        "lead_branch_channels": "select",
        "channel_sources": "select",
        "lead_spellings": "select",
        "channel_source_changes": "select update",
        "channel_zero_days": "select",
        "orchestration_settings": "select",
        "approval_questions": "select insert update",
        "limit_changes": "select",
        "capacity_confirmations": "select",
        "lead_generation_stats": "select insert update",
        "lead_segment_plans": "select insert update",
        "channel_metrics": "select insert update",
        "channel_totals": "select insert update",
        "channel_fetches": "select insert",
        "pipeline_findings": "select insert update",
        "budget_decisions": "select insert update",
        "channel_orchestration_log": "select insert update",
        "channel_budgets": "select insert update",
        "budget_edits": "select insert",
        "outcome_weeks": "select insert update",
        "backtest_results": "select insert",
        "backtest_differences": "insert",
        "leads": "update",  # and select of the columns that are no personal data: see test_personal_data.py
    },
}
ALLOWED[MEMBER] = ALLOWED["lead_pipeline"]


@pytest.fixture(scope="module", params=PG_VERSIONS)
def seeded_db(
    postgres_on: Callable[[str], EmbeddedPostgres], request: pytest.FixtureRequest
) -> Iterator[SeededDatabase]:
    """Instead of the folder's own: the seeded database on each version in turn."""
    server = postgres_on(request.param)
    with seeded_copy(server, make_template(server)) as seeded:
        yield seeded


def outcome(db: SeededDatabase, who: str, statement: str) -> str:
    """Run one statement as somebody and roll it back."""
    connection = db.session(who)
    try:
        cursor = connection.execute(statement)
        return DONE if cursor.rowcount else NO_ROWS
    except psycopg.errors.InsufficientPrivilege:
        return DENIED
    finally:
        connection.rollback()


VERBS = {
    "select": "select * from {table}",
    "insert": "insert into {table} {insert}",
    "update": "update {table} set {update}",
    "delete": "delete from {table}",
    "truncate": "truncate {table} cascade",
}


def expected(who: str, table: str, verb: str) -> str:
    if verb in ALLOWED[who].get(table, "").split():
        return NO_ROWS if (table, verb) in EMPTY else DONE
    if who == "authenticated" and verb == "update" and table in OURS and table not in LOGGED:
        return NO_ROWS  # the policy hides every row from a user who is no admin
    return DENIED


@pytest.mark.parametrize("who", SeededDatabase.ACTORS)
def test_matrix(seeded_db: SeededDatabase, who: str) -> None:
    inserts = INSERT if who in PIPELINES else INSERT | {"channel_orchestration_log": RECORD}
    found = {
        (table, verb): outcome(seeded_db, who, text.format(table=table, insert=inserts[table], update=UPDATE[table]))
        for table in INSERT
        for verb, text in VERBS.items()
    }
    assert found == {(table, verb): expected(who, table, verb) for table, verb in found}


def test_the_matrix_names_every_table(seeded_db: SeededDatabase) -> None:
    rows = seeded_db.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
    )
    assert {row["relname"] for row in rows} == {*INSERT, "partner_capacity"}


def test_the_server_is_of_the_version_it_is_said_to_be(
    seeded_db: SeededDatabase, request: pytest.FixtureRequest
) -> None:
    asked = request.node.callspec.params["seeded_db"]
    assert seeded_db.value("select current_setting('server_version_num')::integer / 10000") == int(asked)


def test_no_role_of_the_api_can_truncate_or_reference_anything(seeded_db: SeededDatabase) -> None:
    """Row level security does not stop TRUNCATE, and older Supabase projects grant it to everybody."""
    rows = seeded_db.fetch(
        """
        select r.rolname, c.relname, p.privilege
        from pg_class as c,
            unnest(array['anon', 'authenticated', 'service_role', 'lead_pipeline', 'lead_bot']) as r (rolname),
            unnest(array['truncate', 'references', 'trigger', 'delete']) as p (privilege)
        where c.relname = any(%s) and has_table_privilege(r.rolname, c.oid, p.privilege)
        """,
        [[*OURS, *VIEWS]],
    )
    assert rows == []


@pytest.mark.parametrize("who", PIPELINES)
def test_the_pipeline_reads_no_user_and_changes_nothing_of_a_lead_but_its_segment(
    seeded_db: SeededDatabase, who: str
) -> None:
    assert outcome(seeded_db, who, "select * from auth.users") == DENIED
    for column in ("status", "email", "branch", "source_channel", "created_at"):
        assert outcome(seeded_db, who, f"update leads set {column} = default") == DENIED


@pytest.mark.parametrize("who", PIPELINES)
def test_the_pipeline_attributes_a_lead_once(seeded_db: SeededDatabase, who: str) -> None:
    with seeded_db.act_as(who) as connection:
        assert connection.execute(f"update leads set segment_id = {SEGMENT}").rowcount == 1
        assert connection.execute("update leads set segment_id = null").rowcount == 0
        connection.rollback()


def test_no_signed_in_user_reads_personal_data(seeded_db: SeededDatabase) -> None:
    for who in ("anon", "authenticated", "admin"):
        assert outcome(seeded_db, who, "select * from leads") == DENIED


@pytest.mark.parametrize("who", PIPELINES)
@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("channel_fetches", "fetched_at = now()"),
        ("budget_decisions", "action = 'hold'"),
        ("budget_decisions", "sentence = 'other'"),
        ("channel_orchestration_log", "new_value = 1"),
        ("lead_segment_plans", "target_source = 'admin'"),
        ("pipeline_findings", "first_seen = now()"),
    ],
)
def test_the_pipeline_cannot_rewrite_what_it_once_said(
    seeded_db: SeededDatabase, who: str, table: str, columns: str
) -> None:
    assert outcome(seeded_db, who, f"update {table} set {columns}") == DENIED


@pytest.mark.parametrize("who", PIPELINES)
def test_freshness_cannot_be_claimed_by_the_pipeline(seeded_db: SeededDatabase, who: str) -> None:
    statement = (
        "insert into channel_fetches (channel, date_from, date_to, row_count, fetched_at)"
        " values ('leads', lead_today() - 1, lead_today() - 1, 0, now())"
    )
    assert outcome(seeded_db, who, statement) == DENIED


@pytest.mark.parametrize("who", PIPELINES)
@pytest.mark.parametrize(
    "row",
    [
        "lead_segment_plans (segment_id, date) values ({}, lead_today() - 1)",
        "lead_segment_plans (segment_id, date) values ({}, lead_today() + 1)",
        "lead_segment_plans (segment_id, date, target_source) values ({}, lead_today(), 'admin')",
        "budget_decisions (segment_id, action, decision_date) values ({}, 'hold', lead_today() - 1)",
        "budget_decisions (segment_id, action, decision_date) values ({}, 'hold', lead_today() + 1)",
        "lead_generation_stats (segment_id, date) values ({}, lead_today())",
        "channel_metrics (segment_id, channel, account, date) values ({}, 'x', '1', lead_today() + 1)",
        "channel_totals (channel, account, date, metric, segments, in_none) values ('x', '1', lead_today(), 'x', 0, 0)",
    ],
)
def test_the_pipeline_writes_only_its_own_days(seeded_db: SeededDatabase, who: str, row: str) -> None:
    assert outcome(seeded_db, who, f"insert into {row.format(SEGMENT)}") == DENIED


def test_a_user_sees_only_their_own_profile_and_cannot_become_admin(seeded_db: SeededDatabase) -> None:
    with seeded_db.act_as("authenticated") as connection:
        assert [row["is_admin"] for row in connection.execute("select is_admin from profiles")] == [False]
    assert outcome(seeded_db, "authenticated", "update profiles set is_admin = true") == DENIED


FUNCTIONS = {
    "public.lead_today()": {"authenticated", "service_role", "lead_pipeline"},
    "public.lead_slug(text)": {"authenticated", "service_role", "lead_pipeline"},
    "public.lead_postal_code(text, text)": {"authenticated", "service_role", "lead_pipeline"},
    "public.lead_postal_country(text, text)": {"authenticated", "service_role", "lead_pipeline"},
    "public.lead_time(timestamptz)": {"authenticated", "service_role", "lead_pipeline"},
    "public.lead_time(timestamp)": {"authenticated", "service_role", "lead_pipeline"},
    "public.calculate_lead_gap(uuid, date)": {"authenticated", "service_role", "lead_pipeline"},
    "public.update_lead_gap(uuid, date)": {"authenticated", "service_role", "lead_pipeline"},
    "public.update_lead_gaps(date, date)": {"authenticated", "service_role", "lead_pipeline"},
    "private.is_admin()": {"authenticated"},
    "private.normal_cdf(double precision)": {"authenticated", "service_role", "lead_pipeline"},
    "private.lead_contacts(date, date)": {"lead_pipeline"},
}


@pytest.mark.parametrize("who", ["public", "anon", "authenticated", "service_role", *PIPELINES])
def test_functions(seeded_db: SeededDatabase, who: str) -> None:
    rows = seeded_db.fetch(
        """
        select p.oid::regprocedure::text as name, p.proconfig
        from pg_proc as p
        where p.pronamespace = any(array['public', 'private']::regnamespace[])
            and has_function_privilege(%s, p.oid, 'execute')
        """,
        [who],
    )
    with seeded_db.connect() as connection:
        wanted = {
            connection.execute("select %s::regprocedure::text as name", [name]).fetchone()["name"]
            for name, roles in FUNCTIONS.items()
            if ("lead_pipeline" if who in PIPELINES else who) in roles
        }
    assert {row["name"] for row in rows} == wanted


def test_nobody_calls_the_private_schema_directly(seeded_db: SeededDatabase) -> None:
    for who in SeededDatabase.ACTORS:
        assert outcome(seeded_db, who, "select private.is_admin()") == DENIED


def test_gap_functions_bind_the_policies_of_their_caller(seeded_db: SeededDatabase) -> None:
    """The admin's call changes the plan; the same call of another user changes nothing and is no error."""
    seeded_db.fetch(
        f"insert into lead_segment_plans (segment_id, date, target_leads_per_day)"
        f" values ({SEGMENT}, lead_today() - 1, 5);"
        f" update lead_generation_stats set leads_generated = 2"
    )
    for who, changed in (("authenticated", 0), ("admin", 1), ("service_role", 1), ("lead_pipeline", 1), (MEMBER, 1)):
        with seeded_db.act_as(who) as connection:
            row = connection.execute("select update_lead_gaps(lead_today() - 1, lead_today() - 1) as n").fetchone()
            assert row["n"] == changed
            connection.rollback()


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_shows_what_its_reader_may_see(seeded_db: SeededDatabase, view: str) -> None:
    pipelines = () if view in OF_PEOPLE else PIPELINES
    for who in {"anon", *PIPELINES} - {*pipelines}:
        assert outcome(seeded_db, who, f"select * from {view}") == DENIED
    for who in ("authenticated", "admin", "service_role", *pipelines):
        assert outcome(seeded_db, who, f"select * from {view}") == DONE


def test_the_campaign_budget_of_the_seed_is_claimed(seeded_db: SeededDatabase) -> None:
    assert seeded_db.value("select external_id from channel_orchestration_log") == CAMPAIGN_BUDGET
