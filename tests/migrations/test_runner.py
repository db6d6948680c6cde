"""The migration runner: run twice, by two at once, killed half way, after an edit, beside Supabase's own tool."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from local.embedded_postgres import EmbeddedPostgres
from tests.fixtures.pgbouncer import PooledDatabase
from tests.fixtures.postgres import LeadsDatabase
from tests.migrations.conftest import ALL, quiet, runner, schema
from tools.migrate import APPLICATION_NAME, HISTORY, main, migrate, pending
from tools.migrations import MigrationError, read_folder

MakeDatabase = Callable[[], LeadsDatabase]


def wait_for(database: LeadsDatabase, activity: str) -> int:
    """Wait until the runner's session does this; returns its pid in the server."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        rows = database.fetch(
            "select pid from pg_stat_activity where datname = %s and application_name = %s and state = 'active'"
            " and wait_event_type = 'Lock' and query ilike %s",
            [database.name, APPLICATION_NAME, f"%{activity}%"],
        )
        if rows:
            return rows[0]["pid"]
        time.sleep(0.02)
    raise AssertionError(f"the runner never came to {activity}")


def test_twice(company_db: MakeDatabase, postgres_cluster: EmbeddedPostgres, whole_schema: str) -> None:
    database, lines = company_db(), []
    assert pending(database.owner_url) == ALL
    assert migrate(database.owner_url, report=lines.append) == ALL
    assert len(lines) == len(ALL) + 1 and all(line.startswith("applied  2026") for line in lines[:-1])
    assert migrate(database.owner_url, report=lines.append) == []
    assert lines[-1] == f"0 applied, {len(ALL)} already there"
    assert pending(database.owner_url) == []
    assert schema(postgres_cluster, database) == whole_schema


def test_four_at_once(company_db: MakeDatabase, postgres_cluster: EmbeddedPostgres, whole_schema: str) -> None:
    database = company_db()
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: migrate(database.owner_url, report=quiet), range(4)))
    assert sorted(done, key=len) == [[], [], [], ALL]
    assert schema(postgres_cluster, database) == whole_schema


def test_killed_inside_a_transaction(
    company_db: MakeDatabase, postgres_cluster: EmbeddedPostgres, whole_schema: str
) -> None:
    """The runner dies while it waits for leads; the file that it was in leaves no trace."""
    database = company_db()
    with database.connect(autocommit=False) as reader:
        reader.execute("select count(*) from leads")
        with runner(database) as process:
            pid = wait_for(database, "alter table public.leads")
            process.send_signal(signal.SIGKILL)
        database.fetch("select pg_terminate_backend(%s, 5000)", [pid])
        half = pending(database.owner_url)
        assert half[0].endswith("leads_columns")
        reader.rollback()
    assert migrate(database.owner_url, report=quiet) == half
    assert schema(postgres_cluster, database) == whole_schema


@pytest.mark.parametrize("server_survives", [True, False], ids=["index finished", "index invalid"])
def test_killed_inside_create_index_concurrently(
    company_db: MakeDatabase, postgres_cluster: EmbeddedPostgres, whole_schema: str, server_survives: bool
) -> None:
    """An old transaction keeps the index waiting. The runner dies; the server's half ends its work, or dies too."""
    database = company_db()
    first_index = next(label for label in ALL if label.endswith("_index"))
    lines: list[str] = []
    with database.connect(autocommit=False) as old:
        old.execute("set transaction isolation level repeatable read; select count(*) from profiles")
        with runner(database) as process:
            pid = wait_for(database, "create index concurrently")
            process.send_signal(signal.SIGKILL)
        if not server_survives:
            database.fetch("select pg_terminate_backend(%s, 5000)", [pid])
            assert (
                database.value("select indisvalid from pg_index where indexrelid = 'leads_segment_id_idx'::regclass")
                is False
            )
        assert pending(database.owner_url)[0] == first_index
        old.rollback()
    done = migrate(database.owner_url, report=lines.append)
    assert done == ALL[ALL.index(first_index) :]
    assert any("was there already" in line for line in lines) is server_survives
    assert schema(postgres_cluster, database) == whole_schema


