"""Detached processes with a record on disk that is never believed blindly.

A record names the process by number *and* by the moment the kernel started it, so that a number which belongs to
another program by now is neither trusted nor killed. The child writes its own record before it becomes the service:
there is no instant with a running service and no record, whoever is killed when.
"""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from local import private
from tools import REPOSITORY


@dataclass(frozen=True)
class Record:
    """One service as it was started."""

    name: str
    pid: int
    started: str  # the kernel's mark of the process's start, see start_mark
    port: int | None
    owner: str  # which command started it: "run" or "up"
    log: str
    settings: dict[str, str]  # name of an environment variable -> digest of its value


def start_mark(pid: int) -> str | None:
    """When the kernel started this process, in a form that no later process with the same number shares."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}:{fields[19]}"
    except OSError:  # gone, or a system without /proc
        try:
            return f"{psutil.Process(pid).create_time():.2f}"
        except psutil.Error:
            return None


def digests(environment: Mapping[str, str]) -> dict[str, str]:
    """What a record remembers of the settings, so that two starts can be compared and no secret is written down."""
    return {
        name: hashlib.sha256(value.encode()).hexdigest()[:12]
        for name, value in sorted(environment.items())
        if name.startswith(("AIRFLOW", "GRPC_", "LEADS_", "SANDBOX_"))
    }


def last_lines(log: Path, count: int = 25) -> str:
    """The end of a service's log."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return "(no log)"


class Processes:
    """The services recorded in one folder."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self.folder, self.logs = folder, logs
        self._children: dict[int, subprocess.Popen[bytes]] = {}  # ours to reap

    def find(self, name: str) -> Record | None:
        """The record of a service that really runs; None also for a stale or damaged record."""
        record = self._read(name)
        return record if record and self._alive(record) else None

    def all(self) -> list[Record]:
        """Every service that really runs."""
        names = sorted(path.stem for path in self.folder.glob("*.json"))
        return [record for name in names if (record := self.find(name))]

    def spawn(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        owner: str,
        port: int | None = None,
    ) -> Record:
        """Start a service in a session of its own, its output in `<logs>/<name>.log`."""
        private.folder(self.folder)
        private.folder(self.logs)
        self.reap(name)
        log = self.logs / f"{name}.log"
        path = self._path(name)
        partial = {
            "name": name,
            "port": port,
            "owner": owner,
            "log": str(log),
            "settings": digests(environment),
        }

        def write_record() -> None:  # runs in the child; this program has no threads
            text = json.dumps(partial | {"pid": os.getpid(), "started": start_mark(os.getpid())})
            new = path.with_suffix(".new")
            new.write_text(text)
            os.replace(new, path)

        log.touch(mode=0o600)
        with open(log, "ab") as output:
            child = subprocess.Popen(
                [str(part) for part in command],
                cwd=REPOSITORY, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, umask=private.UMASK, preexec_fn=write_record,  # noqa: PLW1509
            )  # fmt: skip
        self._children[child.pid] = child
        record = self._read(name)
        if record is None:
            raise OSError(f"{path} could not be written")
        return record

    def adopt(self, name: str, pid: int, *, owner: str, port: int, log: Path) -> None:
        """Record a service that was started by other means (PostgreSQL's own pg_ctl)."""
        private.folder(self.folder)
        record = Record(name, pid, start_mark(pid) or "", port, owner, str(log), {})
        self._write(record)

    def hand_over(self, record: Record, owner: str) -> None:
        """Let another command decide when this service ends."""
        self._write(Record(**(asdict(record) | {"owner": owner})))

    def stop(self, names: Sequence[str], patience: float = 15) -> None:
        """Stop services, all at once: SIGTERM, again after half the patience, then SIGKILL; then what they left behind.

        A stale record is only deleted; the process that has its number now is not touched.
        """
        records = [record for name in names if (record := self.find(name))]
        begun = time.monotonic()
        for record in records:
            self._signal(record, signal.SIGTERM)
        asked_twice = False
        while any(self._alive(record) for record in records):
            waited = time.monotonic() - begun
            if waited > patience:
                for record in records:
                    self._signal(record, signal.SIGKILL)
            elif waited > patience / 2 and not asked_twice:  # Airflow's scheduler: "signal again not to wait for tasks"
                asked_twice = True
                for record in records:
                    self._signal(record, signal.SIGTERM)
            time.sleep(0.05)
        for name in names:
            self.reap(name)

    def reap(self, name: str) -> None:
        """End what a dead service left running, and forget its record. A living service is left alone.

        The kernel gives a number to no new process while a session of that number has members. So members of the dead
        service's session are its own, as long as no living process has the number.
        """
        record = self._read(name)
        if record is None or self._alive(record):
            return
        if start_mark(record.pid) in (
            None,
            record.started,
        ):  # nobody has the number, or the service itself is a zombie
            for process in psutil.process_iter():
                with suppress(OSError, psutil.Error):
                    ours = process.pid != record.pid and os.getsid(process.pid) == record.pid
                    if ours and process.uids().real == os.getuid():
                        process.kill()
        self._path(name).unlink(missing_ok=True)

    def exit_code(self, record: Record) -> int | None:
        """How a service that this very process started has ended; None while it runs, or if another one started it."""
        child = self._children.get(record.pid)
        return child.poll() if child else None

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _write(self, record: Record) -> None:
        new = self._path(record.name).with_suffix(".new")
        new.write_text(json.dumps(asdict(record)))
        os.replace(new, self._path(record.name))

    def _read(self, name: str) -> Record | None:
        try:
            return Record(**json.loads(self._path(name).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _alive(self, record: Record) -> bool:
        if child := self._children.get(record.pid):
            child.poll()  # reaps it
        if start_mark(record.pid) != record.started:
            return False
        with suppress(psutil.Error):
            return bool(psutil.Process(record.pid).status() != psutil.STATUS_ZOMBIE)
        return False

    def _signal(self, record: Record, number: signal.Signals) -> None:
        if self._alive(record):
            with suppress(ProcessLookupError):
                os.kill(record.pid, number)
