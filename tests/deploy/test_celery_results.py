"""The states of tasks while Redis is away, asked of a real one as Airflow's scheduler asks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from local.ports import free_port
from tests.fleet.stack import redis_answers, redis_program, until
from tools import REPOSITORY

PATIENT = "celery_results.PatientRedis+"

pytestmark = pytest.mark.usefixtures("starts_services")


@contextmanager
def redis(port: int, folder: Path) -> Iterator[None]:
    command = [redis_program(), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--appendonly", "yes"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until(lambda: redis_answers(port), "Redis answers")
        yield
    finally:
        process.kill()
        process.wait()


def states(backend: Any, *tasks: str) -> list[bool]:
    """Which of these tasks have a state, in one request."""
    return [found is not None for found in backend.mget([backend.get_key_for_task(task) for task in tasks])]


def test_a_state_is_unknown_while_redis_is_away_and_known_again_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(REPOSITORY / "config")
    port = free_port()
    url = f"redis://127.0.0.1:{port}/1"
    patient = Celery("patient", backend=PATIENT + url, broker=url).backend
    plain = Celery("plain", backend=url, broker=url).backend
    with redis(port, tmp_path):
        patient.store_result("done", None, "SUCCESS")
        assert states(patient, "done", "waits") == states(plain, "done", "waits") == [True, False]
    assert states(patient, "done", "waits") == [False, False]
    with pytest.raises(plain.connection_errors):  # with this Airflow's scheduler ends
        states(plain, "done")
    with redis(port, tmp_path):
        assert states(patient, "done", "waits") == [True, False]
