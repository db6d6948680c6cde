"""Whatever people and machines do to one day, in whatever order: the log tells the truth after every step."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from lead_demand.runs import day
from tests.faults import points
from tests.faults.cases import MUTATE, write_a_row
from tests.faults.conftest import Strikes, every_case, wrapped_protocol
from tests.faults.drill import Died
from tests.faults.invariants import contradictions, gather
from tests.fixtures.airflow import Run, answering
from tests.fixtures.morning import Morning, a_morning
from tests.fixtures.postgres import MEMBER

NAMES = count()


@dataclass
class Day:
    """One morning and what was done to it so far. Every public method is one step."""

    morning: Morning
    strikes: Strikes
    last: Run | None = None
    choice: str = "Reject"
    forged: bool = False
    asked: set[tuple[str, bool]] = field(default_factory=set)

    def run(self) -> None:
        """A person triggers the day's run."""
        self._run()

    def clear(self) -> None:
        """A person clears the latest run, whatever became of it."""
        self._run(**({"clear": self.last} if self.last else {}))

    def _run(self, **options: Any) -> None:
        with answering(self.choice, forged=self.forged) as questions:
            self.last = self.morning.run("lead_budgets", **options)
        if questions:
            self.asked.add((self.choice, self.forged))

    def approval(self, threshold: int, choice: str) -> None:
        """From now on increases above this amount wait for a person, who chooses so. "forged": nobody answers, and a
        user of Airflow writes an approval into the XCom and the state of the task.
        """
        self.morning.set(approval_threshold=Decimal(threshold), approval_deadline="23:59:59")
        self.choice, self.forged = ("Approve", True) if choice == "forged" else (choice, False)

    def retry(self, step: str, point: str) -> None:
        """The database connection breaks somewhere in a run, and Airflow tries the task again."""

        def lose_connection() -> None:
            raise psycopg.OperationalError("server closed the connection unexpectedly")

        self.strikes.at(step, point, lose_connection)
        self.run()
        self.strikes.waiting.clear()  # a run that had nothing to do never came there

    def unanswered(self, kind: str) -> None:
        """Google does not answer a change."""
        self.morning.sandbox.fault(kind, MUTATE)
        self.run()
        self.morning.sandbox.clear()

    def unanswered_all_day(self, kind: str) -> None:
        """Google answers no change of a run, however often it is tried: its claims stay open."""
        self.morning.sandbox.fault(kind, MUTATE, times=1_000)
        self.run()
        self.morning.sandbox.clear()

    def die(self, step: str, point: str) -> None:
        """The machine goes down somewhere in a run: nothing of it is tried again."""

        def die() -> None:
            raise Died

        self.strikes.at(step, point, die)
        with suppress(Died):
            self.run()
        self.strikes.waiting.clear()

    def backfill(self, days_ago: int) -> None:
        """The data team restates a day, and tries the budgets of that day as well."""
        past = day.today() - timedelta(days=days_ago)
        self.changing_nothing(lambda: self.morning.run("lead_stats", run_type="backfill", day=past))
        self.changing_nothing(lambda: self.morning.run("lead_budgets", run_type="backfill", day=past))

    def old_date(self, days_ago: int) -> None:
        """A run that was due on an earlier day is started by hand."""
        due = datetime.now(day.AMSTERDAM) - timedelta(days=days_ago)
        self.changing_nothing(lambda: self.morning.run("lead_budgets", due=due))

    def edit(self, number: int, factor: float) -> None:
        """A person sets a budget in Google's own pages; a factor of 0 sets it back to this morning's amount."""
        budgets = self.morning.sandbox.budgets()
        name = sorted(budgets)[number % len(budgets)]
        amount = int(budgets[name] * factor) // 10_000 * 10_000 if factor else self.morning.first_budgets[name]
        self.morning.sandbox.set_budget(name, amount)

    def kill_switch(self, on: bool) -> None:
        self.morning.set(kill_switch=on)

    def revert(self, number: int | None) -> None:
        """A person has one change of the log reverted, or the whole day."""
        rows = self.morning.log()
        if number is None or not rows:
            conf = {"day": str(day.today())}
        else:
            conf = {"log_id": str(rows[number % len(rows)]["id"])}
        self.morning.run("lead_budget_revert", conf=conf)

    def write_a_row(self, who: str | None, number: int, decided: bool) -> None:
        """Somebody writes a pending row of any amount; None is the owner of the table, with no trigger on."""
        write_a_row(self.morning, who, number % 4, decided=decided)

    def login(self, member: bool) -> None:
        """From now on the pipeline logs in as a member of its role, or as the role itself again."""
        url = self.morning.db.member_url if member else self.morning.db.pipeline_url
        os.environ["AIRFLOW_CONN_LEADS_DB"] = url.replace("postgresql://", "postgres://")

    def changing_nothing(self, action: Callable[[], Any]) -> None:
        """Do something that must leave budgets, log, decisions and plans of today alone."""
        before = self.everything()
        action()
        assert self.everything() == before

    def everything(self) -> tuple[Any, ...]:
        return self.morning.sandbox.changes(), self.morning.log(), self.morning.decisions(), self.morning.plans()


