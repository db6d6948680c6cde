"""What an answer of Google Ads means for the next try, and what it tells the person who reads the log."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from lead_demand.channels.google_ads import answers
from lead_demand.channels.google_ads.channel import GoogleAds
from lead_demand.channels.paid import Outcome
from lead_demand.errors import SourceRefused, SourceUnavailable
from lead_demand.runs.day import AMSTERDAM, moment_after
from tests.fixtures.sandbox import Sandbox

PAINTERS = "1234567890"
BUDGET = f"customers/{PAINTERS}/campaignBudgets/30000002002"
DAILY = 40_591  # seconds, as Google gave them for the operations of a day


def moment_in(text: str) -> datetime:
    """The one moment that a message names."""
    (found,) = re.findall(r"(\d\d:\d\d on \d{4}-\d\d-\d\d) \(Europe/Amsterdam\)", text)
    return datetime.strptime(found, "%H:%M on %Y-%m-%d").replace(tzinfo=AMSTERDAM)


def test_a_days_quota_says_when_it_is_free_again_and_is_not_tried_again(clean_sandbox: Sandbox) -> None:
    expected = datetime.now(tz=AMSTERDAM) + timedelta(seconds=DAILY)
    clean_sandbox.fault("quota_daily", "MutateCampaignBudgets", retry_delay=DAILY)
    outcome = GoogleAds().set_budgets(PAINTERS, {BUDGET: GoogleAds().live_amounts(PAINTERS, [BUDGET])[BUDGET]})[BUDGET]
    assert outcome.status == "failed" and outcome.error_code == "quota_error.RESOURCE_EXHAUSTED"
    assert timedelta(0) <= moment_in(outcome.detail or "") - expected < timedelta(minutes=2)


def test_a_read_refused_for_the_rest_of_the_day_says_when_to_come_back(clean_sandbox: Sandbox) -> None:
    expected = datetime.now(tz=AMSTERDAM) + timedelta(seconds=DAILY)
    clean_sandbox.fault("quota_daily", "SearchStream", retry_delay=DAILY)
    with pytest.raises(SourceRefused, match="Wait until then") as error:
        GoogleAds().live_amounts(PAINTERS, [BUDGET])
    assert timedelta(0) <= moment_in(str(error.value)) - expected < timedelta(minutes=2)


@pytest.mark.parametrize("kind", ["quota", "quota_daily"])
def test_a_quota_that_the_retries_outlast_is_tried_again(clean_sandbox: Sandbox, kind: str) -> None:
    clean_sandbox.fault(kind, "SearchStream", retry_delay=600)
    with pytest.raises(SourceUnavailable):
        GoogleAds().live_amounts(PAINTERS, [BUDGET])


def test_an_expired_token_is_worth_another_try(clean_sandbox: Sandbox) -> None:
    clean_sandbox.fault("auth_expired", "SearchStream")
    with pytest.raises(SourceUnavailable, match="OAUTH_TOKEN_EXPIRED"):
        GoogleAds().live_amounts(PAINTERS, [BUDGET])


@pytest.mark.parametrize(
    "read",
    [lambda ads: ads.read_budgets(PAINTERS), lambda ads: ads.change_history(PAINTERS, 14)],
    ids=["budgets", "change history"],
)
def test_a_revoked_token_is_a_refusal_wherever_the_first_call_is(
    clean_sandbox: Sandbox, read: Callable[[GoogleAds], object]
) -> None:
    clean_sandbox.fault("token", times=5)
    with pytest.raises(SourceRefused, match=r"could not be read: auth\.RefreshError: invalid_grant: Token has been"):
        read(GoogleAds())


def test_a_moment_is_told_by_the_clock_on_the_wall_even_when_it_jumps() -> None:
    before_summer_time = datetime(2026, 3, 29, 1, 30, tzinfo=ZoneInfo("Europe/Amsterdam"))
    assert moment_after(3600, before_summer_time) == "03:30 on 2026-03-29 (Europe/Amsterdam)"
    assert moment_after(1, before_summer_time) == "01:31 on 2026-03-29 (Europe/Amsterdam)"


@given(past=st.timedeltas(timedelta(0), timedelta(days=90)), seconds=st.integers(0, 86_400))
def test_a_moment_is_never_told_too_early(past: timedelta, seconds: int) -> None:
    now = datetime(2026, 5, 1, tzinfo=AMSTERDAM) + past
    late = moment_in(moment_after(seconds, now)) - (now + timedelta(seconds=seconds))
    assert timedelta(0) <= late < timedelta(minutes=1)


# code -> (of a change: False, it was refused, None, nobody knows; whether another try may get something else)
EVERY_STATUS = {
    "CANCELLED": (None, True),
    "UNKNOWN": (None, True),
    "INVALID_ARGUMENT": (False, False),
    "DEADLINE_EXCEEDED": (None, True),
    "NOT_FOUND": (False, False),
    "ALREADY_EXISTS": (False, False),
    "PERMISSION_DENIED": (False, False),
    "RESOURCE_EXHAUSTED": (None, True),
    "FAILED_PRECONDITION": (False, False),
    "ABORTED": (None, True),
    "OUT_OF_RANGE": (False, False),
    "UNIMPLEMENTED": (False, False),
    "INTERNAL": (None, True),
    "UNAVAILABLE": (None, True),
    "DATA_LOSS": (None, True),
    "UNAUTHENTICATED": (False, False),
}
# What comes with a status -> (code, what is told, of a change: applied, whether another try may help)
WITH_DETAILS = {
    "a quota with its delay": (
        {"code": "RESOURCE_EXHAUSTED", "retry_info": 30, "quota_failure": "Queries per minute"},
        ("quota", "project:1: Queries per minute The quota is free again at ", False, True),
    ),
    "a quota of the day": (
        {"code": "RESOURCE_EXHAUSTED", "retry_info": DAILY, "error_info": "RATE_LIMIT_EXCEEDED"},
        ("quota", "The quota is free again at ", False, False),
    ),
    "a quota without a delay": (
        {"code": "RESOURCE_EXHAUSTED", "error_info": "RATE_LIMIT_EXCEEDED"},
        ("quota", "Google does not say when the quota is free again", False, True),
    ),
    "an expired token": (
        {"code": "UNAUTHENTICATED", "error_info": "ACCESS_TOKEN_EXPIRED"},
        ("UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED of googleapis.com", False, True),
    ),
    "a service that is switched off": (
        {"code": "PERMISSION_DENIED", "error_info": "SERVICE_DISABLED"},
        ("PERMISSION_DENIED", "SERVICE_DISABLED of googleapis.com", False, False),
    ),
    "a delay that is no quota's": (
        {"code": "UNAVAILABLE", "retry_info": 20},
        ("UNAVAILABLE", "Google was not reachable", None, True),
    ),
    "a request that is too large": (
        {"code": "RESOURCE_EXHAUSTED", "message": "Sent message larger than max (5000000 vs. 4194304)"},
        (answers.REQUEST_TOO_LARGE, "larger than may be sent", False, False),
    ),
    "errors that are too many for a header": (
        {"code": "RESOURCE_EXHAUSTED", "message": "received trailing metadata size exceeds hard limit"},
        (answers.ANSWER_TOO_LARGE, "larger than the client takes", None, False),
    ),
}


def test_every_status_has_its_meaning() -> None:
    assert set(answers.STATUSES) == set(EVERY_STATUS) == {code.name for code in StatusCode} - {"OK"}


@pytest.mark.parametrize("code", EVERY_STATUS)
def test_a_status_without_details_is_told_as_what_it_is(clean_sandbox: Sandbox, code: str) -> None:
    applied, heals = EVERY_STATUS[code]
    fault = {"code": code, "message": "Said by Google"}
    outcome = changed_under(clean_sandbox, "status", **fault)
    assert (outcome.applied, outcome.error_code) == (applied, code)
    assert outcome.status == ("failed" if applied is False and not heals else "pending")
    assert outcome.detail == f"{answers.STATUSES[code].means} Said by Google."
    clean_sandbox.fault("status", "SearchStream", **fault)
    with pytest.raises(SourceUnavailable if heals else SourceRefused, match=f"{code}: .*Said by Google") as error:
        GoogleAds().live_amounts(PAINTERS, [BUDGET])
    assert "quota" not in str(error.value)


@pytest.mark.parametrize("what", WITH_DETAILS)
def test_the_details_that_google_sends_say_what_a_status_is(clean_sandbox: Sandbox, what: str) -> None:
    fault, (code, told, applied, heals) = WITH_DETAILS[what]
    outcome = changed_under(clean_sandbox, "status", **fault)
    assert (outcome.error_code, outcome.applied, outcome.retry_after is not None) == (code, applied, heals)
    assert told in (outcome.detail or "")
    clean_sandbox.fault("status", "SearchStream", **fault)
    with pytest.raises(SourceUnavailable if heals else SourceRefused, match=re.escape(told)):
        GoogleAds().live_amounts(PAINTERS, [BUDGET])


def test_an_answer_larger_than_the_client_takes_is_no_quota(clean_sandbox: Sandbox) -> None:
    clean_sandbox.fault("too_large", "SearchStream")
    with pytest.raises(SourceRefused, match=r"larger than the client takes: .*message larger than max") as error:
        GoogleAds().live_amounts(PAINTERS, [BUDGET])
    assert "free again" not in str(error.value) and error.value.facts.todo == answers.SIZE


def test_a_change_whose_answer_is_too_large_may_have_taken_effect(clean_sandbox: Sandbox) -> None:
    """The budget is changed at Google: such an answer is read back, and never closed as refused."""
    before = clean_sandbox.budgets()[BUDGET]
    clean_sandbox.fault("too_large", "MutateCampaignBudgets")
    outcome = GoogleAds().set_budgets(PAINTERS, {BUDGET: Decimal(before + 1_000_000) / 1_000_000})[BUDGET]
    assert clean_sandbox.budgets()[BUDGET] == before + 1_000_000
    assert (outcome.applied, outcome.status, outcome.error_code) == (None, "pending", answers.ANSWER_TOO_LARGE)


def changed_under(sandbox: Sandbox, kind: str, **fault: Any) -> Outcome:
    """What a change of a budget comes to while the API has that fault."""
    sandbox.fault(kind, "MutateCampaignBudgets", **fault)
    amount = Decimal(sandbox.budgets()[BUDGET]) / 1_000_000
    return GoogleAds().set_budgets(PAINTERS, {BUDGET: amount})[BUDGET]


def test_a_refusal_says_what_to_do_about_it() -> None:
    assert answers.advice("UNIMPLEMENTED") == answers.OUTDATED
    assert answers.advice("request_error.UNSUPPORTED_VERSION") == answers.OUTDATED
    assert answers.advice("authorization_error.USER_PERMISSION_DENIED") == answers.ACCESS
    assert answers.advice("query_error.UNRECOGNIZED_FIELD") == answers.REQUEST
    assert answers.advice("quota_error.RESOURCE_EXHAUSTED") == answers.advice("quota") == answers.QUOTA


def test_a_request_that_several_errors_ended_is_unknown_if_one_of_them_is() -> None:
    from google.ads.googleads.errors import GoogleAdsException

    failure = answers.failure_type("v26")(
        errors=[
            {"error_code": {"campaign_budget_error": "MONEY_AMOUNT_TOO_LARGE"}, "message": "Too large."},
            {"error_code": {"internal_error": "INTERNAL_ERROR"}, "message": "Internal."},
        ]
    )
    outcome = answers.outcome_of_exception(GoogleAdsException(None, None, failure, "r-1"), "v26")
    assert (outcome.applied, outcome.error_code) == (None, "internal_error.INTERNAL_ERROR")
    assert outcome.detail == "Too large.; Internal."
