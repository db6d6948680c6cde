"""Fixtures by what they start: a real Postgres, the sandbox, Airflow itself, and a morning made of all three."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

# How long an example takes is the machine's, never a reason to fail. The same code is given the same examples, so that
# a run fails for what was changed; `--long` and the whole matrix of faults look for new ones.
settings.register_profile("same_examples", deadline=None, derandomize=True)
settings.register_profile("new_examples", deadline=None)

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
    "tests.fixtures.services",
    "tests.fixtures.browser",
]

# Their tests start Airflow's own processes; one worker takes them all, so that these start once.
REAL_AIRFLOW = (
    "tests/dags/test_approvals_in_airflow.py",
    "tests/dags/test_oncall.py",
    "tests/runs/test_window.py",
    "tests/faults/test_drill.py",
    "tests/faults/test_process.py",
    "tests/pages/test_approval.py",
    "tests/pages/test_graphs.py",
)
# Likewise of the tests that open the page: its database takes a while to live its month.
PAGE = "tests/ui/browser/"
# Where the longest files are: what comes last decides how long the others wait for it.
FIRST = (*REAL_AIRFLOW, PAGE, "tests/dags/", "tests/channels/", "tests/faults/", "tests/budgets/", "tests/findings/")


class OneRealAirflow(LoadFileScheduling):
    """A file's tests are one worker's; those of the files with a real Airflow are one worker's together, and likewise
    those that open the page.
    """

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        if file.startswith(PAGE):
            return PAGE
        return "real Airflow" if file in REAL_AIRFLOW else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return OneRealAirflow(config, log) if config.option.dist == "loadfile" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also the tests marked long, and every case of each test")


def pytest_configure(config: pytest.Config) -> None:
    looks_further = config.getoption("--long") or config.getoption("--every-case", default=False)
    settings.load_profile("new_examples" if looks_further else "same_examples")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is long, and begin with the files that take longest.

    Long is what is marked so, and of a test that is given a database and a world for each of its cases all but the
    first. `--long`, and the whole matrix of faults or the whole drill, leave nothing out.
    """
    if not any(config.getoption(name, default=False) for name in ("--long", "--every-case", "--every-morning")):
        cases: dict[tuple[Path, str], list[pytest.Item]] = {}
        for item in items:
            if isinstance(item, pytest.Function) and {"postgres_cluster", "sandbox"} <= set(item.fixturenames):
                cases.setdefault((item.path, item.originalname), []).append(item)
        left_out = {item for item in items if item.get_closest_marker("long")}
        left_out |= {item for of_test in cases.values() for item in of_test[1:] if item.path.parent.name != "faults"}
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: next((n for n, name in enumerate(FIRST) if item.nodeid.startswith(name)), len(FIRST)))
