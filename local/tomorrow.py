"""The sandbox's company lives one more day, and its morning is decided: `make tomorrow`, or `DAYS=30 make tomorrow`.

    python -m local.tomorrow

How a day passes is said in `local.passing`, how its morning is lived in `local.plain_morning`. Only for the sandbox:
refused with LEADS_DATABASE_URL, and with a connection to an account or database of one's own in the environment.
Airflow need not run; where `make up` runs it, none of its runs may be under way. It may be interrupted and started
again: the day that was begun is ended first, and is one of those asked for.
"""

import os
import subprocess
import sys

from local import LocalError
from local.morning import BUDGETS, DAGS, alone, guarded, stopping
from local.progress import step
from local.real_database import refuse_real
from local.report import print_day
from local.runs import active_runs, close_questions
from local.stack import Stack
from tools import REPOSITORY

MOST_DAYS = 365


def days_asked() -> int:
    """DAYS, a whole number from 1 on. Raises LocalError for anything else."""
    asked = os.environ.get("DAYS") or "1"
    if not (asked.isascii() and asked.isdigit() and 1 <= int(asked) <= MOST_DAYS):
        raise LocalError(f"DAYS={asked} is no number of days from 1 to {MOST_DAYS}. Nothing was changed.")
    return int(asked)


def tomorrow() -> int:
    """Start what is needed, live the days, show the last one, and stop what was started."""
    refuse_real("`make tomorrow` moves the history of the whole company back by a day")
    days = days_asked()
    stack = Stack("run")
    with alone(stack.home / "run"), stopping(stack):
        with stack.starting():
            stack.start_postgres()
            stack.start_world()
            with step("migrations"):
                stack.migrate_leads()
            with step("the company's data"):
                stack.load_company()
            _refuse_while_running(stack)
        print(f"The sandbox's company lives {days} more day{'s' * (days > 1)}", flush=True)
        environment = stack.airflow_environment() | {
            "PYTHONPATH": str(REPOSITORY / "plugins"),
            "LEAD_DEMAND_HOME": str(stack.home),
            "DAYS": str(days),
        }
        command = [sys.executable, "-m", "local.plain_morning"]
        if code := subprocess.run(command, env=environment, cwd=REPOSITORY, check=False).returncode:
            return code
        if "api-server" in stack.running():
            close_questions(stack.api(), BUDGETS, stack.leads_url)
        print_day(stack.leads_url)
    return 0


def _refuse_while_running(stack: Stack) -> None:
    """Raises LocalError while Airflow works on a day."""
    if "api-server" not in stack.running():
        return
    if runs := active_runs(stack.api(), (*DAGS, "lead_budget_revert")):
        raise LocalError(
            f"Airflow is at work on {', '.join(f'{dag} ({run})' for dag, run in runs)}. Nothing was changed. Run the "
            "same command again when that has ended."
        )


if __name__ == "__main__":
    sys.exit(guarded(tomorrow, "Run the same command again: it ends the day that was begun."))
