"""What breaks a whole morning, and what whoever is on call must get to read of it: the cases of `make drill`.

A case breaks a running Airflow, its database or the world for as long as its context lasts, and mends it at its end.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from lead_demand.channels import registry
from lead_demand.runs.day import AMSTERDAM, Window, today
from tests.fixtures.mailbox import Mailbox
from tests.fixtures.morning import HISTORY_DAYS, Morning
from tests.fixtures.postgres import PIPELINE_PASSWORD
from tests.fixtures.real_airflow import RealAirflow
from tools.migrations import MIGRATIONS

ACCOUNT, SITE = "1234567890", "sc-domain:vakwerkgids.example"
ALWAYS = 1_000
STREAM, MUTATE = "SearchStream", "MutateCampaignBudgets"
METRICS = "metrics.cost_micros"
PULL_ADS = ("lead_stats", "pull_channels.pull_google_ads")


@dataclass
class Stage:
    """A running Airflow on the night before the morning, and the mailbox of whoever is on call."""

    airflow: RealAirflow
    morning: Morning
    mailbox: Mailbox
    run_id: str

    def sql(self, statement: str, *values: Any) -> None:
        """One statement of a person with every right, who is not on the leads database itself."""
        with psycopg.connect(self.airflow.stack.postgres.url("postgres"), autocommit=True) as connection:
            connection.execute(statement, values or None)


Broken = Callable[[Stage], AbstractContextManager[None]]


@dataclass(frozen=True)
class Breakdown:
    """One line of the drill.

    `kind`: the section of the runbook that the failed log names ("" where every task succeeds, "heals" names the kind
    of the try that was repeated). `alerts`: how many reach whoever is on call. `says`: words of the failed log, or of
    the table of a morning that stays green. `silent`: the process cannot write its lines, so that the alert alone says
    what to do. `digest`: a pattern of what marketing reads. `rerun`: the tasks that are cleared, or the DAG that is
    started, where no task failed that says so itself; `by_hand`: what else a person does. `partly`: the day was decided
    on what was known, and the first evaluation of a segment owns its day: what was missing is filled, and nothing is
    decided anew.
    """

    name: str
    broken: Broken
    kind: str = ""
    alerts: int = 1
    says: str = ""
    heals: bool = False
    silent: bool = False
    digest: str = ""
    rerun: tuple[str, str] | str = ""
    by_hand: Callable[[Stage], None] | None = None
    partly: bool = False
    short: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return self.name.replace(" ", "_").lower()


# -- what breaks -------------------------------------------------------------------------------------------------------


def api(kind: str, method: str, times: int = ALWAYS, **args: Any) -> Broken:
    """The world answers so until it is told to stop."""

    @contextmanager
    def broken(stage: Stage) -> Iterator[None]:
        stage.morning.sandbox.fault(kind, method, times=times, **args)
        try:
            yield
        finally:
            stage.morning.sandbox.request("DELETE", "/faults")

    return broken


def rows(strike: str, mend: str) -> Broken:
    """Somebody changes the leads database, and puts it right."""

    @contextmanager
    def broken(stage: Stage) -> Iterator[None]:
        stage.morning.db.fetch(strike)
        try:
            yield
        finally:
            stage.morning.db.fetch(mend)

    return broken


@contextmanager
def database_down(stage: Stage) -> Iterator[None]:
    """The database lets nobody in, and ends who is in."""
    stage.sql("alter database leads with allow_connections false")
    stage.sql("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = 'leads'")
    try:
        yield
    finally:
        stage.sql("alter database leads with allow_connections true")


@contextmanager
def database_restarts(stage: Stage) -> Iterator[None]:
    """The first session of the pipeline is ended while it works."""
    over = threading.Event()

    def end_one() -> None:
        with psycopg.connect(stage.airflow.stack.postgres.url("postgres"), autocommit=True) as connection:
            ended = 0
            while not ended and not over.wait(0.01):
                ended = connection.execute(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = 'leads' "
                    "and usename = 'lead_pipeline' and query ilike '%pulled_metrics%' limit 1"
                ).rowcount

    striker = threading.Thread(target=end_one)
    striker.start()
    try:
        yield
    finally:
        over.set()
        striker.join()


@contextmanager
def wrong_password(stage: Stage) -> Iterator[None]:
    """The password of the pipeline's login was changed, and nobody told Airflow."""
    change = sql.SQL("alter role lead_pipeline password {}")
    stage.sql(change.format(sql.Literal("changed-by-somebody")).as_string(None))
    try:
        yield
    finally:
        stage.sql(change.format(sql.Literal(PIPELINE_PASSWORD)).as_string(None))


