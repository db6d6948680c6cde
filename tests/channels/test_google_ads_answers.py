"""What an answer of Google Ads means for the next try, and what it tells the person who reads the log."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_demand.channels.google_ads import GoogleAds
from lead_demand.day import AMSTERDAM, moment_after
from lead_demand.errors import SourceRefused, SourceUnavailable
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


@pytest.mark.parametrize("since_days", [0, 14], ids=["budgets", "change history"])
def test_a_revoked_token_is_a_refusal_wherever_the_first_call_is(clean_sandbox: Sandbox, since_days: int) -> None:
    clean_sandbox.fault("token", times=5)
    with pytest.raises(SourceRefused, match=r"could not be read: auth\.RefreshError: invalid_grant: Token has been"):
        GoogleAds().read_budgets(PAINTERS, since_days)


def test_a_moment_is_told_by_the_clock_on_the_wall_even_when_it_jumps() -> None:
    before_summer_time = datetime(2026, 3, 29, 1, 30, tzinfo=ZoneInfo("Europe/Amsterdam"))
    assert moment_after(3600, before_summer_time) == "03:30 on 2026-03-29 (Europe/Amsterdam)"
    assert moment_after(1, before_summer_time) == "01:31 on 2026-03-29 (Europe/Amsterdam)"


@given(past=st.timedeltas(timedelta(0), timedelta(days=90)), seconds=st.integers(0, 86_400))
def test_a_moment_is_never_told_too_early(past: timedelta, seconds: int) -> None:
    now = datetime(2026, 5, 1, tzinfo=AMSTERDAM) + past
    late = moment_in(moment_after(seconds, now)) - (now + timedelta(seconds=seconds))
    assert timedelta(0) <= late < timedelta(minutes=1)
