"""A test that fails while a day begins, or a schedule falls due, is run again; any other failure stays one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from lead_demand.runs.day import AMSTERDAM
from tests.fixtures.midnight import Stretches

pytest_plugins = "pytester"
SUITE = """
import pathlib
import pytest

LOADED = pathlib.Path("loaded")
LOADED.write_text(LOADED.read_text() + "x" if LOADED.exists() else "x")
TIMES_LOADED = len(LOADED.read_text())
TRIED = pathlib.Path("tried")
MADE = pathlib.Path("made")

@pytest.fixture(scope="session")
def of_a_day():
    MADE.write_text(MADE.read_text() + "x" if MADE.exists() else "x")
    return len(MADE.read_text())

def test_before(of_a_day):
    assert of_a_day == 1

def test_in_between(of_a_day):
    tried = TRIED.exists()
    TRIED.touch()
    assert tried

def test_after(of_a_day):
    assert of_a_day == TIMES_LOADED == {days}
"""


def clock(begin: str, step: timedelta) -> Iterator[datetime]:
    now = datetime.fromisoformat(begin).replace(tzinfo=AMSTERDAM)
    while True:
        yield now
        now += step


@pytest.mark.parametrize(
    ("begin", "passed", "days"),
    [
        # The clock is asked once for the session, and twice or more for each test.
        ("2026-03-28T23:50", 3, 2),
        ("2026-10-25T05:50", 3, 1),
        ("2026-02-28T07:50", 3, 1),
        ("2026-02-28T12:00", 2, 1),
        ("2026-12-31T01:50", 2, 1),
    ],
)
def test_what_fails_while_a_day_begins_or_a_schedule_falls_due_is_run_again(
    pytester: pytest.Pytester, begin: str, passed: int, days: int
) -> None:
    pytester.makepyfile(SUITE.format(days=days))
    times = clock(begin, timedelta(minutes=2))
    result = pytester.inline_run("-p", "no:cacheprovider", plugins=[Stretches(lambda: next(times))])
    result.assertoutcome(passed=passed, failed=3 - passed)
