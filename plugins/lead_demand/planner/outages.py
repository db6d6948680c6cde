"""Tracking outages: days on which money was spent and no lead arrived, though many were expected."""

from __future__ import annotations

import numpy as np

from lead_demand.planner.arrays import Bools, Floats, ratio


def outages(
    counted: Bools, paid: Floats, effective: Floats, expected_leads: float, min_days: int
) -> tuple[Bools, Bools]:
    """Days whose leads were lost, shape (segments, days), and the segments in which the outage still lasts.

    A run of at least `min_days` with spend and without one paid lead is an outage when the rate of the segment's other
    days predicts `expected_leads` in it: with five, chance alone does that in 7 of 1,000 cases (Poisson). All segments
    together are tested the same way, with twice as many leads: a tag that breaks everywhere is detected on its first
    day.

    `counted`: days with complete figures; `paid`: paid leads; `effective`: effective euros, see `Estimate`. All of
    shape (segments, days).
    """
    usual = counted * effective * ratio((counted * paid).sum(1), (counted * effective).sum(1))[:, None]
    lost, ongoing = _silent_runs(counted, paid, usual, expected_leads, min_days)
    all_lost, all_ongoing = _silent_runs(
        counted.max(axis=0, keepdims=True, initial=False),
        (counted * paid).sum(axis=0, keepdims=True),
        usual.sum(axis=0, keepdims=True),
        2 * expected_leads,
        min_days=1,
    )
    return (lost | all_lost) & counted, ongoing | all_ongoing


def _silent_runs(counted: Bools, paid: Floats, usual: Floats, too_many: float, min_days: int) -> tuple[Bools, Bools]:
    """Days of a run without a lead in which at least `too_many` were expected, and whether the run still lasts."""
    silent = counted & (paid == 0)
    total, leads = usual.sum(1), (counted * paid).sum(1)
    lost = np.zeros_like(silent)
    run_days, run_usual = np.zeros(len(paid)), np.zeros(len(paid))
    for day in range(paid.shape[1]):  # forward: what would have been usual since the last lead
        quiet = silent[:, day] | ~counted[:, day]
        run_days = np.where(quiet, run_days + counted[:, day], 0)
        run_usual = np.where(quiet, run_usual + usual[:, day], 0)
        expected = run_usual * ratio(leads, total - run_usual)  # without the run itself, which would lower its own rate
        lost[:, day] = quiet & (expected >= too_many) & (run_days >= min_days)
    ongoing = lost[:, -1].copy()
    for day in range(paid.shape[1] - 2, -1, -1):  # backward: the whole run was lost, not only its end
        lost[:, day] |= lost[:, day + 1] & (silent[:, day] | ~counted[:, day])
    return lost, ongoing
