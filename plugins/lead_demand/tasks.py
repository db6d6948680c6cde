"""The bodies of the DAGs' tasks: each says its outcome in its first line and a small table in its last."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from lead_demand import channels, day, sql, task_states
from lead_demand.errors import InvalidRange, LeadDemandError, SetupIncomplete, UpstreamFailed
from lead_demand.outside import plain
from lead_demand.progress import Done, in_chunks

if TYPE_CHECKING:
    from airflow.providers.standard.operators.hitl import HITLOperator
    from airflow.sdk.types import DagRunProtocol, RuntimeTaskInstanceProtocol

    from lead_demand import approvals
    from lead_demand.progress import Store

log = logging.getLogger("lead_demand")

# What may have work in a morning -> the task that does it.
DIRECTIONS = {
    "decrease": "decrease_budgets",
    "increase": "increase_budgets",
    "hold": "hold_budgets",
    "ask": "ask_for_approval",
}
ASK = DIRECTIONS["ask"]


def say(headline: str, lines: Sequence[str] = ()) -> None:
    """The outcome in one sentence, then whatever explains it."""
    log.info("%s", plain(headline))
    for line in lines:
        log.info("%s", plain(line, keep_blanks=True))


def refuse_too_early(window: day.Window) -> None:
    """Raises InvalidRange for a window that begins before the earliest day of the settings."""
    with sql.connect() as connection:
        ((earliest,),) = connection.execute(sql.render("lead_stats/select_earliest_day.sql")).fetchall()
    if window.first < earliest:
        raise InvalidRange(
            f"The days asked for start on {window.first}; the earliest day is {earliest} "
            "(orchestration_settings.earliest_day).",
            todo="Trigger lead_stats again with a later start. If there is data of earlier days, an admin sets "
            "earliest_day to the first of them.",
        )


def accounts_to_pull(name: str, dag_run: DagRunProtocol) -> list[dict[str, Any]]:
    """What the pull of a channel is mapped over: `{"channel", "accounts"}`, one an account. More accounts than Airflow
    maps (`max_map_length`) share instances. Also the first look at the run's days and at the set-up.

    Raises InvalidRange for days that cannot be restated, SetupIncomplete where no segment has any source.
    """
    from airflow.sdk.configuration import conf

    covered = day.stats_window(dag_run, channels.RESTATED_DAYS[name])
    refuse_too_early(covered)
    with sql.connect() as connection:
        days = {"first": covered.first, "last": covered.last}
        rows = connection.execute(sql.render("lead_stats/select_accounts.sql"), days).fetchall()
    if not rows:
        raise SetupIncomplete(
            "channel_sources has no active row of an active segment.",
            todo="Add the campaigns, sites and properties of each segment to channel_sources.",
        )
    accounts = [account for channel, account in rows if channel == name]
    say(f"This run is about {covered}: {len(accounts)} {name} account(s) to read: {', '.join(accounts) or 'none'}.")
    share = max(1, -(-len(accounts) // conf.getint("core", "max_map_length")))
    return [{"channel": name, "accounts": accounts[at : at + share]} for at in range(0, len(accounts), share)]


def pull_channel(
    name: str,
    accounts: Sequence[str],
    dag_run: DagRunProtocol,
    task_instance: RuntimeTaskInstanceProtocol,
    store: Store,
) -> None:
    """Pull accounts of one channel over the run's window, chunk after chunk.

    Where an account fails, those after it are still pulled, and one error is raised at the end; the log has them all.
    """
    from lead_demand import findings
    from lead_demand.channels.pull import chunks, pull

    window = day.stats_window(dag_run, channels.RESTATED_DAYS[name])
    refuse_too_early(window)
    errors: list[LeadDemandError] = []
    for account in accounts:

        def pull_chunk(chunk: day.Window, account: str = account) -> Done:
            report = pull(name, account, chunk, dag_run.run_id)
            counts = {"rows read": report.rows, "new or changed": report.changed, "findings": len(report.findings)}
            return Done(counts, findings.log_lines(report.findings))

        try:
            in_chunks(chunks(name, account, window), pull_chunk, store, task_instance, f"{name} {account}")
        except LeadDemandError as error:
            log.error("%s %s: %s", name, account, error)
            errors.append(error)
    if errors:
        # One that may heal goes first: the retry is decided by what is raised.
        raise next((error for error in errors if error.facts.heals), errors[0])


def run_statement(
    step: str,
    statement: str,
    window: day.Window,
    task_instance: RuntimeTaskInstanceProtocol,
    store: Store,
    counts: str = "rows new or changed",
    sums: str = "",
) -> None:
    """Run a statement over a window, chunk after chunk, each in a transaction of its own.

    One run at a time works on a step: the others wait, and then read what it wrote.

    :param statement: binds `first`, `last` and `dag_run_id`; a count that it returns is logged, else its row count.
    :param counts: what is counted.
    :param sums: a statement that is run after it, in its transaction, and keeps whether what was written adds up.
    """

    def run(chunk: day.Window) -> Done:
        values = {"first": chunk.first, "last": chunk.last, "dag_run_id": task_instance.run_id}
        with sql.connect() as connection:
            connection.execute(sql.render("lead_stats/lock_step.sql"), {"step": step})
            cursor = connection.execute(statement, values)
            row = cursor.fetchone() if cursor.description else None
            if sums:
                connection.execute(sums, values)
            return Done({counts: row[0] if row else cursor.rowcount})

    refuse_too_early(window)
    in_chunks(window.chunks(), run, store, task_instance)


def pull_partner_capacity(
    step: str,
    statement: str,
    window: day.Window,
    task_instance: RuntimeTaskInstanceProtocol,
    store: Store,
    sums: str = "",
) -> None:
    """Record what the partners of each segment take now, with what is wrong with single partners.

    :param statement: as for `run_statement`; its one row says what was written and whether the source failed.
    :param sums: as for `run_statement`.
    Raises CapacitySourceFailed where the adapter may not be read, gives nothing, or lost most of the segments. A
    finding then stays open until a later read succeeds, and while it is open every segment holds.
    """
    import psycopg

    from lead_demand import capacity, findings

    def run(chunk: day.Window) -> Done:
        values = {"first": chunk.first, "last": chunk.last, "dag_run_id": task_instance.run_id}
        failure: Exception | None = None
        with sql.connect() as connection:
            connection.execute(sql.render("lead_stats/lock_step.sql"), {"step": step})
            try:
                with connection.transaction():
                    (read,) = sql.read_rows(connection, statement, values)
                    failure = capacity.failure_of(read)
                    if failure is None:
                        connection.execute(sql.render("lead_stats/insert_pipeline_findings_capacity.sql"), values)
                        if sums:
                            connection.execute(sums, values)
            except psycopg.OperationalError:
                raise  # the connection, a lock or a limit of time: the next try reads it
            except psycopg.errors.InsufficientPrivilege as error:
                failure = capacity.failure_of_rights(error)
            except psycopg.Error as error:
                failure = error
            if chunk.last == day.latest_whole_day():
                findings.record(connection, *capacity.source_findings(failure, chunk.last))
        if failure is not None:
            raise failure
        return Done({"rows new or changed": read["written"]})

    refuse_too_early(window)
    in_chunks(window.chunks(), run, store, task_instance)


def report_stats(dag_run: DagRunProtocol, task_instance: RuntimeTaskInstanceProtocol) -> None:
    """The day's table and findings; fails where a task before it failed: no run looks green by its last task."""
    from lead_demand import report

    last = day.stats_date(dag_run)
    with sql.connect() as connection:
        cursor = connection.execute(sql.render("lead_stats/select_report.sql"), {"last": last})
        columns, rows = [column.name for column in cursor.description or ()], cursor.fetchall()
        found = _findings(connection, dag_run)
        sums = [line for (line,) in connection.execute(sql.render("lead_stats/select_sums.sql"), {"last": last})]
    known = sum(1 for row in rows if row[1] is not None)
    say(
        f"{last}: {known} of {len(rows)} active segments have statistics.",
        [*found, *sums, *report.table(columns, rows)],
    )
    _fail_for_upstream(dag_run, task_instance)


