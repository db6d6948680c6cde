"""Where workers write the states of tasks for the scheduler, in a form that outlives an outage of Redis.

`AIRFLOW__CELERY__RESULT_BACKEND=celery_results.PatientRedis+redis://…`, for the scheduler and the workers alike.

The scheduler asks for all states at once, several times per second. Celery repeats every other request to Redis for 20
seconds; from this one the error comes through, and Airflow's scheduler ends with it.
"""

import logging
from collections.abc import Sequence
from typing import Any

from celery.backends.redis import RedisBackend

log = logging.getLogger(__name__)


class PatientRedis(RedisBackend):
    """Redis; while it is away, the states are not known."""

    def mget(self, keys: Sequence[Any]) -> list[bytes | None]:
        """The states by key, None where there is none yet: Airflow then asks again."""
        try:
            states: list[bytes | None] = super().mget(keys)
        except self.connection_errors as error:
            log.warning("Redis does not give the states of %d tasks, which are asked for again: %s", len(keys), error)
            return [None] * len(keys)
        return states
