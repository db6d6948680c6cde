"""One morning on this machine, from the sources to the budgets; and what came of it.

    python -m local.day run|show

`run` starts what is not running, repairs what an interrupted run left, lets Airflow do the day exactly as its schedule
would, prints one table, and stops what it started. It may be killed at any point and started again: the decision of a
day is taken once, whoever asks.
"""

import argparse
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psycopg
from psycopg.rows import dict_row

from local import private
from local.airflow_api import ACTIVE, AirflowApi, AirflowApiError
from local.company import amsterdam_date
from local.embedded_postgres import EmbeddedPostgresError
from local.stack import Stack, StackError, real_database, refuse_if_incomplete, step
from tools import REPOSITORY, addresses
from tools.migrate import MigrationError

SQL = REPOSITORY / "local" / "sql"
STATS, BUDGETS = "lead_stats", "lead_budgets"
HISTORY_DAYS = 60
STALL_SECONDS = 1800  # no task has changed its state for so long: something is wrong
OPEN = (
    None,
    "none",
    "scheduled",
    "queued",
    "running",
    "restarting",
    "up_for_retry",
    "up_for_reschedule",
    "deferred",
)
PARKED = "awaiting_input"  # a question to a person; no process waits for the answer
COLUMNS = (
    "segment",
    "capacity",
    "target",
    "expected",
    "gap_yesterday",
    "old_budget",
    "new_budget",
    "action",
    "outcome",
    "reason",
)


class DayError(RuntimeError):
    """The morning did not end well. The message names the run, the task and the last lines of its log."""


# -- the database ----------------------------------------------------------------------------------------------------


def rows(url: str, name: str, **values: object) -> list[dict[str, Any]]:
    """The result of one of the statements in local/sql."""
    with psycopg.connect(url, row_factory=dict_row, prepare_threshold=None) as connection:
        connection.read_only = True
        return connection.execute((SQL / f"{name}.sql").read_bytes(), values or None).fetchall()


def sums(url: str) -> list[str]:
    """Whether yesterday adds up, one sentence an account."""
    statement = REPOSITORY / "include" / "sql" / "lead_stats" / "select_sums.sql"
    with psycopg.connect(url) as connection:
        connection.read_only = True
        last = connection.execute("select public.lead_today() - 1").fetchone()
        found = connection.execute(statement.read_bytes(), {"last": last and last[0]}).fetchall()
    return [line for (line,) in found]


def one(url: str, statement: str) -> Any:
    """A single value."""
    with psycopg.connect(url, prepare_threshold=None) as connection:
        connection.read_only = True
        row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else None


def lacks_history(url: str) -> bool:
    """Has any of the last days no statistics at all?"""
    days = one(
        url,
        "select count(distinct date) from public.lead_generation_stats "
        f"where date between public.lead_today() - {HISTORY_DAYS} and public.lead_today() - 1",
    )
    return bool(days < HISTORY_DAYS)


# -- Airflow ---------------------------------------------------------------------------------------------------------


