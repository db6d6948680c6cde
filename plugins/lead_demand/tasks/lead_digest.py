"""The tasks of `lead_digest`: the day in one message for marketing, and what on call has to know of it."""

from __future__ import annotations

from datetime import datetime

from lead_demand import database, text
from lead_demand.budgets import digest, morning_alerts
from lead_demand.database import sql
from lead_demand.errors import DeadlineMissed
from lead_demand.oncall import alerts, notifier
from lead_demand.runs import day
from lead_demand.runs.documented import documented
from lead_demand.runs.this_run import say, this_run


def skip_another_day() -> None:
    """Raises AirflowSkipException for a scheduled or backfilled run of an earlier day, NotToday for any other run of
    another day.

    Airflow starts the last run that was due as soon as it can: before 08:00, after an outage or when the DAG is
    unpaused, that is yesterday's. Nobody can decide yesterday any more, so nobody is called; today's comes at 08:00.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    dag_run = this_run()
    due = dag_run.run_after.astimezone(day.AMSTERDAM).date()
    kind = day.run_type(dag_run)
    if kind == "backfill" or (kind == "scheduled" and due < day.today()):
        raise AirflowSkipException(
            f"This {kind} run of {dag_run.dag_id} was due on {due}; today is {day.today()}. Nothing was checked, and "
            f"nothing was sent. Today's check comes at 08:00; start a new run of {dag_run.dag_id} to have it at once."
        )
    day.require_today(dag_run)


@documented()
def check_deadline(channel: str) -> None:
    """Fails, and so alerts, when a segment is neither decided today nor waits for a person. Raises DeadlineMissed."""
    skip_another_day()
    with database.connect() as connection:
        statement = sql.render("lead_digest/select_undecided.sql")
        (found,) = sql.read_rows(connection, statement, {"channel": channel})
    if found["undecided"]:
        happened = (
            f"{found['undecided']} of {found['segments']} active segments have no decision of {day.today()}. The last "
            f"statistics were read {_moment(found['last_fetch'])}, the last budgets were decided "
            f"{_moment(found['last_evaluation'])}."
        )
        # A failure after which the day went on does not explain why it was not decided.
        reported = {dag_id: kept for dag_id, kept in alerts.reported_today().items() if not kept["went_on"]}
        if reported:
            who = " and ".join(f"{dag_id} failed ({', '.join(kept['causes'])})" for dag_id, kept in reported.items())
            raise DeadlineMissed(
                f"{happened} Reported already: {who}.",
                todo=f"Read the alert of {next(iter(reported))}, or the log of its failed task, and do what it says; "
                "this task needs no repair of its own.",
            )
        read_at = found["last_fetch"]
        if read_at is not None and read_at.astimezone(day.AMSTERDAM).date() == day.today():
            raise DeadlineMissed(
                happened,
                todo="Yesterday's statistics were fetched this morning. Unless lead_stats or lead_budgets still runs: "
                "unpause lead_budgets if it is paused, and start a new run of lead_budgets.",
            )
        raise DeadlineMissed(
            happened,
            todo="Nothing was fetched this morning: check whether the scheduler runs, unpause lead_stats if it is "
            "paused, and start a new run of lead_stats without a range. It starts lead_budgets.",
        )
    say(
        f"{found['segments']} of {found['segments']} active segments are decided or wait for a person.",
        text.table(list(found), [list(found.values())]),
    )


@documented()
def send_digest(channel: str) -> None:
    """Yesterday, today's changes, reverts, who has to do what, and how fresh each channel is, in one message for
    marketing; on Mondays the week. Raises MessageBroken.
    """
    skip_another_day()
    with database.connect() as connection:
        message = digest.compose(digest.read(connection, channel, day.today()))
    why_not = notifier.send("digest", message.subject, message.lines)
    headline = f"Not sent, because {why_not}: {message.subject}." if why_not else f"Sent: {message.subject}."
    say(headline, message.lines)


@documented()
def alert_on_call(channel: str) -> None:
    """One alert where most segments hold for one reason, and one about open findings that only a person can end; none
    of what a failed run has reported this morning. Raises MessageBroken.
    """
    skip_another_day()
    with database.connect() as connection:
        today = sql.read_rows(connection, sql.render("lead_budgets/select_report.sql"), {"channel": channel})
        statement = sql.render("lead_digest/select_stop_findings.sql")
        found = sql.read_rows(connection, statement, {"limit": morning_alerts.FINDINGS_SHOWN})
    reported = list(alerts.reported_today())
    if reported:
        # What holds today's segments, and what was first found today, mostly follows from that failure.
        found = [row for row in found if row["since"].astimezone(day.AMSTERDAM).date() < day.today()]
    run_id = this_run().run_id
    sent = [
        None if reported else morning_alerts.of_holds(today, day.today(), run_id),
        morning_alerts.of_findings(found, run_id),
    ]
    told = [_alert(alert) for alert in sent if alert]
    after = f" {' and '.join(reported)} failed this morning, and on call was told." if reported else ""
    say(f"{len(told)} alert(s).{after}", told)


def _alert(alert: morning_alerts.Alert) -> str:
    """Sends it, and says so."""
    subject, lines = alert.message
    why_not = notifier.send("alerts", subject, lines, alert.severity)
    return f"Not sent, because {why_not}: {subject}" if why_not else f"Sent as {alert.severity}: {subject}"


def _moment(at: datetime | None) -> str:
    return "never" if at is None else f"{at.astimezone(day.AMSTERDAM):%Y-%m-%d %H:%M}"
