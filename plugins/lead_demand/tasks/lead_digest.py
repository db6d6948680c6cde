"""The tasks of `lead_digest`: the day in one message for marketing, and whether the day is decided by its deadline."""

from __future__ import annotations

from typing import Any

from lead_demand import database, text
from lead_demand.budgets import month
from lead_demand.database import sql
from lead_demand.database.settings import read_switches
from lead_demand.errors import DeadlineMissed
from lead_demand.oncall import alerts, notifier
from lead_demand.planner.reasons import Reason, reason_of
from lead_demand.runs import day
from lead_demand.runs.documented import documented
from lead_demand.runs.this_run import say, this_run
from lead_demand.text import euros

# What became of a change, by the status of its plan.
OUTCOMES = {
    "applied": "made",
    "dry_run": "proposed only (dry run)",
    "failed": "NOT made: refused",
    "held": "not made: not approved",
    "planned": "not made yet",
}


def require_today() -> None:
    """Raises AirflowSkipException for a scheduled run of an earlier day, NotToday for any other run of another day.

    Airflow starts the last run that was due as soon as it can: before 08:00, after an outage or when the DAG is
    unpaused, that is yesterday's. Nobody can decide yesterday any more, so nobody is called; today's comes at 08:00.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    dag_run = this_run()
    due = dag_run.run_after.astimezone(day.AMSTERDAM).date()
    if day.run_type(dag_run) == "scheduled" and due < day.today():
        raise AirflowSkipException(
            f"This run was due on {due}; today is {day.today()}. Nothing was checked, nothing was sent. Today's check "
            "comes at 08:00; start a new run of lead_digest to have it at once."
        )
    day.require_today(dag_run)


@documented()
def check_deadline(channel: str) -> None:
    """Fails, and so alerts, when a segment is neither decided today nor waits for a person. Raises DeadlineMissed."""
    require_today()
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
    """Changes, what waits for a person, and how fresh each channel is, in one message for marketing."""
    require_today()
    with database.connect() as connection:
        today = sql.read_rows(connection, sql.render("lead_budgets/select_report.sql"), {"channel": channel})
        freshness = sql.read_rows(connection, sql.render("lead_digest/select_freshness.sql"))
        switches = read_switches(connection)
        pace = month.pace(connection)
    subject, lines = compose(today, freshness, switches.why_no_change, pace)
    why_not = notifier.send("digest", subject, lines)
    say(f"Not sent, because {why_not}: {subject}." if why_not else f"Sent: {subject}.", lines)


def compose(
    today: list[dict[str, Any]], freshness: list[dict[str, Any]], no_change: str = "", pace: str = ""
) -> tuple[str, list[str]]:
    """Subject and lines of the digest.

    :param today: rows of lead_budgets/select_report.sql, one per segment. Money in EUR per day.
    :param freshness: rows of lead_digest/select_freshness.sql, one per account of a channel.
    :param no_change: why no budget may change at all, if so.
    :param pace: how far the month is, in a sentence.
    """
    changes = [row for row in today if row["action"] in ("increase", "decrease")]
    waiting = [row for row in changes if row["outcome"] == "waiting_approval"]
    made = [row for row in changes if row["outcome"] == "applied"]
    not_made = len(changes) - len(made) - len(waiting)
    blocked = [(row, wanted) for row in today if (wanted := _needs(row))]
    undecided = [row["segment"] for row in today if row["action"] is None]
    stale = [row for row in freshness if not row["is_fresh"]]
    for_a_person = len(waiting) + len(blocked) + len(undecided)
    subject = (
        f"Budgets of {day.today()}: {len(made)} change(s) made, "
        + (f"{not_made} not made, " if not_made else "")
        + f"{for_a_person} wait for a person, {len(freshness) - len(stale)} of {len(freshness)} sources fresh"
    )
    lines = [f"{subject}. {no_change}".rstrip(), *([pace] if pace else []), "", "CHANGES"]
    lines += [
        f"- {row['segment']}: {euros(row['old_budget'])} → {euros(row['new_budget'])} per day, "
        f"{OUTCOMES.get(row['outcome'], row['outcome'])}. "
        f"{row['sentence'] or ''}".rstrip()
        for row in changes
        if row not in waiting
    ] or ["None: every budget stays as it was."]
    lines += ["", "WAITING FOR A PERSON"]
    lines += [
        f"- {row['segment']}: {euros(row['old_budget'])} → {euros(row['new_budget'])} per day waits for a yes or no: "
        "Required Actions in Airflow."
        for row in waiting
    ]
    lines += [f"- {row['segment']} is held: {' '.join(wanted)}" for row, wanted in blocked]
    if undecided:
        lines.append(f"- Not decided today: {', '.join(undecided)}. On call was alerted.")
    if not for_a_person:
        lines.append("Nothing.")
    lines += ["", "FRESHNESS"]
    lines += text.table(
        ["channel", "account", "up to", "read", ""],
        [
            [row["channel"], row["account"], row["last_day"], _moment(row["fetched_at"]), _late(row["is_fresh"])]
            for row in freshness
        ],
    )
    return subject, lines


def _needs(row: dict[str, Any]) -> list[str]:
    """What a person can do about a hold; empty where nobody is needed."""
    if row["action"] != "hold":
        return []
    found = [reason_of(code) for code in (row["reasons"] or "").split(", ")]
    if {Reason.NO_CAMPAIGN, Reason.AUTOMATION_OFF} <= set(found):
        return []  # it needs no paid leads, and somebody said so
    return [f"{reason.phrase}. {reason.what_to_do}" for reason in found if reason is not None and reason.blocking]


def _late(is_fresh: bool) -> str:
    return "" if is_fresh else "STALE"


def _moment(at: Any) -> str:
    return "never" if at is None else f"{at.astimezone(day.AMSTERDAM):%Y-%m-%d %H:%M}"