def test_a_concurrent_index_that_is_ended_says_what_remains_and_the_next_run_repairs_it(
    company_db: MakeDatabase, tmp_path: Path
) -> None:
    """Somebody ends the session that waits for an old transaction; what the message says is what is there."""
    database = company_db()
    (tmp_path / "20270101000000_late_index.sql").write_text(
        "create index concurrently leads_city_idx on public.leads (city);"
    )
    with database.connect(autocommit=False) as old, ThreadPoolExecutor(1) as pool:
        old.execute("set transaction isolation level repeatable read; select count(*) from profiles")
        running = pool.submit(migrate, database.owner_url, tmp_path, report=quiet)
        pid = wait_for(database, "create index concurrently")
        database.fetch("select pg_terminate_backend(%s, 5000)", [pid])
        with pytest.raises(MigrationError) as said:
            running.result()
        old.rollback()
    assert "the index public.leads_city_idx may remain, invalid" in str(said.value)
    assert "The file was rolled back" not in str(said.value)
    valid = "select indisvalid from pg_index where indexrelid = 'leads_city_idx'::regclass"
    assert database.value(valid) is False
    assert migrate(database.owner_url, tmp_path, report=quiet) == ["20270101000000_late_index"]
    assert database.value(valid) is True


def test_another_index_of_the_same_name_is_left_alone(company_db: MakeDatabase) -> None:
    database = company_db()
    database.fetch("create index leads_created_at_idx on leads (created_at, branch)")
    with pytest.raises(MigrationError, match=r"another index of that name: .*\(created_at, branch\)"):
        migrate(database.owner_url, report=quiet)
    database.fetch("drop index leads_created_at_idx; create index leads_created_at_idx on leads (created_at)")
    assert migrate(database.owner_url, report=quiet)[0].endswith("leads_created_at_index")


