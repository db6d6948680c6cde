"""The answer to one GAQL query, as rows of plain values.

campaign, campaign_budget and customer also come with ``segments.date`` and ``metrics``. A field that Google Ads has and
this sandbox lacks is refused by name, never answered with a silent default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import islice
from typing import Any

import numpy as np

from sandbox.google import gaql
from sandbox.google.resources import CHANGE_EVENT_DAYS, RESOURCES, Entity, Row
from sandbox.world import catalogue
from sandbox.world.state import State
from sandbox.world.world import MAX_LOST_SHARE, Day

METRICS = (
    "cost_micros", "clicks", "impressions", "conversions", "search_budget_lost_impression_share",
    "search_impression_share",
)  # fmt: skip
_NO_SHARES: dict[str, float | None] = dict.fromkeys(METRICS[4:])
_ON_SEARCH = ("SEARCH", "SHOPPING")  # the types of campaigns that have shares of searches
_OUTRANKED = 0.3  # of the searches that the budget leaves: other advertisers are shown on them
_LEAST_SHARE = 0.0999  # Google Ads never reports less
_CHANGE_EVENT_LIMIT = 10_000


class QueryRefused(Exception):
    """Google Ads would answer INVALID_ARGUMENT; ``error`` is (field of ErrorCode, enum value)."""

    def __init__(self, error: tuple[str, str], message: str) -> None:
        super().__init__(message)
        self.error, self.message = error, message


def value(row: Row, path: str) -> Any:  # noqa: ANN401 - of the type of its field
    """The value at a dotted path, None where it is unset."""
    node: Any = row
    for part in path.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node


def _check(query: gaql.Query, customer: str, today: date) -> None:
    """The refusals of Google Ads that a report is likely to run into."""

    def refuse(code: str, message: str, kind: str = "query_error") -> None:
        raise QueryRefused((kind, code), message)

    if query.resource not in RESOURCES:
        refuse("BAD_RESOURCE_TYPE_IN_FROM_CLAUSE", f"'{query.resource}' is not a resource that the sandbox serves.")
    for name in query.fields:
        if name.startswith("metrics.") and name.removeprefix("metrics.") not in METRICS:
            refuse("UNRECOGNIZED_FIELD", f"The sandbox does not serve '{name}'.")
        if name.startswith("segments.") and name != "segments.date":
            refuse("UNRECOGNIZED_FIELD", f"The sandbox does not serve '{name}'.")
    has_metrics = any(name.startswith("metrics.") for name in query.select)
    if has_metrics and query.resource not in ("campaign", "campaign_budget", "customer"):
        refuse("PROHIBITED_METRIC_IN_SELECT_OR_WHERE_CLAUSE", f"'{query.resource}' has no metrics.")
    if has_metrics and customer == catalogue.MANAGER:
        refuse("REQUESTED_METRICS_FOR_MANAGER", "Metrics cannot be requested for a manager account.")
    dates = [c for c in query.where if c.field == "segments.date"]
    if "segments.date" in query.select and not dates:
        refuse("EXPECTED_FILTERS_ON_DATE_RANGE", "Missing filters on date related fields.")
    if query.resource == "change_event":
        bounds = {c.op[0]: c.value for c in query.where if c.field == "change_event.change_date_time"}
        first = bounds.get(">", bounds.get("="))
        oldest = str(today - timedelta(days=CHANGE_EVENT_DAYS))
        if "=" not in bounds and not {">", "<"} <= bounds.keys():
            refuse("CHANGE_DATE_RANGE_INFINITE", "The change date range must be finite.", "change_event_error")
        if first is not None and first[:10] < oldest:
            refuse("START_DATE_TOO_OLD", "The start date is more than 30 days ago.", "change_event_error")
        if query.limit is None:
            refuse("LIMIT_NOT_SPECIFIED", "A LIMIT must be given.", "change_event_error")
        elif query.limit > _CHANGE_EVENT_LIMIT:
            refuse("INVALID_LIMIT_CLAUSE", "The LIMIT must be at most 10,000.", "change_event_error")


def _served(entity: Entity, query: gaql.Query) -> None:
    for name in query.fields:
        resource, _, rest = name.partition(".")
        if resource not in ("metrics", "segments") and rest.partition(".")[0] not in entity.row.get(resource, {}):
            message = f"The sandbox does not serve '{name}' from '{query.resource}'."
            raise QueryRefused(("query_error", "UNRECOGNIZED_FIELD"), message)


class _Numbers:
    """The metrics of some days, per campaign."""

    def __init__(self, days: list[Day], campaigns: int) -> None:
        shape = (len(days), campaigns)
        self._sums = np.array(
            [
                np.reshape([getattr(day, name) for day in days], shape)
                for name in ("spend_micros", "clicks", "impressions", "paid_leads")
            ]
        )
        # What it could have been shown on, were it not for other advertisers.
        self._searches = self._sums[2] / (1 - np.reshape([day.lost_share for day in days], shape))

    def _row(self, sums: list[int], searches: float) -> Row:
        """Shares are of searches; without any there are none."""
        spend, clicks, impressions, leads = sums
        lost, shown = _NO_SHARES.values()
        if searches:
            afforded = impressions / searches
            lost, shown = min(1 - afforded, MAX_LOST_SHARE), max(afforded * (1 - _OUTRANKED), _LEAST_SHARE)
        return dict(zip(METRICS, (spend, clicks, impressions, float(leads), lost, shown), strict=True))

    def total(self, campaigns: list[int], of_days: list[bool]) -> Row:
        # The campaigns first: they are few, and what is picked is copied.
        sums, searches = self._sums[:, :, campaigns][:, of_days], self._searches[:, campaigns][of_days]
        return self._row(sums.sum(axis=(1, 2)).tolist(), float(searches.sum()))

    def by_day(self, campaigns: list[int]) -> Iterator[Row]:
        sums = self._sums[:, :, campaigns].sum(axis=2).T.tolist()
        searches = self._searches[:, campaigns].sum(axis=1).tolist()
        return map(self._row, sums, searches)


def _with_metrics(state: State, customer: str, query: gaql.Query, entities: Iterable[Entity]) -> Iterator[Row]:
    """One row per entity, or per (entity, day) where the date is selected, made as they are taken.

    With the date selected Google Ads leaves out rows whose selected metrics are all zero; filtering on it alone keeps
    them.
    """
    on_date = [c for c in query.where if c.field == "segments.date"]
    hidden = state.account_days(customer).hidden
    dates = [
        day for day in state.dates(date.min, date.max) if day not in hidden and all(c.holds(str(day)) for c in on_date)
    ]
    numbers = _Numbers([state.day(day) for day in dates], len(state.catalogue.campaigns))
    selected = [name.removeprefix("metrics.") for name in query.select if name.startswith("metrics.")]
    segments = [{"date": str(day)} for day in dates]

    def given(entity: Entity, metrics: Row) -> Row:
        kind = entity.row.get("campaign", {}).get("advertising_channel_type", "SEARCH")
        return metrics if kind in _ON_SEARCH else metrics | _NO_SHARES

    def daily() -> Iterator[Row]:
        for entity in entities:
            for day, segment, metrics in zip(dates, segments, numbers.by_day(entity.campaigns), strict=True):
                if entity.first <= day <= entity.last and any(map(metrics.__getitem__, selected or ("impressions",))):
                    yield {**entity.row, "segments": segment, "metrics": given(entity, metrics)}

    if "segments.date" in query.select:
        return daily()
    return (
        {**entity.row, "metrics": given(entity, numbers.total(entity.campaigns, of_days))}
        for entity in entities
        for of_days in [[entity.first <= day <= entity.last for day in dates]]
    )


def search(state: State, customer: str, text: str) -> tuple[gaql.Query, Iterator[Row]]:
    """The rows of a GAQL query as the world stands now, however late they are taken.

    Raises gaql.GaqlError or QueryRefused, before the first row.
    """
    query = gaql.parse(text, state.today())
    _check(query, customer, state.today())

    entities = list(RESOURCES[query.resource](state, customer))
    if entities:
        _served(entities[0], query)
    plain = [c for c in query.where if not c.field.startswith(("metrics.", "segments."))]
    kept = [e for e in entities if all(c.holds(value(e.row, c.field)) for c in plain)]
    if any(name.startswith(("metrics.", "segments.")) for name in query.fields):
        on_metrics = [c for c in query.where if c.field.startswith("metrics.")]
        rows = _with_metrics(state, customer, query, kept)
        if on_metrics:
            rows = (row for row in rows if all(c.holds(value(row, c.field)) for c in on_metrics))
    else:
        rows = (entity.row for entity in kept)
    for name, descending in reversed(query.order):
        rows = iter(sorted(rows, key=lambda row: (value(row, name) is not None, value(row, name)), reverse=descending))
    return query, islice(rows, query.limit)
