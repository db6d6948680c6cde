"""What the documentation tells a reader to type exists."""

from __future__ import annotations

import inspect
import json
import re
import shlex
from importlib import import_module

import pytest
from airflow.sdk import Connection

from lead_demand.oncall import diagnosis
from tools import REPOSITORY, docs

PAGES = [*sorted((REPOSITORY / "docs").rglob("*.md")), *sorted(REPOSITORY.glob("*.md"))]
MAKEFILE = (REPOSITORY / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
GIVEN = set(re.findall(r"^([A-Z_]+) \?=", MAKEFILE, flags=re.MULTILINE))
TYPED = re.compile(r"(?:^|`)(?:[A-Z_]+=\S+ )*make ([a-z-]+)((?: [A-Z_]+=)?)", flags=re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_make_command_of_a_page_is_a_target_with_what_it_is_given(page: object) -> None:
    for target, variable in TYPED.findall(page.read_text()):  # type: ignore[attr-defined]
        assert target in TARGETS, target
        assert variable.strip(" =") in GIVEN | {""}, f"make {target}{variable}"


def test_the_pages_do_name_commands() -> None:
    typed = {target for page in PAGES for target, _ in TYPED.findall(page.read_text())}
    assert {"run", "tomorrow", "history", "migrate", "psql", "docs", "sbom", "lint"} <= typed


def test_every_target_is_on_the_page_of_commands_with_its_comment() -> None:
    rows = re.findall(r"^\| `make ([a-z-]+)` \| (.+) \|$", docs.commands_page(), flags=re.MULTILINE)
    internal = {"check-code"}  # a part of two others, of no use to a person
    assert {name for name, _ in rows} == TARGETS - internal
    assert all(meaning.strip() for _, meaning in rows)


def test_every_error_is_on_the_page_of_errors_as_the_log_says_it() -> None:
    page = docs.errors_page()
    rows = {row.split("[")[1].split("]")[0]: row for row in page.splitlines() if row.startswith("| [")}
    assert list(rows) == diagnosis.names()
    assert {row.count(" | ") for row in rows.values()} == {4}
    for kind in diagnosis.KINDS:
        assert f"| {'yes' if kind.heals else 'no'} | {kind.todo} |" in rows[kind.name]
        assert f"(runbook.md#{kind.name.lower()})" in rows[kind.name]


def test_the_tutorial_quotes_the_failed_log_as_it_is() -> None:
    tutorial = (REPOSITORY / "docs" / "tutorial.md").read_text()
    (refused,) = (kind for kind in diagnosis.KINDS if kind.name == "DatabaseRefused")
    assert f"What happened: {refused.happened}: " in tutorial
    assert f"What was not changed: {diagnosis.UNCHANGED}\n" in tutorial
    assert f"What to do: {refused.todo} " in tutorial and not refused.heals
    assert "docs/runbook.md#databaserefused" in tutorial


def test_the_example_of_a_connection_is_one_that_airflow_reads() -> None:
    page = (REPOSITORY / "docs" / "secrets.md").read_text()
    (line,) = re.findall(r"^AIRFLOW_CONN_LEADS_DB=(.*)$", page, flags=re.MULTILINE)
    (value,) = shlex.split(line)
    made = Connection.from_json(value, conn_id="leads_db")
    assert (made.conn_type, made.port, made.extra_dejson) == ("postgres", 6543, {"prepare_threshold": None})


def test_the_secrets_backend_that_is_locked_has_that_name_and_those_parameters() -> None:
    page = (REPOSITORY / "docs" / "secrets.md").read_text()
    (name, given) = re.findall(
        r"^AIRFLOW__SECRETS__BACKEND=(airflow\.providers\.google\S+)\nAIRFLOW__SECRETS__BACKEND_KWARGS=(.*)$",
        page,
        flags=re.MULTILINE,
    )[0]
    module, _, kind = name.rpartition(".")
    taken = inspect.signature(getattr(import_module(module), kind)).parameters
    assert json.loads(given).keys() <= taken.keys()
