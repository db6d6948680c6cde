"""Capacity that breathes with the week, as a weekly level: partners who take little on Saturdays did not shrink."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lead_demand.planner_inputs import Days, Segments

# How many weeks a weekday is looked at, in how many of them it must be known, and from what swing on it is a pattern.
WEEKS, LEAST_WEEKS, LEAST_SWING = 8, 3, 0.05


def weekday(dates: np.ndarray) -> np.ndarray:
    """0 = Monday … 6 = Sunday, of datetime64[D]."""
    return (dates.astype("datetime64[D]").astype(int) + 3) % 7


def weekly_level(known: Segments, days: Days) -> tuple[Segments, Days]:
    """Both with their capacity as the mean of the week that it belongs to, where it has a weekly pattern.

    Each morning's capacity is recorded under the day before, so today's has the factor of yesterday's row. On a
    weekday on which partners take nothing at all, the level is that of the day before.
    """
    capacity, on = days["capacity_total_leads"], weekday(days.dates)
    factors = _factors(capacity, on)
    if (factors == 1).all():
        return known, days
    closed = factors <= 0
    by_day = np.where(closed, np.nan, factors)[:, on]
    level = _last_known(capacity / by_day)
    now = known.capacity / by_day[:, -1]
    now = np.where(closed[:, on[-1]] & ~np.isnan(known.capacity), level[:, -1], now)
    # What is not known of a day stays unknown: the level only bridges the closed days.
    level = np.where(np.isnan(capacity), np.nan, level)
    return replace(known, capacity=now), replace(days, values={**days.values, "capacity_total_leads": level})


def _factors(capacity: np.ndarray, on: np.ndarray) -> np.ndarray:
    """What a weekday's capacity is of the week's mean, shape (segments, 7); 1 where there is no pattern.

    The median over the last weeks of a day's capacity over the mean of the seven days about it: a week whose level
    moved in between says little.
    """
    factors = np.ones((len(capacity), 7))
    if capacity.shape[1] < 7 * LEAST_WEEKS:
        return factors
    padded = np.pad(capacity, ((0, 0), (3, 3)), constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, 7, axis=1).mean(axis=2)
    part = np.divide(capacity, around, out=np.full(capacity.shape, np.nan), where=around > 0)[:, -7 * WEEKS :]
    of = on[-7 * WEEKS :]
    for day in range(7):
        seen = part[:, of == day]
        enough = (~np.isnan(seen)).sum(axis=1) >= LEAST_WEEKS
        if enough.any():
            factors[enough, day] = np.nanmedian(seen[enough], axis=1)
    factors /= factors.mean(axis=1, keepdims=True)
    factors[np.abs(factors - 1).max(axis=1) < LEAST_SWING] = 1
    return factors


def _last_known(values: np.ndarray) -> np.ndarray:
    """Each row's gaps filled with what was known last."""
    known = ~np.isnan(values)
    last = np.maximum.accumulate(np.where(known, np.arange(values.shape[1]), 0), axis=1)
    return np.asarray(np.take_along_axis(values, last, axis=1))
