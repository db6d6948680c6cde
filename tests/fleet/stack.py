"""CeleryExecutor for the tests: Redis, and workers that share nothing but it and Airflow's API.

Each worker has a home of its own: DAG bundle (dags, plugins, include, config), log folder, address. It gets no URL of
the metadata database and no key but that of the logs.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from local.embedded_postgres import EmbeddedPostgres
from local.ports import free_port
from local.progress import step
from tests.fixtures.programs import debian_program
from tests.fixtures.real_airflow import PATIENCE, SharedStack
from tests.fixtures.sandbox import Sandbox
from tools import REPOSITORY

BUNDLE = ("dags", "plugins", "include", "config")
MACHINE = Path(__file__).with_name("machine.py")
# Airflow's settings that a worker shares with the others. What is not listed here it does not need.
SHARED = (
    "AIRFLOW__CORE__LOAD_EXAMPLES",
    "AIRFLOW__CORE__DEFAULT_TIMEZONE",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__API__BASE_URL",  # the links in messages
    "AIRFLOW__API__SECRET_KEY",  # signs the requests for its logs
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__RESULT_BACKEND",
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT",
    "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED",
)


@dataclass(frozen=True)
class Worker:
    """One of them: the name of its process, and the address that its task instances name as their host."""

    name: str
    address: str


WORKERS = (Worker("worker-1", "127.0.0.11"), Worker("worker-2", "127.0.0.12"))
# Of a larger fleet; started by the tests that want one.
MORE_WORKERS = (Worker("worker-3", "127.0.0.13"), Worker("worker-4", "127.0.0.14"))
TASKS_AT_ONCE = 2  # per worker


def redis_program() -> str:
    """The path of redis-server; skips the test where there is none."""
    return debian_program(
        "redis-server",
        package="redis-server",
        needed="LEADS_TEST_REDIS",
        without="nothing runs on Celery's workers",
    )


def redis_answers(port: int) -> bool:
    """Has it read its disk?"""
    with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), timeout=1)) as asked:
        asked.sendall(b"PING\r\n")
        return asked.recv(16).startswith(b"+PONG")
    return False


class FleetStack(SharedStack):
    """That Airflow with Redis and WORKERS in the place of the LocalExecutor."""

    scheduler = "local.scheduler"

    def __init__(self, home: Path, postgres: EmbeddedPostgres, sandbox: Sandbox, settings: Mapping[str, str]) -> None:
        self._redis_program = redis_program()
        self.redis_port = free_port()
        self._read: dict[str, int] = {}
        broker = f"redis://127.0.0.1:{self.redis_port}"
        celery = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": f"{broker}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"celery_results.PatientRedis+{broker}/1",
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        }
        super().__init__(home, postgres, sandbox, celery | settings)

    def plain_environment(self, more: Any = ()) -> dict[str, str]:
        """The same, with no proxy before the workers' addresses, and with the folder `config`, which in the image lies
        in Airflow's home.
        """
        found = super().plain_environment(more)
        addresses = ",".join([found["NO_PROXY"], *(worker.address for worker in (*WORKERS, *MORE_WORKERS))])
        return found | {"NO_PROXY": addresses, "no_proxy": addresses, "PYTHONPATH": str(REPOSITORY / "config")}

    # -- Redis -----------------------------------------------------------------------------------------------------

    def start_redis(self) -> None:
        """Start it, or start it again with what is on its disk, and wait until it answers."""
        folder = self.home / "redis"
        folder.mkdir(exist_ok=True)
        options = {"bind": "127.0.0.1", "port": self.redis_port, "dir": folder, "save": "", "appendonly": "yes"}
        command: list[str | Path] = [self._redis_program]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        self.processes.spawn("redis", command, self.plain_environment(), owner=self.owner)
        with step("Redis") as tick:
            self._wait("redis", lambda: redis_answers(self.redis_port), tick)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a service's main process a signal."""
        os.kill(self.running()[name].pid, number)

    def kill_redis(self, *, with_its_disk: bool = False) -> None:
        """End it at once, as a lost machine does."""
        self.kill_tree("redis")
        if with_its_disk:
            shutil.rmtree(self.home / "redis")

    # -- workers ---------------------------------------------------------------------------------------------------

    def start_worker(self, worker: Worker) -> None:
        """Start a worker on its own home, which it keeps from one start to the next."""
        home = self.home_of(worker)
        if not home.exists():
            for name in BUNDLE:
                shutil.copytree(REPOSITORY / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
            shutil.copy(MACHINE, home / "config")
        log = self.log_of(worker.name)
        self._read[worker.name] = log.stat().st_size if log.exists() else 0
        command = ["env", "-C", home, sys.executable, "-m", "machine", "celery", "worker"]
        self.processes.spawn(
            worker.name, [*command, "--celery-hostname", worker.name], self.worker_environment(worker), owner=self.owner
        )

    def worker_environment(self, worker: Worker) -> dict[str, str]:
        """Everything that it gets."""
        home, shared = self.home_of(worker), self.airflow_environment()
        given = {name: shared[name] for name in SHARED}
        given |= {name: value for name, value in shared.items() if name.startswith(("AIRFLOW_CONN_", "GRPC_"))}
        return self.plain_environment() | given | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "machine.address",
            "AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS": "celery_worker.CONFIG",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(TASKS_AT_ONCE),
            "FLEET_ADDRESS": worker.address,
            # Of this repository it sees its own copy only.
            "PYTHONSAFEPATH": "1",
            "PYTHONPATH": str(home / "config"),
        }  # fmt: skip

    def home_of(self, worker: Worker) -> Path:
        """AIRFLOW_HOME of a worker."""
        return self.home / worker.name

    def wait_for_worker(self, worker: Worker) -> None:
        """Wait until it takes tasks."""

        def ready() -> bool:
            with self.log_of(worker.name).open() as log:
                log.seek(self._read[worker.name])
                return any(f"celery@{worker.name} ready" in line for line in log)

        with step(worker.name) as tick:
            self._wait(worker.name, ready, tick)

    def make_whole(self) -> None:
        """Start what a test has ended, and let go on what one that failed has left frozen."""
        if self.processes.find("redis"):
            self.signal("redis", signal.SIGCONT)
        else:
            self.start_redis()
        self.have_workers(len(WORKERS))

    def have_workers(self, count: int) -> None:
        """Start and end workers, idle ones, until there are so many; then the scheduler, where it is missing."""
        every = (*WORKERS, *MORE_WORKERS)
        missing = [worker for worker in every[:count] if not self.processes.find(worker.name)]
        for worker in every[count:]:
            if self.processes.find(worker.name):
                self.kill_tree(worker.name)
        for worker in missing:
            self.start_worker(worker)
        self.start_scheduler()
        for worker in missing:
            self.wait_for_worker(worker)

    def kill_tree(self, name: str) -> None:
        """End a service and everything that came of it, as a lost machine does; returns once all of it has ended."""
        main = psutil.Process(self.running()[name].pid)
        main.suspend()  # it forks no more
        family = [main, *main.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        until(lambda: not self.processes.find(name), f"{name} has ended")
        self.processes.reap(name)
        until(lambda: not any(_lives(process) for process in family), f"all of {name} has ended")

    # -- all of it -------------------------------------------------------------------------------------------------

    def begin_airflow(self) -> None:
        """Start everything but the scheduler."""
        self.start_redis()
        super().begin_airflow()
        for worker in WORKERS:
            self.start_worker(worker)

    def finish_airflow(self) -> None:
        """Wait for it."""
        super().finish_airflow()
        for worker in WORKERS:
            self.wait_for_worker(worker)

    def stop(self, owner: str | None = None) -> list[str]:
        """Stop all of it, whatever a test has frozen."""
        for record in self.running().values():
            os.kill(record.pid, signal.SIGCONT)
        # The scheduler first: it would give the tasks of a worker that ends to the other.
        self.processes.stop(["scheduler"])
        for worker in (*WORKERS, *MORE_WORKERS):
            if self.processes.find(worker.name):
                self.kill_tree(worker.name)
        found = super().stop(owner)
        self.processes.stop(["redis"], 4)
        return found


def until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait for something that is going to happen. Raises TimeoutError where it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
