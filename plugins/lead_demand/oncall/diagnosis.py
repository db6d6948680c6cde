"""What any error means, ours or not: what happened, what was not changed, whether a retry helps, what to do.

The retry policy, the last lines of a failed task's log, the alert and the sections of docs/runbook.md all come from two
tables: the classes of `lead_demand.errors`, and `KINDS` here.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from lead_demand.database.failed import failed
from lead_demand.errors import Facts, LeadDemandError
from lead_demand.text import plain

LONGEST = 1000  # characters of a foreign message


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


# What holds for every task here: each writes in transactions.
UNCHANGED = "The transaction it was in was rolled back; what was committed before stands and is not written twice."
# And for those that change budgets: a change is claimed before it is sent.
UNCHANGED_BUDGETS = (
    f"{UNCHANGED} A budget change that was under way is pending in channel_orchestration_log, and is read back before "
    "anything is sent."
)
MIGRATION_MISSING = "MigrationMissing"
# What to do instead where the line that failed is one of an adapter.
ADAPTER_FIRST = (
    "Correct {adapter}: it names something that the company's own table does not have (any more). Then run "
    "`make migrate`, which prints the grant that the new column needs. Only if the table is as the adapter says is a "
    "migration missing (`make migrate ARGS=--dry-run` lists them)."
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
        "Database login rejected",
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
        MIGRATION_MISSING,
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
        "Timeout exceeded",
        True,
        "Find out what it waited for: a lock of another session (the runbook has the query), or a service that hangs.",
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
        "The database was unreachable, or the connection was lost",
        True,
        "Check whether the database is up and accepts connections, and whether leads_db names its address.",
        ("psycopg.OperationalError", "psycopg.InterfaceError", "sqlalchemy.exc.OperationalError"),
    ),
    Kind(
        "ServiceUnavailable",
        "A network service was unreachable, or the connection was lost",
        True,
        "Check whether the address in the message answers.",
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
        "Unexpected error, most likely a bug",
        False,
        "Give the traceback above to the maintainers of this repository. A retry does not help.",
        ("builtins.BaseException",),
        rerun=False,
    ),
)


def explain(error: BaseException, *, changes_budgets: bool = False) -> Facts:
    """The four facts of any exception.

    :param changes_budgets: whether the task that raised it sends or settles changes of budgets.
    """
    if isinstance(error, LeadDemandError):
        return error.facts
    kind = next(kind for kind in KINDS if kind.matches(error))
    # What PostgreSQL gives as DETAIL may be a row, and rows of leads are personal data.
    said = plain(str(error).partition("\nDETAIL:")[0], LONGEST) or "no message"
    happened, todo = f"{kind.happened}: {type(error).__name__}: {said}", kind.todo
    if statement := failed(error):
        happened = f"{happened} (in {statement})"
        if kind.name == MIGRATION_MISSING and statement.adapter:
            todo = ADAPTER_FIRST.format(adapter=f"include/sql/{statement.adapter}")
    return _facts(kind, happened, todo, changes_budgets)


def explain_silence(*, changes_budgets: bool = False) -> Facts:
    """The facts of a task that failed without leaving an error: its process was killed, or never began."""
    kind = next(kind for kind in KINDS if kind.name == "TaskKilled")
    return _facts(kind, f"{kind.happened}: it left no error.", kind.todo, changes_budgets)


def _facts(kind: Kind, happened: str, todo: str, changes_budgets: bool) -> Facts:
    unchanged = UNCHANGED_BUDGETS if changes_budgets else UNCHANGED
    return Facts(kind.name, happened, unchanged, kind.heals, todo, kind.rerun)


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
