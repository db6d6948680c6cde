"""Airflow's scheduler for the cases that kill: the protocol is wrapped before any worker is forked.

A task that passes the point named in the file STRIKE_FILE takes the file away and dies by SIGKILL: exactly once (each
time, where the file says `always`), and without any of the clean-up that an exception would give it.

Beside that file `patience` may hold seconds: so long, instead of its minutes, the client of Google Ads then waits.
"""

import os
import signal
import threading
from pathlib import Path
from typing import Any

from local import scheduler
from tests.faults import points

STRIKE_FILE = "LEAD_DEMAND_STRIKE_FILE"
IN_FLIGHT_SECONDS = 0.5  # how long a change is under way when its sender dies


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def reach(point: str, step: str) -> None:
    """Die here if this is the point that was asked for."""
    asked = Path(os.environ[STRIKE_FILE])
    try:
        words = asked.read_text().split()
        if words[:2] != [step, point]:
            return
        if words[2:] != ["always"]:
            asked.rename(asked.with_suffix(".taken"))
    except FileNotFoundError:
        return
    if point == "sending":
        threading.Timer(IN_FLIGHT_SECONDS, die).start()
    else:
        die()


def wait_less() -> None:
    """Let the client of Google Ads give up as early as the file `patience` says, where there is one."""
    from lead_demand.channels.google_ads.hook import GoogleAdsBudgetHook

    patience = Path(os.environ[STRIKE_FILE]).with_name("patience")
    rows = GoogleAdsBudgetHook.rows

    def impatient(self: Any, account: str, query: str, timeout: float = 300) -> Any:
        return rows(self, account, query, float(patience.read_text()) if patience.exists() else timeout)

    GoogleAdsBudgetHook.rows = impatient  # type: ignore[method-assign]


if __name__ == "__main__":
    scheduler.load()
    wait_less()
    points.install(reach)
    scheduler.run()
