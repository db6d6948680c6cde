"""One morning on this machine, from the sources to the budgets; and what came of it.

    python -m local.morning

It starts what is not running, repairs what an interrupted run left, lets Airflow do the day exactly as its schedule
would, prints one table, and stops what it started. It may be killed at any point and started again: the decision of a
day is taken once, whoever asks.
"""

import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from zoneinfo import ZoneInfo

import psycopg

from local import LocalError, private
from local.airflow_api import ACTIVE, AirflowApi
from local.company import amsterdam_date
from local.progress import step
from local.real_database import real_database, refuse_if_incomplete
from local.report import changes, one, print_day
from local.runs import PARKED, DayError, Watch, active_runs, close_leftovers, close_questions
from local.stack import Stack
from tools import addresses
from tools.migrations import MigrationError

DAGS = STATS, BUDGETS = "lead_stats", "lead_budgets"
HISTORY_DAYS = 60


def lacks_history(url: str) -> bool:
    """Has any of the last days no statistics at all?"""
    days = one(
        url,
        "select count(distinct date) from public.lead_generation_stats "
        f"where date between public.lead_today() - {HISTORY_DAYS} and public.lead_today() - 1",
    )
    return bool(days < HISTORY_DAYS)


def morning(watch: Watch, url: str) -> str:
    """Statistics, then budgets, as the schedule would run them; returns the state that lead_budgets ended in.

    Raises DayError when a run fails, or when lead_stats does not announce the day.
    """
    api = watch.api
    for dag_id, run_id in active_runs(api, DAGS):  # begun by an earlier `make run` whose services are still there
        watch.wait(dag_id, run_id)
    if lacks_history(url):
        today = one(url, "select public.lead_today()")
        begin, end = today - timedelta(days=HISTORY_DAYS), today - timedelta(days=1)
        print(f"History: {STATS} from {begin} to {end}")
        api.set_paused(BUDGETS, True)  # the past is for statistics only
        # Due since yesterday: so the schedule's own run of this morning, which starts now too, comes after it.
        due = datetime.now(tz=ZoneInfo("UTC")) - timedelta(days=1)
        history = api.trigger(STATS, {"from": begin.isoformat(), "to": end.isoformat()}, due)
        api.set_paused(STATS, False)
        watch.finish(STATS, history)
    print("Today")
    begun = datetime.now(tz=ZoneInfo("UTC"))
    for dag_id in (BUDGETS, STATS):  # in this order: an announcement that nobody listens to is lost
        api.set_paused(dag_id, False)
    stats_run = scheduled_run(watch, begun) or api.trigger(STATS)
    watch.finish(STATS, stats_run)
    budget_runs: list[str] = []

    def budgets_started() -> bool:
        budget_runs[:] = [run for dag, run in api.runs_started_by(STATS, stats_run) if dag == BUDGETS]
        return bool(budget_runs)

    if not api.announced(STATS, stats_run):
        raise DayError(
            f"The run {stats_run} of {STATS} succeeded but did not announce the day, so no budget was looked at. "
            f"The log of its announcing task says why: `make up`, then open the run."
        )
    if not watch.until(budgets_started, 60):
        if watch.is_behind_a_question(BUDGETS):
            return PARKED
        raise DayError(f"{STATS} announced the day, but {BUDGETS} did not start within a minute. `make up` shows why.")
    return watch.finish(BUDGETS, budget_runs[0])


def scheduled_run(watch: Watch, since: datetime) -> str | None:
    """The run that the schedule itself starts now because yesterday's is due, if it does."""

    watch.until(lambda: watch.api.is_caught_up(STATS), 120)
    midnight = datetime.now(tz=ZoneInfo("Europe/Amsterdam")).replace(hour=0, minute=0, second=0, microsecond=0)
    for run in watch.api.runs(STATS, run_type=["scheduled"]):
        ends = run["data_interval_end"] and datetime.fromisoformat(run["data_interval_end"])
        run_id = str(run["dag_run_id"])
        fresh = datetime.fromisoformat(run["queued_at"]) >= since or (
            run["state"] in ACTIVE and not watch.api.announced(STATS, run_id)
        )
        if ends == midnight and fresh:
            return run_id
    return None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One morning at a time on this checkout."""
    private.folder(folder)
    with open(folder / "day.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another `make run` is under way; waiting for its end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def stopping(stack: Stack) -> Iterator[None]:
    """Stop at the end what this command started, however it ends; what `make up` started stays."""
    try:
        yield
    finally:
        with stack.starting():
            if any(record.owner == "run" for record in stack.running().values()):
                print()
                with step("stopping what this command started"):
                    stack.stop("run")


def run() -> int:
    """`make run`."""
    if real_database():
        refuse_if_incomplete()
    stack = Stack("run")
    with alone(stack.home / "run"), stopping(stack):
        print("Services")
        begun = amsterdam_date()  # what is loaded now is about the days before it
        since: list[datetime] = []

        def before_scheduler(api: AirflowApi | None) -> None:
            since.append(one(stack.leads_url, "select clock_timestamp()"))
            if api:
                close_leftovers(api, DAGS)
                close_questions(api, BUDGETS, stack.leads_url)

        stack.start(before_scheduler)
        url = stack.leads_url
        # Where `make up` watches, a scheduler that has ended comes back.
        watch = Watch(stack.api(), lambda: bool({"scheduler", "watchdog"} & set(stack.running())))
        while True:
            state, failed = "", None
            try:
                state = morning(watch, url)
            except DayError as error:
                failed = error
            if (today := amsterdam_date()) == begun:
                break
            # What was decided is yesterday's, and what was not cannot be any more.
            print(f"Midnight has passed in Amsterdam: {begun} is over.", end=" ")
            begun = today
            if real_database():
                print("Run the same command again once the sources have closed it, after 06:00.")
                break
            print(f"The same for {today}:")
            with step("the company's data"):
                stack.load_company()
        print_day(url)
        if failed:
            print(f"\n{changes(url, since[0])}\n\n{failed}", file=sys.stderr)
            return 1
        print(f"\n{changes(url, since[0])}")
        if state == PARKED:
            print("Large changes wait for a person: `make up`, then Required Actions in Airflow's UI.")
    return 0


def guarded(work: Callable[[], int], again: str) -> int:
    """The exit code of a command; what went wrong is one sentence for whoever typed it. `again`: what an interruption
    leaves to do.
    """

    def terminated(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    os.umask(private.UMASK)
    signal.signal(signal.SIGTERM, terminated)
    if isinstance(sys.stdout, TextIOWrapper):  # lines of both streams stay in order when they go to one file
        sys.stdout.reconfigure(line_buffering=True)
    try:
        return work()
    except (LocalError, MigrationError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except psycopg.OperationalError as error:
        said = addresses.told(error, real_database() or "")
        print(f"\nThe leads database does not answer: {said}\nNothing was changed.", file=sys.stderr)
        return 1
    except psycopg.errors.UndefinedTable as error:
        print(
            f"\n{error}The database has not been migrated: `make run` or `make migrate` does it.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print(f"\nInterrupted. {again}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(guarded(run, "Run the same command again: it goes on where this one stopped."))
