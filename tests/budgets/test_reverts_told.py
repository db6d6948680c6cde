"""A change that a person put back says so, wherever a day or a segment is shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lead_demand import database
from lead_demand.budgets import decisions, reverts
from lead_demand.database import sql
from local import LocalError, look, report
from tests.fixtures.morning import Morning

OUTCOMES = sql.SQL_FOLDER.parents[1] / "docs" / "how_often_right.sql"


@pytest.fixture
def put_back(ten_percent: Morning) -> dict[str, Any]:
    """The log's row of a decrease that was made, and put back by a person."""
    decisions.apply_changes("decrease", "google_ads", "made")
    row = ten_percent.log()[0]
    reverts.revert_changes(row["id"], None, "google_ads", "by hand", "marieke")
    (back,) = [other for other in ten_percent.log() if other["kind"] == "revert"]
    return row | {"back": back, "at": ten_percent.db.value(
        "select to_char(closed_at at time zone 'Europe/Amsterdam', 'HH24:MI') from channel_orchestration_log "
        "where id = %s", [back["id"]])}  # fmt: skip


def test_what_was_put_back_before_is_not_counted_as_done_now(ten_percent: Morning, put_back: dict[str, Any]) -> None:
    report = reverts.revert_changes(put_back["id"], None, "google_ads", "by hand again", "marieke")
    assert str(report) == "0 applied, 0 refused, 1 done earlier, 0 without a definite answer"
    assert f"was already reverted on {ten_percent.db.value('select lead_today()')}" in "\n".join(report.lines())


def of_day(morning: Morning, code: str, days_ago: int = 0) -> dict[str, Any]:
    day = morning.db.value("select lead_today()") - timedelta(days=days_ago)
    (row,) = [row for row in report.day_rows(morning.db.owner_url, day) if row["segment"] == code]
    return row


def test_a_day_names_who_put_a_change_back_and_when(ten_percent: Morning, put_back: dict[str, Any]) -> None:
    row = of_day(ten_percent, put_back["code"])
    assert row["became"] == f"reverted by marieke at {put_back['at']}"
    assert row["sentence"] == f"Ten per cent. Reverted by marieke at {put_back['at']}."
    others = [row for row in report.day_rows(ten_percent.db.owner_url) if row["segment"] != put_back["code"]]
    assert others and not any("reverted" in str(row["became"]) for row in others)


def test_a_change_that_is_put_back_on_a_later_day_is_named_on_both(
    ten_percent: Morning, put_back: dict[str, Any]
) -> None:
    today = ten_percent.db.value("select lead_today()")
    ten_percent.db.restore(
        "update channel_orchestration_log set decision_date = decision_date - 1 where id = %s", [put_back["id"]]
    )
    assert of_day(ten_percent, put_back["code"], 1)["became"] == f"reverted by marieke at {put_back['at']} on {today}"
    assert of_day(ten_percent, put_back["code"])["became"] == (
        f"the change of {today - timedelta(days=1)} was reverted by marieke at {put_back['at']}"
    )


def test_the_history_of_a_segment_shows_the_revert_within_a_terminal(
    ten_percent: Morning, put_back: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    look.print_history(ten_percent.db.owner_url, put_back["code"], 60)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    today = str(ten_percent.db.value("select lead_today()"))
    assert any(line.startswith(today) and f"reverted by marieke at {put_back['at']}" in line for line in lines)
    # What was not read is unknown, which is not 0.
    assert any(line.startswith(today) and "–" in line for line in lines)


def test_how_often_right_counts_what_was_put_back(ten_percent: Morning, put_back: dict[str, Any]) -> None:
    ten_percent.db.restore("update channel_orchestration_log set decision_date = decision_date - 7")
    ten_percent.db.restore("update budget_decisions set decision_date = decision_date - 7, realised_leads_7d = 3")
    today = ten_percent.db.value("select lead_today()")
    span = {"first": today - timedelta(7), "last": today - timedelta(1)}
    with database.connect() as connection:
        connection.execute(sql.render("lead_stats/upsert_outcome_weeks.sql"), span)
    rows = ten_percent.db.fetch(OUTCOMES.read_text())
    of_all = {row["action"]: row["reverted"] for row in rows if row["week"] == "all"}
    assert of_all.pop("hold") == 1 and set(of_all.values()) <= {0}


def test_a_code_or_a_day_that_is_not_there_is_answered_with_what_is_near(
    ten_percent: Morning, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, today = ten_percent.db.owner_url, ten_percent.db.value("select lead_today()")
    monkeypatch.setenv("SEGMENT", "schilder_utrech")
    with pytest.raises(LocalError, match="schilder_utrecht"):
        look.segment_asked(url)
    monkeypatch.setenv("SEGMENT", "schilder_utrecht")
    assert look.segment_asked(url) == "schilder_utrecht"
    monkeypatch.setenv("DATE", str(today - timedelta(days=3)))
    with pytest.raises(LocalError, match=f"near it: {today}"):
        look.day_asked(url)
    for wrong in ("yesterday", "2026-02-30", "26-11-2026"):
        monkeypatch.setenv("DATE", wrong)
        with pytest.raises(LocalError, match=f"DATE={wrong} is no day such as {today}"):
            look.day_asked(url)
    monkeypatch.setenv("DATE", str(today))
    assert look.day_asked(url) == today
