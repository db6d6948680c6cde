"""`make drill`: a running Airflow is broken in every way of `mornings`, and then lives through a whole morning.

`lead_stats` at six, the `lead_budgets` that it starts, and `lead_digest` at eight; then the cause is removed, and what
the last line of the failed log says is done to the letter. Nobody reads anything but the stored logs and the alert.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local import local_home
from tests.faults import mornings
from tests.faults.conftest import every_morning
from tests.faults.invariants import contradictions, gather
from tests.faults.mornings import Breakdown, Stage
from tests.fixtures.airflow import Run, use_database
from tests.fixtures.mailbox import MARKETING, ON_CALL, Mail, Mailbox
from tests.fixtures.morning import DECIDED, Morning, a_morning
from tests.fixtures.real_airflow import RealAirflow
from tests.fixtures.sandbox import Sandbox

CASES = mornings.CASES
LABELS = ["What happened", "What was not changed", "Retried automatically", "What to do"]


@dataclass
class Lived:
    """What a morning left: its runs, newest last, the failed tasks that were no mere consequence, the log of a deadline
    that was missed because of them, everything that those logs and the reports say, and the mail.
    """

    runs: list[tuple[str, Run]] = field(default_factory=list)
    failed: list[tuple[str, Run, dict[str, Any]]] = field(default_factory=list)
    repeated: list[list[str]] = field(default_factory=list)
    deadline: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    mail: list[Mail] = field(default_factory=list)

    @property
    def alerts(self) -> list[Mail]:
        """Of runs that failed."""
        return [mail for mail in self.mail if mail.to == ON_CALL and " failed" in mail.subject]

    @property
    def warned(self) -> list[Mail]:
        """What `lead_digest` tells on call of a morning that went through."""
        return [mail for mail in self.mail if mail.to == ON_CALL and mail not in self.alerts]


@pytest.fixture(scope="session")
def undisturbed(postgres_cluster: Any, dawn_template: str, sandbox: Sandbox, dagbag: Any) -> dict[str, Any]:
    """The rows of a morning on which nothing is wrong."""
    with a_morning(postgres_cluster, dawn_template, sandbox, dagbag, "undisturbed") as morning:
        for dag_id in ("lead_stats", "lead_budgets"):
            run = morning.run(dag_id)
            assert run.state == "success", run.tasks
        return rows_of(morning)


@pytest.fixture(scope="module")
def awake(real_airflow: RealAirflow) -> Iterator[RealAirflow]:
    """That Airflow with every DAG following its schedule."""
    with real_airflow.following_the_schedule():
        yield real_airflow


@pytest.fixture
def stage(
    case: Breakdown,
    awake: RealAirflow,
    dawn_template: str,
    undisturbed: dict[str, Any],
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
) -> Stage:
    database = awake.fresh(dawn_template)
    use_database(monkeypatch, database)
    awake.forget()
    mailbox.take()
    return Stage(awake, Morning(database, awake.sandbox, awake.run), mailbox, f"drill__{case}")


@pytest.fixture
def folder(case: Breakdown, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the failed logs are kept: for a person to read after `make drill`."""
    if not every_morning(request.config):
        return tmp_path
    found = local_home() / "drill" / str(case)
    found.mkdir(parents=True, exist_ok=True)
    for old in found.iterdir():
        old.unlink()
    return found


@pytest.mark.long
def test_a_person_is_called_once_and_the_log_leads_back(
    case: Breakdown, stage: Stage, folder: Path, undisturbed: dict[str, Any], record_property: Any
) -> None:
    with case.broken(stage):
        lived = live_a_morning(stage)
    collect_logs(stage, lived, folder)
    record_property("alerts", len(lived.alerts))
    told = [f"{mail.subject}\n{mail.text}" for mail in lived.alerts]
    for number, text in enumerate(told):
        (folder / f"alert_{number + 1}.txt").write_text(text)

    assert len(told) == case.alerts, f"{len(told)} alert(s): {told}; failed: {names(lived)}"
    of_the_day = [mail for mail in lived.alerts if not mail.subject.startswith("lead_digest")]
    assert not (of_the_day and lived.warned), "what a failed run has reported is not told again"
    found = wrong_in_the_logs(case, lived, told)
    assert not found, "\n".join(found)
    again = run_again(case, stage, lived, told)
    called = [mail.subject for mail in stage.mailbox.take() if mail.to == ON_CALL]
    assert [subject for subject in called if " failed" in subject] == [], "the repair calls nobody"
    # What a morning that goes through has to say, a repaired one says too, and once.
    assert not called or not lived.warned, called
    repaired = rows_of(stage.morning)
    difference = differences({name: undisturbed[name] for name in (READ if case.partly else KEYS)}, repaired)
    difference += [
        f"{key} is still held because something is not known"
        for key, decision in undisturbed["budget_decisions"].items()
        if repaired["budget_decisions"].get(key, {"is_blocked": True})["is_blocked"] > decision["is_blocked"]
    ]
    difference += contradictions(gather(stage.morning), settled=True)
    assert not difference, f"after {again}:\n" + "\n".join(difference)


