"""What Google Ads says about the world: the answer to one GAQL query, as rows of plain values.

Served resources: campaign, campaign_budget, customer, customer_client, currency_constant, change_event; the first
three also with ``segments.date`` and ``metrics``. A field that Google Ads has and this sandbox lacks is refused by
name, never answered with a silent default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np

from sandbox.google import gaql
from sandbox.world import catalogue
from sandbox.world.state import BudgetChange, Edit, State
from sandbox.world.world import MAX_LOST_SHARE, Day

Row = dict[str, Any]

BILLABLE_UNIT_MICROS = {"EUR": 10_000, "USD": 10_000, "JPY": 1_000_000}
METRICS = (
    "cost_micros", "clicks", "impressions", "conversions", "search_budget_lost_impression_share",
    "search_impression_share",
)  # fmt: skip
_NO_SHARES: dict[str, float | None] = dict.fromkeys(METRICS[4:])
_ON_SEARCH = ("SEARCH", "SHOPPING")  # the types of campaigns that have shares of searches
_CONSTRAINED = 0.9  # of what the market absorbs: below it the budget is the limit
_OUTRANKED = 0.3  # of the searches that the budget leaves: other advertisers are shown on them
_LEAST_SHARE = 0.0999  # Google Ads never reports less
_CHANGE_EVENT_DAYS, _CHANGE_EVENT_LIMIT = 30, 10_000


class QueryRefused(Exception):
    """Google Ads would answer INVALID_ARGUMENT; ``error`` is (field of ErrorCode, enum value)."""

    def __init__(self, error: tuple[str, str], message: str) -> None:
        super().__init__(message)
        self.error, self.message = error, message


@dataclass
class Entity:
    """One row without segments; ``campaigns`` are the positions whose metrics it sums on its days."""

    row: Row
    campaigns: list[int] = field(default_factory=list)
    first: date = date.min  # the days that are its own
    last: date = date.max


def value(row: Row, path: str) -> Any:
    """The value at a dotted path, None where it is unset."""
    node: Any = row
    for part in path.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node


# -- entities -----------------------------------------------------------------------------------------------------


def _customer(state: State, customer: str) -> Row:
    return {
        "resource_name": f"customers/{customer}",
        "id": int(customer),
        "descriptive_name": catalogue.CUSTOMERS.get(customer, "Vakwerkgids"),
        "currency_code": catalogue.CURRENCY,
        "time_zone": catalogue.TIME_ZONE,
        "manager": customer == catalogue.MANAGER,
        "status": "ENABLED",
        "test_account": False,
        "auto_tagging_enabled": True,
    } | state.edited(f"customers/{customer}")


def _room(state: State, position: int) -> float:
    """The campaign's budget as a share of what its market absorbs."""
    campaign = state.catalogue.campaigns[position]
    owner = state.catalogue.budgets[campaign.budget]
    return state.amounts[owner.resource_name] / 1_000_000 * campaign.share / campaign.market


def _campaign(state: State, position: int) -> Row:
    campaign = state.catalogue.campaigns[position]
    edited = state.edited(campaign.resource_name)
    is_constrained = _room(state, position) < _CONSTRAINED
    if campaign.learning:
        status, reasons, system = "LEARNING", ["BIDDING_STRATEGY_LEARNING"], "LEARNING_BUDGET_CHANGE"
    elif is_constrained:
        status, reasons, system = "LIMITED", ["BUDGET_CONSTRAINED"], "LIMITED_BY_BUDGET"
    else:
        status, reasons, system = "ELIGIBLE", [], "ENABLED"
    if campaign.learning and is_constrained:
        reasons.append("BUDGET_CONSTRAINED")
    stopped = _stopped(edited, state.now())
    if stopped:
        status, reasons, system = stopped[0], [stopped[1]], "PAUSED"
    return {
        "resource_name": campaign.resource_name,
        "id": campaign.id,
        "name": campaign.name,
        "status": "ENABLED",
        "serving_status": "SERVING",
        "primary_status": status,
        "primary_status_reasons": reasons,
        "bidding_strategy_type": "MAXIMIZE_CONVERSIONS",
        "bidding_strategy_system_status": system,
        "advertising_channel_type": "SEARCH",
        "experiment_type": "BASE",
        "base_campaign": campaign.resource_name,
        "start_date_time": f"{state.first_day} 00:00:00",
        "end_date_time": None,
        "campaign_budget": state.catalogue.budgets[campaign.budget].resource_name,
    } | edited


