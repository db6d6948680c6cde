"""The SQL of the tutorial and of "Go live safely": it runs as it stands there, and does what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

from sandbox.company.load import load
from tests.fixtures.postgres import LeadsDatabase
from tests.fixtures.sandbox import Sandbox
from tools import REPOSITORY, adapters

BLOCK = re.compile(r"```sql\n(.*?)```", re.DOTALL)


def statements(page: str) -> list[str]:
    """Each statement of a page, in its order."""
    blocks = BLOCK.findall((REPOSITORY / "docs" / page).read_text())
    return [each.strip() for block in blocks for each in block.split(";") if each.strip()]


@pytest.fixture
def company(leads_db: LeadsDatabase, sandbox: Sandbox) -> Iterator[LeadsDatabase]:
    """The sandbox's company as of this morning."""
    sandbox.reset()
    load(leads_db.owner_url, sandbox.control, days=1)
    yield leads_db
    sandbox.reset()


def problems(database: LeadsDatabase) -> list[str]:
    with psycopg.connect(database.owner_url) as owner:
        return adapters.problems(owner)


def test_the_tutorial_changes_a_limit_breaks_a_right_and_repairs_it_by_what_is_printed(company: LeadsDatabase) -> None:
    limit, log, take, give = statements("tutorial.md")
    company.fetch(limit)
    (changed,) = company.fetch(log)
    assert (changed["column_name"], changed["old_value"], changed["new_value"]) == ("max_increase_pct", "20", "40")
    before = problems(company)
    company.fetch(take)
    (found,) = set(problems(company)) - set(before)
    page = (REPOSITORY / "docs" / "tutorial.md").read_text()
    assert found in page and give in found
    company.fetch(give)
    assert problems(company) == before


def test_going_live_changes_the_limits_of_its_segments_and_opens_the_dry_run(company: LeadsDatabase) -> None:
    company.fetch("update orchestration_settings set dry_run = true")
    admin = company.add_user(is_admin=True)
    rows = []
    with company.connect("authenticated", admin) as session:
        for statement in statements("go-live.md"):
            rows.append(session.execute(statement).rowcount)
            if "dry_run" in statement:
                automated = session.execute("select count(*) as n from lead_segment_channels where is_automated")
                assert automated.fetchone() == {"n": 2}
    _findings, *rest = rows
    assert len(rest) == 7 and min(rest) >= 1
    (settings,) = company.fetch("select dry_run, approval_threshold, monthly_budget from orchestration_settings")
    assert settings == {"dry_run": False, "approval_threshold": 75, "monthly_budget": 45000}


def test_an_increase_of_the_first_week_always_asks_a_person() -> None:
    first, *_ = (each for each in statements("go-live.md") if "approval_threshold" in each)
    assert "approval_threshold = 0," in first