def announce(dag_run: DagRunProtocol) -> dict[str, str]:
    """The event that starts today's budgets. Raises AirflowSkipException for every other day: a success would
    announce it.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    may, why = day.announces(dag_run)
    if not may:
        raise AirflowSkipException(f"Not announced: {why}.")
    say(f"Announced: {why}; lead_budgets may decide.")
    return {"stats_date": day.stats_date(dag_run).isoformat()}


def paid_accounts(name: str, dag_run: DagRunProtocol, announced: Sequence[str | None]) -> list[str]:
    """The ads accounts whose budgets may move today.

    :param announced: the days that the triggering events named.
    Raises NotToday for a run of another day, or one that was started by the statistics of another day.
    """
    from lead_demand.errors import NotToday

    day.require_today(dag_run)
    named = sorted({name for name in announced if name})
    # After a pause Airflow hands over every announcement since the last run; one of them has to be the latest day's.
    if named and day.latest_whole_day().isoformat() not in named:
        raise NotToday(
            f"This run was started by the statistics of {', '.join(named)}; the latest whole day is "
            f"{day.latest_whole_day()}.",
            todo="Run lead_stats for yesterday: it starts a run of lead_budgets.",
        )
    with sql.connect() as connection:
        days = {"first": day.today(), "last": day.latest_whole_day()}
        rows = connection.execute(sql.render("lead_stats/select_accounts.sql"), days).fetchall()
    accounts = [account for channel, account in rows if channel == name]
    say(f"{len(accounts)} {name} account(s) to read.")
    return accounts


def settle(name: str, dag_run: DagRunProtocol) -> None:
    """Finish what an earlier run left open, before anything new is read or planned."""
    from lead_demand import budgets

    day.require_today(dag_run)
    report = budgets.settle_open_changes(name)
    total = len(report.success) + len(report.failed) + len(report.pending)
    say(
        f"{total} open change(s) found: {report}." if total else "No change was left open.",
        _change_lines(report),
    )


def read_account_budgets(name: str, account: str, dag_run: DagRunProtocol) -> None:
    """Read the live budgets of one account."""
    from lead_demand import planning

    day.require_today(dag_run)
    campaigns = planning.read_budgets(name, account, dag_run.run_id)
    say(f"{name} {account}: {campaigns} campaigns and their budgets read.")


def plan_budgets(name: str, dag_run: DagRunProtocol) -> None:
    """Evaluate every segment that is not decided today, and keep decisions and plans."""
    from lead_demand import planning, report

    day.require_today(dag_run)
    planned = planning.plan(name, dag_run.run_id)
    if not planned.evaluated:
        say("Nothing to decide: every active segment already has its decision of today.")
        return
    say(
        f"{planned.evaluated} segments evaluated: {planned.increases} increase, {planned.decreases} decrease, "
        f"{planned.holds} hold, {planned.blocked} held because something is not known."
        + (" Dry run: nothing will be sent." if planned.dry_run else ""),
        report.table(["reason", "segments"], [[reason, number] for reason, number in planned.reasons.items()]),
    )


def directions_with_work(name: str, dag_run: DagRunProtocol, task_instance: RuntimeTaskInstanceProtocol) -> list[str]:
    """The task ids of the directions that have anything to do today."""
    day.require_today(dag_run)
    with sql.connect() as connection:
        key = {"channel": name, "dag_run_id": dag_run.run_id}
        (work,) = sql.read_rows(connection, sql.render("lead_budgets/select_work.sql"), key)
    asking = [run for run in work.pop("asking_runs") if run != dag_run.run_id]
    if work["ask"] and _is_waiting(task_instance.dag_id, asking):
        say(f"The large changes are already asked about in {', '.join(asking)}.")
        work["ask"] = False
    chosen = [DIRECTIONS[direction] for direction, has_work in work.items() if has_work]
    say(f"To do: {', '.join(chosen)}." if chosen else "Nothing to do: today is decided and settled.")
    return chosen


def change_budgets(action: str, name: str, dag_run: DagRunProtocol, task_instance: RuntimeTaskInstanceProtocol) -> None:
    """Apply today's decisions of one direction by the write-ahead protocol, if the branch before it succeeded."""
    from airflow.sdk.exceptions import AirflowSkipException

    from lead_demand import budgets

    # The branch's own value cannot be asked for: Airflow keeps none of a branch that skips anything.
    if task_states.of_run(task_instance.dag_id, dag_run.run_id).get("choose_directions") != "success":
        raise AirflowSkipException(f"No budget {action} was sent: the plan or the branch before it failed.")
    day.require_today(dag_run)
    report = budgets.apply_changes(action, name, dag_run.run_id, last_try=_is_last_try(task_instance))
    say(f"Budget {action}s: {report}.", _change_lines(report))


