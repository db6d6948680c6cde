"""The database goes away, keeps a lock or has no space left, at every named point of the protocol."""

from __future__ import annotations

from tests.faults.cases import DATABASE_CASES, Case, short_patience
from tests.faults.conftest import Strikes
from tests.faults.drill import drill
from tests.faults.plain import run_lead_budgets
from tests.fixtures.airflow import Run
from tests.fixtures.morning import Morning

CASES = DATABASE_CASES


def test_the_log_tells_the_truth(case: Case, morning: Morning, strikes: Strikes) -> None:
    assert case.at
    step, point = case.at
    short_patience(morning)

    def run() -> Run:
        return morning.run("lead_budgets") if case.short else run_lead_budgets()

    def arm() -> None:
        strikes.at(step, point, lambda: case.strike(morning))

    drill(case, morning, strikes, run, run, arm, lambda: not strikes.waiting)
