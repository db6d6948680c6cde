"""The planner beats doing nothing and a rule of thumb where the truth is known; `python -m bench.decisions` says by
how much, in all worlds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import nbinom, poisson

from bench.decisions.policies import Hold, Insider, Oracle, Planner, Policy, Proportional, Reading, log_likelihood
from bench.decisions.report import markdown as report_page
from bench.decisions.report import ratio
from bench.decisions.run import play
from bench.decisions.scale import Scale
from bench.decisions.worlds import BASE, Company
from lead_demand.planner.settings import PlannerSettings


@pytest.mark.usefixtures("plays_companies")
def test_the_planner_comes_nearer_to_capacity_than_a_rule_of_thumb_and_wastes_less() -> None:
    company = Company(BASE, seed=11)
    hold, oracle, planner = play(company, Hold()), play(company, Oracle()), play(company, Planner())
    rule = play(company, Proportional(7, Reading(28, 4), 0.4, 0.05))
    assert oracle.gap < planner.gap < 0.85 * rule.gap < hold.gap
    assert planner.beyond < hold.beyond
    assert planner.changes < rule.changes
    assert planner.cost < rule.cost * 1.05
    assert 60 < planner.coverage < 95


def test_oracle_insider_and_planner_leave_the_same_gaps_alone() -> None:
    assert Oracle().dead_band == Insider().dead_band == Planner().settings.dead_band


@pytest.mark.parametrize("burst", [0.0, 0.4])
def test_the_insider_weighs_a_days_leads_as_the_world_draws_them(burst: float) -> None:
    mean, count = np.array([0.5, 1.0, 3.0]), np.arange(6)[:, None]
    drawn = nbinom(1 / burst, 1 / (1 + burst * mean)) if burst else poisson(mean)
    difference = log_likelihood(count, mean, burst) - drawn.logpmf(count)
    np.testing.assert_allclose(difference - difference[:, :1], 0, atol=1e-9)


@pytest.mark.usefixtures("plays_companies")
def test_the_same_seed_is_the_same_company() -> None:
    assert play(Company(BASE, seed=11), Hold()) != play(Company(BASE, seed=12), Hold())
    one, other = (play(Company(BASE, seed=11), Proportional(7, Reading(14), 0.7, 0.1)) for _ in range(2))
    assert (one.gap, one.changes, one.cost) == (other.gap, other.changes, other.cost)


@pytest.mark.usefixtures("plays_companies")
@pytest.mark.long
def test_the_report_judges_every_aim_by_what_was_played() -> None:
    """Two small companies; holding stands for the rules of thumb, and is judged in the planner's place as well."""
    policies: dict[str, Callable[[], Policy]] = {"hold": Hold, "planner": Planner, "insider": Insider, "oracle": Oracle}
    policies |= {"insider, no gate": Insider, "oracle, no gate": lambda: Oracle(dead_band=0.0)}
    policies |= {"planner, steps of 50%": lambda: Planner(step_up=1.5, step_down=0.5)}
    policies |= {"insider, unbound": lambda: Insider(dead_band=0.0, significance=0.0, unbound=True)}
    worlds = [replace(BASE, segments=8), replace(BASE, name="capacity shock", shock=True, segments=8)]
    table = {
        world.name: {name: [play(Company(world, seed), make()) for seed in (0, 1)] for name, make in policies.items()}
        for world in worlds
    }
    names, fast = [world.name for world in worlds], {56: Scale(1.0, 0.1, 400.0), 112: Scale(1.5, 0.2, 450.0)}
    value, error = ratio(table, names, "planner", "hold")
    page = report_page(table, ["hold"], names, fast)
    assert f"0.70 of the best rule under the same limits (hold) | {value:.2f} ± {error:.2f} | met |" in page
    assert "10 × one pandas group-by of the same rows), 400 MB at most in the whole process | met |" in page
    assert "reads 112 days: 10,000 segments × 112 days take 1.5 s of CPU (8 × " in page
    assert f"a gap of\n{PlannerSettings.dead_band:.0%} of the target alone" in page
    assert "With 50% either way the gap is" in page

    idle = {world: runs | {"planner": runs["hold"]} for world, runs in table.items()}
    page = report_page(idle, ["hold"], names, fast | {56: replace(fast[56], seconds=2.1)})
    assert "0.70 of the best rule under the same limits (hold) | 1.00 ± 0.00 | **not met** |" in page
    assert "400 MB at most in the whole process | **not met** |" in page