def live_a_morning(stage: Stage) -> Lived:
    """The three DAGs as on any morning."""
    airflow, lived = stage.airflow, Lived()
    stats = airflow.wait("lead_stats", airflow.start("lead_stats", run_id=stage.run_id))
    ended = [("lead_stats", stats)]
    if not airflow.api.dags()["lead_budgets"]["is_paused"]:
        started = airflow.runs_started_by("lead_stats", stats.run_id)
        ended += [("lead_budgets", airflow.wait("lead_budgets", run_id)) for run_id in started]
    for dag_id, run in ended:
        airflow.hear(dag_id, run)
    digest = airflow.wait("lead_digest", airflow.start("lead_digest"))
    airflow.hear("lead_digest", digest)
    lived.runs = [*ended, ("lead_digest", digest)]
    lived.mail = stage.mailbox.take()
    return lived


def collect_logs(stage: Stage, lived: Lived, folder: Path) -> None:
    """Keep the log of every try that failed, and of the reports."""
    airflow = stage.airflow
    for dag_id, run in lived.runs:
        for task in airflow.api.tasks(dag_id, run.run_id):
            for number in range(1, task["try_number"] + 1):
                failed = number == task["try_number"] and task["state"] == "failed"
                if number == task["try_number"] and not failed and task["task_id"] != "report":
                    continue
                log = airflow.api.log(task | {"try_number": number}, frames=True)
                name = f"{dag_id}.{task['task_id']}" + (f".{task['map_index']}" if task["map_index"] >= 0 else "")
                (folder / f"{name}.try{number}.log").write_text("\n".join(log) + "\n")
                lived.said += log
                if failed and task["task_id"] == "check_deadline" and lived.failed:
                    lived.deadline = log
                elif failed and not ((log and "UpstreamFailed" in log[-1]) or "#upstreamfailed" in "".join(log[-1:])):
                    lived.failed.append((dag_id, run, task | {"log": log}))
                elif not failed and number < task["try_number"]:
                    lived.repeated.append(log)


def names(lived: Lived) -> list[str]:
    return [f"{dag_id}.{task['task_id']}" for dag_id, _, task in lived.failed]


def four_lines(lines: list[str]) -> dict[str, str]:
    """The last four lines by their labels; {} where they are not these four."""
    found = dict(line.split(": ", 1) for line in lines[-4:] if ": " in line)
    return found if list(found) == LABELS else {}


def wrong_in_the_logs(case: Breakdown, lived: Lived, told: list[str]) -> list[str]:
    """What would lead a reader astray."""
    found = []
    anchor = f"See docs/runbook.md#{case.kind.lower()}"
    if case.kind and not case.heals and not lived.failed:
        found.append("no task failed")
    if (not case.kind or case.heals) and lived.failed:
        found.append(f"failed: {names(lived)}: {[task['log'][-5:] for _, _, task in lived.failed]}")
    if case.heals and case.kind and not lived.repeated:
        found.append("no task was tried again, so nothing was broken")
    for dag_id, _, task in lived.failed:
        last = four_lines(task["log"])
        if not last and not case.silent:
            found.append(f"{dag_id}.{task['task_id']} does not end in the four lines: {task['log'][-6:]}")
        elif last and not last["What to do"].endswith(anchor) and not case.silent:
            found.append(f"{dag_id}.{task['task_id']} leads elsewhere: {last}")
    if lived.deadline and (last := four_lines(lived.deadline)):
        told_of = f"Read the alert of {lived.failed[0][0]}"
        if not last["What to do"].startswith(told_of) and not last["What to do"].endswith(anchor):
            found.append(f"the missed deadline leads elsewhere: {last}")
    if case.silent and not any(anchor in text for text in told):
        found.append(f"the alert does not name {anchor}: {told}")
    for log in lived.repeated if case.heals and case.kind else []:
        last = four_lines(log)
        if not last.get("Retried automatically", "").startswith("yes: ") or anchor not in last.get("What to do", ""):
            found.append(f"the first try does not say that it heals: {log[-6:]}")
    if case.says and case.says not in "\n".join(lived.said):
        found.append(f"the logs do not say {case.says!r}")
    digests = "\n".join(mail.text for mail in lived.mail if mail.to == MARKETING)
    if case.digest and not re.search(case.digest, digests):
        found.append(f"the digest does not say {case.digest!r}: {digests}")
    for text in told:
        if not all(f"{label}: " in text for label in LABELS):
            found.append(f"an alert without its four lines: {text}")
        happened = re.findall(r"^What happened: .*", text, re.MULTILINE)
        if len(happened) != len(set(happened)):
            found.append(f"an alert that tells one thing several times: {text}")
    return found


