"""plpgsql_check over every trigger function: names and types that PostgreSQL itself looks at only when it runs them.

`LEADS_TEST_PLPGSQL_CHECK=1` runs it, on PostgreSQL 15. Debian's package is fetched and unpacked without being
installed, so this needs apt and dpkg, and no root.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.embedded_postgres import EmbeddedPostgres
from tests.fixtures import postgres_binaries
from tests.fixtures.postgres import PG_VERSIONS, LeadsDatabase, drop_database, make_template

PACKAGE, VERSION = "postgresql-15-plpgsql-check", "15"

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("LEADS_TEST_PLPGSQL_CHECK"), reason="plpgsql_check is run with LEADS_TEST_PLPGSQL_CHECK=1"
    ),
    pytest.mark.skipif(VERSION not in PG_VERSIONS, reason=f"plpgsql_check is run on PostgreSQL {VERSION}"),
]


@pytest.fixture(scope="module")
def checked_db(
    postgres_on: Callable[[str], EmbeddedPostgres], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LeadsDatabase]:
    """A migrated database with the extension, put beside the server's own ones."""
    if missing := [program for program in ("apt-get", "dpkg-deb") if not shutil.which(program)]:
        pytest.skip(f"plpgsql_check comes from Debian, and there is no {' or '.join(missing)} here")
    folder = tmp_path_factory.mktemp("plpgsql-check")
    done = subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"apt-get has no {PACKAGE}: {done.stderr.strip().splitlines()[-1]}")
    subprocess.run(["dpkg-deb", "--extract", next(folder.glob("*.deb")), folder], check=True)

    server = postgres_on(VERSION)
    installation = postgres_binaries.installation(VERSION)
    assert installation
    place(folder / "usr/lib/postgresql/15/lib", installation / "lib")
    place(folder / "usr/share/postgresql/15/extension", installation / "share/extension")

    name = "plpgsql_checked"
    server.create_database(name, template=make_template(server))
    database = LeadsDatabase(name, server.url(name))
    database.fetch("create extension plpgsql_check")
    yield database
    drop_database(server, name)


def place(source: Path, target: Path) -> None:
    for path in source.glob("plpgsql_check*"):
        shutil.copyfile(path, target / path.name)
        (target / path.name).chmod(0o644)


def test_every_function(checked_db: LeadsDatabase) -> None:
    functions = checked_db.fetch(
        """
        select distinct
            p.oid::regprocedure::text as function, coalesce(t.tgrelid, 0)::regclass::text as table,
            t.tgoldtable::text as old_table, t.tgnewtable::text as new_table
        from pg_proc as p
        join pg_language as l on p.prolang = l.oid
        left join pg_trigger as t on p.oid = t.tgfoid
        where l.lanname = 'plpgsql' and p.pronamespace = any(array['public', 'private']::regnamespace[])
        """
    )
    assert len(functions) > 10, "triggers, on each of their tables, and what they call"
    found = [
        f"{row['function']} on {row['table']}, line {fault['lineno']}: {fault['message']} ({fault['detail']})"
        for row in functions
        for fault in checked_db.fetch(
            "select * from plpgsql_check_function_tb(%(function)s::regprocedure, %(table)s::regclass,"
            " oldtable => %(old_table)s, newtable => %(new_table)s, fatal_errors => false,"
            " extra_warnings => true, security_warnings => true)"
            " where (level, sqlstate) <> ('warning', '42804')",  # a constant array is written as text: meant
            row,
        )
    ]
    assert found == [], "\n".join(found)
