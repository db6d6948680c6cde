"""Which day a run is about, over both changes of the clock."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_demand.errors import InvalidRange, NotToday
from lead_demand.runs import day

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
DAYS = st.dates(date(2025, 1, 1), date(2035, 12, 31))


def run(run_type: str = "manual", *, start: datetime | None = None, due: datetime | None = None, **conf: Any) -> Any:
    return SimpleNamespace(
        dag_id="lead_budgets",
        run_type=run_type,
        data_interval_start=start,
        run_after=due or datetime.now(AMSTERDAM),
        run_id="test",
        conf=conf,
    )


def midnight(of: date) -> datetime:
    return datetime(of.year, of.month, of.day, tzinfo=AMSTERDAM)


@given(DAYS, st.sampled_from(["scheduled", "backfill"]))
def test_an_interval_run_is_about_the_local_day_it_starts_in(of: date, run_type: str) -> None:
    assert day.stats_date(run(run_type, start=midnight(of).astimezone(ZoneInfo("UTC")))) == of


@given(DAYS, st.integers(0, 86_399))
def test_today_changes_at_amsterdam_midnight_also_when_the_clock_changes(of: date, second: int) -> None:
    moment = midnight(of).astimezone(ZoneInfo("UTC")) + timedelta(seconds=second % 82_800)
    assert day.today(moment) == of
    assert day.today(midnight(of).astimezone(ZoneInfo("UTC")) - timedelta(seconds=1)) == of - timedelta(days=1)


def test_the_timetable_starts_each_local_day_once_at_six_the_morning_after() -> None:
    import pendulum
    from airflow.timetables.base import TimeRestriction

    from lead_demand.runs.timetable import DayAfterTimetable

    timetable = DayAfterTimetable.deserialize(DayAfterTimetable("Europe/Amsterdam").serialize())
    last, days = None, []
    for _ in range(365):
        info = timetable.next_dagrun_info(
            last_automated_data_interval=last,
            restriction=TimeRestriction(
                earliest=pendulum.datetime(2026, 1, 1, tz="Europe/Amsterdam"), latest=None, catchup=True
            ),
        )
        assert info is not None
        last = info.data_interval
        local = info.run_after.astimezone(AMSTERDAM)
        days.append(last.start.astimezone(AMSTERDAM).date())
        assert local.date() == days[-1] + timedelta(days=1)
        # 06:00, and an hour off only in the night in which the clock changes.
        assert local.hour == 6 or days[-1] + timedelta(days=1) in (date(2026, 3, 29), date(2026, 10, 25))
    assert days == [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]


def test_only_a_live_run_of_the_latest_whole_day_announces_it() -> None:
    yesterday = day.latest_whole_day()
    older = yesterday - timedelta(days=1)
    assert day.announces(run())[0]
    assert day.announces(run("scheduled", start=midnight(yesterday)))[0]
    assert not day.announces(run("scheduled", start=midnight(older)))[0]
    assert not day.announces(run("backfill", start=midnight(yesterday)))[0]
    assert not day.announces(run(**{"from": str(older), "to": str(yesterday)}))[0]
    assert not day.announces(run(due=datetime.now(AMSTERDAM) - timedelta(days=1)))[0]


@pytest.mark.parametrize(
    "asked",
    [
        {"from": "2026-03-01"},
        {"to": "2026-03-01"},
        {"from": "2026-03-02", "to": "2026-03-01"},
        {"from": "1 March", "to": "2026-03-02"},
        {"from": "2026-03-01", "to": "2999-01-01"},
    ],
)
def test_a_range_that_cannot_be_restated_is_refused_in_words(asked: dict[str, str]) -> None:
    with pytest.raises(InvalidRange):
        day.stats_window(run(**asked), 30)


def test_a_backfill_never_decides_budgets_even_if_it_is_due_today() -> None:
    assert day.require_today(run()) == day.today()
    with pytest.raises(NotToday, match="backfill"):
        day.require_today(run("backfill", start=midnight(day.latest_whole_day())))


def test_a_backfill_restates_its_day_only_and_a_schedule_the_last_days_too() -> None:
    of = date(2026, 5, 5)
    assert day.stats_window(run("backfill", start=midnight(of)), 30) == day.Window(of, of)
    assert day.stats_window(run("scheduled", start=midnight(of)), 30).days == 30


def test_a_budget_run_of_another_day_is_refused() -> None:
    day.require_today(run())
    late = run(due=datetime.now(AMSTERDAM) - timedelta(days=1))
    for late.dag_id in ("lead_budgets", "lead_budget_revert", "lead_digest"):
        with pytest.raises(NotToday, match=f"This run of {late.dag_id} was .* start a new run of {late.dag_id}"):
            day.require_today(late)
