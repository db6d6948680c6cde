"""One bad operation among a thousand, and a batch that is lost among others: the rest goes through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lead_demand.budgets import decisions, planning, protocol
from lead_demand.errors import ChangesFailed
from sandbox.company.load import load
from tests.faults.cases import MUTATE, STRUCK
from tests.faults.invariants import contradictions, gather
from tests.fixtures.airflow import use_database
from tests.fixtures.morning import Morning
from tests.fixtures.postgres import LeadsDatabase
from tests.fixtures.sandbox import serving

pytestmark = pytest.mark.long
SEGMENTS = "2300"  # half of them in each account: more than one batch
# What lead_stats and the planner would have left behind, without the hours of history that they need at this size.
DECIDED = """
insert into channel_fetches (channel, account, date_from, date_to, row_count)
select channel, account, lead_today() - 1, lead_today() - 1, 1
from (values ('leads', null), ('partner_capacity', null), ('google_ads', %(account)s)) as source (channel, account);

insert into budget_decisions (segment_id, action, old_budget, new_budget, sentence, dag_run_id)
select sources.segment_id, 'increase', sum(budgets.amount), sum(budgets.amount) + 1, 'One euro more.', 'large'
from channel_budgets as budgets
inner join channel_sources as sources on budgets.campaign_id = sources.external_id and sources.channel = 'google_ads'
where budgets.campaigns_on_budget = 1 and budgets.is_budget_limited
group by sources.segment_id;

insert into lead_segment_plans (segment_id, date)
select segment_id, decision_date from budget_decisions;

update lead_segment_channels set max_daily_budget = 100000
"""


@pytest.fixture
def large(
    leads_db: LeadsDatabase, sandbox_keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Morning]:
    """A company of that size whose increases of one account are decided and not claimed."""
    with serving(tmp_path / "sandbox", sandbox_keys, SANDBOX_SEGMENTS=SEGMENTS) as world:
        use_database(monkeypatch, leads_db)
        monkeypatch.setattr(protocol, "SETTLE_DELAYS", (0.05, 0.05))
        load(leads_db.owner_url, world.control, days=1)
        planning.read_budgets("google_ads", STRUCK, "large")
        for statement in DECIDED.split(";\n"):
            decides = "insert into budget_decisions" in statement
            leads_db.fetch(statement, {"account": STRUCK}, role="lead_pipeline" if decides else None)
        yield Morning(leads_db, world, pytest.fail)


def test_one_bad_operation_among_a_thousand_spoils_no_other(large: Morning) -> None:
    large.sandbox.fault("partial", MUTATE, op_index=617)
    large.sandbox.fault("cut_after_apply", MUTATE)
    with pytest.raises(ChangesFailed, match="1 budget increase"):
        decisions.apply_changes("increase", "google_ads", "large")
    claims = large.log()
    assert len(claims) > 1_000
    assert [claim["status"] for claim in claims if claim["status"] != "success"] == ["failed"]
    (bad,) = [claim for claim in claims if claim["status"] == "failed"]
    assert bad["error_code"] == "campaign_budget_error.MONEY_AMOUNT_TOO_LARGE" and bad["request_id"]
    sizes = [len(call["operations"]) for call in large.sandbox.calls(MUTATE)]
    assert sizes == [protocol.BATCH, len(claims) - protocol.BATCH], "each change was sent once"
    assert contradictions(gather(large), settled=True) == []
