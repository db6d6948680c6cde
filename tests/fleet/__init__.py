"""`make fleet`: both DAGs on Celery's workers, and what is lost while they work."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from sandbox.world import catalogue
from tests.fixtures.morning import Morning

only_with_the_fleet = pytest.mark.skipif(
    os.environ.get("LEADS_TEST_FLEET") != "1", reason="plays two workers for some minutes: make fleet"
)


def at_most_once(morning: Morning) -> set[str]:
    """The budgets that the pipeline changed. Raises AssertionError where it changed one twice."""
    edits = [edit for edit in morning.sandbox.changes() if edit["user_email"] == catalogue.PIPELINE_USER]
    times = Counter(edit["resource_name"] for edit in edits)
    assert {name: count for name, count in times.items() if count > 1} == {}
    return set(times)
