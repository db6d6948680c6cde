"""A day that nothing disturbs, on two workers: who worked, what they wrote and where it is read."""

from __future__ import annotations

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest

from tests.faults.invariants import contradictions, gather
from tests.fixtures.airflow import Run
from tests.fixtures.mailbox import MARKETING, ON_CALL, Mail, Mailbox
from tests.fixtures.morning import Morning
from tests.fleet import at_most_once, only_with_the_fleet
from tests.fleet.conftest import Fleet, a_day
from tests.fleet.stack import WORKERS

pytestmark = only_with_the_fleet

ADDRESSES = {worker.address for worker in WORKERS}


@dataclass
class Day:
    """What it left."""

    morning: Morning
    runs: dict[str, Run] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    mail: list[Mail] = field(default_factory=list)
    tasks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def day(fleet: Fleet, mailbox: Mailbox, dawn_template: str) -> Iterator[Day]:
    """lead_stats, the lead_budgets that it starts, and the digest."""
    with pytest.MonkeyPatch.context() as patch, fleet.following_the_schedule():
        lived = Day(a_day(fleet, mailbox, patch, dawn_template))

        def end(dag_id: str, run_id: str) -> Run:
            begun = time.monotonic()
            run = lived.runs[dag_id] = fleet.wait(dag_id, run_id)
            lived.seconds[dag_id] = time.monotonic() - begun
            fleet.hear(dag_id, run)
            lived.tasks[dag_id] = fleet.api.tasks(dag_id, run_id)
            return run

        stats = end("lead_stats", fleet.start("lead_stats"))
        assert stats.state == "success", stats.tasks
        (announced,) = fleet.runs_started_by("lead_stats", stats.run_id)
        end("lead_budgets", announced)
        end("lead_digest", fleet.start("lead_digest"))
        lived.mail = mailbox.take()
        yield lived


def test_both_workers_take_tasks_and_the_log_agrees_with_the_ad_account(day: Day, record_property: Any) -> None:
    hosts = Counter(task["hostname"] for tasks in day.tasks.values() for task in tasks if task["hostname"])
    for name, seconds in day.seconds.items():
        record_property(name, f"{seconds:.1f} s")
    record_property("tasks", dict(hosts))
    assert {name: run.state for name, run in day.runs.items()} == dict.fromkeys(day.runs, "success")
    assert set(hosts) == ADDRESSES
    assert contradictions(gather(day.morning), settled=True) == []
    changed = at_most_once(day.morning)
    assert changed == {row["external_id"] for row in day.morning.log()} and len(changed) >= 4


def test_no_task_is_tried_twice(day: Day) -> None:
    assert {name: tries for run in day.runs.values() for name, tries in run.tries.items() if tries > 1} == {}


def test_the_logs_of_both_workers_are_read_through_the_api(day: Day, fleet: Fleet) -> None:
    read = Counter[str]()
    for dag_id, tasks in day.tasks.items():
        for task in tasks:
            if not task["hostname"]:
                continue
            said = fleet.api.log(task)
            (of_it,) = [worker for worker in WORKERS if worker.address == task["hostname"]]
            (other,) = [worker for worker in WORKERS if worker != of_it]
            path = f"dag_id={dag_id}/run_id={task['dag_run_id']}/task_id={task['task_id']}/"
            path += f"map_index={task['map_index']}/" * (task["map_index"] >= 0) + "attempt=1.log"
            assert (fleet.stack.home_of(of_it) / "logs" / path).exists()
            assert not (fleet.stack.home_of(other) / "logs" / path).exists(), "the workers share no folder"
            # Airflow answers so where it cannot read one.
            assert said and not re.search("Could not read served logs|secret_key|Log file not found", "\n".join(said))
            read[of_it.name] += 1
    assert set(read) == {worker.name for worker in WORKERS}


def test_the_digest_is_sent_once_and_nobody_is_alerted(day: Day) -> None:
    assert [mail.subject for mail in day.mail if mail.to == MARKETING] == [day.mail[0].subject]
    assert [mail.subject for mail in day.mail if mail.to == ON_CALL and " failed" in mail.subject] == []


def test_a_worker_knows_no_metadata_database_and_no_key_of_it(day: Day, fleet: Fleet) -> None:
    for worker in WORKERS:
        environment = psutil.Process(fleet.stack.running()[worker.name].pid).environ()
        known = {name for name in environment if name.startswith("AIRFLOW")}
        assert not {
            name for name in known if re.search("DATABASE__|FERNET|JWT|PASSWORDS|AIRFLOW__CORE__EXECUTOR$", name)
        }
        assert fleet.stack.postgres.url("airflow") not in environment.values()
        # Airflow's default, a file; it is opened and nothing is asked of it.
        with closing(sqlite3.connect(fleet.stack.home_of(worker) / "airflow.db")) as default:
            assert default.execute("select name from sqlite_master").fetchall() == []


def test_a_worker_has_loaded_what_tasks_import_before_it_forks(day: Day, fleet: Fleet) -> None:
    for worker in WORKERS:
        main = psutil.Process(fleet.stack.running()[worker.name].pid)
        loaded = {part for mapped in main.memory_maps() for part in mapped.path.split("/")}
        assert {"pandas", "grpc"} <= loaded


def test_a_failed_run_is_reported_once(fleet: Fleet, fleet_morning: Morning, mailbox: Mailbox) -> None:
    fleet_morning.sandbox.fault("permission", "SearchStream", times=50, customer="2345678901")
    failed = fleet.run("lead_budgets")
    fleet.hear("lead_budgets", failed)
    digest = fleet.run("lead_digest")
    fleet.hear("lead_digest", digest)
    assert failed.state == "failed"
    mails = mailbox.take()
    assert [mail.subject for mail in mails if mail.to == ON_CALL and " failed" in mail.subject] == [
        "lead_budgets failed: read_budgets 2345678901 (SourceRefused)"
    ]
    assert len([mail for mail in mails if mail.to == MARKETING]) == 1
