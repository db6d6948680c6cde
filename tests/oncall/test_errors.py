"""The kinds of error: one table for the retry, the log's last lines and the runbook."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException, AirflowTaskTimeout

from lead_demand import errors
from lead_demand.oncall import diagnosis
from lead_demand.oncall.retries import RETRY_POLICY
from tests.fixtures.postgres import LeadsDatabase

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / errors.RUNBOOK).read_text()
SECTIONS = {part.splitlines()[0].strip(): part for part in re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]}


def raised_by(database: LeadsDatabase, statement: str) -> Exception:
    """What the real driver raises for a statement of the pipeline."""
    with psycopg.connect(database.pipeline_url) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(statement)
    return caught.value


def refused_login(url: str) -> Exception:
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(url, connect_timeout=5)
    return caught.value


def test_each_kind_of_error_has_a_section_and_each_section_a_kind() -> None:
    assert sorted(SECTIONS) == sorted(diagnosis.names())
    assert len(set(diagnosis.names())) == len(diagnosis.names())


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_a_section_says_everything_that_is_needed_at_night(name: str) -> None:
    labels = re.findall(r"^- \*\*([^*]+)\.\*\* \S", SECTIONS[name], flags=re.MULTILINE)
    assert labels == ["Symptom", "Likely causes", "Check", "Fix", "Re-run"]
    kind = next((kind for kind in diagnosis.KINDS if kind.name == name), None)
    assert (kind.happened if kind else f"{name}:") in SECTIONS[name], "the symptom is not as it appears in the log"


def test_whatever_points_into_the_runbook_arrives_there() -> None:
    anchors = {name.lower() for name in SECTIONS}
    pages = [*ROOT.glob("dags/*.py"), *ROOT.glob("docs/*.md"), ROOT / "README.md"]
    for page in pages:
        wanted = re.findall(r"runbook\.md#([\w-]+)", page.read_text())
        wanted += re.findall(r"\]\(#([\w-]+)\)", page.read_text()) if page.name == "runbook.md" else []
        assert set(wanted) <= anchors, page.name
    for name in diagnosis.names():
        assert errors.Facts(name, "", "", False, "").runbook == f"docs/runbook.md#{name.lower()}"


def test_every_error_of_ours_is_raised_somewhere() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "plugins").rglob("*.py"))
    called = set(re.findall(r"(?:raise|return) (\w+)\(", code))
    ours = {name for name in diagnosis.names() if name not in {kind.name for kind in diagnosis.KINDS}}
    assert ours <= called


def test_what_the_database_says_is_told_apart(leads_db: LeadsDatabase) -> None:
    url = leads_db.pipeline_url
    found = {
        "wrong password": refused_login(re.sub(r":[^:@]+@", ":wrong@", url)),
        "no such database": refused_login(re.sub(r"/[^/?]+(\?|$)", r"/nowhere\1", url)),
        "nobody listens": refused_login(re.sub(r":\d+/", ":1/", url)),
        "no such table": raised_by(leads_db, "select * from not_migrated"),
        "no such column": raised_by(leads_db, "select not_migrated from lead_segments"),
        "no right": raised_by(leads_db, "delete from channel_orchestration_log"),
        "a rule": raised_by(leads_db, "insert into pipeline_findings (name, level, detail) values ('X', 'stop', '')"),
        "statement timeout": raised_by(
            leads_db, "set statement_timeout = 10; select count(*) from generate_series(1, 1e9)"
        ),
        "session ended": raised_by(leads_db, "select pg_terminate_backend(pg_backend_pid())"),
    }
    assert {name: diagnosis.explain(error).kind for name, error in found.items()} == {
        "wrong password": "LoginRefused",
        "no such database": "LoginRefused",
        "nobody listens": "DatabaseUnavailable",
        "no such table": "MigrationMissing",
        "no such column": "MigrationMissing",
        "no right": "DatabaseRefused",
        "a rule": "DatabaseRefused",
        "statement timeout": "TimedOut",
        "session ended": "DatabaseUnavailable",
    }


@pytest.mark.parametrize(
    ("error", "kind", "retried"),
    [
        (errors.SourceUnavailable("x"), "SourceUnavailable", True),
        (errors.ChangesUnsettled("x"), "ChangesUnsettled", True),
        (errors.SourceRefused("x"), "SourceRefused", False),
        (errors.ChangesLeftOpen("x"), "ChangesLeftOpen", False),
        (errors.UpstreamFailed("x"), "UpstreamFailed", False),
        (psycopg.OperationalError("server closed the connection unexpectedly"), "DatabaseUnavailable", True),
        (psycopg.errors.DeadlockDetected(), "DatabaseUnavailable", True),
        (psycopg.errors.ObjectNotInPrerequisiteState("not fetched today"), "DatabaseRefused", False),
        (psycopg.errors.DiskFull(), "DiskFull", True),
        (OSError(errno.ENOSPC, "No space left on device"), "DiskFull", True),
        (AirflowTaskTimeout("Timeout"), "TimedOut", True),
        (TimeoutError(), "TimedOut", True),
        (ConnectionResetError(), "ServiceUnavailable", True),
        (AirflowNotFoundException("The conn_id `leads_bd` isn't defined"), "ConnectionMissing", False),
        (MemoryError(), "TaskKilled", True),
        (AirflowException("x"), "UnexpectedError", False),
        (KeyError("a bug"), "UnexpectedError", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_the_log_and_the_retry_agree(error: BaseException, kind: str, retried: bool) -> None:
    facts = diagnosis.explain(error)
    assert (facts.kind, facts.heals) == (kind, retried)
    assert RETRY_POLICY.evaluate(error, 1, 3).action.value == ("retry" if retried else "fail")
    assert all((facts.happened, facts.unchanged, facts.todo))


def test_a_row_that_the_database_quotes_never_leaves_it() -> None:
    error = psycopg.errors.CheckViolation("new row violates\nDETAIL:  Failing row contains (jan@example.org, 1012 AB).")
    assert "jan@" not in diagnosis.explain(error).happened
