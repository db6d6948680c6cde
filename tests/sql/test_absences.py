"""Absences that partners announced, from the adapter to the day's row: who is away is known, and nobody left."""

from __future__ import annotations

import shutil
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from lead_demand.database import sql
from lead_demand.runs import day
from tests.fixtures.postgres import LeadsDatabase
from tests.fixtures.steps import execute_step
from tests.sql.statements import window

STEPS = (
    "lead_stats/upsert_channel_metrics_leads.sql",
    "lead_stats/upsert_channel_metrics_partner_capacity.sql",
    "lead_stats/insert_pipeline_findings_capacity.sql",
    "lead_stats/upsert_channel_totals_partner_capacity.sql",
    "lead_stats/upsert_lead_generation_stats.sql",
)
ADAPTER = "sources/partner_capacity.sql"
READ = "with {% include 'reading/partner_capacity.sql' %} read as (select * from offered) select * from read"
Absence = tuple[int | None, int | None]  # in days from today on


class Painters:
    """A segment with two partners, of 4 and of 6 leads per day."""

    def __init__(self, db: LeadsDatabase) -> None:
        self.db = db
        self.segment = db.add_segment()
        db.fetch("insert into partners (id, name, branch, region) select n, 'Jansen', 'schilder', 'utrecht' from "
                 "unnest(array[1, 2]) as n")  # fmt: skip
        db.fetch("insert into partner_capacity (partner_id, branch, region, daily_leads) values "
                 "(1, 'schilder', 'utrecht', 4), (2, 'schilder', 'utrecht', 6)")  # fmt: skip
        db.fetch("grant select on partners, partner_capacity to lead_pipeline")

    def away(self, *absences: Absence, partner: int = 1) -> None:
        """The partner's absences; each but the first is a row of its own, in another spelling of the region."""
        self.db.fetch("delete from partner_capacity where partner_id = %s", [partner])
        for number, (first, last) in enumerate(absences):
            self.db.fetch(
                "insert into partner_capacity values (%s, 'NL', 'schilder', %s, %s, "
                "lead_today() + %s::int, lead_today() + %s::int)",
                [partner, "utrecht" + " " * number, {1: 4, 2: 6}[partner], first, last],
            )

    def written(self, absent_from: str | None, absent_to: str | None, of_type: str = "text") -> None:
        for name, text in (("absent_from", absent_from), ("absent_to", absent_to)):
            self.db.fetch(f"alter table partner_capacity alter column {name} type {of_type} using null")
            self.db.fetch(f"update partner_capacity set {name} = %s::{of_type} where partner_id = 1", [text])

    def read(self) -> dict[str, Any]:
        """The day's row, after the statements of lead_stats for yesterday, as the pipeline."""
        values = window(self.db.value("select lead_today()"), 1)
        with psycopg.connect(self.db.pipeline_url, row_factory=dict_row) as connection:
            for step in STEPS:
                execute_step(connection, step, values)
        return self.db.fetch("select * from lead_generation_stats where date = lead_today() - 1")[0]

    def capacity(self) -> tuple[int | None, int | None, Decimal | None, int | None]:
        """Leads taken today, away today, away on the mean of the week, and the last day of that from today on."""
        row = self.read()
        until = row["capacity_absent_until"]
        week = row["capacity_absent_week"]
        return (
            row["capacity_total_leads"],
            row["capacity_absent_leads"],
            week if week is None else round(week, 2),
            until and (until - self.db.value("select lead_today()")).days,
        )

    def findings(self) -> list[dict[str, Any]]:
        return self.db.fetch(
            "select * from pipeline_findings where name = 'absence_impossible' and resolved_at is null order by subject"
        )


@pytest.fixture
def painters(leads_db: LeadsDatabase) -> Painters:
    return Painters(leads_db)


def share(days: int, leads: int = 4) -> Decimal:
    return round(Decimal(leads * days) / 7, 2)


