"""What can go wrong, once: every error, ours or not, with the four facts that whoever is on call asks for.

What happened is the error's own message. What was left untouched, whether another try can heal it and what to do belong
to its kind; `explain` gives them for any exception. The retry policy, the last lines of a failed task's log, the alert
and the sections of docs/runbook.md all come from the two tables here: the classes below and `KINDS`.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import ClassVar

from lead_demand.outside import plain

RUNBOOK = "docs/runbook.md"
LONGEST = 1000  # characters of a foreign message


@dataclass(frozen=True)
class Facts:
    """The four facts of one error; `kind` names its section in the runbook.

    `rerun`: whether the work is to be run again after `todo`; how is the DAG's own rule.
    """

    kind: str
    happened: str
    unchanged: str
    heals: bool
    todo: str
    rerun: bool = True

    @property
    def runbook(self) -> str:
        """The section, as a path of this repository."""
        return f"{RUNBOOK}#{self.kind.lower()}"


class LeadDemandError(Exception):
    """Base of every error that this library raises on purpose.

    :param happened: what happened, in one or two sentences.
    :param unchanged: what was not changed, where it is not what the class says.
    :param todo: the next step, where it is not what the class says.
    """

    unchanged: ClassVar[str] = "Nothing was read, written or sent."
    todo: ClassVar[str] = "Read the message."
    heals: ClassVar[bool] = False
    rerun: ClassVar[bool] = True

    def __init__(self, happened: str, *, unchanged: str | None = None, todo: str | None = None) -> None:
        # An API's words, a form's range, a name: whatever the message was made of becomes one line here.
        happened = plain(happened)
        super().__init__(happened)
        self.facts = Facts(
            type(self).__name__,
            happened,
            plain(unchanged or self.unchanged),
            self.heals,
            plain(todo or self.todo),
            self.rerun,
        )

    def __str__(self) -> str:
        return f"{self.facts.happened} {self.facts.unchanged} {self.facts.todo}"


class InvalidRange(LeadDemandError):
    """The days asked for cannot be restated."""

    unchanged = "Nothing was read or written."
    todo = "Trigger lead_stats again with another range."
    rerun = False


class SetupIncomplete(LeadDemandError):
    """A table, setting or connection that a run needs is missing; the message names it."""

    unchanged = "Nothing was read or written."
    todo = "Add what the message names."


class SourceUnavailable(LeadDemandError):
    """A source could not be read for now."""

    unchanged = "The days that could not be read keep their earlier values; what the log above counts as done stands."
    todo = "Wait until the source answers."
    heals = True


class SourceRefused(LeadDemandError):
    """A source refused us: credentials, permission, a quota of the day, or a request that it does not accept."""

    unchanged = (
        "The days that could not be read keep their earlier values, and the account's segments hold; what the log "
        "above counts as done stands."
    )
    todo = "Repair the access."


class CapacitySourceFailed(LeadDemandError):
    """The partners' tables gave nothing, or nothing for most of the segments that had partners when last recorded."""

    unchanged = (
        "No capacity was written and none counts as read: the segments hold as stale until a later read succeeds, also "
        "where an earlier run of this morning had read it."
    )
    todo = (
        "Check as lead_pipeline what include/sql/sources/partner_capacity.sql returns: its grants, row level security, "
        "rows. If it is true that the partners are gone, an admin adds a row to capacity_confirmations today, with "
        "segment_id NULL and confirmed_capacity 0."
    )
    heals = True  # a table that is being loaded again is empty for moments


class CheckFailed(LeadDemandError):
    """The statistics break a rule that every good day keeps."""

    unchanged = "This run announces no day and so starts no budgets; the statistics stay as they were written."
    todo = "Repair the rows that the message names."
    rerun = False  # which task is cleared is the check's own remediation: the one that writes the rows, not the check


class NotToday(LeadDemandError):
    """A budget run of another day than today."""

    unchanged = "No budget was read or changed."
    todo = "Do not clear it: start a new run of lead_budgets."
    rerun = False


class NothingToRevert(LeadDemandError):
    """What was asked to be put back cannot be; the message says which row and why."""

    unchanged = "No budget was read or changed."
    todo = "Look for a row with status 'success' in channel_orchestration_log and start a new run for it."
    rerun = False