class Watch:
    """Waits for runs and says what they do."""

    def __init__(self, api: AirflowApi, scheduler_lives: Callable[[], bool]) -> None:
        self.api, self._scheduler_lives = api, scheduler_lives
        self._begun = time.monotonic()
        self._told: set[tuple[str, int]] = set()

    def wait(self, dag_id: str, run_id: str) -> str:
        """Wait for a run; returns its state, or "awaiting_input" when only a person can move it on.

        Raises StackError when the scheduler is gone or nothing has moved for half an hour.
        """
        shown, moved, last, parked_since = "", time.monotonic(), "", 0.0
        while True:
            state = str(self.api.run(dag_id, run_id)["state"])
            tasks = self.api.tasks(dag_id, run_id)
            done = sum(task["state"] not in (*OPEN, PARKED) for task in tasks)
            active = sorted({task["task_id"] for task in tasks if task["state"] in OPEN[3:]})
            line = f"{dag_id}: {done} of {len(tasks)} tasks done" + (f", now {', '.join(active)}" if active else "")
            if line != last:
                last, moved = line, time.monotonic()
            self._tell_retries(tasks)
            if line != shown and (active or state not in ACTIVE):
                shown = line
                print(f"  {time.monotonic() - self._begun:5.0f} s  {line}", flush=True)
            if state not in ACTIVE:
                return state
            if is_parked(tasks):
                parked_since = parked_since or time.monotonic()
                if time.monotonic() - parked_since > 5:  # between two tasks a run looks the same for an instant
                    return PARKED
            else:
                parked_since = 0.0
            if not self._scheduler_lives():
                raise StackError("Airflow's scheduler has ended; see its log. Run the same command again.")
            if time.monotonic() - moved > STALL_SECONDS:
                raise StackError(f"{line}: nothing has moved for half an hour. `make stop`, then run again.")
            time.sleep(0.5)

    def is_behind_a_question(self, dag_id: str) -> bool:
        """Does a run of this DAG wait for a person? Then Airflow may start no other, or not yet."""
        running = self.api.runs(dag_id, state=["running"])
        return any(is_parked(self.api.tasks(dag_id, run["dag_run_id"])) for run in running)

    def _tell_retries(self, tasks: list[dict[str, Any]]) -> None:
        """Say once for each failed try why the run takes longer than it should."""
        for task in tasks:
            key = (task["id"], task["try_number"])
            if task["state"] == "up_for_retry" and key not in self._told:
                self._told.add(key)
                print(
                    f"          {which(task)} failed and will be tried again: {self.api.error(task) or 'see its log'}",
                    flush=True,
                )

    def finish(self, dag_id: str, run_id: str) -> str:
        """Wait for a run that has to succeed, or to end at a question to a person. Raises DayError with the log."""
        state = self.wait(dag_id, run_id)
        if state not in ("success", PARKED):
            raise DayError(failure(self.api, dag_id, run_id))
        return state

    def until(self, question: Callable[[], bool], seconds: float) -> bool:
        """Does this become true in time?"""
        deadline = time.monotonic() + seconds
        while not question():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.3)
        return True


def is_parked(tasks: list[dict[str, Any]]) -> bool:
    """Does this run wait for a person, and for nothing else?"""
    states = {task["state"] for task in tasks}
    return PARKED in states and not states & set(OPEN[2:])


def active_runs(api: AirflowApi) -> list[tuple[str, str]]:
    """(DAG id, run id) of our unfinished runs, oldest first, questions to people left out."""
    known = api.dags()
    return [
        (dag_id, run["dag_run_id"])
        for dag_id in (STATS, BUDGETS)
        if dag_id in known
        for run in reversed(api.runs(dag_id, state=list(ACTIVE)))
        if not is_parked(api.tasks(dag_id, run["dag_run_id"]))
    ]


def close_leftovers(api: AirflowApi) -> None:
    """Close the runs whose scheduler is gone: nobody works on them, and a new run settles what they began."""
    for dag_id, run_id in active_runs(api):
        print(f"  closing the interrupted run {run_id} of {dag_id}")
        api.fail_run(dag_id, run_id)


def which(task: dict[str, Any]) -> str:
    """A task's name, with what it was mapped over."""
    index = task.get("rendered_map_index") or (task["map_index"] if task["map_index"] >= 0 else None)
    return str(task["task_id"]) if index is None else f"{task['task_id']} [{index}]"


def failure(api: AirflowApi, dag_id: str, run_id: str) -> str:
    """Which tasks failed, the first one first, and the last lines of their logs."""
    parts = [f"The run {run_id} of {dag_id} failed."]
    failed = [task for task in api.tasks(dag_id, run_id) if task["state"] == "failed"]
    for task in sorted(failed, key=lambda task: task["end_date"] or ""):
        tail = "\n".join(f"    {line}" for line in api.log(task)[-30:])
        parts.append(f"  {which(task)}, try {task['try_number']}. The end of its log:\n{tail}")
    return "\n".join(parts)


def morning(watch: Watch, url: str) -> str:
    """Statistics, then budgets, as the schedule would run them; returns the state that lead_budgets ended in.

    Raises DayError when a run fails, or when lead_stats does not announce the day.
    """
    api = watch.api
    for dag_id, run_id in active_runs(api):  # begun by an earlier `make run` whose services are still there
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


