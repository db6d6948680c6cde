"""The local services as they are now: where each writes and listens, what runs, and the environment that it gets."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from local import LocalError, local_home, private
from local.airflow_api import AirflowApi, AirflowApiError
from local.airflow_settings import ADMIN, airflow_settings
from local.embedded_postgres import EmbeddedPostgres
from local.ports import free_port
from local.processes import Processes, Record, last_lines
from local.real_database import real_database
from local.secret_store import SecretStore

PATIENCE = 600  # seconds; the slowest step, Airflow's first start, takes 15 on two cores where nothing else runs


class Services:
    """What lies below one folder; `owner` is the command that starts it ("run" leaves alone what "up" started).

    `environ`: the environment that the services get and whose settings of Airflow win; by default this process's own.
    """

    def __init__(self, owner: str, home: Path | None = None, environ: Mapping[str, str] | None = None) -> None:
        self.owner = owner
        self.environ = os.environ if environ is None else environ
        self.home = home or local_home()
        self.postgres = EmbeddedPostgres(self.home / "postgres")
        self.processes = Processes(self.home / "run", self.home / "logs")
        self.restarts = self.home / "run" / "watch.state"  # written by the watchdog
        self.secrets = SecretStore(self.home)

    @property
    def leads_url(self) -> str:
        """The leads database, as its owner."""
        return real_database() or self.postgres.url("leads")

    @property
    def control(self) -> str | None:
        """The sandbox's control plane, None with a real database."""
        ready = self.sandbox_ready()
        return str(ready["control"]) if ready else None

    def api(self) -> AirflowApi:
        """A client of the running API server."""
        return AirflowApi(self.airflow_url, ADMIN, self.secrets["admin_password"])

    @property
    def airflow_url(self) -> str:
        """The address of Airflow's UI and API."""
        return self.environ.get("AIRFLOW__API__BASE_URL") or f"http://127.0.0.1:{self._api_port()}"

    @property
    def admin_password(self) -> str:
        """The generated password of the UI's user `admin`."""
        return self.secrets["admin_password"]

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

    @property
    def owns_postgres(self) -> bool:
        """Does anything of it live in the embedded server?"""
        return not real_database() or "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in self.environ

    @property
    def owns_world(self) -> bool:
        """Is there a sandbox company with its accounts?"""
        return not real_database()

    # -- the environment of the services -------------------------------------------------------------------------

    def airflow_environment(self) -> dict[str, str]:
        """All settings of Airflow's processes; what the user has set already wins."""
        values = airflow_settings(self.home / "airflow", self.airflow_url, self.secrets)
        if "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in self.environ:
            values["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = self.postgres.url("airflow")
        if url := real_database():
            own = private.environment(self.environ, *private.REAL)
            return values | {"AIRFLOW_CONN_LEADS_DB": url} | own | self.plain_environment(private.AIRFLOW)
        # What is decided for the sandbox company must reach no real account and no real database, whatever is set.
        password = self.secrets["lead_pipeline_password"]
        stand_in = {"AIRFLOW_CONN_LEADS_DB": self.postgres.url("leads", "lead_pipeline", password)}
        if ready := self.sandbox_ready():
            stand_in |= ready["env"]
        return values | self.plain_environment(private.AIRFLOW) | stand_in

    def plain_environment(self, more: Sequence[str] = ()) -> dict[str, str]:
        """What a Python program needs of the user's environment, with no proxy between services of one machine."""
        loopback = "127.0.0.1,localhost"
        exceptions = ",".join(filter(None, [self.environ.get("no_proxy") or self.environ.get("NO_PROXY"), loopback]))
        kept = private.environment(self.environ, *private.SYSTEM, *private.PYTHON, *more)
        return {**kept, "NO_PROXY": exceptions, "no_proxy": exceptions, "PYTHONUNBUFFERED": "1"}

    # -- details -------------------------------------------------------------------------------------------------

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

    def sandbox_ready(self) -> dict[str, Any] | None:
        """What the running sandbox says about itself."""
        record = self.processes.find("sandbox")
        try:
            ready = json.loads((self.home / "sandbox" / "ready.json").read_text())
        except (OSError, ValueError):
            return None
        return ready if record and ready["pid"] == record.pid else None

    def _claim(self, name: str) -> None:
        """`make up` takes over what an interrupted `make run` left; never the other way round."""
        record = self.processes.find(name)
        if record and self.owner == "up" != record.owner:
            self.processes.hand_over(record, self.owner)

    def _wait(
        self,
        name: str,
        ready: Callable[[], bool],
        tick: Callable[[], None],
        *others: str,
        why: Callable[[], str] = lambda: "",
    ) -> None:
        """Wait for a service, or for all of several; a dead one, or one too slow, raises LocalError with the last lines
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
                raise LocalError(
                    f"{what} The last lines of {log}:\n"
                    f"{last_lines(log)}\nMend what they say, `make stop`, then run the same command again."
                )
            tick()
            time.sleep(0.1)
