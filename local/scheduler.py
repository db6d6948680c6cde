"""Airflow's scheduler, with the libraries of our tasks loaded before it forks its workers.

    python -m local.scheduler --skip-serve-logs

Every task runs in a process forked from the scheduler. What the scheduler has loaded, a task need not: some 4 seconds
of imports (pandas, the Google Ads types) for each of the 30 tasks of a morning. Importing opens no connection and
starts no thread, so that forking afterwards is safe.
"""

import sys
from contextlib import suppress
from importlib import import_module

from airflow.__main__ import main

from tools import REPOSITORY

HEAVY = (
    "pandas",
    "airflow.providers.postgres.hooks.postgres",
    "airflow.providers.google.ads.hooks.ads",
    "airflow.providers.google.common.hooks.discovery_api",
    "google.ads.googleads.v26.services.services.google_ads_service",
    "google.ads.googleads.v26.services.services.campaign_budget_service",
    "lead_demand.channels.google_ads.channel",
    "lead_demand.planner",
)


def load() -> None:
    """Import what tasks need."""
    sys.path.insert(0, str(REPOSITORY / "plugins"))
    for name in HEAVY:
        with suppress(ImportError):  # then the task that needs it says what is wrong
            import_module(name)


def run() -> None:
    """Be the scheduler, until it is told to stop."""
    sys.argv[:] = ["airflow", "scheduler", *sys.argv[1:]]
    main()


if __name__ == "__main__":
    load()
    run()
