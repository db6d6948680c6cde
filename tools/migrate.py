"""Apply include/migrations to a database, in Supabase's own form: `supabase db push` and this can take turns.

    python -m tools.migrate [--url URL] [--dry-run | --check]

Afterwards what tells double posts follows the adapter of `leads`, and the grants that the adapters need and the
pipeline does not have are printed; none is given by itself. See `tools.adapters`.

The URL defaults to LEADS_DATABASE_URL and logs in as the owner of the schema (`postgres`, port 5432).
Each file runs in one transaction with its row in `supabase_migrations.schema_migrations`: a killed run leaves
a file applied and recorded, or neither. `create index concurrently` cannot run in a transaction: it stands
alone in its file, and what a killed attempt left is dropped (invalid) or recorded (finished) by the next run.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tools import adapters, addresses
from tools.migrations import CONCURRENT_INDEX, MIGRATIONS, Migration, MigrationError, pieces, read_folder

HISTORY = "supabase_migrations.schema_migrations"
APPLICATION_NAME = "lead_demand migrate"
ADVISORY_LOCK = 0x6C656164_64656D61  # "leaddema": one runner at a time in a database
TRANSACTION_POOLER_PORT = "6543"

# Exactly the form that the Supabase CLI makes.
CREATE_HISTORY = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
"""

Report = Callable[[str], None]


def pending(url: str, folder: Path = MIGRATIONS) -> list[str]:
    """The labels of the migrations that the database lacks, in order; reads only.

    Raises MigrationError when an applied file was edited, or a missing one is older than an applied one.
    """
    files = read_folder(folder)
    with _connect(url) as connection:
        return [migration.label for migration in _pending(connection, files, lambda line: None)]


def migrate(
    url: str,
    folder: Path = MIGRATIONS,
    dry_run: bool = False,
    *,
    report: Report = print,
    lock_seconds: float = 600,
    lock_timeout_ms: int = 5_000,
    attempts: int = 5,
) -> list[str]:
    """Apply what is pending, and return its labels; with `dry_run` only list it.

    Waits up to `lock_seconds` for another runner. A file kept out by a busy table for `lock_timeout_ms`
    (or its own `set local lock_timeout`) is rolled back and tried again, `attempts` times in all.
    Raises MigrationError; files before the failing one stay applied.
    """
    files = read_folder(folder)
    if not dry_run:
        _refuse_transaction_pooler(url)
    with _connect(url) as connection:
        if dry_run:
            todo = _pending(connection, files, report)
            for migration in todo:
                report(f"pending  {migration.label}")
        else:
            with _only_runner(connection, lock_seconds, report):
                connection.execute("set client_min_messages = warning")
                connection.execute(CREATE_HISTORY)
                todo = _pending(connection, files, report)
                for migration in todo:
                    _apply_patiently(connection, migration, lock_timeout_ms, attempts, report)
    report(f"{len(todo)} {'pending' if dry_run else 'applied'}, {len(files) - len(todo)} already there")
    return [migration.label for migration in todo]


def _refuse_transaction_pooler(url: str) -> None:
    """The lock of the only runner and CREATE INDEX CONCURRENTLY need a session. Port 6543 is Supabase's pooler; any
    other is told by what it does: two connections that are open at once have one session of the server between them.
    """
    is_pooler = conninfo_to_dict(url).get("port") == TRANSACTION_POOLER_PORT
    if not is_pooler:
        with _connect(url) as one, _connect(url) as other:
            sessions = {_value(connection, "select pg_backend_pid() + %s", 0) for connection in (one, other)}
        is_pooler = len(sessions) == 1
    if is_pooler:
        raise MigrationError(
            "This address is a transaction pooler (Supabase's port 6543, PgBouncer), where no lock outlives a "
            "transaction. Nothing was applied. Use a session connection: Supabase's port 5432, or the server itself."
        )


@contextmanager
def _connect(url: str) -> Iterator[psycopg.Connection]:
    try:
        connection = psycopg.connect(url, autocommit=True, prepare_threshold=None, application_name=APPLICATION_NAME)
    except psycopg.Error as error:
        raise MigrationError(
            f"The database did not let us in: {addresses.told(error, url)}. Nothing was applied. "
            f"Check the URL and the password."
        ) from None  # the driver's own error quotes an address
    with connection:
        yield connection


