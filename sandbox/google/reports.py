"""What both report APIs share: a refused request, and the shapes that a report may have.

Both leave ``rows`` out where there are none, as the real services do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


class BadRequest(Exception):
    """The service would answer 400 INVALID_ARGUMENT, or 404 for an unknown site or property."""

    def __init__(self, message: str, code: int = 400) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Shape:
    """How a report differs from the plain one: the kind of a fault (see ``faults``), or none.

    ``rows``: the most rows of a page where the shape makes pages short.
    """

    kind: str = ""
    rows: int = 100


PLAIN = Shape()


def said(kind: str, args: Json) -> Json:
    """The metadata in which a report says that it is not the whole one."""
    match kind:
        case "other_row":
            return {"dataLossFromOtherRow": True}
        case "sampled":
            return {"samplingMetadatas": [{"samplesReadCount": "500000", "samplingSpaceSize": "10000000"}]}
        case "thresholded":
            return {"subjectToThresholding": True}
        case "empty_reason":
            return {"emptyReason": args.get("reason", "INSUFFICIENT_DATA")}
        case "restricted":
            restriction = {"metricName": "keyEvents", "restrictedMetricTypes": ["REVENUE_DATA"]}
            return {"schemaRestrictionResponse": {"activeMetricRestrictions": [restriction]}}
        case "truncated":
            before = {"dataTruncationDate": args["before"]} if "before" in args else {}
            kept = "Query date range may not be fully served."
            return {"dataTruncationReasons": [{"dataTruncationMessage": kept, **before}]}
        case "time_zone":
            return {"timeZone": args.get("time_zone", "America/Los_Angeles")}
        case "incomplete":
            return {args.get("field", "first_incomplete_date"): args["date"]}
    return {}


def copies_of(host: str) -> tuple[str, ...]:
    """Hosts on which the pages of a site are seen without being the site."""
    site = host.removeprefix("www.")
    return (f"staging.{site}", f"www-{site.replace('.', '-')}.translate.goog", "localhost")


def spellings_of(path: str) -> tuple[str, ...]:
    """Ways to write one path."""
    last = path.rstrip("/").rpartition("/")[2]
    encoded = path.replace(last, f"%{ord(last[0]):02x}{last[1:]}") if last else path
    return (
        path.upper(),
        path.replace("/", "//"),
        f"{encoded}?gclid=1",
        f"{path.rstrip('/')}/index.html",
        f"/x/..{path}",
    )