@contextmanager
def migration_missing(stage: Stage) -> Iterator[None]:
    """The code is newer than its database: a migration was not applied."""
    stage.morning.db.fetch("drop function calculate_lead_gap, update_lead_gap, update_lead_gaps")
    try:
        yield
    finally:
        with psycopg.connect(stage.morning.db.owner_url) as connection:
            for name in ("20261101091300_lead_gap", "20261126150000_lead_gap_by_name"):
                connection.execute((MIGRATIONS / f"{name}.sql").read_bytes())


@contextmanager
def table_locked(stage: Stage) -> Iterator[None]:
    """Somebody forgot a transaction that holds the table of statistics; the database waits a second for a lock."""
    set_patience = "alter role lead_pipeline in database leads set lock_timeout = {}"
    stage.sql(set_patience.format("'1s'"))
    try:
        with psycopg.connect(stage.morning.db.owner_url) as holder:
            holder.execute("lock table lead_generation_stats in share mode")
            yield
    finally:
        stage.sql("alter role lead_pipeline in database leads reset lock_timeout")


@contextmanager
def hung_api(stage: Stage) -> Iterator[None]:
    """Google takes the question for one account and does not answer; the client waits five seconds only."""
    patience = stage.airflow.strike_file.with_name("patience")
    patience.write_text("5")
    try:
        with api("slow", STREAM, customer=ACCOUNT, sleep=15)(stage):
            yield
    finally:
        patience.unlink()


@contextmanager
def misspelt_connection(stage: Stage) -> Iterator[None]:
    """Somebody entered the connection of Search Console and GA4 under a name that is nearly right."""
    given = stage.airflow.stack.connection_in_tables()
    request = stage.airflow.api.request
    request("DELETE", f"/connections/{given['connection_id']}")
    request("POST", "/connections", json=given | {"connection_id": "google_reportng"})
    try:
        yield
    finally:
        request("DELETE", "/connections/google_reportng")
        request("POST", "/connections", json=given)


