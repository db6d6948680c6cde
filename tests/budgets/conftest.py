"""Days that are decided on without the hour of statistics behind it, in a second where a morning takes a minute.

ten_percent   function: every budget is decided to move by ten per cent, and nothing is claimed
by_hand       function: the books and the live budgets as they were read; a test makes the decisions itself
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from lead_demand.budgets import planning, protocol
from lead_demand.channels import registry
from local.embedded_postgres import EmbeddedPostgres
from sandbox.company.load import load
from tests.fixtures.airflow import use_database
from tests.fixtures.claims import record_fetches
from tests.fixtures.morning import Morning
from tests.fixtures.postgres import LeadsDatabase, drop_database
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
        where budgets.is_serving and sources.is_active and budgets.campaigns_on_budget = 1
    ) as each_budget
    group by segment_id
    having bool_and(campaigns_on_budget = 1)
) as numbered;
insert into lead_segment_plans (segment_id, date) select segment_id, decision_date from budget_decisions;
update channel_budgets set is_budget_limited = true
"""


@pytest.fixture
def ten_percent(leads_db: LeadsDatabase, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Morning]:
    """The sandbox's budgets, read just now, and decisions that move each by ten per cent. Waiting is cut
    short.
    """
    sandbox.reset()
    use_database(monkeypatch, leads_db)
    monkeypatch.setattr(protocol, "SETTLE_DELAYS", (0.05, 0.05))
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


RUN = "by hand"
# Read today, as every claim asks.
FETCHED = """
insert into channel_fetches (channel, account, date_from, date_to, row_count)
select channel, account, lead_today() - 3, lead_today() - 1, 1
from (
    select distinct channel, account from channel_sources where channel = 'google_ads'
    union all values ('leads', null), ('partner_capacity', null)
) as needed
"""
# The largest budgets that pay for one campaign each.
CANDIDATES = """
select budgets.budget_id, budgets.amount, sources.segment_id, segments.code
from channel_budgets as budgets
join channel_sources as sources
    on (budgets.channel, budgets.account, budgets.campaign_id)
        = (sources.channel, sources.account, sources.external_id)
join lead_segments as segments on sources.segment_id = segments.id and segments.is_active
where budgets.account = '1234567890' and budgets.is_serving and budgets.is_budget_limited
    and (
        select count(*) from channel_sources as others
        where others.segment_id = sources.segment_id and others.channel = 'google_ads'
    ) = 1
    and (select count(*) from channel_budgets as others where others.budget_id = budgets.budget_id) = 1
order by budgets.amount desc, segments.code
limit 3
"""
DECIDE_ONE = """
with decided as (
    insert into budget_decisions (segment_id, action, old_budget, new_budget, sentence, dag_run_id)
    values (%(segment_id)s, %(action)s, %(old)s, %(new)s, 'In one sentence.', %(run)s)
)
insert into lead_segment_plans (segment_id, date, orchestration_status)
values (%(segment_id)s, lead_today(), %(status)s)
"""


class DayByHand(Morning):
    """A morning whose decisions a test makes itself. `segments`: three that may rise, largest budget first."""

    def read(self) -> None:
        """Read the live budgets and the change history of every account, as a run does."""
        for row in self.db.fetch("select distinct account from channel_sources where channel = 'google_ads'"):
            planning.read_budgets(registry.STEERED, row["account"], RUN)

    def prepare(self) -> DayByHand:
        self.set(max_daily_increase=10_000, total_daily_cap=1_000_000, approval_threshold=1)
        self.db.fetch(FETCHED, role="lead_pipeline")
        self.read()
        self.segments = self.db.fetch(CANDIDATES)
        assert len(self.segments) == 3
        ids = [row["segment_id"] for row in self.segments]
        self.db.fetch("update lead_segment_channels set max_daily_budget = 9999 where segment_id = any(%s)", [ids])
        return self

    def decide(self, steps: dict[str, Decimal], status: str = "planned") -> None:
        """Decide a change of so many EUR per day for each of these segments."""
        for row in self.segments:
            if step := steps.get(row["code"]):
                action = "increase" if step > 0 else "decrease"
                values = {"action": action, "old": row["amount"], "new": row["amount"] + step, "run": RUN}
                self.db.fetch(DECIDE_ONE, row | values | {"status": status}, role="lead_pipeline")


@pytest.fixture(scope="session")
def books_template(postgres_cluster: EmbeddedPostgres, leads_template: str, sandbox: Sandbox) -> str:
    """Name of a database with the last days of the company's books."""
    sandbox.reset()
    postgres_cluster.create_database("books_template", template=leads_template)
    load(postgres_cluster.url("books_template"), sandbox.control, days=2)
    return "books_template"


@pytest.fixture
def by_hand(
    postgres_cluster: EmbeddedPostgres, books_template: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DayByHand]:
    """A copy of it, and the world as it was on its first morning."""
    sandbox.reset()
    postgres_cluster.create_database("by_hand", template=books_template)
    database = LeadsDatabase("by_hand", postgres_cluster.url("by_hand"))
    use_database(monkeypatch, database)
    try:
        yield DayByHand(database, sandbox, _without_airflow).prepare()
    finally:
        drop_database(postgres_cluster, "by_hand")
        sandbox.reset()


def _without_airflow(*asked: Any, **given: Any) -> Any:
    raise NotImplementedError("a day that is decided on by hand has no Airflow to run a DAG in")
