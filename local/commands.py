"""The commands about the local services: PostgreSQL, the sandbox and Airflow.

    python -m local.commands up|stop|status|migrate|psql|airflow|backtest|clean

Everything lives below `.local` (or LEAD_DEMAND_HOME). A setting of Airflow that the environment already has wins over
the one chosen here. With LEADS_DATABASE_URL set the leads database is a real one: nothing is migrated or loaded,
there is no sandbox, and the connections come from the environment. Without it the connections are always the
sandbox's.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psycopg

from local import LocalError, private, watchdog
from local.airflow_settings import ADMIN
from local.progress import step
from local.real_database import real_database, refuse_if_incomplete
from local.stack import Stack
from tools import REPOSITORY
from tools import migrate as migration_runner
from tools.migrations import MigrationError


def up() -> None:
    """`make up`: everything runs until `make stop`."""
    if real_database():
        refuse_if_incomplete()
    stack = Stack("up")
    print("Starting the local services")
    if restarted := [line for line in watchdog.report(stack) if "restarted" in line or "given up" in line]:
        print("Since the last `make up`:", *restarted, "", sep="\n")
    stack.start(forget_restarts=True)
    print(f"Airflow: {stack.airflow_url}  user {ADMIN}, password {stack.admin_password}")
    print(f"Logs: {stack.home / 'logs'}. `make run` uses these services; `make stop` ends them.")
    print("What ends by itself is started again; `make status` says what was.")


def status() -> int:
    """`make status`: what runs, what has been restarted and why, and what Airflow says of its own health."""
    stack = Stack("up")
    running = stack.running()
    print(*watchdog.report(stack), sep="\n")
    if "api-server" not in running:
        return 1
    found = stack.unwell(stack.api())
    print("\nAirflow says: " + ("every component is well." if not found else "; ".join(found)))
    return 1 if found or set(watchdog.services(stack)) - set(running) else 0


def stop() -> None:
    """`make stop`: everything of this checkout ends."""
    stack = Stack("up")
    watched = stack.stop_watchdog()  # before the lock, which it may hold for as long as a start takes
    with stack.starting(), step("stopping"):
        stopped = [*(["watchdog"] if watched else []), *stack.stop()]
    print("Stopped: " + (", ".join(stopped) or "nothing was running"))


def migrate(arguments: Sequence[str]) -> int:
    """`make migrate`: the real database if one is named, else the local one."""
    if real_database():
        return migration_runner.main(arguments)
    stack = Stack("run")
    with stack.starting():
        try:
            stack.start_postgres()
            if not arguments:
                for name in (applied := stack.migrate_leads()):
                    print(f"  applied {name}")
                if not applied:
                    print("  nothing to apply")
                return 0
            return migration_runner.main([*arguments, "--url", stack.leads_url])
        finally:
            stack.release("postgres")


def psql(arguments: Sequence[str]) -> int:
    """`make psql`: a prompt as the database's owner."""
    stack = Stack("run")
    local = not real_database()
    own = stack.postgres.binary("psql")  # of the server's version
    program = str(own) if local and own.exists() else shutil.which("psql") or str(own)
    if local:
        with stack.starting():
            stack.start_postgres()
    try:
        conninfo = psycopg.conninfo.conninfo_to_dict(stack.leads_url)
        secret = {"PGPASSWORD": str(conninfo.pop("password", ""))}  # not for everybody's eyes in the process list
        target = psycopg.conninfo.make_conninfo("", **conninfo)
        kept = private.environment(os.environ, *private.SYSTEM, *private.TERMINAL, *(() if local else private.REAL))
        # A page that has to be left with a key is no answer to a statement that was pasted.
        return subprocess.run(
            [program, "--pset=pager=off", target, *arguments], env=kept | secret, check=False
        ).returncode
    finally:
        if local:
            with stack.starting():
                stack.release("postgres")


def airflow(arguments: Sequence[str]) -> int:
    """`make airflow`: Airflow's own command line, with the settings of the local services."""
    stack = Stack("run")
    with stack.starting():
        stack.start_postgres()
    try:
        program = Path(sys.executable).parent / "airflow"
        environment = stack.airflow_environment() | private.environment(os.environ, *private.TERMINAL)
        return subprocess.run([program, *arguments], env=environment, check=False).returncode
    finally:
        with stack.starting():
            stack.release("postgres")


def backtest(arguments: Sequence[str]) -> int:
    """`make backtest`: past mornings of the database with other settings."""
    if real_database():
        refuse_if_incomplete()
    stack = Stack("run")
    with stack.starting():
        stack.start_postgres()
        if not real_database():
            stack.migrate_leads()
    try:
        environment = stack.airflow_environment() | {"PYTHONPATH": str(REPOSITORY / "plugins")}
        command = [sys.executable, "-m", "lead_demand.backtest.run", *arguments]
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        with stack.starting():
            stack.release("postgres")


def clean() -> None:
    """`make clean`: stop everything and delete what local runs have left, and nothing else in that folder."""
    stack = Stack("up")
    if not stack.home.exists():
        return
    stack.stop_watchdog()
    with stack.starting():
        stack.stop()
        stack.postgres.remove()
    for name in ("sandbox", "airflow", "run", "logs", "cache"):
        shutil.rmtree(stack.home / name, ignore_errors=True)
    for name in ("secrets.json", "secrets.lock", "environment.lock"):
        (stack.home / name).unlink(missing_ok=True)
    with suppress(OSError):  # something of the user's own lies in it
        stack.home.rmdir()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m local.commands", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["up", "stop", "status", "migrate", "psql", "airflow", "backtest", "clean"])
    options, rest = parser.parse_known_args(arguments)
    os.umask(private.UMASK)
    try:
        if options.what in ("migrate", "psql", "airflow", "backtest"):
            return {"migrate": migrate, "psql": psql, "airflow": airflow, "backtest": backtest}[options.what](rest)
        if options.what == "status":
            return status()
        {"up": up, "stop": stop, "clean": clean}[options.what]()
    except (LocalError, MigrationError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; what was started keeps running. `make stop` ends it.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
