"""What has ended is started again: after a pause, so many times, and with a word about why."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from local import watchdog
from local.stack import Stack

LAST_WORDS = "print('the database is gone', flush=True); "


class Small(Stack):
    """Two services that need nothing: `steady` runs until it is killed, `frail` ends at once."""

    def expected(self) -> list[str]:
        return ["steady", "frail"]

    def start_component(self, name: str) -> None:
        program = LAST_WORDS + ("import time; time.sleep(600)" if name == "steady" else "")
        self.processes.spawn(name, [sys.executable, "-c", program], os.environ, owner="up")


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Small]:
    monkeypatch.setattr(watchdog, "ready", lambda _stack, _name: True)
    stack = Small("up", tmp_path / "home")
    stack.start_component("steady")
    yield stack
    stack.processes.stop(["steady", "frail"], patience=0.2)


def wait_until_gone(stack: Stack, name: str) -> None:
    deadline = time.monotonic() + 600
    while stack.processes.find(name):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kill(stack: Stack, name: str) -> int:
    record = stack.processes.find(name)
    assert record
    while "gone" not in Path(record.log).read_text():
        time.sleep(0.02)
    os.kill(record.pid, signal.SIGKILL)
    wait_until_gone(stack, name)
    return record.pid


def test_what_was_killed_is_started_again_after_a_pause_and_told(
    stack: Small, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stack, "expected", lambda: ["steady"])
    killed = kill(stack, "steady")
    watchdog.look(stack, 1000.0)
    assert stack.processes.find("steady") is None, "its pause is not over"
    watchdog.look(stack, 1002.0)
    again = stack.processes.find("steady")
    assert again is not None and again.pid != killed
    said = capsys.readouterr().out
    assert "steady has ended and is started again in 1 s" in said and "the database is gone" in said
    status = "\n".join(watchdog.report(stack))
    assert f"runs, process {again.pid}; restarted 1 time(s)" in status and "the database is gone" in status


def test_one_that_ends_again_and_again_is_tried_later_and_later_and_then_given_up(
    stack: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    now, starts, limit = 0.0, [], 0
    while not watchdog.read(stack).get("frail", watchdog.History()).given_up:
        now += 1
        before = len(watchdog.read(stack).get("frail", watchdog.History()).restarts)
        watchdog.look(stack, now)
        if len(watchdog.read(stack)["frail"].restarts) > before:
            starts.append(now)
            wait_until_gone(stack, "frail")
        assert (limit := limit + 1) < 2000
    waits = [later - earlier for earlier, later in pairwise(starts)]
    assert len(starts) == watchdog.RESTARTS
    assert waits == sorted(waits) and waits[-1] > 60
    for _ in range(3):
        now += 1000
        watchdog.look(stack, now)
    assert stack.processes.find("frail") is None
    assert stack.processes.find("steady"), "the others run on"
    assert "`make up` starts frail again" in capsys.readouterr().out
    assert any(line.startswith("frail") and "given up" in line for line in watchdog.report(stack))


def test_one_that_ran_well_for_a_while_begins_anew(stack: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "expected", lambda: ["steady"])
    for now in (0.0, 100.0):
        kill(stack, "steady")
        watchdog.look(stack, now)
        watchdog.look(stack, now + 5)
    assert len(watchdog.read(stack)["steady"].restarts) == 2
    watchdog.look(stack, 105.0 + watchdog.CALM + 1)
    known = watchdog.read(stack)["steady"]
    assert (known.restarts, known.total) == ([], 2)


def test_a_service_that_cannot_be_started_keeps_no_other_from_being_watched(
    stack: Small, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise OSError("no room on the disk")

    kill(stack, "steady")
    services = {"first": refuse, "steady": partial(stack.start_component, "steady")}
    monkeypatch.setattr(watchdog, "services", lambda _stack: services)
    watchdog.look(stack, 0.0)
    watchdog.look(stack, 5.0)
    assert stack.processes.find("steady")
    assert "first could not be started: no room on the disk" in capsys.readouterr().out


def test_nothing_is_started_while_a_command_starts_or_stops_services(stack: Small) -> None:
    with stack.starting() as first, stack.starting(wait=False) as second:
        assert (first, second) == (True, False)
    with stack.starting(wait=False) as third:
        assert third is True


def test_a_watchdog_that_is_not_on_record_ends_by_itself(stack: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_DEMAND_HOME", str(stack.home))
    monkeypatch.setattr(watchdog, "PERIOD", 0.01)
    assert watchdog.main() == 0
