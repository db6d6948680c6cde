"""From a source's own rows to contract rows: nothing doubtful gets through, nothing good is lost."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead_demand.channels.contract import Doubt, Known
from lead_demand.channels.matching import match_exactly, match_longest_prefix
from lead_demand.channels.metrics import to_metrics
from lead_demand.runs.day import Window

WINDOW = Window(date(2026, 3, 27), date(2026, 3, 30))
DAYS = ["2026-03-27", "2026-03-28", "2026-03-29", "2026-03-30"]
SOURCES = pd.DataFrame(
    [("11", "s1", "schilder_utrecht"), ("12", "s1", "schilder_utrecht"), ("21", "s2", "dakdekker_limburg")],
    columns=["external_id", "segment_id", "segment"],
)
COLUMNS = ["external_id", "date", "spend_micros", "impressions", "clicks", "is_final"]


def paid(empty_day: str = "stop", unmatched: str | None = None) -> Any:
    return SimpleNamespace(
        channel="google_ads",
        metrics=("spend_micros", "impressions", "clicks"),
        empty_day=empty_day,
        late_days=1,
        unmatched=unmatched,
        match=lambda raw, sources: raw.assign(segment_id=match_exactly(raw, sources)),
    )


def raw(*rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame([(*row, True) for row in rows], columns=COLUMNS)


def full() -> list[tuple[Any, ...]]:
    return [(campaign, day, 1_000_000, 100, 10) for campaign in ("11", "12", "21") for day in DAYS]


def by_key(frame: pd.DataFrame, column: str) -> dict[tuple[str, str], int]:
    return {(row["segment_id"], row["date"]): row[column] for row in frame.to_dict("records")}


def test_a_segments_campaigns_are_summed_and_a_silent_campaign_counts_as_zero() -> None:
    rows = [row for row in full() if row[:2] != ("21", DAYS[1])]
    pulled = to_metrics(paid(), "1", raw(*rows), SOURCES, WINDOW)
    spend = by_key(pulled.frame, "spend_micros")
    assert spend["s1", DAYS[0]] == 2_000_000
    assert spend["s2", DAYS[1]] == 0, "the account was read that day, so none means none"
    assert len(pulled.frame) == 8 and not pulled.findings


def silent(*days: str, known: Known, rows: list[tuple[Any, ...]] | None = None) -> Any:
    """What becomes of a window in which the account had nothing on those days."""
    kept = [row for row in (full() if rows is None else rows) if row[1] not in days]
    return to_metrics(paid(), "1", raw(*kept), SOURCES, WINDOW, known)


def test_a_silent_day_is_unknown_on_the_next_morning_and_a_zero_once_a_later_read_confirms_it() -> None:
    pulled = silent(DAYS[3], known=Known(latest=date(2026, 3, 30)))
    assert DAYS[3] not in set(pulled.frame["date"])
    assert [(f.name, f.level, f.date) for f in pulled.findings] == [("day_without_rows", "warn", DAYS[3])]

    later = silent(DAYS[3], known=Known(latest=date(2026, 3, 31)))
    assert by_key(later.frame, "spend_micros")["s1", DAYS[3]] == 0 and not later.findings
    assert set(later.frame.loc[later.frame["is_empty"], "date"]) == {DAYS[3]}


def test_a_silent_day_that_a_person_stated_is_a_zero_at_once() -> None:
    known = Known(latest=date(2026, 3, 30), stated=frozenset({DAYS[3]}))
    pulled = silent(DAYS[3], known=known)
    assert by_key(pulled.frame, "spend_micros")["s1", DAYS[3]] == 0 and not pulled.findings


def test_what_was_read_before_does_not_vanish() -> None:
    pulled = silent(DAYS[1], known=Known(latest=date(2026, 4, 9), alive=frozenset({DAYS[1]})))
    assert DAYS[1] not in set(pulled.frame["date"])
    assert [(f.name, f.level, f.evidence_date) for f in pulled.findings] == [("empty_report", "stop", DAYS[1])]


def test_an_empty_report_of_campaigns_that_may_spend_writes_nothing_and_is_one_finding() -> None:
    pulled = silent(*DAYS, known=Known(latest=date(2026, 4, 9), is_serving=True))
    assert pulled.frame.empty
    assert [(f.name, f.evidence_date) for f in pulled.findings] == [("empty_report", DAYS[-1])]


def test_an_empty_report_of_an_account_whose_campaigns_are_all_paused_is_zeros() -> None:
    pulled = silent(*DAYS, known=Known(latest=date(2026, 4, 9), is_serving=False))
    assert len(pulled.frame) == 8 and set(pulled.frame["spend_micros"]) == {0} and not pulled.findings


def test_a_single_silent_day_of_an_account_with_figures_around_it_is_a_zero() -> None:
    window = Window(date(2026, 3, 28), date(2026, 3, 28))
    known = Known(latest=date(2026, 4, 9), alive=frozenset({DAYS[0]}), is_serving=True)
    pulled = to_metrics(paid(), "1", raw(), SOURCES, window, known)
    assert by_key(pulled.frame, "spend_micros") == {("s1", DAYS[1]): 0, ("s2", DAYS[1]): 0}


def spans(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["external_id", "segment_id", "valid_from", "valid_to"])
    return frame.assign(segment=frame["segment_id"])


def test_a_campaign_belongs_on_each_day_to_the_segment_of_that_day() -> None:
    sources = spans(
        ("11", "s1", "0001-01-01", DAYS[1]),
        ("11", "s2", DAYS[2], "9999-12-31"),
        ("21", "s2", "0001-01-01", "9999-12-31"),
    )
    rows = [row for row in full() if row[0] != "12"]
    pulled = to_metrics(paid(), "1", raw(*rows), sources, WINDOW)
    assert by_key(pulled.frame, "spend_micros") == {
        ("s1", DAYS[0]): 1_000_000,
        ("s1", DAYS[1]): 1_000_000,
        **{("s2", day): 1_000_000 for day in DAYS[:2]},
        **{("s2", day): 2_000_000 for day in DAYS[2:]},
    }
    assert not pulled.findings


@settings(max_examples=40)
@given(st.tuples(*[st.sampled_from(["s1", "s2", None])] * len(DAYS)), st.booleans())
def test_however_a_campaign_is_handed_on_each_of_its_days_is_counted_once(
    owners: tuple[str | None, ...], is_other_mapped: bool
) -> None:
    rows = [("11", owner, day, day) for owner, day in zip(owners, DAYS, strict=True) if owner]
    rows += [("21", "s2", "0001-01-01", "9999-12-31")] * is_other_mapped
    frame = to_metrics(paid(), "1", raw(*full()), spans(*rows), WINDOW).frame
    got = by_key(frame, "spend_micros")
    for owner, day in zip(owners, DAYS, strict=True):
        assert got.get(("s1", day), 0) == 1_000_000 * (owner == "s1")
        assert got.get(("s2", day), 0) == 1_000_000 * ((owner == "s2") + is_other_mapped)
        assert ("s1", day) not in got or owner == "s1", "a day of another segment is not a zero"


def test_a_campaign_that_is_meant_to_stay_outside_is_counted_nowhere_and_not_named() -> None:
    sources = pd.concat([SOURCES.assign(is_active=True), SOURCES.tail(1).assign(is_active=False, external_id="99")])
    pulled = to_metrics(paid(), "1", raw(*full(), ("99", DAYS[0], 3_500_000, 40, 4)), sources, WINDOW)
    assert not pulled.findings and sum(pulled.frame["spend_micros"]) == 12_000_000


def test_money_of_a_segment_that_is_not_active_stays_with_it_and_is_named() -> None:
    sources = SOURCES.assign(is_segment_active=[True, True, False])
    pulled = to_metrics(paid(), "1", raw(*full()), sources, WINDOW)
    (finding,) = pulled.findings
    assert (finding.name, finding.segment_id) == ("inactive_segment_spends", "s2") and "€1.00" in finding.detail
    assert len(pulled.frame) == 8


@given(
    st.integers(0, 11),
    st.sampled_from(["spend_micros", "impressions", "clicks"]),
    st.sampled_from([-1, 10**12, None]),
)
def test_an_impossible_number_leaves_out_that_segments_day_only(at: int, column: str, value: int | None) -> None:
    frame = raw(*full()).astype({column: "Int64"})
    frame.loc[at, column] = value
    bad = frame.loc[at]
    pulled = to_metrics(paid(), "1", frame, SOURCES, WINDOW)
    segment = {"11": "s1", "12": "s1", "21": "s2"}[bad["external_id"]]
    assert (segment, bad["date"]) not in by_key(pulled.frame, "clicks")
    assert len(pulled.frame) == 7
    (finding,) = pulled.findings
    assert (finding.name, finding.level, finding.segment_id) == ("impossible_metric", "stop", segment)
    assert bad["external_id"] in finding.detail and bad["date"] in finding.detail


def test_more_clicks_than_impressions_is_impossible() -> None:
    midnight = [*full()[:-1], ("21", DAYS[3], 1_000_000, 0, 1)]
    assert not to_metrics(paid(), "1", raw(*midnight), SOURCES, WINDOW).findings
    rows = [*full()[:-1], ("21", DAYS[3], 1_000_000, 5, 60)]
    assert [f.name for f in to_metrics(paid(), "1", raw(*rows), SOURCES, WINDOW).findings] == ["impossible_metric"]


@given(st.lists(st.integers(0, 11), min_size=1, max_size=5, unique=True))
def test_a_repeated_row_is_never_summed_twice(repeated: list[int]) -> None:
    frame = raw(*full(), *[full()[at] for at in repeated])
    pulled = to_metrics(paid(), "1", frame, SOURCES, WINDOW)
    assert set(by_key(pulled.frame, "spend_micros").values()) <= {1_000_000, 2_000_000}
    assert {f.name for f in pulled.findings} == {"duplicate_row"}
    assert len(pulled.findings) == len(repeated)


def test_a_campaign_of_no_segment_is_named_once_with_its_totals_and_counted_nowhere() -> None:
    frame = raw(*full(), ("99", DAYS[0], 3_500_000, 40, 4), ("99", DAYS[1], 500_000, 4, 1))
    pulled = to_metrics(paid(), "1", frame, SOURCES, WINDOW)
    (finding,) = pulled.findings
    assert finding.subject == "1/99" and "spend 4.00" in finding.detail
    assert sum(pulled.frame["spend_micros"]) == 12_000_000


@given(st.permutations(range(12)))
@pytest.mark.long
def test_the_order_of_rows_does_not_matter(order: list[int]) -> None:
    straight = to_metrics(paid(), "1", raw(*full()), SOURCES, WINDOW).frame
    shuffled = to_metrics(paid(), "1", raw(*[full()[at] for at in order]), SOURCES, WINDOW).frame
    pd.testing.assert_frame_equal(straight, shuffled)


def test_a_page_belongs_to_its_longest_prefix_and_only_at_a_path_boundary() -> None:
    sources = pd.DataFrame(
        [("/schilder", "all"), ("/schilder/utrecht", "utrecht")], columns=["external_id", "segment_id"]
    )
    pages = pd.Series(["/schilder/utrecht/prijs", "/schilder/utrechtse-heuvelrug", "/schilder", "/schilders", "/"])
    found = match_longest_prefix(pages, sources)
    assert [None if pd.isna(segment) else segment for segment in found] == ["utrecht", "all", "all", None, None]


def test_a_property_without_any_session_is_an_empty_report_and_no_crash() -> None:
    from lead_demand.channels.ga4 import Ga4, _by_external_id

    columns = ["date", "host", "page", "group", "sessions", "leads"]
    empty = _by_external_id(pd.DataFrame([], columns=columns))
    sources = pd.DataFrame([("schilder.example", "s1", "schilder_utrecht")], columns=list(SOURCES))
    pulled = to_metrics(Ga4(), "3", empty, sources, WINDOW)
    assert pulled.frame.empty and [f.name for f in pulled.findings] == ["empty_report"]


def test_spend_of_no_segment_is_named_once_it_grows_and_only_then() -> None:
    window = Window(date(2026, 3, 1), date(2026, 3, 14))
    days = [day.date().isoformat() for day in pd.date_range(window.first, window.last)]

    def growing(before: int, newest: int) -> list[str]:
        spend = [("11", day, 10_000_000, 100, 10) for day in days]
        orphans = [("99", day, newest if day in days[-3:] else before, 100, 10) for day in days]
        pulled = to_metrics(paid(), "1", raw(*spend, *orphans), SOURCES, window)
        return [f"{f.level} {f.detail}" for f in pulled.findings if f.name == "unmatched_spend_growing"]

    (found,) = growing(2_000_000, 5_000_000)
    assert found.startswith("warn ") and "€5.00 per day" in found and "€2.00 before" in found and "33%" in found
    assert growing(2_000_000, 2_500_000) == [], "as much as ever"
    assert growing(0, 100_000) == [], "a hundredth of the account"


PAGES = pd.DataFrame(
    [
        ("//x.nl/a", "s1", "schilder_utrecht", "sc-domain:x.nl", ["sc-domain:x.nl"]),
        ("/b", "s2", "dakdekker_limburg", "sc-domain:x.nl", ["sc-domain:x.nl"]),
    ],
    columns=["external_id", "segment_id", "segment", "account", "sites"],
)
CHANNELS: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "google_ads": (("11", "21"), ["11", "12", "99"]),
    "search_console": (("//x.nl/a", "/b"), ["x.nl/a", "x.nl/a/c", "x.nl/q", "staging.x.nl/a", "x.nl"]),
    "ga4": (("path:/a", "micro.nl"), ["x.nl|/a", "x.nl|/a/c", "micro.nl|/", "staging.x.nl|/a", "x.nl|(not set)"]),
}


@pytest.mark.parametrize("name", CHANNELS)
@given(st.data())
@settings(deadline=None, max_examples=40)
def test_whatever_few_rows_sources_and_days_there_are_every_channel_adds_up(name: str, data: st.DataObject) -> None:
    """No rows, none that matches, one row, one segment, one day, no sources: no crash, no row twice, nothing lost."""
    from lead_demand.channels import registry

    channel: Any = registry.get(name) if name != "google_ads" else paid()
    metrics = list(channel.metrics)
    external, keys = CHANNELS[name]
    sources = PAGES.assign(external_id=list(external)).iloc[: data.draw(st.integers(0, 2))]
    window = Window(WINDOW.first, data.draw(st.sampled_from([WINDOW.first, WINDOW.last])))
    days = [day for day in DAYS if day <= str(window.last)]
    given_rows = data.draw(
        st.lists(st.tuples(st.sampled_from(keys), st.sampled_from(days)), unique=True, max_size=len(keys) * len(days))
    )
    frame = pd.DataFrame(
        [(*row, *(10 for _ in metrics), 10, True) for row in given_rows],
        columns=["external_id", "date", *metrics, "sessions", "is_final"],
    ).astype({"is_final": bool})
    partial = data.draw(st.sets(st.sampled_from(days)))
    doubts = [Doubt("is partial", "Do.", frozenset(partial))] if partial else []
    pulled = to_metrics(channel, "sc-domain:x.nl", frame, sources, window, None, doubts)
    assert not pulled.frame.duplicated(["segment_id", "date"]).any()
    assert set(pulled.frame["segment_id"]) <= set(sources["segment_id"])
    assert {str(kind) for kind in pulled.frame.dtypes[metrics]} <= {"Int64"}
    unsure = pulled.frame[pulled.frame["date"].isin(partial)]
    assert not unsure["is_final"].any() and (unsure[metrics] > 0).any(axis=1).all()
    assert pulled.matched is not None
    matched = pulled.matched[pulled.matched["segment_id"].notna()]
    assert pulled.frame[metrics].sum().to_dict() == matched[metrics].sum().to_dict()
