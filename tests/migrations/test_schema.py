"""Rules that every object of the schema keeps, read from the catalogue, so that the next migration keeps them too."""

from collections.abc import Callable

import psycopg
import pytest

from tests.fixtures.postgres import LeadsDatabase
from tests.migrations.conftest import SeededDatabase
from tools import tables
from tools.migrate import migrate

COMPANY_TABLES = {"leads", "profiles", "partners", "partner_capacity"}
ACLS = """
select 'table ' || c.relname as name, coalesce(c.relacl::text, '-') as acl from pg_class as c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'S') and c.relname <> all(%(company)s)
    and c.relname !~ '^(leads|partners)_id_seq$'
union all
select 'column ' || a.attrelid::regclass || '.' || a.attname, a.attacl::text from pg_attribute as a
where a.attacl is not null and a.attrelid::regclass::text !~ '^(pg_catalog|information_schema|pg_)'
union all
select 'function ' || p.oid::regprocedure, coalesce(p.proacl::text, '-') from pg_proc as p
where p.pronamespace = any(array['public', 'private']::regnamespace[])
union all
select 'schema ' || nspname, coalesce(nspacl::text, '-') from pg_namespace where nspname = 'private'
order by 1
"""


def test_the_names_that_were_asked_for(seeded_db: SeededDatabase) -> None:
    asked = {
        "lead_segments": "id code branch region country postal_prefixes is_active",
        "lead_generation_stats": "segment_id date leads_generated leads_accepted leads_rejected leads_pending avg_cpl "
        "google_ads_spend google_ads_clicks google_ads_impressions seo_clicks seo_visits microsite_visits "
        "microsite_leads capacity_partners capacity_total_leads",
        "lead_segment_plans": "segment_id date target_leads_per_day expected_leads_per_day lead_gap "
        "target_daily_budget_google_ads actual_daily_budget_google_ads orchestration_status",
        "channel_orchestration_log": "segment_id channel action_type old_value new_value status",
        "leads": "segment_id source_channel source_campaign_id source_keyword",
    }
    for table, columns in asked.items():
        rows = seeded_db.fetch(
            "select column_name as name from information_schema.columns"
            " where table_schema = 'public' and table_name = %s",
            [table],
        )
        assert set(columns.split()) <= {row["name"] for row in rows}


def test_row_level_security_is_on_everywhere(seeded_db: SeededDatabase) -> None:
    rows = seeded_db.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        " and not relrowsecurity"
    )
    assert {row["relname"] for row in rows} <= {"partners", "partner_capacity"}


def test_views_run_as_their_reader(seeded_db: SeededDatabase) -> None:
    rows = seeded_db.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v'"
        " and not coalesce(reloptions @> '{security_invoker=true}', false)"
    )
    assert rows == []


def test_every_foreign_key_has_an_index_and_restricts(seeded_db: SeededDatabase) -> None:
    rows = seeded_db.fetch(
        """
        select c.conname from pg_constraint as c
        where c.contype = 'f' and c.connamespace = 'public'::regnamespace and c.conrelid <> all(%s::regclass[])
            and (c.confdeltype <> 'r' or not c.convalidated or not exists (
                select from pg_index as i
                where i.indrelid = c.conrelid and i.indisvalid and i.indkey[0] = c.conkey[1]
            ))
        """,
        [["profiles", "partners", "partner_capacity"]],
    )
    assert [row for row in rows if row["conname"] != "leads_partner_id_fkey"] == []


def test_functions_pin_their_search_path_and_only_four_are_definer(seeded_db: SeededDatabase) -> None:
    rows = seeded_db.fetch(
        "select proname, prosecdef, proconfig, prosqlbody is not null as is_bound from pg_proc"
        " where pronamespace = any(array['public', 'private']::regnamespace[])"
    )
    assert len(rows) >= 11
    # A body that was bound when it was created looks nothing up; one that is text finds what its path says.
    assert [row for row in rows if row["proconfig"] != ['search_path=""'] and not row["is_bound"]] == []
    assert {row["proname"] for row in rows if row["prosecdef"]} == {
        "guard_channel_sources",
        "is_admin",
        "lead_contacts",
        "log_limit_change",
        "log_source_change",
    }