def ask_for_approval(
    name: str, dag_run: DagRunProtocol, task_instance: RuntimeTaskInstanceProtocol
) -> approvals.Question | None:
    """The question about today's large increases, kept as it is about to be shown; None where it is answered: Airflow
    may try the task again although it ended well, when the answer came close upon the question.

    Raises AirflowSkipException where no increase waits.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    from lead_demand import approvals

    day.require_today(dag_run)
    question = approvals.question(name)
    if question is None:
        raise AirflowSkipException("No large increase waits for a person.")
    if not approvals.ask(question, name, str(task_instance.id), dag_run.run_id):
        say("The question has its answer, which counts; nobody is asked again.")
        return None
    say(f"{question.subject}: asked until {question.deadline.isoformat()}.", question.body.splitlines())
    return question


def require_shown(operator: HITLOperator, task_instance: RuntimeTaskInstanceProtocol) -> None:
    """Put the question on Airflow's record. Raises AnswerUnusable where its form shows an older text."""
    from lead_demand import hitl_record
    from lead_demand.errors import AnswerUnusable

    if hitl_record.shown_text(operator, task_instance.id) != operator.body:
        raise AnswerUnusable(
            f"The form of run {task_instance.run_id} shows what it showed before the task was cleared or tried again, "
            "and that is not what waits now.",
        )