class NothingToReplay(LeadDemandError):
    """A backtest that cannot be made; the message says why."""

    unchanged = "No budget was read or changed; an earlier report was left as it was."
    todo = "Restate the days before the first morning with lead_stats, or choose later mornings."
    rerun = False


class AnswerUnusable(LeadDemandError):
    """What was answered about large increases does not count, or was never answered; the message says why."""

    unchanged = "None of these increases was sent or logged as rejected; the smaller changes of the morning stand."
    todo = "Start a new run of lead_budgets before approval_deadline: it asks about what still waits. Do not clear it."
    rerun = False


class ChangesFailed(LeadDemandError):
    """Some budget changes were refused."""

    unchanged = "The budgets named keep their old amount and are closed as failed; the other changes went through."
    todo = "Read each refusal, and repair what it names. Tomorrow's run decides again; nothing is sent twice."
    rerun = False


class ChangesLeftOpen(LeadDemandError):
    """An account refuses us while claims are open."""

    unchanged = "Nothing is sent twice: the changes named stay pending; the other changes went through."
    todo = "Repair the account's access. The budgets are read back before anything is sent."


class ChangesUnsettled(LeadDemandError):
    """Google gave no definite answer for some changes."""

    unchanged = "Nothing is sent twice: the changes named stay pending; the other changes went through."
    todo = "The budgets are read back before anything is sent."
    heals = True


class DeadlineMissed(LeadDemandError):
    """At the time by which the day's budgets are to be decided, some are neither decided nor wait for a person."""

    unchanged = "Every budget stays as it is."
    todo = (
        "See whether lead_stats ran and announced yesterday, then whether lead_budgets was started. Start what is "
        "missing, in that order."
    )
    rerun = False


class UpstreamFailed(LeadDemandError):
    """A task before it failed; this one only keeps the run from looking green, or misses what that was to write."""

    unchanged = "What the other tasks wrote stands."
    todo = "Read the log of the task that is named; this one needs nothing of its own."
    rerun = False


@dataclass(frozen=True)
class Kind:
    """A kind of error that is not ours.

    :param classes: dotted names, so that nothing heavy is imported where an error cannot be of it; subclasses count.
    :param only: narrows the classes to some of their errors.
    """

    name: str
    happened: str
    heals: bool
    todo: str
    classes: tuple[str, ...]
    only: Callable[[BaseException], bool] | None = None
    rerun: bool = True

    def matches(self, error: BaseException) -> bool:
        """Whether the error is of this kind."""
        found = tuple(kind for name in self.classes if (kind := _class(name)) is not None)
        return isinstance(error, found) and (self.only is None or self.only(error))


# What holds for every task here: each writes in transactions, and a budget is claimed before it is sent.
UNCHANGED = (
    "The transaction it was in was rolled back; what was committed before stands and is not written twice. If this "
    "task changes budgets: what was under way is pending in channel_orchestration_log, and is read back before "
    "anything is sent."
)
_LOGIN = re.compile(
    r"password authentication failed|no password supplied|(role|user|database) .* does not exist"
    r"|no pg_hba.conf entry|tenant or user not found|not permitted to log in|invalid connection option"
    r"|unsupported startup parameter|SASL",
    re.IGNORECASE,
)


def _is_login(error: BaseException) -> bool:
    return getattr(error, "sqlstate", None) is None and _LOGIN.search(str(error)) is not None


def _is_full(error: BaseException) -> bool:
    return getattr(error, "sqlstate", None) == "53100" or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)