def test_no_policy_asks_for_a_function_once_a_row(seeded_db: SeededDatabase) -> None:
    """`(select f())` is evaluated once per statement; a bare f() once per row: 36 times slower on a million rows."""
    rows = seeded_db.fetch(
        r"""
        select tablename, policyname from pg_policies
        where schemaname = 'public' and tablename <> 'profiles'
            and regexp_replace(concat(qual, with_check), 'SELECT [a-z_.]+\(\)', '', 'g')
            ~ '(is_admin|lead_today|uid)\(\)'
        """
    )
    assert rows == []


def test_one_policy_a_role_and_verb(seeded_db: SeededDatabase) -> None:
    rows = seeded_db.fetch(
        "select tablename, roles, cmd from pg_policies where schemaname = 'public'"
        " group by tablename, roles, cmd having count(*) > 1"
    )
    assert rows == []


def test_leads_keeps_what_it_had(company_db: Callable[[], LeadsDatabase]) -> None:
    """Columns, policies and rights of the company's own tables are untouched, but for what was added."""
    database = company_db()
    state = """
        select (select jsonb_object_agg(attname, atttypid::regtype::text || attnotnull) from pg_attribute
                where attrelid = 'leads'::regclass and attnum > 0 and attname <> all(%(added)s)) as columns,
            (select relrowsecurity from pg_class where oid = 'leads'::regclass) as rls,
            (select jsonb_agg(polname order by polname) from pg_policy where polrelid = 'leads'::regclass
                and not polroles @> array['lead_pipeline'::regrole::oid]) as policies,
            (select jsonb_agg(a.privilege_type || a.grantee::regrole order by 1) from pg_class as c,
                aclexplode(c.relacl) as a where c.oid in ('leads'::regclass, 'profiles'::regclass, 'partners'::regclass)
                and a.grantee <> 'lead_pipeline'::regrole) as rights
        """
    parameters = {"added": ["segment_id", "source_channel", "source_campaign_id", "source_keyword"]}
    database.fetch("insert into leads (branch) values ('schilder')")
    before = database.fetch(state, parameters)
    rewritten = "select pg_relation_filenode('leads') as file, (select xmin::text from leads) as version"
    stored = database.fetch(rewritten)
    migrate(database.owner_url, report=lambda line: None)
    assert database.fetch(state, parameters) == before
    assert database.fetch(rewritten) == stored


def test_both_default_grants_of_supabase_end_in_the_same_rights(company_db: Callable[[], LeadsDatabase]) -> None:
    """Older projects grant everything on new objects to the roles of the API, newer ones nothing."""
    older, newer = company_db(), company_db()
    newer.fetch(
        "alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;"
        "alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;"
        "alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;"
    )

    def rights(database: LeadsDatabase) -> dict[str, set[str]]:
        migrate(database.owner_url, report=lambda line: None)
        rows = database.fetch(ACLS, {"company": list(COMPANY_TABLES)})
        return {row["name"]: set(row["acl"].strip("{}").split(",")) for row in rows}

    assert rights(older) == rights(newer)


def test_an_owner_who_is_no_superuser_migrates(company_db: Callable[[], LeadsDatabase]) -> None:
    """As on Supabase: `postgres` there may create roles and schemas, and is no superuser."""
    database = company_db()
    with database.connect() as superuser:
        superuser.execute(
            f"""
            create role project_owner login password 'of-this-test' createrole bypassrls;
            alter database {database.name} owner to project_owner;
            alter table leads owner to project_owner;
            alter table profiles owner to project_owner;
            alter table partners owner to project_owner;
            alter table partner_capacity owner to project_owner;
            grant usage on schema auth to project_owner;
            """
        )
        url = psycopg.conninfo.make_conninfo(database.owner_url, user="project_owner", password="of-this-test")
        try:
            assert migrate(url, report=lambda line: None)
            admin = database.add_user(is_admin=True)
            with database.connect("authenticated", admin) as connection:
                connection.execute("insert into lead_segments (code, branch, region) values ('a', 'a', 'b')")
        finally:
            superuser.execute("reassign owned by project_owner to postgres; drop owned by project_owner cascade;")
            superuser.execute("drop role project_owner")


