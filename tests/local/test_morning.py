"""What `make run` prints and concludes, apart from the services it starts."""

import subprocess
import sys
from decimal import Decimal

import pytest

from local.morning import lacks_history
from local.report import SHOWN, changes, day_rows, one, rows, table
from local.runs import is_parked, under_way, which
from tests.fixtures.postgres import LeadsDatabase


def task(state: str | None) -> dict[str, object]:
    return {"state": state}


@pytest.mark.parametrize(
    ("states", "parked"),
    [
        (["success", "awaiting_input", None], True),
        (["success", "awaiting_input"], True),
        (["success", "awaiting_input", "running"], False),
        (["success", "awaiting_input", "up_for_retry"], False),
        (["success", None], False),
        ([], False),
    ],
)
def test_a_run_is_parked_when_only_a_person_can_move_it(states: list[str | None], parked: bool) -> None:
    assert is_parked([task(state) for state in states]) is parked


def test_a_run_with_a_retry_says_what_it_waits_for() -> None:
    tasks = [
        {"task_id": "pull_ga4", "state": "up_for_retry"},
        {"task_id": "pull_leads", "state": "running"},
        {"task_id": "attribute_leads", "state": "success"},
    ]
    assert under_way(tasks) == ["pull_ga4 (failed, waits for its next try)", "pull_leads"]


def test_a_mapped_task_is_named_by_what_it_is_about() -> None:
    assert which({"task_id": "pull", "map_index": -1, "rendered_map_index": None}) == "pull"
    assert which({"task_id": "pull", "map_index": 2, "rendered_map_index": None}) == "pull [2]"
    assert which({"task_id": "pull", "map_index": 2, "rendered_map_index": "ga4 345"}) == "pull [ga4 345]"


def test_the_table_shows_unknown_as_a_dash_and_money_with_cents() -> None:
    row = dict.fromkeys(SHOWN)
    lines = table([row | {"segment": "schilder_utrecht", "old_budget": Decimal("80.00")}], SHOWN).splitlines()
    assert lines[2].split()[:6] == ["schilder_utrecht", *"––––", "80.00"]


def test_a_wide_table_is_shown_in_parts_that_fit_a_terminal() -> None:
    row = dict.fromkeys(SHOWN, "something of some length") | {"segment": "schilder_utrecht", "sentence": "word " * 100}
    lines = table([row], SHOWN).splitlines()
    assert max(map(len, lines)) <= 120
    assert sum(line.startswith("schilder_utrecht") for line in lines) == lines.count("") + 1 > 2
    assert sum(line.split().count("word") for line in lines) == 100


def test_the_statements_run_on_an_empty_database(leads_db: LeadsDatabase) -> None:
    url = leads_db.owner_url
    assert day_rows(url) == []
    assert rows(url, "select_findings") == []
    assert rows(url, "select_budgets") == []
    assert lacks_history(url)
    assert changes(url, one(url, "select now()")) == "Nothing changed, and nothing is decided for today yet."


def test_a_change_is_told_in_words(leads_db: LeadsDatabase) -> None:
    url = leads_db.owner_url
    before = one(url, "select now()")
    leads_db.fetch(
        "insert into lead_generation_stats (segment_id, date, leads_generated) values (%s, lead_today() - 1, 3)",
        [leads_db.add_segment()],
    )
    assert changes(url, before) == "This run: 1 rows of statistics written."


def test_a_reader_that_has_seen_enough_ends_a_command_without_a_word() -> None:
    tell = "[print('decided', number) for number in range(100_000)]"
    command = "from local.look import until_read; from local.morning import guarded; import sys; "
    command += f"sys.exit(guarded(lambda: until_read(lambda: {tell}), ''))"
    telling = subprocess.Popen(
        [sys.executable, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert telling.stdout is not None and telling.stderr is not None
    assert telling.stdout.readline() == "decided 0\n"
    telling.stdout.close()
    assert telling.wait(timeout=60) == 0
    assert telling.stderr.read() == ""
    telling.stderr.close()
