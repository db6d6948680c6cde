"""One cause, one code, one text: what a finding is called and says to do is what the hold is called and says."""

from __future__ import annotations

import re
import string
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lead_demand import database
from lead_demand.budgets import planning, segments
from lead_demand.channels import registry
from lead_demand.channels.paid import NOT_STEERABLE
from lead_demand.planner.finding_codes import WHAT_TO_DO, FindingCode, what_to_do
from lead_demand.planner.reasons import Reason
from lead_demand.planner.refusals import Refusal
from lead_demand.planner.settings import LATELY, PlannerSettings
from lead_demand.runs import day
from tests.findings.test_advice import named_in_python, named_in_sql
from tests.fixtures.findings import BOUND
from tests.fixtures.morning import Morning
from tests.fixtures.steps import execute_step

PAINTERS, ROOFERS = "1234567890", "2345678901"
UTRECHT, OF_UTRECHT = f"customers/{PAINTERS}/campaigns/20000001002", f"customers/{PAINTERS}/campaignBudgets/30000002002"
OF_NOORD_BRABANT = f"customers/{PAINTERS}/campaignBudgets/30000002001"
BY_GOOGLE: dict[str, Any] = {"user": None}
TABLES = (Reason, Refusal, FindingCode)


def test_every_finding_has_a_code_of_one_of_the_tables_and_no_code_is_in_two() -> None:
    assert {*named_in_sql(), *named_in_python()} <= WHAT_TO_DO.keys()
    assert sum(len(list(table)) for table in TABLES) == len(WHAT_TO_DO), "a code is in one table"


def test_no_statement_and_no_module_types_what_to_do_but_the_tables() -> None:
    root = Path(__file__).resolve().parents[2]
    for path in (root / "include" / "sql").rglob("insert_pipeline_findings*.sql"):
        text = path.read_text()
        found = re.findall(r"%\(advice\)s::jsonb ->> (?:'([a-z_]+)'|[a-z_.]+)", text)
        assert found and set(filter(None, found)) <= WHAT_TO_DO.keys(), path.name
        assert not re.search(r"'[^'\n]*\b(?:then clear|start lead_\w+ again)\b", text), f"{path.name} types its own"


def test_a_text_asks_for_no_fact_that_a_reason_of_a_decision_could_not_give() -> None:
    facts = {
        code: [name for _, name, _, _ in string.Formatter().parse(text) if name] for code, text in WHAT_TO_DO.items()
    }
    assert not [code for table in (Reason, Refusal) for code in table if facts[code]]
    with pytest.raises(KeyError):
        what_to_do(FindingCode.DUPLICATE_ROW)


def test_numbers_in_the_meanings_of_reasons_are_those_of_the_settings() -> None:
    used = PlannerSettings
    for reason, number in {
        Reason.LEADS_WITHOUT_SOURCE: f"{used.max_share_without_source:.0%}",
        Reason.LEAD_STATUS_UNKNOWN: f"{used.max_share_of_unknown_status:.0%}",
        Reason.NOT_BUDGET_LIMITED: f"{used.least_lost:.0%}",
        Reason.CAPACITY_MOVED: f"{used.capacity_move:.0%}",
        Reason.MISSING_DAYS: f"last {LATELY} days",
    }.items():
        assert number in reason.meaning
    source = (Path(__file__).resolve().parents[2] / "plugins/lead_demand/planner/reasons.py").read_text()
    texts = re.sub(r"\{[^}]*\}", "", source)
    assert re.findall(r"[0-9]+ ?%", texts) == ["100%"], "of a decrease, which is no setting"


def shared(morning: Morning) -> None:
    morning.sandbox.edit(UTRECHT, campaign_budget=OF_NOORD_BRABANT)


def without_campaign(morning: Morning) -> None:
    morning.db.fetch("update channel_sources set is_active = false where external_id = '20000001002'")


def other_currency(morning: Morning) -> None:
    morning.sandbox.edit(f"customers/{PAINTERS}", **BY_GOOGLE, currency_code="DKK")


