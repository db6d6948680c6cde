"""Who somebody is stays with the company: the pipeline reads what it counts by, and double posts still count once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from lead_demand.database import sql
from local.embedded_postgres import EmbeddedPostgres
from tests.fixtures.postgres import COMPANY_SQL, PIPELINE_PASSWORD, LeadsDatabase, drop_database
from tests.fixtures.steps import execute_step
from tests.sql.statements import STATEMENTS, window
from tools import adapters
from tools.migrate import main, migrate
from tools.migrations import read_folder

PERSONAL = ("name", "email", "phone", "city", "partner_id", "price")
COUNTED_BY = {
    "id", "created_at", "status", "country", "branch", "region", "postal_code", "source_channel", "segment_id",
}  # fmt: skip
THIS = "20261127120000_leads_personal_data"
LEADS_SQL = (adapters.FOLDER / adapters.LEADS).read_text()
READ_LEADS = sorted(name for name in STATEMENTS if "from public.leads)" in sql.render(name))
_numbers = itertools.count(1)


def urls(db: LeadsDatabase) -> dict[str, str]:
    """The pipeline's own login, and one that is a member of it."""
    db.fetch("drop role if exists lead_bot")
    db.fetch(f"create role lead_bot login password '{PIPELINE_PASSWORD}' in role lead_pipeline")
    return {"lead_pipeline": db.pipeline_url, "lead_bot": db.pipeline_url.replace("//lead_pipeline:", "//lead_bot:")}


def refused(connection: psycopg.Connection[Any], query: str) -> bool:
    try:
        with connection.transaction():
            connection.execute(query)
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


@pytest.mark.parametrize("who", ["lead_pipeline", "lead_bot"])
def test_personal_columns_are_refused_and_every_statement_about_leads_runs(leads_db: LeadsDatabase, who: str) -> None:
    leads_db.fetch("insert into leads (branch, region, name, email) values ('x', 'y', 'Piet', 'piet@example.invalid')")
    with psycopg.connect(urls(leads_db)[who], row_factory=dict_row) as connection:
        for column in PERSONAL:
            assert refused(connection, f"select {column} from leads"), column
            assert refused(connection, f"select 1 from leads where {column} is not null"), column
            assert refused(connection, f"update leads set segment_id = null where {column} is null"), column
            assert refused(connection, f"update leads set {column} = null"), column
        assert refused(connection, "select * from leads") and refused(connection, "select leads from leads")
        assert refused(connection, "copy leads to stdout")
        assert not refused(connection, f"select {', '.join(COUNTED_BY)} from leads")
        today = connection.execute("select lead_today() as today").fetchone()
        assert today
        assert len(READ_LEADS) == 4
        for name in READ_LEADS:
            connection.execute(sql.render(name), window(today["today"], 3))


def test_each_column_that_the_pipeline_may_read_is_needed_by_a_statement(leads_db: LeadsDatabase) -> None:
    granted = leads_db.fetch(
        "select column_name from information_schema.column_privileges where table_name = 'leads' "
        "and grantee = 'lead_pipeline' and privilege_type = 'SELECT'"
    )
    assert {row["column_name"] for row in granted} == COUNTED_BY
    for column in COUNTED_BY:
        leads_db.fetch(f"revoke select ({column}) on leads from lead_pipeline")
        with psycopg.connect(leads_db.pipeline_url, row_factory=dict_row) as connection:
            values = window(leads_db.value("select lead_today()"), 3)
            assert any(
                refused(connection, psycopg.ClientCursor(connection).mogrify("explain " + sql.render(name), values))
                for name in READ_LEADS
            ), column
        leads_db.fetch(f"grant select ({column}) on leads to lead_pipeline")


def test_what_tells_double_posts_gives_no_personal_data_and_no_digest_of_it(leads_db: LeadsDatabase) -> None:
    leads_db.fetch(
        "insert into leads (created_at, branch, region, email, phone) select lead_today() - interval '12 hours' "
        "+ n * interval '1 minute', 'schilder', 'utrecht', mail, '0612345678' "
        "from generate_series(1, 3) as n, unnest(array['a@b.invalid', 'c@d.invalid']) as mail"
    )
    ids = {str(row["id"]) for row in leads_db.fetch("select id from leads")}
    rows = leads_db.fetch(
        "select * from private.lead_contacts(lead_today() - 1, lead_today() - 1)", role="lead_pipeline"
    )
    assert len(rows) == 6 and {value for row in rows for value in row.values()} == ids
    assert len({row["contact"] for row in rows}) == 2
    with leads_db.connect("lead_pipeline") as pipeline:
        assert refused(pipeline, "select prosrc from pg_proc, leads where leads.email = prosrc")
    for who in ("anon", "authenticated", "service_role"):
        with leads_db.connect(who) as connection:
            assert refused(connection, "select * from private.lead_contacts(lead_today(), lead_today())"), who


