"""All local services together: PostgreSQL, the sandbox and Airflow, as detached processes of this checkout."""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from local import LocalError, private
from local.airflow_api import AirflowApi
from local.airflow_services import COMPONENTS, AirflowServices
from local.processes import digests
from local.progress import step
from local.real_database import STAND_IN, real_database
from tools import REPOSITORY, migrate


class Stack(AirflowServices):
    """Starts and stops what runs below one folder, and fills the leads database."""

    # -- starting ------------------------------------------------------------------------------------------------

    @contextmanager
    def starting(self, *, wait: bool = True) -> Iterator[bool]:
        """One process at a time starts or stops services. Without `wait`: False while another one does."""
        private.protect(self.home)
        private.folder(self.home / "run")
        with open(self.home / "run" / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True

    def start(
        self, before_scheduler: Callable[[AirflowApi | None], None] | None = None, *, forget_restarts: bool = False
    ) -> None:
        """Start what is not running yet and bring the local leads database up to date.

        The scheduler comes after that: what is due then starts by itself, and finds the whole day's data in place.
        What was restarted so far is forgotten if asked: what was given up is watched anew.
        `before_scheduler` gets the API if an interrupted run may have left something to close, else None.
        Raises LocalError or MigrationError; what was started stays, until `stop`.
        """
        ignored = [] if real_database() else sorted(set(STAND_IN) & set(os.environ))
        if ignored:
            print(f"  not used, because LEADS_DATABASE_URL is not set: {', '.join(ignored)}")
        with self.starting():
            if forget_restarts:
                self.restarts.unlink(missing_ok=True)
            if self.owns_postgres:
                self.start_postgres()
            if self.owns_world:
                self.start_world()
            self.begin_airflow()
            if self.owns_world:
                with step("migrations"):
                    self.migrate_leads()
                with step("the company's data"):
                    self.load_company()
                if self.owner == "up":
                    self.start_company()
            close = not self.processes.find("scheduler") and self._has_open_runs()
            if close:
                self.finish_airflow()
            if before_scheduler:
                before_scheduler(self.api() if close else None)
            self.start_scheduler()
            if not close:
                self.finish_airflow()
            if self.owner == "up":
                self.finish_health()
                self.start_watchdog()

    def start_postgres(self) -> None:
        """Start the embedded server, with the databases `leads` and `airflow` in it."""
        was_running = self.postgres.is_running() and self.processes.find("postgres") is not None
        with step("PostgreSQL"):
            self.postgres.start()
            for database in ("leads", "airflow"):
                self.postgres.create_database(database)
        pid, port, log = self.postgres.process()
        if was_running:
            self._claim("postgres")
        else:
            self.processes.adopt("postgres", pid, owner=self.owner, port=port, log=log)

    def start_world(self) -> None:
        """Start the sandbox for Google Ads, Search Console and GA4, and wait until it serves."""
        folder = self.home / "sandbox"
        record = self.processes.find("sandbox")
        if record and self.sandbox_ready():
            self._claim("sandbox")
            return
        with step("sandbox") as tick:
            if not record:
                command: list[str | Path] = [sys.executable, "-m", "sandbox", "--home", folder]
                record = self.processes.spawn("sandbox", command, self.plain_environment(), owner=self.owner)
            self._wait("sandbox", lambda: self.sandbox_ready() is not None, tick)

    def start_company(self) -> None:
        """Let the sandbox company work: it writes each new day's leads."""
        if not self.processes.find("company"):
            environment = self.plain_environment() | {"LEAD_DEMAND_HOME": str(self.home)}
            command = [sys.executable, "-m", "local.company"]
            self.processes.spawn("company", command, environment, owner=self.owner)

    def start_watchdog(self) -> None:
        """Start the process that restarts what ends; one that was started with other settings is replaced."""
        more = (*private.AIRFLOW, *(private.REAL if real_database() else ()))
        environment = self.plain_environment(more) | {"LEAD_DEMAND_HOME": str(self.home)}
        record = self.processes.find("watchdog")
        if record and record.settings == digests(environment):
            return
        self.stop_watchdog()
        self.processes.spawn("watchdog", [sys.executable, "-m", "local.watchdog"], environment, owner=self.owner)

    def stop_watchdog(self) -> bool:
        """Stop it, whatever it does just now; returns whether it ran. What it has started stays."""
        ran = self.processes.find("watchdog") is not None
        self.processes.stop(["watchdog"], patience=4)
        return ran

    # -- stopping ------------------------------------------------------------------------------------------------

    def stop(self, owner: str | None = None) -> list[str]:
        """Stop the services of one owner, or all; returns the names of those that ran."""
        records = [r for r in self.processes.all() if owner in (None, r.owner)]
        names = {record.name for record in records}
        stale = () if owner else {path.stem for path in (self.home / "run").glob("*.json")}
        # Nothing is started again; tasks report to the API server, and it writes to PostgreSQL: in that order.
        for wave, patience in (
            (("watchdog",), 4),
            (("scheduler", "dag-processor", "triggerer"), 15),
            (("api-server", "sandbox", "company"), 4),
        ):
            self.processes.stop([name for name in wave if name in names or name in stale], patience)
        if "postgres" in names or owner is None:
            self.postgres.stop()
            self.processes.reap("postgres")
        return [name for name in (*COMPONENTS, "company", "sandbox", "postgres") if name in names]

    def release(self, *names: str) -> None:
        """Stop these services if no other command needs them: nothing else runs, and `make up` did not start them."""
        if set(self.running()) <= set(names):
            self.stop("run")

    # -- the leads database --------------------------------------------------------------------------------------

    def migrate_leads(self) -> list[str]:
        """Bring the embedded leads database up to date, the company's own tables first; returns what was applied."""
        url = self.postgres.url("leads")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute((REPOSITORY / "sandbox" / "supabase.sql").read_bytes())
        applied = migrate.migrate(url, report=lambda _line: None)
        migrate.follow_adapters(url)
        with psycopg.connect(url, autocommit=True) as connection:
            password = sql.Literal(self.secrets["lead_pipeline_password"])
            connection.execute(sql.SQL("alter role lead_pipeline login password {}").format(password))
        return applied

    def load_company(self) -> object:
        """Let the sandbox company's own systems write into the local leads database, up to this morning."""
        from sandbox.company.load import load

        if not self.control:
            raise LocalError("The sandbox does not run. Nothing was loaded. Run the same command again.")
        return load(self.leads_url, self.control)