def other_time_zone(morning: Morning) -> None:
    morning.sandbox.edit(f"customers/{PAINTERS}", **BY_GOOGLE, time_zone="Europe/London")


def of_another_type(morning: Morning) -> None:
    morning.sandbox.edit(UTRECHT, **BY_GOOGLE, advertising_channel_type="SMART")


def another_budget_type(morning: Morning) -> None:
    morning.sandbox.edit(OF_UTRECHT, **BY_GOOGLE, delivery_method="ACCELERATED")


def not_eligible(morning: Morning) -> None:
    morning.sandbox.edit(UTRECHT, **BY_GOOGLE, primary_status="NOT_ELIGIBLE")


def state_unknown(morning: Morning) -> None:
    morning.sandbox.edit(UTRECHT, **BY_GOOGLE, primary_status="UNKNOWN")


def experiment(morning: Morning) -> None:
    morning.sandbox.edit(UTRECHT, **BY_GOOGLE, experiment_type="EXPERIMENT")


def total_budget(morning: Morning) -> None:
    total = {"period": "CUSTOM_PERIOD", "total_amount_micros": 30 * 140_000_000, "amount_micros": 0}
    morning.sandbox.edit(OF_UTRECHT, **BY_GOOGLE, **total)


def settings_unreadable(morning: Morning) -> None:
    with morning.db.connect() as owner:
        owner.execute("alter table orchestration_settings rename column currency to currency_renamed")


def limits_unreadable(morning: Morning) -> None:
    with morning.db.connect() as owner:
        owner.execute("alter table lead_segment_channels rename column min_daily_budget to least")


def not_fetched(morning: Morning) -> None:
    morning.db.fetch("update channel_fetches set date_to = date_to - 1 where channel = 'google_ads'")


def capacity_not_entered(morning: Morning) -> None:
    morning.db.fetch("alter table partner_capacity alter daily_leads drop not null")
    morning.db.fetch("update partner_capacity set daily_leads = null where lower(region) like '%utrecht%'")


def capacity_leaps(morning: Morning) -> None:
    morning.db.fetch(
        "update lead_generation_stats set capacity_total_leads = 5 from lead_segments where segment_id = id "
        "and code = 'schilder_utrecht' and date < lead_today() - 1"
    )
    morning.db.fetch("update partner_capacity set daily_leads = 99999 where lower(region) like '%utrecht%'")


def sums_wrong(morning: Morning) -> None:
    morning.db.fetch(
        "update channel_totals set reported = reported + 50 where channel = 'google_ads' and metric = 'spend' "
        "and date = lead_today() - 1"
    )


def strange_status(morning: Morning) -> None:
    morning.db.fetch("update leads set status = 'gebeld' where created_at > now() - interval '20 days'")


def without_source(morning: Morning) -> None:
    morning.db.fetch("update leads set source_channel = null where created_at > now() - interval '20 days'")


CAUSES = {
    Reason.SHARED_BUDGET: shared,
    Reason.NO_CAMPAIGN: without_campaign,
    Reason.CURRENCY_MISMATCH: other_currency,
    Reason.TIME_ZONE_MISMATCH: other_time_zone,
    Reason.CAMPAIGN_TYPE: of_another_type,
    Reason.BUDGET_TYPE: another_budget_type,
    Reason.CAMPAIGN_NOT_ELIGIBLE: not_eligible,
    Reason.CAMPAIGN_STATE_UNKNOWN: state_unknown,
    Reason.CAMPAIGN_EXPERIMENT: experiment,
    Reason.CAMPAIGN_TOTAL_BUDGET: total_budget,
    Reason.SETTINGS_MISSING: settings_unreadable,
    Reason.MISSING_LIMITS: limits_unreadable,
    Reason.STALE_CHANNEL: not_fetched,
    Reason.MISSING_CAPACITY: capacity_not_entered,
    Reason.CAPACITY_LEAP: capacity_leaps,
    Reason.SUMS_DIFFER: sums_wrong,
    Reason.LEAD_STATUS_UNKNOWN: strange_status,
    Reason.LEADS_WITHOUT_SOURCE: without_source,
}
# Found by the change history; tests/budgets/test_history.py has both as hold and as finding.
OF_THE_HISTORY = {Reason.CHANGE_NOT_LOGGED, Reason.CHANGE_NOT_IN_HISTORY}
# What lead_stats writes and finds of the company's tables, in its order.
STEPS = (
    "upsert_channel_metrics_leads",
    "upsert_channel_metrics_partner_capacity",
    "upsert_lead_generation_stats",
    "insert_pipeline_findings",
    "insert_pipeline_findings_capacity",
    "insert_pipeline_findings_channels",
    "insert_pipeline_findings_leads",
    "insert_pipeline_findings_sums",
)


