"""A task's own process is killed at every named point of the protocol, in a real Airflow that tries it again."""

from __future__ import annotations

from tests.faults import points
from tests.faults.cases import MUTATE, PROCESS_CASES, STRUCK, Case
from tests.faults.conftest import Strikes
from tests.faults.drill import drill
from tests.fixtures.airflow import Run, airflow_run
from tests.fixtures.morning import Morning
from tests.fixtures.real_airflow import RealAirflow

CASES = PROCESS_CASES


def test_the_log_tells_the_truth(
    case: Case, real_airflow: RealAirflow, real_morning: Morning, strikes: Strikes, dagbag: object
) -> None:
    assert case.at
    step, point = case.at

    def arm() -> None:
        if point == "sending":  # Google takes longer than the sender has to live, and does it all the same
            times = 1 if step == "decrease" else 2  # decreases are sent first
            real_morning.sandbox.fault("slow", MUTATE, customer=STRUCK, sleep=1, times=times)
        real_airflow.strike_file.write_text(f"{step} {point}")

    def run() -> Run:
        return real_morning.run("lead_budgets")

    # Which Airflow the person uses makes no difference; the one in this process is quicker.
    def run_by_a_person() -> Run:
        return airflow_run(dagbag, "lead_budgets")

    drill(case, real_morning, strikes, run, run_by_a_person, arm, lambda: not real_airflow.strike_file.exists())


def test_there_are_enough_points_to_die_at() -> None:
    assert len(points.CHANGES) >= 10
    assert {case.at for case in PROCESS_CASES} == {
        (step, point) for step, names in points.POINTS.items() for point in names
    }
