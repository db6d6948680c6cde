"""The tasks of `lead_budgets`."""

from __future__ import annotations

from airflow.sdk import TriggerRule, task

from lead_demand import database
from lead_demand.database import findings, sql
from lead_demand.errors import NotToday
from lead_demand.runs import day
from lead_demand.runs.documented import documented
from lead_demand.runs.task_ids import ASK_FOR_APPROVAL, CHOOSE_DIRECTIONS, DIRECTIONS
from lead_demand.runs.this_run import fail_for_upstream, is_last_try, say, task_states, this_run, this_task


@documented()
def read_accounts(channel: str, triggering_asset_events=None) -> list[str]:  # type: ignore[no-untyped-def]
    """Refuses every day but today, then names the ads accounts whose budgets are to be read.

    Raises NotToday for a run of another day, or one that was started by the statistics of another day.
    """
    day.require_today(this_run())
    events = [event for group in triggering_asset_events.values() for event in group]
    announced = sorted({found for event in events if (found := event.extra.get("stats_date"))})
    # After a pause Airflow hands over every announcement since the last run; one of them has to be the latest day's.
    if announced and day.latest_whole_day().isoformat() not in announced:
        raise NotToday(
            f"This run was started by the statistics of {', '.join(announced)}; the latest whole day is "
            f"{day.latest_whole_day()}.",
            todo="Run lead_stats for yesterday: it starts a run of lead_budgets.",
        )
    with database.connect() as connection:
        days = {"first": day.today(), "last": day.latest_whole_day()}
        rows = connection.execute(sql.render("channels/select_accounts.sql"), days).fetchall()
    accounts = [account for of_channel, account in rows if of_channel == channel]
    say(f"{len(accounts)} {channel} account(s) to read.")
    return accounts


@documented()
def settle_open_changes(channel: str) -> None:
    """Reads back every change that was claimed and never closed, before anything new is planned or reverted."""
    from lead_demand.budgets import settling

    day.require_today(this_run())
    report = settling.settle_open_changes(channel)
    total = len(report.success) + len(report.failed) + len(report.pending)
    say(f"{total} open change(s) found: {report}." if total else "No change was left open.", report.lines())


@documented(map_index_template="{{ account }}")
def read_budgets(channel: str, account: str) -> None:
    """The live budgets of one account; if it fails, only its own segments hold."""
    from lead_demand.budgets import planning

    day.require_today(this_run())
    campaigns = planning.read_budgets(channel, account, this_run().run_id)
    say(f"{channel} {account}: {campaigns} campaigns and their budgets read.")


@documented(trigger_rule=TriggerRule.ALL_DONE)
def plan_budgets(channel: str) -> None:
    """Every segment without a decision of today, in one evaluation; decisions and plans are kept."""
    from lead_demand import text
    from lead_demand.budgets import planning
    from lead_demand.budgets.day_table import counted

    day.require_today(this_run())
    planned = planning.plan(channel, this_run().run_id)
    if not planned.evaluated:
        say("Nothing to decide: every active segment already has its decision of today.")
        return
    say(
        f"{planned.evaluated} segments evaluated: "
        f"{counted(planned.increases, planned.decreases, planned.holds, planned.blocked)}."
        + (" Dry run: nothing will be sent." if planned.dry_run else ""),
        text.table(["reason", "segments"], [[reason, number] for reason, number in planned.reasons.items()]),
    )


@documented(task.branch)
def choose_directions(channel: str) -> list[str]:
    """The directions that have work today; decreases go before increases."""
    dag_run = this_run()
    day.require_today(dag_run)
    with database.connect() as connection:
        key = {"channel": channel, "dag_run_id": dag_run.run_id}
        (work,) = sql.read_rows(connection, sql.render("lead_budgets/select_work.sql"), key)
    asking = [run for run in work.pop("asking_runs") if run != dag_run.run_id]
    if work["ask"] and _is_waiting(asking):
        say(f"The large changes are already asked about in {', '.join(asking)}.")
        work["ask"] = False
    chosen = [DIRECTIONS[direction] for direction, has_work in work.items() if has_work]
    say(f"To do: {', '.join(chosen)}." if chosen else "Nothing to do: today is decided and settled.")
    return chosen


def _is_waiting(run_ids: list[str]) -> bool:
    """Whether a question of one of these runs still waits for its answer."""
    dag_id = this_task().dag_id
    return any(task_states(dag_id, run_id).get(ASK_FOR_APPROVAL) == "awaiting_input" for run_id in run_ids)


@documented()
def change_budgets(action: str, channel: str) -> None:
    """Claim, compare, apply, settle today's decisions of one direction: each budget independently, each change sent at
    most once. Skipped where the branch before it did not succeed.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    from lead_demand.budgets import decisions

    # The branch's own value cannot be asked for: Airflow keeps none of a branch that skips anything.
    if task_states(this_task().dag_id, this_run().run_id).get(CHOOSE_DIRECTIONS) != "success":
        raise AirflowSkipException(f"No budget {action} was sent: the plan or the branch before it failed.")
    day.require_today(this_run())
    report = decisions.apply_changes(action, channel, this_run().run_id, last_try=is_last_try())
    say(f"Budget {action}s: {report}.", report.lines())


@documented()
def change_approved_budgets(channel: str) -> None:
    """Sends what a person approved; what was rejected, or not answered in time, is logged so."""
    from lead_demand.budgets import approvals

    day.require_today(this_run())
    report = approvals.decide(channel, this_run().run_id, last_try=is_last_try())
    say(f"Large increases: {report}.", report.lines())


@documented()
def hold_budgets(channel: str) -> None:
    """Marks today's holds; no budget is touched."""
    day.require_today(this_run())
    with database.connect() as connection:
        sql.join_whole_sets(connection)
        statement = sql.render("lead_budgets/update_lead_segment_plans_held.sql")
        held = connection.execute(statement, {"channel": channel}).rowcount
    say(f"{held} segment(s) held; no budget was touched.")


@documented(trigger_rule=TriggerRule.ALL_DONE)
def report(channel: str) -> None:
    """Today in one table; fails when any task before it failed, so that a refused change is never hidden."""
    from lead_demand import text
    from lead_demand.budgets import month
    from lead_demand.budgets.day_table import SHOWN, counted
    from lead_demand.database.settings import read_switches

    with database.connect() as connection:
        rows = sql.read_rows(connection, sql.render("lead_budgets/select_report.sql"), {"channel": channel})
        found = findings.lines_since(connection, this_run().start_date or this_run().run_after)
        switches = read_switches(connection)
        pace = month.pace(connection)
    waiting = sum(row["outcome"] == "waiting_approval" for row in rows)
    count = {kind: sum(row["action"] == kind for row in rows) for kind in ("increase", "decrease", "hold")}
    undecided = sum(row["action"] is None for row in rows)
    say(
        f"{day.today()}: "
        + counted(count["increase"], count["decrease"], count["hold"], sum(row["is_blocked"] for row in rows))
        + (f", {undecided} not decided" if undecided else "")
        + (f"; {waiting} large increase(s) wait for a person, under Required Actions." if waiting else ".")
        + f" {switches.why_no_change}".rstrip(),
        [
            *pace,
            *found,
            *text.tables(list(SHOWN.values()), [[row[column] for column in SHOWN] for row in rows]),
        ],
    )
    fail_for_upstream()
