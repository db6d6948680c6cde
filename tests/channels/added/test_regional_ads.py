"""A second paid channel: another API, other names, another unit. It is read, planned, changed, settled and reverted by
the code that does so for Google Ads.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from lead_demand import database
from lead_demand.budgets import decisions, planning, protocol, reverts, settling
from lead_demand.channels.pull import pull
from lead_demand.database import sql
from lead_demand.errors import ChangesFailed, ChangesUnsettled
from tests.channels.added.conftest import BUDGET, CAMPAIGN, DAYS, PAPER, WINDOW, YESTERDAY, Company

CHANNEL, RUN = "regional_ads", "a run"


@pytest.fixture
def decided(company: Company, lead_stats_steps: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The morning up to the decision of the one segment."""
    monkeypatch.setattr(protocol, "SETTLE_DELAYS", (0.05, 0.05))
    pull(CHANNEL, PAPER, WINDOW, RUN)
    lead_stats_steps(WINDOW)
    assert planning.read_budgets(CHANNEL, PAPER, RUN) == 1
    assert planning.plan(CHANNEL, RUN).evaluated == 1
    (decision,) = company.db.fetch("select * from budget_decisions")
    return decision


def log_rows(company: Company) -> list[dict[str, Any]]:
    return company.db.fetch("select * from channel_orchestration_log order by created_at")


def test_its_spend_is_pulled_and_adds_up(company: Company) -> None:
    pull(CHANNEL, PAPER, WINDOW, RUN)
    kept = company.metrics(CHANNEL)
    assert len(kept) == DAYS and kept[0]["spend"] == 59 and kept[0]["impressions"] is None
    assert [row["daily_budget"] for row in kept[-2:]] == [None, 60], "the budget in force is known of yesterday"
    assert not company.db.fetch("select * from pipeline_findings")
    whole = company.db.fetch("select distinct reported - in_segments as missing from channel_totals")
    assert whole == [{"missing": 0}]


def test_a_segment_that_has_only_this_channel_is_decided_on_its_own_leads_and_spend(
    company: Company, decided: dict[str, Any]
) -> None:
    assert (decided["channel"], decided["action"], decided["is_blocked"]) == (CHANNEL, "increase", False)
    assert (decided["old_budget"], decided["new_budget"]) == (60, 72), "a full step of 20%"
    assert decided["inputs"]["estimate"]["recent_spend"] > 59, "the spend is that of the channel"
    # The file of the other channel was not read: that is told, and holds nothing.
    open_findings = company.db.fetch("select name, channel, level from pipeline_findings where resolved_at is null")
    assert open_findings == [{"name": "stale_channel", "channel": "local_directory", "level": "warn"}]


def test_a_day_on_which_the_service_gave_nothing_holds_the_budget(
    company: Company, lead_stats_steps: Callable[..., None]
) -> None:
    del company.paper.figures[CAMPAIGN, str(YESTERDAY)]
    pull(CHANNEL, PAPER, WINDOW, RUN)
    lead_stats_steps(WINDOW)
    planning.read_budgets(CHANNEL, PAPER, RUN)
    planning.plan(CHANNEL, RUN)
    (decision,) = company.db.fetch("select * from budget_decisions")
    assert (decision["action"], decision["is_blocked"], decision["reasons"]) == ("hold", True, ["missing_spend"])
    assert [row["channel"] for row in company.findings("day_without_rows")] == [CHANNEL]


def test_a_decision_is_changed_at_the_service_and_put_back(company: Company, decided: dict[str, Any]) -> None:
    decisions.apply_changes("increase", CHANNEL, RUN)
    assert company.paper.amounts == {BUDGET: 72} and company.paper.writes == [{BUDGET: "72"}]
    (claim,) = log_rows(company)
    assert (claim["status"], claim["channel"], claim["new_value"]) == ("success", CHANNEL, 72)
    assert claim["request_id"] == "paper-1"
    plan = company.db.fetch("select orchestration_status, actual_daily_budget_google_ads from lead_segment_plans")
    assert plan == [{"orchestration_status": "applied", "actual_daily_budget_google_ads": 72}]

    with database.connect() as connection:
        shown = sql.read_rows(connection, sql.render("lead_budgets/select_report.sql"), {"channel": CHANNEL})
    assert [(row["old_budget"], row["new_budget"], row["outcome"]) for row in shown] == [(60, 72, "applied")]

    reverts.revert_changes(claim["id"], None, CHANNEL, "a revert", "anke")
    assert company.paper.amounts == {BUDGET: 60}
    (_, back) = log_rows(company)
    assert (back["status"], back["action_type"], back["decided_by"]) == ("success", "budget_revert", "anke")


def test_a_change_whose_answer_was_lost_is_settled_when_the_service_is_back(
    company: Company, decided: dict[str, Any]
) -> None:
    company.paper.mode = "mute"
    with pytest.raises(ChangesUnsettled):
        decisions.apply_changes("increase", CHANNEL, RUN)
    assert [row["status"] for row in log_rows(company)] == ["pending"]
    company.paper.mode = "well"
    settling.settle_open_changes(CHANNEL)
    (claim,) = log_rows(company)
    assert (claim["status"], claim["error_detail"]) == ("success", "found in force when read back")
    assert len(company.paper.writes) == 1, "it was sent once"


def test_a_definite_no_is_told_and_changes_nothing(company: Company, decided: dict[str, Any]) -> None:
    company.paper.mode = "strict"
    with pytest.raises(ChangesFailed):
        decisions.apply_changes("increase", CHANNEL, RUN)
    (claim,) = log_rows(company)
    assert (claim["error_code"], claim["error_detail"]) == ("refused", "no amount is accepted today")
    assert company.paper.amounts == {BUDGET: 60}


def test_a_hand_that_was_faster_is_told_and_left_alone(company: Company, decided: dict[str, Any]) -> None:
    company.paper.set(BUDGET, Decimal(65), "editor@paper.example")
    with pytest.raises(ChangesFailed):
        decisions.apply_changes("increase", CHANNEL, RUN)
    (claim,) = log_rows(company)
    assert claim["error_code"] == "changed_by_somebody_else" and "editor@paper.example" in claim["error_detail"]
    assert company.paper.amounts == {BUDGET: 65} and company.paper.writes == []
