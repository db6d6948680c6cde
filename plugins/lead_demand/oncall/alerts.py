"""What a failed task logs for on call, and the one alert of a failed run.

`TASK_DEFAULTS` gives every task its retries, its limit of time and the callbacks that end a failed log with four lines.
`RUN_CALLBACKS` gives every DAG its alert. Airflow calls the former in the task's own process after the traceback, the
latter in the DAG processor once a run is over: after all retries, however many tasks failed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from lead_demand.database.time_limits import TASK_TIMEOUT
from lead_demand.errors import Facts
from lead_demand.oncall import notifier
from lead_demand.oncall.diagnosis import explain, explain_silence
from lead_demand.oncall.retries import RETRY_DELAY, RETRY_POLICY
from lead_demand.runs import day
from lead_demand.runs.task_ids import ANNOUNCE_DAY, CHANGE_BUDGETS, LEAD_BUDGETS, LEAD_STATS, PLAN_BUDGETS
from lead_demand.runs.this_run import failed_tasks, instance_of, task_states
from lead_demand.text import plain

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context

log = logging.getLogger("lead_demand")

# What a failure says, in the order of its four lines.
FACTS = ("happened", "unchanged", "heals", "todo")
# Under this key a task that failed for good leaves its four facts, for the alert.
FAILURE = "failure"
# One Airflow Variable per DAG: since when its runs fail, and when that was last reported. It is gone after a good run.
FAILING = "lead_demand_failing_{}"
# In the order of the day, each with the task after which the day goes on although its run failed.
MORNING = {LEAD_STATS: ANNOUNCE_DAY, LEAD_BUDGETS: PLAN_BUDGETS}


def explain_retry(context: Context) -> None:
    """End the log of a try that will be repeated."""
    ti: Any = context["ti"]
    facts = _facts(context)
    left = ((ti.end_date or datetime.now(tz=UTC)) + (ti.task.retry_delay or RETRY_DELAY)) - datetime.now(tz=UTC)
    when = day.moment_after(max(left.total_seconds(), 0))
    heals = f"yes: try {ti.try_number + 1} of {ti.max_tries + 1} starts at {when}."
    _say(context, facts, heals, "Nothing while it is tried again. If the last try fails too: ")


def explain_failure(context: Context) -> None:
    """End the log of a task that failed for good, and keep its facts for the alert."""
    from airflow.sdk.log import redact

    ti: Any = context["ti"]
    facts = _facts(context)
    if facts.kind == "UpstreamFailed":
        heals = "no: it succeeds again in the next run whose other tasks do."
    elif facts.heals and ti.try_number > 1:
        heals = f"no: {ti.try_number} tries did not help, and this was the last."
    elif facts.heals:
        heals = "no: this task is not tried again."
    else:
        heals = "no: a retry would not change it."
    # Where the process left no error, its worker is gone too: Airflow then calls this in the DAG processor. That cannot
    # keep anything, and this would wait for an answer until it is killed, and the run's alert with it.
    if isinstance(context.get("exception"), BaseException):
        kept = asdict(facts) | {
            "heals": heals,
            "todo": _what_to_do(context["dag"], facts),
            "label": plain(ti.rendered_map_index or ""),
            "log": ti.log_url,
        }
        try:
            ti.xcom_push(FAILURE, redact(kept))
        except Exception:
            log.exception("What failed could not be kept for the alert; the alert will say so.")
    _say(context, facts, heals)


def _facts(context: Context) -> Facts:
    error: Any = context.get("exception")
    changes_budgets = context["ti"].task_id in CHANGE_BUDGETS
    if isinstance(error, BaseException):
        return explain(error, changes_budgets=changes_budgets)
    return explain_silence(changes_budgets=changes_budgets)


def _say(context: Context, facts: Facts, heals: str, first: str = "") -> None:
    # Closes the folded section that Airflow opens around callbacks, so that the page shows these lines.
    log.info("::endgroup::")
    for line in four_lines(facts.happened, facts.unchanged, heals, first + _what_to_do(context["dag"], facts)):
        log.error("%s", line)


def _what_to_do(dag: DAG, facts: Facts) -> str:
    """The repair, then how this DAG is run again (its tag says which), then the section of the runbook."""
    again = ""
    if facts.rerun:
        again = (
            "Then clear the failed tasks of this run, with what comes after them. If that announces the day, "
            "lead_budgets starts by itself, and changes no budget twice. "
            if "rerun:clear" in dag.tags
            else f"Then start a new run of {dag.dag_id}. "
        )
    return f"{facts.todo} {again}See {facts.runbook}"


def four_lines(happened: str, unchanged: str, heals: str, todo: str) -> list[str]:
    """The four labelled lines."""
    return [
        f"What happened: {plain(happened)}",
        f"What was not changed: {plain(unchanged)}",
        f"Retried automatically: {plain(heals)}",
        f"What to do: {plain(todo)}",
    ]


# For default_args.
TASK_DEFAULTS: dict[str, Any] = {
    "retries": 3,
    "retry_delay": RETRY_DELAY,
    "retry_policy": RETRY_POLICY,
    "execution_timeout": TASK_TIMEOUT,
    "on_retry_callback": explain_retry,
    "on_failure_callback": explain_failure,
}


def alert_failed_run(context: Context) -> None:
    """One alert for a run that failed: what failed, first time or again, whether a person is needed, link to the log.

    A backfill sends none: whoever started it watches it, and a year of it may fail 365 times.
    """
    found: Any = context
    dag, run_id, dag_run = found["dag"], found["run_id"], found.get("dag_run")
    if dag_run is not None and day.run_type(dag_run) == "backfill":
        log.info("No alert: %s %s is a backfill.", dag.dag_id, run_id)
        return
    if not _is_airflows_own():
        log.info("No alert: %s %s was run by hand in a process of its own.", dag.dag_id, run_id)
        return
    states = task_states(dag.dag_id, run_id)
    failures = sorted(_failures(dag, run_id, states), key=lambda failure: failure["kind"] == "UpstreamFailed")
    roots = [failure for failure in failures if failure["kind"] != "UpstreamFailed"] or failures
    causes = sorted({_cause(failure) for failure in roots})
    before = failing(dag.dag_id) or {"since": day.today().isoformat(), "runs": 0}
    runs = before["runs"] + (run_id != before.get("run_id"))
    again = "for the first time" if runs <= 1 else f"again: {runs} runs in a row since {before['since']}"
    # Tasks that failed of one and the same cause are one piece of news.
    news: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for failure in roots:
        news.setdefault(tuple(failure[fact] for fact in FACTS), []).append(failure)
    what = ", ".join(f"{_tasks(same)} ({same[0]['kind']})" for same in list(news.values())[:3])
    more = f" and {len(news) - 3} more" if len(news) > 3 else ""
    lines = [
        f"{dag.dag_id} failed {again}. Run {run_id}.",
        f"It needs a person: Airflow makes no further try. Why: {found.get('reason') or 'task_failure'}.",
    ]
    for said, same in news.items():
        lines += ["", ", ".join(failure["task"] for failure in same), *four_lines(*said)]
        lines += [f"Log: {failure['log']}" for failure in same]
    repeated = "" if runs <= 1 else " again"
    subject = f"{dag.dag_id} failed{repeated}: {what}{more}" if what else f"{dag.dag_id} failed{repeated}"
    told_by = _told_by(dag.dag_id, causes)
    if told_by:
        log.info("No alert: %s was reported today already, with %s.", ", ".join(causes), told_by)
    elif why_not := notifier.send("alerts", subject, lines, "failure"):
        log.error("No alert, because %s: %s", why_not, subject)
        return
    else:
        log.info("Alert sent: %s", subject)
    went_on = states.get(MORNING.get(dag.dag_id, "")) == "success"
    kept = {"since": before["since"], "runs": runs, "run_id": run_id, "causes": causes, "went_on": went_on}
    _remember(dag.dag_id, kept)


def _tasks(failures: list[dict[str, Any]]) -> str:
    """For a subject: the first task by name, and how many others."""
    first = failures[0]["task"]
    return first if len(failures) == 1 else f"{first} and {len(failures) - 1} other task(s)"


def forget_failures(context: Context) -> None:
    """After a good run the next failure is a first one again."""
    from airflow.sdk import Variable

    found: Any = context
    dag_run = found.get("dag_run")
    if (dag_run is not None and day.run_type(dag_run) == "backfill") or not _is_airflows_own():
        return
    if failing(found["dag"].dag_id):
        Variable.delete(FAILING.format(found["dag"].dag_id))


# For the DAG itself.
RUN_CALLBACKS: dict[str, Any] = {"on_failure_callback": alert_failed_run, "on_success_callback": forget_failures}


def failing(dag_id: str) -> dict[str, Any] | None:
    """Since when the runs of a DAG fail (`since`), how many in a row (`runs`), the latest of them (`run_id`), why
    (`causes`), whether the day went on all the same (`went_on`), and when that was reported (`reported`, a time with
    its zone), or None after a good run.
    """
    from airflow.sdk import Variable

    kept: dict[str, Any] | None = Variable.get(FAILING.format(dag_id), default=None, deserialize_json=True)
    return kept


def reported_today() -> dict[str, dict[str, Any]]:
    """The DAGs of the morning whose failure was reported today and is not over, with what `failing` says of each."""
    found = {dag_id: failing(dag_id) for dag_id in MORNING}
    return {dag_id: kept for dag_id, kept in found.items() if kept and _day_of(kept["reported"]) == day.today()}


def _cause(failure: dict[str, Any]) -> str:
    """What makes two failures one: the kind, and the account where there is one."""
    return " ".join([failure["kind"], *failure.get("label", "").split()[-1:]])


def _told_by(dag_id: str, causes: list[str]) -> str | None:
    """The DAG of the morning whose failure was reported today and explains this one: it has the same causes, or kept
    the day from being decided at all.
    """
    for other, kept in reported_today().items():
        told = {*kept["causes"], *(() if kept["went_on"] else ("DeadlineMissed",))}
        if other != dag_id and set(causes) <= told:
            return other
    return None


def _day_of(moment: str) -> date:
    return datetime.fromisoformat(moment).astimezone(day.AMSTERDAM).date()


def _remember(dag_id: str, kept: dict[str, Any]) -> None:
    from airflow.sdk import Variable

    kept["reported"] = datetime.now(tz=UTC).isoformat()
    Variable.set(FAILING.format(dag_id), json.dumps(kept), description="Written by the alert of failed runs.")


def _is_airflows_own() -> bool:
    """Whether this is the DAG processor: `airflow dags test` calls the callbacks too, without any way to ask."""
    from airflow.sdk.execution_time import task_runner

    return hasattr(task_runner, "SUPERVISOR_COMMS")


def _failures(dag: DAG, run_id: str, states: dict[str, str]) -> Iterator[dict[str, Any]]:
    """What each failed task of a run left behind, or the facts of silence; the earliest task first."""
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.configuration import conf

    failed = failed_tasks(dag, states)
    base = conf.get("api", "base_url", fallback="http://localhost:8080").rstrip("/")
    for task_id in dict.fromkeys(instance_of(name, dag.task_ids) for name in failed):
        mine = [name for name in failed if instance_of(name, dag.task_ids) == task_id]
        kept = BaseXCom.get_all(key=FAILURE, dag_id=dag.dag_id, task_id=task_id, run_id=run_id) or []
        for failure in kept:
            yield failure | {"task": f"{task_id} {failure['label']}".strip()}
        for _ in range(len(mine) - len(kept)):
            facts = explain_silence(changes_budgets=task_id in CHANGE_BUDGETS)
            yield asdict(facts) | {
                "task": task_id,
                "heals": "no: Airflow makes no further try.",
                "todo": _what_to_do(dag, facts),
                "log": f"{base}/dags/{dag.dag_id}/runs/{run_id}/tasks/{task_id}",
            }
