"""Midnight-to-midnight days in Europe/Amsterdam, each started some hours after it ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable


class DayAfterTimetable(CronDataIntervalTimetable):
    """One run a local day; the data interval is that day, 23 or 25 hours long when the clock changes.

    Source correction and nightly closing make yesterday complete at 03:00 account time, so a run waits `delay` after
    midnight.

    :param timezone: IANA name of the zone whose midnights bound a day.
    :param delay: time between the end of the day and the start of its run.
    """

    def __init__(self, timezone: str = "Europe/Amsterdam", delay: timedelta = timedelta(hours=6)) -> None:
        super().__init__("0 0 * * *", timezone)
        self._zone = timezone
        self._delay = delay

    @property
    def summary(self) -> str:
        return f"daily, {self._delay} after midnight in {self._zone}"

    def serialize(self) -> dict[str, Any]:
        return {"timezone": self._zone, "delay": self._delay.total_seconds()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> DayAfterTimetable:
        return cls(data["timezone"], timedelta(seconds=data["delay"]))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        due = super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )
        return due and DagRunInfo(run_after=due.run_after + self._delay, data_interval=due.data_interval)
