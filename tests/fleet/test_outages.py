"""What a day survives on two workers: a worker, the scheduler and Redis, each lost in the middle of lead_budgets.

Each ends with log and ad account in agreement, no budget changed twice, nobody alerted. The seconds that are printed
are from the loss to the run's end.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from tests.faults.cases import MUTATE, STRUCK
from tests.faults.invariants import contradictions, gather
from tests.fixtures.airflow import Run
from tests.fixtures.mailbox import Mailbox
from tests.fixtures.morning import Morning
from tests.fleet import at_most_once, only_with_the_fleet
from tests.fleet.conftest import Fleet
from tests.fleet.stack import WORKERS, Worker, until

pytestmark = only_with_the_fleet

OUTAGE = 10  # seconds


def under_way(morning: Morning, action: str) -> bool:
    """Is a change of that direction in force at Google, and not answered yet?"""
    live = morning.sandbox.budgets()
    return any(
        (row["status"], row["action_type"]) == ("pending", f"budget_{action}")
        and live[row["external_id"]] == int(row["new_value"] * 1_000_000)
        for row in morning.log()
    )


def start_and_stop_in(fleet: Fleet, morning: Morning, action: str, seconds: float) -> str:
    """A run whose first change of that direction is in force, and whose answer comes so many seconds later."""
    if action == "increase":  # decreases are sent first
        morning.sandbox.fault("slow", MUTATE, customer=STRUCK, sleep=0.01)
    morning.sandbox.fault("slow_after_apply", MUTATE, customer=STRUCK, sleep=seconds)
    run_id = fleet.start("lead_budgets")
    until(lambda: under_way(morning, action), f"the {action} is under way")
    return run_id


def worker_of(fleet: Fleet, run_id: str, task_id: str) -> Worker:
    (address,) = (task["hostname"] for task in fleet.api.tasks("lead_budgets", run_id) if task["task_id"] == task_id)
    (worker,) = [worker for worker in WORKERS if worker.address == address]
    return worker


class After:
    """What must hold at the end of a run, whatever was lost."""

    def __init__(self, fleet: Fleet, morning: Morning, mailbox: Mailbox, record: Callable[[str, object], None]) -> None:
        self._fleet, self._morning, self._mailbox, self._record = fleet, morning, mailbox, record
        self.lost = time.monotonic()

    def loss(self) -> None:
        """Now it is lost."""
        self.lost = time.monotonic()

    def check(self, run_id: str) -> Run:
        run = self._fleet.wait("lead_budgets", run_id)
        self._record("done after", f"{time.monotonic() - self.lost:.1f} s")
        self._record("tried again", {name: tries for name, tries in run.tries.items() if tries > 1})
        tasks = self._fleet.api.tasks("lead_budgets", run_id)
        self._record("ran on", {task["task_id"]: task["hostname"] for task in tasks if task["hostname"]})
        self._fleet.hear("lead_budgets", run)
        assert run.state == "success", run.tasks
        assert contradictions(gather(self._morning), settled=True) == []
        changed = at_most_once(self._morning)
        assert changed == {row["external_id"] for row in self._morning.log()} and len(changed) >= 4
        assert {row["status"] for row in self._morning.log()} == {"success"}
        assert self._mailbox.take() == [], "nobody is called"
        return run


@pytest.fixture
def after(fleet: Fleet, fleet_morning: Morning, mailbox: Mailbox, record_property: Any) -> After:
    return After(fleet, fleet_morning, mailbox, record_property)


def test_the_other_worker_finishes_the_increases_of_one_that_is_killed(
    fleet: Fleet, fleet_morning: Morning, after: After
) -> None:
    run_id = start_and_stop_in(fleet, fleet_morning, "increase", 40)
    killed = worker_of(fleet, run_id, "increase_budgets")
    fleet.stack.kill_tree(killed.name)
    after.loss()
    run = after.check(run_id)
    assert run.tries["increase_budgets"] == 2
    assert worker_of(fleet, run_id, "increase_budgets") != killed


def test_a_task_that_outlives_its_worker_and_the_same_task_elsewhere_change_each_budget_once(
    fleet: Fleet, fleet_morning: Morning, after: After
) -> None:
    run_id = start_and_stop_in(fleet, fleet_morning, "increase", 35)
    killed = worker_of(fleet, run_id, "increase_budgets")
    main = psutil.Process(fleet.stack.running()[killed.name].pid)
    family = main.children(recursive=True)
    fleet.stack.signal(killed.name, signal.SIGKILL)  # Celery's main process, and not what it has started
    after.loss()
    fleet.wait("lead_budgets", run_id, until=lambda _, states: states["increase_budgets"] == "up_for_retry")
    assert [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    run = after.check(run_id)
    assert run.tries["increase_budgets"] == 2


def test_a_scheduler_that_is_killed_and_started_again_takes_up_the_run(
    fleet: Fleet, fleet_morning: Morning, after: After
) -> None:
    run_id = start_and_stop_in(fleet, fleet_morning, "decrease", 5)
    fleet.stack.kill_tree("scheduler")
    after.loss()
    fleet.stack.start_scheduler()
    run = after.check(run_id)
    assert set(run.tries.values()) <= {0, 1}, "what ran meanwhile is not run again; 0: skipped"


def test_redis_that_does_not_answer_for_ten_seconds_is_waited_for(
    fleet: Fleet, fleet_morning: Morning, after: After
) -> None:
    run_id = start_and_stop_in(fleet, fleet_morning, "decrease", 4)
    fleet.stack.signal("redis", signal.SIGSTOP)
    after.loss()
    time.sleep(OUTAGE)
    fleet.stack.signal("redis", signal.SIGCONT)
    after.check(run_id)
    assert fleet.stack.processes.find("scheduler")


def test_redis_that_is_killed_and_comes_back_after_ten_seconds_costs_no_change(
    fleet: Fleet, fleet_morning: Morning, after: After
) -> None:
    lose_redis(fleet, fleet_morning, after, with_its_disk=False)


def test_redis_that_comes_back_with_nothing_of_its_queue_costs_no_change(
    fleet: Fleet, fleet_morning: Morning, after: After
) -> None:
    lose_redis(fleet, fleet_morning, after, with_its_disk=True)


def lose_redis(fleet: Fleet, morning: Morning, after: After, *, with_its_disk: bool) -> None:
    run_id = start_and_stop_in(fleet, morning, "decrease", 4)
    scheduler = fleet.stack.running()["scheduler"].pid
    fleet.stack.kill_redis(with_its_disk=with_its_disk)
    after.loss()
    time.sleep(OUTAGE)
    fleet.stack.start_redis()
    after.check(run_id)
    assert fleet.stack.running()["scheduler"].pid == scheduler, "it has outlived the outage"
