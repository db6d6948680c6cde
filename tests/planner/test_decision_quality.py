"""The planner beats doing nothing and a rule of thumb where the truth is known; `python -m bench.decisions` says by
how much, in all worlds."""

from __future__ import annotations

from dataclasses import replace

from bench.decisions.policies import Hold, Insider, Oracle, Planner, Proportional, Reading
from bench.decisions.report import markdown as report_page
from bench.decisions.report import ratio
from bench.decisions.run import play
from bench.decisions.scale import Scale
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


def test_the_report_judges_every_aim_by_what_was_played() -> None:
    """Two small companies; holding stands for the rules of thumb, and is judged in the planner's place as well."""
    policies = {"hold": Hold, "planner": Planner, "insider": Insider, "insider, no gate": Insider, "oracle": Oracle}
    worlds = [replace(BASE, segments=8), replace(BASE, name="capacity shock", shock=True, segments=8)]
    table = {
        world.name: {name: [play(Company(world, seed), make()) for seed in (0, 1)] for name, make in policies.items()}
        for world in worlds
    }
    names, fast = [world.name for world in worlds], Scale(1.0, 0.1, 400.0)
    value, error = ratio(table, names, "planner", "hold")
    page = report_page(table, ["hold"], names, fast)
    assert f"0.65 of the best tuned baseline (hold) | {value:.2f} ± {error:.2f} | met |" in page
    assert "10 × one pandas group-by of the same rows), 400 MB at most in the whole process | met |" in page

    idle = {world: runs | {"planner": runs["hold"]} for world, runs in table.items()}
    page = report_page(idle, ["hold"], names, replace(fast, seconds=2.1))
    assert "0.65 of the best tuned baseline (hold) | 1.00 ± 0.00 | **not met** |" in page
    assert "400 MB at most in the whole process | **not met** |" in page
