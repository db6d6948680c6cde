"""What the company's own table of leads says, with everything that forms and imports send: through the steps of
`lead_stats`, and decided on by the tasks of `lead_budgets`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lead_demand.budgets import planning
from lead_demand.planner.reasons import Reason
from lead_demand.runs import day
from sandbox.company.forms import play
from tests.fixtures.morning import Morning

BRABANT, UTRECHT = "schilder_noord_brabant", "schilder_utrecht"
YESTERDAY = day.latest_whole_day()
MONTH = day.Window(YESTERDAY - timedelta(days=29), YESTERDAY)
OF_LEADS = {"attribute_leads", "pull_leads", "upsert_lead_generation_stats", "record_lead_findings", "record_sums"}


class Desk:
    """Whoever keeps the leads: what comes in, and what `lead_stats` and `lead_budgets` make of it."""

    def __init__(self, morning: Morning, steps: Callable[..., None]) -> None:
        self.morning, self.db, self._steps = morning, morning.db, steps

    def happens(self, shape: str, *segments: str, **values: Any) -> None:
        play(self.db.owner_url, shape, segments or [UTRECHT], **values)

    def read(self) -> None:
        self._steps(MONTH, only=OF_LEADS.__contains__)

    def stats(self, code: str = UTRECHT) -> dict[str, Any]:
        """The statistics of yesterday, with the leads by source."""
        (row,) = self.db.fetch(
            "select stats.*, metrics.leads_by_source, metrics.leads_status_unknown "
            "from lead_segments as segments join lead_generation_stats as stats on segments.id = stats.segment_id "
            "join channel_metrics as metrics on segments.id = metrics.segment_id and metrics.channel = 'leads' "
            "and metrics.date = stats.date where segments.code = %s and stats.date = lead_today() - 1",
            [code],
        )
        return row

    def findings(self, name: str) -> dict[str, str]:
        """Subject and detail of the open ones."""
        return {row["subject"]: row["detail"] for row in self.morning.open_findings(name)}

    def decide(self) -> dict[str, dict[str, Any]]:
        for account in ("1234567890", "2345678901"):
            planning.read_budgets("google_ads", account, "a run")
        planning.plan("google_ads", "a run")
        return self.morning.decisions()

    def explain(self, kind: str, spelling: str, meaning: str) -> None:
        """What a person adds in Supabase, as an admin."""
        with self.db.connect("authenticated", self.db.add_user(is_admin=True)) as admin:
            admin.execute(
                "insert into lead_spellings (kind, spelling, meaning) values (%s, %s, %s)", [kind, spelling, meaning]
            )


@pytest.fixture
def desk(morning: Morning, lead_stats_steps: Callable[..., None]) -> Desk:
    return Desk(morning, lead_stats_steps)


# A status that nobody has explained


def test_a_status_that_nobody_has_explained_holds_its_segment_until_a_person_explains_it(desk: Desk) -> None:
    before = desk.stats()
    decided = (
        "select count(*) from leads where segment_id = %s and status in ('accepted', 'rejected') "
        "and (created_at at time zone 'Europe/Amsterdam')::date >= lead_today() - 28"
    )
    number = desk.db.value(decided, [before["segment_id"]])
    desk.happens("status", word="Terug gebeld", days=28)
    desk.read()
    named = desk.findings("lead_status_unknown")
    assert set(named) == {"terug-gebeld"} and f"{number} leads have the status" in named["terug-gebeld"]
    counted = "select sum(leads_status_unknown) from channel_metrics where channel = 'leads'"
    assert desk.db.value(counted) == number, "pending, and counted apart"
    decisions = desk.decide()
    held = decisions[UTRECHT]
    assert (held["action"], held["is_blocked"], held["new_budget"]) == ("hold", True, held["old_budget"])
    assert Reason.LEAD_STATUS_UNKNOWN in held["reasons"] and "nobody has explained" in held["sentence"]
    assert decisions[BRABANT]["action"] == "increase", "the others go on"

    desk.explain("status", "terug gebeld", "accepted")
    desk.read()
    assert not desk.findings("lead_status_unknown") and desk.db.value(counted) == 0
    healed = desk.decide()[UTRECHT]
    assert (healed["action"], healed["is_blocked"]) == ("decrease", False)
    assert Reason.LEAD_STATUS_UNKNOWN not in healed["reasons"]


def test_one_lead_of_an_unknown_status_is_named_and_holds_nothing(desk: Desk) -> None:
    one = (
        "update leads set status = 'Terug gebeld' where id = (select min(id) from leads where segment_id = %s "
        "and (created_at at time zone 'Europe/Amsterdam')::date = lead_today() - 5)"
    )
    desk.db.fetch(one, [desk.stats()["segment_id"]])
    desk.read()
    assert "1 leads have the status" in desk.findings("lead_status_unknown")["terug-gebeld"]
    decision = desk.decide()[UTRECHT]
    assert decision["action"] == "decrease" and Reason.LEAD_STATUS_UNKNOWN not in decision["reasons"]


# What is no lead, or comes twice


@pytest.mark.parametrize(("shape", "more"), [("invalid", 0), ("double_post", 1)])
def test_what_is_no_lead_and_what_was_posted_again_is_not_counted(desk: Desk, shape: str, more: int) -> None:
    before = desk.stats()["leads_generated"]
    desk.happens(shape)
    desk.read()
    assert desk.stats()["leads_generated"] == before + more
    assert not desk.findings("lead_status_unknown") and not desk.findings("sums_differ")


# Where a lead says that it comes from


@pytest.mark.parametrize("word", ["Google Ads", "google-ads"])
def test_google_ads_is_read_in_other_spellings(desk: Desk, word: str) -> None:
    before = desk.stats()["leads_by_source"]
    desk.happens("source", word=word, days=28)
    desk.read()
    assert desk.stats()["leads_by_source"] == before and not desk.findings("lead_source_unknown")
    assert desk.decide()[UTRECHT]["action"] == "decrease"


@pytest.mark.parametrize("word", ["", "t.co"])
def test_a_source_that_is_empty_or_unknown_is_no_google_ads_and_holds_its_segment(desk: Desk, word: str) -> None:
    desk.happens("source", word=word, days=28)
    desk.read()
    sources = desk.stats()["leads_by_source"]
    assert "google_ads" not in sources and sources["unknown"]["generated"] > 0
    assert set(desk.findings("lead_source_unknown")) == ({"t-co"} if word else set())
    assert any(UTRECHT in row["detail"] for row in desk.morning.open_findings("leads_without_source"))
    held = desk.decide()[UTRECHT]
    assert held["is_blocked"] and Reason.LEADS_WITHOUT_SOURCE in held["reasons"]
    if word:
        desk.explain("source_channel", word, "google_ads")
        desk.read()
        assert not desk.findings("lead_source_unknown")
        assert desk.decide()[UTRECHT]["action"] == "decrease"


# When and where


def test_times_without_a_zone_are_of_the_same_days(desk: Desk) -> None:
    counts = "select * from channel_metrics where channel = 'leads' order by segment_id, date"
    before = desk.db.fetch(counts)
    desk.happens("naive_times")
    desk.read()
    assert desk.db.fetch(counts) == before


@pytest.mark.parametrize("word", [None, "", "  "])
def test_a_lead_without_a_branch_belongs_to_no_segment_and_is_named(desk: Desk, word: str | None) -> None:
    before, named = desk.stats()["leads_generated"], set(desk.findings("leads_without_segment"))
    desk.happens("no_branch", word=word)
    desk.read()
    assert desk.stats()["leads_generated"] == before and not desk.findings("sums_differ")
    (found,) = set(desk.findings("leads_without_segment")) - named
    assert found == "NL, no branch, region utrecht, no postal code"


def test_a_lead_of_a_segment_that_was_deactivated_meanwhile_is_named_and_not_lost(desk: Desk) -> None:
    before, named = desk.stats()["leads_generated"], set(desk.findings("leads_without_segment"))
    desk.happens("deactivated")
    desk.read()
    assert desk.stats()["leads_generated"] == before and not desk.findings("sums_differ")
    (found,) = set(desk.findings("leads_without_segment")) - named
    assert "branch schilder, region utrecht" in found
    desk.db.fetch("update lead_segments set is_active = true where code = %s", [UTRECHT])
    desk.read()
    assert desk.stats()["leads_generated"] == before + 1
    assert found not in desk.findings("leads_without_segment")