@pytest.mark.parametrize(
    ("absences", "taken", "away", "week", "until"),
    [
        pytest.param([(None, None)], 10, None, None, None, id="none"),
        pytest.param([(0, 0)], 6, 4, share(1), 0, id="today alone"),
        pytest.param([(3, 4)], 10, 0, share(2), 4, id="two days of the week"),
        pytest.param([(-3, 1)], 6, 4, share(2), 1, id="the end of one"),
        pytest.param([(5, 40)], 10, 0, share(2), 40, id="the beginning of a long one"),
        pytest.param([(-90, 90)], 6, 4, share(7), 90, id="longer than the week"),
        pytest.param([(2, None)], 10, 0, share(5), None, id="until further notice"),
        pytest.param([(-9, -1)], 10, None, None, None, id="over"),
        pytest.param([(7, 20)], 10, None, None, None, id="after the week"),
        pytest.param([(0, 2), (5, 5)], 6, 4, share(4), 5, id="two"),
        pytest.param([(1, 3), (2, 5)], 10, 0, share(5), 5, id="two that overlap"),
        pytest.param([(-20, -10), (1, 1), (30, 40)], 10, 0, share(1), 1, id="one of many"),
        pytest.param([(None, None), (0, 6)], 6, 4, share(7), 6, id="in one of two rows"),
    ],
)
def test_an_absence_is_taken_out_of_today_and_of_the_week(
    painters: Painters, absences: list[Absence], taken: int, away: int | None, week: Decimal | None, until: int | None
) -> None:
    painters.away(*absences)
    assert painters.capacity() == (taken, away, week, until)
    assert not painters.findings()


def test_all_partners_away_is_no_segment_without_partners_and_no_source_that_failed(painters: Painters) -> None:
    painters.away((0, 9))
    painters.away((0, None), partner=2)
    assert painters.capacity() == (0, 10, Decimal(10), None)
    assert painters.read()["capacity_partners"] == 2
    assert painters.db.fetch("select * from pipeline_findings") == []


def test_a_partner_of_unknown_capacity_stays_unknown_while_away(painters: Painters) -> None:
    painters.db.fetch("alter table partner_capacity alter daily_leads drop not null")
    painters.away((0, 9))
    painters.db.fetch("update partner_capacity set daily_leads = null where partner_id = 1")
    assert painters.capacity() == (None, None, None, None)


def test_an_absence_that_is_withdrawn_is_gone_with_the_next_reading(painters: Painters) -> None:
    painters.away((0, 9))
    assert painters.capacity()[0] == 6
    painters.away((None, None))
    assert painters.capacity() == (10, None, None, None)


@pytest.mark.parametrize("absences", [[(0, 3)], [(-3, 0), (2, 4)], [(2, 4)]])
def test_capacity_adds_up_with_what_is_away(painters: Painters, absences: list[Absence]) -> None:
    painters.away(*absences)
    taken = painters.capacity()[0]
    (total,) = painters.db.fetch("select * from channel_totals where channel = 'partner_capacity'")
    assert (total["in_segments"], total["difference"]) == (taken, 0)


# What partners' forms write -------------------------------------------------------------------------------------------


def at(days: int) -> str:
    """Midnight in Amsterdam, in days from today on, as a form in the browser sends it."""
    today = day.today() + timedelta(days=days)
    return datetime(today.year, today.month, today.day, tzinfo=day.AMSTERDAM).isoformat()


