"""What Google Ads says about a campaign: whether it serves, whether its budget can be steered, whether its bidding is
learning and whether its budget limits it.

Every value of the enums that version 26 of the API knows is in a table here. What is in none, such as a value of a
later version, is unknown, and what is unknown holds the budget. Pure: names of enum values in, codes out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from lead_demand.planner.reasons import Reason

UNKNOWN = "UNKNOWN"

# Whether the bidding is learning, by `campaign.bidding_strategy_system_status`; None: this value does not say.
LEARNING: dict[str, bool | None] = {
    "UNSPECIFIED": None,
    "UNKNOWN": None,
    "ENABLED": False,
    "LEARNING_NEW": True,
    "LEARNING_SETTING_CHANGE": True,
    "LEARNING_BUDGET_CHANGE": True,
    "LEARNING_COMPOSITION_CHANGE": True,
    "LEARNING_CONVERSION_TYPE_CHANGE": True,
    "LEARNING_CONVERSION_SETTING_CHANGE": True,
    "LIMITED_BY_CPC_BID_CEILING": False,
    "LIMITED_BY_CPC_BID_FLOOR": False,
    "LIMITED_BY_DATA": False,
    "LIMITED_BY_BUDGET": False,
    "LIMITED_BY_LOW_PRIORITY_SPEND": False,
    "LIMITED_BY_LOW_QUALITY": False,
    "LIMITED_BY_INVENTORY": False,
    "MISCONFIGURED_ZERO_ELIGIBILITY": False,
    "MISCONFIGURED_CONVERSION_TYPES": False,
    "MISCONFIGURED_CONVERSION_SETTINGS": False,
    "MISCONFIGURED_SHARED_BUDGET": False,
    "MISCONFIGURED_STRATEGY_TYPE": False,
    # Nothing active is attached to the strategy: for a campaign that serves, a contradiction.
    "PAUSED": None,
    "UNAVAILABLE": None,
    "MULTIPLE_LEARNING": True,
    "MULTIPLE_LIMITED": False,
    "MULTIPLE_MISCONFIGURED": False,
    # Several at once, and learning may be one of them.
    "MULTIPLE": None,
}
# The same for whether the budget limits it, beside `campaign.primary_status_reasons`. False: where the budget did limit
# the campaign, the reasons would have it.
LIMITED: dict[str, bool | None] = {
    **dict.fromkeys(LEARNING, False),
    "UNSPECIFIED": None,
    "UNKNOWN": None,
    "PAUSED": None,
    "UNAVAILABLE": None,
    # Several limits at once, and the budget may be one of them.
    "MULTIPLE_LIMITED": None,
    "MULTIPLE": None,
    "LIMITED_BY_BUDGET": True,
}
# These bid what a person entered: Google reports no status of them, and there is nothing to learn.
MANUAL_BIDDING = {"MANUAL_CPC", "MANUAL_CPM", "MANUAL_CPV", "MANUAL_CPA", "FIXED_CPM", "FIXED_SHARE_OF_VOICE"}
# What each of `campaign.primary_status_reasons` says of the bidding (`learning`) and of the budget (`limited`); the
# others say nothing of either. A reason that is not listed may be about anything.
REASONS: dict[str, str] = {
    "UNSPECIFIED": "unknown",
    "UNKNOWN": "unknown",
    "BIDDING_STRATEGY_LEARNING": "learning",
    "BUDGET_CONSTRAINED": "limited",
    **dict.fromkeys(
        (
            "CAMPAIGN_REMOVED",
            "CAMPAIGN_PAUSED",
            "CAMPAIGN_PENDING",
            "CAMPAIGN_ENDED",
            "CAMPAIGN_DRAFT",
            "BIDDING_STRATEGY_MISCONFIGURED",
            "BIDDING_STRATEGY_LIMITED",
            "BIDDING_STRATEGY_CONSTRAINED",
            "BUDGET_MISCONFIGURED",
            "SEARCH_VOLUME_LIMITED",
            "AD_GROUPS_PAUSED",
            "NO_AD_GROUPS",
            "KEYWORDS_PAUSED",
            "NO_KEYWORDS",
            "AD_GROUP_ADS_PAUSED",
            "NO_AD_GROUP_ADS",
            "HAS_ADS_LIMITED_BY_POLICY",
            "HAS_ADS_DISAPPROVED",
            "MOST_ADS_UNDER_REVIEW",
            "MISSING_LEAD_FORM_EXTENSION",
            "MISSING_CALL_EXTENSION",
            "LEAD_FORM_EXTENSION_UNDER_REVIEW",
            "LEAD_FORM_EXTENSION_DISAPPROVED",
            "CALL_EXTENSION_UNDER_REVIEW",
            "CALL_EXTENSION_DISAPPROVED",
            "NO_MOBILE_APPLICATION_AD_GROUP_CRITERIA",
            "CAMPAIGN_GROUP_PAUSED",
            "CAMPAIGN_GROUP_ALL_GROUP_BUDGETS_ENDED",
            "APP_NOT_RELEASED",
            "APP_PARTIALLY_RELEASED",
            "HAS_ASSET_GROUPS_DISAPPROVED",
            "HAS_ASSET_GROUPS_LIMITED_BY_POLICY",
            "MOST_ASSET_GROUPS_UNDER_REVIEW",
            "NO_ASSET_GROUPS",
            "ASSET_GROUPS_PAUSED",
            "MISSING_LOCATION_TARGETING",
            "CAMPAIGN_NOT_BOOKED",
            "BOOKING_HOLD_EXPIRING",
            "BOOKING_HOLD_EXPIRED",
            "BOOKING_CANCELLED",
        ),
        "other",
    ),
}
# Whether a campaign of this `advertising_channel_type` has a daily budget that may be steered for leads, and why not.
STEERABLE: dict[str, bool] = {
    "UNSPECIFIED": False,
    "UNKNOWN": False,
    "SEARCH": True,
    "DISPLAY": True,
    "SHOPPING": True,
    "HOTEL": False,  # paid per stay or booking
    "VIDEO": False,  # the API reads them and does not change them
    "MULTI_CHANNEL": False,  # app campaigns bid for installs
    "LOCAL": False,  # replaced by Performance Max; the API no longer changes them
    "SMART": False,  # a budget type of its own
    "PERFORMANCE_MAX": True,
    "LOCAL_SERVICES": False,  # a budget type of its own, paid per lead, an average over the week
    "TRAVEL": False,  # paid per booking
    "DEMAND_GEN": True,
}
# What `campaign.primary_status` says of serving; None: the campaign's own status and dates say it.
PRIMARY: dict[str, Reason | None] = {
    "UNSPECIFIED": Reason.CAMPAIGN_STATE_UNKNOWN,
    "UNKNOWN": Reason.CAMPAIGN_STATE_UNKNOWN,
    "ELIGIBLE": None,
    "PAUSED": None,
    "REMOVED": None,
    "ENDED": Reason.CAMPAIGN_ENDED,
    "PENDING": Reason.CAMPAIGN_NOT_STARTED,
    "MISCONFIGURED": None,
    "LIMITED": None,
    "LEARNING": None,
    "NOT_ELIGIBLE": Reason.CAMPAIGN_NOT_ELIGIBLE,
}
NOT_SERVING: dict[str, Reason | None] = {
    "ENABLED": None,
    "PAUSED": Reason.CAMPAIGN_PAUSED,
    "REMOVED": Reason.CAMPAIGN_REMOVED,
}


@dataclass(frozen=True)
class Facts:
    """One campaign and its budget as the API gives them: enum values by name, amounts in micros, times of the account.

    An end or a start that was not given is None.
    """

    status: str
    primary_status: str
    reasons: tuple[str, ...]
    bidding_status: str
    bidding_type: str
    channel_type: str
    experiment_type: str
    account_status: str
    starts: datetime | None
    ends: datetime | None
    period: str
    budget_type: str
    delivery: str
    amount_micros: int
    total_micros: int


def learning(facts: Facts) -> bool | None:
    """Whether the bidding is learning; None where Google does not say."""
    if facts.primary_status == "LEARNING" or "learning" in _told(facts):
        return True
    said = LEARNING.get(facts.bidding_status)
    if said is None and facts.bidding_type in MANUAL_BIDDING and facts.bidding_status == "UNAVAILABLE":
        said = False
    return None if said is False and "unknown" in _told(facts) else said


def limited(facts: Facts) -> bool | None:
    """Whether the budget limits the campaign; None where Google does not say."""
    said = LIMITED.get(facts.bidding_status)
    if said or "limited" in _told(facts):
        return True
    if said is None and facts.bidding_type in MANUAL_BIDDING and facts.bidding_status == "UNAVAILABLE":
        said = False
    is_told = facts.primary_status in PRIMARY and PRIMARY[facts.primary_status] is not Reason.CAMPAIGN_STATE_UNKNOWN
    return False if said is False and is_told and "unknown" not in _told(facts) else None


def _told(facts: Facts) -> Collection[str]:
    return {REASONS.get(reason, "unknown") for reason in facts.reasons}


def not_serving(facts: Facts, now: datetime) -> Reason | None:
    """Why a campaign costs nothing at `now` (time of the account), or None where it may cost something.

    Status and dates are what people set, and hold at once; the primary status follows them after a while. Where it
    says of a campaign with other dates that it has ended or not begun, the money is counted: see `not_steerable`.
    """
    if facts.account_status in ("CANCELED", "SUSPENDED", "CLOSED"):
        return Reason.ACCOUNT_NOT_SERVING
    if facts.experiment_type == "DRAFT":
        return Reason.CAMPAIGN_DRAFT
    if why := NOT_SERVING.get(facts.status):
        return why
    if (facts.ends and facts.ends < now) or (facts.primary_status == "ENDED" and facts.ends is None):
        return Reason.CAMPAIGN_ENDED
    if (facts.starts and facts.starts > now) or (facts.primary_status == "PENDING" and facts.starts is None):
        return Reason.CAMPAIGN_NOT_STARTED
    return None


def not_steerable(facts: Facts, *, in_experiment: bool) -> tuple[Reason, str] | None:
    """Why the budget of a campaign that serves is not changed, and the words for it; None where it may be.

    :param in_experiment: an experiment that was made from this campaign is running.
    """
    if facts.status not in NOT_SERVING or facts.account_status != "ENABLED":
        return Reason.CAMPAIGN_STATE_UNKNOWN, f"status {facts.status}, account {facts.account_status}"
    why = PRIMARY.get(facts.primary_status, Reason.CAMPAIGN_STATE_UNKNOWN)
    if why is Reason.CAMPAIGN_NOT_ELIGIBLE:
        return why, ", ".join(facts.reasons) or facts.primary_status
    if why is not None:
        return Reason.CAMPAIGN_STATE_UNKNOWN, f"primary status {facts.primary_status}"
    if facts.experiment_type == "EXPERIMENT":
        return Reason.CAMPAIGN_EXPERIMENT, "it is an experiment"
    if in_experiment:
        return Reason.CAMPAIGN_EXPERIMENT, "an experiment shares its traffic and its budget"
    if facts.experiment_type != "BASE":
        return Reason.CAMPAIGN_STATE_UNKNOWN, f"experiment type {facts.experiment_type}"
    if facts.period == "CUSTOM_PERIOD":
        return Reason.CAMPAIGN_TOTAL_BUDGET, f"{facts.total_micros / 1_000_000:.2f} over its whole period"
    if not STEERABLE.get(facts.channel_type, False):
        return Reason.CAMPAIGN_TYPE, f"campaign type {facts.channel_type}"
    for words, value, known in (
        ("budget period", facts.period, "DAILY"),
        ("budget type", facts.budget_type, "STANDARD"),
        ("delivery", facts.delivery, "STANDARD"),
    ):
        if value != known:
            return Reason.BUDGET_TYPE, f"{words} {value}"
    return None


def daily_micros(facts: Facts) -> int:
    """What the budget may cost on an average day, in micros: a total budget by the days of its campaign, rounded up;
    all of it where they are not given.
    """
    if facts.period != "CUSTOM_PERIOD":
        return facts.amount_micros
    if facts.starts is None or facts.ends is None or facts.ends < facts.starts:
        return facts.total_micros
    return ceil(facts.total_micros / ((facts.ends.date() - facts.starts.date()).days + 1))
