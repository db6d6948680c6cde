"""Every fault is seen by the real client as the exception that the real API causes."""

from typing import Any

import pytest
from google.ads.googleads.errors import GoogleAdsException
from google.api_core import exceptions
from google.auth.exceptions import RefreshError
from googleapiclient.errors import HttpError
from httpx import HTTPStatusError

from sandbox import ads
from tests.fixtures.sandbox import Sandbox
from tests.sandbox.google import PAINTERS, SCHILDER_UTRECHT, codes, mutate, run_report, search, search_console

EURO = 1_000_000
CAMPAIGNS = "SELECT campaign.id, customer.currency_code FROM campaign"
# kind, exception, its first code (of the failure or in the trailer; None: no details)
GRPC = [
    ("quota", exceptions.ResourceExhausted, "quota_error.RESOURCE_TEMPORARILY_EXHAUSTED"),
    ("quota_daily", exceptions.ResourceExhausted, "quota_error.RESOURCE_EXHAUSTED"),
    ("unavailable", exceptions.ServiceUnavailable, None),
    ("internal", exceptions.InternalServerError, "internal_error.INTERNAL_ERROR"),
    ("transient", exceptions.InternalServerError, "internal_error.TRANSIENT_ERROR"),
    ("timeout", exceptions.DeadlineExceeded, None),
    ("concurrent", GoogleAdsException, "database_error.CONCURRENT_MODIFICATION"),
    ("auth", GoogleAdsException, "authentication_error.OAUTH_TOKEN_INVALID"),
    ("permission", GoogleAdsException, "authorization_error.USER_PERMISSION_DENIED"),
    ("not_approved", GoogleAdsException, "authorization_error.CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION"),
    ("not_enabled", GoogleAdsException, "authorization_error.CUSTOMER_NOT_ENABLED"),
]


def failure_of(error: Any) -> Any | None:
    """The GoogleAdsFailure of either kind of exception; in the trailer where the client leaves it there."""
    if isinstance(error, GoogleAdsException):
        return error.failure
    trailer = dict(error.response.trailing_metadata() or ())
    raw = trailer.get(ads.FAILURE_TRAILER)
    from google.ads.googleads.v26.errors.types.errors import GoogleAdsFailure

    return GoogleAdsFailure.deserialize(raw) if raw else None


@pytest.mark.parametrize(("kind", "exception", "code"), GRPC)
@pytest.mark.parametrize("suffix", ["", "_after_apply"])
def test_a_failing_change(
    clean_sandbox: Sandbox, kind: str, exception: type[Exception], code: str | None, suffix: str
) -> None:
    wanted = clean_sandbox.budgets()[SCHILDER_UTRECHT] + EURO
    clean_sandbox.fault(kind + suffix, "MutateCampaignBudgets")
    with pytest.raises(exception) as error:
        mutate({SCHILDER_UTRECHT: wanted})
    failure = failure_of(error.value)
    assert (codes(failure)[0] if failure else None) == code
    assert (clean_sandbox.budgets()[SCHILDER_UTRECHT] == wanted) is (suffix != "")
    mutate({SCHILDER_UTRECHT: wanted})  # used up: the next call goes through
    assert clean_sandbox.budgets()[SCHILDER_UTRECHT] == wanted


def test_a_quota_says_when_to_come_back(clean_sandbox: Sandbox) -> None:
    clean_sandbox.fault("quota_daily", "Search", retry_delay=40_591)
    with pytest.raises(exceptions.ResourceExhausted, match="Retry in 40591 seconds") as error:
        search(CAMPAIGNS, PAINTERS)
    failure = failure_of(error.value)
    assert failure is not None
    assert failure.errors[0].details.quota_error_details.retry_delay.total_seconds() == 40_591


