"""What a request may ask for: each parameter with its bounds, and the keys that pages go on after."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from fastapi import Query

from lead_demand.runs import day

# PostgreSQL takes every character but this one.
_TEXT = r"^[^\x00]*$"
EARLIEST = date(2000, 1, 1)
LOG_DAYS = 30

Text = Annotated[str | None, Query(max_length=100, pattern=_TEXT)]
Cursor = Annotated[str | None, Query(max_length=600, pattern=r"^[A-Za-z0-9_-]*$")]
Day = Annotated[date | None, Query()]
Days = Annotated[int, Query(ge=1, le=366)]
Action = Annotated[Literal["increase", "decrease", "hold", "short", "over", ""] | None, Query()]
Sort = Annotated[Literal["gap", "euros", "name"], Query()]
Group = Annotated[Literal["person", "changed", "held", ""] | None, Query()]
Kind = Annotated[
    Literal[
        "change", "increase", "decrease", "plan", "revert", "manual", "edit", "limit", "hold", "approval", "failed", ""
    ]
    | None,
    Query(),
]
Status = Annotated[Literal["pending", "success", "failed", ""] | None, Query()]


class BadParameter(Exception):
    """A parameter that no type can refuse. `name` says which, `why` what is wrong with it."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name, self.why = name, why


def chosen_day(given: date | None, name: str = "day") -> date:
    """The day that was asked for, else today. Raises BadParameter for one that has not come or is too long ago."""
    today = day.today()
    if given is None:
        return today
    if not EARLIEST <= given <= today:
        raise BadParameter(name, f"a day from {EARLIEST} to {today}")
    return given


def span(first: date | None, last: date | None) -> tuple[date, date]:
    """The days of the log, both included: by default the last LOG_DAYS up to the last one. Raises BadParameter."""
    until = chosen_day(last, "to")
    since = until - timedelta(days=LOG_DAYS) if first is None else chosen_day(first, "from")
    if since > until:
        raise BadParameter("from", "a day that is not after `to`")
    return since, until


def row_key(after: str | None) -> dict[str, Any]:
    """The key of the last row of a list, as `select_day_groups.sql` gave it; all None = from the start. Raises
    BadParameter.
    """
    if not after:
        return {"after_urgency": None, "after_weight": None, "after_code": None}
    try:
        urgency, weight, code = json.loads(_decoded(after))
        amount = Decimal(weight)
        if not (isinstance(urgency, int) and amount.is_finite() and isinstance(code, str)):
            raise ValueError
    except (ValueError, TypeError, InvalidOperation) as error:
        raise BadParameter("after", "the `next` of an earlier answer") from error
    return {"after_urgency": urgency, "after_weight": amount, "after_code": code}


def log_key(after: str | None) -> dict[str, Any]:
    """Likewise of the log: the key that `log_cursor` made."""
    if not after:
        return {"after_day": None, "after_at": None, "after_id": None}
    try:
        of_day, at, row = json.loads(_decoded(after))
        return {"after_day": date.fromisoformat(of_day), "after_at": datetime.fromisoformat(at), "after_id": str(row)}
    except (ValueError, TypeError) as error:
        raise BadParameter("after", "the `next` of an earlier answer") from error


def log_cursor(of_day: date, at: datetime, row: str) -> str:
    """The key of a row of the log as one word."""
    text = json.dumps([of_day.isoformat(), at.isoformat(), row])
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(word: str) -> str:
    try:
        text = urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode()
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    if "\x00" in text or "\\u0000" in text:
        raise ValueError("a character that no key has")
    return text