@contextmanager
def logs_disk_full(stage: Stage) -> Iterator[None]:
    """Every write to the log of one task of this run is refused for want of space."""
    run = stage.airflow.stack.home / "airflow" / "logs" / "dag_id=lead_stats" / f"run_id={stage.run_id}"
    paths = [run / "task_id=pull_channels.pull_leads" / f"attempt={number}.log" for number in range(1, 5)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to("/dev/full")
    try:
        yield
    finally:
        for path in paths:  # nothing was written; and who reads from that device reads for ever
            path.unlink()
            path.touch()


def killed(step: str, point: str, *, always: bool = False) -> Broken:
    """The task's process is killed when it passes this point."""

    @contextmanager
    def broken(stage: Stage) -> Iterator[None]:
        stage.airflow.strike_file.write_text(f"{step} {point}" + (" always" if always else ""))
        try:
            yield
            assert always or not stage.airflow.strike_file.exists(), "nothing was killed"
        finally:
            stage.airflow.strike_file.unlink(missing_ok=True)

    return broken


@contextmanager
def budgets_paused(stage: Stage) -> Iterator[None]:
    """Somebody paused lead_budgets and went home."""
    stage.airflow.api.set_paused("lead_budgets", True)
    try:
        yield
    finally:
        stage.airflow.api.set_paused("lead_budgets", False)


def three_days(least_ago: int, most_ago: int) -> Window:
    """Three days, each that many days ago: around a clock change where one lies there, else the oldest."""

    def offset(of_day: date) -> timedelta | None:
        return datetime(of_day.year, of_day.month, of_day.day, tzinfo=AMSTERDAM).utcoffset()

    middles = [today() - timedelta(days=ago) for ago in range(most_ago - 1, least_ago, -1)]
    changes = [middle for middle in middles if offset(middle) != offset(middle + timedelta(days=1))]
    middle = (changes or middles)[0]
    return Window(middle - timedelta(days=1), middle + timedelta(days=1))


def restated_days() -> Window:
    """Days that the next morning reads again."""
    return three_days(2, registry.CHANNELS["leads"].restated_days)


def older_days() -> Window:
    """Days that no morning reads again, and that the planner looks at."""
    return three_days(registry.CHANNELS["leads"].restated_days + 1, HISTORY_DAYS)


def lost(days: Callable[[], Window]) -> Broken:
    """Nothing is known of those days: Airflow was down."""

    @contextmanager
    def broken(stage: Stage) -> Iterator[None]:
        around = {"first": days().first, "last": days().last}
        within = "date between %(first)s and %(last)s"
        stage.morning.db.fetch(f"delete from channel_metrics where {within} and channel = 'leads'", around)
        stage.morning.db.fetch(f"delete from lead_generation_stats where {within}", around)
        stage.morning.db.fetch(f"update lead_segment_plans set lead_gap = null where {within}", around)
        yield

    return broken


def backfill(days: Callable[[], Window]) -> Callable[[Stage], None]:
    """As a person does: the lost days, by their dates."""

    def backfill_the_days(stage: Stage) -> None:
        first, last = str(days().first), str(days().last)
        asked = ("--dag-id", "lead_stats", "--from-date", first, "--to-date", last, "--reprocess-behavior", "completed")
        stage.airflow.command("backfill", "create", *asked, "--max-active-runs", "1")
        wanted = {str(days().first + timedelta(days=n)) for n in range(days().days)}
        runs = [run for run in stage.airflow.wait_for_all("lead_stats") if run["run_type"] == "backfill"]
        states = {
            str(datetime.fromisoformat(run["data_interval_start"]).astimezone(AMSTERDAM).date()): run["state"]
            for run in runs
        }
        assert {states.get(of) for of in wanted} == {"success"}, states

    return backfill_the_days


@contextmanager
def campaign_removed(stage: Stage) -> Iterator[None]:
    """Yesterday marketing put a new campaign in place of one, and channel_sources still names the removed one, until a
    person does what the finding says.
    """
    db = stage.morning.db
    campaign = db.value(
        "select external_id from channel_sources as sources join lead_segments as segments "
        "on sources.segment_id = segments.id where code = 'schilder_utrecht' and channel = 'google_ads' limit 1"
    )
    successor = str(int(campaign) + 5_000)
    stage.morning.sandbox.set_campaign(campaign, "REMOVED", today() - timedelta(days=1), successor)
    yield
    (found,) = stage.morning.open_findings("campaign_not_found")
    advice = re.search(r"[Rr]un: (.+?)\. If another .+? with valid_from = '(.+?)'\.", found["remediation"])
    assert advice, found["remediation"]
    db.fetch(advice[1])
    db.fetch(
        "insert into channel_sources (channel, account, external_id, segment_id, valid_from) "
        "values ('google_ads', %s, %s, %s, %s)",
        [ACCOUNT, successor, found["segment_id"], advice[2]],
    )


CASES = [
    Breakdown("database down", database_down, "DatabaseUnavailable", says="not currently accepting connections"),
    Breakdown("database restarts", database_restarts, "DatabaseUnavailable", alerts=0, heals=True),
    Breakdown("wrong password", wrong_password, "LoginRefused", says="password authentication failed"),
    Breakdown("migration missing", migration_missing, "MigrationMissing", says="update_lead_gaps"),
    Breakdown(
        "a right is missing",
        rows(
            "revoke insert on budget_decisions from lead_pipeline", "grant insert on budget_decisions to lead_pipeline"
        ),
        "DatabaseRefused",
        says="permission denied for table budget_decisions",
    ),
    Breakdown("a lock is held", table_locked, "TimedOut", says="lock timeout"),
    Breakdown(
        "a setting is missing",
        rows(
            "create table put_aside as select total_daily_cap from orchestration_settings; "
            "update orchestration_settings set total_daily_cap = null",
            "update orchestration_settings set total_daily_cap = (select total_daily_cap from put_aside); "
            "drop table put_aside",
        ),
        alerts=0,
        digest=r"schilder_utrecht\b.* held: ",
        rerun="lead_budgets",
    ),
    Breakdown(
        "a column was renamed",
        rows("alter table leads rename column status to state", "alter table leads rename column state to status"),
        "MigrationMissing",
        says="leads.status",
    ),
    Breakdown(
        "no source is active",
        rows("update channel_sources set is_active = false", "update channel_sources set is_active = true"),
        "SetupIncomplete",
    ),
    Breakdown(
        "leads missing",
        rows(
            "create table put_aside as select * from leads where created_at >= (lead_today() - 1)::timestamp "
            "at time zone 'Europe/Amsterdam'; delete from leads where id in (select id from put_aside)",
            "insert into leads select * from put_aside; drop table put_aside",
        ),
        "CheckFailed",
        says="check_channels_usual",
    ),
    Breakdown(
        "quota of a minute",
        api("quota", STREAM, 1, customer=ACCOUNT, text=METRICS, retry_delay=1),
        "SourceUnavailable",
        alerts=0,
        heals=True,
    ),
    Breakdown(
        "quota of the day",
        api("quota_daily", STREAM, customer=ACCOUNT, retry_delay=3_600),
        "SourceRefused",
        says="quota_error",
        partly=True,
    ),
    Breakdown("token revoked", api("token", "token"), "SourceRefused", says="invalid_grant", partly=True),
    Breakdown("hung API", hung_api, "SourceUnavailable", says="DEADLINE", partly=True),
    Breakdown("answer lost", api("cut_after_apply", MUTATE, 1, customer=ACCOUNT), alerts=0, heals=True),
    Breakdown("site unverified", api("permission", "searchAnalytics"), "SourceRefused", says="No budget waits"),
    Breakdown(
        "empty report",
        api("empty", STREAM, customer=ACCOUNT, text=METRICS),
        alerts=0,
        rerun=PULL_ADS,
        digest=r"schilder_utrecht\b.* held: ",
        partly=True,
    ),
    Breakdown(
        "duplicate rows",
        api("duplicate_rows", STREAM, customer=ACCOUNT, text=METRICS),
        alerts=0,
        rerun=PULL_ADS,
        digest=r"schilder_utrecht\b.* held: ",
        partly=True,
    ),
    Breakdown(
        "campaign removed",
        campaign_removed,
        alerts=0,
        says="was removed, and channel_sources still gives it to schilder_utrecht",
        rerun=PULL_ADS,
        digest=r"schilder_utrecht\b.* held: ",
        partly=True,
    ),
    Breakdown("misspelt connection", misspelt_connection, "ConnectionMissing", says="google_reporting"),
    Breakdown("disk of the logs full", logs_disk_full, "TaskKilled", silent=True, short=True),
    Breakdown("worker killed", killed("increase", "answered"), alerts=0, heals=True),
    Breakdown("worker killed each time", killed("plan", "before_decisions", always=True), "TaskKilled", silent=True),
    Breakdown(
        "kill switch on",
        rows(
            "update orchestration_settings set kill_switch = true",
            "update orchestration_settings set kill_switch = false",
        ),
        alerts=0,
        says="No budget may change: the kill switch in orchestration_settings is on.",
        partly=True,
    ),
    Breakdown("days lost that are restated", lost(restated_days), alerts=0, by_hand=backfill(restated_days)),
    Breakdown(
        "older days lost",
        lost(older_days),  # a few days are left out of the estimate: nothing is held
        alerts=0,
        by_hand=backfill(older_days),
        partly=True,
    ),
    Breakdown("lead_budgets paused", budgets_paused, "DeadlineMissed", says="12 of 12 active segments"),
]