@contextmanager
def _only_runner(connection: psycopg.Connection, seconds: float, report: Report) -> Iterator[None]:
    """Hold the advisory lock; closing the connection releases it.

    It is polled: a session blocked inside pg_advisory_lock holds a snapshot that another runner's CREATE
    INDEX CONCURRENTLY waits for, which is a deadlock. The server's half of a killed runner holds it until its
    last statement ends, so nothing is ever applied beside it.
    """
    deadline = time.monotonic() + seconds
    waiting = False
    while not _value(connection, "select pg_try_advisory_lock(%s)", ADVISORY_LOCK):
        if time.monotonic() > deadline:
            raise MigrationError(
                f"Another runner has been migrating this database for {seconds:.0f} s. Nothing was applied. "
                f"Wait for it, or end its session: application_name '{APPLICATION_NAME}' in pg_stat_activity."
            )
        if not waiting:
            report("waiting for another runner")
            waiting = True
        time.sleep(0.1)
    yield


def _value(connection: psycopg.Connection, query: str, parameter: object) -> object:
    row = connection.execute(query, [parameter]).fetchone()
    return row[0] if row else None


def _pending(connection: psycopg.Connection, files: Sequence[Migration], report: Report) -> list[Migration]:
    """Compare the folder with the history. The company's own migrations share it: named, never refused."""
    try:
        known = _value(connection, "select to_regclass(%s) is not null", HISTORY)
        rows = connection.execute(f"select version, statements from {HISTORY}").fetchall() if known else []
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationError(
            f"This role may not read {HISTORY}. Nothing was applied. Connect as the owner of the schema."
        ) from error
    applied: dict[str, list[str] | None] = dict(rows)
    ours = {migration.version for migration in files}
    if others := sorted(set(applied) - ours):
        report(f"not of this folder, left alone: {', '.join(others)}")
    edited = [
        migration.label
        for migration in files
        if (then := applied.get(migration.version)) and pieces(migration.text) != pieces("\n;\n".join(then))
    ]
    if edited:
        raise MigrationError(
            f"Edited after it was applied: {', '.join(edited)}. Nothing was applied. "
            f"Restore the file, and put the change in a new one."
        )
    todo = [migration for migration in files if migration.version not in applied]
    newest = max(ours & set(applied), default="")
    if late := [migration.label for migration in todo if migration.version < newest]:
        raise MigrationError(
            f"Older than {newest}, which is applied already: {', '.join(late)}. Nothing was applied. "
            f"Give the file a later version."
        )
    return todo


def _apply_patiently(
    connection: psycopg.Connection,
    migration: Migration,
    lock_timeout_ms: int,
    attempts: int,
    report: Report,
) -> None:
    for attempt in range(1, attempts + 1):
        started = time.monotonic()
        try:
            note = _apply(connection, migration, lock_timeout_ms)
        except psycopg.errors.LockNotAvailable as error:
            if attempt == attempts:
                raise MigrationError(
                    f"{migration.label}: a table stayed locked by others, {attempts} times. The file was "
                    f"rolled back; those before it are applied. Run it again at a quiet moment."
                ) from error
            report(f"waiting  {migration.label}: a table is in use, attempt {attempt} of {attempts}")
            time.sleep(attempt)
        except psycopg.Error as error:
            what = error.diag.message_primary or str(error).strip()
            hint = f" {error.diag.message_hint}" if error.diag.message_hint else ""
            raise MigrationError(
                f"{migration.label} failed: {what.rstrip('.')}.{hint} {_left_behind(connection, migration)} "
                f"Those before it are applied. Solve this, and run the same command again."
            ) from error
        except KeyboardInterrupt as interrupt:
            raise MigrationError(
                f"{migration.label} was interrupted. {_left_behind(connection, migration)} "
                f"Those before it are applied. Run the same command again."
            ) from interrupt
        else:
            report(f"applied  {migration.label} ({time.monotonic() - started:.2f} s{note})")
            return


def _left_behind(connection: psycopg.Connection, migration: Migration) -> str:
    """What a file that did not end well may have left in the database."""
    if migration.is_concurrent:
        wanted = CONCURRENT_INDEX.fullmatch(migration.statement)
        index = f"the index {wanted['schema']}.{wanted['name']}" if wanted else "an index"
        return (
            f"A CONCURRENTLY is never rolled back: {index} may remain, invalid, so that every write keeps it and no "
            f"read uses it, or the server may still be building it. The next run drops what is invalid and makes it "
            f"again."
        )
    if connection.closed:
        return "The connection was lost: the file is applied and recorded as a whole, or not at all."
    return "The file was rolled back."


