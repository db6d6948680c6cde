"""Airflow's scheduler for the cases that kill: the protocol is wrapped before any worker is forked.

A task that passes the point named in the file STRIKE_FILE takes the file away and dies by SIGKILL: exactly once, and
without any of the clean-up that an exception would give it.
"""

import os
import signal
import threading
from pathlib import Path

from tests.faults import points
from tools import scheduler

STRIKE_FILE = "LEAD_DEMAND_STRIKE_FILE"
IN_FLIGHT_SECONDS = 0.5  # how long a change is under way when its sender dies


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def reach(point: str, step: str) -> None:
    """Die here if this is the point that was asked for."""
    asked = Path(os.environ[STRIKE_FILE])
    try:
        if asked.read_text() != f"{step} {point}":
            return
        asked.rename(asked.with_suffix(".taken"))
    except FileNotFoundError:
        return
    if point == "sending":
        threading.Timer(IN_FLIGHT_SECONDS, die).start()
    else:
        die()


if __name__ == "__main__":
    scheduler.load()
    points.install(reach)
    scheduler.run()
