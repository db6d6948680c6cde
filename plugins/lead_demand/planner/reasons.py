"""Why a budget moved or stayed: every reason code, what it means, and what a person can do about it.

The codes are stored in `budget_decisions.reasons` and shown to marketing; `docs/REASONS.md` is generated from this
table. A finding about the same cause has the same code, and its advice is the one here. The order of the members is the
order in which a decision lists its reasons: what makes an input unusable first, then what stops a change, then what
shaped it.
"""

from __future__ import annotations

from lead_demand.planner.codes import Code
from lead_demand.planner.settings import LATELY
from lead_demand.planner.settings import PlannerSettings as Default


class Reason(Code):
    """One reason of one decision.

    Beside its meaning and what to do, each member carries `phrase` (a few words for the sentence that people read) and
    `blocking`: the segment holds because an input was missing, late or unusable, so it may be evaluated again the same
    day once that is repaired.
    """

    phrase: str
    blocking: bool

    def __init__(self, code: str, phrase: str, meaning: str, what_to_do: str, blocking: bool = False) -> None:
        super().__init__(code, meaning, what_to_do)
        self.phrase = phrase
        self.blocking = blocking

    # The whole run
    SETTINGS_MISSING = (
        "settings_missing",
        "the settings could not be read",
        "The row of orchestration_settings is missing, cannot be read, or lacks a value; or the confirmations of "
        "capacity cannot be read.",
        "Fill the row of orchestration_settings; where a finding says that a table cannot be read, repair it or the "
        "rights of lead_pipeline on it (make migrate checks them). Then start lead_budgets again.",
        True,
    )
    KILL_SWITCH = (
        "kill_switch",
        "the kill switch is on",
        "A person stopped all changes with the kill switch.",
        "Set orchestration_settings.kill_switch to false once changes may be made again.",
    )

    # The segment is not the planner's
    AUTOMATION_OFF = (
        "automation_off",
        "automation is off",
        "A person has not switched automation on for this segment.",
        "Set is_automated in lead_segment_channels when the planner may change this budget.",
    )
    NO_CAMPAIGN = (
        "no_campaign",
        "it has no campaign",
        "No campaign in Google Ads belongs to this segment.",
        "Add the campaign to channel_sources; if the segment needs no paid leads, give it a row with is_automated = "
        "false in lead_segment_channels.",
        True,
    )

    # Inputs that are missing, late or unusable
    DUPLICATE_SEGMENT = (
        "duplicate_segment",
        "the segment was listed twice",
        "The planner was given more than one row for this segment, so its limits are not known for certain.",
        "Look for a second row or a join that doubles this segment, then start lead_budgets again.",
        True,
    )
    DUPLICATE_DAY = (
        "duplicate_day",
        "a day was listed twice",
        "The history has more than one row for a day of this segment.",
        "Find the doubled day, repair it by running lead_stats for that day, then start lead_budgets again.",
        True,
    )
    BAD_INPUT_ROW = (
        "bad_input_row",
        "an input cannot be right",
        "A number is negative, infinite or contradicts another (more leads decided than generated), or a date is "
        "not a date.",
        "Correct the row at its source, run lead_stats for that day, then start lead_budgets again.",
        True,
    )
    STALE_CHANNEL = (
        "stale_channel",
        "a channel was not fetched for yesterday",
        "Leads, capacity or Google Ads were not fetched this morning, so yesterday is not known.",
        "Read the log of the channel's pull in lead_stats; once the source answers, clear it. Then lead_budgets may be "
        "started again.",
        True,
    )
    SUMS_DIFFER = (
        "sums_differ",
        "its figures do not add up",
        "Spend, leads or capacity of the segments and of no segment differ from what the account or the adapter says "
        "as a whole: something was counted twice or nowhere.",
        "Start lead_stats by hand with from and to around the day: what is summed is asked for again. If it still "
        "differs: of leads, compare include/sql/sources/leads.sql with the leads of that day, each of which must be of "
        "a segment, of none, or no lead; of capacity, compare include/sql/sources/partner_capacity.sql with the active "
        "segments, since a partner must not fit two of them; of an account, look in channel_sources for what was given "
        "to two segments, and compare the list with the total at the source. If the difference is right, set the "
        "finding's level to info, and start lead_budgets again.",
        True,
    )
    CHANGE_NOT_LOGGED = (
        "change_not_logged",
        "a change was made in our name that the log lacks",
        "Google's change history has a change of its budget or campaign that was made with the pipeline's own "
        "credentials, and channel_orchestration_log has no row for it, or says that it was not made.",
        "Find out who or what uses the key of the pipeline, and replace the key if "
        "nobody can say. Put the budget right in Google Ads. Then set the finding's level to info, and start "
        "lead_budgets again.",
        True,
    )
    CHANGE_NOT_IN_HISTORY = (
        "change_not_in_history",
        "the log has a change that the account does not know",
        "channel_orchestration_log says that its budget was changed, and Google's change history has no such change.",
        "Compare the amount in force with the log row. Then set the finding's level to info, and start lead_budgets "
        "again.",
        True,
    )
    MISSING_LEADS = (
        "missing_leads",
        "yesterday's leads are not known",
        "The number of leads generated yesterday is missing.",
        "Run lead_stats for yesterday, then start lead_budgets again.",
        True,
    )
    MISSING_ACCEPTANCE = (
        "missing_acceptance",
        "accepted and rejected leads are not known",
        "Accepted, rejected or pending leads of yesterday are missing, or no lead of any segment was decided yet.",
        "Run lead_stats for yesterday; if partners decided nothing at all, ask why.",
        True,
    )
    MISSING_PAID_LEADS = (
        "missing_paid_leads",
        "it is not known which leads were paid for",
        "Yesterday's number of leads that came from Google Ads is missing.",
        "Run lead_stats for yesterday, then start lead_budgets again.",
        True,
    )
    MISSING_SPEND = (
        "missing_spend",
        "yesterday's spend is not known",
        "The Google Ads spend of yesterday is missing.",
        "Look at the Google Ads fetch in lead_stats and clear it; then start lead_budgets again.",
        True,
    )
    MISSING_DAYS = (
        "missing_days",
        "too many days are missing from the history",
        f"Of the last {LATELY} days more than {Default.missing_days} have no complete numbers, or yesterday has none "
        "at all.",
        "Run lead_stats for the missing days (from/to), then start lead_budgets again.",
        True,
    )
    TOO_LITTLE_HISTORY = (
        "too_little_history",
        "there is too little history",
        "The segment has fewer complete days than an estimate needs.",
        "Run lead_stats over earlier days if they exist; otherwise wait.",
        True,
    )
    LEADS_WITHOUT_SOURCE = (
        "leads_without_source",
        "too many leads have no source",
        f"More than {Default.max_share_without_source:.0%} of the segment's leads have no source, over the whole "
        f"window or (two leads at least) over the last {Default.recent_source_days} days, or yesterday's number of "
        "them is missing, so paid and free leads cannot be told apart.",
        "Repair the tracking of the form or site that drops source_channel, or add the sources that the findings "
        "lead_source_unknown name to lead_spellings; then, or if the number is missing, run lead_stats for yesterday.",
        True,
    )
    LEAD_STATUS_UNKNOWN = (
        "lead_status_unknown",
        "too many leads have a status that nobody has explained",
        f"More than {Default.max_share_of_unknown_status:.0%} of the segment's leads of the last {LATELY} days (two at "
        "least) have a status that lead_spellings does not know, so what partners accept cannot be told.",
        "Add the status that the finding lead_status_unknown names to lead_spellings (kind status; meaning accepted, "
        "rejected, pending or not_a_lead), or correct the leads. The next run of lead_stats counts them again; then "
        "lead_budgets may be started again.",
        True,
    )
    TRACKING_OUTAGE = (
        "tracking_outage",
        "money is spent but no leads arrive at all",
        "Spend went on as usual while no lead was counted for days: more likely a broken form or tag than no demand.",
        "Test the form and the tracking of the landing page; once repaired, the days are left out by themselves.",
        True,
    )
    MISSING_CAPACITY = (
        "missing_capacity",
        "the partners' capacity is not known",
        "What partners can take each day is missing for this segment.",
        "Fill in the daily capacity of the segment's partners, 0 for one that takes none, or make a partner that has "
        "left inactive: tomorrow's run reads it. For today already, clear pull_partner_capacity and what comes after "
        "it, and start lead_budgets again.",
        True,
    )
    CAPACITY_LEAP = (
        "capacity_leap",
        "the partners' capacity leaps",
        "The capacity is far above or below what is usual for the segment (its median of the last weeks, and that of "
        "the same weekdays), by max_capacity_rise or max_capacity_fall times and at least min_capacity_leap leads.",
        "Look at the daily capacity of the segment's partners. If it is wrong, correct it, then clear "
        "pull_partner_capacity and what comes after it. If it is right, add a row with the segment_id and that "
        "confirmed_capacity to capacity_confirmations, then clear record_findings and what comes after it; else it is "
        "believed once it has stood for capacity_leap_days.",
        True,
    )
    MISSING_LIMITS = (
        "missing_limits",
        "its limits are not set",
        "Floor, cap, largest steps or cool-down are not filled in for this segment; or its monthly budget, or that of "
        "its branch, is no amount.",
        "Fill the segment's row of lead_segment_channels, and correct monthly_budget in lead_branch_channels; where a "
        "finding says that the table cannot be read, repair it or the rights of lead_pipeline on it (make migrate "
        "checks them). Then start lead_budgets again.",
        True,
    )
    INVALID_LIMITS = (
        "invalid_limits",
        "its limits contradict each other",
        "The floor is above the cap, a limit is negative, or a decrease is more than 100%.",
        "Correct the segment's row of lead_segment_channels.",
        True,
    )
    MISSING_CURRENT_BUDGET = (
        "missing_current_budget",
        "its budget is not known",
        "The daily budget now in force could not be read, or cannot be true.",
        "Look at the finding impossible_budget, or else at the Google Ads read in lead_budgets; then start it again.",
        True,
    )
    BUDGET_LIMITED_UNKNOWN = (
        "budget_limited_unknown",
        "it is not known whether its budget limits it",
        "Whether a campaign of the segment spends its whole budget could not be read, so neither what today's budget "
        "brings nor whether more would help is known.",
        "Look at the campaign's status in Google Ads; lead_budgets may then be started again.",
        True,
    )
    CURRENCY_MISMATCH = (
        "currency_mismatch",
        "the account has another currency",
        "The ads account has another currency than configured, so its amounts do not add up with those of others.",
        "Move the campaigns to an account in the configured currency, or correct the currency in "
        "orchestration_settings; then run lead_stats for yesterday and start lead_budgets again.",
        True,
    )
    TIME_ZONE_MISMATCH = (
        "time_zone_mismatch",
        "the account has another time zone",
        "The ads account has another time zone than configured, so its days are not the days of the leads.",
        "Move the campaigns to an account in the configured time zone, or correct the time zone in "
        "orchestration_settings; then run lead_stats for yesterday and start lead_budgets again.",
        True,
    )
    OPEN_CLAIM = (
        "open_claim",
        "an earlier change is not settled",
        "An earlier change of this budget has no definite answer yet, so the amount in force is not certain.",
        "Nothing: the next run settles it; look at channel_orchestration_log if it stays pending for a day.",
        True,
    )

    # What kind of campaigns it has. A campaign that costs nothing is not counted; these are given where none is left.
    CAMPAIGN_PAUSED = (
        "campaign_paused",
        "its campaign is paused",
        "A person paused every campaign of the segment, so no budget is in force.",
        "Nothing; enable a campaign in Google Ads if the segment needs paid leads.",
    )
    CAMPAIGN_ENDED = (
        "campaign_ended",
        "its campaign has ended",
        "The end date of the segment's campaign has passed, so it costs nothing and its budget is not in force.",
        "Nothing; set a later end date in Google Ads, or give the segment another campaign in channel_sources.",
    )
    CAMPAIGN_NOT_STARTED = (
        "campaign_not_started",
        "its campaign has not started",
        "The start date of the segment's campaign lies in the future, so its budget is not in force yet.",
        "Nothing: the planner goes on when it has started.",
    )
    CAMPAIGN_REMOVED = (
        "campaign_removed",
        "its campaign was removed",
        "Every campaign of the segment was removed in Google Ads, so no budget is in force.",
        "Add the campaign that replaces it to channel_sources, or set is_automated to false.",
    )
    CAMPAIGN_DRAFT = (
        "campaign_draft",
        "its campaign is a draft",
        "What channel_sources gives to the segment is a draft of a campaign: it neither serves nor costs anything.",
        "Give the base campaign to the segment in channel_sources.",
    )
    ACCOUNT_NOT_SERVING = (
        "account_not_serving",
        "its account does not serve",
        "Google suspended the ads account, or it was cancelled or closed: no campaign of it serves.",
        "Open the account in Google Ads: billing and policy are where it says why.",
    )
    CAMPAIGN_EXPERIMENT = (
        "campaign_experiment",
        "an experiment runs on its campaign",
        "An experiment shares traffic and budget with a campaign of the segment; a change would spoil its result.",
        "Nothing: the planner goes on when the experiment has ended in Google Ads; or end it there.",
    )
    CAMPAIGN_TOTAL_BUDGET = (
        "campaign_total_budget",
        "its budget is a total, not a daily one",
        "A campaign of the segment has one budget for its whole period. Counted is that total divided by its days; it "
        "is not changed.",
        "Give the campaign a new, daily budget in Google Ads: the period of a budget cannot be changed.",
    )
    CAMPAIGN_TYPE = (
        "campaign_type",
        "campaigns of its type are not steered",
        "A campaign of the segment is of a type whose daily budget cannot be set, or that does not buy leads by it.",
        "Steer it in Google Ads, and set is_automated to false; or give the segment a search campaign instead.",
    )
    BUDGET_TYPE = (
        "budget_type",
        "budgets of its kind are not steered",
        "The budget of a campaign of the segment is of another type, period or delivery than the standard daily one.",
        "Give the campaign a standard daily budget in Google Ads.",
    )
    CAMPAIGN_NOT_ELIGIBLE = (
        "campaign_not_eligible",
        "a campaign cannot serve as it is set up",
        "Google says that a campaign of the segment is not eligible to serve; its budget is counted and left alone.",
        "Look at the campaign's status in Google Ads: its ads, keywords or bookings are where it says why.",
    )
    CAMPAIGN_STATE_UNKNOWN = (
        "campaign_state_unknown",
        "what its campaign does is not known",
        "Google gave a status of a campaign or account that is not known here, or that contradicts its dates.",
        "Look at the campaign in Google Ads; lead_budgets may then be started again.",
        True,
    )

    # What people or Google decided
    SHARED_BUDGET = (
        "shared_budget",
        "its budget is shared with another segment",
        "The budget also pays for another segment's campaigns, so it cannot be steered for one.",
        "Give the segment's campaigns a budget of their own in Google Ads, then start lead_budgets again.",
    )
    FOREIGN_EDIT = (
        "foreign_edit",
        "somebody else just changed its budget",
        "The budget was changed outside this pipeline a short while ago, or the campaign was: made, enabled, given "
        "other dates or another budget. That change is left alone.",
        "Nothing: the planner goes on after the cool-down; agree on who changes this budget.",
    )
    LEARNING = (
        "learning",
        "the campaign is learning",
        "Google's bidding is learning after a change; another change would start it again.",
        "Nothing: the planner goes on when learning is done.",
    )
    LEARNING_UNKNOWN = (
        "learning_unknown",
        "it is not known whether its campaign is learning",
        "Google did not say whether the bidding of a campaign is learning after a change.",
        "Look at the campaign's bidding status in Google Ads; lead_budgets may then be started again.",
        True,
    )

    # What the rule itself holds for
    WITHIN_DEAD_BAND = (
        "within_dead_band",
        "the gap is within the dead band",
        f"Over the week the expected leads are within {Default.dead_band:.0%} of the target.",
        "Nothing.",
    )
    NOT_SIGNIFICANT = (
        "not_significant",
        "the gap may be chance",
        "The gap is smaller than the uncertainty of the estimate.",
        "Nothing: if the gap is real, more days will show it.",
    )
    COOL_DOWN = (
        "cool_down",
        "the last change is too recent",
        "The budget was changed within its cool-down, and capacity has not moved much since.",
        "Nothing; shorten cooldown_days in lead_segment_channels if the segment should move faster.",
    )
    NOT_BUDGET_LIMITED = (
        "not_budget_limited",
        "its budget does not limit it",
        "More leads are wanted, but the campaign does not spend what it already has; or Google calls it limited, and "
        f"says that less than {Default.least_lost:.0%} of its searches were missed for want of budget lately.",
        "Look for more demand (keywords, bids, area): money will not bring it.",
    )
    AT_CAP = (
        "at_cap",
        "at its cap",
        "The wanted budget is above the segment's cap.",
        "Raise max_daily_budget in lead_segment_channels if the segment may cost more.",
    )
    AT_FLOOR = (
        "at_floor",
        "at its floor",
        "The wanted budget is below the segment's floor.",
        "Lower min_daily_budget in lead_segment_channels if the segment may cost less.",
    )
    SMALLER_THAN_UNIT = (
        "smaller_than_unit",
        "the step is smaller than the smallest amount",
        "The largest step from this budget is less than the smallest amount that can be billed.",
        "Set a starting budget in Google Ads, or a larger step in lead_segment_channels.",
    )
    TOTAL_BUDGET_UNKNOWN = (
        "total_budget_unknown",
        "the sum of all budgets is not known",
        "Another segment's budget and cap are both unknown, so the total daily cap cannot be checked.",
        "Repair the segments that hold for missing_current_budget, then start lead_budgets again.",
        True,
    )
    TOTAL_CAP = (
        "total_cap",
        "total daily cap reached",
        "The sum of all budgets would pass the total daily cap; larger gaps went first.",
        "Raise total_daily_cap in orchestration_settings, or lower other budgets.",
    )
    SEGMENT_MONTH_BUDGET = (
        "segment_month_budget",
        "the month's budget of the segment",
        "What the segment has spent and may still spend this month comes to its own monthly budget: it goes down, or "
        "its increase waits.",
        "Nothing: it follows the month; or raise monthly_budget in lead_segment_channels. The view "
        "month_pace_of_segments has the figures.",
    )
    BRANCH_MONTH_BUDGET = (
        "branch_month_budget",
        "the month's budget of the branch",
        "What the segments of its branch have spent and may still spend this month comes to the monthly budget of the "
        "branch: budgets of the branch go down where a euro brings the fewest leads that partners can take, and go up "
        "where it brings the most.",
        "Nothing: it follows the month; or raise monthly_budget in lead_branch_channels. The view "
        "month_pace_of_branches has the figures.",
    )
    MONTH_BUDGET = (
        "month_budget",
        "the month's budget",
        "What is spent and may still be spent this month comes to the month's budget: budgets go down where a euro "
        "brings the fewest leads that partners can take, and what is left for increases goes where it brings the most.",
        "Nothing: it follows the month; or raise monthly_budget in orchestration_settings. The view month_pace has the "
        "figures.",
    )
    DAILY_INCREASE_LIMIT = (
        "daily_increase_limit",
        "daily increase limit reached",
        "The sum of today's increases would pass the limit; larger gaps went first.",
        "Nothing: the rest follows on later days; or raise max_daily_increase in orchestration_settings.",
    )

    # What shaped a change
    BELOW_FLOOR = (
        "below_floor",
        "toward the floor",
        "Today's budget is below the segment's floor and is brought toward it.",
        "Nothing; lower min_daily_budget in lead_segment_channels if that is not wanted.",
    )
    ABOVE_CAP = (
        "above_cap",
        "toward the cap",
        "Today's budget is above the segment's cap and is brought toward it.",
        "Nothing; raise max_daily_budget in lead_segment_channels if that is not wanted.",
    )
    STEP_LIMIT = (
        "step_limit",
        "step limit",
        "The wanted budget, or the floor or cap toward which it goes, is further away than one step.",
        "Nothing: the next step follows after the cool-down.",
    )
    CAPACITY_ZERO = (
        "capacity_zero",
        "partners take nothing",
        "Nobody can take leads of this segment, so its budget goes down to the floor, step by step.",
        "Find partners for the segment, or pause its campaign.",
    )
    BELOW_CAPACITY = (
        "below_capacity",
        "too few leads",
        "Fewer leads are expected than wanted, by more than the dead band and more than chance.",
        "Nothing.",
    )
    ABOVE_CAPACITY = (
        "above_capacity",
        "too many leads",
        "More leads are expected than wanted, by more than the dead band and more than chance.",
        "Nothing.",
    )
    PARTNERS_ABSENT = (
        "partners_absent",
        "partners are away",
        "Partners announced that they are away in the coming week, so its mean capacity, which the budget is chosen "
        "for, is lower than what all of them take together.",
        "Nothing; if a partner is not away, correct its absent_from and absent_to.",
    )
    CAPACITY_MOVED = (
        "capacity_moved",
        "capacity moved, no cool-down",
        f"Capacity moved by more than {Default.capacity_move:.0%} since the last change, so the cool-down is waived.",
        "Nothing.",
    )
    FOLLOW_THROUGH = (
        "follow_through",
        "a further step, no cool-down",
        "The last change was a full step the same way and left the gap plainly open, so the cool-down is waived.",
        "Nothing; lower the largest step in lead_segment_channels if the segment should move more slowly.",
    )
    TARGET_SET_BY_PERSON = (
        "target_set_by_person",
        "target set by a person",
        "A person set the target of today; it replaces capacity divided by acceptance.",
        "Nothing; remove the admin's target to let the planner compute it again.",
    )
    NEEDS_APPROVAL = (
        "needs_approval",
        "waits for approval",
        "The increase is larger than the approval threshold, so it is made only if a person approves it in time.",
        "Answer under Required Actions in Airflow; without an answer by approval_deadline it is not made.",
    )


def reason_of(code: str) -> Reason | None:
    """The reason with this code, or None for a code that is not in the table."""
    return _BY_CODE.get(code)


def phrase(code: str) -> str:
    """The few words for a sentence; a code that is not in the table is shown as it is."""
    reason = reason_of(code)
    return code.replace("_", " ") if reason is None else reason.phrase


_BY_CODE = {reason.value: reason for reason in Reason}
