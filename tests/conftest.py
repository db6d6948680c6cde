"""Fixtures by what they start: a real Postgres, the sandbox, Airflow itself, and a morning made of all three."""

from __future__ import annotations

pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.sandbox",
    "tests.fixtures.mailbox",
    "tests.fixtures.airflow",
    "tests.fixtures.morning",
    "tests.fixtures.real_airflow",
]
