"""What a finding says to do: the one table of texts of `pipeline_findings`.

A finding whose cause also holds a budget has the code and the advice of that reason (`planner/reasons.py`), and one
about a claim that was not sent those of its refusal (`planner/refusals.py`). Every other code is here.
`docs/REASONS.md` is generated from the three tables.
"""

from __future__ import annotations

import json

from lead_demand.planner.codes import Code
from lead_demand.planner.reasons import Reason
from lead_demand.planner.refusals import Refusal

_ZERO = (
    "run: insert into channel_zero_days (channel, account, date) select '{channel}', '{account}', day from "
    "generate_series(date '{first}', date '{last}', interval '1 day') as day "
    "on conflict (channel, account, date) do update set is_zero = true"
)


class FindingCode(Code):
    """The name of a finding that no decision has as its reason.

    A word in braces of `what_to_do` stands for a fact of the finding at hand.
    """

    # Rows that a source gave
    IMPOSSIBLE_METRIC = (
        "impossible_metric",
        "A number of a source cannot be true; it was left out.",
        "Check the report at the source; clear pull_{channel} once it is right.",
    )
    DUPLICATE_ROW = (
        "duplicate_row",
        "A source gave a row more than once, so it is not known which is right.",
        "Nothing was summed twice; clear pull_{channel} once the source gives each row once.",
    )
    DAY_WITHOUT_ROWS = (
        "day_without_rows",
        "An account gave no row for a day whose rows may still be on their way.",
        "Nothing: if the next days' answers are the same, it is 0. If it must be 0 today, "
        + _ZERO
        + "; then clear pull_{channel} and what comes after it.",
    )
    EMPTY_REPORT = (
        "empty_report",
        "An account gave no row for days on which it should have.",
        "Open the account and compare. If it truly had nothing, "
        + _ZERO
        + "; then start lead_stats with from = {first} and to = {last}. If the account is newer than that, set "
        "valid_from of its rows in channel_sources. Else clear pull_{channel} when it reports again.",
    )
    SILENT_DAY_DOUBTFUL = (
        "silent_day_doubtful",
        "An account gave no row for a day on which leads or other channels say that it was not silent.",
        "Open the account and compare. If it truly had nothing that day, "
        + _ZERO
        + "; then start lead_stats by hand with from = {first} and to = {last}. If it had, start the same run once its "
        "report shows it.",
    )
    PARTIAL_REPORT = (
        "partial_report",
        "An answer of a source says itself that it is not whole.",
        "{todo} Then start lead_stats for these days (from and to). If it is to stay as it is, set the level of this "
        "row of pipeline_findings to info.",
    )
    PROPERTY_TIME_ZONE = (
        "property_time_zone",
        "A property of GA4 counts its days in another time zone.",
        PARTIAL_REPORT[2],
    )
    HOST_NOT_STATED = (
        "host_not_stated",
        "Pages of the same prefixes are on several hosts, and channel_sources does not say which is the site.",
        "Name the host in the rows of {account}: path://www.site.nl/prefix in place of path:/prefix. Then clear "
        "pull_{channel} and what comes after it.",
    )

    # What belongs to which segment
    SOURCE_WITHOUT_SEGMENT = (
        "source_without_segment",
        "Figures of a campaign, page or host belong to no segment.",
        "Add a row to channel_sources, with is_active = false if it is meant to stay outside; with valid_from or "
        "valid_to if it belongs to the segment on some of the days.",
    )
    UNMATCHED_SPEND_GROWING = (
        "unmatched_spend_growing",
        "Campaigns of no segment cost more and more.",
        "Add the campaigns that source_without_segment names to channel_sources, or set them inactive there.",
    )
    INACTIVE_SEGMENT_SPENDS = (
        "inactive_segment_spends",
        "A segment that is not active still costs money.",
        "Pause the campaigns in the account, or give them to an active segment: set valid_to of their rows in "
        "channel_sources and add rows with valid_from.",
    )
    CAMPAIGN_NOT_FOUND = (
        "campaign_not_found",
        "channel_sources names a campaign that the account does not have, or not any more.",
        "If it was never in the account, correct external_id or account of that row of channel_sources, or set its "
        "is_active to false. If it was removed, run: update channel_sources set valid_to = '{end}' where channel = "
        "'{channel}' and account = '{account}' and external_id = '{campaign}' and coalesce(valid_to, 'infinity') > "
        "'{end}'. If another campaign took its place, add its row with valid_from = '{next}'. Then clear "
        "pull_{channel} and what comes after it.",
    )
    SOURCES_CHANGED = (
        "sources_changed",
        "Rows of channel_sources were changed for days that were read before and not again since.",
        "Start lead_stats by hand with from = {first} and to = {last}. If the change is meant for later days only, set "
        "valid_from and valid_to in channel_sources first.",
    )
    LEADS_WITHOUT_SEGMENT = (
        "leads_without_segment",
        "Leads of a place belong to no segment.",
        "Add the spelling of their branch or region to lead_spellings, or their postal prefix to a segment in "
        "lead_segments; the next run attributes them. If nobody serves them, set the level of this finding to info.",
    )
    LEAD_SOURCE_UNKNOWN = (
        "lead_source_unknown",
        "Leads have a source that lead_spellings does not know; a segment with too many of them holds for "
        "leads_without_source.",
        "Add it to lead_spellings (kind source_channel; meaning google_ads, another name, or unknown), or correct the "
        "leads; the next run counts them again.",
    )

    # What the partners take
    CAPACITY_SOURCE_FAILED = (
        "capacity_source_failed",
        "The partners' tables could not be read, or lost most segments; every budget holds.",
        "{todo} Then clear pull_partner_capacity and what comes after it.",
    )
    SEGMENT_WITHOUT_PARTNERS = (
        "segment_without_partners",
        "A segment has no active partner, so its capacity is 0.",
        "If it has partners, correct their branch, region or activity; if it is to have none, set is_active to false "
        "in lead_segments. Then clear pull_partner_capacity and what comes after it.",
    )
    CAPACITY_IMPOSSIBLE = (
        "capacity_impossible",
        "A partner, or all of a segment together, take a number of leads that cannot be.",
        "Correct their daily capacity: a number of leads per day, 0 for a partner that takes none. Then clear "
        "pull_partner_capacity and what comes after it.",
    )
    ABSENCE_IMPOSSIBLE = (
        "absence_impossible",
        "A partner is announced to be away on days that cannot be; that was ignored.",
        "Correct its absent_from and absent_to, or empty both; then clear pull_partner_capacity and what comes after "
        "it.",
    )
    CAPACITY_WITHOUT_SEGMENT = (
        "capacity_without_segment",
        "Capacity of partners fits no segment, or more than one.",
        "If it is another spelling of a segment's branch or region, add it to lead_spellings; else add the segment to "
        "lead_segments, or correct the partner. Then clear pull_partner_capacity and what comes after it. If nobody "
        "serves it, set the level of this finding to info.",
    )

    # The budgets
    IMPOSSIBLE_BUDGET = (
        "impossible_budget",
        "What an account says of a budget cannot be; the segment holds for missing_current_budget.",
        "Open the campaign's budget at the channel and correct it, or wait until the source gives it right; then start "
        "lead_budgets again.",
    )
    LEARNING_LONG = (
        "learning_long",
        "Google's bidding has been learning for two weeks, so no budget of the segment could be changed.",
        "Look at the campaign's bidding strategy and its conversions in Google Ads: learning that does not end has too "
        "few conversions, or is started again by every edit. Give it a strategy that needs fewer, or steer it by hand "
        "and set is_automated in lead_segment_channels to false.",
    )
    EDIT_OVERWRITTEN = (
        "edit_overwritten",
        "Somebody changed a budget in the moment in which it was being set.",
        "Ask what that person wanted; to revert our change, start lead_budget_revert with the id of its log row.",
    )

    # The day as a whole
    CHANNEL_UNUSUAL = (
        "channel_unusual",
        "What a channel gave of a day is far from its usual.",
        "Compare with the source. If it is wrong, repair it, then clear {task} and what comes after it; if it is "
        "right, set the level of this row of pipeline_findings (channel_unusual) to info, then clear "
        "check_channels_usual and what comes after it.",
    )
    CHECK_EVERY_SEGMENT_HAS_A_ROW = (
        "check_every_segment_has_a_row",
        "An active segment has no row of statistics.",
        "Repair what the log of pull_leads names, then clear attribute_leads and what comes after it.",
    )
    CHECK_COUNTS = (
        "check_counts",
        "A count of leads is negative.",
        "Repair include/sql/sources/leads.sql or the rows, then clear attribute_leads and what comes after it.",
    )
    CHECK_LEADS_ADD_UP = (
        "check_leads_add_up",
        "Accepted, rejected and pending leads do not add up to all leads.",
        "Repair the statuses in include/sql/sources/leads.sql, then clear attribute_leads and what comes after it.",
    )
    CHECK_CHANNELS_USUAL = (
        "check_channels_usual",
        "Leads or Google Ads are far from their usual.",
        "See the finding channel_unusual in pipeline_findings.",
    )


def what_to_do(code: str, **facts: object) -> str:
    """The advice of a finding with this code.

    :param facts: by name, what the words in braces stand for.
    Raises KeyError for a code that no table has, and for a fact that its text needs and was not given.
    """
    return WHAT_TO_DO[code].format(**facts)


WHAT_TO_DO: dict[str, str] = {
    member.value: member.what_to_do for codes in (Reason, Refusal, FindingCode) for member in codes
}
# For the statements that find something: they bind all of it, and fill in the words in braces themselves.
ADVICE = json.dumps(WHAT_TO_DO)
