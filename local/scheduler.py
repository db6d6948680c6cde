"""Airflow's scheduler, with the libraries of our tasks loaded before it forks its workers.

    python -m local.scheduler --skip-serve-logs

Under LocalExecutor every task runs in a process forked from the scheduler: what the scheduler has loaded, a task need
not. Under another executor it loads nothing.
"""

import sys

from airflow.__main__ import main
from airflow.configuration import conf

from tools import REPOSITORY


def load() -> None:
    """Import what tasks need."""
    sys.path.insert(0, str(REPOSITORY / "plugins"))
    from lead_demand import preload

    preload.load()


def run() -> None:
    """Be the scheduler, until it is told to stop."""
    sys.argv[:] = ["airflow", "scheduler", *sys.argv[1:]]
    main()


if __name__ == "__main__":
    if "LocalExecutor" in conf.get("core", "executor"):
        load()
    run()