def record_answer(
    response: dict[str, Any], dag_run: DagRunProtocol, task_instance: RuntimeTaskInstanceProtocol
) -> None:
    """Keep what Airflow's record says of the answer, once."""
    from lead_demand import approvals

    day.require_today(dag_run)
    kept = approvals.record(str(task_instance.id), response)
    user = response.get("responded_by_user") or {}
    who = user.get("name") or user.get("id") or "nobody, in time"
    answer = f"{', '.join(response['chosen_options'])} by {who}, {response.get('params_input') or 'no field filled in'}"
    say(f"Kept: {answer}." if kept else f"Not kept, for an answer counts once and there is one: {answer}.")


def change_approved_budgets(name: str, dag_run: DagRunProtocol, task_instance: RuntimeTaskInstanceProtocol) -> None:
    """Send the large increases that a person approved, and log the others as not approved."""
    from lead_demand import approvals

    day.require_today(dag_run)
    report = approvals.decide(name, dag_run.run_id, last_try=_is_last_try(task_instance))
    say(f"Large increases: {report}.", _change_lines(report))


def revert_budgets(name: str, dag_run: DagRunProtocol, task_instance: RuntimeTaskInstanceProtocol) -> None:
    """Put back the change or the day that the trigger form names, in the name of whoever triggered the run."""
    from lead_demand import reverts

    day.require_today(dag_run)
    log_id, of_day = reverts.asked(dag_run.conf or {})
    who = dag_run.triggering_user_name
    report = reverts.revert_changes(log_id, of_day, name, dag_run.run_id, who, last_try=_is_last_try(task_instance))
    say(f"Reverts asked for by {who or 'nobody named'}: {report}.", _change_lines(report))


def replay_mornings(name: str, dag_run: DagRunProtocol, params: Mapping[str, Any]) -> None:
    """Replay past mornings with what the trigger form says, and tell what came of it."""
    from lead_demand import backtest_run

    asked = {key: value for key, value in params.items() if value is not None}
    first, last = (date.fromisoformat(asked.pop(key)) if key in asked else None for key in ("date_from", "date_to"))
    forecast = asked.pop("forecast", None)
    headline, _, table = backtest_run.run(name, dag_run.run_id, first, last, asked, forecast).partition("\n\n")
    say(headline, table.splitlines())


