"""A day whose changes are decided and not claimed, without the hour of statistics behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lead_demand import budgets, planning
from sandbox.company import load
from tests.fixtures.airflow import use_database
from tests.fixtures.claims import record_fetches
from tests.fixtures.morning import Morning
from tests.fixtures.postgres import LeadsDatabase
from tests.fixtures.sandbox import Sandbox

ACCOUNTS = ("1234567890", "2345678901")
WIDE = """
update lead_segment_channels set
    is_automated = true, min_daily_budget = 1, max_daily_budget = 360, max_increase_pct = 20, max_decrease_pct = 30;
update orchestration_settings set
    dry_run = false, kill_switch = false, total_daily_cap = 5000, max_daily_increase = 2000, approval_threshold = 1000
"""
# Of every second segment ten per cent more, of the others ten per cent less.
DECIDED = """
insert into budget_decisions (segment_id, action, old_budget, new_budget, sentence, dag_run_id)
select
    segment_id, case number % 2 when 1 then 'increase' else 'decrease' end, amount,
    round(amount * case number % 2 when 1 then 1.1 else 0.9 end, 2), 'Ten per cent.', 'test-run'
from (
    select segment_id, sum(amount) as amount, row_number() over (order by count(*) desc, segment_id) as number
    from (
        select distinct sources.segment_id, budgets.budget_id, budgets.amount, budgets.campaigns_on_budget
        from channel_sources as sources
        inner join channel_budgets as budgets
            on sources.channel = budgets.channel and sources.external_id = budgets.campaign_id
        inner join lead_segments as segments on sources.segment_id = segments.id and segments.is_active
        inner join lead_segment_channels as limits on segments.id = limits.segment_id and limits.channel = 'google_ads'
        where budgets.is_serving and sources.is_active
    ) as each_budget
    group by segment_id
    having bool_and(campaigns_on_budget = 1)
) as numbered;
insert into lead_segment_plans (segment_id, date) select segment_id, decision_date from budget_decisions;
update channel_budgets set is_budget_limited = true
"""


@pytest.fixture
def ten_percent(leads_db: LeadsDatabase, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Morning]:
    """The stand-in world's budgets, read just now, and decisions that move each by ten per cent. Waiting is cut
    short.
    """
    sandbox.reset()
    use_database(monkeypatch, leads_db)
    monkeypatch.setattr(budgets, "SETTLE_DELAYS", (0.05, 0.05))
    load(leads_db.owner_url, sandbox.control, days=1)
    for account in ACCOUNTS:
        planning.read_budgets("google_ads", account, "test-run")
    leads_db.fetch(WIDE)
    with leads_db.connect("lead_pipeline") as pipeline:
        record_fetches(pipeline)
        pipeline.execute(
            "insert into channel_fetches (channel, account, date_from, date_to, row_count)"
            " values ('google_ads', '2345678901', lead_today() - 1, lead_today() - 1, 1)"
        )
        pipeline.execute(DECIDED)
    yield Morning(leads_db, sandbox, pytest.fail)
    sandbox.reset()
