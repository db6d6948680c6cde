"""What was decided, in the terminal: `make show` of one day, `make history` of one segment.

    python -m local.look show|history

DATE (`2026-11-26`; without it today), SEGMENT (a segment's code) and DAYS come from the environment. Nothing is
changed.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from difflib import get_close_matches

from lead_demand.channels.registry import STEERED
from local import LocalError
from local.morning import guarded
from local.real_database import real_database
from local.report import compare_budgets, one, print_day, rows, table
from local.stack import Stack

HISTORY_DAYS, MOST_DAYS = 60, 3660
#: Of `make history`: what each column of local/sql/select_history.sql is called.
COLUMNS = {
    "day": "day",
    "leads": "leads",
    "target": "target",
    "expected": "expected",
    "gap": "gap",
    "spend": "spend",
    "old_budget": "old budget",
    "new_budget": "new budget",
    "action": "action",
    "became": "outcome",
    "reasons": "reasons",
    "promised": "promised",
    "came_7_days": "came in 7 days",
    "helped": "did it help",
}


def segment_asked(url: str) -> str | None:
    """SEGMENT, a code of an active segment, or None. Raises LocalError with the codes that are near."""
    asked = os.environ.get("SEGMENT") or None
    if asked is None:
        return None
    codes = [row["code"] for row in rows(url, "select_codes")]
    if asked in codes:
        return asked
    near = get_close_matches(asked.lower(), codes, n=3, cutoff=0.5)
    hint = f"Near it: {', '.join(near)}." if near else f"Some of the {len(codes)}: {', '.join(codes[:5]) or 'none'}."
    raise LocalError(f"SEGMENT={asked} is the code of no active segment. {hint}")


def day_asked(url: str) -> date | None:
    """DATE, a day on which something was decided, or None for today. Raises LocalError with the nearest days."""
    asked = os.environ.get("DATE") or None
    if asked is None:
        return None
    try:
        day = date.fromisoformat(asked)
    except ValueError:
        raise LocalError(f"DATE={asked} is no day such as {one(url, 'select public.lead_today()')}.") from None
    days = [row["day"] for row in rows(url, "select_days")]
    if day in days:
        return day
    near = sorted(sorted(days, key=lambda other: abs(other - day))[:3])
    hint = (
        f"Days near it: {', '.join(map(str, near))}." if near else "Nothing was decided yet: `make run` decides today."
    )
    raise LocalError(f"Nothing was decided on {day}. {hint}")


def days_asked() -> int:
    """DAYS, a whole number from 1 on, else the usual. Raises LocalError."""
    asked = os.environ.get("DAYS") or str(HISTORY_DAYS)
    if not (asked.isascii() and asked.isdigit() and 1 <= int(asked) <= MOST_DAYS):
        raise LocalError(f"DAYS={asked} is no number of days from 1 to {MOST_DAYS}.")
    return int(asked)


@contextmanager
def database() -> Iterator[Stack]:
    """The leads database, started where it is local and does not run."""
    stack = Stack("run")
    local = not real_database()
    try:
        if local:
            with stack.starting():
                stack.start_postgres()
        yield stack
    finally:
        if local:
            with stack.starting():
                stack.release("postgres", "sandbox")


def show() -> int:
    """`make show`: a day's decisions and what became of them; of today, whether the live budgets agree with the log."""
    with database() as stack:
        day, segment = day_asked(stack.leads_url), segment_asked(stack.leads_url)
        if day is None and stack.owns_world:
            with stack.starting():
                stack.start_world()
        print_day(stack.leads_url, day, segment)
        agrees = True
        if stack.control and day is None:
            sentence, agrees = compare_budgets(stack.leads_url, stack.control)
            print(f"\n{sentence}")
        return 0 if agrees else 1


def history() -> int:
    """`make history`: one segment day by day."""
    with database() as stack:
        url = stack.leads_url
        days, segment = days_asked(), segment_asked(url)
        if segment is None:
            raise LocalError("SEGMENT is missing: `make history SEGMENT=schilder_utrecht`.")
        print_history(url, segment, days)
        return 0


def print_history(url: str, segment: str, days: int) -> None:
    """Each of the last `days` days of a segment, in parts within the width of a terminal."""
    found = rows(url, "select_history", segment=segment, days=days, channel=STEERED)
    today = one(url, "select public.lead_today()")
    print(
        f"\n{segment}, {today - timedelta(days=days - 1)} to {today}: leads, target, expected and gap in generated "
        "leads per day;\nspend and budgets in EUR per day; – is unknown, or did not happen\n"
    )
    print(table(found, COLUMNS))


def until_read(look: Callable[[], int]) -> int:
    """Its exit code; 0 where whoever reads it, such as `head`, has seen enough. Only for what changes nothing."""
    try:
        return look()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    commands: dict[str, Callable[[], int]] = {"show": show, "history": history}
    if list(arguments)[:1] == [] or arguments[0] not in commands:
        print(f"python -m local.look {'|'.join(commands)}", file=sys.stderr)
        return 2
    return guarded(lambda: until_read(commands[arguments[0]]), "Nothing was changed.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