def _apply(connection: psycopg.Connection, migration: Migration, lock_timeout_ms: int) -> str:
    """Run one file and record it. Returns a note for the progress line."""
    connection.execute("reset all")
    connection.execute("set client_min_messages = warning")
    connection.execute("set statement_timeout = 0")
    if migration.is_concurrent:
        # It waits for old transactions and blocks nobody, so a timeout would only leave an invalid index.
        connection.execute("set lock_timeout = 0")
        finished = _finished_index(connection, migration)
        if not finished:
            connection.execute(migration.text)
        _record(connection, migration)
        return ", was there already" if finished else ""
    connection.execute(sql.SQL("set lock_timeout = {}").format(lock_timeout_ms))
    with connection.transaction():
        connection.execute(migration.text)
        _record(connection, migration)
    return ""


def _record(connection: psycopg.Connection, migration: Migration) -> None:
    connection.execute(
        f"insert into {HISTORY} (version, name, statements) values (%s, %s, %s)",
        [migration.version, migration.name, [migration.text]],
    )


def _finished_index(connection: psycopg.Connection, migration: Migration) -> bool:
    """Is the index there, whole and as the file asks? What a killed attempt left invalid is dropped first."""
    wanted = CONCURRENT_INDEX.fullmatch(migration.statement)
    if not wanted:
        return False
    row = connection.execute(
        """
        select i.indisvalid, pg_get_indexdef(i.indexrelid)
        from pg_index i
        join pg_class c on c.oid = i.indexrelid
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = %s and c.relname = %s
        """,
        [wanted["schema"], wanted["name"]],
    ).fetchone()
    if row is None:
        return False
    is_valid, definition = row
    if not is_valid:
        name = sql.Identifier(wanted["schema"], wanted["name"])
        connection.execute(sql.SQL("drop index concurrently {}").format(name))
        return False
    rest = wanted["rest"]
    if not re.search(r"\busing\b", rest, re.I):
        rest = rest.replace("(", "using btree (", 1)
    asked = f"create {wanted['unique'] or ''}index {wanted['name']} on {wanted['schema']}.{rest}"
    if re.sub(r"\s+", "", asked).lower() != re.sub(r"\s+", "", definition).lower():
        raise MigrationError(
            f"{migration.label}: there is another index of that name: {definition}. It was left alone; the "
            f"files before this one are applied. Rename that index, and run the same command again."
        )
    return True


def follow_adapters(url: str, report: Report = print) -> None:
    """What the owner's side of the adapters needs in the database; nothing where the first migrations are not there."""
    with _connect(url) as connection:
        if _value(connection, "select to_regprocedure(%s) is not null", adapters.CONTACTS):
            adapters.follow(connection, report)


def adapter_problems(url: str) -> list[str]:
    """What keeps the pipeline from reading what the adapters name; reads only."""
    with _connect(url) as connection:
        return adapters.problems(connection)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Exits with 0; 1 after an error; 3 when --check finds migrations or grants missing."""
    parser = argparse.ArgumentParser(prog="python -m tools.migrate", description="Apply include/migrations.")
    parser.add_argument("--url", default=os.environ.get("LEADS_DATABASE_URL"), help="or LEADS_DATABASE_URL")
    parser.add_argument("--folder", type=Path, default=MIGRATIONS)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="list what is pending, change nothing")
    what.add_argument("--check", action="store_true", help="exit with 3 and name what is missing")
    options = parser.parse_args(arguments)
    if not options.url:
        parser.error("no database: give --url or set LEADS_DATABASE_URL")
    try:
        addresses.check(options.url, "The address (--url or LEADS_DATABASE_URL)")
        is_whole = options.folder == MIGRATIONS and not options.dry_run
        if options.check:
            if missing := pending(options.url, options.folder):
                print(
                    f"Missing: {', '.join(missing)}. Nothing was changed. Run `make migrate`.",
                    file=sys.stderr,
                )
                return 3
            if unfit := adapter_problems(options.url) if is_whole else []:
                print(*(f"Missing: {problem}" for problem in unfit), "Nothing was changed.", sep="\n", file=sys.stderr)
                return 3
            print("The schema is up to date.")
        else:
            migrate(options.url, options.folder, options.dry_run)
            if is_whole:
                follow_adapters(options.url)
                for problem in adapter_problems(options.url):
                    print(f"next     {problem}")
    except (MigrationError, addresses.AddressError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