# -- what is printed -------------------------------------------------------------------------------------------------


def table(found: list[dict[str, Any]]) -> str:
    """The day's table as text; unknown values are a dash."""

    def text(value: object) -> str:
        if isinstance(value, Decimal):
            return f"{value:f}"
        return "–" if value is None else str(value)

    cells = [[column.replace("_", " ") for column in COLUMNS]]
    cells += [[text(row[column]) for column in COLUMNS] for row in found]
    widths = [max(len(line[index]) for line in cells) for index in range(len(COLUMNS))]
    numeric = {index for index, column in enumerate(COLUMNS) if column in COLUMNS[1:7]}
    lines = [
        "  ".join(
            cell.rjust(width) if i in numeric else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def changes(url: str, since: datetime) -> str:
    """One sentence: what this run changed in the database."""
    counts = rows(url, "select_changes", since=since)[0]
    words = {
        "decisions": "decisions",
        "plans": "plans written",
        "log_rows": "new rows in the change log",
        "log_rows_closed": "open changes settled",
        "metrics": "rows of channel metrics written",
        "stats": "rows of statistics written",
    }
    told = [f"{counts[name]} {what}" for name, what in words.items() if counts[name]]
    if told:
        return "This run: " + ", ".join(told) + "."
    decided = one(url, "select count(*) from public.budget_decisions where decision_date = public.lead_today()")
    return "Nothing changed" + (
        ": today was already decided." if decided else ", and nothing is decided for today yet."
    )


def print_day(url: str) -> None:
    """The table of today and the findings that need attention."""
    today = one(url, "select public.lead_today()")
    print(f"\n{today}: capacity in accepted, the rest in generated leads a day; budgets in EUR a day\n")
    print(table(rows(url, "select_day")))
    print("\n" + "\n".join(sums(url)))
    for finding in rows(url, "select_findings"):
        print(f"\n{finding['level']}: {finding['name']} ({finding['how_many']}): {finding['detail']}")
        if finding["remediation"]:
            print(f"  {finding['remediation']}")


def compare_budgets(url: str, control: str) -> tuple[str, bool]:
    """Do the stand-in world's live budgets agree with the log? One sentence for each that does not."""
    live = httpx.get(f"{control}/budgets", trust_env=False, timeout=10).raise_for_status().json()
    logged = rows(url, "select_budgets")
    wrong = [
        f"  {row['external_id']}: the log says {row['new_value']:.2f} EUR, live is "
        + (f"{Decimal(live[row['external_id']]) / 1_000_000:.2f} EUR" if row["external_id"] in live else "no budget")
        for row in logged
        if Decimal(live.get(row["external_id"], -1)) != row["new_value"] * 1_000_000
    ]
    if wrong:
        return "\n".join(
            ["The live budgets and the log DISAGREE (a person may have changed them since):", *wrong]
        ), False
    return (
        f"The live budgets agree with the log: {len(logged)} of {len(live)} were changed by it at some time.",
        True,
    )


# -- the commands ----------------------------------------------------------------------------------------------------


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
                close_leftovers(api)

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


def show() -> int:
    """`make show`."""
    stack = Stack("run")
    local = not real_database()
    try:
        if local:
            with stack.starting():
                stack.start_postgres()
                stack.start_world()
        agrees = True
        print_day(stack.leads_url)
        if stack.control:
            sentence, agrees = compare_budgets(stack.leads_url, stack.control)
            print(f"\n{sentence}")
        return 0 if agrees else 1
    finally:
        if local:
            with stack.starting():
                stack.release("postgres", "sandbox")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m local.day", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["run", "show"])
    options = parser.parse_args(arguments)

    def terminated(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    os.umask(private.UMASK)
    signal.signal(signal.SIGTERM, terminated)
    if isinstance(sys.stdout, TextIOWrapper):  # lines of both streams stay in order when they go to one file
        sys.stdout.reconfigure(line_buffering=True)
    try:
        return run() if options.what == "run" else show()
    except (DayError, StackError, EmbeddedPostgresError, MigrationError, AirflowApiError) as error:
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
        print("\nInterrupted. Run the same command again: it goes on where this one stopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