def _stopped(edited: Row, now: datetime) -> tuple[str, str] | None:
    """The primary status and its reason of a campaign that a person paused or gave other dates."""
    at = f"{now:%Y-%m-%d %H:%M:%S}"
    if edited.get("experiment_type") == "DRAFT":
        return "NOT_ELIGIBLE", "CAMPAIGN_DRAFT"
    if edited.get("status") == "PAUSED":
        return "PAUSED", "CAMPAIGN_PAUSED"
    if edited.get("end_date_time") and edited["end_date_time"] < at:
        return "ENDED", "CAMPAIGN_ENDED"
    if edited.get("start_date_time", "") > at:
        return "PENDING", "CAMPAIGN_PENDING"
    return None


def _is_gone(state: State, position: int) -> bool:
    """Whether a campaign was removed and nothing took its place."""
    became = state.campaign_state(state.catalogue.campaigns[position].id)
    return became is not None and became.status == "REMOVED" and not became.successor


def _identities(state: State, position: int) -> Iterator[tuple[Row, date, date]]:
    """A campaign's row with the days that are its own: a removed one shares them with the one that replaced it."""
    row, became = _campaign(state, position), state.campaign_state(state.catalogue.campaigns[position].id)
    if became is None:
        yield row, date.min, date.max
        return
    ended: Row = {"status": became.status, "serving_status": "ENDED" if became.status == "REMOVED" else "SUSPENDED"}
    ended |= {"primary_status": became.status, "primary_status_reasons": [f"CAMPAIGN_{became.status}"]}
    yield row | ended, date.min, became.since - timedelta(days=1)
    if became.successor:
        customer = row["resource_name"].split("/")[1]
        name = f"customers/{customer}/campaigns/{became.successor}"
        yield row | {"id": became.successor, "resource_name": name}, became.since, date.max


def _budget(state: State, position: int) -> Row:
    budget, users = state.catalogue.budgets[position], state.campaigns_of_budget(position)
    micros = state.amounts[budget.resource_name]
    room = min((_room(state, c) for c in users), default=1.0)
    is_recommended = room < _CONSTRAINED
    unit = BILLABLE_UNIT_MICROS[catalogue.CURRENCY]
    return {
        "resource_name": budget.resource_name,
        "id": budget.id,
        "name": budget.name,
        "status": "ENABLED",
        "period": "DAILY",
        "type": "STANDARD",
        "delivery_method": "STANDARD",
        "amount_micros": micros,
        "total_amount_micros": None,  # only budgets with a custom period have one
        "explicitly_shared": budget.shared,
        "reference_count": sum(not _is_gone(state, user) for user in users),
        "has_recommended_budget": is_recommended,
        # What the markets of its campaigns absorb; where there is nothing to recommend, the amount in force.
        "recommended_budget_amount_micros": int(micros / room) // unit * unit if is_recommended else micros,
    } | state.edited(budget.resource_name)


def _change(state: State, change: BudgetChange, campaign: str) -> Row:
    customer = change.resource_name.split("/")[1]
    return {
        "resource_name": f"customers/{customer}/changeEvents/{int(change.at.timestamp() * 1e6)}~0~{change.id}",
        "change_date_time": change.at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "change_resource_type": "CAMPAIGN_BUDGET",
        "change_resource_name": change.resource_name,
        "client_type": change.client_type,
        "user_email": change.user_email,
        "resource_change_operation": "UPDATE",
        "changed_fields": ["amount_micros"],
        "campaign": campaign,
        "old_resource": {"campaign_budget": {"amount_micros": change.old_micros}},
        "new_resource": {"campaign_budget": {"amount_micros": change.new_micros}},
    }


