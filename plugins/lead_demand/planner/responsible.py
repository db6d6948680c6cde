"""Who can do what a reason or a finding asks for, by its code."""

from __future__ import annotations

from typing import Literal

from lead_demand.planner.codes import Code
from lead_demand.planner.finding_codes import FindingCode
from lead_demand.planner.reasons import Reason
from lead_demand.planner.refusals import Refusal

Who = Literal["marketing", "data_team", "on_call"]

#: A run, a connection or a key has to be looked at.
ON_CALL: frozenset[Code] = frozenset(
    {
        Reason.SETTINGS_MISSING,
        Reason.STALE_CHANNEL,
        Reason.CHANGE_NOT_LOGGED,
        Reason.CHANGE_NOT_IN_HISTORY,
        Reason.MISSING_LEADS,
        Reason.MISSING_ACCEPTANCE,
        Reason.MISSING_PAID_LEADS,
        Reason.MISSING_SPEND,
        Reason.MISSING_CURRENT_BUDGET,
        Reason.OPEN_CLAIM,
        Reason.TOTAL_BUDGET_UNKNOWN,
        Refusal.NOT_OF_A_DECISION,
        FindingCode.CAPACITY_SOURCE_FAILED,
    }
)
#: Rows, adapters or the reports of a source have to be put right.
DATA_TEAM: frozenset[Code] = frozenset(
    {
        Reason.DUPLICATE_SEGMENT,
        Reason.DUPLICATE_DAY,
        Reason.BAD_INPUT_ROW,
        Reason.SUMS_DIFFER,
        Reason.MISSING_DAYS,
        Reason.TOO_LITTLE_HISTORY,
        Reason.LEADS_WITHOUT_SOURCE,
        Reason.LEAD_STATUS_UNKNOWN,
        FindingCode.IMPOSSIBLE_METRIC,
        FindingCode.DUPLICATE_ROW,
        FindingCode.DAY_WITHOUT_ROWS,
        FindingCode.EMPTY_REPORT,
        FindingCode.SILENT_DAY_DOUBTFUL,
        FindingCode.PARTIAL_REPORT,
        FindingCode.PROPERTY_TIME_ZONE,
        FindingCode.HOST_NOT_STATED,
        FindingCode.SOURCES_CHANGED,
        FindingCode.LEADS_WITHOUT_SEGMENT,
        FindingCode.LEAD_SOURCE_UNKNOWN,
        FindingCode.CHANNEL_UNUSUAL,
        FindingCode.CHECK_EVERY_SEGMENT_HAS_A_ROW,
        FindingCode.CHECK_COUNTS,
        FindingCode.CHECK_LEADS_ADD_UP,
        FindingCode.CHECK_CHANNELS_USUAL,
    }
)


def who_acts(code: str) -> Who:
    """Whoever steers the account, the limits and the partners, where it is nobody of the two above."""
    if code in ON_CALL:
        return "on_call"
    return "data_team" if code in DATA_TEAM else "marketing"
