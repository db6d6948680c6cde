"""What the pipeline has to know of a channel before it asks it anything. Light: DAG files import it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ChannelSpec:
    """One entry of the registry.

    `channel`: its name in every table, in small letters; the task that pulls it is `pull_<channel>`.
    `module`: the module whose `CHANNEL` is its class (see `contract.Channel`, and `paid.PaidChannel` if `is_paid`).
    None: it is not pulled from an API; statements of `lead_stats` read it from the company's own tables.
    `restated_days`: how many days a scheduled run of `lead_stats` restates, because the source corrects its own past. A
    longer window costs reading, never a rewrite: rows that did not change are left alone.
    `read_at_once`: how many of its accounts are read at once, over all runs: an API's quota is one for all of them.
    Which columns of the tables it fills: `include/sql/lead_stats/figures.jinja`.
    `findings`: the names of what reading it may leave in `pipeline_findings`. A pull closes those that it does not find
    again, so a name that is missing here would stay open.
    """

    channel: str
    module: str | None
    restated_days: int
    findings: tuple[str, ...]
    is_paid: bool = False
    read_at_once: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError for what Airflow or a run could not use."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.channel):
            raise ValueError(f"{self.channel!r} is no name of a channel: small letters, digits and underscores only")
        if self.restated_days < 1 or self.read_at_once < 1:
            raise ValueError(f"{self.channel}: restated_days and read_at_once are at least 1")

    @property
    def is_pulled(self) -> bool:
        return self.module is not None


# What the step from raw rows to metrics may find in any source.
OF_ROWS = ("impossible_metric", "duplicate_row", "source_without_segment", "empty_report", "day_without_rows")
# What an answer may say of itself; see `contract.Doubt`.
OF_DOUBTS = ("partial_report",)
# What is found besides where a source has spend, campaigns and budgets.
OF_BUDGETS = (
    "unmatched_spend_growing",
    "inactive_segment_spends",
    "campaign_not_found",
    "currency_mismatch",
    "time_zone_mismatch",
    "impossible_budget",
)