@pytest.mark.parametrize("of_type", ["timestamptz", "timestamp", "text", "date"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_a_moment_counts_as_its_day_in_amsterdam_whatever_the_session(
    painters: Painters, of_type: str, zone: str
) -> None:
    painters.db.fetch(f"alter role lead_pipeline set timezone = '{zone}'")
    painters.written(at(0), at(2), of_type)
    assert painters.capacity() == (6, 4, share(3), 2)


@pytest.mark.parametrize("on", [date(2026, 3, 29), date(2026, 10, 25), date(2028, 2, 29)])
def test_a_day_of_23_or_25_hours_is_a_day(painters: Painters, on: date) -> None:
    painters.db.fetch(
        "alter table partner_capacity alter absent_from type timestamptz, alter absent_to type timestamptz"
    )
    with painters.db.connect() as owner:
        owner.execute("set timezone = 'Europe/Amsterdam'")
        owner.execute(
            "update partner_capacity set absent_from = %s::date, absent_to = %s::date + time '23:59'", [on, on]
        )
        owner.execute("set timezone = 'UTC'")
        read = owner.execute(sql._environment(sql.SQL_FOLDER).from_string(READ).render()).fetchone()
    assert read and (read["absent_from"], read["absent_to"]) == (on, on)


@pytest.mark.parametrize(("absent_to", "until"), [("infinity", None), ("", None), ("9999-12-31", date(9999, 12, 31))])
def test_an_end_that_never_comes_is_until_further_notice(
    painters: Painters, absent_to: str, until: date | None
) -> None:
    painters.written(at(0), absent_to)
    row = painters.read()
    assert (row["capacity_total_leads"], row["capacity_absent_until"]) == (6, until)


@pytest.mark.advice("absence_impossible")
@pytest.mark.parametrize(
    ("absent_from", "absent_to"),
    [(3, 1), (0, -1), (None, 2), ("2026-02-31", None), (0, "next week"), ("20260-12-01", "")],
    ids=["the end first", "it ended yesterday", "no beginning", "no such day", "in words", "a digit too many"],
)
def test_an_absence_that_cannot_be_is_ignored_and_named_until_it_is_corrected(
    painters: Painters, absent_from: int | str | None, absent_to: int | str | None
) -> None:
    painters.written(*(at(each) if isinstance(each, int) else each for each in (absent_from, absent_to)))
    assert painters.capacity() == (10, None, None, None)
    (found,) = painters.findings()
    assert (found["level"], found["subject"], found["segment_id"]) == ("warn", "partner 1", painters.segment)
    assert "that was ignored, and its capacity counts" in found["detail"]
    assert "week" not in found["detail"], "what a person wrote is not repeated"
    assert "Correct its absent_from and absent_to, or empty both" in found["remediation"]
    painters.written(at(3), at(3))
    assert painters.capacity() == (10, 0, share(1), 3)
    assert not painters.findings(), "the advice closes it"


def test_a_wrong_absence_of_the_past_is_nobodys_work(painters: Painters) -> None:
    painters.away((-9, -20))
    assert painters.capacity()[1] is None and not painters.findings()


def test_of_two_absences_the_one_that_can_be_counts(painters: Painters) -> None:
    painters.away((5, 3), (0, 1))
    assert painters.capacity() == (6, 4, share(2), 1)
    assert len(painters.findings()) == 1


# Adapters of a company ------------------------------------------------------------------------------------------------


def adapter(monkeypatch: pytest.MonkeyPatch, folder: Path, old: str, new: str) -> None:
    """The adapter of a company that wrote something else."""
    shutil.copytree(sql.SQL_FOLDER, folder / "sql")
    text = (folder / "sql" / ADAPTER).read_text()
    assert old in text
    (folder / "sql" / ADAPTER).write_text(text.replace(old, new))
    monkeypatch.setattr(sql, "SQL_FOLDER", folder / "sql")


@pytest.mark.parametrize(
    "columns",
    ["", ",\n    null::date as absent_from,\n    null::date as absent_to", ",\n    null::date as absent_to"],
    ids=["written before", "none", "half of them"],
)
def test_an_adapter_without_absences_works_as_before(
    painters: Painters, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, columns: str
) -> None:
    painters.away((0, 9))
    ours = ",\n    partner_capacity.absent_from,\n    partner_capacity.absent_to"
    adapter(monkeypatch, tmp_path, ours, columns)
    assert painters.capacity() == (10, None, None, None) and not painters.findings()


def test_absences_in_a_table_of_their_own_are_several_rows_of_a_partner(
    painters: Painters, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    painters.db.fetch("create table holidays (partner_id bigint, absent_from date, absent_to date)")
    painters.db.fetch(
        "insert into holidays select 1, lead_today() + n, lead_today() + n + 1 from unnest(array[0, 1, 5]) as n"
    )
    painters.db.fetch("grant select on holidays to lead_pipeline")
    adapter(monkeypatch, tmp_path, "partner_capacity.absent", "holidays.absent")
    text = (sql.SQL_FOLDER / ADAPTER).read_text()
    joined = text.replace("where partners", "left join holidays on partners.id = holidays.partner_id\nwhere partners")
    (sql.SQL_FOLDER / ADAPTER).write_text(joined)
    assert painters.capacity() == (6, 4, share(5), 6)
    (total,) = painters.db.fetch("select * from channel_totals where channel = 'partner_capacity'")
    assert (total["in_segments"], total["difference"]) == (6, 0)
