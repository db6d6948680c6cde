"""docs/how-to.md: every statement runs as it stands there, as the person who would run it, and does something."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from sandbox.company.load import load
from tests.fixtures.postgres import LeadsDatabase
from tests.fixtures.sandbox import Sandbox
from tools import REPOSITORY

PAGE = REPOSITORY / "docs" / "how-to.md"
STATEMENTS = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
OF_THE_COMPANY = "-- company"


@pytest.fixture(scope="module")
def company(postgres_cluster: object, leads_template: str, sandbox: Sandbox) -> Iterator[LeadsDatabase]:
    """The sandbox's company as of this morning, with a finding."""
    name = "how_to"
    sandbox.reset()
    postgres_cluster.create_database(name, template=leads_template)  # type: ignore[attr-defined]
    db = LeadsDatabase(name, postgres_cluster.url(name))  # type: ignore[attr-defined]
    load(db.owner_url, sandbox.control, days=1)
    db.fetch("insert into pipeline_findings (name, level, detail) values ('source_without_segment', 'warn', 'Seen.')")
    yield db
    sandbox.reset()


def test_every_common_act_has_its_statement() -> None:
    assert len(STATEMENTS) >= 18
    tables = {found for text in STATEMENTS for found in re.findall(r"(?:update|into|from) (\w+)", text)}
    assert tables >= {
        "lead_segment_limits",
        "lead_segment_channels",
        "lead_branch_channels",
        "month_pace_of_segments",
        "month_pace_of_branches",
        "lead_spellings",
        "channel_zero_days",
        "orchestration_settings",
        "lead_segment_plans",
        "partner_capacity",
    }


@pytest.fixture(scope="module")
def done(company: LeadsDatabase) -> dict[str, int]:
    """How many rows each statement gave or changed, in the order of the page, as an admin."""
    admin = company.add_user(is_admin=True)
    rows = {}
    for text in STATEMENTS:
        who = {} if text.startswith(OF_THE_COMPANY) else {"role": "authenticated", "claims": admin}
        with company.connect(**who) as connection:
            rows[text] = connection.execute(text).rowcount
    return rows


def test_each_statement_of_the_page_does_something(done: dict[str, int]) -> None:
    assert len(done) == len(STATEMENTS)
    assert [text for text, rows in done.items() if rows < 1] == []


def test_the_page_leaves_the_planner_its_target_and_the_limits_their_author(
    company: LeadsDatabase, done: dict[str, int]
) -> None:
    plan = company.fetch("select target_source, target_leads_per_day from lead_segment_plans where date > lead_today()")
    assert plan == [{"target_source": "planner", "target_leads_per_day": None}]
    (limits,) = company.fetch("select * from lead_segment_limits where code = 'schilder_utrecht'")
    assert (limits["min_daily_budget"], limits["max_daily_budget"], limits["cooldown_days"]) == (40, 200, 3)
    assert (limits["changed"], limits["changed_from"], limits["changed_to"]) == ("is_automated", "true", "false")
    user = company.value("select id::text from profiles where is_admin")
    assert (limits["monthly_budget"], limits["branch_monthly_budget"]) == (2500, 12000)
    assert limits["changed_by"] == user and limits["changed_at"] is not None
