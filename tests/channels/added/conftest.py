"""A company with two channels of its own, a file and a small service: one segment, two months of leads, real Postgres.

company   function: its database; the channels are registered, their sources answer
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from lead_demand.channels import registry
from lead_demand.runs import day
from lead_demand.runs.day import Window
from tests.channels.added.service import RegionalPaper, serve
from tests.fixtures.airflow import use_database
from tests.fixtures.postgres import LeadsDatabase

HERE = Path(__file__).parent
YESTERDAY = day.latest_whole_day()
DAYS = 60
WINDOW = Window(YESTERDAY - timedelta(days=DAYS - 1), YESTERDAY)
PAPER, BUDGET, CAMPAIGN = "paper-nb", "B-1", "C-1"
PUBLISHER, LISTING = "gouden-gids", "schilders/utrecht"
# Three leads on each day, two of them by the paper; four of five were accepted.
LEADS = """
insert into leads (created_at, status, branch, region, source_channel, email)
select
    (day + make_interval(hours => 9 + number))::timestamp at time zone 'Europe/Amsterdam',
    case when mod(extract(doy from day)::integer + number, 5) = 0 then 'rejected' else 'accepted' end,
    'schilder', 'utrecht', case number when 0 then 'seo' else 'regional_ads' end,
    format('%%s-%%s@example.nl', day::date, number)
from generate_series(%(first)s::date, %(last)s::date, interval '1 day') as day, generate_series(0, 2) as number
"""
PARTNERS = """
with partner as (insert into partners (name, branch, region) values ('Jansen', 'schilder', 'utrecht') returning id)
insert into partner_capacity (partner_id, branch, region, daily_leads) select id, 'schilder', 'utrecht', 8 from partner
"""
SET_UP = """
grant select on partners, partner_capacity to lead_pipeline;
insert into channel_sources (channel, account, external_id, segment_id) values
    ('regional_ads', 'paper-nb', 'C-1', %(segment)s),
    ('local_directory', 'gouden-gids', 'schilders/utrecht', %(segment)s);
insert into lead_segment_channels (
    segment_id, channel, min_daily_budget, max_daily_budget, max_increase_pct, max_decrease_pct, cooldown_days,
    is_automated
) values (%(segment)s, 'regional_ads', 10, 200, 20, 30, 0, true);
insert into lead_spellings (kind, spelling, meaning) values ('source_channel', 'regional_ads', 'regional_ads');
update orchestration_settings set
    dry_run = false, kill_switch = false, total_daily_cap = 1000, max_daily_increase = 500, approval_threshold = 500
"""


@dataclass
class Company:
    db: LeadsDatabase
    segment: UUID
    paper: RegionalPaper
    files: Path

    def findings(self, name: str) -> list[dict[str, Any]]:
        return self.db.fetch("select * from pipeline_findings where name = %s and resolved_at is null", [name])

    def metrics(self, channel: str) -> list[dict[str, Any]]:
        """What is kept of the channel, oldest day first."""
        return self.db.fetch("select * from channel_metrics where channel = %s order by date", [channel])


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry as it is where this folder is on the import path when the registry is first imported."""
    monkeypatch.syspath_prepend(str(HERE))
    for spec in importlib.import_module(registry.ADDED).CHANNELS:
        monkeypatch.setitem(registry.CHANNELS, spec.channel, spec)


@pytest.fixture
def company(
    leads_db: LeadsDatabase, registered: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Company]:
    use_database(monkeypatch, leads_db)
    segment = leads_db.add_segment()
    leads_db.fetch(LEADS, {"first": WINDOW.first, "last": WINDOW.last})
    leads_db.fetch(PARTNERS)
    with leads_db.connect() as owner:
        for statement in SET_UP.split(";"):
            owner.execute(statement, {"segment": segment})
    paper = RegionalPaper(PAPER, {BUDGET: Decimal("60.0")})
    for number in range(DAYS):
        date = str(WINDOW.first + timedelta(days=number))
        paper.figures[CAMPAIGN, date] = (59_000_000 + number % 7 * 150_000, 40 + number % 5)
    server, address = serve(paper)
    monkeypatch.setenv("REGIONAL_ADS_URL", address)
    monkeypatch.setenv("LOCAL_DIRECTORY_FOLDER", str(tmp_path))
    try:
        yield Company(leads_db, segment, paper, tmp_path)
    finally:
        server.shutdown()
        server.server_close()
