"""A decision as one or two sentences for people: what is expected, what happens to the budget, and why."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import compress, repeat

import numpy as np
import pandas as pd

from lead_demand.planner.inputs import Days, Segments, decimal, lost_share
from lead_demand.planner.reasons import Reason, phrase, reason_of
from lead_demand.planner.settings import LATELY, PlannerSettings

SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£"}
FAR = 0.15  # of the week's mean: from this difference on, the day and its week are both given
MUCH_LOST = 0.10  # of a campaign's searches, for want of budget: mentioned where the flag says that it is not limited
COUNTED_TO = 0.9  # Google reports no larger share
#: Reasons that say how a change was shaped, in the sentence's brackets.
SHAPING = (
    Reason.BELOW_FLOOR,
    Reason.ABOVE_CAP,
    Reason.STEP_LIMIT,
    Reason.CAPACITY_MOVED,
    Reason.FOLLOW_THROUGH,
    Reason.AT_CAP,
    Reason.AT_FLOOR,
    Reason.SEGMENT_MONTH_BUDGET,
    Reason.BRANCH_MONTH_BUDGET,
    Reason.TOTAL_CAP,
    Reason.MONTH_BUDGET,
    Reason.DAILY_INCREASE_LIMIT,
    Reason.CAPACITY_ZERO,
    Reason.TARGET_SET_BY_PERSON,
)


def sentences(
    plan: pd.DataFrame, known: Segments, days: Days, settings: PlannerSettings, today: np.datetime64
) -> list[str]:
    """One text per row of `plan` (the planner's result, in the order of `known` and `days`)."""
    symbol, sent = SYMBOLS.get(settings.currency, f"{settings.currency} "), not settings.dry_run
    wait = np.maximum(np.nan_to_num(known.cooldown_days), 1).astype("timedelta64[D]")
    changed = (plan["action"] != "hold").to_numpy()
    names = [f"{name}: " for name in known.names]
    columns = ("expected_leads_per_day", "expected_low", "expected_high", "target_leads_per_day")
    forecasts = map(_forecast, *(plan[column] for column in (*columns, "expected_week", "target_week")))
    year = today.astype("datetime64[Y]").item().year
    away = [
        _away(there, gone, until, year) if Reason.PARTNERS_ABSENT in reasons else ""
        for there, gone, until, reasons in zip(
            known.capacity, known.absent_week, known.absent_until.tolist(), plan["reasons"], strict=True
        )
    ]
    checked = map(_checked, plan["reasons"], known.budget_limited == 1, lost_share(known, days)[0])
    amounts = (map(decimal, known.current), plan["new_budget"], plan["reasons"], map(decimal, known.recommended))
    recommended = map(_recommended, repeat(symbol), *amounts)
    rows = zip(
        map(decimal, known.current),
        plan["new_budget"],
        plan["expected_after"],
        plan["expected_week"],
        plan["reasons"],
        (np.where(changed, today, known.last_change).astype("datetime64[D]") + wait).tolist(),
        days.missing[:, -LATELY:],
        strict=True,
    )
    lately = days.dates[-LATELY:].tolist()
    decided = [
        _stays(symbol, old, reasons, next_change if sent else None, list(compress(lately, missing)))
        if old is None or old == new
        else _moves(symbol, old, new, _brings(after, alone), reasons, next_change if sent else None)
        for old, new, after, alone, reasons, next_change, missing in rows
    ]
    return ["".join(parts) for parts in zip(names, forecasts, away, decided, checked, recommended, strict=True)]


def _forecast(expected: float, low: float, high: float, target: float, of_week: float, week_target: float) -> str:
    """What is expected of the day; of the week as well, where the day is far from it."""
    if not (np.isfinite(expected) and np.isfinite(target)):
        return ""
    if abs(target - week_target) > FAR * week_target or abs(expected - of_week) > FAR * of_week:
        today = f"{_count(expected)} of {_count(target)} leads expected today ({_count(low)}–{_count(high)})"
        return f"{today}, {_count(of_week)} of {_count(week_target)} per day over the week. "
    wanted = f"of {_count(target)} leads per day expected" if target else "leads per day expected, none wanted"
    return f"{_count(expected)} {wanted} ({_count(low)}–{_count(high)}). "


def _away(there: float, away: float, until: dt.date | None, year: int) -> str:
    end = "further notice" if until is None else _day(until) + (f" {until.year}" if until.year != year else "")
    taken = f"{_count(there)} of {_count(there + away)} leads per day over it"
    return f"Partners are away in the coming week, the last until {end}: they take {taken}. "


def _moves(
    symbol: str, old: Decimal, new: Decimal, brings: str, reasons: list[str], next_change: dt.date | None
) -> str:
    percent = f"{float(new / old - 1) * 100:+.0f}%".replace("-", "\N{MINUS SIGN}") if old else "from nothing"
    shape = "".join(f", {reason.phrase}" for reason in SHAPING if reason in reasons)
    asked = " Waits for approval." if Reason.NEEDS_APPROVAL in reasons else ""
    budget = f"Budget {symbol}{_amount(old)} → {symbol}{_amount(new)} ({percent}{shape}){brings}."
    if next_change is None:
        return f"{budget}{asked} Dry run: it is not made."
    # Not every change is made: a refusal or a rejection starts no cool-down.
    return f"{budget}{asked} Once made, {_rests('the next', next_change)}"


def _brings(after: float, alone: float) -> str:
    """The promise of a change, which is compared with its seven days when they are over. It is of the week, as the
    decision is; what is expected of today alone may be more or less.
    """
    if not np.isfinite(after):
        return ""
    promise = f": should bring {_count(after)} per day over the week"
    if not np.isfinite(alone) or _count(after) == _count(alone):
        return promise
    return f"{promise}, {_count(abs(after - alone))} {'more' if after > alone else 'fewer'}"


def _rests(what: str, until: dt.date) -> str:
    return f"{what} not before {_day(until)}, unless capacity moves, the month is short or a full step was not enough."


def _stays(
    symbol: str, old: Decimal | None, reasons: list[str], next_change: dt.date | None, missing: list[dt.date]
) -> str:
    budget = "Budget unknown" if old is None else f"Budget stays {symbol}{_amount(old)}"
    first = reasons[0] if reasons else ""
    reason = reason_of(first)
    more = ""
    if reason is Reason.COOL_DOWN and next_change:
        more = f" {_rests('Next change', next_change)}"
    elif reason is Reason.MISSING_DAYS and missing:
        more = f" Missing: {_dates(missing)}. {reason.what_to_do}"
    elif reason and reason.blocking:
        more = f" {reason.what_to_do}"
    return f"{budget}: {phrase(first)}.{more}"


def _checked(reasons: list[str], is_limited: bool, lost: float) -> str:
    """Where Google says two things of a budget that is not raised, both.

    `is_limited`: Google calls it limited, and it is spent; `lost`: of the searches, at least, for want of budget.
    """
    if Reason.NOT_BUDGET_LIMITED not in reasons:
        return ""
    if is_limited:
        return " Google calls it limited, but says that hardly a search was missed for want of budget."
    if not lost > MUCH_LOST:
        return ""
    part = f"{lost:.0%}" if lost <= COUNTED_TO else f"more than {COUNTED_TO:.0%}"
    return f" Google says that a campaign misses {part} of its searches for want of budget."


def _recommended(
    symbol: str, old: Decimal | None, new: Decimal | None, reasons: list[str], recommended: Decimal | None
) -> str:
    """Google's own recommendation, where more is spent or wanted."""
    is_raised = old is not None and new is not None and new > old
    if not recommended or recommended == new or not (is_raised or Reason.BELOW_CAPACITY in reasons):
        return ""
    return f" Google recommends {symbol}{_amount(recommended)}."


def _count(leads: float) -> str:
    return f"{leads:.1f}".removesuffix(".0")


def _amount(amount: Decimal) -> str:
    return f"{amount:,.0f}" if amount == amount.to_integral_value() else f"{amount:,.2f}"


def _dates(dates: list[dt.date]) -> str:
    """At most five, the latest first."""
    named = [_day(date) for date in reversed(dates)]
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")


def _day(date: dt.date) -> str:
    return f"{date.day} {date:%B}"