def test_row_level_security_of_leads_still_decides_what_is_counted(leads_db: LeadsDatabase) -> None:
    leads_db.add_segment()
    for email in ("a@b.invalid", "a@b.invalid", "secret@b.invalid"):
        leads_db.fetch(
            "insert into leads (created_at, branch, region, email, city) values "
            "(lead_today() - interval '12 hours', 'schilder', 'utrecht', %s, %s)",
            [email, email[:6]],
        )
    # The company hides a lead by a policy of its own.
    leads_db.fetch("alter table leads add column is_hidden boolean not null default false")
    leads_db.fetch("update leads set is_hidden = true where city = 'secret'")
    leads_db.fetch("create policy hidden on leads as restrictive for select to lead_pipeline using (not is_hidden)")
    with psycopg.connect(leads_db.pipeline_url) as connection:
        values = window(leads_db.value("select lead_today()"), 1)
        connection.execute(sql.render("lead_stats/update_leads.sql"), values)
        execute_step(connection, "lead_stats/upsert_channel_metrics_leads.sql", values)
    assert leads_db.value("select sum(leads_generated) from channel_metrics") == 1


# A database in use ----------------------------------------------------------------------------------------------------


@pytest.fixture
def before(postgres_cluster: EmbeddedPostgres, tmp_path: Path) -> Iterator[LeadsDatabase]:
    """A company's database with the migrations before this one, in use, with grants of its own."""
    name = f"personal_{next(_numbers)}"
    postgres_cluster.create_database(name)
    db = LeadsDatabase(name, postgres_cluster.url(name))
    db.fetch(COMPANY_SQL.read_text())
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    for migration in read_folder():
        if migration.label < THIS:
            (earlier / f"{migration.label}.sql").write_text(migration.text)
    migrate(db.owner_url, earlier, report=lambda line: None)
    db.fetch("grant select on partners, partner_capacity to lead_pipeline")
    yield db
    drop_database(postgres_cluster, name)


def granted_on_leads(db: LeadsDatabase) -> set[tuple[str, str]]:
    rows = db.fetch(
        "select grantee::regrole::text as who, privilege_type as what from pg_class, aclexplode(relacl) "
        "where oid = 'leads'::regclass"
    )
    return {(row["who"], row["what"]) for row in rows if row["who"] != "lead_pipeline"}


def test_a_database_in_use_changes_over_and_what_the_company_granted_to_others_stays(before: LeadsDatabase) -> None:
    before.fetch("grant select, insert on leads to authenticated")
    others = granted_on_leads(before)
    assert before.fetch("select has_table_privilege('lead_pipeline', 'leads', 'select') as may")[0]["may"]
    migrate(before.owner_url, report=lambda line: None)
    assert granted_on_leads(before) == others and ("authenticated", "SELECT") in others
    assert not before.value("select has_column_privilege('lead_pipeline', 'leads', 'email', 'select')")
    assert before.value("select has_column_privilege('lead_pipeline', 'leads', 'segment_id', 'update')")
    assert main(["--url", before.owner_url, "--check"]) == 0


