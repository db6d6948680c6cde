"""Which errors a retry can heal, as `diagnosis.explain` says. Everything else fails at once: a retry must never hide a
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

# The configured default, said aloud: left unsaid, Airflow gives a mapped task five minutes whatever is configured.
RETRY_DELAY = timedelta(seconds=conf.getint("core", "default_task_retry_delay"))


class RetryWhatHeals(RetryPolicy):
    """Tries again where the error's kind may heal by itself. Airflow keeps the limit on the number of tries."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        facts = explain(exception)
        if facts.heals:
            return RetryDecision.retry(reason=f"{facts.kind} may heal by itself")
        return RetryDecision.fail(reason=f"{facts.kind} does not heal by a retry")


RETRY_POLICY = RetryWhatHeals()
