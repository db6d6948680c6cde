"""A morning without Airflow's scheduler: the steps of `lead_stats` and `lead_budgets` in this process, in seconds.

The statements, pulls, checks, decisions, claims and changes are the product's own, in the order of the DAGs. What only
a scheduler gives is left out: retries, alerts, a question to a person. The connections come from the environment, as
Airflow's would.

    python -m local.plain_morning

lives one day more of the sandbox's company, or as many as DAYS says; `local.tomorrow` gives it its environment.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import psycopg

from local import LocalError, passing, private
from local.stack import Stack
from sandbox.company.load import load
from tools import REPOSITORY

if TYPE_CHECKING:
    from airflow.sdk import DAG, BaseOperator

    from lead_demand.runs.day import Window

log = logging.getLogger(__name__)

FIRST_DAYS = 60  # of history, before the first morning
LATER_DAYS = 10  # a lead is decided within a week


class _Try(dict[str, Any]):
    """What Airflow gives a task: its instance, and a store."""

    max_tries, try_number, dag_id = 0, 1, "lead_stats"

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id

    def set(self, key: str, value: object) -> None:
        self[key] = value


def _order(dag: DAG) -> list[BaseOperator]:
    """Every task after those before it; by name where the DAG does not say."""
    left, done = {task.task_id: set(task.upstream_task_ids) for task in dag.tasks}, list["BaseOperator"]()
    while left:
        ready = sorted(name for name, before in left.items() if not before & left.keys())
        done += [dag.get_task(name) for name in ready]
        for name in ready:
            del left[name]
    return done


def wiring() -> list[BaseOperator]:
    """The tasks of `dags/lead_stats.py`, in order."""
    spec = importlib.util.spec_from_file_location("lead_stats_wiring", REPOSITORY / "dags" / "lead_stats.py")
    assert spec and spec.loader  # noqa: S101 - the file is part of this repository
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return _order(module.lead_stats())


def lead_stats(
    tasks: list[BaseOperator],
    run_id: str,
    window: Window | None = None,
    only: Callable[[str], bool] = lambda task_id: True,
) -> None:
    """Everything of `lead_stats` that writes.

    :param tasks: of `wiring()`.
    :param window: these days for each step, and no rule of `check_stats` is looked at; None: each step's own days of a
        run of today, and the rules are looked at.
    :param only: which steps, by task id without its group.
    Raises what a task would fail with.
    """
    from lead_demand import database
    from lead_demand.channels import registry
    from lead_demand.channels.pull import pull
    from lead_demand.database import sql
    from lead_demand.runs import day
    from lead_demand.runs.operators import LastDayOperator, LeadsOperator, WindowOperator

    now = datetime.now(tz=UTC)
    run: Any = SimpleNamespace(
        dag_id="lead_stats", run_id=run_id, run_type="manual", run_after=now, start_date=now, conf={}
    )
    widest = window or day.stats_window(run, max(spec.restated_days for spec in registry.CHANNELS.values()))
    with database.connect() as connection:
        days = {"first": widest.first, "last": widest.last}
        accounts = connection.execute(sql.render("channels/select_accounts.sql"), days).fetchall()
    for task in tasks:
        name, attempt = task.task_id.rpartition(".")[2], _Try(run_id)  # each task has a store of its own
        if not only(name):
            continue
        if isinstance(task, WindowOperator):
            covered = window or task.window(run)
            if isinstance(task, LastDayOperator):
                covered = day.Window(covered.last, covered.last)
            rendered, given = copy(task), cast("Any", attempt)
            for field in ("sql", "before", "sums"):
                setattr(rendered, field, sql.render(text) if (text := getattr(task, field)) else "")
            rendered.run_over(covered, given, given)
        elif name.startswith("pull_") and (channel := name.removeprefix("pull_")) in registry.pulled():
            for of_channel, account in accounts:
                if of_channel == channel:
                    pull(channel, account, window or day.stats_window(run, registry.CHANNELS[channel].restated_days),
                         run_id)  # fmt: skip
        elif window is None and isinstance(task, LeadsOperator):
            context: Any = {"dag_run": run, "ti": attempt, "task": task}
            task.render_template_fields(context, task.get_template_env())
            task.execute(context)


def lead_budgets(channel: str, run_id: str) -> None:
    """Settle, read, plan, apply decreases, then increases, mark the holds: today's budgets of a channel.

    Raises what a task would fail with; the changes of a direction that did not fail are made.
    """
    from lead_demand import database
    from lead_demand.budgets import decisions, planning, settling
    from lead_demand.database import sql
    from lead_demand.runs import day

    with database.connect() as connection:
        days = {"first": day.today(), "last": day.latest_whole_day()}
        rows = connection.execute(sql.render("channels/select_accounts.sql"), days).fetchall()
    settling.settle_open_changes(channel)
    for of_channel, account in rows:
        if of_channel == channel:
            planning.read_budgets(channel, account, run_id)
    planning.plan(channel, run_id)
    with database.connect() as connection:
        sql.join_whole_sets(connection)
        connection.execute(sql.render("lead_budgets/update_lead_segment_plans_held.sql"), {"channel": channel})
    for action in ("decrease", "increase"):
        decisions.apply_changes(action, channel, run_id, last_try=True)


def nobody_answers(channel: str, run_id: str) -> None:
    """The day ends: the large increases that still wait are declined, as they are when the deadline has passed."""
    from lead_demand.budgets import approval_questions, approvals
    from lead_demand.errors import LeadDemandError

    if (asked := approval_questions.question(channel)) is None:
        return
    question = str(uuid.uuid4())
    approval_questions.ask(asked, channel, question, run_id)
    # As Airflow says it where the deadline decided: what is not named is nobody, and never.
    approval_questions.record(question, {"chosen_options": []})
    try:
        approvals.decide(channel, run_id)
    except LeadDemandError as error:  # that they were declined; nothing else is sent
        log.info("%s", error)


def live_morning(url: str, control: str, *, is_first: bool = False) -> None:
    """This morning: the company's books, statistics, budgets; a second time changes nothing that is decided.

    `is_first`: there is no history yet. Raises LocalError with what failed.
    """
    from lead_demand.channels.registry import STEERED
    from lead_demand.errors import LeadDemandError
    from lead_demand.runs import day

    run_id = f"lived__{datetime.now(tz=UTC):%Y-%m-%dT%H:%M:%S.%f}"
    tasks = wiring()
    load(url, control, FIRST_DAYS if is_first else LATER_DAYS)
    try:
        if is_first:
            before = day.latest_whole_day() - timedelta(days=1)
            lead_stats(tasks, run_id, day.Window(before - timedelta(days=FIRST_DAYS - 2), before))
        lead_stats(tasks, run_id)
        lead_budgets(STEERED, run_id)
    except LeadDemandError as error:
        raise LocalError(f"{type(error).__name__}: {error}") from error


def live(url: str, control: str, days: int = 1, tell: Callable[[str], None] = print) -> None:
    """Live so many days of the sandbox's company, each to the end of its morning.

    The day that an earlier call began and did not end is ended first, and is one of them. `url`: the leads database, as
    its owner; `control`: the sandbox's control plane; the pipeline's connections come from the environment.
    Raises LocalError where this is not the sandbox's company, or where a morning failed: the same call goes on.
    """
    from lead_demand.channels.registry import STEERED

    passing.refuse_others(url, control)
    lived, is_decided = passing.days_passed(url)
    if lived == 0 or not is_decided:
        begun = time.monotonic()
        live_morning(url, control, is_first=_lacks_history(url))
        passing.mark_decided(url)
        tell(f"  {'this morning' if lived == 0 else 'the day that was begun'}  {time.monotonic() - begun:.0f} s")
        days -= lived > 0
    for number in range(days):
        begun = time.monotonic()
        nobody_answers(STEERED, f"lived__{uuid.uuid4()}")
        passing.pass_day(url, control)
        live_morning(url, control)
        passing.mark_decided(url)
        tell(f"  day {number + 1} of {days}  {time.monotonic() - begun:.0f} s")


def _lacks_history(url: str) -> bool:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select count(distinct date) from lead_generation_stats where date >= lead_today() - %s", [FIRST_DAYS]
        ).fetchone()
    return not row or row[0] < FIRST_DAYS - 1


def main() -> int:
    """The command line: how far it has come on standard output, what the steps say in a log."""
    stack = Stack("run")
    log = private.folder(stack.home / "logs") / "tomorrow.log"
    with os.fdopen(os.dup(1), "w") as told, open(log, "a") as kept:
        for stream in (1, 2):
            os.dup2(kept.fileno(), stream)

        def tell(line: str) -> None:
            print(line, file=told, flush=True)

        try:
            if not stack.control:
                raise LocalError("The sandbox does not run. Nothing was changed. Run the same command again.")
            live(stack.leads_url, stack.control, int(os.environ.get("DAYS") or 1), tell)
        except Exception as error:
            traceback.print_exc()
            said = str(error) if isinstance(error, LocalError) else f"{type(error).__name__}: {error}"
            tell(f"\n{said}\nEverything that was done and said: {log}. `make tomorrow` goes on from here.")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