def test_a_table_without_the_usual_columns_migrates_and_the_check_says_what_to_edit(
    before: LeadsDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    before.fetch("alter table leads drop column email, drop column country, drop column region")
    assert main(["--url", before.owner_url]) == 0
    said = capsys.readouterr().out
    assert "include/sql/sources/leads.sql does not fit the company's table: column leads.country does not exist" in said
    assert main(["--url", before.owner_url, "--check"]) == 3
    assert "Edit that file, then run `make migrate`" in capsys.readouterr().err
    assert before.fetch("select * from private.lead_contacts(lead_today(), lead_today())") == []


# An adapter that was edited -------------------------------------------------------------------------------------------


def problems(db: LeadsDatabase, leads: str = LEADS_SQL, role: str = "lead_pipeline") -> list[str]:
    with db.connect() as connection:
        connection.row_factory = psycopg.rows.tuple_row
        return adapters.problems(connection, role, leads)


def follow(db: LeadsDatabase, leads: str) -> list[str]:
    said: list[str] = []
    with db.connect() as connection:
        connection.row_factory = psycopg.rows.tuple_row
        adapters.follow(connection, said.append, leads)
    return said


@pytest.fixture
def granted_db(leads_db: LeadsDatabase) -> LeadsDatabase:
    leads_db.fetch("grant select on partners, partner_capacity to lead_pipeline")
    return leads_db


def test_the_migration_makes_what_the_adapter_of_this_repository_says(granted_db: LeadsDatabase) -> None:
    assert problems(granted_db) == [] and follow(granted_db, LEADS_SQL) == []


def test_an_edited_adapter_says_which_grant_it_needs_and_the_grant_is_exact(granted_db: LeadsDatabase) -> None:
    granted_db.fetch('alter table leads add column herkomst text, add column "Post Code" text')
    granted_db.fetch("create table kanalen (code text, naam text)")
    channel = "(select naam from public.kanalen where code = herkomst) as source_channel"
    edited = LEADS_SQL.replace("leads.source_channel", channel)
    edited = edited.replace("leads.postal_code", 'leads."Post Code" as postal_code')
    found = problems(granted_db, edited)
    assert [line.partition(": ")[2] for line in found] == [
        "grant select (code, naam) on public.kanalen to lead_pipeline;",
        'grant select (herkomst, "Post Code") on public.leads to lead_pipeline;',
    ]
    for line in found:
        granted_db.fetch(line.partition(": ")[2])
    follow(granted_db, edited)
    assert problems(granted_db, edited) == []


def test_a_right_beyond_what_is_needed_is_named(granted_db: LeadsDatabase) -> None:
    granted_db.fetch("grant select (email, phone) on leads to public")
    (found,) = problems(granted_db)
    assert "no statement needs (email, phone)" in found
    granted_db.fetch("revoke select on leads from public")
    assert problems(granted_db) == []


def test_an_adapter_that_gives_the_contact_to_the_pipeline_is_refused(granted_db: LeadsDatabase) -> None:
    edited = LEADS_SQL.replace("    {%- if with_contact | default(false) %},\n", "    ,\n").replace("{%- endif %}", "")
    (found,) = problems(granted_db, edited)
    assert "gives the pipeline the column contact" in found and "grant" not in found


def test_another_contact_and_none_are_followed(granted_db: LeadsDatabase) -> None:
    granted_db.fetch("alter table leads add column mobiel bigint, alter id drop identity")
    granted_db.fetch(
        "alter table leads alter id type uuid using gen_random_uuid(), alter id set default gen_random_uuid()"
    )
    add = (
        "insert into leads (created_at, branch, mobiel) select lead_today() - interval '12 hours' + n * interval '1 s',"
        " 'schilder', 612345678 from generate_series(1, 2) as n"
    )
    granted_db.fetch(add)
    ask = "select lead_id from private.lead_contacts(lead_today() - 1, lead_today() - 1)"
    assert granted_db.fetch(ask) == []
    start, end = LEADS_SQL.index("    lower(coalesce"), LEADS_SQL.index(" as contact\n    {%- endif")
    by_phone = LEADS_SQL[:start] + "    leads.mobiel" + LEADS_SQL[end:]
    (stale,) = problems(granted_db, by_phone)
    assert "does not tell double posts" in stale
    (said,) = follow(granted_db, by_phone)
    assert "now tells double posts" in said and len(granted_db.fetch(ask, role="lead_pipeline")) == 2
    follow(granted_db, LEADS_SQL[:start] + "    null::text" + LEADS_SQL[end:])
    assert granted_db.fetch(ask, role="lead_pipeline") == []
    broken = LEADS_SQL[:start] + "    leads.no_such_column" + LEADS_SQL[end:]
    (said,) = follow(granted_db, broken)
    assert "no_such_column does not exist" in said and "was not changed" in said


def test_a_hundred_thousand_posts_of_a_window_are_compared_at_once(leads_db: LeadsDatabase) -> None:
    segment = leads_db.add_segment()
    leads_db.fetch(
        "insert into leads (created_at, branch, region, email, segment_id) "
        "select lead_today()::timestamp at time zone 'Europe/Amsterdam' - (1 + n %% 40000) * interval '1 minute', "
        "'schilder', 'utrecht', n / 2 || '@example.invalid', %s from generate_series(1, 100000) as n",
        [segment],
    )
    values = window(leads_db.value("select lead_today()"), 28)
    with psycopg.connect(leads_db.pipeline_url) as connection:
        # Without statistics: comparing each with each would take hours.
        connection.execute("set statement_timeout = '100s'")
        execute_step(connection, "lead_stats/upsert_channel_metrics_leads.sql", values)
    counted = leads_db.value("select sum(leads_generated) from channel_metrics")
    assert 50_000 <= counted <= 50_010
