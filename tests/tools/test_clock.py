"""The moments of `make clock` are the ones that they are called after, whatever the date is."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_demand.runs.day import AMSTERDAM
from tests.clock.__main__ import PRELOAD, SHORT, TABLE, Moment, clock, library

DATES = st.dates(date(2026, 1, 1), date(2040, 12, 31))


def local(moment: Moment, today: date) -> datetime:
    return moment.instant(today).astimezone(AMSTERDAM)


@given(DATES, st.sampled_from(TABLE))
def test_every_moment_lies_ahead_at_the_hour_in_its_name(today: date, moment: Moment) -> None:
    at = local(moment, today)
    assert at.date() > today and f"{at:%H:%M}" == moment.at


@given(DATES)
def test_both_days_of_a_clock_change_a_leap_day_and_the_ends_of_a_month_and_a_year_are_among_them(today: date) -> None:
    days = {moment.on: local(moment, today).date() for moment in TABLE}
    assert (days["spring"].month, days["spring"].weekday(), days["spring"].day > 24) == (3, 6, True)
    assert (days["autumn"].month, days["autumn"].weekday(), days["autumn"].day > 24) == (10, 6, True)
    assert f"{days['leap-day']:%d-%m}" == "29-02" and f"{days['new-year']:%d-%m}" == "01-01"
    assert {moment.at for moment in TABLE} >= {"00:30", "05:59", "07:30", "12:00", "23:58"}
    assert {moment.zone for moment in TABLE} == {"UTC", "America/Los_Angeles", "Asia/Tokyo"}


def test_continuous_integration_plays_a_night_hour_and_a_clock_change() -> None:
    today = date(2026, 11, 26)
    assert any(local(moment, today).hour < 6 for moment in SHORT)
    assert any("spring" in moment.on or "autumn" in moment.on for moment in SHORT)


def test_under_that_clock_a_process_and_its_children_sleep_and_wait_as_long_as_they_say() -> None:
    try:
        library()
    except SystemExit as missing:
        pytest.skip(str(missing))
    program = """
import subprocess, sys, threading, time
from datetime import datetime
begun = time.monotonic()
time.sleep(0.2); threading.Event().wait(0.2)
took = time.monotonic() - begun
print(datetime.now().isoformat(), 0.4 <= took < 60)
if len(sys.argv) == 1:
    subprocess.run([sys.executable, __file__, "child"], check=True)
"""
    moment = next(moment for moment in TABLE if moment.on == "leap-day")
    with clock(moment) as environment:
        file = Path(environment["LEAD_DEMAND_HOME"]) / "program.py"
        file.write_text(program)
        command = [sys.executable, str(file)]
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300).stdout
    assert PRELOAD.is_dir() and len(re.findall(r"-02-2[89]T\S+ True$", said, re.MULTILINE)) == 2, said
