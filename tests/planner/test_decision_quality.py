"""The planner beats doing nothing and a rule of thumb where the truth is known; `python -m bench.decisions` says by
how much, in all worlds."""

from __future__ import annotations

from bench.decisions.policies import Hold, Oracle, Planner, Proportional, Reading
from bench.decisions.run import play
from bench.decisions.worlds import BASE, Company


def test_the_planner_comes_nearer_to_capacity_than_a_rule_of_thumb_and_wastes_less() -> None:
    company = Company(BASE, seed=11)
    hold, oracle, planner = play(company, Hold()), play(company, Oracle()), play(company, Planner())
    rule = play(company, Proportional(7, Reading(28, 4), 0.4, 0.05))
    assert oracle.gap < planner.gap < 0.85 * rule.gap < hold.gap
    assert planner.beyond < hold.beyond
    assert planner.changes < 3
    assert planner.cost < rule.cost * 1.05
    assert 60 < planner.coverage < 95


def test_the_same_seed_is_the_same_company() -> None:
    assert play(Company(BASE, seed=11), Hold()) != play(Company(BASE, seed=12), Hold())
    one, other = (play(Company(BASE, seed=11), Proportional(7, Reading(14), 0.7, 0.1)) for _ in range(2))
    assert (one.gap, one.changes, one.cost) == (other.gap, other.changes, other.cost)
