"""`make clock`: what knows the time, at hours and on dates that do not come every day.

    python -m tests.clock                         every moment of the table: about an hour and a half
    python -m tests.clock --short                 a night hour just after a clock change, with fewer tests
    python -m tests.clock --list                  the table
    python -m tests.clock spring-00:30 -- -k ...  some moments; after -- what pytest gets instead of the usual tests
    python -m tests.clock --zone Asia/Tokyo       every moment, in that time zone of the machine

Each moment is played by all processes at once: pytest, PostgreSQL, the sandbox, Airflow and its tasks, under
Debian's `faketime`. The clock starts at that moment in Amsterdam and goes on at its usual speed. First the tests, then
`make run`, on a folder of its own that is removed afterwards; at two moments, a clock change at night and midnight at
the end of a month, the tests that are marked `long` as well. Every moment lies ahead of the real one, for files keep
their real times. Ends with one line per moment, and with 1 if one of them failed.

Left out are the tests marked `server_timer`: within a wait libfaketime shows the real time, so that PostgreSQL, which
its own alarm asks whether a timeout is over, finds that it is not, and waits as long as the clock was put forward.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from lead_demand.runs.day import AMSTERDAM

ROOT = Path(__file__).resolve().parents[2]
PRELOAD = Path(__file__).resolve().parent / "preload"
LIBRARY = "faketime/libfaketime.so.1"

# What asks the clock for the day, the hour, the weekday or the month, in Python, SQL, Airflow and the sandbox. What is
# cut off or held whatever the time is not among them.
TESTS = (
    "tests/runs",
    "tests/tasks",
    "tests/oncall",
    "tests/dags/test_lead_stats.py",
    "tests/dags/test_lead_budgets.py",
    "tests/dags/test_lead_budget_revert.py::test_all_changes_of_a_day_are_put_back",
    "tests/dags/test_lead_backtest.py",
    "tests/dags/test_approvals.py",
    "tests/dags/test_oncall.py",
    "tests/dags/test_leads.py",
    "tests/dags/test_capacity.py::test_an_absence_is_no_leap_when_it_begins_nor_when_it_ends",
    "tests/dags/test_capacity.py::test_a_level_that_stood_for_some_days_is_believed",
    "tests/dags/test_capacity.py::test_partners_who_take_little_on_one_weekday_do_not_hold_it",
    "tests/dags/test_capacity.py::test_a_confirmation_ends",
    "tests/budgets/test_answer_check.py",
    "tests/budgets/test_digest.py",
    "tests/budgets/test_edits.py",
    "tests/budgets/test_history.py",
    "tests/budgets/test_month.py",
    "tests/findings/test_life.py",
    "tests/planner/test_worked_examples.py",
    "tests/sql/test_absences.py",
    "tests/sql/test_every_statement_twice.py",
    "tests/migrations/test_how_often_right.py",
    "tests/migrations/test_log.py",
    "tests/migrations/test_month_pace.py",
    "tests/bench/test_pipeline.py",
    "tests/local/test_morning.py",
    "tests/local/test_tomorrow.py",
    "tests/ui/test_segment.py",
    "tests/ui/test_today.py",
)
# Likewise, of those that are marked `long`; the last is a whole morning of `make drill`.
LONG_TESTS = (
    "tests/runs/test_window.py",
    "tests/dags/test_oncall.py",
    "tests/dags/test_capacity.py::test_an_old_day_or_a_backfill_never_records_what_partners_take_now",
    "tests/dags/test_lead_budgets.py::test_the_whole_day_again_after_budgets_moved_rewrites_no_row",
    "tests/dags/test_lead_stats.py::test_a_day_run_alone_or_within_a_range_gives_the_same_rows",
    "tests/dags/test_lead_stats.py::test_an_old_day_or_a_range_is_never_announced",
    "tests/dags/test_lead_stats.py::test_a_backfill_leaves_the_capacity_of_past_days_as_it_was_recorded",
    "tests/dags/test_lead_stats.py::test_a_decision_learns_what_came_of_it_once_its_days_are_complete",
    "tests/faults/test_drill.py",
)


@dataclass(frozen=True)
class Moment:
    """A local time in Amsterdam, `HH:MM`, on the next date that `on` says, and the time zone of the machine.

    `has_long`: the long tests are played there as well.
    """

    on: str
    at: str
    zone: str
    has_long: bool = False

    def __str__(self) -> str:
        return f"{self.on}-{self.at}"

    def instant(self, today: date) -> datetime:
        """The moment itself, in UTC; of an hour that comes twice the first."""
        day = _next(today, DAYS[self.on])
        hour, minute = map(int, self.at.split(":"))
        return datetime(day.year, day.month, day.day, hour, minute, tzinfo=AMSTERDAM).astimezone(UTC)


def _next(today: date, fits: Callable[[date], bool]) -> date:
    day = today + timedelta(days=1)
    while not fits(day):
        day += timedelta(days=1)
    return day


def _change(day: date) -> timedelta:
    """By how much the clock in Amsterdam is put ahead on that day."""
    begins, ends = (datetime(d.year, d.month, d.day, tzinfo=AMSTERDAM) for d in (day, day + timedelta(days=1)))
    return (ends.utcoffset() or timedelta()) - (begins.utcoffset() or timedelta())


DAYS: dict[str, Callable[[date], bool]] = {
    "tomorrow": lambda day: True,
    "spring": lambda day: _change(day) > timedelta(),
    "after-spring": lambda day: _change(day - timedelta(days=1)) > timedelta(),
    "autumn": lambda day: _change(day) < timedelta(),
    "after-autumn": lambda day: _change(day - timedelta(days=1)) < timedelta(),
    "new-year": lambda day: (day.month, day.day) == (1, 1),
    "leap-day": lambda day: (day.month, day.day) == (2, 29),
    "month-end": lambda day: (day + timedelta(days=1)).day == 1,
}
# Each hour, date and zone at least once; the hours that failed before with more than one of them.
TABLE = (
    Moment("tomorrow", "05:59", "UTC"),
    Moment("spring", "00:30", "America/Los_Angeles", has_long=True),
    Moment("after-spring", "07:30", "Asia/Tokyo"),
    Moment("autumn", "12:00", "UTC"),
    Moment("after-autumn", "00:30", "America/Los_Angeles"),
    Moment("new-year", "05:59", "Asia/Tokyo"),
    Moment("leap-day", "07:30", "America/Los_Angeles"),
    Moment("month-end", "23:58", "UTC", has_long=True),
)
# Half an hour after midnight, and yesterday had 25 hours.
SHORT_TESTS = (
    "tests/runs/test_day.py",
    "tests/dags/test_lead_budgets.py::test_a_morning_raises_lowers_and_holds_and_logs_each_change_with_its_outcome",
)
SHORT = (Moment("after-autumn", "00:30", "America/Los_Angeles"),)


def library() -> str:
    """The path of libfaketime. Raises SystemExit where it is not installed."""
    found = [*Path("/usr/lib").glob(f"*/{LIBRARY}"), *Path("/usr/lib").glob(LIBRARY)]
    if not found:
        raise SystemExit("libfaketime is not installed, so that no clock can be set: apt-get install faketime")
    return str(found[0])


LINES: list[str] = []  # one a command, told at the end


@contextmanager
def clock(moment: Moment) -> Iterator[dict[str, str]]:
    """The environment of a process, and of all that it starts, whose clock stands at that moment now."""
    now = datetime.now(UTC)
    offset = moment.instant(now.astimezone(AMSTERDAM).date()) - now
    home = tempfile.mkdtemp(prefix="lead-demand-clock-")
    python_path = os.pathsep.join(filter(None, [str(PRELOAD), os.environ.get("PYTHONPATH")]))
    try:
        yield os.environ | {
            "LD_PRELOAD": library(),
            "FAKETIME": f"{offset.total_seconds():+.0f}",
            # Measured seconds stay real ones; so do the times of files, or Python would compile everything anew.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "TZ": moment.zone,
            "PYTHONPATH": python_path,
            "LEAD_DEMAND_HOME": home,
        }
    finally:
        clean = [sys.executable, "-m", "local.commands", "clean"]
        subprocess.run(clean, cwd=ROOT, env=os.environ | {"LEAD_DEMAND_HOME": home}, check=False)
        shutil.rmtree(home, ignore_errors=True)


def play(moment: Moment, what: str, command: Sequence[str]) -> bool:
    """Run one command at a moment; returns whether it went well."""
    with clock(moment) as environment:
        told = f"{moment} ({moment.zone}): {what}"
        begun = time.monotonic()
        print(f"\n=== {told}, {_local(moment)} ===", flush=True)
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            sweep()
        LINES.append(f"{'passed' if code == 0 else 'FAILED':7} {told} ({time.monotonic() - begun:.0f} s)")
        return code == 0


def sweep() -> None:
    """Remove the shared memory that libfaketime left behind for processes that were killed."""
    for left in Path("/dev/shm").glob("*faketime_*"):  # noqa: S108
        if not Path(f"/proc/{left.name.rpartition('_')[2]}").exists():
            left.unlink(missing_ok=True)


def _local(moment: Moment) -> str:
    at = moment.instant(datetime.now(AMSTERDAM).date()).astimezone(AMSTERDAM)
    return f"{at:%A %Y-%m-%d %H:%M %Z}"


def pytest(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not server_timer", *arguments]


RUN = [sys.executable, "-m", "local.morning"]
TWO_AT_ONCE = ("--numprocesses", "2", "--dist", "loadfile")


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    cut = list(arguments).index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(prog="python -m tests.clock", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("moments", nargs="*", help="some of the table, for example spring-00:30; all by default")
    parser.add_argument("--short", action="store_true", help="a night hour just after a clock change, fewer tests")
    parser.add_argument("--list", action="store_true", help="the table")
    parser.add_argument("--only", choices=["tests", "run"], help="the tests without `make run`, or the other way round")
    parser.add_argument("--zone", help="the time zone of the machine, instead of the table's")
    options = parser.parse_args(arguments[:cut])
    chosen = [m for m in TABLE if not options.moments or str(m) in options.moments]
    if missing := sorted(set(options.moments) - {str(m) for m in TABLE}):
        parser.error(f"not in the table: {', '.join(missing)}")
    if options.zone:
        chosen = [replace(m, zone=options.zone) for m in chosen]
    if options.list:
        print("\n".join(f"{m!s:20} {m.zone:20} {_local(m)}" for m in chosen))
        return 0
    tests = list(arguments[cut + 1 :])
    if options.short:
        plan = [("tests", moment, tests or list(SHORT_TESTS)) for moment in SHORT]
    else:
        played = {"tests": tests or [*TWO_AT_ONCE, *TESTS], "run": []}
        if not tests:
            played["long tests"] = [*TWO_AT_ONCE, "--long", "-m", "long and not server_timer", *LONG_TESTS]
        kinds = [kind for kind in played if options.only is None or kind.endswith(options.only)]
        plan = [(kind, m, played[kind]) for m in chosen for kind in kinds if m.has_long or kind != "long tests"]
    results = [play(moment, what, RUN if what == "run" else pytest(*asked)) for what, moment, asked in plan]
    print("\n" + "\n".join(LINES))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
