"""The planner's answer as a frame: one row per segment with action, budget, forecast, reason codes and sentence."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from lead_demand.planner.arrays import Bools, bools, is_none
from lead_demand.planner.choice import Choice
from lead_demand.planner.estimate import Estimate
from lead_demand.planner.gap import Forecast, leads_per_euro, spend_at
from lead_demand.planner.inputs import Days, Flags, Segments, as_euros, decimal
from lead_demand.planner.reasons import Reason
from lead_demand.planner.sentences import sentences
from lead_demand.planner.settings import PlannerSettings

#: Reasons that make the counts of days unusable: no estimate is shown with them.
NO_ESTIMATE = (
    Reason.DUPLICATE_SEGMENT,
    Reason.DUPLICATE_DAY,
    Reason.BAD_INPUT_ROW,
    Reason.MISSING_LEADS,
    Reason.MISSING_ACCEPTANCE,
    Reason.MISSING_PAID_LEADS,
    Reason.MISSING_SPEND,
    Reason.MISSING_DAYS,
    Reason.TOO_LITTLE_HISTORY,
    Reason.LEADS_WITHOUT_SOURCE,
)


def result_frame(
    choice: Choice,
    known: Segments,
    days: Days,
    rates: Estimate,
    forecast: Forecast,
    settings: PlannerSettings,
    today: np.datetime64,
) -> pd.DataFrame:
    """The answer of `LeadDemandPlanner.plan`, in the order of the frame that was given."""
    new, flags = choice.budgets, {**choice.flags}
    none = np.zeros(len(new), dtype=bool)
    certain = ~is_none(new)
    step = np.where(certain, new, 0) - np.where(certain, known.current, 0)
    for reason in (Reason.STEP_LIMIT, Reason.CAPACITY_MOVED, Reason.FOLLOW_THROUGH):
        flags[reason] = flags.get(reason, none) & (step != 0)
    reasons, blocking = _reasons(known, flags)
    hidden = np.logical_or.reduce([flags.get(reason, none) for reason in NO_ESTIMATE])
    shown = {
        name: np.where(hidden, np.nan, values)
        for name, values in {
            "expected_leads_per_day": forecast.expected,
            "expected_low": forecast.low,
            "expected_high": forecast.high,
            "expected_week": forecast.week_expected,
            "gap_exact": forecast.gap,
            "sd": forecast.sd,
            "expected_after": rates.leads(spend_at(as_euros(new), known, rates)),
            "acceptance_rate": rates.acceptance,
            "free_rate": rates.free_rate,
            "paid_rate": leads_per_euro(rates, spend_at(as_euros(known.current), known, rates)),
            "spend_after": spend_at(as_euros(new), known, rates),
            "wanted_budget": np.where(np.isfinite(forecast.wanted), forecast.wanted, np.nan),
        }.items()
    }
    unusable = hidden & np.isnan(known.target_override)
    result = pd.DataFrame(
        {
            "segment_id": known.ids,
            "action": np.where(step > 0, "increase", np.where(step < 0, "decrease", "hold")).astype(object),
            "is_blocked": (step == 0) & blocking,
            "new_budget": pd.Series([decimal(amount) for amount in new], dtype=object),
            "target_leads_per_day": np.where(unusable, np.nan, forecast.target),
            "target_week": np.where(unusable, np.nan, forecast.week_target),
            **shown,
            "estimate": pd.Series(
                [None if of_bad_days else row for row, of_bad_days in zip(rates.kept(), hidden, strict=True)],
                dtype=object,
            ),
            "needs_approval": flags[Reason.NEEDS_APPROVAL],
            "reasons": pd.Series(reasons, dtype=object),
        }
    )
    told = sentences(result, known, days, settings, today)
    result["sentence"] = pd.Series(told, dtype=object)
    return result.iloc[known.given_order].reset_index(drop=True)


def _reasons(known: Segments, flags: Flags) -> tuple[list[list[str]], Bools]:
    """The codes of each segment, in the order of `Reason`, and whether one of them blocks it.

    Codes of `known.blocks` that are in no table come first, and block.
    """
    none = np.zeros(len(known.ids), dtype=bool)
    table = np.column_stack([flags.get(reason, none) for reason in Reason])
    order = {reason.value: column for column, reason in enumerate(Reason)}
    foreign: dict[int, list[str]] = {}  # codes that are in no table
    for row, codes in enumerate(known.blocks):
        for code in codes:
            if code in order:
                table[row, order[code]] = True
            else:
                foreign.setdefault(row, []).append(code)
    rows, columns = table.nonzero()
    codes_found = np.array(list(order), dtype=object)[columns].tolist()
    ends = np.searchsorted(rows, np.arange(len(none) + 1)).tolist()
    reasons = [codes_found[start:end] for start, end in pairwise(ends)]
    for row, codes in foreign.items():
        reasons[row] = [*codes, *reasons[row]]
    blocking = table[:, [reason.blocking for reason in Reason]].any(axis=1) | bools(
        row in foreign for row in range(len(none))
    )
    return reasons, blocking
