"""The life of a finding: it opens, is seen again, is answered by a person, closes, and opens again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import psycopg
import pytest

from lead_demand.database.findings import Checked, Finding, record
from tests.fixtures.postgres import LeadsDatabase

DAY = date(2026, 3, 29)
WHOLE = {"first": date(2026, 3, 1), "last": date(2026, 3, 31)}


def finding(subject: str = "1/77", level: Any = "stop", **given: Any) -> Finding:
    return Finding(
        "duplicate_row", level, "It came twice.", "Repair it.", channel="google_ads", subject=subject, **given
    )


def check(db: LeadsDatabase, *found: Finding, **scope: Any) -> None:
    """One check of account 1 over a month, in a transaction of its own."""
    looked_for = Checked("duplicate_row", **({"channel": "google_ads", "account": "1"} | WHOLE | scope))
    with psycopg.connect(db.pipeline_url) as connection:
        record(connection, found, [looked_for])


def open_subjects(db: LeadsDatabase) -> list[str]:
    rows = db.fetch("select subject from pipeline_findings where resolved_at is null order by subject")
    return [row["subject"] for row in rows]


def test_what_is_no_longer_found_is_closed_and_what_comes_back_is_open_again(leads_db: LeadsDatabase) -> None:
    check(leads_db, finding("1/77", date=DAY), finding("1/78", date=DAY))
    check(leads_db, finding("1/78", date=DAY))
    assert open_subjects(leads_db) == ["1/78"]
    check(leads_db, finding("1/77", date=DAY))
    assert open_subjects(leads_db) == ["1/77"]
    first, again = leads_db.fetch("select first_seen, last_seen from pipeline_findings order by subject")
    assert first["first_seen"] < first["last_seen"], "it is known since when"
    assert again["first_seen"] <= again["last_seen"]


@pytest.mark.parametrize(
    "scope",
    [
        {"account": "2"},
        {"account": "7"},
        {"channel": "ga4"},
        {"first": date(2026, 2, 1), "last": date(2026, 2, 28)},
    ],
    ids=["another account", "an account whose name begins alike", "another channel", "other days"],
)
def test_a_check_closes_nothing_that_it_did_not_look_for(leads_db: LeadsDatabase, scope: dict[str, Any]) -> None:
    check(leads_db, finding("77/5", date=DAY), finding("1/5", evidence_date=DAY), account=None)
    check(leads_db, **({"account": None} | scope))
    assert open_subjects(leads_db) == ["1/5", "77/5"]


def test_a_finding_without_a_day_closes_once_the_newest_day_that_showed_it_was_read_again(
    leads_db: LeadsDatabase,
) -> None:
    check(leads_db, finding(evidence_date=DAY))
    check(leads_db, first=date(2025, 1, 1), last=date(2025, 1, 31))
    assert open_subjects(leads_db) == ["1/77"]
    check(leads_db)
    assert open_subjects(leads_db) == []


def test_an_older_window_does_not_overwrite_what_a_newer_one_found(leads_db: LeadsDatabase) -> None:
    check(leads_db, finding(evidence_date=DAY))
    check(leads_db, finding(evidence_date=date(2026, 3, 2)), last=date(2026, 3, 2))
    assert leads_db.value("select evidence_date from pipeline_findings") == DAY
    check(leads_db, finding(evidence_date=date(2026, 3, 2)))
    assert leads_db.value("select evidence_date from pipeline_findings") == date(2026, 3, 2), (
        "the newer day was repaired"
    )
    assert open_subjects(leads_db) == ["1/77"]


def test_one_day_that_is_read_again_does_not_overwrite_what_a_wider_window_found(leads_db: LeadsDatabase) -> None:
    def detail() -> str:
        return leads_db.value("select detail from pipeline_findings")

    wide, narrow = "10 leads in 31 days.", "1 lead on one day."
    scope = {"first": DAY, "last": DAY}
    check(leads_db, replace(finding(evidence_date=DAY), detail=wide))
    check(leads_db, replace(finding(evidence_date=DAY), detail=narrow), **scope)
    assert detail() == wide
    check(leads_db, replace(finding(evidence_date=DAY), detail="8 leads in 31 days."))
    assert detail() == "8 leads in 31 days."
    # What is newer is news, however few days show it; and what was closed begins anew.
    check(leads_db, replace(finding(evidence_date=date(2026, 4, 1)), detail=narrow), first=DAY, last=date(2026, 4, 1))
    assert detail() == narrow
    check(leads_db, first=date(2026, 1, 1), last=date(2026, 4, 1))
    assert open_subjects(leads_db) == []
    check(leads_db, replace(finding(evidence_date=DAY), detail="Again."), **scope)
    assert detail() == "Again." and open_subjects(leads_db) == ["1/77"]


def test_a_person_who_answered_a_finding_is_not_asked_again_until_it_was_closed(leads_db: LeadsDatabase) -> None:
    check(leads_db, finding())
    leads_db.fetch("update pipeline_findings set level = 'info'")
    check(leads_db, finding())
    assert leads_db.value("select level from pipeline_findings") == "info"
    check(leads_db)
    check(leads_db, finding())
    assert leads_db.value("select level from pipeline_findings") == "stop"


def test_two_checks_of_one_transaction_do_not_close_each_others_findings(leads_db: LeadsDatabase) -> None:
    looked_for = [Checked("duplicate_row", "google_ads", "1", **WHOLE)]
    with psycopg.connect(leads_db.pipeline_url) as connection:
        record(connection, [finding("1/77")], looked_for)
        record(connection, [finding("1/78")], looked_for)
    assert open_subjects(leads_db) == ["1/77", "1/78"]


def test_a_finding_that_another_run_is_writing_is_left_to_it(leads_db: LeadsDatabase) -> None:
    check(leads_db, finding("1/77"), finding("1/78"))
    with psycopg.connect(leads_db.pipeline_url) as other:
        record(other, [finding("1/78")], [])
        check(leads_db)  # waits for nobody
        assert open_subjects(leads_db) == ["1/78"]