# In this order: the first that matches is it.
KINDS = (
    Kind(
        "LoginRefused",
        "The database did not let us in",
        False,
        "Correct the connection leads_db.",
        ("psycopg.OperationalError", "psycopg.ProgrammingError", "sqlalchemy.exc.OperationalError"),
        _is_login,
    ),
    Kind(
        "ConnectionMissing",
        "Airflow has no connection of that name",
        False,
        "Add the connection that the message names, or correct the spelling of its AIRFLOW_CONN_ variable.",
        ("airflow.sdk.exceptions.AirflowNotFoundException",),
    ),
    Kind(
        "MigrationMissing",
        "The database lacks a table, column or function that the statement needs",
        False,
        "Run `make migrate` as the owner of the schema (`make migrate ARGS=--dry-run` lists what is missing). If "
        "nothing is, a table of the company's own changed: correct include/sql/sources.",
        (
            "psycopg.errors.UndefinedTable",
            "psycopg.errors.UndefinedColumn",
            "psycopg.errors.UndefinedFunction",
            "psycopg.errors.UndefinedObject",
            "psycopg.errors.InvalidSchemaName",
        ),
    ),
    Kind(
        "DiskFull",
        "A disk is full",
        True,
        "Free space where the message says, of the worker or of the database.",
        ("psycopg.errors.DiskFull", "builtins.OSError"),
        _is_full,
    ),
    Kind(
        "TimedOut",
        "It took longer than it may",
        True,
        "See what it waited for: a lock that somebody holds (the runbook has the query), or a service that hangs.",
        (
            "psycopg.errors.QueryCanceled",
            "psycopg.errors.LockNotAvailable",
            "airflow.sdk.exceptions.AirflowTaskTimeout",
            "builtins.TimeoutError",
        ),
    ),
    Kind(
        "DatabaseRefused",
        "The database refused the statement",
        False,
        "Read the refusal: a right that lead_pipeline lacks (`make migrate ARGS=--check` prints the grant), a rule of "
        "the table, or a guard of the log. Repair that.",
        # The driver counts the class of our own guards among the operational errors.
        (
            "psycopg.errors.ObjectNotInPrerequisiteState",
            "psycopg.ProgrammingError",
            "psycopg.IntegrityError",
            "psycopg.DataError",
            "psycopg.NotSupportedError",
        ),
    ),
    Kind(
        "DatabaseUnavailable",
        "The database was not reachable, or broke off",
        True,
        "See whether the database is up and takes connections, and whether leads_db names its address.",
        ("psycopg.OperationalError", "psycopg.InterfaceError", "sqlalchemy.exc.OperationalError"),
    ),
    Kind(
        "ServiceUnavailable",
        "A service on the network was not reachable, or broke off",
        True,
        "See whether the address in the message answers.",
        ("builtins.ConnectionError",),
    ),
    Kind(
        "TaskKilled",
        "The task ran out of memory, or was killed",
        True,
        "Look in the scheduler's log and on the worker for what ended it: memory, or a full disk of the logs.",
        ("builtins.MemoryError", "airflow.sdk.exceptions.AirflowTaskTerminated"),
    ),
    Kind(
        "UnexpectedError",
        "An error that nobody foresaw, most likely a bug",
        False,
        "Give the traceback above to whoever maintains this repository. Trying again does not help.",
        ("builtins.BaseException",),
        rerun=False,
    ),
)


def explain(error: BaseException) -> Facts:
    """The four facts of any exception."""
    if isinstance(error, LeadDemandError):
        return error.facts
    kind = next(kind for kind in KINDS if kind.matches(error))
    # What PostgreSQL gives as DETAIL may be a row, and rows of leads are personal data.
    said = plain(str(error).partition("\nDETAIL:")[0], LONGEST) or "no message"
    return Facts(
        kind.name, f"{kind.happened}: {type(error).__name__}: {said}", UNCHANGED, kind.heals, kind.todo, kind.rerun
    )


def explain_silence() -> Facts:
    """The facts of a task that failed without leaving an error: its process was killed, or never began."""
    kind = next(kind for kind in KINDS if kind.name == "TaskKilled")
    return Facts(kind.name, f"{kind.happened}: it left no error behind.", UNCHANGED, kind.heals, kind.todo, kind.rerun)


def names() -> list[str]:
    """Every kind of error: the sections of the runbook."""

    def below(kind: type[LeadDemandError]) -> list[str]:
        return [name for child in kind.__subclasses__() for name in (child.__name__, *below(child))]

    return [*below(LeadDemandError), *(kind.name for kind in KINDS)]


def _class(dotted: str) -> type[BaseException] | None:
    module, _, name = dotted.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError):  # the library is not installed here, so no error can be of it
        return None
    return found if isinstance(found, type) and issubclass(found, BaseException) else None
