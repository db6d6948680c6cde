"""Google Ads fails in every way it can, at every step of `lead_budgets`: representative cases in Airflow, all of them
without it (see `plain`), with the same retries.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.faults.cases import API_CASES, Case
from tests.faults.conftest import Strikes
from tests.faults.drill import drill
from tests.faults.plain import run_lead_budgets
from tests.fixtures.airflow import Run
from tests.fixtures.morning import Morning

CASES = API_CASES


@pytest.fixture
def patience(case: Case, request: pytest.FixtureRequest) -> Iterator[None]:
    """For slow answers a client that gives up early; the world forgets what it still had to do before it goes on."""
    if case.slow_client:
        request.getfixturevalue("impatient_client")
    yield
    if case.slow_client:
        time.sleep(6.5)


def test_the_log_tells_the_truth(case: Case, morning: Morning, strikes: Strikes, patience: None) -> None:
    def arm() -> None:
        if case.at is None:
            case.strike(morning)
        else:
            strikes.at(*case.at, lambda: case.strike(morning))
        if case.then:
            point, strike = case.then
            strikes.at(*point, lambda: strike(morning))

    def run() -> Run:
        return morning.run("lead_budgets") if case.short else run_lead_budgets()

    drill(case, morning, strikes, run, run, arm, lambda: not strikes.waiting)
