"""Fields of the API's messages as plain values: enums by name, times without a zone, amounts in micros."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from lead_demand.channels.google_ads import campaign_states

if TYPE_CHECKING:
    from google.protobuf.descriptor import EnumDescriptor


class Message(Protocol):
    """A message of the API as its client gives it: which fields it has is known at run time only."""

    def __getattr__(self, field: str) -> Any: ...  # noqa: ANN401


def given(message: Message, field: str) -> float | None:
    """A number that may be left out; None where it is."""
    value: float | None = getattr(message, field) if message.HasField(field) else None
    return value


def moment(account_time: str) -> datetime | None:
    """The API gives the account's local time without a zone; accounts of another zone are never budgeted. None where it
    gives none, or no time.
    """
    try:
        found = datetime.fromisoformat(account_time).replace(tzinfo=None)
        return found if found.year > 1 else None  # the first year has no day before it
    except ValueError:
        return None


def whole_micros(amount: float) -> float:
    """An amount with its fraction as whole micros; what is no number stays what it is."""
    return round(amount * 1_000_000) if math.isfinite(amount) else amount


def enum_name(message: Message, field: str) -> str:
    return _name_of(message.DESCRIPTOR.fields_by_name[field].enum_type, getattr(message, field))


def enum_names(message: Message, field: str) -> tuple[str, ...]:
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    return tuple(_name_of(enum, number) for number in getattr(message, field))


def _name_of(enum: EnumDescriptor, number: int) -> str:
    """A number that this version of the API has no name for is unknown."""
    value = enum.values_by_number.get(number)
    return str(value.name) if value else campaign_states.UNKNOWN
