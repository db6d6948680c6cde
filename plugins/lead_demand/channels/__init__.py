"""One module a channel. `get(name)` gives the channel; nothing heavy is imported before that."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from lead_demand.channels.contract import Channel
    from lead_demand.channels.paid import PaidChannel

# SETTING. How many days a scheduled run of lead_stats restates, because each source corrects its own past. A longer
# window costs reading, never a rewrite: rows that did not change are left alone.
RESTATED_DAYS = {
    "leads": 30,  # partners accept or refuse a lead days after it came in
    "google_ads": 30,  # a conversion counts on the day of its click, up to a month back
    "search_console": 10,  # complete after two or three days, corrected for some more
    "ga4": 3,  # grows for two days
}
# SETTING. How many accounts of an API are read at once, over all runs: its quota is one for all of them.
READ_AT_ONCE = {
    "google_ads": 4,
    "search_console": 2,  # grouping by page is what its load limit counts dearest
    "ga4": 4,  # ten requests of a property at once are refused
}
PULLED = tuple(READ_AT_ONCE)
PAID = ("google_ads",)
# Whose budgets the DAGs decide on.
STEERED = "google_ads"


def get(name: str) -> Channel:
    """A new instance of the channel of that name. Raises ModuleNotFoundError for an unknown name."""
    module = "google_ads.channel" if name == "google_ads" else name
    return cast("Channel", import_module(f"lead_demand.channels.{module}").CHANNEL())


def get_paid(name: str) -> PaidChannel:
    """The paid channel of that name: one whose budgets can be read and set."""
    return cast("PaidChannel", get(name))
