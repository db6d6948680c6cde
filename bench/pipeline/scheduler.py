"""Airflow's scheduler, whose tasks write down what they used: a line of JSON each, in the file USAGE_FILE names.

python -m bench.pipeline.scheduler --skip-serve-logs
"""

import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from bench.pipeline import USAGE_FILE
from local import scheduler

waited = 0.0  # seconds of this process for Google Ads


@contextmanager
def waiting() -> Iterator[None]:
    """Time that passes in the block is waited for Google Ads."""
    global waited  # noqa: PLW0603 - a task is a process of its own
    begun = time.monotonic()
    try:
        yield
    finally:
        waited += time.monotonic() - begun


def timed(call: Callable[..., Any]) -> Callable[..., Any]:
    """The same call, whose time counts as waited."""

    @wraps(call)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        with waiting():
            return call(*arguments, **named)

    return wrapped


def timed_rows(call: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """The same rows; the time until each is there counts as waited."""

    @wraps(call)
    def wrapped(*arguments: Any, **named: Any) -> Iterator[Any]:
        rows, over = call(*arguments, **named), object()
        while True:
            with waiting():
                row = next(rows, over)
            if row is over:
                return
            yield row

    return wrapped


def record_usage() -> None:
    """Wrap the end of every task, and what asks Google Ads; a worker inherits it by being forked from this process."""
    from airflow.sdk.execution_time import task_runner

    from lead_demand.channels.google_ads.hook import GoogleAdsBudgetHook

    GoogleAdsBudgetHook.rows = timed_rows(GoogleAdsBudgetHook.rows)  # type: ignore[method-assign]
    GoogleAdsBudgetHook.set_amounts = timed(GoogleAdsBudgetHook.set_amounts)  # type: ignore[method-assign]
    finalize = task_runner.finalize

    def finalize_and_record(ti: Any, *arguments: Any, **named: Any) -> None:
        finalize(ti, *arguments, **named)
        used = resource.getrusage(resource.RUSAGE_SELF)
        line = {
            "dag_id": ti.dag_id,
            "run_id": ti.run_id,
            "task_id": ti.task_id,
            "seconds": time.time() - ti.start_date.timestamp(),
            "cpu": used.ru_utime + used.ru_stime,
            "megabytes": used.ru_maxrss / 1024,
            "google": waited,
        }
        with open(os.environ[USAGE_FILE], "a") as file:  # one short write, which no other process can split
            file.write(json.dumps(line) + "\n")

    task_runner.finalize = finalize_and_record


if __name__ == "__main__":
    scheduler.load()
    record_usage()
    scheduler.run()
