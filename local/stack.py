"""The local services: PostgreSQL, the stand-in world and Airflow, as detached processes of this checkout.

    python -m local.stack up|stop|status|migrate|psql|airflow|clean

Everything lives below `.local` (or LEAD_DEMAND_HOME). A setting of Airflow that the environment already has wins over
the one chosen here. With LEADS_DATABASE_URL set the leads database is a real one: nothing is migrated or loaded,
there is no stand-in world, and the connections come from the environment. Without it the connections are always the
stand-in world's.
"""

import argparse
import base64
import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import psycopg
from psycopg import sql

from local import local_home, private
from local.airflow_api import AirflowApi, AirflowApiError
from local.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, free_port, write_private
from local.processes import Processes, Record, digests, last_lines
from tools import REPOSITORY, addresses

STAND_IN = (  # what always comes from the stand-in world, unless LEADS_DATABASE_URL names a real one
    "AIRFLOW_CONN_LEADS_DB",
    "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT",
    "AIRFLOW_CONN_GOOGLE_ADS_DEFAULT",
    "AIRFLOW_CONN_GOOGLE_REPORTING",
)
COMPONENTS = ("scheduler", "dag-processor", "triggerer", "api-server")
ADMIN = "admin"
PATIENCE = 600  # seconds; the slowest step, Airflow's first start, takes 15 on two cores where nothing else runs


class StackError(RuntimeError):
    """The local services could not be started. The message says what to do."""


@contextmanager
def step(label: str) -> Iterator[Callable[[], None]]:
    """Print one line for a step: its name now, the seconds it took at its end; the function given marks the waiting."""
    begun = marked = time.monotonic()
    print(f"  {label} ...", end="", flush=True)

    def tick() -> None:
        nonlocal marked
        if time.monotonic() - marked > 5:
            marked = time.monotonic()
            print(f" {marked - begun:.0f} s ...", end="", flush=True)

    try:
        yield tick
    except BaseException:
        print(" stopped", flush=True)
        raise
    print(f" {time.monotonic() - begun:.1f} s", flush=True)


def real_database() -> str | None:
    """The URL of the company's own database, if the user named one. Raises StackError if it cannot be read."""
    url = os.environ.get("LEADS_DATABASE_URL") or None
    if url:
        try:
            addresses.check(url, "LEADS_DATABASE_URL")
        except addresses.AddressError as error:
            raise StackError(str(error)) from None
    return url


