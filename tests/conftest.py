"""Fixtures by what they start: a real Postgres, the sandbox, Airflow itself, and a morning made of all three."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes is the machine's, never a reason to fail.
settings.register_profile("without_deadline", deadline=None)
settings.load_profile("without_deadline")

pytest_plugins = [
    "tests.fixtures.midnight",
    "tests.fixtures.postgres",
    "tests.fixtures.pgbouncer",
    "tests.fixtures.sandbox",
    "tests.fixtures.mailbox",
    "tests.fixtures.airflow",
    "tests.fixtures.morning",
    "tests.fixtures.steps",
    "tests.fixtures.world",
    "tests.fixtures.real_airflow",
]
