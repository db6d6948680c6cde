"""The process: what it remembers when it is killed, how time moves, and who may start it."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.fixtures.sandbox import Sandbox
from tests.sandbox.google.clients import PAINTERS, SCHILDER_NOORD_BRABANT, mutate, search

EURO = 1_000_000
CAMPAIGN = "20000001001"


def test_a_killed_sandbox_comes_back_as_it_was(own_sandbox: Sandbox) -> None:
    wanted = own_sandbox.budgets()[SCHILDER_NOORD_BRABANT] + 3 * EURO
    own_sandbox.fault("quota", "Search", times=2)
    own_sandbox.step(2)
    mutate({SCHILDER_NOORD_BRABANT: wanted})
    before = (own_sandbox.env, own_sandbox.control, own_sandbox.today(), own_sandbox.budgets())
    own_sandbox.kill()
    own_sandbox.start()
    assert (own_sandbox.env, own_sandbox.control, own_sandbox.today(), own_sandbox.budgets()) == before
    assert own_sandbox.budgets()[SCHILDER_NOORD_BRABANT] == wanted
    assert own_sandbox.request("DELETE", "/faults") == {"cleared": 1}
    assert search("SELECT customer.id FROM customer", PAINTERS)


def paid_leads(world: Sandbox, ago: int = 1) -> Counter[str]:
    day = world.today().fromordinal(world.today().toordinal() - ago)
    return Counter(filter(None, world.company(day, day)["leads"]["source_campaign_id"]))


@pytest.mark.long
def test_a_higher_budget_brings_more_leads_from_today_on(
    sandbox_keys: Path, own_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Two worlds of one seed; one doubles a budget. The past stays, the days to come differ in that campaign alone."""
    other = Sandbox(tmp_path / "other", sandbox_keys).start()
    try:
        assert paid_leads(own_sandbox) == paid_leads(other)
        own_sandbox.set_budget(SCHILDER_NOORD_BRABANT, 2 * own_sandbox.budgets()[SCHILDER_NOORD_BRABANT])
        assert paid_leads(own_sandbox) == paid_leads(other)
        raised = plain = 0
        for _ in range(5):
            own_sandbox.step()
            other.step()
            with_more, with_less = paid_leads(own_sandbox), paid_leads(other)
            raised, plain = raised + with_more.pop(CAMPAIGN), plain + with_less.pop(CAMPAIGN)
            assert with_more == with_less
        assert raised > 1.2 * plain
        yesterday = f"FROM campaign WHERE campaign.id = {CAMPAIGN} AND segments.date DURING YESTERDAY"
        (row,) = search(f"SELECT metrics.cost_micros {yesterday}", PAINTERS)
        assert row.metrics.cost_micros > 1.3 * 110 * EURO
    finally:
        other.stop()


def test_acceptance_comes_days_later(clean_sandbox: Sandbox) -> None:
    today = clean_sandbox.today()
    day = today.fromordinal(today.toordinal() - 10)
    seen = [
        Counter(clean_sandbox.company(day, day, as_of=day.fromordinal(day.toordinal() + age))["leads"]["status"])
        for age in (1, 3, 8)
    ]
    total = sum(seen[0].values())
    assert seen[0] == {"new": total}
    assert 0 < seen[1]["new"] < total
    assert seen[2]["new"] == 0 and sum(seen[2].values()) == total


def test_time_only_moves_ahead(clean_sandbox: Sandbox) -> None:
    with pytest.raises(httpx.HTTPStatusError) as error:
        clean_sandbox.step(-1)
    assert "Nothing was changed" in error.value.response.json()["error"]["message"]


def test_a_person_cannot_edit_what_does_not_exist(clean_sandbox: Sandbox) -> None:
    with pytest.raises(httpx.HTTPStatusError) as error:
        clean_sandbox.set_budget("customers/1/campaignBudgets/1", EURO)
    assert "Nothing was changed" in error.value.response.json()["error"]["message"]


def run(home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox", "--home", str(home)]
    root = Path(__file__).resolve().parents[2]
    return subprocess.run(command, cwd=root, env=settings, capture_output=True, text=True, timeout=600, check=False)


def test_one_sandbox_a_folder(sandbox: Sandbox) -> None:
    second = run(sandbox.home)
    assert second.returncode == 1 and "Another sandbox serves" in second.stderr
    assert (sandbox.home / "ready.json").exists()


@pytest.mark.long
def test_a_folder_keeps_its_world(own_sandbox: Sandbox) -> None:
    own_sandbox.stop()
    assert not (own_sandbox.home / "ready.json").exists()
    refused = run(own_sandbox.home, SANDBOX_SEED="99")
    assert refused.returncode == 1 and "unset SANDBOX_SEED" in refused.stderr
    own_sandbox.start()


def test_its_keys_are_its_owners_alone(sandbox: Sandbox) -> None:
    for path in [sandbox.home / "ready.json", *(sandbox.home / "keys").iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_reset_world_is_the_one_of_the_first_morning(own_sandbox: Sandbox) -> None:
    budgets, today = own_sandbox.budgets(), own_sandbox.today()
    own_sandbox.set_budget(next(iter(budgets)), 7_000_000)
    own_sandbox.step(3)
    own_sandbox.fault("quota")
    own_sandbox.reset()
    assert (own_sandbox.budgets(), own_sandbox.today(), own_sandbox.calls()) == (budgets, today, [])
