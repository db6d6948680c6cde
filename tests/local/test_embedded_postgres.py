"""The embedded server under everything that has happened to one: killed, half made, its number recycled, rushed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from local.embedded_postgres import EmbeddedPostgres
from local.ports import free_port
from local.postgres_programs import EmbeddedPostgresError, PostgresPrograms
from tools import REPOSITORY

pytestmark = pytest.mark.usefixtures("starts_services")
START = [sys.executable, "-m", "local.embedded_postgres", "start", "--folder"]
as_root = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "postgres", durable=False)
    yield server
    server.remove()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One server for the tests that leave it as they found it."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("shared") / "postgres", durable=False)
    server.start()
    yield server
    server.remove()


def value(server: EmbeddedPostgres, query: str, database: str = "postgres") -> object:
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row and row[0]


def home(server: EmbeddedPostgres) -> Path:
    return Path(json.loads((server.folder / "cluster.json").read_text())["home"])


def test_a_second_start_finds_the_first_and_restart_keeps_port_and_data(running: EmbeddedPostgres) -> None:
    pid, port, _ = running.process()
    running.create_database("kept")
    running.create_database("kept")  # safe to re-run
    running.start()
    assert running.process()[:2] == (pid, port)
    running.stop()
    assert not running.is_running()
    running.stop()  # safe to re-run
    running.start()
    assert running.process()[1] == port
    assert value(running, "select current_database()", "kept") == "kept"


def test_it_listens_on_loopback_only_and_asks_for_the_password(running: EmbeddedPostgres) -> None:
    pid, port, _ = running.process()
    listening = {c.laddr[:2] for c in psutil.Process(pid).net_connections("inet") if c.status == "LISTEN"}
    assert listening == {("127.0.0.1", port)}
    assert (running.folder / "cluster.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host="127.0.0.1", port=port, user="postgres", password="guess", dbname="postgres")


def test_a_copy_of_a_template_has_its_tables(running: EmbeddedPostgres) -> None:
    running.create_database("template_of_test")
    with psycopg.connect(running.url("template_of_test")) as connection:
        connection.execute("create table t as select 7 as x")
    running.create_database("copy", template="template_of_test")
    assert value(running, "select x from t", "copy") == 7


def test_a_commit_survives_the_postmaster_being_killed(server: EmbeddedPostgres) -> None:
    server.start()
    with psycopg.connect(server.url("postgres")) as connection:
        connection.execute("create table t as select 7 as x")
    os.kill(server.process()[0], signal.SIGKILL)
    server.start()  # at once: the old server's children may still be there
    assert value(server, "select x from t") == 7


def test_a_recycled_number_in_the_pid_file_is_neither_trusted_nor_killed(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pid_file = home(server) / "data" / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{home(server) / 'data'}\n0\n5432\n\n127.0.0.1\n\nready\n")
        assert not server.is_running()
        server.stop()
        assert stranger.poll() is None
        server.start()
        assert value(server, "select 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_taken_port_is_exchanged_at_the_next_start(server: EmbeddedPostgres) -> None:
    server.start()
    port = server.process()[1]
    server.stop()
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", port))
        thief.listen()
        assert free_port(port) != port
        server.start()
        assert server.process()[1] != port
        assert value(server, "select 1") == 1


def test_starters_at_once_share_one_server(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    starters = [
        subprocess.Popen([*START, server.folder], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    try:
        urls = {starter.communicate(timeout=600)[0] for starter in starters}
        assert len(urls) == 1
        assert [starter.returncode for starter in starters] == [0, 0, 0]
        assert value(server, "select 1") == 1
    finally:
        server.remove()


@pytest.mark.long
def test_a_starter_killed_at_any_moment_leaves_nothing_that_the_next_cannot_use(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", durable=False)
    try:
        for delay in (0.35, 0.6, 0.8, 1.0):
            starter = subprocess.Popen([*START, server.folder], cwd=REPOSITORY, stdout=subprocess.DEVNULL)
            time.sleep(delay)
            starter.kill()
            starter.wait()
        server.start()
        assert value(server, "select 1") == 1
    finally:
        server.remove()
    assert not server.folder.exists()


def test_a_cluster_of_another_version_is_left_alone(running: EmbeddedPostgres) -> None:
    with pytest.raises(EmbeddedPostgresError, match=r"Nothing was changed"):
        EmbeddedPostgres(running.folder, "16").start()
    assert running.is_running()


@as_root
def test_as_root_the_server_runs_as_somebody_else_and_no_folder_is_opened(tmp_path: Path) -> None:
    parent = tmp_path / "private"
    parent.mkdir(mode=0o700)
    server = EmbeddedPostgres(parent / "postgres", durable=False)
    try:
        server.start()
        assert psutil.Process(server.process()[0]).uids().real != 0
        assert parent.stat().st_mode & 0o777 == 0o700
        outside = home(server)
        assert parent not in outside.parents
        assert (outside / "data").stat().st_mode & 0o777 == 0o700
        shutil.rmtree(server.folder)  # the owner deletes .local under a running server
        server.start()
        assert value(server, "select 1") == 1
    finally:
        server.remove()
    assert not outside.exists()


@as_root
@pytest.mark.long
def test_as_root_binaries_that_nobody_can_reach_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PostgresPrograms, "can", lambda *_command: False)
    server = EmbeddedPostgres(tmp_path / "postgres", durable=False)
    try:
        server.start()
        assert value(server, "select 1") == 1
        assert Path(psutil.Process(server.process()[0]).exe()).is_relative_to(home(server))
    finally:
        server.remove()


@as_root
@pytest.mark.long
def test_an_ordinary_user_needs_nothing_outside_the_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = Path("/var/tmp") / f"lead-demand-test-{os.getpid()}"  # noqa: S108 (tmp_path is closed to other accounts)
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable]
    run = [*command, "-m", "local.embedded_postgres", "--folder", str(folder / "postgres")]
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}  # and no HOME
    try:
        if subprocess.run([*command, "-c", "import psycopg"], env=environment, check=False, stderr=-3).returncode:
            pytest.skip("this Python cannot be reached by another account")
        for what in ("start", "status", "stop"):
            done = subprocess.run(
                [*run, what], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        assert (folder / "postgres" / "data" / "PG_VERSION").exists()
        assert (folder / "postgres" / "data").stat().st_uid == 65534
    finally:
        shutil.rmtree(folder)
