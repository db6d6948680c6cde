"""The filter of rates is the same whether segments are held all at once or part by part."""

from __future__ import annotations

import numpy as np
import pytest

from lead_demand.planner import rate_filter

SEGMENTS, DAYS = 450, 40  # more than the sample that weighs the grid


@pytest.mark.parametrize("is_share", [False, True])
@pytest.mark.parametrize("may_leap", [False, True])
def test_segments_held_part_by_part_have_the_rates_that_all_of_them_at_once_have(
    monkeypatch: pytest.MonkeyPatch, is_share: bool, may_leap: bool
) -> None:
    chance = np.random.default_rng(7)
    exposure = chance.integers(1, 20, (SEGMENTS, DAYS)).astype(float)
    count = chance.binomial(exposure.astype(int), chance.uniform(0.1, 0.9, (SEGMENTS, 1))).astype(float)
    grid = rate_filter.SHARES if is_share else rate_filter.RATES
    found = []
    for size in (SEGMENTS, 7):
        monkeypatch.setattr(rate_filter, "CHUNK", size)
        found.append(rate_filter._filtered(count, exposure, 0.5, grid, is_share=is_share, may_leap=may_leap))
    at_once, in_parts = found
    np.testing.assert_allclose(in_parts.now.mean, at_once.now.mean, rtol=1e-12)
    np.testing.assert_allclose(in_parts.now.variance, at_once.now.variance, rtol=1e-9)
    np.testing.assert_allclose(in_parts.path, at_once.path, rtol=1e-12)
    assert at_once.path.shape == (SEGMENTS, DAYS)
