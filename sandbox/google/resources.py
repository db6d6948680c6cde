"""What Google Ads says about the world: its resources, each as rows of plain values without segments and metrics.

Served resources: campaign, campaign_budget, customer, customer_client, currency_constant, change_event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sandbox.world import catalogue
from sandbox.world.records import BudgetChange, Edit
from sandbox.world.state import State

Row = dict[str, Any]

BILLABLE_UNIT_MICROS = {"EUR": 10_000, "USD": 10_000, "JPY": 1_000_000}
_CONSTRAINED = 0.9  # of what the market absorbs: below it the budget is the limit
CHANGE_EVENT_DAYS = 30


@dataclass
class Entity:
    """One row without segments; ``campaigns`` are the positions whose metrics it sums on its days."""

    row: Row
    campaigns: list[int] = field(default_factory=list)
    first: date = date.min  # the days that are its own
    last: date = date.max


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
    for change in state.changes(state.today() - timedelta(days=CHANGE_EVENT_DAYS)):
        if change.resource_name.startswith(f"customers/{customer}/"):
            users = state.campaigns_of_budget(position[change.resource_name])
            for name in [state.catalogue.campaigns[n].resource_name for n in users] or [""]:
                row = _change(state, change, name)
                yield Entity({"customer": _customer(state, customer), "change_event": row})
    # What Google worked out by itself, such as a status, is no edit of anybody.
    for edit in state.edits(state.today() - timedelta(days=CHANGE_EVENT_DAYS)):
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
