"""Every channel that the pipeline reads, one entry each. Light: nothing heavy is imported before `get`.

To add a channel of your own without a change of this package, put a package `lead_demand_channels` beside
`lead_demand` in Airflow's plugins folder (or anywhere on the import path), with the channel's module in it and

    CHANNELS = (ChannelSpec(channel="reviews", module="lead_demand_channels.reviews", ...),)

in its `__init__.py`, which imports `lead_demand.channels.spec` and nothing heavy. `lead_stats` then has a task
`pull_reviews`, and rows of `channel_sources` say which of its accounts belongs to which segment.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from lead_demand.channels.spec import OF_BUDGETS, OF_DOUBTS, OF_ROWS, ChannelSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lead_demand.channels.contract import Channel
    from lead_demand.channels.paid import PaidChannel

ADDED = "lead_demand_channels"
# Whose budgets the DAGs decide on.
STEERED = "google_ads"

# SETTING. restated_days and read_at_once of each.
OURS = (
    ChannelSpec(
        channel="leads",
        module=None,
        restated_days=30,  # partners accept or refuse a lead days after it came in
        findings=("lead_status_unknown", "lead_source_unknown", "leads_without_segment", "leads_without_source"),
    ),
    ChannelSpec(
        channel="google_ads",
        module="lead_demand.channels.google_ads.channel",
        is_paid=True,
        restated_days=30,  # a conversion counts on the day of its click, up to a month back
        read_at_once=4,
        findings=(*OF_ROWS, *OF_BUDGETS),
    ),
    ChannelSpec(
        channel="search_console",
        module="lead_demand.channels.search_console",
        restated_days=10,  # complete after two or three days, corrected for some more
        read_at_once=2,  # grouping by page costs most of its load quota
        findings=(*OF_ROWS, *OF_DOUBTS),
    ),
    ChannelSpec(
        channel="ga4",
        module="lead_demand.channels.ga4",
        restated_days=3,  # grows for two days
        read_at_once=4,  # ten requests of a property at once are refused
        findings=(*OF_ROWS, *OF_DOUBTS, "property_time_zone", "host_not_stated"),
    ),
    ChannelSpec(
        channel="partner_capacity",
        module=None,
        restated_days=1,  # known only as it is now
        findings=(
            "capacity_source_failed",
            "segment_without_partners",
            "missing_capacity",
            "capacity_impossible",
            "absence_impossible",
            "capacity_without_segment",
        ),
    ),
)


def _by_name(specs: Iterable[ChannelSpec]) -> dict[str, ChannelSpec]:
    found: dict[str, ChannelSpec] = {}
    for spec in specs:
        if spec.channel in found:
            raise ValueError(f"two entries of the registry are named {spec.channel}")
        found[spec.channel] = spec
    return found


def _added() -> tuple[ChannelSpec, ...]:
    return tuple(import_module(ADDED).CHANNELS) if find_spec(ADDED) else ()


CHANNELS = _by_name([*OURS, *_added()])


def pulled() -> list[str]:
    """The channels that are pulled from an API, in the order of the registry."""
    return [channel for channel, spec in CHANNELS.items() if spec.is_pulled]


def get(channel: str) -> Channel:
    """A new instance of a pulled channel. Raises LookupError for one that is unknown or not pulled."""
    spec = CHANNELS.get(channel)
    if spec is None or spec.module is None:
        raise LookupError(f"{channel} is no channel that is pulled; these are: {', '.join(pulled())}")
    return cast("Channel", import_module(spec.module).CHANNEL())


def get_paid(channel: str) -> PaidChannel:
    """A new instance of a paid channel: one whose budgets can be read and set. Raises LookupError for any other."""
    if channel not in CHANNELS or not CHANNELS[channel].is_paid:
        raise LookupError(f"{channel} is no paid channel")
    return cast("PaidChannel", get(channel))
