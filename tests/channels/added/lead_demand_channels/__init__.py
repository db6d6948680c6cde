"""Two channels of a company's own, as `lead_demand.channels.registry` finds them."""

from __future__ import annotations

from lead_demand.channels.spec import OF_BUDGETS, OF_ROWS, ChannelSpec

CHANNELS = (
    ChannelSpec(
        channel="local_directory",
        module="lead_demand_channels.local_directory",
        restated_days=7,  # its file has the last week
        findings=OF_ROWS,
    ),
    ChannelSpec(
        channel="regional_ads",
        module="lead_demand_channels.regional_ads",
        is_paid=True,
        restated_days=14,
        findings=(*OF_ROWS, *OF_BUDGETS),
    ),
)
