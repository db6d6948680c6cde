"""Which day a run is about: the only place that answers it in Python (`lead_today()` is its twin in SQL).

`ds` and `logical_date` are never used: for a midnight interval in Europe/Amsterdam they name the day before, and a
manual run has neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from lead_demand.errors import InvalidRange, NotToday

if TYPE_CHECKING:
    from airflow.sdk.types import DagRunProtocol

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
# A window that is longer is worked through month by month, so that neither memory nor a transaction grows with it.
DAYS_AT_ONCE = 31


@dataclass(frozen=True)
class Window:
    """Whole days from `first` to `last`, both included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise InvalidRange(f"The range starts on {self.first}, after its end on {self.last}.")

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def chunks(self, most_days: int = DAYS_AT_ONCE) -> list[Window]:
        """The same days in order, at most `most_days` (at least 1) in each; a window that is longer is cut where a
        month ends.
        """
        if self.days <= most_days:
            return [self]
        found, first = [], self.first
        while first <= self.last:
            last = min(self.last, first + timedelta(days=most_days - 1))
            if most_days >= DAYS_AT_ONCE:
                last = min(
                    last, (first.replace(day=1) + timedelta(days=DAYS_AT_ONCE)).replace(day=1) - timedelta(days=1)
                )
            found.append(Window(first, last))
            first = last + timedelta(days=1)
        return found

    def __str__(self) -> str:
        return str(self.first) if self.days == 1 else f"{self.first} to {self.last} ({self.days} days)"


def today(now: datetime | None = None) -> date:
    """The present day in Europe/Amsterdam."""
    return (now or datetime.now(tz=AMSTERDAM)).astimezone(AMSTERDAM).date()


def latest_whole_day(now: datetime | None = None) -> date:
    """Yesterday in Europe/Amsterdam: the newest day whose numbers can be complete."""
    return today(now) - timedelta(days=1)


def moment_after(seconds: float, now: datetime | None = None) -> str:
    """The minute that so many seconds from now lie before, for people: `04:17 on 2026-11-24 (Europe/Amsterdam)`."""
    # Added in UTC: wall clocks jump twice a year. And rounded up: what is said must not be too early.
    at = (now or datetime.now(tz=UTC)).astimezone(UTC) + timedelta(seconds=seconds + 60, microseconds=-1)
    return f"{at.astimezone(AMSTERDAM):%H:%M on %Y-%m-%d} (Europe/Amsterdam)"


def run_type(dag_run: DagRunProtocol) -> str:
    """`scheduled`, `backfill`, `manual` or `asset_triggered`; never guessed from the run id, which a backfill keeps."""
    return str(getattr(dag_run.run_type, "value", dag_run.run_type))


def requested_range(dag_run: DagRunProtocol) -> Window | None:
    """The `from` and `to` of the trigger form, or None where a run was not asked for a range.

    Raises InvalidRange where only one of them is given, where they are no dates, or where the range is not over yet.
    """
    if run_type(dag_run) != "manual":
        return None
    conf: dict[str, Any] = dag_run.conf or {}
    first, last = conf.get("from") or None, conf.get("to") or None
    if first is None and last is None:
        return None
    if first is None or last is None:
        raise InvalidRange(f"A range needs both ends: from={first}, to={last}.")
    try:
        window = Window(date.fromisoformat(str(first)), date.fromisoformat(str(last)))
    except ValueError as error:
        raise InvalidRange(f"from={first} and to={last} are not dates like 2026-03-14 ({error}).") from error
    if window.last > latest_whole_day():
        raise InvalidRange(f"The range ends on {window.last}; the latest whole day is {latest_whole_day()}.")
    return window


def stats_date(dag_run: DagRunProtocol) -> date:
    """The last day that a run of `lead_stats` is about.

    Scheduled and backfilled runs: the local day on which the data interval starts. Manual runs: the end of the
    requested range, otherwise the day before the run was due (its `run_after`, so that a cleared old run stays an old
    run).
    """
    if run_type(dag_run) in ("scheduled", "backfill"):
        start = cast("datetime", dag_run.data_interval_start)
        return start.astimezone(AMSTERDAM).date()
    asked = requested_range(dag_run)
    return asked.last if asked else dag_run.run_after.astimezone(AMSTERDAM).date() - timedelta(days=1)


def stats_window(dag_run: DagRunProtocol, restated_days: int) -> Window:
    """The days a pull covers: the requested range, the one day of a backfill, or the last `restated_days` days."""
    last = stats_date(dag_run)
    if asked := requested_range(dag_run):
        return asked
    return Window(last if run_type(dag_run) == "backfill" else last - timedelta(days=restated_days - 1), last)


def announces(dag_run: DagRunProtocol, now: datetime | None = None) -> tuple[bool, str]:
    """Whether a run of `lead_stats` may start the budgets of today, and the reason in words.

    Only a scheduled run, or a manual one without a range, of the latest whole day may.
    """
    day = stats_date(dag_run)
    if run_type(dag_run) == "backfill":
        return False, f"a backfill of {day} restates statistics; it never starts budgets"
    if requested_range(dag_run):
        return (
            False,
            f"a run over the range {requested_range(dag_run)} restates statistics; it never starts budgets",
        )
    if day != latest_whole_day(now):
        return False, f"{day} is not the latest whole day, which is {latest_whole_day(now)}"
    return True, f"{day} is the latest whole day"


def require_today(dag_run: DagRunProtocol, now: datetime | None = None) -> date:
    """Today, for a run that was due today; raises NotToday, which names its DAG, for a backfill or a run of another
    day.
    """
    again = f"Do not clear it: start a new run of {dag_run.dag_id}."
    if run_type(dag_run) == "backfill":  # one of yesterday is due this morning
        raise NotToday(f"This run of {dag_run.dag_id} is a backfill; it only knows today.", todo=again)
    due: date = dag_run.run_after.astimezone(AMSTERDAM).date()
    if due != today(now):
        raise NotToday(f"This run of {dag_run.dag_id} was due on {due}; today is {today(now)}.", todo=again)
    return due
