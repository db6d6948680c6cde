"""Rows of plain values into GoogleAdsRow messages, and rows as a data fault leaves them."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor

from sandbox.google import gaql
from sandbox.google.messages import GoogleAdsRow, Message
from sandbox.google.query import QueryRefused
from sandbox.google.resources import Row
from sandbox.world.faults import Fault

Step = tuple[str, str]  # the name of a field in GAQL and in the message
Writer = Callable[[Message, list[Row]], None]  # adds rows to a response


def _setter(path: str) -> tuple[tuple[Step, ...], Callable[[Message, object], None]]:
    """For a GAQL path: the steps to its parent in a GoogleAdsRow, and what writes a plain value into that parent.

    Raises QueryRefused.
    """
    fields: list[FieldDescriptor] = []
    parts = path.split(".")
    for part in parts:
        within = fields[-1].message_type if fields else GoogleAdsRow.DESCRIPTOR
        known = within.fields_by_name if within else {}
        found = known.get(part) or known.get(f"{part}_")  # Python's keywords carry an underscore
        if found is None:
            raise QueryRefused(("query_error", "UNRECOGNIZED_FIELD"), f"Unrecognized field in the query: '{path}'.")
        fields.append(found)
    *parents, leaf = fields
    name, is_message = leaf.name, leaf.message_type is not None
    numbers = {v.name: v.number for v in leaf.enum_type.values} if leaf.enum_type else {}

    def write(parent: Message, content: object) -> None:
        if isinstance(content, dict):
            json_format.ParseDict(content, getattr(parent, name))
        elif isinstance(content, list):
            target = getattr(parent, name)
            (target.paths if is_message else target).extend(numbers.get(item, item) for item in content)
        else:
            setattr(parent, name, numbers.get(content, content) if isinstance(content, str) else content)

    return tuple((part, parent.name) for part, parent in zip(parts, parents, strict=False)), write


def writer(query: gaql.Query) -> Writer:
    """The writer of the selected fields, and the resource names that always come along."""
    resources = {name.partition(".")[0] for name in query.select} - {"metrics", "segments"} | {query.resource}
    # By parent, which is then looked up once per row for all of its fields.
    parents: dict[tuple[Step, ...], list[tuple[str, Callable[[Message, object], None]]]] = {}
    for path in sorted({*query.select, *(f"{resource}.resource_name" for resource in resources)}):
        steps, write = _setter(path)
        parents.setdefault(steps, []).append((path.rpartition(".")[2], write))

    def add(response: Message, rows: list[Row]) -> None:
        for row in rows:
            message = response.results.add()
            for steps, fields in parents.items():
                plain, target = row, message
                for part, name in steps:
                    plain, target = plain.get(part) or {}, getattr(target, name)
                for leaf, write in fields:
                    content = plain.get(leaf)
                    if content is not None:
                        write(target, content)

    return add


def spoiled(rows: list[Row], fault: Fault | None) -> list[Row]:
    """Rows as a data fault leaves them."""
    match fault.kind if fault else None:
        case "empty":
            return []
        case "duplicate_rows":
            return [row for row in rows for _ in range(2)]
        case "negative_metrics":
            worse = {name: -abs(number or 1) for name, number in rows[0].get("metrics", {}).items()} if rows else {}
            return [{**rows[0], "metrics": worse}, *rows[1:]] if worse else rows
        case "row_missing" if rows:
            largest = max(range(len(rows)), key=lambda at: rows[at].get("metrics", {}).get("cost_micros") or 0)
            return rows[:largest] + rows[largest + 1 :]
        case "inflated":
            more = 1 + (fault.args.get("share", 0.25) if fault else 0)
            return [
                {**row, "metrics": {k: type(v)(v * more) if v else v for k, v in row.get("metrics", {}).items()}}
                for row in rows
            ]
        case "value" if fault and rows:
            resource, _, name = fault.args["field"].partition(".")
            at, content = int(fault.args.get("at", 0)) % len(rows), fault.args["value"]
            if content in ("NaN", "Infinity", "-Infinity"):
                content = float(content)
            rows[at] = {**rows[at], resource: {**(rows[at].get(resource) or {}), name: content}}
            return rows
        case "unknown_currency":
            code = fault.args.get("currency", "XXX") if fault else ""
            spoilt = ("customer", "customer_client")
            return [{k: {**v, "currency_code": code} if k in spoilt else v for k, v in row.items()} for row in rows]
        case _:
            return rows
