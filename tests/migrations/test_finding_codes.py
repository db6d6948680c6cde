"""20261129000000: findings that were stored before it keep their history under the codes of the reasons."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lead_demand.planner.finding_codes import WHAT_TO_DO
from tests.fixtures.postgres import LeadsDatabase
from tests.migrations.conftest import quiet
from tools.migrate import migrate
from tools.migrations import MIGRATIONS

VERSION = "20261129000000"
STORED = """
insert into pipeline_findings (
    name, level, channel, date, subject, detail, remediation, first_seen, last_seen, resolved_at
)
values (
    %(name)s, 'stop', %(channel)s, %(date)s, %(subject)s, %(detail)s, 'Do it.', %(first)s, %(last)s, %(resolved)s
)
"""
KEPT = "select name, level, subject, detail, first_seen::date::text as first, resolved_at is null as is_open, amount"


@pytest.fixture
def before(company_db: Callable[[], LeadsDatabase], tmp_path: Path) -> LeadsDatabase:
    """A database as the migrations before this one leave it."""
    database = company_db()
    for path in MIGRATIONS.glob("*.sql"):
        if path.name < VERSION:
            shutil.copy(path, tmp_path)
    migrate(database.owner_url, tmp_path, report=quiet)
    return database


def store(database: LeadsDatabase, name: str, detail: str = "As it was told.", **given: Any) -> None:
    row = {
        "level": "stop",
        "channel": "google_ads",
        "subject": "1/77",
        "date": None,
        "first": "2026-11-02",
        "last": "2026-11-20",
    }
    database.fetch(STORED, {"name": name, "detail": detail, "resolved": None} | row | given)


def kept(database: LeadsDatabase) -> list[dict[str, Any]]:
    migrate(database.owner_url, report=quiet)
    return database.fetch(f"{KEPT} from pipeline_findings order by id")


NOT_STEERED = (
    "Campaign NL of it: budget_type (x) of utrecht (7) of schilder_utrecht: {} ({}). Its budget is left alone."
)


@pytest.mark.parametrize(
    ("name", "given", "code"),
    [
        ("budget_shared", {}, "shared_budget"),
        ("segment_without_campaign", {"subject": None}, "no_campaign"),
        ("capacity_unknown", {"channel": "partner_capacity", "subject": None}, "missing_capacity"),
        ("channel_stale", {"subject": "1"}, "stale_channel"),
        ("account_not_comparable", {"detail": "It has the currency DKK (configured: EUR)."}, "currency_mismatch"),
        ("account_not_comparable", {"detail": "It has the time zone Europe/London."}, "time_zone_mismatch"),
        (
            "account_not_comparable",
            {"detail": "It has the currency DKK and the time zone Europe/London."},
            "currency_mismatch",
        ),
        ("settings_unreadable", {"channel": None, "subject": "orchestration_settings"}, "settings_missing"),
        ("settings_unreadable", {"channel": None, "subject": "capacity_confirmations"}, "settings_missing"),
        ("settings_unreadable", {"channel": None, "subject": "lead_segment_channels"}, "missing_limits"),
        ("budget_not_steered", {"detail": NOT_STEERED.format("campaign_type", "campaign type SMART")}, "campaign_type"),
        ("budget_not_steered", {"detail": NOT_STEERED.format("budget_type", "type FIXED_CPA")}, "budget_type"),
        ("sums_differ", {}, "sums_differ"),
    ],
)
def test_a_stored_finding_gets_the_code_of_the_reason_and_keeps_its_history(
    before: LeadsDatabase, name: str, given: dict[str, Any], code: str
) -> None:
    store(before, name, **given)
    store(before, name, **given | {"date": "2026-11-01", "resolved": "2026-11-21"})
    still_open, closed = kept(before)
    assert (still_open["name"], closed["name"]) == (code, code) and code in WHAT_TO_DO
    assert (still_open["is_open"], closed["is_open"]) == (True, False)
    assert still_open["first"] == closed["first"] == "2026-11-02"
    assert (still_open["amount"], closed["amount"]) == (None, None), "what was not recorded is not known"


@pytest.mark.parametrize(
    ("old", "new", "stays"),
    [
        ({"last": "2026-11-24"}, {"last": "2026-11-22"}, "of the old name"),
        ({"last": "2026-11-22"}, {"last": "2026-11-24"}, "of the new name"),
        ({"last": "2026-11-22"}, {"last": "2026-11-24", "resolved": "2026-11-25"}, "of the old name"),
        ({"last": "2026-11-24", "resolved": "2026-11-25"}, {"last": "2026-11-22"}, "of the new name"),
    ],
    ids=["seen last", "seen last, new", "open", "open, new"],
)
@pytest.mark.parametrize("older", ["old", "new"])
def test_of_two_findings_of_one_thing_one_stays_with_the_day_since_when_it_is_known(
    before: LeadsDatabase, old: dict[str, Any], new: dict[str, Any], stays: str, older: str
) -> None:
    first = {"old": "2026-11-09", "new": "2026-11-09"} | {older: "2026-11-01"}
    store(before, "budget_shared", "of the old name", first=first["old"], **old)
    store(before, "shared_budget", "of the new name", first=first["new"], **new)
    store(before, "shared_budget", "of another budget", subject="1/78")
    one, other = sorted(kept(before), key=lambda row: row["subject"])
    assert (one["name"], one["detail"], one["first"]) == ("shared_budget", stays, "2026-11-01")
    assert one["is_open"] and other["detail"] == "of another budget"


def test_a_finding_whose_code_cannot_be_told_is_closed_because_nobody_looks_for_it(before: LeadsDatabase) -> None:
    store(before, "budget_not_steered", "It is told in other words.")
    (row,) = kept(before)
    assert (row["name"], row["is_open"]) == ("budget_not_steered", False)
