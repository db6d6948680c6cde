"""Fixtures by what they start: a real Postgres, the sandbox's servers, Airflow itself."""

from __future__ import annotations

pytest_plugins = ["tests.fixtures.airflow", "tests.fixtures.postgres", "tests.fixtures.sandbox"]
