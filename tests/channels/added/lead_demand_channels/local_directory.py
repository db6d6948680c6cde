"""A directory of local firms: a CSV file per publisher, `<account>.csv` in LOCAL_DIRECTORY_FOLDER, with the columns
listing, date, clicks and visits; one row per listing and day. `external_id` is the listing's code.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import pandas as pd

from lead_demand.channels.contract import Fetched
from lead_demand.channels.matching import match_exactly
from lead_demand.channels.sums import Sum
from lead_demand.database.findings import Level
from lead_demand.errors import SourceRefused, SourceUnavailable
from lead_demand.runs.day import Window

COLUMNS = ["listing", "date", "clicks", "visits"]


class LocalDirectory:
    channel: ClassVar[str] = "local_directory"
    metrics: ClassVar[tuple[str, ...]] = ("clicks", "visits")
    empty_day: ClassVar[Level] = "warn"
    late_days: ClassVar[int] = 1
    unmatched: ClassVar[str | None] = None
    # The file is all there is: nothing says what it should add up to.
    sums: ClassVar[tuple[Sum, ...]] = ()

    def fetch(self, account: str, window: Window) -> Fetched:
        rows = _read(account)
        rows = rows[(rows["date"] >= str(window.first)) & (rows["date"] <= str(window.last))]
        frame = rows.rename(columns={"listing": "external_id"}).assign(is_final=True)
        frame.loc[frame.duplicated(["external_id", "date"]), list(self.metrics)] = "0"
        return Fetched(frame)

    def fetch_totals(self, account: str, window: Window) -> pd.DataFrame | None:
        return None

    def match(self, raw: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
        return raw.assign(segment_id=match_exactly(raw, sources))


def _read(account: str) -> pd.DataFrame:
    path = Path(os.environ["LOCAL_DIRECTORY_FOLDER"]) / f"{account}.csv"
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise SourceUnavailable(f"{path} is not there yet.") from error
    if list(rows) != COLUMNS:
        raise SourceRefused(
            f"{path} has the columns {', '.join(rows)}, not {', '.join(COLUMNS)}.",
            todo="Ask the publisher for the file in the old form.",
        )
    return rows


CHANNEL = LocalDirectory
