"""Unknown means hold: which segments are not changed, whatever their gap, because an input is missing or unusable.

What only the database knows is found before planning and arrives as `blocks`: a channel that was not fetched this
morning up to yesterday (`stale_channel`), sums that contradict each other (`sums_differ`), open changes, foreign edits,
states of campaigns. Its rules are in `include/sql/lead_budgets/select_segments.sql`; missing, doubled and impossible
days are found by `inputs.read_days`. All of them come together here.
"""

from __future__ import annotations

import numpy as np

from lead_demand.planner.arrays import Floats, bools
from lead_demand.planner.estimate import Estimate
from lead_demand.planner.inputs import Days, Flags, Segments
from lead_demand.planner.reasons import Reason
from lead_demand.planner.settings import PlannerSettings

#: Reasons that do not apply to a segment without a campaign: it has no spend, no budget and no limits.
NOT_APPLICABLE = (
    Reason.MISSING_SPEND,
    Reason.MISSING_DAYS,
    Reason.TOO_LITTLE_HISTORY,
    Reason.MISSING_CURRENT_BUDGET,
    Reason.MISSING_LIMITS,
    Reason.BUDGET_LIMITED_UNKNOWN,
)


def holds(known: Segments, days: Days, rates: Estimate, settings: PlannerSettings) -> Flags:
    """Everything that stops a segment, whatever its gap: by reason, the segments of which it is true.

    What was found before planning (`known.blocks`) is not repeated here.
    """
    flags: Flags = {**known.flags}
    for reason, rows in days.flags.items():
        flags[reason] = flags.get(reason, False) | rows
    flags[Reason.TOO_LITTLE_HISTORY] = flags[Reason.TOO_LITTLE_HISTORY] | ~rates.known
    flags[Reason.MISSING_ACCEPTANCE] = flags[Reason.MISSING_ACCEPTANCE] | (
        days.complete.any(axis=1) & (not rates.acceptance_known)
    )
    lost, too_many = _without_source(days, len(days.dates), settings)
    lately, too_many_lately = _without_source(days, settings.recent_source_days, settings)
    # One lead breaks no tag, though it may be more than a tenth of what a small segment brings in two weeks.
    unsourced = (lost > too_many) | (lately > np.maximum(too_many_lately, 1))
    flags[Reason.LEADS_WITHOUT_SOURCE] = flags.get(Reason.LEADS_WITHOUT_SOURCE, False) | unsourced
    flags[Reason.TRACKING_OUTAGE] = rates.outage
    # Not applicable is not unknown.
    has_campaign = ~bools(Reason.NO_CAMPAIGN in codes for codes in known.blocks)
    for reason in NOT_APPLICABLE:
        flags[reason] = flags[reason] & has_campaign
    return flags


def _without_source(days: Days, last: int, settings: PlannerSettings) -> tuple[Floats, Floats]:
    """Leads without a source in the `last` days, and how many are tolerated."""
    unsourced, generated = days["leads_without_source"][:, -last:], days["leads_generated"][:, -last:]
    of_known = np.nansum(np.where(np.isnan(unsourced), 0, generated), axis=1)
    return np.nansum(unsourced, axis=1), settings.max_share_without_source * of_known