def hold_budgets(name: str, dag_run: DagRunProtocol) -> None:
    """Mark today's holds as held."""
    day.require_today(dag_run)
    with sql.connect() as connection:
        held = connection.execute(
            sql.render("lead_budgets/update_lead_segment_plans_held.sql"), {"channel": name}
        ).rowcount
    say(f"{held} segment(s) held; no budget was touched.")


def report_budgets(name: str, dag_run: DagRunProtocol, task_instance: RuntimeTaskInstanceProtocol) -> None:
    """Today's table; fails where a task before it failed, so that no run looks green by its last task."""
    from lead_demand import month, report
    from lead_demand.switches import read_switches

    with sql.connect() as connection:
        rows = sql.read_rows(connection, sql.render("lead_budgets/select_report.sql"), {"channel": name})
        found = _findings(connection, dag_run)
        switches = read_switches(connection)
        pace = month.pace(connection)
    shown = {
        "segment": "segment",
        "capacity": "capacity",
        "target": "target",
        "expected": "expected",
        "gap": "gap yesterday",
        "old_budget": "old budget",
        "new_budget": "new budget",
        "action": "action",
        "outcome": "outcome",
        "reasons": "reasons",
    }
    waiting = sum(row["outcome"] == "waiting_approval" for row in rows)
    count = {kind: sum(row["action"] == kind for row in rows) for kind in ("increase", "decrease", "hold")}
    say(
        f"{day.today()}: "
        + ", ".join(f"{number} {kind}" for kind, number in count.items())
        + (f"; {waiting} large increase(s) wait for a person, under Required Actions." if waiting else ".")
        + f" {switches.why_no_change}".rstrip(),
        [
            *([pace] if pace else []),
            *found,
            *report.table(list(shown.values()), [[row[column] for column in shown] for row in rows]),
        ],
    )
    _fail_for_upstream(dag_run, task_instance)


def _change_lines(changed: Any) -> list[str]:
    """What became of each change, as a table."""
    from lead_demand import report

    groups = (
        ("accepted, not sent" if changed.dry_run else "applied", changed.success),
        ("REFUSED", changed.failed),
        ("OPEN", changed.pending),
        ("STOPPED", changed.stopped),
        ("NOT APPROVED", changed.declined),
    )
    rows = [
        [outcome, change.segment, change.budget_id, f"€{change.old_value:.2f}", f"€{change.new_value:.2f}", words]
        for outcome, changes in groups
        for change, words in changes
    ]
    refused = [f"REFUSED {words}" for words in changed.unclaimed]
    return refused + (report.table(["outcome", "segment", "budget", "old", "new", "why"], rows) if rows else [])


def _findings(connection: Any, dag_run: DagRunProtocol) -> list[str]:
    rows = connection.execute(
        sql.render("findings/select_pipeline_findings.sql"),
        {"since": dag_run.start_date or dag_run.run_after},
    ).fetchall()
    found = [f"{level.upper()} {name}: {detail} {remediation}" for name, level, detail, remediation, _ in rows]
    if rows and rows[0][-1] > len(rows):
        found.append(f"… and {rows[0][-1] - len(rows)} more in pipeline_findings")
    return found


def _is_waiting(dag_id: str, run_ids: list[str]) -> bool:
    """Whether a question of one of these runs still waits for its answer."""
    return any(task_states.of_run(dag_id, run_id).get(ASK) == "awaiting_input" for run_id in run_ids)


def _is_last_try(task_instance: RuntimeTaskInstanceProtocol) -> bool:
    return task_instance.try_number > task_instance.max_tries


def _fail_for_upstream(dag_run: DagRunProtocol, task_instance: RuntimeTaskInstanceProtocol) -> None:
    states = task_states.of_run(task_instance.dag_id, dag_run.run_id)
    failed = sorted(task for task, state in states.items() if state == "failed")
    if failed:
        raise UpstreamFailed(
            f"Failed before this report: {', '.join(failed)}.",
            todo=f"Read the log of {failed[0]}; this task needs nothing of its own.",
        )
