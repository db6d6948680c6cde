"""The world as a function: monotone, repeatable, and every number hangs together with the others."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.world.catalogue import build
from sandbox.world.world import DAYS_OF_HISTORY, PAID, WEEKDAY, World

FIRST_DAY = date(2026, 7, 26)
CATALOGUE = build()
AMOUNTS = np.array([budget.amount for budget in CATALOGUE.budgets], dtype=float)

seeds = st.integers(0, 2**40)
days = st.integers(0, 400).map(lambda n: FIRST_DAY + timedelta(days=n))
budgets = st.integers(0, len(CATALOGUE.budgets) - 1)
euros = st.floats(0, 2_000)


def world(seed: int) -> World:
    return World(CATALOGUE, seed, FIRST_DAY)


@settings(max_examples=60, deadline=None)
@given(seeds, days, budgets, euros, euros)
def test_a_higher_budget_only_adds_leads(seed: int, day: date, budget: int, one: float, other: float) -> None:
    low, high = AMOUNTS.copy(), AMOUNTS.copy()
    low[budget], high[budget] = min(one, other), max(one, other)
    w = world(seed)
    before, after = w.day(day, low), w.day(day, high)
    for name in ("spend_micros", "clicks", "paid_leads", "expected_paid_leads"):
        assert (getattr(after, name) >= getattr(before, name)).all(), name
    assert set(w.leads(before).id.tolist()) <= set(w.leads(after).id.tolist())


@settings(max_examples=40, deadline=None)
@given(seeds, days, budgets, euros)
def test_a_lead_stays_as_it_is_when_a_budget_changes(seed: int, day: date, budget: int, amount: float) -> None:
    changed = AMOUNTS.copy()
    changed[budget] = amount
    w = world(seed)
    one, other = w.leads(w.day(day, AMOUNTS)), w.leads(w.day(day, changed))
    shared, here, there = np.intersect1d(one.id, other.id, return_indices=True)
    assert shared.size
    for name in ("second", "accepted", "delay", "attributed", "segment"):
        assert (getattr(one, name)[here] == getattr(other, name)[there]).all(), name


@settings(max_examples=40, deadline=None)
@given(seeds, days)
def test_the_numbers_hang_together(seed: int, day: date) -> None:
    w = world(seed)
    totals = w.day(day, AMOUNTS)
    leads = w.leads(totals)
    assert (totals.clicks >= totals.paid_leads).all()
    assert (totals.impressions >= totals.clicks).all()
    assert (totals.seo_clicks >= totals.seo_leads).all()
    assert (totals.microsite_sessions >= totals.microsite_leads).all()
    assert (totals.clicks[totals.spend_micros == 0] == 0).all()
    assert (leads.source == PAID).sum() == totals.paid_leads.sum()
    assert len(set(leads.id.tolist())) == leads.id.size
    assert ((leads.second >= 0) & (leads.second < 86_400)).all()
    assert ((leads.delay >= 1) & (leads.delay <= 7)).all()
    assert (w.capacity(day) >= 1).all()


def test_the_same_seed_gives_the_same_days_in_any_order() -> None:
    one, other = world(5), world(5)
    monday, tuesday = FIRST_DAY + timedelta(days=1), FIRST_DAY + timedelta(days=2)
    straight = [one.leads(one.day(day, AMOUNTS)) for day in (monday, tuesday)]
    turned = [other.leads(other.day(day, AMOUNTS)) for day in (tuesday, monday)][::-1]
    for a, b in zip(straight, turned, strict=True):
        assert (a.id == b.id).all() and (a.second == b.second).all() and (a.accepted == b.accepted).all()
    assert not np.array_equal(world(6).day(monday, AMOUNTS).clicks, one.day(monday, AMOUNTS).clicks)


def test_leads_follow_the_response_curve() -> None:
    """Over many days the mean is the expected number, and doubling a budget gives 2 ** 0.7 times as many leads."""
    w, span = world(11), [FIRST_DAY + timedelta(days=n) for n in range(420)]
    as_it_is = [w.day(day, AMOUNTS) for day in span]
    doubled = [w.day(day, 2 * AMOUNTS) for day in span]
    expected = np.mean([day.expected_paid_leads for day in as_it_is], axis=0)
    assert np.mean([day.paid_leads for day in as_it_is], axis=0) == pytest.approx(expected, rel=0.15)
    ratio = np.mean([day.expected_paid_leads for day in doubled], axis=0) / expected
    assert ratio == pytest.approx(2**0.7, rel=0.02)
    assert WEEKDAY.mean() == pytest.approx(1.0)


def test_spend_stops_at_what_the_market_absorbs() -> None:
    w, campaign = world(1), CATALOGUE.campaigns[0]
    spend = w.day(FIRST_DAY, AMOUNTS * 1_000).spend_micros[0] / 1e6
    assert campaign.market * 0.7 <= spend <= campaign.market * 1.3


def test_capacity_moves_in_steps_and_not_near_the_first_morning() -> None:
    w = world(1)
    path = np.array([w.capacity(FIRST_DAY + timedelta(days=n)) for n in range(300)])
    moves = (np.diff(path, axis=0) != 0).sum(axis=0)
    assert moves.any() and moves.max() <= 7
    around = path[DAYS_OF_HISTORY - 20 : DAYS_OF_HISTORY + 10]
    assert (around == [segment.capacity for segment in CATALOGUE.segments]).all()


def test_there_is_nothing_before_the_first_day() -> None:
    with pytest.raises(ValueError, match="starts on 2026-07-26"):
        world(1).day(FIRST_DAY - timedelta(days=1), AMOUNTS)


def test_a_large_catalogue_has_no_two_segments_alike() -> None:
    large = build(10_000)
    assert len({segment.code for segment in large.segments}) == 10_000
    assert len({(segment.branch, segment.region) for segment in large.segments}) == 10_000
    owned = [(segment.branch, prefix) for segment in large.segments for prefix in segment.postal_prefixes]
    assert len(set(owned)) == len(owned)
    with pytest.raises(ValueError, match="12 to 10000"):
        build(10_001)
