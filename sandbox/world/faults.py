"""Every way in which the sandbox can be told to fail.

A fault is queued over the control plane (``POST /faults``) as ``{"method", "kind", "times", "args"}`` and survives a
restart. It fires on the next ``times`` calls of that method that match, and is used up by each.

``method``: Search, SearchStream, MutateCampaignBudgets, ListAccessibleCustomers, searchAnalytics, runReport, token,
or ``*`` for any of them but token.

================== ============================================= ===========================================
kind               Google Ads                                    Search Console and GA4
================== ============================================= ===========================================
quota              RESOURCE_EXHAUSTED, short, with retry delay   429
quota_daily        RESOURCE_EXHAUSTED, the day's operations      429
unavailable        UNAVAILABLE, no details                       503
internal           INTERNAL, INTERNAL_ERROR                      500
transient          INTERNAL, TRANSIENT_ERROR                     500
concurrent         ABORTED, CONCURRENT_MODIFICATION              (not applicable: 500)
auth               UNAUTHENTICATED, OAUTH_TOKEN_INVALID          401
permission         PERMISSION_DENIED, USER_PERMISSION_DENIED     403
not_approved       PERMISSION_DENIED, project not approved       403
not_enabled        PERMISSION_DENIED, CUSTOMER_NOT_ENABLED       403
auth_expired       UNAUTHENTICATED, OAUTH_TOKEN_EXPIRED          401
timeout            sleeps, then DEADLINE_EXCEEDED                sleeps, then 504
status             the gRPC status ``code`` and no failure,      500
                   with google.rpc details where asked for
too_large          an answer larger than the client takes, so    (not applicable: ignored)
                   that it says RESOURCE_EXHAUSTED itself
slow               sleeps, then answers as if nothing was        the same
cut                the answer begins and the connection is cut;  half of the answer, then the connection is
                   of a streamed read half of the rows come      cut
foreign_edit       a person sets a budget as the call arrives    (not applicable: ignored)
``*_after_apply``  each of the above, after the change is stored the same as without the suffix
partial            the operation ``op_index`` is refused         (not applicable: ignored)
token              with method ``token``: 400 ``invalid_grant``  the same
token_expires      with method ``token``: a token that is        the same
                   refused as expired once ``seconds`` have
                   passed, whatever ``expires_in`` promised
duplicate_rows     every row twice                               every row twice
negative_metrics   the numbers of the first row are negative     the numbers of the first row are negative
row_missing        the row with the largest numbers is missing   the same
inflated           every number is larger by the part ``share``  the same
value              ``field`` of the row ``at`` is ``value``      the same
unknown_currency   the customer's currency is ``currency``       (not applicable: ignored)
empty              no rows                                       no rows
sampled            (not applicable: ignored)                     GA4 read a sample, and says so
thresholded        (not applicable: ignored)                     GA4 left small rows out, and says so
other_row          (not applicable: ignored)                     GA4 put half of its rows together as "(other)"
empty_reason       (not applicable: ignored)                     no rows, and GA4 names ``reason``
restricted         (not applicable: ignored)                     GA4 hides key events from this user
truncated          (not applicable: ignored)                     GA4 has nothing whole (``before`` a date)
time_zone          (not applicable: ignored)                     the property counts its days in ``time_zone``
growing            (not applicable: ignored)                     GA4 says one row more than its pages give
incomplete         (not applicable: ignored)                     Search Console still collects from ``date`` on
by_property        (not applicable: ignored)                     Search Console did not aggregate by page
shifted            (not applicable: ignored)                     Search Console gives a row on two pages, another
                                                                 on none; pages of ``rows`` rows
short_pages        (not applicable: ignored)                     pages of ``rows`` rows, whatever was asked for
copies             (not applicable: ignored)                     the site's pages also on a staging server, through
                                                                 a translation, and on a developer's machine
spellings          (not applicable: ignored)                     hosts and paths in many spellings
unmatched          (not applicable: ignored)                     one row, of a page of no segment
one_row            (not applicable: ignored)                     one row, and nothing else was counted
================== ============================================= ===========================================

``args``, all optional: ``customer`` and ``text`` narrow a fault to one customer and to calls whose query contains a
text; ``sleep`` seconds before the failure (slow: default 2); ``retry_delay`` seconds (quota); ``op_index`` and
``code``, ``message``, ``retry_info`` seconds, ``quota_failure`` and ``error_info``, a text and a reason (status);
``error`` (partial, such as ``campaign_budget_error.MONEY_AMOUNT_TOO_LARGE``); ``currency`` (unknown_currency, default
XXX); ``share`` (inflated, default 0.25); ``field``, ``value`` and ``at`` (value: a path of GAQL such as
``metrics.cost_micros``, ``campaign.name`` or ``campaign_budget.amount_micros``; a field of a report, or one of the
names of its dimensions and metrics, such as ``clicks``, ``keys``, ``sessions``, ``hostName`` or ``date``; the first row
where ``at`` is left out; ``NaN`` and ``Infinity``, which JSON does not have, as texts); ``rows`` of a page (default
100); ``before`` (truncated), ``date`` (incomplete) and ``field`` (how metadata spells it); ``time_zone`` and ``reason``
of the kinds alike; ``seconds`` (default 1) and ``expires_in`` (default 3600) (token_expires); ``amount_micros``,
``resource_name`` (default: the budget of a change's first operation) and ``user`` (foreign_edit).

A fault that comes "after the change is stored" comes after the work of a read as well, where that makes a difference:
a cut or slow read has no such form, and a failed one looks the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import grpc

AFTER_APPLY = "_after_apply"
METHODS = (
    "Search", "SearchStream", "MutateCampaignBudgets", "ListAccessibleCustomers",
    "searchAnalytics", "runReport", "token", "*",
)  # fmt: skip
# Faults that have no answer of their own: the call goes on, or its connection does not.
WIRE_FAULTS = ("slow", "cut", "foreign_edit", "too_large")
TOKEN_FAULTS = ("token", "token_expires")
REPORT_FAULTS = (
    "sampled", "thresholded", "other_row", "empty_reason", "restricted", "truncated", "time_zone", "growing",
    "incomplete", "by_property", "shifted", "short_pages", "copies", "spellings", "unmatched", "one_row",
)  # fmt: skip
DATA_FAULTS = (
    "partial", "duplicate_rows", "negative_metrics", "row_missing", "inflated", "value", "unknown_currency", "empty",
    *REPORT_FAULTS,
)  # fmt: skip
KINDS_WITHOUT_FAILURE = (*WIRE_FAULTS, *TOKEN_FAULTS, *DATA_FAULTS)


@dataclass(frozen=True)
class Failure:
    """How a kind looks on both wires. ``error`` is (field of ErrorCode, enum value), None without details."""

    grpc: grpc.StatusCode
    error: tuple[str, str] | None
    http: int
    reason: str
    message: str


_S = grpc.StatusCode
FAILURES: dict[str, Failure] = {
    "quota": Failure(
        _S.RESOURCE_EXHAUSTED, ("quota_error", "RESOURCE_TEMPORARILY_EXHAUSTED"), 429, "rateLimitExceeded",
        "Too many requests. Retry in {retry_delay} seconds.",
    ),
    "quota_daily": Failure(
        _S.RESOURCE_EXHAUSTED, ("quota_error", "RESOURCE_EXHAUSTED"), 429, "dailyLimitExceeded",
        "Too many requests. Retry in {retry_delay} seconds.",
    ),
    "unavailable": Failure(_S.UNAVAILABLE, None, 503, "backendError", "The service is currently unavailable."),
    "internal": Failure(
        _S.INTERNAL, ("internal_error", "INTERNAL_ERROR"), 500, "backendError", "An internal error has occurred."
    ),
    "transient": Failure(
        _S.INTERNAL, ("internal_error", "TRANSIENT_ERROR"), 500, "backendError", "Transient internal error."
    ),
    "concurrent": Failure(
        _S.ABORTED, ("database_error", "CONCURRENT_MODIFICATION"), 500, "backendError",
        "Multiple requests were attempting to modify the same resource at once. Retry the request.",
    ),
    "auth": Failure(
        _S.UNAUTHENTICATED, ("authentication_error", "OAUTH_TOKEN_INVALID"), 401, "authError",
        "OAuth token in the header is not valid.",
    ),
    "auth_expired": Failure(
        _S.UNAUTHENTICATED, ("authentication_error", "OAUTH_TOKEN_EXPIRED"), 401, "authError",
        "OAuth token in the header is expired.",
    ),
    "permission": Failure(
        _S.PERMISSION_DENIED, ("authorization_error", "USER_PERMISSION_DENIED"), 403, "forbidden",
        "User doesn't have permission to access customer.",
    ),
    "not_approved": Failure(
        _S.PERMISSION_DENIED, ("authorization_error", "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION"), 403, "forbidden",
        "The Google Cloud project is only approved for use with test accounts.",
    ),
    "not_enabled": Failure(
        _S.PERMISSION_DENIED, ("authorization_error", "CUSTOMER_NOT_ENABLED"), 403, "forbidden",
        "The customer account can't be accessed because it is not yet enabled or has been deactivated.",
    ),
    "status": Failure(_S.UNKNOWN, None, 500, "backendError", "{message}"),
    "timeout": Failure(_S.DEADLINE_EXCEEDED, None, 504, "backendError", "Deadline Exceeded"),
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One queued fault; see the module for its values."""

    method: str
    kind: str
    times: int = 1
    args: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = self.base in (*FAILURES, *WIRE_FAULTS) or self.kind in KINDS_WITHOUT_FAILURE
        if self.method not in METHODS or not known or self.times < 1:
            raise ValueError(
                f"There is no fault {self.kind!r} for method {self.method!r} (times {self.times}). Nothing was queued. "
                f"Methods: {', '.join(METHODS)}. Kinds: {', '.join((*FAILURES, *KINDS_WITHOUT_FAILURE))}."
            )
        if self.kind == "value" and not {"field", "value"} <= self.args.keys():
            raise ValueError("A fault of kind value needs field and value. Nothing was queued.")
        if self.base == "foreign_edit" and not (
            "amount_micros" in self.args and ("resource_name" in self.args or self.method == "MutateCampaignBudgets")
        ):
            raise ValueError(
                "A foreign_edit needs amount_micros, and a resource_name unless it comes with a change. "
                "Nothing was queued."
            )

    @property
    def base(self) -> str:
        return self.kind.removesuffix(AFTER_APPLY)

    @property
    def after_apply(self) -> bool:
        return self.kind.endswith(AFTER_APPLY)

    @property
    def failure(self) -> Failure | None:
        """The failure to answer with, or None where the fault only spoils data."""
        return FAILURES.get(self.base)

    @property
    def message(self) -> str:
        return (
            self.failure.message.format(**{"retry_delay": 30, "message": ""} | self.args) if self.failure else self.kind
        )

    def matches(self, method: str, customer: str, text: str) -> bool:
        return (
            (self.method == method or (self.method == "*" and method != "token"))
            and self.args.get("customer", customer) == customer
            and self.args.get("text", "").lower() in text.lower()
        )
