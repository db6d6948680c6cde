"""`make tomorrow`: the sandbox's company lives on, and whoever looks sees what budgets did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local import LocalError, passing, plain_morning, real_database, tomorrow
from sandbox.company.load import load
from sandbox.world.state import State
from tests.fixtures.airflow import use_database
from tests.fixtures.postgres import LeadsDatabase, drop_database
from tests.fixtures.sandbox import Sandbox

DAYS = 8  # one more than what is asked of a change before it is judged
FIGURES = """
select segments.code, stats.date, leads_generated, google_ads_clicks, google_ads_spend
from lead_generation_stats as stats join lead_segments as segments on stats.segment_id = segments.id
where stats.date < lead_today() - %s order by 1, 2
"""
# A limit that a person sets in between, a tenth below a budget that was left as it is, and not for its cool-down.
CAP = """
update lead_segment_channels as channels set max_daily_budget = round(held.old_budget * 0.9, 2)
from (
    select segment_id, old_budget from budget_decisions
    where
        decision_date = lead_today() and reasons[1] = 'within_dead_band'
        and not exists (
            select from channel_orchestration_log as log
            where log.segment_id = budget_decisions.segment_id and log.decision_date >= lead_today() - 2
        )
    order by segment_id limit 1
) as held
where channels.segment_id = held.segment_id and channels.channel = 'google_ads'
"""


@pytest.fixture(scope="module")
def lived(
    postgres_cluster: Any, dawn_template: str, sandbox: Sandbox
) -> Iterator[tuple[LeadsDatabase, list[dict[str, Any]]]]:
    """A company that has lived so many days, and its figures of before."""
    name = "tomorrow"
    sandbox.reset()
    postgres_cluster.create_database(name, template=dawn_template)
    db = LeadsDatabase(name, postgres_cluster.url(name))
    with pytest.MonkeyPatch.context() as patch:
        use_database(patch, db)
        before = db.fetch(FIGURES, [1])
        plain_morning.live(db.owner_url, sandbox.control, DAYS - 1)
        db.fetch(CAP)
        plain_morning.live(db.owner_url, sandbox.control)
        yield db, before
    drop_database(postgres_cluster, name)
    sandbox.reset()


def test_what_happened_before_lies_as_many_days_further_back(lived: tuple[LeadsDatabase, Any]) -> None:
    db, before = lived
    after = db.fetch(FIGURES, [DAYS + 1])
    settled = db.value("select lead_today()") - timedelta(days=20)  # later days were still being decided on
    moved = {(row["code"], row["date"] - timedelta(days=DAYS)): row for row in before}
    compared = [row for row in after if row["date"] < settled]
    assert len(compared) > 300
    for row in compared:
        same = moved[row["code"], row["date"]]
        assert row | {"date": None} == same | {"date": None}


def test_no_lead_came_twice(lived: tuple[LeadsDatabase, Any], sandbox: Sandbox) -> None:
    db, _ = lived
    assert load(db.owner_url, sandbox.control, days=40).changed == 0


def test_every_day_has_its_decisions_and_the_account_is_what_the_log_says(
    lived: tuple[LeadsDatabase, Any], sandbox: Sandbox
) -> None:
    db, _ = lived
    days = db.fetch("select decision_date, count(distinct segment_id) as n from budget_decisions group by 1 order by 1")
    assert [(db.value("select lead_today()") - row["decision_date"]).days for row in days] == list(range(DAYS, -1, -1))
    assert {row["n"] for row in days} == {db.value("select count(*) from lead_segments where is_active")}
    live = sandbox.budgets()
    for row in db.fetch(
        "select distinct on (external_id) external_id, new_value from channel_orchestration_log "
        "where status = 'success' order by external_id, decision_date desc, created_at desc"
    ):
        assert Decimal(live[row["external_id"]]) == row["new_value"] * 1_000_000, row["external_id"]


def test_the_days_after_a_change_show_the_cool_down_by_its_date_of_now(lived: tuple[LeadsDatabase, Any]) -> None:
    db, _ = lived
    told = db.fetch(
        "select decisions.sentence, changes.decision_date from budget_decisions as decisions "
        "cross join lateral (select max(decision_date) as decision_date from channel_orchestration_log as log "
        "where log.segment_id = decisions.segment_id and log.status = 'success' and log.decision_date < "
        "decisions.decision_date + (decisions.action <> 'hold')::int) as changes "
        "where decisions.reasons[1] = 'cool_down' or decisions.action <> 'hold' and exists (select "
        "from channel_orchestration_log as log where log.decision_id = decisions.id and log.status = 'success')"
    )
    # Of some weeks none is held for its cool-down; each change names its own.
    assert {row["decision_date"] for row in told} > {db.value("select lead_today()") - timedelta(days=DAYS)}
    for row in told:
        until = row["decision_date"] + timedelta(days=3)
        assert f"not before {until.day} {passing.MONTHS[until.month - 1]}," in row["sentence"]


def test_a_week_later_it_is_known_whether_a_change_helped(lived: tuple[LeadsDatabase, Any]) -> None:
    db, _ = lived
    judged = db.fetch("select distinct decision_date from budget_outcomes where came is not null and made <> 'hold'")
    assert db.value("select lead_today()") - timedelta(days=DAYS) in {row["decision_date"] for row in judged}


def test_a_limit_that_a_person_sets_holds_the_next_morning(lived: tuple[LeadsDatabase, Any]) -> None:
    db, _ = lived
    (decision,) = db.fetch(
        "select decisions.*, channels.max_daily_budget from lead_segment_channels as channels "
        "join budget_decisions as decisions using (segment_id, channel) "
        "where decision_date = lead_today() and max_daily_budget = round(old_budget * 0.9, 2)"
    )
    assert (decision["action"], decision["new_budget"]) == ("decrease", decision["max_daily_budget"])
    assert "above_cap" in decision["reasons"] and "step_limit" not in decision["reasons"]


def test_an_interrupted_move_is_ended_and_not_repeated(
    lived: tuple[LeadsDatabase, Any], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, _ = lived
    passed, _ = passing.days_passed(db.owner_url)
    oldest = db.value("select min(date) from lead_generation_stats")
    with monkeypatch.context() as patch:

        def cut(*_: Any) -> None:
            raise KeyboardInterrupt

        patch.setattr(passing, "_remember", cut)
        with pytest.raises(KeyboardInterrupt):
            passing.pass_day(db.owner_url, sandbox.control)
    assert db.value("select min(date) from lead_generation_stats") == oldest
    assert sandbox.request("GET", "/passed")["passed"] == passed + 1
    passing.pass_day(db.owner_url, sandbox.control)
    assert sandbox.request("GET", "/passed")["passed"] == passed + 1
    assert db.value("select min(date) from lead_generation_stats") == oldest - timedelta(days=1)
    # The day that was begun is ended first, and is the one that was asked for.
    plain_morning.live(db.owner_url, sandbox.control)
    assert passing.days_passed(db.owner_url) == (passed + 1, True)
    assert db.value("select count(*) > 0 from budget_decisions where decision_date = lead_today()")


@pytest.mark.parametrize("name", ["LEADS_DATABASE_URL", "AIRFLOW_CONN_GOOGLE_ADS_DEFAULT", "AIRFLOW_CONN_LEADS_DB"])
def test_nothing_of_ones_own_lives_a_day_on_demand(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for known in ("LEADS_DATABASE_URL", *real_database.STAND_IN):
        monkeypatch.delenv(known, raising=False)
    real_database.refuse_real("It moves days")
    monkeypatch.setenv(name, "postgresql://one@company.example/leads")
    with pytest.raises(LocalError, match=name):
        real_database.refuse_real("It moves days")


@pytest.mark.parametrize("asked", ["0", "-1", "two", "1.5", "9999"])
def test_days_are_a_whole_number(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYS", asked)
    with pytest.raises(LocalError, match="Nothing was changed"):
        tomorrow.days_asked()


def test_a_database_that_the_sandbox_did_not_fill_stays_as_it_is(leads_db: LeadsDatabase, sandbox: Sandbox) -> None:
    leads_db.add_segment()
    with pytest.raises(LocalError, match="not filled by the sandbox"):
        plain_morning.live(leads_db.owner_url, sandbox.control)


def test_a_database_with_an_account_of_ones_own_stays_as_it_is(leads_db: LeadsDatabase, first_morning: Sandbox) -> None:
    load(leads_db.owner_url, first_morning.control, days=1)
    leads_db.fetch(
        "insert into channel_sources (channel, account, external_id, segment_id) "
        "select 'google_ads', '9999999999', '1', id from lead_segments limit 1"
    )
    oldest = leads_db.value("select min(created_at) from leads")
    with pytest.raises(LocalError, match="9999999999"):
        plain_morning.live(leads_db.owner_url, first_morning.control)
    assert leads_db.value("select min(created_at) from leads") == oldest


@pytest.mark.parametrize(
    ("said", "earlier"),
    [
        ("Missing: 2026-03-01, 2026-01-01.", "Missing: 2026-02-28, 2025-12-31."),
        ("not before 1 December, unless", "not before 30 November, unless"),
        ("until 1 January 2027: they take", "until 31 December 2026: they take"),
        ("until 1 March.", "until 28 February."),
        ("Budget €80 → €96; 3 of 4 leads, 2026-13-45", "Budget €80 → €96; 3 of 4 leads, 2026-13-45"),
    ],
)
def test_days_within_a_text_move_too(said: str, earlier: str) -> None:
    assert passing.a_day_earlier(said, date(2026, 11, 26)) == earlier


def test_a_day_that_has_moved_is_the_same_day_of_the_sandbox(tmp_path: Path) -> None:
    state = State(tmp_path)
    today = state.today()
    state.set_budgets({state.catalogue.budgets[0].resource_name: 5_000_000}, "somebody", "web")
    before = [state.day(today - timedelta(days=back)) for back in range(1, 15)]
    leads = [state.world.leads(day).second.tolist() for day in before]
    state.pass_days(3)
    state.pass_days(3)
    after = [state.day(today - timedelta(days=back + 3)) for back in range(1, 15)]
    assert state.today() == today
    assert [day.spend_micros.tolist() for day in after] == [day.spend_micros.tolist() for day in before]
    assert [state.world.leads(day).second.tolist() for day in after] == leads
    assert [change.at.date() for change in state.changes(today - timedelta(days=3))] == [today - timedelta(days=3)]
    state.close()
    again = State(tmp_path)
    assert again.day(today - timedelta(days=4)).clicks.tolist() == before[0].clicks.tolist()
    with pytest.raises(ValueError, match="none comes back"):
        again.pass_days(2)
    again.reset()
    assert again.day(today - timedelta(days=1)).clicks.tolist() == before[0].clicks.tolist()
    assert again.changes(again.first_morning) == []
    again.close()
