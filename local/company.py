"""The sandbox company at work while `make up` runs: its leads of a new day appear when the day has ended.

    python -m local.company

Without it Airflow's run of the next morning would find a company that had no leads at all.
"""

import time
from datetime import date, datetime
from zoneinfo import ZoneInfo

import psycopg

from local.stack import Stack
from sandbox.company.load import load

POLL_SECONDS = 60


def amsterdam_date() -> date:
    """Today, where the company works."""
    return datetime.now(tz=ZoneInfo("Europe/Amsterdam")).date()


def main() -> None:
    """Load each new day once, soon after midnight; a failure is tried again a minute later."""
    stack = Stack("up")
    loaded = amsterdam_date()  # `make up` itself has just loaded today
    while True:
        time.sleep(POLL_SECONDS)
        today = amsterdam_date()
        if today == loaded or not stack.control:
            continue
        try:
            print(load(stack.leads_url, stack.control), flush=True)
            loaded = today
        except (OSError, psycopg.Error) as error:
            print(f"{today} could not be loaded and is tried again in a minute: {error}", flush=True)


if __name__ == "__main__":
    main()
