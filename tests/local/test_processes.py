"""Records of detached processes: what they must recognise, and what they must never touch."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from local.processes import Processes, Record, digests, start_mark

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
# A service that, like Airflow's scheduler, leaves workers behind when it is killed.
WITH_CHILD = [sys.executable, "-c", "import subprocess, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(tmp_path / "run", tmp_path / "logs")
    yield processes
    processes.stop([path.stem for path in processes.folder.glob("*.json")], patience=0.2)


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A program that has nothing to do with us."""
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield stranger
    stranger.kill()
    stranger.wait()


def forge(processes: Processes, **changes: object) -> Record:
    """Write a record that never was."""
    fields = {"name": "x", "pid": 1, "started": "", "port": None, "owner": "run", "log": "", "settings": {}}
    record = Record(**(fields | changes))
    processes.folder.mkdir(parents=True, exist_ok=True)
    (processes.folder / "x.json").write_text(json.dumps(asdict(record)))
    return record


def test_a_service_is_recorded_found_by_another_process_and_stopped(processes: Processes) -> None:
    started = processes.spawn("x", SLEEP, os.environ, owner="run", port=1234)
    elsewhere = Processes(processes.folder, processes.logs)
    assert elsewhere.find("x") == started
    assert os.getsid(started.pid) == started.pid != os.getsid(0)
    processes.stop(["x"])
    assert start_mark(started.pid) != started.started
    assert elsewhere.all() == []


def test_a_recycled_number_is_not_trusted_and_not_killed(
    processes: Processes, stranger: subprocess.Popen[bytes]
) -> None:
    forge(processes, pid=stranger.pid, started="another-boot:1")
    assert processes.find("x") is None
    processes.stop(["x"], patience=0.2)
    processes.reap("x")
    time.sleep(0.1)
    assert stranger.poll() is None
    assert not (processes.folder / "x.json").exists()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_record_is_no_record(processes: Processes, damage: str) -> None:
    processes.folder.mkdir(parents=True)
    (processes.folder / "x.json").write_text(damage)
    assert processes.find("x") is None
    processes.stop(["x"], patience=0.2)
    assert processes.spawn("x", SLEEP, os.environ, owner="run").pid


def test_a_service_that_ended_by_itself_is_not_found(processes: Processes) -> None:
    processes.spawn("x", [sys.executable, "-c", "print('last words')"], os.environ, owner="run")
    deadline = time.monotonic() + 600
    while processes.find("x"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert (processes.logs / "x.log").read_text() == "last words\n"


def test_what_a_killed_service_left_behind_ends_with_it(processes: Processes) -> None:
    record = processes.spawn("x", WITH_CHILD, os.environ, owner="run")
    deadline = time.monotonic() + 600
    while not (children := psutil.Process(record.pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(record.pid, signal.SIGKILL)
    while processes.find("x"):
        time.sleep(0.02)
    processes.reap("x")
    gone, alive = psutil.wait_procs(children, timeout=600)
    assert gone
    assert not alive


def test_a_service_that_ignores_the_request_is_killed(processes: Processes) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    record = processes.spawn("x", [sys.executable, "-c", deaf], os.environ, owner="run")
    while "deaf" not in (processes.logs / "x.log").read_text():
        time.sleep(0.02)
    processes.stop(["x"], patience=0.4)
    assert start_mark(record.pid) != record.started


def test_a_record_keeps_no_secret_and_tells_settings_apart(processes: Processes) -> None:
    secret = {"AIRFLOW__CORE__FERNET_KEY": "do-not-write-me-down", "PATH": os.environ["PATH"]}
    record = processes.spawn("x", SLEEP, secret, owner="up")
    assert "do-not-write-me-down" not in (processes.folder / "x.json").read_text()
    assert record.settings == digests(secret)
    assert record.settings != digests(secret | {"AIRFLOW__CORE__FERNET_KEY": "other"})
    processes.hand_over(record, "run")
    assert processes.find("x") == replace(record, owner="run")
