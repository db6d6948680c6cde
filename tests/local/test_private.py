"""What nobody else may see: folders of a local run, new and old, and secrets of the shell that started it."""

import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from local import private
from local.embedded_postgres import EmbeddedPostgres
from local.processes import Processes
from local.stack import Stack

PLANTED = {"AWS_SECRET_ACCESS_KEY": "Planted1", "GITHUB_TOKEN": "Planted2", "PGPASSWORD": "Planted3"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's shell, with secrets that are no business of ours."""
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)


def planted_in(pid: int) -> list[str]:
    """The planted secrets that a process has in its environment."""
    values = psutil.Process(pid).environ().values()
    return [value for value in PLANTED.values() if value in values]


@pytest.mark.usefixtures("shell", "starts_services")
def test_the_database_server_gets_no_secret_of_the_shell_and_closes_its_files(tmp_path: Path) -> None:
    before = os.umask(0o022)
    server = EmbeddedPostgres(tmp_path / "postgres", durable=False)
    try:
        server.start()
        pid, _, log = server.process()
        family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        found = []
        for member in family:
            with suppress(psutil.NoSuchProcess):  # a worker of autovacuum, say, that has ended meanwhile
                found.append(planted_in(member))
        assert len(found) > 3
        assert not any(found)
        assert mode(log) & 0o077 == 0
        assert mode(server.folder / "cluster.json") & 0o077 == 0
    finally:
        os.umask(before)
        server.remove()


@pytest.mark.usefixtures("shell")
def test_a_service_gets_what_it_needs_by_name_and_writes_for_its_owner_alone(tmp_path: Path) -> None:
    stack = Stack("run", tmp_path / "home")
    environment = stack.plain_environment(private.AIRFLOW)
    program = (
        "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text('x'); print('on', flush=True); time.sleep(60)"
    )
    processes = Processes(tmp_path / "run", tmp_path / "logs")
    before = os.umask(0o022)
    try:
        record = processes.spawn("x", [sys.executable, "-c", program, tmp_path / "file"], environment, owner="run")
        while "on" not in Path(record.log).read_text():
            assert processes.find("x")
        assert planted_in(record.pid) == []
        assert psutil.Process(record.pid).environ()["PATH"] == os.environ["PATH"]
        assert [mode(tmp_path / name) for name in ("run", "logs", "file", "logs/x.log")] == [0o700, 0o700, 0o600, 0o600]
    finally:
        os.umask(before)
        processes.stop(["x"], patience=0.2)


def test_what_a_service_needs_reaches_it() -> None:
    needed = {
        "PATH": "1", "HOME": "2", "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "LD_PRELOAD": "libfaketime.so",
        "FAKETIME": "+1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1", "PYTHONPATH": "preload",
        "https_proxy": "http://proxy", "LEAD_DEMAND_HOME": "x", "LEADS_DATABASE_URL": "y", "AIRFLOW_CONN_X": "z",
        "AIRFLOW__CORE__PARALLELISM": "4",
    }  # fmt: skip
    allowed = (*private.SYSTEM, *private.PYTHON, *private.AIRFLOW)
    assert private.environment(needed | PLANTED, *allowed) == needed
    kept = private.environment(PLANTED | {private.KEEP: "GITHUB_TOKEN, VAULT_*", "VAULT_ADDR": "v"}, *private.SYSTEM)
    assert kept == {"GITHUB_TOKEN": "Planted2", "VAULT_ADDR": "v"}, "a person may hand on more"


def test_a_folder_that_an_earlier_run_left_open_is_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("logs", "run", "airflow", "sandbox", "drill", "own"):
        (home / name).mkdir(parents=True)
        (home / name).chmod(0o755)
    (home / "secrets.json").touch(0o644)
    home.chmod(0o755)
    with Stack("run", home).starting():
        pass
    assert {mode(home / name) for name in ("logs", "run", "airflow", "sandbox", "drill")} == {0o700}
    assert mode(home / "secrets.json") == 0o600
    assert (mode(home), mode(home / "own")) == (0o755, 0o755), "what is the user's own is left alone"


def test_a_new_home_is_closed_whatever_the_umask_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-m", "local.commands", "stop"]
    environment = os.environ | {"LEAD_DEMAND_HOME": str(home)}
    subprocess.run(command, env=environment, check=True, capture_output=True, umask=0, timeout=600)
    assert mode(home) & 0o066 == 0
    assert [path for path in home.rglob("*") if mode(path) & 0o077] == []
