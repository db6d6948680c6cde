"""The part of the Google Ads Query Language that reports and budget tools use: parsing and conditions."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any

_CLAUSES = re.compile(
    r"^\s*SELECT\s+(?P<select>.+?)\s+FROM\s+(?P<resource>[a-z_]+)(?:\s+WHERE\s+(?P<where>.+?))?"
    r"(?:\s+ORDER\s+BY\s+(?P<order>.+?))?(?:\s+LIMIT\s+(?P<limit>\d+))?(?:\s+PARAMETERS\s+.+?)?\s*;?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_VALUE = r"'[^']*'|\"[^\"]*\"|[^\s)]+"
_CONDITION = re.compile(
    rf"""\s*(?P<field>[a-z_.0-9]+)\s*(?:
        \bBETWEEN\s+(?P<low>{_VALUE})\s+AND\s+(?P<high>{_VALUE})
      | \bDURING\s+(?P<range>[A-Z0-9_]+)
      | \bIS\s+(?P<is>NOT\s+NULL|NULL)
      | (?P<list_op>NOT\s+IN|IN|CONTAINS\s+ANY|CONTAINS\s+ALL|CONTAINS\s+NONE)\s*\((?P<list>[^)]*)\)
      | (?P<op>!=|>=|<=|=|>|<|NOT\s+LIKE|LIKE)\s*(?P<value>{_VALUE})
    )\s*(?P<and>AND\b|$)""",
    re.IGNORECASE | re.VERBOSE,
)
_RANGES = {
    "TODAY": (0, 0),
    "YESTERDAY": (1, 1),
    "LAST_7_DAYS": (7, 1),
    "LAST_14_DAYS": (14, 1),
    "LAST_30_DAYS": (30, 1),
}


class GaqlError(Exception):
    """A query that Google Ads would refuse; ``code`` is a value of its QueryErrorEnum."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Condition:
    """``field op value``; the value is a string, a tuple of strings (lists), or None (IS NULL)."""

    field: str
    op: str
    value: Any

    @cached_property
    def _listed(self) -> frozenset[str]:
        return frozenset(self.value)

    def holds(self, have: object) -> bool:
        """Whether a row whose field is ``have`` passes. Numbers compare as numbers, the rest as text."""
        if self.op.startswith("IS"):
            return (have is None) == (self.op == "IS NULL")
        if self.op.startswith("CONTAINS"):
            listed: Collection[object] = have if isinstance(have, Collection) else ()
            found = [value in listed for value in self.value]
            return {"ANY": any(found), "ALL": all(found), "NONE": not any(found)}[self.op.split()[1]]
        if have is None:
            return False
        if isinstance(have, bool):
            have = str(have).upper()
            return (have == str(self.value).upper()) == (self.op == "=")
        if self.op in ("IN", "NOT IN"):
            return (str(have) in self._listed) == (self.op == "IN")
        if self.op.endswith("LIKE"):
            pattern = re.escape(self.value).replace("%", ".*").replace("_", ".")
            return bool(re.fullmatch(pattern, str(have), re.IGNORECASE | re.DOTALL)) == (self.op == "LIKE")
        left: Any
        left, right = (have, float(self.value)) if isinstance(have, (int, float)) else (str(have), self.value)
        return {
            "=": left == right, "!=": left != right, ">": left > right,
            ">=": left >= right, "<": left < right, "<=": left <= right,
        }[self.op]  # fmt: skip


@dataclass(frozen=True)
class Query:
    """A parsed query; ``order`` holds (field, descending)."""

    select: tuple[str, ...]
    resource: str
    where: tuple[Condition, ...]
    order: tuple[tuple[str, bool], ...]
    limit: int | None
    fields: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        used = {*self.select, *(c.field for c in self.where), *(name for name, _ in self.order)}
        object.__setattr__(self, "fields", frozenset(used))


def _literal(text: str) -> str:
    text = text.strip()
    return text[1:-1] if text[:1] in ("'", '"') else text


def _conditions(text: str, today: date) -> list[Condition]:
    found: list[Condition] = []
    at = 0
    while at < len(text):
        match = _CONDITION.match(text, at)
        if not match or (match["and"] and match.end() == len(text)):
            raise GaqlError("UNEXPECTED_INPUT", f"Error in WHERE clause: unexpected input near {text[at : at + 30]!r}.")
        at, name = match.end(), match["field"]
        if match["low"]:
            found += [Condition(name, ">=", _literal(match["low"])), Condition(name, "<=", _literal(match["high"]))]
        elif match["range"]:
            if match["range"].upper() not in _RANGES:
                raise GaqlError("INVALID_VALUE_WITH_DURING_OPERATOR", f"Invalid date range literal {match['range']}.")
            first, last = (str(today - timedelta(days=n)) for n in _RANGES[match["range"].upper()])
            found += [Condition(name, ">=", first), Condition(name, "<=", last)]
        elif match["is"]:
            found.append(Condition(name, "IS " + " ".join(match["is"].upper().split()), None))
        elif match["list_op"]:
            values = tuple(_literal(value) for value in match["list"].split(","))
            found.append(Condition(name, " ".join(match["list_op"].upper().split()), values))
        else:
            found.append(Condition(name, " ".join(match["op"].upper().split()), _literal(match["value"])))
    return found


def parse(query: str, today: date) -> Query:
    """Parse a query; ``today`` (of the account) resolves DURING. Raises GaqlError."""
    match = _CLAUSES.match(query)
    if not match:
        starts_well = query.strip().upper().startswith("SELECT")
        code = "EXPECTED_FROM" if starts_well else "EXPECTED_SELECT"
        raise GaqlError(code, "Error in query: it could not be parsed.")
    order = [item.split() for item in (match["order"] or "").split(",") if item.strip()]
    return Query(
        select=tuple(name.strip() for name in match["select"].split(",")),
        resource=match["resource"].lower(),
        where=tuple(_conditions((match["where"] or "").strip(), today)),
        order=tuple((item[0], len(item) > 1 and item[1].upper() == "DESC") for item in order),
        limit=int(match["limit"]) if match["limit"] else None,
    )
