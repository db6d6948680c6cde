"""What an answer of Google Ads says about a change: applied, certainly not applied, or unknown.

A call ends in one of three forms: a GoogleAdsFailure, which the client raises as GoogleAdsException; the same failure
in the trailer of a plain gRPC error (INTERNAL, RESOURCE_EXHAUSTED); or a status alone, with google.rpc details
(ErrorInfo, RetryInfo, QuotaFailure) or without any. A status alone may also be made by the client or by something
between it and Google, so of a change it says "not applied" only where it cannot come after the work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from google.ads.googleads.errors import GoogleAdsException
from google.api_core import exceptions as api
from google.auth.exceptions import GoogleAuthError
from google.rpc import error_details_pb2

from lead_demand.channels.google_token import no_token
from lead_demand.channels.paid import Outcome
from lead_demand.runs.day import moment_after

# As long as three retries last with Airflow's own delay. Beyond that it is a quota of the day: no retry lives to see it
# free again, and every further try only burns more of it.
LONGEST_WAIT = 900.0
# Where a quota does not say for how long.
SHORT_WAIT = 60.0
SOON = 2.0
# An expired token was refused before anything was done; the next try asks for a new one.
_TRY_AGAIN = {"CONCURRENT_MODIFICATION", "RESOURCE_TEMPORARILY_EXHAUSTED", "OAUTH_TOKEN_EXPIRED"}
_UNKNOWN = {"TRANSIENT_ERROR", "INTERNAL_ERROR", "DEADLINE_EXCEEDED"}
_EXPIRED = {"ACCESS_TOKEN_EXPIRED"}  # of google.rpc.ErrorInfo
# Said by the gRPC library of either side, never by the API; the status is the one of a quota.
ANSWER_TOO_LARGE = "client.ANSWER_TOO_LARGE"
REQUEST_TOO_LARGE = "client.REQUEST_TOO_LARGE"
_ANSWER_SIZE = re.compile(
    r"(received|decompressed) message (is )?(larger than|exceeds)|metadata size exceeds|message exceeds maximum size",
    re.IGNORECASE,
)
_REQUEST_SIZE = re.compile(r"(sent|trying to send) message larger than", re.IGNORECASE)

ACCESS = "Check the account's access and the connection google_ads_default."
REQUEST = "Google refuses the request itself, so a retry does not help: correct what the message names."
OUTDATED = "Raise API_VERSION in channels/google_ads/hook.py: Google serves this version or method no more."
QUOTA = "Wait until then; every try before only uses up more of it."
SIZE = (
    "It is no quota and does not pass: ask for fewer days at once (trigger lead_stats with from and to), or lower "
    "ROWS_AT_ONCE in channels/pull.py."
)


@dataclass(frozen=True)
class Status:
    """What a gRPC status means when nothing else was said.

    :param means: for a person.
    :param applied: of a change: False, it was certainly refused; None, nobody knows.
    :param retry_after: seconds, or None where another try gets the same.
    :param todo: what a person does where another try gets the same.
    """

    means: str
    applied: bool | None
    retry_after: float | None
    todo: str = ""


# Every code but OK.
STATUSES = {
    "CANCELLED": Status("The call was cancelled before its answer was complete.", None, SOON),
    "UNKNOWN": Status("Google does not say what went wrong.", None, SOON),
    "INVALID_ARGUMENT": Status("The request is not valid.", False, None, REQUEST),
    "DEADLINE_EXCEEDED": Status("No answer came in time.", None, SOON),
    "NOT_FOUND": Status("What the request names does not exist.", False, None, REQUEST),
    "ALREADY_EXISTS": Status("What the request makes exists already.", False, None, REQUEST),
    "PERMISSION_DENIED": Status("The service account may not do this.", False, None, ACCESS),
    "RESOURCE_EXHAUSTED": Status("Something is used up, and Google does not say what.", None, SHORT_WAIT),
    "FAILED_PRECONDITION": Status("The account is in a state in which this is refused.", False, None, REQUEST),
    "ABORTED": Status("The call was broken off, most likely by another one at the same time.", None, SOON),
    "OUT_OF_RANGE": Status("A value of the request is out of its range.", False, None, REQUEST),
    "UNIMPLEMENTED": Status("Google does not know this method.", False, None, OUTDATED),
    "INTERNAL": Status("An error inside Google, or on the way to it.", None, SOON),
    "UNAVAILABLE": Status("Google was not reachable, or the connection broke.", None, SOON),
    "DATA_LOSS": Status("The answer was damaged.", None, SOON),
    "UNAUTHENTICATED": Status("The login was not accepted.", False, None, ACCESS),
}


class AdsError(Protocol):
    """What is read of a GoogleAdsError, of whichever version of the API."""

    error_code: Any
    message: str
    details: Any


def code_of(error: AdsError) -> str:
    """`campaign_budget_error.MONEY_AMOUNT_TOO_LARGE` of one GoogleAdsError."""
    message = type(error.error_code).pb(error.error_code)
    which = message.WhichOneof("error_code")
    return f"{which}.{getattr(error.error_code, which).name}" if which else "unknown"


def failure_type(version: str) -> Any:  # noqa: ANN401 - its module is known at run time
    """The GoogleAdsFailure message of an API version."""
    return import_module(f"google.ads.googleads.{version}.errors.types.errors").GoogleAdsFailure


def _trailer(error: api.GoogleAPICallError, version: str) -> tuple[list[AdsError], str | None]:
    call: Any = getattr(error, "response", None)
    entries = dict((call.trailing_metadata() if call is not None else None) or ())
    raw = entries.get(f"google.ads.googleads.{version}.errors.googleadsfailure-bin")
    return (list(failure_type(version).deserialize(raw).errors) if raw else []), entries.get("request-id")


def outcome_of_error(error: AdsError, request_id: str | None) -> Outcome:
    """The outcome of one operation of a request that was answered."""
    code = code_of(error)
    name = code.rpartition(".")[2]
    return Outcome(
        None if name in _UNKNOWN else False,
        code,
        error.message,
        request_id,
        2.0 if name in _TRY_AGAIN | _UNKNOWN else None,
    )


def outcome_of_exception(error: Exception, version: str) -> Outcome:
    """The outcome of a whole request that ended in an exception; what is not recognised is unknown, never failed."""
    if isinstance(error, GoogleAdsException):
        return _outcome_of_failure(list(error.failure.errors), error.request_id)
    if isinstance(error, GoogleAuthError):
        said, heals = no_token(error)  # and nothing was sent, so this is a definite no
        return Outcome(False, f"auth.{type(error).__name__}", said, None, 10.0 if heals else None)
    if isinstance(error, api.GoogleAPICallError):
        errors, request_id = _trailer(error, version)
        if isinstance(error, api.ResourceExhausted):
            return _outcome_of_exhaustion(error, errors, request_id)
        if errors:
            found = _outcome_of_failure(errors, request_id)
            # The failure says what it is; of a status that may come after the work it does not say "not applied".
            unknown = _status(error).applied is None and not found.applied
            return Outcome(
                None if unknown else found.applied,
                found.error_code,
                found.detail,
                request_id,
                SOON if unknown else found.retry_after,
            )
        return _outcome_of_status(error, request_id)
    return Outcome(None, type(error).__name__, str(error), None, SOON)


def advice(error_code: str | None) -> str:
    """What a person does about a refusal, by the code of its outcome."""
    code = error_code or ""
    if code in (ANSWER_TOO_LARGE, REQUEST_TOO_LARGE):
        return SIZE
    if code.startswith("quota_error.") or code == "quota":
        return QUOTA
    kind, _, name = code.rpartition(".")
    if not kind and code in STATUSES:
        return STATUSES[code].todo or ACCESS
    if "UNSUPPORTED_VERSION" in name or "DEPRECATED" in name:
        return OUTDATED
    is_access = kind in ("auth", "authentication_error", "authorization_error", "customer_error", "header_error")
    return REQUEST if kind and not is_access else ACCESS


def _outcome_of_failure(errors: list[AdsError], request_id: str | None) -> Outcome:
    """A request that several errors ended was refused only if each of them says so."""
    outcomes = [outcome_of_error(error, request_id) for error in errors]
    if not outcomes:
        return Outcome(None, "unknown", "Google gave a failure without any error.", request_id, SOON)
    first = next((outcome for outcome in outcomes if outcome.applied is None), outcomes[0])
    delays = [outcome.retry_after for outcome in outcomes]
    heals = first.applied is None or None not in delays
    detail = "; ".join(outcome.detail or "" for outcome in outcomes)
    retry_after = max((delay for delay in delays if delay is not None), default=SOON) if heals else None
    return Outcome(first.applied, first.error_code, detail, request_id, retry_after)


def _outcome_of_exhaustion(error: api.GoogleAPICallError, errors: list[AdsError], request_id: str | None) -> Outcome:
    """RESOURCE_EXHAUSTED: a quota where anything says so, a message that is too large, a limit of the account, or not
    known.
    """
    message = error.message
    if not errors and _REQUEST_SIZE.search(message):
        return Outcome(False, REQUEST_TOO_LARGE, f"The request is larger than may be sent: {message}.", request_id)
    if not errors and _ANSWER_SIZE.search(message):
        # Of a change it may be the answer to what was done, so the budgets are read back; a read gets the same again.
        return Outcome(None, ANSWER_TOO_LARGE, f"The answer is larger than the client takes: {message}.", request_id)
    quotas = [item for item in errors if code_of(item).startswith("quota_error.")]
    if errors and not quotas:
        return _outcome_of_failure(errors, request_id)
    rpc = list(error.details or ())
    delays = [
        item.details.quota_error_details.retry_delay.total_seconds()
        for item in quotas
        if "quota_error_details" in item.details
    ] + [
        item.retry_delay.ToTimedelta().total_seconds() for item in rpc if isinstance(item, error_details_pb2.RetryInfo)
    ]
    named = [
        f"{violation.subject}: {violation.description}".strip(": ")
        for item in rpc
        if isinstance(item, error_details_pb2.QuotaFailure)
        for violation in item.violations
    ]
    is_quota = quotas or delays or named or "QUOTA" in (error.reason or "") or "RATE_LIMIT" in (error.reason or "")
    if not is_quota:
        return _outcome_of_status(error, request_id)
    code = code_of(quotas[0]) if quotas else "quota"
    said = " ".join(filter(None, [f"{message.rstrip('.')}.", "; ".join(named)]))
    if not delays:
        return Outcome(False, code, f"{said} Google does not say when the quota is free again.", request_id, SHORT_WAIT)
    delay = max(delays)
    detail = f"{said} The quota is free again at {moment_after(delay)}."
    return Outcome(False, code, detail, request_id, delay if delay <= LONGEST_WAIT else None)


def _status(error: api.GoogleAPICallError) -> Status:
    code = error.grpc_status_code
    return STATUSES[code.name if code else "UNKNOWN"]


def _outcome_of_status(error: api.GoogleAPICallError, request_id: str | None) -> Outcome:
    """A status without a GoogleAdsFailure."""
    status, code = _status(error), error.grpc_status_code
    retry_after = status.retry_after
    if error.reason in _EXPIRED:
        retry_after = SOON
    for item in error.details or ():
        if isinstance(item, error_details_pb2.RetryInfo) and retry_after is not None:
            retry_after = min(max(item.retry_delay.ToTimedelta().total_seconds(), retry_after), LONGEST_WAIT)
    reason = f" ({error.reason} of {error.domain})" if error.reason else ""
    detail = f"{status.means} {str(error.message or '').rstrip('.')}{reason}.".replace(" .", "")
    return Outcome(status.applied, code.name if code else type(error).__name__, detail, request_id, retry_after)
