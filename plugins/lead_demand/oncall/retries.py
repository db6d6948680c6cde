"""Which errors a retry can fix, as `diagnosis.explain` says. Everything else fails at once: a retry must never hide a
bug or repeat a refusal.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import RetryDecision, RetryPolicy
from airflow.sdk.configuration import conf

from lead_demand.oncall.diagnosis import explain

if TYPE_CHECKING:
    from airflow.sdk import Context

# The configured default, stated explicitly: otherwise Airflow gives a mapped task five minutes whatever is configured.
RETRY_DELAY = timedelta(seconds=conf.getint("core", "default_task_retry_delay"))


class RetryWhatHeals(RetryPolicy):
    """Retries where the error's kind may be temporary. Airflow keeps the limit on the number of tries."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        facts = explain(exception)
        if facts.heals:
            return RetryDecision.retry(reason=f"{facts.kind} may be temporary")
        return RetryDecision.fail(reason=f"a retry does not fix {facts.kind}")


RETRY_POLICY = RetryWhatHeals()