def _edit(edit: Edit) -> Row:
    customer, kind = edit.resource_name.split("/")[1:3]
    resource = {"campaigns": "campaign", "campaignBudgets": "campaign_budget"}[kind]
    return {
        "resource_name": f"customers/{customer}/changeEvents/{int(edit.at.timestamp() * 1e6)}~1~{edit.id}",
        "change_date_time": edit.at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "change_resource_type": resource.upper(),
        "change_resource_name": edit.resource_name,
        "client_type": "GOOGLE_ADS_WEB_CLIENT",
        "user_email": edit.user_email,
        "resource_change_operation": edit.operation,
        "changed_fields": sorted(edit.fields),
        "campaign": edit.resource_name if kind == "campaigns" else None,
        "old_resource": None,
        "new_resource": {resource: edit.fields},
    }


def _campaigns(state: State, customer: str) -> Iterator[Entity]:
    for position, campaign in enumerate(state.catalogue.campaigns):
        if campaign.customer == customer:
            for identity, first, last in _identities(state, position):
                row = {"campaign": identity, "campaign_budget": _budget(state, state.budget_of(position))}
                yield Entity({"customer": _customer(state, customer), **row}, [position], first, last)


def _budgets(state: State, customer: str) -> Iterator[Entity]:
    for position, budget in enumerate(state.catalogue.budgets):
        if budget.customer == customer:
            row = {"customer": _customer(state, customer), "campaign_budget": _budget(state, position)}
            yield Entity(row, state.campaigns_of_budget(position))


def _customers(state: State, customer: str) -> Iterator[Entity]:
    own = [n for n, c in enumerate(state.catalogue.campaigns) if c.customer == customer]
    yield Entity({"customer": _customer(state, customer)}, own)


def _customer_clients(state: State, customer: str) -> Iterator[Entity]:
    below = [customer, *catalogue.CUSTOMERS] if customer == catalogue.MANAGER else [customer]
    kept = ("id", "descriptive_name", "manager", "currency_code", "time_zone", "status", "test_account")
    for client in below:
        facts = _customer(state, client)
        row = {name: facts[name] for name in kept} | {
            "resource_name": f"customers/{customer}/customerClients/{client}",
            "client_customer": f"customers/{client}",
            "level": int(client != customer),
            "hidden": False,
        }
        yield Entity({"customer": _customer(state, customer), "customer_client": row})


def _currencies(state: State, customer: str) -> Iterator[Entity]:
    for code, unit in BILLABLE_UNIT_MICROS.items():
        row = {"resource_name": f"currencyConstants/{code}", "code": code, "billable_unit_micros": unit}
        yield Entity({"currency_constant": row})


def _change_events(state: State, customer: str) -> Iterator[Entity]:
    position = {b.resource_name: n for n, b in enumerate(state.catalogue.budgets)}
    for change in state.changes(state.today() - timedelta(days=_CHANGE_EVENT_DAYS)):
        if change.resource_name.startswith(f"customers/{customer}/"):
            users = state.campaigns_of_budget(position[change.resource_name])
            for name in [state.catalogue.campaigns[n].resource_name for n in users] or [""]:
                row = _change(state, change, name)
                yield Entity({"customer": _customer(state, customer), "change_event": row})
    # What Google worked out by itself, such as a status, is no edit of anybody.
    for edit in state.edits(state.today() - timedelta(days=_CHANGE_EVENT_DAYS)):
        if edit.user_email and edit.resource_name.startswith(f"customers/{customer}/c"):
            yield Entity({"customer": _customer(state, customer), "change_event": _edit(edit)})


RESOURCES: dict[str, Callable[[State, str], Iterator[Entity]]] = {
    "campaign": _campaigns,
    "campaign_budget": _budgets,
    "customer": _customers,
    "customer_client": _customer_clients,
    "currency_constant": _currencies,
    "change_event": _change_events,
}


# -- one query ----------------------------------------------------------------------------------------------------


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
        oldest = str(today - timedelta(days=_CHANGE_EVENT_DAYS))
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
    """A row an entity, or a row an (entity, day) where the date is selected, made as they are taken.

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
