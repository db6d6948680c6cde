"""The task of `lead_backtest`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from lead_demand.runs.documented import documented
from lead_demand.runs.this_run import say, this_run


# A year of ten thousand segments.
@documented(execution_timeout=timedelta(hours=2))
def replay_mornings(channel: str, params: Mapping[str, Any] | None = None) -> None:
    """Replays the mornings that the trigger form names, keeps the report, and shows it as a table."""
    from lead_demand.backtest import run

    asked = {key: value for key, value in (params or {}).items() if value is not None}
    first, last = (date.fromisoformat(asked.pop(key)) if key in asked else None for key in ("date_from", "date_to"))
    forecast = asked.pop("forecast", None)
    headline, _, table = run.run(channel, this_run().run_id, first, last, asked, forecast).partition("\n\n")
    say(headline, table.splitlines())
