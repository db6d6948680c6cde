"""What the state is made of: its tables, and a row of each as the rest of the sandbox sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

SCHEMA = """
create table if not exists meta (key text primary key, value text not null) without rowid;
create table if not exists budget_changes (
    id integer primary key, resource_name text not null, at text not null, old_micros integer,
    new_micros integer not null, user_email text not null, client_type text not null
);
create table if not exists edits (
    id integer primary key, resource_name text not null, at text not null, fields text not null,
    user_email text, operation text not null
);
create table if not exists faults (
    id integer primary key, method text not null, kind text not null, times integer not null, args text not null
);
create table if not exists campaign_states (
    campaign integer primary key, status text not null, since text not null, successor integer
);
create table if not exists account_days (
    customer text primary key, rests_on text not null, hidden text not null
);
"""


@dataclass(frozen=True)
class CampaignState:
    """What a person made of a campaign from a day on: PAUSED, REMOVED, or REMOVED with a ``successor`` (a campaign id)
    that goes on with its budget and its searches.
    """

    status: str
    since: date
    successor: int | None = None


@dataclass(frozen=True)
class AccountDays:
    """``rests_on``: weekdays (Monday 0) on which no ad of the account is shown; ``hidden``: days whose rows its reports
    lack although there was activity; these also of a site or a property.
    """

    rests_on: frozenset[int] = frozenset()
    hidden: frozenset[date] = frozenset()


@dataclass(frozen=True)
class BudgetChange:
    """One edit of a budget. ``at`` is Amsterdam time; ``old_micros`` is None where the budget was made."""

    id: int
    resource_name: str
    at: datetime
    old_micros: int | None
    new_micros: int
    user_email: str
    client_type: str


@dataclass(frozen=True)
class Edit:
    """Fields of a campaign, a budget or a customer as a person set them, or as Google works them out (no user)."""

    id: int
    resource_name: str
    at: datetime
    fields: dict[str, Any]
    user_email: str | None
    operation: str