def test_every_code_that_both_a_hold_and_a_finding_may_have_is_tried() -> None:
    both = {Reason(name) for name in {*named_in_sql(), *named_in_python()} & set(Reason)}
    assert both == CAUSES.keys() | OF_THE_HISTORY and both >= {*NOT_STEERABLE, *segments.UNREADABLE.values()}


def happens(morning: Morning, cause: Reason) -> list[dict[str, Any]]:
    """The findings of that code that are open after it and were not before, once both DAGs have looked."""
    before = {row["id"] for row in morning.open_findings(cause)}
    CAUSES[cause](morning)
    yesterday = day.latest_whole_day()
    values = {"first": yesterday - timedelta(days=29), "last": yesterday, "dag_run_id": "test-run"} | BOUND
    for step in STEPS:
        with database.connect() as connection:
            execute_step(connection, f"lead_stats/{step}.sql", values)
    for account in (PAINTERS, ROOFERS):
        planning.read_budgets(registry.STEERED, account, "test-run")
    return [row for row in morning.open_findings(cause) if row["id"] not in before]


@pytest.mark.parametrize("code", CAUSES, ids=str)
def test_a_hold_and_the_finding_of_its_cause_have_one_code_and_one_text(morning: Morning, code: Reason) -> None:
    found = happens(morning, code)
    planning.plan(registry.STEERED, "test-run")
    found = found or morning.open_findings(code)  # planning itself finds what it cannot read
    held = morning.decisions()["schilder_utrecht"]
    assert held["action"] == "hold" and code in held["reasons"]
    assert found and {row["remediation"] for row in found} == {code.what_to_do}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            Reason.SUMS_DIFFER,
            "select difference from channel_totals where channel = 'google_ads' and metric = 'spend' "
            "and date = lead_today() - 1 and abs(difference) > tolerance",
        ),
        (
            Reason.CAPACITY_LEAP,
            "select capacity_total_leads from lead_generation_stats join lead_segments on segment_id = id "
            "where code = 'schilder_utrecht' and date = lead_today() - 1",
        ),
        (Reason.LEAD_STATUS_UNKNOWN, "select sum(leads_status_unknown) from channel_metrics where channel = 'leads'"),
        (
            Reason.LEADS_WITHOUT_SOURCE,
            "select sum((leads_by_source -> 'unknown' ->> 'generated')::int) from channel_metrics "
            "where channel = 'leads' and date >= lead_today() - 7 group by segment_id",
        ),
    ],
    ids=str,
)
def test_how_much_a_finding_is_about_is_a_number(morning: Morning, code: Reason, expected: str) -> None:
    amounts = {row["amount"] for row in happens(morning, code)}
    assert amounts and amounts <= {next(iter(row.values())) for row in morning.db.fetch(expected)}
    assert all(amounts), "and none is 0"


def test_what_belongs_to_no_segment_is_named_with_its_spend_as_a_number(morning: Morning) -> None:
    found = [row for row in morning.open_findings("source_without_segment") if row["channel"] == "google_ads"]
    assert found and all(f"spend {row['amount']:.2f}" in row["detail"] and row["amount"] > 0 for row in found)