def test_a_busy_table_is_tried_again(company_db: MakeDatabase, tmp_path: Path) -> None:
    database, lines = company_db(), []
    (tmp_path / "20270101000000_wait.sql").write_text("alter table public.leads add column more text;")
    with database.connect(autocommit=False) as reader:
        reader.execute("select count(*) from leads")

        def report(line: str) -> None:
            lines.append(line)
            reader.rollback()

        assert migrate(database.owner_url, tmp_path, report=report, lock_timeout_ms=50) == ["20270101000000_wait"]
    assert lines[0] == "waiting  20270101000000_wait: a table is in use, attempt 1 of 5"

    (tmp_path / "20270101000001_give_up.sql").write_text("alter table public.leads add column even_more text;")
    with database.connect(autocommit=False) as reader:
        reader.execute("select count(*) from leads")
        with pytest.raises(MigrationError, match="20270101000001_give_up: a table stayed locked by others, 1 times"):
            migrate(database.owner_url, tmp_path, report=quiet, lock_timeout_ms=50, attempts=1)
    assert pending(database.owner_url, tmp_path) == ["20270101000001_give_up"]


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for number in (1, 3):
            path = tmp_path / f"2027010100000{number}_make_{number}.sql"
            path.write_text(f"create table public.made_{number} (id integer);\n")
        return tmp_path

    def test_an_edited_file_is_named(self, company_db: MakeDatabase, folder: Path) -> None:
        database = company_db()
        migrate(database.owner_url, folder, report=quiet)
        (folder / "20270101000001_make_1.sql").write_text("create table public.made_1 (id bigint);")
        with pytest.raises(MigrationError, match=r"Edited after it was applied: 20270101000001_make_1\."):
            migrate(database.owner_url, folder, report=quiet)
        with pytest.raises(MigrationError, match="Edited"):
            pending(database.owner_url, folder)

    @pytest.mark.parametrize(
        ("applied", "now"),
        [
            ("select 'a b'", "select 'ab'"),
            ("select 'a  b'", "select 'a b'"),
            ("select 'it''s; so'", "select 'it''sso'"),
            ('select 1 as "a b"', 'select 1 as "ab"'),
            ("select $$a b$$", "select $$ab$$"),
            ("do $x$ begin perform 'a b'; end $x$", "do $x$ begin perform 'ab'; end $x$"),
            (r"select e'\' b'", r"select e'\'b'"),
            ("select 1 as a", "select 1as a"),
            ("select 1 < -1", "select 1 <-1"),
            ("select 'A'", "select 'a'"),
            ("select 1; select 2", "select 1, 2"),
        ],
    )
    def test_a_blank_that_means_something_is_an_edit(
        self, company_db: MakeDatabase, tmp_path: Path, applied: str, now: str
    ) -> None:
        database, file = company_db(), tmp_path / "20270101000001_literal.sql"
        file.write_text(f"{applied};\n")
        migrate(database.owner_url, tmp_path, report=quiet)
        file.write_text(f"{now};\n")
        with pytest.raises(MigrationError, match="Edited after it was applied: 20270101000001_literal"):
            pending(database.owner_url, tmp_path)

    def test_a_blank_between_two_words_is_no_edit(self, company_db: MakeDatabase, tmp_path: Path) -> None:
        database, file = company_db(), tmp_path / "20270101000001_layout.sql"
        file.write_text("-- Why,  and when.\nselect 'a b',1  /* one\n two */;\nselect 2;;\n")
        migrate(database.owner_url, tmp_path, report=quiet)
        file.write_text("-- Why, and when.\r\nselect\n    'a b', 1 /* one two */;\r\n\n\nselect 2")
        assert pending(database.owner_url, tmp_path) == []

    def test_a_late_file_is_named(self, company_db: MakeDatabase, folder: Path) -> None:
        database = company_db()
        migrate(database.owner_url, folder, report=quiet)
        (folder / "20270101000002_late.sql").write_text("select 1;")
        with pytest.raises(MigrationError, match=r"Older than 20270101000003, .*: 20270101000002_late"):
            migrate(database.owner_url, folder, report=quiet)

    def test_the_companys_own_migrations_are_named_and_left_alone(self, company_db: MakeDatabase, folder: Path) -> None:
        database, lines = company_db(), []
        database.fetch("create schema supabase_migrations")
        database.fetch(f"create table {HISTORY} (version text primary key, statements text[], name text)")
        database.fetch(f"insert into {HISTORY} values ('20250101000000', '{{select 1}}', 'init')")
        database.fetch(f"insert into {HISTORY} values ('20290101000000', '{{select 1}}', 'later')")
        migrate(database.owner_url, folder, report=lines.append)
        assert lines[0] == "not of this folder, left alone: 20250101000000, 20290101000000"
        assert database.value("select count(*) from made_3") == 0

    def test_what_the_supabase_cli_applied_counts(self, company_db: MakeDatabase, folder: Path) -> None:
        """It stores the statements split and without the last semicolon; very old ones stored none."""
        database = company_db()
        database.fetch("create schema supabase_migrations")
        database.fetch(f"create table {HISTORY} (version text primary key, statements text[], name text)")
        (folder / "20270101000001_make_1.sql").write_text("-- Why.\nselect 1;\n\nselect 2;\n")
        database.fetch(
            f"insert into {HISTORY} values ('20270101000001', %s, 'make_1')", [["-- Why.\nselect 1", "select 2"]]
        )
        assert migrate(database.owner_url, folder, report=quiet) == ["20270101000003_make_3"]
        database.fetch(f"update {HISTORY} set statements = null")
        assert migrate(database.owner_url, folder, report=quiet) == []

    def test_a_failing_file_leaves_nothing_and_says_what_to_do(self, company_db: MakeDatabase, folder: Path) -> None:
        database = company_db()
        (folder / "20270101000002_bad.sql").write_text("create table public.half (id integer); select 1 / 0;")
        with pytest.raises(MigrationError, match=r"20270101000002_bad failed: division by zero\. .* rolled back"):
            migrate(database.owner_url, folder, report=quiet)
        assert pending(database.owner_url, folder) == ["20270101000002_bad", "20270101000003_make_3"]
        assert database.value("select to_regclass('public.half')") is None

    @pytest.mark.parametrize(
        ("name", "text", "says"),
        [
            ("20270101000002-dash.sql", "select 1;", "is not named"),
            ("20270101000001_twin.sql", "select 1;", "the same version"),
            ("20270101000002_mix.sql", "select 1; create index concurrently i on public.t (a);", "beside other"),
            ("20270101000002_if.sql", "create index concurrently if not exists i on public.t (a);", "no second run"),
            ("20270101000002_path.sql", "create index concurrently i on t (a);", "no second run"),
        ],
    )
    def test_a_file_that_cannot_be_applied(self, folder: Path, name: str, text: str, says: str) -> None:
        (folder / name).write_text(text)
        with pytest.raises(MigrationError, match=says):
            read_folder(folder)

    def test_an_empty_folder_is_a_wrong_path(self, tmp_path: Path) -> None:
        with pytest.raises(MigrationError, match="no migration"):
            read_folder(tmp_path / "nowhere")


