"""The pure step from a source's own rows to rows per segment and day.

It maps rows to the segments of their day, leaves out what cannot be true, and fills the days on which a source had
nothing to say: asked and got none is 0; not asked, not believed or not said in full is absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from lead_demand.channels import left_out, silence, unassigned
from lead_demand.channels.contract import KEY, Channel, Doubt, Known, Pulled
from lead_demand.channels.matching import match_by_day, segment_days, with_spans
from lead_demand.channels.whole_numbers import as_numbers

if TYPE_CHECKING:
    from lead_demand.database.findings import Finding
    from lead_demand.runs.day import Window


def to_metrics(
    channel: Channel,
    account: str,
    raw: pd.DataFrame,
    sources: pd.DataFrame,
    window: Window,
    known: Known | None = None,
    doubts: Sequence[Doubt] = (),
) -> Pulled:
    """Raw rows of one account as contract rows, with everything doubtful left out and named.

    :param raw: see `Fetched.frame`.
    :param doubts: see `Fetched.doubts`.
    :param sources: this account's rows of `channel_sources`: external_id, segment_id (str), segment (its code);
        valid_from and valid_to (str, ISO, both included; absent: every day), is_active and is_segment_active (bool;
        absent: yes).
    :returns: rows for every mapped segment and each of its days in the window that could be believed.
    """
    metrics = list(channel.metrics)
    days = [day.date().isoformat() for day in pd.date_range(window.first, window.last)]
    sources = with_spans(sources)
    codes = dict(zip(sources["segment_id"], sources["segment"], strict=True))
    findings: list[Finding] = []

    raw = as_numbers(raw.reset_index(drop=True), metrics)
    is_of_window = raw["date"].isin(days)
    elsewhen = left_out.of_other_days(
        channel, account, raw[~is_of_window], raw[is_of_window], sources, days, codes, findings
    )
    raw = match_by_day(channel, raw[is_of_window].reset_index(drop=True), sources, days)
    partial_days = {day for doubt in doubts for day in doubt.days}
    raw = raw.assign(is_final=raw["is_final"].astype(bool) & ~raw["date"].isin(partial_days))
    is_impossible = left_out.cannot_be(raw, metrics)
    believable = raw[~is_impossible]
    doubtful = elsewhen | left_out.impossible(channel, account, raw[is_impossible], metrics, codes, findings)
    doubtful |= left_out.repeated(channel, account, raw, codes, findings)
    doubtful |= left_out.ambiguous(channel, account, raw, findings)
    left_out.partial(channel, account, doubts, days, findings)
    unassigned.without_segment(channel, account, believable, metrics, findings)
    unassigned.unmatched_spend(channel, account, believable, findings)
    silent = silence.silent_days(channel, account, raw, sources, days, known or Known(), partial_days, findings)
    unassigned.of_inactive_segments(channel, account, believable, metrics, sources, findings)

    mapped = believable[believable["segment_id"].notna()]
    summed = mapped.groupby(KEY, as_index=False, sort=False).agg({**dict.fromkeys(metrics, "sum"), "is_final": "all"})
    doubtful |= left_out.too_large(channel, account, summed, metrics, codes, findings)
    finality = raw.groupby("date")["is_final"].all()
    frame = segment_days(sources, [day for day in days if silent.get(day, True)])
    frame = frame.merge(summed.astype(dict.fromkeys(KEY, object)), on=KEY, how="left")
    frame[metrics] = frame[metrics].astype("Float64").fillna(0).astype("Int64")
    frame["is_final"] = (
        frame["is_final"].astype("boolean").fillna(frame["date"].map(finality).astype("boolean")).fillna(True)
    )
    frame["is_final"] = frame["is_final"].astype(bool)
    frame["is_empty"] = frame["date"].isin(silent)
    expected = frame[KEY]
    # Where the answer is not the whole one, what it gives nothing for is unknown.
    unusable_days = {day for doubt in doubts if not doubt.is_usable for day in doubt.days}
    is_given = (frame[metrics] != 0).any(axis=1).astype(bool) & ~frame["date"].isin(unusable_days)
    frame = frame[is_given | ~frame["date"].isin(partial_days) | frame["is_empty"]]
    if doubtful:
        rows = pd.MultiIndex.from_frame(frame[KEY])
        frame = frame[~rows.isin(sorted(doubtful))]
    return Pulled(
        frame[[*KEY, *metrics, "is_final", "is_empty"]].reset_index(drop=True),
        findings,
        raw.assign(is_impossible=is_impossible),
        expected,
        tuple(days),
    )
