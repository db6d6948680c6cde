"""Airflow's scheduler, whose tasks write down what they used: a line of JSON each, in the file USAGE_FILE names.

python -m bench.pipeline.scheduler --skip-serve-logs
"""

import json
import os
import resource
import time
from typing import Any

from bench.pipeline import USAGE_FILE
from local import scheduler


def record_usage() -> None:
    """Wrap the end of every task; a worker inherits it by being forked from this process."""
    from airflow.sdk.execution_time import task_runner

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
        }
        with open(os.environ[USAGE_FILE], "a") as file:  # one short write, which no other process can split
            file.write(json.dumps(line) + "\n")

    task_runner.finalize = finalize_and_record


if __name__ == "__main__":
    scheduler.load()
    record_usage()
    scheduler.run()