Step = tuple[Any, ...]
BUDGETS = st.integers(0, 30)
BREAKS = [
    (step, point)
    for step in ("decrease", "increase", "plan")
    for point in points.POINTS[step]
    if point not in points.WITHOUT_CONNECTION
]
WRITERS = ["admin", "service_role", "lead_pipeline", MEMBER, None]
# Weighted towards runs: a sequence without one proves little.
STEPS = st.one_of(
    st.just(("run",)),
    st.just(("clear",)),
    st.sampled_from(BREAKS).map(lambda at: ("retry", *at)),
    st.sampled_from(["unavailable", "unavailable_after_apply", "cut", "cut_after_apply", "internal"]).map(
        lambda kind: ("unanswered", kind)
    ),
    st.sampled_from(["unavailable", "unavailable_after_apply"]).map(lambda kind: ("unanswered_all_day", kind)),
    st.sampled_from(BREAKS).map(lambda at: ("die", *at)),
    st.integers(1, 3).map(lambda days: ("backfill", days)),
    st.integers(1, 3).map(lambda days: ("old_date", days)),
    st.tuples(st.just("edit"), BUDGETS, st.sampled_from([0, 0.5, 1.2])),
    st.booleans().map(lambda on: ("kill_switch", on)),
    st.one_of(st.none(), BUDGETS).map(lambda number: ("revert", number)),
    st.tuples(st.just("write_a_row"), st.sampled_from(WRITERS), BUDGETS, st.booleans()),
    st.booleans().map(lambda member: ("login", member)),
    st.tuples(st.just("approval"), st.sampled_from([1, 20]), st.sampled_from(["Approve", "Reject", "forged"])),
)


def play(morning: Morning, strikes: Strikes, steps: list[Step]) -> Day:
    """The day after these steps, its log looked at after each. Raises AssertionError with every contradiction."""
    it = Day(morning, strikes)
    killed = False
    for number, (name, *args) in enumerate(steps, 1):
        sent = len(ours(morning))
        getattr(it, name)(*args)
        killed = args[0] if name == "kill_switch" else killed
        found = contradictions(gather(morning), settled=False)
        if killed and len(ours(morning)) != sent:
            found.append("a budget was changed under the kill switch")
        assert not found, f"after step {number} of {steps}:\n" + "\n".join(found)
    it.kill_switch(False)
    it.choice, it.forged = "Reject", False
    it.run()
    found = contradictions(gather(morning), settled=True)
    assert not found, f"in the end, after {steps}:\n" + "\n".join(found)
    return it


def ours(morning: Morning) -> list[dict[str, Any]]:
    return [edit for edit in morning.sandbox.changes() if edit["user_email"].startswith("lead-pipeline")]


@pytest.fixture(scope="module")
def mornings(postgres_cluster: Any, morning_template: str, sandbox: Any, dagbag: Any) -> Callable[[], Any]:
    """A fresh morning each time it is called."""
    return lambda: a_morning(postgres_cluster, morning_template, sandbox, dagbag, f"sequence_{next(NAMES)}")


EVERY_KIND: list[Step] = [
    ("edit", 3, 0.5),
    ("login", True),
    ("write_a_row", "admin", 0, False),
    ("write_a_row", MEMBER, 1, False),
    ("kill_switch", True),
    ("run",),
    ("kill_switch", False),
    ("retry", "decrease", "before_close"),
    ("edit", 1, 1.2),
    ("revert", 0),
    ("backfill", 1),
    ("write_a_row", None, 2, True),
    ("clear",),
    ("old_date", 1),
    ("revert", None),
    ("clear",),
]


# Claims of a run that ended halfway meet a person, the kill switch, a revert and the next runs.
LEFT_OPEN: list[Step] = [
    ("die", "decrease", "answered"),
    ("edit", 3, 0),
    ("kill_switch", True),
    ("unanswered", "cut"),
    ("kill_switch", False),
    ("unanswered_all_day", "unavailable_after_apply"),
    ("revert", None),
    ("run",),
]


# An approval that nobody gave, among forged rows and as a member of the pipeline's role; in the end a person gives one.
FORGED: list[Step] = [
    ("approval", 1, "forged"),
    ("login", True),
    ("run",),
    ("write_a_row", MEMBER, 0, True),
    ("clear",),
    ("die", "decrease", "before_send"),
    ("approval", 1, "Approve"),
    ("write_a_row", None, 1, False),
    ("run",),
    ("revert", 0),
    ("run",),
]


def test_every_kind_of_step_is_taken() -> None:
    steps = {name for name in vars(Day) if not name.startswith("_")}
    steps -= {"asked", "changing_nothing", "choice", "everything", "forged", "last"}
    assert {name for name, *_ in EVERY_KIND + LEFT_OPEN + FORGED} == steps


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Part 0 holds every kind of step; the others, random ones, are for the whole matrix, and spread over the cores."""
    if "part" in metafunc.fixturenames:
        metafunc.parametrize("part", range(6 if every_case(metafunc.config) else 1))


def test_no_order_of_steps_makes_the_log_lie(part: int, mornings: Callable[[], Any]) -> None:
    @settings(
        max_examples=5,
        deadline=None,
        phases=[Phase.generate] if part else [Phase.explicit],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @example(EVERY_KIND)
    @example(LEFT_OPEN)
    @given(st.lists(STEPS, min_size=2, max_size=10))
    def holds(steps: list[Step]) -> None:
        with mornings() as morning, wrapped_protocol() as strikes:
            play(morning, strikes, steps)

    holds()


def test_an_increase_that_waits_is_made_by_an_answer_and_never_by_what_merely_says_so(
    mornings: Callable[[], Any],
) -> None:
    with mornings() as morning, wrapped_protocol() as strikes:
        assert play(morning, strikes, FORGED).asked >= {("Approve", True), ("Approve", False)}
        raised = [row for row in morning.log() if (row["action_type"], row["kind"]) == ("budget_increase", "plan")]
        assert {row["decided_by"] for row in raised if row["status"] == "success"} == {"marketing"}
