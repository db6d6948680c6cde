"""Restarts what `make up` started and what has ended since, and writes down which, when, how often and why.

    python -m local.watchdog      started by `make up`; `make stop` ends it before everything else

Airflow's scheduler, DAG processor and triggerer end when their database is away for some seconds. Here they come back
after the database does: each after a pause that doubles, and no more than RESTARTS times in a row. Then a component
stays down until the next `make up`. One that has run for CALM seconds begins anew.

Standard supervisors (supervisord, circus) watch the processes that they have started themselves. These here are
detached and recorded on disk, so that `make run` shares them, PostgreSQL runs under another account, and a watchdog
that was killed leaves a stack that `make stop` still ends.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from local import private
from local.processes import last_lines
from local.stack import Stack

PERIOD = 1.0  # seconds between two looks
PAUSES = (1, 2, 4, 8, 16, 32, 60)  # seconds before each restart in a row; the last one again and again
RESTARTS = 10
CALM = 600  # seconds


@dataclass
class History:
    """What is known of one component: `ended` while it is down, the times of the restarts in a row, and of all."""

    ended: float | None = None
    restarts: list[float] = field(default_factory=list)
    total: int = 0
    why: str = ""  # the last lines of its log when it ended last

    @property
    def given_up(self) -> bool:
        return self.ended is not None and len(self.restarts) >= RESTARTS

    @property
    def due(self) -> float:
        """When a component that is down is started again."""
        return (self.ended or 0.0) + PAUSES[min(len(self.restarts), len(PAUSES) - 1)]


def read(stack: Stack) -> dict[str, History]:
    """The history of every component that has ended since the last `make up`."""
    try:
        return {name: History(**known) for name, known in json.loads(_state(stack).read_text()).items()}
    except (OSError, ValueError, TypeError):
        return {}


def write(stack: Stack, histories: dict[str, History]) -> None:
    """Keep it for the next look, and for `make status`."""
    private.folder(_state(stack).parent)
    private.write_private(_state(stack), json.dumps({name: asdict(known) for name, known in histories.items()}))


def look(stack: Stack, now: float) -> None:
    """Start again what has ended and whose pause is over. The caller holds the lock of `Stack.starting`."""
    histories = read(stack)
    before = {name: asdict(known) for name, known in histories.items()}
    for name, start in services(stack).items():
        known = histories.setdefault(name, History())
        if stack.processes.find(name):
            if known.restarts and now - known.restarts[-1] > CALM:
                known.restarts = []
            known.ended = None
            continue
        if known.ended is None:
            known.ended, known.why = now, last_lines(stack.log_of(name), 6)
            told = f"is started again in {known.due - now:.0f} s" if not known.given_up else "is given up"
            say(f"{name} has ended and {told}. Restarts in a row so far: {len(known.restarts)} of {RESTARTS}. ")
            say(f"The last lines of {stack.log_of(name)}:\n{known.why}")
            if known.given_up:
                say(f"`make up` starts {name} again, once what its log says is repaired.")
        if known.given_up or now < known.due or not ready(stack, name):
            continue
        known.restarts.append(now)
        known.total += 1
        known.ended = None  # if it does not start, the next look finds it down, and waits longer
        try:
            start()
            say(f"{name} is started again; restarts since `make up`: {known.total}.")
        except Exception as error:  # whatever it is: the others are still watched
            say(f"{name} could not be started: {error}")
    histories = {name: known for name, known in histories.items() if known != History()}
    if before != {name: asdict(known) for name, known in histories.items()}:
        write(stack, histories)


def services(stack: Stack) -> dict[str, Callable[[], None]]:
    """What `make up` starts, in order, and how each is started alone."""
    alone = {"postgres": stack.start_postgres, "sandbox": stack.start_world, "company": stack.start_company}
    return {name: alone.get(name) or partial(stack.start_component, name) for name in stack.expected()}


def ready(stack: Stack, name: str) -> bool:
    """Is there what this component ends without? PostgreSQL that is there and does not answer is waited for."""
    if name in ("postgres", "sandbox"):
        return True
    return (not stack.owns_postgres or stack.postgres.is_running()) and (not stack.owns_world or bool(stack.control))


def report(stack: Stack) -> Iterator[str]:
    """One line a component, and the last lines of the log of what has ended."""
    histories, names = read(stack), [*services(stack), "watchdog"]
    running = stack.running()
    for name in names:
        known = histories.get(name, History())
        restarted = f"restarted {known.total} time(s), last at {_clock(known.restarts[-1])}" if known.restarts else ""
        restarted = restarted or (f"restarted {known.total} time(s)" if known.total else "")
        state = f"runs, process {running[name].pid}" if name in running else "does not run"
        if known.given_up:
            state = f"given up after {RESTARTS} restarts in a row; `make up` starts it again"
        yield f"{name:<14}{state}" + (f"; {restarted}" if restarted else "")
    for name, known in histories.items():
        if known.why:
            yield f"\nWhen {name} ended last, the end of {stack.log_of(name)}:\n{known.why}"


def say(text: str) -> None:
    """One line of the watchdog's log."""
    print(f"{_clock(time.time())} {text}", flush=True)


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _state(stack: Stack) -> Path:
    return stack.restarts


def main() -> int:
    """Watch until `make stop`, or until another watchdog or none is on record."""
    os.umask(private.UMASK)
    stack = Stack("up")
    say(f"watching {', '.join(services(stack))}")
    while True:
        time.sleep(PERIOD)
        record = stack.processes.find("watchdog")
        if record is None or record.pid != os.getpid():
            say("this watchdog is not the one on record and ends; what runs is left alone")
            return 0
        with stack.starting(wait=False) as alone:
            if alone:  # else a command starts or stops services just now
                look(stack, time.time())


if __name__ == "__main__":
    sys.exit(main())