def run_again(case: Breakdown, stage: Stage, lived: Lived, told: list[str]) -> list[str]:
    """Do what the logs say, to the letter; returns what was done."""
    airflow, done = stage.airflow, []
    clear: dict[tuple[str, str], set[tuple[str, int]]] = {}
    start: list[str] = []
    for dag_id, run, task in lived.failed:
        todo = four_lines(task["log"]).get("What to do") or "\n".join(told)
        if "Then clear the failed tasks of this run" in todo:
            clear.setdefault((dag_id, run.run_id), set()).add((task["task_id"], task["map_index"]))
        for name in re.findall(r"clear (\w+) and what comes after it", todo):
            task_id = f"pull_channels.{name}" if name.startswith("pull_") else name
            clear.setdefault((dag_id, run.run_id), set()).add((task_id, -1))
            break  # what else it names is the other way out
        start += re.findall(r"[Ss]tart a new run of (\w+)", todo)
    if isinstance(case.rerun, tuple):
        ((run_id),) = [run.run_id for dag_id, run in lived.runs if dag_id == case.rerun[0]]
        clear.setdefault((case.rerun[0], run_id), set()).add((case.rerun[1], -1))
    elif case.rerun:
        start.append(case.rerun)
    if case.by_hand:
        case.by_hand(stage)
        done.append(case.by_hand.__name__)
    for (dag_id, run_id), tasks in clear.items():
        before = [known for name, known in ((name, run.run_id) for name, run in lived.runs) if name == "lead_budgets"]
        airflow.clear(dag_id, run_id, tasks)
        ended = airflow.wait(dag_id, run_id)
        assert ended.state == "success", f"cleared {sorted(tasks)}: {ended.tasks}"
        done.append(f"clearing {sorted(tasks)} of {dag_id}")
        for started in airflow.runs_started_by(dag_id, run_id, but=before):
            budgets = airflow.wait("lead_budgets", started)
            assert budgets.state == "success", budgets.tasks
            start = [name for name in start if name != "lead_budgets"]
    for dag_id in sorted(set(start)):
        ended = airflow.wait(dag_id, airflow.start(dag_id))
        assert ended.state == "success", f"new run of {dag_id}: {ended.tasks}"
        done.append(f"a new run of {dag_id}")
    return done


# -- rows --------------------------------------------------------------------------------------------------------------

KEYS = {
    "channel_metrics": ("channel", "account", "date"),
    "channel_totals": ("channel", "account", "date", "metric"),
    "lead_generation_stats": ("date",),
    "lead_segment_plans": ("date",),
    "budget_decisions": ("channel", "decision_date"),
    "channel_orchestration_log": ("channel", "external_id", "decision_date", "kind"),
}
assert set(KEYS) == set(DECIDED)
READ = ("channel_metrics", "channel_totals", "lead_generation_stats")  # what is read again whenever it is asked for
LAST = {"budget_decisions": "evaluated_at"}  # an evaluation that was blocked stays beside the one that came of it


def rows_of(morning: Morning) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    """Every row by its natural key, without ids, moments, the runs that wrote it, and the words of how a change was
    settled: read back it is "already in force".
    """
    found = {}
    for table, key in KEYS.items():
        kept = morning.db.fetch(
            "select column_name from information_schema.columns where table_schema = 'public' and table_name = %s "
            "and data_type not in ('uuid', 'timestamp with time zone') "
            "and column_name not in ('dag_run_id', 'request_id', 'error_detail')",
            [table],
        )
        columns = [row["column_name"] for row in kept]
        if table == "channel_totals":  # of an account as a whole
            rows = morning.db.fetch(f"select null as code, source.* from {table} as source")
        else:
            order = LAST.get(table, "segment_id")
            rows = morning.db.fetch(
                f"select segments.code, source.* from {table} as source "
                f"left join lead_segments as segments on source.segment_id = segments.id order by source.{order}"
            )
        found[table] = {
            (row["code"], *(row[name] for name in key)): {name: row[name] for name in columns} for row in rows
        }
    return found


def differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Each row that is not as it should be, in one line; at most ten."""
    lines = []
    for table, rows in expected.items():
        for key in sorted({*rows, *found[table]}, key=str):
            before, after = rows.get(key), found[table].get(key)
            if before is None or after is None:
                lines.append(f"{table} {key}: {'missing' if after is None else 'nobody expected it'}")
                continue
            if table == "budget_decisions" and before["is_blocked"] and after["is_blocked"]:
                # Blocked for the same reason before and after: its first evaluation stands, with its figures.
                before, after = ({name: row[name] for name in ("action", "reasons")} for row in (before, after))
            if changed := {name: (before[name], after[name]) for name in before if before[name] != after[name]}:
                lines.append(f"{table} {key}: {changed}")
    return lines[:10]