def test_the_stand_in_of_the_company_is_idempotent(company_db: Callable[[], LeadsDatabase]) -> None:
    from tests.fixtures.postgres import COMPANY_SQL

    database = company_db()
    migrate(database.owner_url, report=lambda line: None)
    with database.connect() as connection:
        connection.execute(COMPANY_SQL.read_text())


@pytest.mark.parametrize(
    "query",
    [
        "select * from lead_segments where branch = 'a' and region = 'b'",
        "select * from lead_segments where code = 'a'",
        "select * from lead_generation_stats where date = '2026-03-01'",
        "select * from lead_generation_stats"
        " where segment_id = '00000000-0000-0000-0000-000000000000' and date = '2026-03-01'",
        "select * from lead_segment_plans where date = '2026-03-01' and lead_gap > 0",
        "select * from channel_orchestration_log where status = 'failed'",
        "select * from channel_orchestration_log where status = 'pending' and channel = 'google_ads'",
        "select * from channel_metrics where channel = 'google_ads' and date = '2026-03-01'",
        "select * from channel_fetches where channel = 'leads' and account = '1' and fetched_at > now()",
        "select * from leads where segment_id = '00000000-0000-0000-0000-000000000000'",
        "select * from leads where source_channel = 'google_ads'",
        "select * from leads where created_at >= now() and created_at < now() + interval '1 day'",
    ],
)
def test_an_index_serves(seeded_db: SeededDatabase, query: str) -> None:
    with seeded_db.connect() as connection:
        connection.execute("set enable_seqscan = off")
        rows = connection.execute(f"explain {query}").fetchall()
    assert any("Index Cond" in row["QUERY PLAN"] for row in rows), rows


def test_the_page_of_the_tables_agrees_with_the_catalogue(seeded_db: SeededDatabase) -> None:
    read = {name: table for name, table in tables.read().items() if table.ours}
    columns = seeded_db.fetch(
        "select attrelid::regclass::text as name, attname as col, attnotnull as required from pg_attribute"
        " inner join pg_class as c on attrelid = c.oid where c.relkind = 'r' and attnum > 0 and not attisdropped"
        " and c.relnamespace = 'public'::regnamespace and c.relname <> all(%s)",
        [sorted(COMPANY_TABLES)],
    )
    assert {(row["name"], row["col"], row["required"]) for row in columns} == {
        (table.name, column.name, column.required) for table in read.values() for column in table.columns.values()
    }
    keys = seeded_db.fetch(
        "select i.indexrelid::regclass::text as name, indisprimary as is_primary, indpred is not null as partial,"
        " array_agg(pg_get_indexdef(i.indexrelid, n::int, true) order by n) as columns"
        " from pg_index as i inner join pg_class as c on i.indrelid = c.oid"
        " cross join lateral generate_series(1, i.indnkeyatts) as n"
        " where c.relnamespace = 'public'::regnamespace and c.relname <> all(%s) and i.indisunique group by 1, 2, 3",
        [sorted(COMPANY_TABLES)],
    )
    plain = {(row["name"], row["is_primary"], row["partial"], len(row["columns"])) for row in keys}
    assert plain == {
        (name, key.primary, bool(key.where), len(key.columns))
        for table in read.values()
        for name, key in table.keys.items()
    }
    foreign = seeded_db.fetch(
        "select conname as name, conrelid::regclass::text as child, confrelid::regclass::text as parent"
        " from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace"
        " and conrelid::regclass::text not in ('profiles', 'partners', 'partner_capacity')"
        " and conname <> 'leads_partner_id_fkey'"
    )
    assert {(row["name"], row["child"], row["parent"]) for row in foreign} == {
        (name, table.name, key.table) for table in tables.read().values() for name, key in table.foreign_keys.items()
    }
