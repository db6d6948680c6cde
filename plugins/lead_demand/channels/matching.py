"""Which segment a campaign, a page or a host belongs to, on each day: `channel_sources` with its spans of days.

Sources that would count a click twice are refused where they are written, by the triggers `refuse_overlapping_source`
and `guard_channel_sources` of `include/migrations`.
"""

from __future__ import annotations

from itertools import pairwise

import pandas as pd

from lead_demand.channels.contract import KEY, Channel

_OUTSIDE = "outside"


def match_exactly(raw: pd.DataFrame, sources: pd.DataFrame) -> pd.Series:
    """Segments by equal external id."""
    return raw["external_id"].map(dict(zip(sources["external_id"], sources["segment_id"], strict=True)))


def match_longest_prefix(keys: pd.Series, sources: pd.DataFrame) -> pd.Series:
    """Segments by the longest external id that a key starts with, ending at a path boundary. Both sides are normalised
    (see `addresses`).
    """
    # Comprehensions here and in the channels, because a column without rows has no strings to split.
    prefixes = {
        prefix.rstrip("/"): segment
        for prefix, segment in zip(sources["external_id"], sources["segment_id"], strict=True)
    }

    def segment(key: str) -> str | None:
        # The candidates are the key's own ancestors, so the cost does not grow with the number of segments.
        while key and key not in prefixes:
            key = key.rpartition("/")[0]
        return prefixes.get(key)

    return keys.map({key: segment(key.rstrip("/")) for key in keys.unique()})


def with_spans(sources: pd.DataFrame) -> pd.DataFrame:
    """The sources with `valid_from`, `valid_to` (ISO), `is_active`, `is_segment_active`; absent: every day, and yes."""
    sources = sources.copy()
    every_day: dict[str, str | bool] = {
        "valid_from": "0001-01-01",
        "valid_to": "9999-12-31",
        "is_active": True,
        "is_segment_active": True,
    }
    for name, value in every_day.items():
        if name not in sources:
            sources[name] = value
    return sources.astype({"is_active": bool, "is_segment_active": bool})


def valid_on(sources: pd.DataFrame, day: str) -> pd.DataFrame:
    """The sources that belong to a segment on a day (ISO)."""
    return sources[(sources["valid_from"] <= day) & (sources["valid_to"] >= day) & sources["is_active"]]


def _spans(sources: pd.DataFrame, days: list[str]) -> list[list[str]]:
    """The days in runs over which the same sources are valid."""
    ends = set(sources["valid_to"])
    starts = {*sources["valid_from"], *(later for day, later in pairwise(days) if day in ends)}
    spans: list[list[str]] = []
    for day in days:
        if not spans or day in starts:
            spans.append([])
        spans[-1].append(day)
    return spans


def match_by_day(channel: Channel, raw: pd.DataFrame, sources: pd.DataFrame, days: list[str]) -> pd.DataFrame:
    """The rows with the segment of their own day, in their own order; `is_outside`: meant to belong to none."""
    matched = []
    for span in _spans(sources, days):
        rows = raw[raw["date"].between(span[0], span[-1])]
        of_span = sources[(sources["valid_from"] <= span[0]) & (sources["valid_to"] >= span[0])]
        # What is inactive takes its rows out of a wider prefix too; of two rows for the same, the active one counts.
        of_span = of_span.sort_values("is_active", kind="stable").astype({"segment_id": object})
        of_span = of_span.assign(segment_id=of_span["segment_id"].where(of_span["is_active"], _OUTSIDE))
        # A column without one text in it is of numbers to pandas, and would not join.
        rows = channel.match(rows, of_span).astype({"external_id": object, "date": object, "segment_id": object})
        is_outside = rows["segment_id"] == _OUTSIDE
        matched.append(rows.assign(is_outside=is_outside, segment_id=rows["segment_id"].mask(is_outside, None)))
    found = pd.concat([part for part in matched if len(part)] or matched[:1])
    return found.sort_index().reset_index(drop=True)


def segment_days(sources: pd.DataFrame, days: list[str]) -> pd.DataFrame:
    """Each segment with each of the days on which it has a source here."""
    known = [
        pd.MultiIndex.from_product([sorted(set(valid_on(sources, span[0])["segment_id"])), span], names=KEY).to_frame(
            index=False
        )
        for span in _spans(sources, days)
    ]
    frame = pd.concat(known, ignore_index=True) if known else pd.DataFrame(columns=KEY)
    return frame.astype(object).sort_values(KEY, ignore_index=True)
