"""The tasks of `lead_stats` that are Python; its statements are in `include/sql/lead_stats`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from airflow.sdk import TriggerRule

from lead_demand import database
from lead_demand.channels import registry
from lead_demand.database import findings, sql
from lead_demand.errors import LeadDemandError, SetupIncomplete
from lead_demand.runs import day
from lead_demand.runs.assets import LATEST_DAY
from lead_demand.runs.documented import documented
from lead_demand.runs.progress import Done, in_chunks
from lead_demand.runs.this_run import fail_for_upstream, say, this_run, this_store, this_task
from lead_demand.runs.window_statements import refuse_too_early

log = logging.getLogger("lead_demand")


@documented()
def read_accounts(channel: str) -> list[dict[str, Any]]:
    """The accounts, sites or properties of a channel to pull, and the first look at the run's days and at the set-up.

    More accounts than Airflow maps (`max_map_length`) share instances of the pull.
    Raises InvalidRange for days that cannot be restated, SetupIncomplete where no segment has any source.
    """
    from airflow.sdk.configuration import conf

    covered = day.stats_window(this_run(), registry.CHANNELS[channel].restated_days)
    refuse_too_early(covered)
    with database.connect() as connection:
        days = {"first": covered.first, "last": covered.last}
        rows = connection.execute(sql.render("channels/select_accounts.sql"), days).fetchall()
    if not rows:
        raise SetupIncomplete(
            "channel_sources has no active row of an active segment.",
            todo="Add the campaigns, sites and properties of each segment to channel_sources.",
        )
    accounts = [account for of_channel, account in rows if of_channel == channel]
    say(f"This run is about {covered}: {len(accounts)} {channel} account(s) to read: {', '.join(accounts) or 'none'}.")
    share = max(1, -(-len(accounts) // conf.getint("core", "max_map_length")))
    return [{"channel": channel, "accounts": accounts[at : at + share]} for at in range(0, len(accounts), share)]


@documented(map_index_template="{{ channel }} {{ accounts | join(', ') }}")
def pull(channel: str, accounts: Sequence[str]) -> None:
    """One account over the run's window, a month in one transaction: a failed pull leaves the earlier rows as they
    were, and a retry goes on with the month that failed.

    Where an account of several fails, those after it are still pulled, and one error is raised at the end; the log has
    them all.
    """
    from lead_demand.channels.pull import chunks
    from lead_demand.channels.pull import pull as pull_window

    dag_run, store = this_run(), this_store()
    window = day.stats_window(dag_run, registry.CHANNELS[channel].restated_days)
    refuse_too_early(window)
    errors: list[LeadDemandError] = []
    for account in accounts:

        def pull_chunk(chunk: day.Window, account: str = account) -> Done:
            report = pull_window(channel, account, chunk, dag_run.run_id)
            counts = {"rows read": report.rows, "new or changed": report.changed, "findings": len(report.findings)}
            return Done(counts, findings.log_lines(report.findings))

        try:
            in_chunks(chunks(channel, account, window), pull_chunk, store, this_task(), f"{channel} {account}")
        except LeadDemandError as error:
            log.error("%s %s: %s", channel, account, error)
            errors.append(error)
    if errors:
        # One that may heal goes first: the retry is decided by what is raised.
        raise next((error for error in errors if error.facts.heals), errors[0])


@documented(outlets=[LATEST_DAY])
def announce_day(outlet_events=None) -> None:  # type: ignore[no-untyped-def]  # Airflow fills it in by its name
    """Skipped unless this run is about the latest whole day: a success here starts lead_budgets."""
    from airflow.sdk.exceptions import AirflowSkipException

    dag_run = this_run()
    may, why = day.announces(dag_run)
    if not may:
        raise AirflowSkipException(f"Not announced: {why}.")
    say(f"Announced: {why}; lead_budgets may decide.")
    outlet_events[LATEST_DAY].extra = {"stats_date": day.stats_date(dag_run).isoformat()}


@documented(trigger_rule=TriggerRule.ALL_DONE)
def report() -> None:
    """The day in one table; fails when any task before it failed, so that its success hides no failure."""
    from lead_demand import text

    last = day.stats_date(this_run())
    with database.connect() as connection:
        cursor = connection.execute(sql.render("lead_stats/select_report.sql"), {"last": last})
        columns, rows = [column.name for column in cursor.description or ()], cursor.fetchall()
        found = findings.lines_since(connection, this_run().start_date or this_run().run_after)
        sums = [line for (line,) in connection.execute(sql.render("lead_stats/select_sums.sql"), {"last": last})]
    known = sum(1 for row in rows if row[1] is not None)
    say(
        f"{last}: {known} of {len(rows)} active segments have statistics.",
        [*found, *sums, *text.table(columns, rows)],
    )
    fail_for_upstream()