def test_a_client_deadline_leaves_the_outcome_open(clean_sandbox: Sandbox) -> None:
    wanted = clean_sandbox.budgets()[SCHILDER_UTRECHT] + EURO
    clean_sandbox.fault("timeout_after_apply", "MutateCampaignBudgets", sleep=3)
    with pytest.raises(exceptions.DeadlineExceeded):
        mutate({SCHILDER_UTRECHT: wanted}, timeout=1)
    assert clean_sandbox.budgets()[SCHILDER_UTRECHT] == wanted


def test_partial(clean_sandbox: Sandbox) -> None:
    before = clean_sandbox.budgets()[SCHILDER_UTRECHT]
    clean_sandbox.fault("partial", "MutateCampaignBudgets", error="database_error.CONCURRENT_MODIFICATION")
    response = mutate({SCHILDER_UTRECHT: before + EURO})
    (detail,) = response.partial_failure_error.details
    (error,) = ads.GoogleAdsFailure.FromString(detail.value).errors
    assert error.error_code.WhichOneof("error_code") == "database_error"
    assert clean_sandbox.budgets()[SCHILDER_UTRECHT] == before


def test_token(clean_sandbox: Sandbox) -> None:
    clean_sandbox.fault("token")
    with pytest.raises(RefreshError, match="invalid_grant"):
        search(CAMPAIGNS, PAINTERS)
    assert clean_sandbox.calls("Search") == []


def test_a_fault_may_be_meant_for_one_customer_and_some_queries(clean_sandbox: Sandbox) -> None:
    clean_sandbox.fault("empty", "Search", times=2, customer=PAINTERS, text="FROM campaign_budget")
    assert search(CAMPAIGNS, PAINTERS)
    assert search("SELECT campaign_budget.id FROM campaign_budget", "2345678901")
    for _ in range(2):
        assert search("SELECT campaign_budget.id FROM campaign_budget", PAINTERS) == []
    assert search("SELECT campaign_budget.id FROM campaign_budget", PAINTERS)


def test_spoilt_data(clean_sandbox: Sandbox) -> None:
    clean = search(CAMPAIGNS, PAINTERS)
    clean_sandbox.fault("duplicate_rows", "Search")
    assert len(search(CAMPAIGNS, PAINTERS)) == 2 * len(clean)
    clean_sandbox.fault("unknown_currency", "Search")
    assert {row.customer.currency_code for row in search(CAMPAIGNS, PAINTERS)} == {"XXX"}
    clean_sandbox.fault("negative_metrics", "Search")
    clicks = "SELECT metrics.clicks FROM campaign WHERE segments.date DURING YESTERDAY"
    assert [row.metrics.clicks < 0 for row in search(clicks, PAINTERS)][:2] == [True, False]


@pytest.mark.parametrize(
    ("kind", "status"), [("quota", 429), ("internal", 500), ("unavailable", 503), ("permission", 403)]
)
def test_failing_reports(clean_sandbox: Sandbox, kind: str, status: int) -> None:
    span = {"startDate": "2026-11-01", "endDate": "2026-11-02"}
    clean_sandbox.fault(kind, "searchAnalytics")
    with pytest.raises(HttpError) as error:
        search_console(**span)
    assert error.value.status_code == status
    clean_sandbox.fault(kind, "runReport")
    with pytest.raises(HttpError) as error:
        run_report(dateRanges=[span], metrics=[{"name": "sessions"}])
    assert error.value.status_code == status


def test_spoilt_reports(clean_sandbox: Sandbox) -> None:
    clean_sandbox.fault("empty", "runReport")
    report = {"dateRanges": [{"startDate": "7daysAgo", "endDate": "yesterday"}], "metrics": [{"name": "sessions"}]}
    assert "rows" not in run_report(**report)
    clean_sandbox.fault("negative_metrics", "runReport")
    assert int(run_report(**report)["rows"][0]["metricValues"][0]["value"]) < 0


def test_an_unknown_fault_is_refused(clean_sandbox: Sandbox) -> None:
    with pytest.raises(HTTPStatusError) as error:
        clean_sandbox.fault("bad_mood", "Search")
    assert "Nothing was queued" in error.value.response.json()["error"]["message"]
