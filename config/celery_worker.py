"""Celery's settings, with what tasks import loaded once in each worker.

`AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS=celery_worker.CONFIG`. A worker forks a process per task; what its main process
has imported, none of them imports again. Only a worker sends the signal; the scheduler reads the settings alone.
"""

from typing import Any

from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG
from celery.signals import import_modules

CONFIG: dict[str, Any] = dict(DEFAULT_CELERY_CONFIG)


@import_modules.connect
def load_libraries(**_: object) -> None:
    """Import what tasks need, before the worker forks."""
    from lead_demand import preload

    preload.load()
