"""`lead_stats/figures.jinja` is the one list of figures: what is missing there would be lost without a word."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from typing import Any

import jinja2
import pytest

from lead_demand.channels import registry
from lead_demand.database.sql import SQL_FOLDER
from tests.fixtures.postgres import LeadsDatabase

# Of a row that is no figure.
KEYS = {"id", "segment_id", "channel", "account", "date", "is_final", "is_empty", "created_at", "updated_at"}
# Of the leads alone: what they came by, and how many have a status that means nothing; read in channel_metrics.
NOT_SUMMED = {"leads_by_source", "leads_status_unknown"}


@pytest.fixture(scope="module")
def figures() -> Any:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(SQL_FOLDER), autoescape=False)  # noqa: S701
    return environment.get_template("lead_stats/figures.jinja").module


def columns(db: LeadsDatabase, table: str) -> list[str]:
    rows = db.fetch(
        "select column_name from information_schema.columns where table_name = %(table)s and is_generated = 'NEVER'",
        {"table": table},
    )
    return sorted({row["column_name"] for row in rows} - KEYS)


def test_every_figure_of_the_statistics_is_filled_by_exactly_one_channel(figures: Any, leads_db: LeadsDatabase) -> None:
    assert sorted(figures.columns) == columns(leads_db, "lead_generation_stats")
    assert sorted(figures.channels) == sorted(spec.channel for spec in registry.OURS)


def test_every_figure_of_a_channel_is_pulled_or_read_from_the_companys_tables(
    figures: Any, leads_db: LeadsDatabase
) -> None:
    assert sorted(figures.pulled + figures.given) == sorted(set(columns(leads_db, "channel_metrics")) - NOT_SUMMED)


def test_a_figure_that_several_channels_bring_is_told_apart(figures: Any) -> None:
    brought = Counter(
        name.removesuffix("_micros")
        for channel in figures.of_accounts
        for name in import_module(str(registry.CHANNELS[channel].module)).CHANNEL.metrics
    )
    summed = {figure for columns in figures.of_accounts.values() for figure in columns.values()}
    assert {name for name, channels in brought.items() if channels > 1} & summed == set(figures.of_several)


@pytest.mark.parametrize("channel", registry.pulled())
def test_what_a_channel_brings_has_a_place_to_go(channel: str, figures: Any) -> None:
    spec = registry.CHANNELS[channel]
    assert spec.module is not None
    brought = set(import_module(spec.module).CHANNEL.metrics)
    assert brought <= {f"{amount}_micros" for amount in figures.amounts} | set(figures.counts)
    assert set(figures.of_accounts.get(channel, {}).values()) <= {name.removesuffix("_micros") for name in brought}
