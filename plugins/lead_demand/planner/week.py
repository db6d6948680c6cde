"""The week: which weekday a day counts as, capacity with a weekly pattern as a weekly level, and who is away.

Less capacity on Saturdays is a weekly pattern, not a loss of capacity; on a public holiday leads come as on a Sunday.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from lead_demand.planner.arrays import Bools, Dates, Floats, Integers
from lead_demand.planner.inputs import Days, Segments

# How many weeks are read of each weekday, in how many of them it must be known, and from what deviation on it counts
# as a pattern.
WEEKS, LEAST_WEEKS, LEAST_SWING = 8, 3, 0.05
SUNDAY, DAY = 6, np.timedelta64(1, "D")


def weekday(dates: Dates) -> Integers:
    """0 = Monday … 6 = Sunday, of datetime64[D]."""
    return (dates.astype("datetime64[D]").astype(int) + 3) % 7


@dataclass(frozen=True)
class Calendar:
    """Which weekday a day counts as in each segment's country: a public holiday, known years ahead, is a Sunday."""

    holidays: tuple[Dates, ...]  # one array per country
    country: Integers  # of each segment, the position in `holidays`

    @classmethod
    def of(cls, countries: Sequence[str], holidays: Mapping[str, Collection[dt.date]]) -> Calendar:
        """`holidays` by country code; a country that is not in it has none."""
        found, country = np.unique(np.array(countries, dtype=str), return_inverse=True)
        return cls(tuple(np.array(sorted(holidays.get(name, ())), dtype="datetime64[D]") for name in found), country)

    def weekdays(self, dates: Dates) -> Integers:
        """0 = Monday … 6 = Sunday, shape (segments, days), or (1, days) where all are of one country."""
        on = np.empty((len(self.holidays), len(dates)), dtype=int)
        for country, free in enumerate(self.holidays):
            on[country] = np.where(np.isin(dates, free), SUNDAY, weekday(dates))
        return on if len(on) == 1 else on[self.country]


def public_holidays(countries: Iterable[str], first: dt.date, last: dt.date) -> dict[str, frozenset[dt.date]]:
    """The public holidays of all years from `first` to the day after `last`, by country code. A country whose calendar
    the package `holidays` does not have has none.
    """
    import holidays

    years = range(first.year, (last + dt.timedelta(days=1)).year + 1)
    found = {}
    for country in set(countries):
        with suppress(NotImplementedError):
            found[country] = frozenset(holidays.country_holidays(country, years=years))
    return found


def coming_week(known: Segments, days: Days, calendar: Calendar) -> tuple[Segments, Days]:
    """Both with their capacity as the mean of the seven days from its morning on: the weekly level, without the part
    that is announced to be away. `absent_week` becomes the part of the level that is away.

    The weekly pattern is learned from the capacity of all partners, the absent ones included: an absence is no pattern.
    """
    capacity, absent = days["capacity_total_leads"], np.nan_to_num(days["capacity_absent_leads"])
    together, now = capacity + absent, known.capacity + known.absent
    part = _last_known(_present(together, np.nan_to_num(days["capacity_absent_week"])))
    # On a weekday on which partners take nothing at all, who is away is as on the day before.
    part_now = np.where(now > 0, _present(now, known.absent_week), part[:, -1])
    part, part_now = np.nan_to_num(part, nan=1.0), np.nan_to_num(part_now, nan=1.0)
    known, days = weekly_level(
        replace(known, capacity=now), replace(days, values={**days.values, "capacity_total_leads": together}), calendar
    )
    return (
        replace(known, capacity=known.capacity * part_now, absent_week=known.capacity * (1 - part_now)),
        replace(days, values={**days.values, "capacity_total_leads": days["capacity_total_leads"] * part}),
    )


def _present(together: Floats, away: Floats) -> Floats:
    """Which part of a capacity is present; NaN where there is none. By rounding, more may be away than all."""
    there = np.maximum(together - away, 0)
    return np.asarray(np.divide(there, together, out=np.full(together.shape, np.nan), where=together > 0))


def weekly_level(known: Segments, days: Days, calendar: Calendar) -> tuple[Segments, Days]:
    """Both with their capacity as the mean of the week that it belongs to, where it has a weekly pattern.

    Each morning's capacity is recorded under the day before, so a row has the factor of the day after it. On a
    weekday on which partners take nothing at all, the level is that of the day before.
    """
    capacity, mornings = days["capacity_total_leads"], days.dates + DAY
    on = np.broadcast_to(calendar.weekdays(mornings), capacity.shape)
    is_holiday = on != weekday(mornings)
    factors = _factors(capacity, weekday(mornings), is_holiday)
    if (factors == 1).all():
        return known, days
    rows, closed = np.arange(len(capacity))[:, None], factors <= 0

    def level(on: Integers, capacity: Floats) -> Floats:
        return _last_known(capacity / np.where(closed, np.nan, factors)[rows, on])

    if is_holiday.any():
        # Not every partner closes on a public holiday: the capacity tells which of the two it is.
        usual = level(weekday(mornings), np.where(is_holiday, np.nan, capacity))
        as_always, as_sunday = usual * factors[:, weekday(mornings)], usual * factors[:, SUNDAY, None]
        is_holiday = is_holiday & (np.abs(capacity - as_sunday) < np.abs(capacity - as_always))
        on = np.where(is_holiday, SUNDAY, weekday(mornings))
    of_week = level(on, capacity)
    # The last row was recorded this morning.
    factor, shut = factors[rows, on][:, -1], closed[rows, on][:, -1]
    now = known.capacity / np.where(shut, np.nan, factor)
    now = np.where(shut & ~np.isnan(known.capacity), of_week[:, -1], now)
    # What is not known of a day stays unknown: the level only bridges the closed days.
    of_week = np.where(np.isnan(capacity), np.nan, of_week)
    return replace(known, capacity=now), replace(days, values={**days.values, "capacity_total_leads": of_week})


def _factors(capacity: Floats, on: Integers, is_holiday: Bools) -> Floats:
    """What a weekday's capacity is of the week's mean, shape (segments, 7); 1 where there is no pattern.

    The median over the last weeks of a day's capacity divided by the mean of the seven days around it, which a level
    that moved in one of the weeks affects little.
    """
    factors = np.ones((len(capacity), 7))
    if capacity.shape[1] < 7 * LEAST_WEEKS:
        return factors
    padded = np.pad(capacity, ((0, 0), (3, 3)), constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, 7, axis=1).mean(axis=2)
    part = np.divide(capacity, around, out=np.full(capacity.shape, np.nan), where=around > 0)[:, -7 * WEEKS :]
    part[is_holiday[:, -7 * WEEKS :]] = np.nan
    of = on[-7 * WEEKS :]
    for day in range(7):
        seen = part[:, of == day]
        enough = (~np.isnan(seen)).sum(axis=1) >= LEAST_WEEKS
        if enough.any():
            factors[enough, day] = np.nanmedian(seen[enough], axis=1)
    factors /= factors.mean(axis=1, keepdims=True)
    factors[np.abs(factors - 1).max(axis=1) < LEAST_SWING] = 1
    return factors


def _last_known(values: Floats) -> Floats:
    """Each row's gaps filled with what was known last."""
    known = ~np.isnan(values)
    last = np.maximum.accumulate(np.where(known, np.arange(values.shape[1]), 0), axis=1)
    return np.asarray(np.take_along_axis(values, last, axis=1))
