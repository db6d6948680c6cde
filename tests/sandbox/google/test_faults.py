"""Every fault is seen by the real client as the exception that the real API causes."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.ads.googleads.errors import GoogleAdsException
from google.api_core import exceptions
from google.auth.exceptions import RefreshError
from googleapiclient.errors import HttpError
from httpx import HTTPStatusError

from sandbox.google import ads, messages
from tests.fixtures.sandbox import Sandbox, serving
from tests.sandbox.google.clients import (
    PAINTERS,
    SCHILDER_UTRECHT,
    codes,
    mutate,
    run_report,
    search,
    search_console,
    stream,
)

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
    ("auth_expired", GoogleAdsException, "authentication_error.OAUTH_TOKEN_EXPIRED"),
    ("cut", exceptions.ServiceUnavailable, None),
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
    assert "The connection was cut" not in str(error.value), "an error that was answered is no cut"
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


def until_in_force(sandbox: Sandbox, wanted: int) -> None:
    """Wait until that budget has this amount."""
    deadline = time.monotonic() + 600
    while sandbox.budgets()[SCHILDER_UTRECHT] != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_client_deadline_leaves_the_outcome_open(clean_sandbox: Sandbox) -> None:
    wanted = clean_sandbox.budgets()[SCHILDER_UTRECHT] + EURO
    clean_sandbox.fault("timeout_after_apply", "MutateCampaignBudgets", sleep=3)
    with pytest.raises(exceptions.DeadlineExceeded):
        mutate({SCHILDER_UTRECHT: wanted}, timeout=1)
    until_in_force(clean_sandbox, wanted)


@pytest.mark.parametrize("kind", ["slow", "slow_after_apply"])
@pytest.mark.parametrize("is_late", [False, True])
def test_a_slow_answer(clean_sandbox: Sandbox, kind: str, is_late: bool) -> None:
    wanted = clean_sandbox.budgets()[SCHILDER_UTRECHT] + EURO
    clean_sandbox.fault(kind, "MutateCampaignBudgets", sleep=4 if is_late else 0.5)
    if is_late:
        begun = time.monotonic()
        with pytest.raises(exceptions.DeadlineExceeded):
            mutate({SCHILDER_UTRECHT: wanted}, timeout=1)
        until_in_force(clean_sandbox, wanted)  # nobody waits for it any more, and it is done all the same
        assert kind == "slow_after_apply" or time.monotonic() - begun >= 4
    else:
        mutate({SCHILDER_UTRECHT: wanted})
        assert clean_sandbox.budgets()[SCHILDER_UTRECHT] == wanted


def test_a_read_that_is_cut_has_given_half_of_its_rows(clean_sandbox: Sandbox) -> None:
    from airflow.providers.google.ads.hooks.ads import GoogleAdsHook

    whole = len(stream(CAMPAIGNS))
    service = GoogleAdsHook(api_version="v26")._get_client.get_service("GoogleAdsService", version="v26")
    clean_sandbox.fault("cut", "SearchStream")
    rows = []
    with pytest.raises(exceptions.ServiceUnavailable):
        for batch in service.search_stream(customer_id=PAINTERS, query=CAMPAIGNS):
            rows += batch.results
    assert 0 < len(rows) < whole
    assert len(stream(CAMPAIGNS)) == whole


@pytest.mark.long
def test_connections_can_be_cut_all_day(clean_sandbox: Sandbox) -> None:
    before = clean_sandbox.budgets()[SCHILDER_UTRECHT]
    clean_sandbox.fault("cut", "MutateCampaignBudgets", times=100)
    for _ in range(100):
        with pytest.raises(exceptions.ServiceUnavailable):
            mutate({SCHILDER_UTRECHT: before})
    assert len(clean_sandbox.calls("MutateCampaignBudgets")) == 100
    mutate({SCHILDER_UTRECHT: before})


def test_a_foreign_edit_just_before_a_change_is_in_the_history_before_it(clean_sandbox: Sandbox) -> None:
    before = clean_sandbox.budgets()[SCHILDER_UTRECHT]
    known = len(clean_sandbox.changes())
    clean_sandbox.fault("foreign_edit", "MutateCampaignBudgets", amount_micros=before + 7 * EURO)
    mutate({SCHILDER_UTRECHT: before + EURO})
    by_a_person, by_us = clean_sandbox.changes()[known:]
    assert (by_a_person["old_micros"], by_a_person["new_micros"]) == (before, before + 7 * EURO)
    assert (by_us["old_micros"], by_us["new_micros"]) == (before + 7 * EURO, before + EURO)
    assert by_a_person["user_email"] != by_us["user_email"]
    today = clean_sandbox.today()
    events = search(
        "SELECT change_event.user_email, change_event.change_resource_name, change_event.change_date_time "
        f"FROM change_event WHERE change_event.change_date_time >= '{today}' "
        f"AND change_event.change_date_time <= '{today + timedelta(days=1)}' "
        "ORDER BY change_event.change_date_time DESC LIMIT 2",
        PAINTERS,
    )
    assert [row.change_event.user_email for row in events] == [by_us["user_email"], by_a_person["user_email"]]


def test_a_foreign_edit_as_a_read_arrives_is_seen_by_it(clean_sandbox: Sandbox) -> None:
    wanted = clean_sandbox.budgets()[SCHILDER_UTRECHT] + 3 * EURO
    clean_sandbox.fault("foreign_edit", "Search", resource_name=SCHILDER_UTRECHT, amount_micros=wanted)
    rows = search("SELECT campaign_budget.resource_name, campaign_budget.amount_micros FROM campaign_budget", PAINTERS)
    assert {row.campaign_budget.resource_name: row.campaign_budget.amount_micros for row in rows}[
        SCHILDER_UTRECHT
    ] == wanted


def test_a_foreign_edit_of_no_budget_is_refused(clean_sandbox: Sandbox) -> None:
    with pytest.raises(HTTPStatusError):
        clean_sandbox.fault("foreign_edit", "Search", amount_micros=EURO)


def test_partial(clean_sandbox: Sandbox) -> None:
    before = clean_sandbox.budgets()[SCHILDER_UTRECHT]
    clean_sandbox.fault("partial", "MutateCampaignBudgets", error="database_error.CONCURRENT_MODIFICATION")
    response = mutate({SCHILDER_UTRECHT: before + EURO})
    (detail,) = response.partial_failure_error.details
    (error,) = messages.GoogleAdsFailure.FromString(detail.value).errors
    assert error.error_code.WhichOneof("error_code") == "database_error"
    assert clean_sandbox.budgets()[SCHILDER_UTRECHT] == before


def test_token(clean_sandbox: Sandbox) -> None:
    clean_sandbox.fault("token")
    with pytest.raises(RefreshError, match="invalid_grant"):
        search(CAMPAIGNS, PAINTERS)
    assert clean_sandbox.calls("Search") == []


@pytest.mark.long
def test_a_token_that_dies_early_is_refused_from_then_on(clean_sandbox: Sandbox) -> None:
    from airflow.providers.google.ads.hooks.ads import GoogleAdsHook

    clean_sandbox.fault("token_expires", seconds=5)
    hook = GoogleAdsHook(api_version="v26")
    assert hook.search([PAINTERS], CAMPAIGNS)
    time.sleep(5.1)
    with pytest.raises(GoogleAdsException) as error:
        hook.search([PAINTERS], CAMPAIGNS)
    assert codes(error.value.failure) == ["authentication_error.OAUTH_TOKEN_EXPIRED"]
    assert search(CAMPAIGNS, PAINTERS), "a new token is good"


def test_a_token_that_says_when_it_dies_is_renewed_in_time(clean_sandbox: Sandbox) -> None:
    from airflow.providers.google.ads.hooks.ads import GoogleAdsHook

    clean_sandbox.fault("token_expires", seconds=5, expires_in=5)
    hook = GoogleAdsHook(api_version="v26")
    assert hook.search([PAINTERS], CAMPAIGNS)
    time.sleep(5.1)
    assert hook.search([PAINTERS], CAMPAIGNS)
    assert len(clean_sandbox.calls("token")) == 2


def test_one_bad_operation_among_a_thousand(sandbox_keys: Path, tmp_path: Path) -> None:
    from lead_demand.channels.google_ads.hook import GoogleAdsBudgetHook

    with serving(tmp_path / "sandbox", sandbox_keys, SANDBOX_SEGMENTS="2100") as large:
        before = {name: micros for name, micros in large.budgets().items() if name.startswith(f"customers/{PAINTERS}/")}
        wanted = {name: micros + EURO for name, micros in list(before.items())[:1_000]}
        assert len(wanted) == 1_000
        bad = list(wanted)[617]
        large.fault("partial", "MutateCampaignBudgets", op_index=617)
        outcomes = GoogleAdsBudgetHook().set_amounts(PAINTERS, wanted, validate_only=False)
        assert {name for name, outcome in outcomes.items() if outcome.applied is not True} == {bad}
        assert outcomes[bad].applied is False and outcomes[bad].request_id
        assert large.budgets() == large.budgets() | wanted | {bad: before[bad]}
        assert len(large.calls("MutateCampaignBudgets")) == 1


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


def test_a_report_that_is_cut(clean_sandbox: Sandbox) -> None:
    span = {"startDate": "2026-11-01", "endDate": "2026-11-02"}
    clean_sandbox.fault("cut", "searchAnalytics")
    with pytest.raises(Exception, match="IncompleteRead"):
        search_console(**span)
    assert search_console(**span)


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
