"""The time limits of a transaction: they follow what is left to the task, or the request, that it belongs to."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

# What a task may take unless it says otherwise.
TASK_TIMEOUT = timedelta(minutes=30)
# A statement ends so much before the task would be killed: enough to report what happened.
MARGIN = timedelta(seconds=60)
# Of the task's whole limit: how long one lock is waited for.
LOCK_SHARE = 1 / 3
# How old the limits of a transaction may become before they are brought up to date.
FRESH_SECONDS = 30.0
LEAST_SECONDS = 1.0


@dataclass
class Limits:
    """The time that is left to the task of this process, or to a request.

    :param whole: how many seconds it may take in all.
    :param deadline: when it has to be done, by `time.monotonic`.
    """

    whole: float
    deadline: float
    set_at: float = field(default=0.0, init=False)

    @classmethod
    def of_task(cls) -> Limits:
        """Those of the task that runs here; outside of a task, those of a task that begins now."""
        from airflow.sdk import get_current_context

        limit, started = TASK_TIMEOUT, None
        try:
            ti: Any = get_current_context()["ti"]
            limit, started = ti.task.execution_timeout or limit, ti.start_date
        except RuntimeError:
            pass
        gone = (datetime.now(tz=UTC) - started).total_seconds() if started else 0.0
        whole = limit.total_seconds()
        margin = min(MARGIN.total_seconds(), whole / 10)
        return cls(whole, time.monotonic() + whole - margin - gone)

    @classmethod
    def of_request(cls, whole: float) -> Limits:
        """Those of somebody who waits for an answer: so many seconds from now, whatever task or none runs here."""
        return cls(whole, time.monotonic() + whole)

    def values(self) -> dict[str, int]:
        """What `begin.sql` binds; milliseconds."""
        left = max(self.deadline - time.monotonic(), LEAST_SECONDS)
        # A wait for a lock ends before its statement does, so that the error says which of the two it was.
        lock = min(self.whole * LOCK_SHARE, left * 0.9)
        # The session of a process that is gone without a word must not hold its locks longer than the task could last.
        idle = left + 2 * MARGIN.total_seconds()
        return {
            "statement_timeout": int(left * 1000),
            "lock_timeout": int(lock * 1000),
            "idle_timeout": int(idle * 1000),
        }
