"""Which errors a retry can heal. Everything else fails at once: a retry must never hide a bug or repeat a refusal."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.configuration import conf

# The configured default, said aloud: left unsaid, Airflow gives a mapped task five minutes whatever is configured.
RETRY_DELAY = timedelta(seconds=conf.getint("core", "default_task_retry_delay"))

# Names, not classes: a DAG file that imported the database driver would be slow to parse.
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            # The database's own guards use this class, which the driver counts among the operational errors.
            exception="psycopg.errors.ObjectNotInPrerequisiteState",
            action=RetryAction.FAIL,
            reason="the database refused it for a reason that a retry does not change",
        ),
        RetryRule(
            exception="lead_demand.errors.SourceUnavailable",
            action=RetryAction.RETRY,
            reason="the source may answer again shortly",
        ),
        RetryRule(
            exception="lead_demand.errors.ChangesUnsettled",
            action=RetryAction.RETRY,
            reason="the budgets are read back before anything is sent again",
        ),
        RetryRule(
            exception=[
                "psycopg.OperationalError",
                "sqlalchemy.exc.OperationalError",
                "builtins.ConnectionError",
                "builtins.TimeoutError",
            ],
            action=RetryAction.RETRY,
            reason="the connection may come back",
        ),
    ],
    default=RetryAction.FAIL,
)