class Stack:
    """The services below one folder; `owner` is the command that starts them ("run" leaves alone what "up" started).

    `environ`: the environment that the services get and whose settings of Airflow win; by default this process's own.
    """

    scheduler = "local.scheduler"  # the module that is run as the scheduler

    def __init__(self, owner: str, home: Path | None = None, environ: Mapping[str, str] | None = None) -> None:
        self.owner = owner
        self.environ = os.environ if environ is None else environ
        self.home = home or local_home()
        self.postgres = EmbeddedPostgres(self.home / "postgres")
        self.processes = Processes(self.home / "run", self.home / "logs")
        self.restarts = self.home / "run" / "watch.state"  # written by the watchdog
        self._secrets: dict[str, str] = {}

    # -- what others ask -----------------------------------------------------------------------------------------

    @property
    def leads_url(self) -> str:
        """The leads database, as its owner."""
        return real_database() or self.postgres.url("leads")

    @property
    def control(self) -> str | None:
        """The stand-in world's control plane, None with a real database."""
        ready = self._sandbox_ready()
        return str(ready["control"]) if ready else None

    def api(self) -> AirflowApi:
        """A client of the running API server."""
        return AirflowApi(self.airflow_url, ADMIN, self._secret("admin_password"))

    @property
    def airflow_url(self) -> str:
        """The address of Airflow's UI and API."""
        return self.environ.get("AIRFLOW__API__BASE_URL") or f"http://127.0.0.1:{self._api_port()}"

    @property
    def admin_password(self) -> str:
        """The generated password of the UI's user `admin`."""
        return self._secret("admin_password")

    def expected(self) -> list[str]:
        """What runs after `make up`, in the order in which it is started."""
        local = ["postgres"] if self.owns_postgres else []
        world = ["sandbox", "company"] if self.owns_world else []
        return [*local, *world, "api-server", "dag-processor", "triggerer", "scheduler"]

    def log_of(self, name: str) -> Path:
        """Where a service writes."""
        return self.postgres.log if name == "postgres" else self.home / "logs" / f"{name}.log"

    def running(self) -> dict[str, Record]:
        """The services that run now, by name."""
        return {record.name: record for record in self.processes.all()}

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

    @property
    def owns_postgres(self) -> bool:
        """Does anything of it live in the embedded server?"""
        return not real_database() or "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in self.environ

    @property
    def owns_world(self) -> bool:
        """Is there a stand-in company with its accounts?"""
        return not real_database()

    def start(
        self, before_scheduler: Callable[[AirflowApi | None], None] | None = None, *, forget_restarts: bool = False
    ) -> None:
        """Start what is not running yet and bring the local leads database up to date.

        The scheduler comes after that: what is due then starts by itself, and finds the whole day's data in place.
        What was restarted so far is forgotten if asked: what was given up is watched anew.
        `before_scheduler` gets the API if an interrupted run may have left something to close, else None.
        Raises StackError, EmbeddedPostgresError or MigrationError; what was started stays, until `stop`.
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
        """Start the stand-in for Google Ads, Search Console and GA4, and wait until it serves."""
        folder = self.home / "sandbox"
        record = self.processes.find("sandbox")
        if record and self._sandbox_ready():
            self._claim("sandbox")
            return
        with step("stand-in world") as tick:
            if not record:
                command: list[str | Path] = [sys.executable, "-m", "sandbox", "--home", folder]
                record = self.processes.spawn("sandbox", command, self._plain_environment(), owner=self.owner)
            self._wait("sandbox", lambda: self._sandbox_ready() is not None, tick)

    def start_company(self) -> None:
        """Let the stand-in company work: it writes each new day's leads."""
        if not self.processes.find("company"):
            environment = self._plain_environment() | {"LEAD_DEMAND_HOME": str(self.home)}
            command = [sys.executable, "-m", "local.company"]
            self.processes.spawn("company", command, environment, owner=self.owner)

    def start_watchdog(self) -> None:
        """Start the process that restarts what ends; one that was started with other settings is replaced."""
        more = (*private.AIRFLOW, *(private.REAL if real_database() else ()))
        environment = self._plain_environment(more) | {"LEAD_DEMAND_HOME": str(self.home)}
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

    def begin_airflow(self) -> None:
        """Start everything of Airflow but the scheduler; `finish_airflow` waits for it."""
        for name in ("api-server", "dag-processor", *(["triggerer"] if self.owner == "up" else [])):
            self.start_component(name)

    def start_component(self, name: str) -> None:
        """Start one of Airflow's components, unless it runs."""
        environment = self.airflow_environment()
        self._stop_what_differs(environment)
        port = self._api_port() if name == "api-server" else None
        if port and not self.processes.find(name):
            self._migrate_airflow(environment)
            write_private(
                private.folder(self.home / "airflow") / "passwords.json",
                json.dumps({ADMIN: self._secret("admin_password")}) + "\n",
            )
        arguments = {
            "api-server": ["--host", "127.0.0.1", "--port", str(port)],
            "dag-processor": [],
            "triggerer": ["--skip-serve-logs"],
            "scheduler": ["--skip-serve-logs"],
        }
        self._start_component(name, arguments[name], environment, port)

    def finish_airflow(self) -> None:
        """Wait for the API and until every DAG file was parsed by the dag-processor that runs now.

        Raises StackError with the traceback when a DAG file cannot be imported.
        """
        api = self.api()
        folder = Path(self.airflow_environment()["AIRFLOW__CORE__DAGS_FOLDER"])
        dag_ids = [path.stem for path in folder.glob("*.py")]  # DAG id = file name
        with step("Airflow") as tick:
            self._wait("api-server", api.is_up, tick)
            parser = self.processes.find("dag-processor")
            begun = self._started("dag-processor") if parser else 0.0
            last_look = 0.0

            def parsed() -> bool:
                nonlocal last_look
                if time.monotonic() - last_look < 0.5:
                    return False
                last_look = time.monotonic()
                if errors := api.import_errors():
                    text = "\n".join(f"{error['filename']}:\n{error['stack_trace']}" for error in errors)
                    raise StackError(f"A DAG file cannot be imported:\n{text}\nMend it and run the same command again.")
                dags = api.dags()
                return all(i in dags and _timestamp(dags[i]["last_parsed_time"]) > begun for i in dag_ids)

            self._wait("dag-processor", parsed, tick, "dag-processor", "api-server")

    def start_scheduler(self) -> None:
        """Start the scheduler, from which on due runs start by themselves."""
        self.start_component("scheduler")

    def finish_health(self) -> None:
        """Wait until Airflow itself says of each of its components that it is well, since its last start.

        Raises StackError that names the component which has ended, with the last lines of its log.
        """
        api, said = self.api(), [""]

        def well() -> bool:
            said[:] = self.unwell(api)
            return not said

        with step("health") as tick:
            self._wait("Airflow", well, tick, *self.expected(), why=lambda: "; ".join(said))

    def unwell(self, api: AirflowApi) -> list[str]:
        """The components of `make up` of which Airflow does not say that they are well, one sentence each."""
        try:
            health = api.health()
        except AirflowApiError as error:
            return [str(error)]
        found = [] if health["metadatabase"]["status"] == "healthy" else ["Airflow's database does not answer"]
        for name in ("scheduler", "dag-processor", "triggerer"):
            key = name.replace("-", "_")
            said, beat = health[key]["status"], _timestamp(health[key][f"latest_{key}_heartbeat"])
            if said != "healthy" or beat < self._started(name):
                found.append(f"{name} is {said or 'not there'}; its last heartbeat: {_ago(beat)}")
        return found

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
        from tools import migrate

        url = self.postgres.url("leads")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute((REPOSITORY / "sandbox" / "supabase.sql").read_bytes())
        applied = migrate.migrate(url, report=lambda _line: None)
        migrate.follow_adapters(url)
        with psycopg.connect(url, autocommit=True) as connection:
            password = sql.Literal(self._secret("lead_pipeline_password"))
            connection.execute(sql.SQL("alter role lead_pipeline login password {}").format(password))
        return applied

    def load_company(self) -> object:
        """Let the stand-in company's own systems write into the local leads database, up to this morning."""
        from sandbox.company.load import load

        if not self.control:
            raise StackError("The stand-in world does not run. Nothing was loaded. Run the same command again.")
        return load(self.leads_url, self.control)

    # -- the environment of the services -------------------------------------------------------------------------

    def airflow_environment(self) -> dict[str, str]:
        """All settings of Airflow's processes; what the user has set already wins."""
        folder = self.home / "airflow"
        values = {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Europe/Amsterdam",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__FERNET_KEY": self._secret("fernet_key"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.airflow_url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
            "AIRFLOW__API__BASE_URL": self.airflow_url,
            "AIRFLOW__API__SECRET_KEY": self._secret("api_secret_key"),
            "AIRFLOW__API_AUTH__JWT_SECRET": self._secret("jwt_secret"),
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
            # A worker that was killed is noticed, and its task tried again, while `make run` still waits for it; one
            # that lives is not given up because the machine is busy.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
            "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "300",
            "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "600",  # a DAG whose file took long is not a removed one
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",  # a task's supervisor may sleep as long after its end
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            # Airflow opens its logs to a group, whatever the umask is.
            "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
            "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        }
        if "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in self.environ:
            values["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = self.postgres.url("airflow")
        if url := real_database():
            own = private.environment(self.environ, *private.REAL)
            return values | {"AIRFLOW_CONN_LEADS_DB": url} | own | self._plain_environment(private.AIRFLOW)
        # What is decided for the stand-in company must reach no real account and no real database, whatever is set.
        password = self._secret("lead_pipeline_password")
        stand_in = {"AIRFLOW_CONN_LEADS_DB": self.postgres.url("leads", "lead_pipeline", password)}
        if ready := self._sandbox_ready():
            stand_in |= ready["env"]
        return values | self._plain_environment(private.AIRFLOW) | stand_in

    def _plain_environment(self, more: Sequence[str] = ()) -> dict[str, str]:
        """What a Python program needs of the user's environment, with no proxy between services of one machine."""
        loopback = "127.0.0.1,localhost"
        exceptions = ",".join(filter(None, [self.environ.get("no_proxy") or self.environ.get("NO_PROXY"), loopback]))
        kept = private.environment(self.environ, *private.SYSTEM, *private.PYTHON, *more)
        return {**kept, "NO_PROXY": exceptions, "no_proxy": exceptions, "PYTHONUNBUFFERED": "1"}

    def _secret(self, name: str) -> str:
        """A secret, or the API's port, that was drawn once for this checkout and is kept for its owner's eyes only."""
        path = self.home / "secrets.json"
        if name not in self._secrets:
            private.protect(self.home)
            with open(self.home / "secrets.lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                stored = json.loads(path.read_text()) if path.exists() else {}
                if not stored:
                    stored = {
                        "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                        "jwt_secret": secrets.token_urlsafe(48),
                        "api_secret_key": secrets.token_urlsafe(32),
                        "admin_password": secrets.token_urlsafe(12),
                        "lead_pipeline_password": secrets.token_urlsafe(24),
                    }
                    write_private(path, json.dumps(stored, indent=2) + "\n")
                self._secrets = stored
        return self._secrets[name]

    def _api_port(self) -> int:
        """The port of the API: that of the running one, else the one used last time if it is free."""
        if (record := self.processes.find("api-server")) and record.port:
            return record.port
        path = self.home / "run" / "api-port"
        remembered = int(path.read_text()) if path.exists() else None
        port = free_port(remembered)
        if port != remembered:
            private.folder(path.parent)
            path.write_text(str(port))
        return port

    def _sandbox_ready(self) -> dict | None:
        """What the running stand-in world says about itself."""
        record = self.processes.find("sandbox")
        try:
            ready = json.loads((self.home / "sandbox" / "ready.json").read_text())
        except (OSError, ValueError):
            return None
        return ready if record and ready["pid"] == record.pid else None

    # -- details -------------------------------------------------------------------------------------------------

    def _start_component(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], port: int | None = None
    ) -> None:
        if self.processes.find(name):
            self._claim(name)
            return
        private.folder(self.home / "logs")
        (self.home / "logs" / f"{name}.started").write_text(f"{time.time()}\n")
        module = [self.scheduler] if name == "scheduler" else ["airflow", name]
        command = [sys.executable, "-m", *module, *arguments]
        self.processes.spawn(name, command, environment, owner=self.owner, port=port)

    def _started(self, name: str) -> float:
        try:
            return float((self.home / "logs" / f"{name}.started").read_text())
        except (OSError, ValueError):
            return 0.0

    def _claim(self, name: str) -> None:
        """`make up` takes over what an interrupted `make run` left; never the other way round."""
        record = self.processes.find(name)
        if record and self.owner == "up" != record.owner:
            self.processes.hand_over(record, self.owner)

    def _stop_what_differs(self, environment: Mapping[str, str]) -> None:
        """Components that were started with other settings would act on another database: replace or refuse them."""
        wanted = digests(environment)
        for record in self.running().values():
            if record.name not in COMPONENTS or record.settings == wanted:
                continue
            differing = sorted(
                name for name in wanted.keys() | record.settings.keys() if wanted.get(name) != record.settings.get(name)
            )
            if record.owner == "up" and self.owner != "up":
                raise StackError(
                    f"`make up` runs Airflow with other settings than this command would: {', '.join(differing)} "
                    f"differ. Nothing was changed. Run `make stop` first, or use the same environment."
                )
            self.processes.stop([name for name in COMPONENTS if name in self.running()])
            return

    def _migrate_airflow(self, environment: Mapping[str, str]) -> None:
        """Create Airflow's own tables, once for each version; half-made ones are made again."""
        ours = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in self.environ
        arguments = ["db", "migrate"] if ours else ["db", "check-migrations", "--migration-wait-timeout", "1"]
        self.processes.stop(["airflow-db"], patience=0)  # of a command that was killed; it is done again from nothing
        mark = f"airflow {version('apache-airflow')}"
        if ours:
            with psycopg.connect(self.postgres.url("airflow")) as connection:
                whole = "select shobj_description(oid, 'pg_database') from pg_database where datname = 'airflow'"
                found = connection.execute(whole).fetchone()
                if found and found[0] == mark:
                    return
                half_made = not (found and found[0])
            if half_made:
                with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
                    connection.execute("drop database if exists airflow with (force)")
                    connection.execute("create database airflow")
        with step("Airflow's own tables") as tick:
            command = [sys.executable, "-m", "airflow", *arguments]
            record = self.processes.spawn("airflow-db", command, environment, owner=self.owner)
            while self.processes.find("airflow-db"):
                tick()
                time.sleep(0.1)
        if self.processes.exit_code(record):
            advice = "Run the same command again." if ours else "Run `airflow db migrate` on it yourself; it is yours."
            raise StackError(
                f"Airflow's database is not ready. The last lines of {record.log}:\n"
                f"{last_lines(Path(record.log))}\n{advice}"
            )
        if ours:
            with psycopg.connect(self.postgres.url("airflow"), autocommit=True) as connection:
                connection.execute(sql.SQL("comment on database airflow is {}").format(sql.Literal(mark)))

    def _has_open_runs(self) -> bool:
        """Did a scheduler die in the middle of something? When in doubt, yes."""
        if "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in self.environ:
            return True
        with psycopg.connect(self.postgres.url("airflow")) as connection:
            found = connection.execute("select from dag_run where state in ('queued', 'running') limit 1")
            return found.fetchone() is not None

    def _wait(
        self,
        name: str,
        ready: Callable[[], bool],
        tick: Callable[[], None],
        *others: str,
        why: Callable[[], str] = lambda: "",
    ) -> None:
        """Wait for a service, or for all of several; a dead one, or one too slow, raises StackError with the last lines
        of its log. `why` says what is waited for.
        """
        deadline = time.monotonic() + PATIENCE
        refused = ""
        while True:
            try:
                if ready():
                    return
            except AirflowApiError as error:  # the API server has ended, or has not begun
                refused = str(error)
            ended = next((each for each in others or (name,) if not self.processes.find(each)), None)
            if ended or time.monotonic() > deadline:
                log = self.log_of(ended or name)
                what = f"{ended} ended." if ended else f"{name} was not ready within {PATIENCE} s. {why() or refused}"
                raise StackError(
                    f"{what} The last lines of {log}:\n"
                    f"{last_lines(log)}\nMend what they say, `make stop`, then run the same command again."
                )
            tick()
            time.sleep(0.1)


def up() -> None:
    """`make up`: everything runs until `make stop`."""
    if real_database():
        refuse_if_incomplete()
    from local import watchdog

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
    from local import watchdog

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
    from tools import migrate as migrations

    if real_database():
        return migrations.main(arguments)
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
            return migrations.main([*arguments, "--url", stack.leads_url])
        finally:
            stack.release("postgres")


def psql(arguments: Sequence[str]) -> int:
    """`make psql`: a prompt as the database's owner."""
    stack = Stack("run")
    local = not real_database()
    program = shutil.which("psql") or str(stack.postgres.binary("psql"))
    if local:
        with stack.starting():
            stack.start_postgres()
    try:
        conninfo = psycopg.conninfo.conninfo_to_dict(stack.leads_url)
        secret = {"PGPASSWORD": str(conninfo.pop("password", ""))}  # not for everybody's eyes in the process list
        target = psycopg.conninfo.make_conninfo("", **conninfo)
        kept = private.environment(os.environ, *private.SYSTEM, *private.TERMINAL, *(() if local else private.REAL))
        return subprocess.run([program, target, *arguments], env=kept | secret, check=False).returncode
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


def refuse_if_incomplete() -> None:
    """With a real database: raise StackError that names everything that is missing, at once."""
    from local.real_database import problems

    if found := problems():
        listed = "\n".join(f"  - {problem}" for problem in found)
        raise StackError(f"LEADS_DATABASE_URL is set, and this is missing:\n{listed}\nNothing was changed.")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m local.stack", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["up", "stop", "status", "migrate", "psql", "airflow", "backtest", "clean"])
    options, rest = parser.parse_known_args(arguments)
    os.umask(private.UMASK)
    from tools.migrate import MigrationError

    try:
        if options.what in ("migrate", "psql", "airflow", "backtest"):
            return {"migrate": migrate, "psql": psql, "airflow": airflow, "backtest": backtest}[options.what](rest)
        if options.what == "status":
            return status()
        {"up": up, "stop": stop, "clean": clean}[options.what]()
    except (StackError, EmbeddedPostgresError, MigrationError, AirflowApiError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; what was started keeps running. `make stop` ends it.", file=sys.stderr)
        return 130
    return 0


def _timestamp(text: str | None) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _ago(moment: float) -> str:
    return f"{time.time() - moment:.0f} s ago" if moment else "none"


if __name__ == "__main__":
    sys.exit(main())
