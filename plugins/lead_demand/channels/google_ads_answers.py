"""What an answer of Google Ads says about a change: applied, certainly not applied, or unknown.

INTERNAL and RESOURCE_EXHAUSTED arrive as plain gRPC errors, not as GoogleAdsException: their details, the delay of a
quota among them, are only in the trailer of the call.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from google.ads.googleads.errors import GoogleAdsException
from google.api_core import exceptions as api
from google.auth.exceptions import GoogleAuthError

from lead_demand.channels.google_token import no_token
from lead_demand.channels.paid import Outcome
from lead_demand.day import moment_after

# As long as three retries last with Airflow's own delay. Beyond that it is a quota of the day: no retry lives to see it
# free again, and every further try only burns more of it.
LONGEST_WAIT = 900.0
# An expired token was refused before anything was done; the next try asks for a new one.
_TRY_AGAIN = {"CONCURRENT_MODIFICATION", "RESOURCE_TEMPORARILY_EXHAUSTED", "OAUTH_TOKEN_EXPIRED"}
_UNKNOWN = {"TRANSIENT_ERROR", "INTERNAL_ERROR", "DEADLINE_EXCEEDED"}
_REFUSALS = (
    api.Unauthenticated,
    api.PermissionDenied,
    api.InvalidArgument,
    api.NotFound,
    api.MethodNotImplemented,
)


def code_of(error: Any) -> str:
    """`campaign_budget_error.MONEY_AMOUNT_TOO_LARGE` of one GoogleAdsError."""
    message = type(error.error_code).pb(error.error_code)
    which = message.WhichOneof("error_code")
    return f"{which}.{getattr(error.error_code, which).name}" if which else "unknown"


def failure_type(version: str) -> Any:
    """The GoogleAdsFailure message of an API version."""
    return import_module(f"google.ads.googleads.{version}.errors.types.errors").GoogleAdsFailure


def _trailer(error: api.GoogleAPICallError, version: str) -> tuple[list[Any], str | None]:
    call: Any = getattr(error, "response", None)
    entries = dict((call.trailing_metadata() if call is not None else None) or ())
    raw = entries.get(f"google.ads.googleads.{version}.errors.googleadsfailure-bin")
    return (list(failure_type(version).deserialize(raw).errors) if raw else []), entries.get("request-id")


def outcome_of_error(error: Any, request_id: str | None) -> Outcome:
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
        first = outcome_of_error(error.failure.errors[0], error.request_id)
        detail = "; ".join(item.message for item in error.failure.errors)
        return Outcome(first.applied, first.error_code, detail, error.request_id, first.retry_after)
    if isinstance(error, GoogleAuthError):
        said, heals = no_token(error)  # and nothing was sent, so this is a definite no
        return Outcome(False, f"auth.{type(error).__name__}", said, None, 10.0 if heals else None)
    if isinstance(error, api.GoogleAPICallError):
        errors, request_id = _trailer(error, version)
        status = error.grpc_status_code
        code = code_of(errors[0]) if errors else (status.name if status else type(error).__name__)
        if isinstance(error, api.ResourceExhausted):
            delay = max(
                (
                    item.details.quota_error_details.retry_delay.total_seconds()
                    for item in errors
                    if "quota_error_details" in item.details
                ),
                default=60.0,
            )
            detail = f"{error.message} The quota is free again at {moment_after(delay)}."
            return Outcome(False, code, detail, request_id, delay if delay <= LONGEST_WAIT else None)
        if isinstance(error, _REFUSALS):
            return Outcome(False, code, error.message, request_id)
        return Outcome(None, code, error.message, request_id, 2.0)
    return Outcome(None, type(error).__name__, str(error), None, 2.0)
