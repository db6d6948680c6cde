"""One module a channel. `get(name)` gives the channel; nothing heavy is imported before that."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from lead_demand.channels.contract import Channel
    from lead_demand.channels.paid import PaidChannel

# Channels read over an API, and how many days a scheduled run restates, because each source corrects its own past.
RESTATED_DAYS = {"google_ads": 30, "search_console": 10, "ga4": 3, "leads": 30}
PAID = ("google_ads",)


def get(name: str) -> Channel:
    """A new instance of the channel of that name. Raises ModuleNotFoundError for an unknown name."""
    return cast("Channel", import_module(f"lead_demand.channels.{name}").CHANNEL())


def get_paid(name: str) -> PaidChannel:
    """The paid channel of that name: one whose budgets can be read and set."""
    return cast("PaidChannel", get(name))
