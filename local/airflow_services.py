"""Airflow's components among the local services: their tables, their start, and what Airflow says of their health."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import psycopg
from psycopg import sql

from local import LocalError, private
from local.airflow_api import AirflowApi, AirflowApiError
from local.airflow_settings import ADMIN
from local.processes import digests, last_lines
from local.progress import step
from local.services import Services

COMPONENTS = ("scheduler", "dag-processor", "triggerer", "api-server")


class AirflowServices(Services):
    """Airflow on the databases and the world that run already."""

    scheduler = "local.scheduler"  # the module that is run as the scheduler

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
            private.write_private(
                private.folder(self.home / "airflow") / "passwords.json",
                json.dumps({ADMIN: self.secrets["admin_password"]}) + "\n",
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

        Raises LocalError with the traceback when a DAG file cannot be imported.
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
                    raise LocalError(f"A DAG file cannot be imported:\n{text}\nMend it and run the same command again.")
                dags = api.dags()
                return all(i in dags and _timestamp(dags[i]["last_parsed_time"]) > begun for i in dag_ids)

            self._wait("dag-processor", parsed, tick, "dag-processor", "api-server")

    def start_scheduler(self) -> None:
        """Start the scheduler, from which on due runs start by themselves."""
        self.start_component("scheduler")

    def finish_health(self) -> None:
        """Wait until Airflow itself says of each of its components that it is well, since its last start.

        Raises LocalError that names the component which has ended, with the last lines of its log.
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
                raise LocalError(
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
            raise LocalError(
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


def _timestamp(text: str | None) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _ago(moment: float) -> str:
    return f"{time.time() - moment:.0f} s ago" if moment else "none"