def test_a_database_that_is_no_supabase_project_is_refused(postgres_cluster: EmbeddedPostgres) -> None:
    postgres_cluster.create_database("stranger")
    with pytest.raises(
        MigrationError, match=r"public\.leads or public\.profiles does not exist.*sandbox/supabase\.sql"
    ):
        migrate(postgres_cluster.url("stranger"), report=quiet)


def test_any_transaction_pooler_is_told_by_what_it_does(
    company_db: MakeDatabase, pooler_before: Callable[..., PooledDatabase]
) -> None:
    database = company_db()
    pooled = pooler_before(database)
    with pytest.raises(MigrationError, match="is a transaction pooler"):
        migrate(pooled.pipeline_url, report=quiet)
    assert database.value("select to_regnamespace('supabase_migrations')") is None


def test_what_is_missing_can_be_asked_through_a_transaction_pooler(
    leads_db: LeadsDatabase, pooler_before: Callable[..., PooledDatabase]
) -> None:
    for _ in range(7):
        assert pending(pooler_before(leads_db).pipeline_url) == []


def test_the_transaction_pooler_is_refused() -> None:
    with pytest.raises(MigrationError, match="port 6543"):
        migrate("postgresql://postgres@127.0.0.1:6543/postgres", report=quiet)


def test_the_command_line(company_db: MakeDatabase, capsys: pytest.CaptureFixture[str]) -> None:
    database = company_db()
    url = ["--url", database.owner_url]
    assert main([*url, "--check"]) == 3
    assert ALL[0] in capsys.readouterr().err
    assert main([*url, "--dry-run"]) == 0
    assert f"pending  {ALL[-1]}" in capsys.readouterr().out
    assert database.value("select to_regnamespace('supabase_migrations')") is None
    assert main(url) == 0
    grants = [line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines() if line.startswith("next ")]
    assert main([*url, "--check"]) == 3
    assert all(grant in capsys.readouterr().err for grant in grants[:1]) and len(grants) == 2
    for grant in grants:
        database.fetch(grant)
    assert main([*url, "--check"]) == 0
    assert main(["--url", database.pipeline_url, "--check"]) == 0
    assert main(["--url", "postgresql://nobody@127.0.0.1:1/none", "--check"]) == 1
    assert "Nothing was applied" in capsys.readouterr().err


def test_a_history_that_may_not_be_read(company_db: MakeDatabase) -> None:
    database = company_db()
    database.fetch("create schema supabase_migrations")
    database.fetch(f"create table {HISTORY} (version text primary key, statements text[], name text)")
    with psycopg.connect(database.pipeline_url, autocommit=True), pytest.raises(MigrationError, match="may not read"):
        pending(database.pipeline_url)
