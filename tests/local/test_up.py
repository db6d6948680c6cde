"""`make up` for real: it watches, it comes back, and nothing of it survives `make stop`. Some minutes."""

import os
import re
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psutil
import pytest

from local.company import amsterdam_date
from tests.fixtures.local_stack import TOKEN, Up
from tests.local.test_private import planted_in

# Not among the quick ones: LEADS_TEST_UP=1 make test ARGS=tests/local/test_up.py
pytestmark = [
    pytest.mark.skipif(os.environ.get("LEADS_TEST_UP") != "1", reason="plays make up for some minutes"),
    pytest.mark.usefixtures("starts_services"),
]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("up") / "home")
    try:
        done = up.command("up")
        assert done.returncode == 0, done.stdout + done.stderr
        yield up
    finally:
        up.command("clean")


@pytest.mark.usefixtures("up")
def test_no_process_of_it_holds_a_secret_of_the_shell(up: Up) -> None:
    family = up.family()
    assert set(family.values()) == {*up.stack.expected(), "watchdog"}
    found = {}
    for pid, name in family.items():
        try:
            found[name] = planted_in(pid)
        except psutil.NoSuchProcess:  # a worker that has just ended
            continue
    assert {name: values for name, values in found.items() if values} == {}
    up.until_well()


def test_what_ends_comes_back_and_a_run_goes_on(up: Up) -> None:
    api = up.api()
    for dag_id in api.dags():
        api.set_paused(dag_id, dag_id != "lead_stats")
    before = {name: record.pid for name, record in up.stack.running().items()}
    up.kill("scheduler")
    today = amsterdam_date()
    api.trigger("lead_stats", {"from": str(today - timedelta(days=10)), "to": str(today - timedelta(days=9))})
    up.until(lambda: "scheduler" in up.stack.running(), "the scheduler comes back")
    assert up.stack.running()["scheduler"].pid != before["scheduler"]

    up.stack.postgres.stop()  # and nobody starts it again but the watchdog
    up.until(lambda: "postgres" in up.stack.running() and up.stack.postgres.is_running(), "PostgreSQL comes back")
    assert up.stack.running()["postgres"].pid != before["postgres"]
    up.until_well()

    # An outage after which the server goes on: nothing is started while it does not answer.
    server = up.stack.running()["postgres"].pid
    family = [psutil.Process(server), *psutil.Process(server).children(recursive=True)]
    for process in family:
        process.suspend()
    time.sleep(8)
    for process in reversed(family):
        process.resume()
    over = datetime.now(tz=UTC)
    up.until_well()
    assert up.stack.running()["postgres"].pid == server

    def goes_on() -> bool:
        tasks = [task for run in api.runs("lead_stats") for task in api.tasks("lead_stats", run["dag_run_id"])]
        ended = [task["end_date"] for task in tasks if task["state"] == "success"]
        return any(datetime.fromisoformat(moment) > over for moment in ended)

    up.until(goes_on, "the run goes on")
    told = up.log("watchdog")
    for name in ("scheduler", "postgres"):
        assert f"{name} has ended and is started again in " in told and f"{name} is started again; " in told
    status = up.command("status")
    assert status.returncode == 0, status.stdout + status.stderr
    assert re.search(r"^scheduler +runs, process \d+; restarted \d+ time", status.stdout, re.MULTILINE)
    assert "every component is well" in status.stdout


def test_again_is_harmless_and_a_killed_watchdog_comes_back_with_it(up: Up) -> None:
    before = {name: record.pid for name, record in up.stack.running().items()}
    assert up.command("up").returncode == 0
    assert {name: record.pid for name, record in up.stack.running().items()} == before
    up.kill("watchdog")
    assert up.command("status").returncode in (0, 1)
    assert up.command("up").returncode == 0
    after = {name: record.pid for name, record in up.stack.running().items()}
    assert after.pop("watchdog") != before.pop("watchdog")
    assert after == before


def test_a_failing_alert_leaves_no_token_below_the_home_and_nobody_else_can_read_there(up: Up) -> None:
    api = up.api()
    api.set_paused("lead_budget_revert", False)
    run_id = api.trigger("lead_budget_revert", {"log_id": str(uuid4())})  # no such change: it fails
    up.until(lambda: api.run("lead_budget_revert", run_id)["state"] == "failed", "the run fails")
    processor = up.home / "airflow" / "logs" / "dag_processor"

    def said() -> str:
        return "\n".join(path.read_text(errors="replace") for path in processor.rglob("*.log"))

    up.until(lambda: "No alert, because" in said(), "the alert's failure is in the DAG processor's log")
    assert "address 1" in said(), "the log names what is to be corrected"
    texts = [path for path in up.home.rglob("*") if path.is_file() and "postgres/data" not in str(path)]
    assert len(texts) > 20
    assert [path for path in texts if TOKEN.encode() in path.read_bytes()] == []
    closed = [up.home / name for name in ("airflow", "logs", "run", "sandbox")]
    assert [path for path in closed if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    written = [path for path in (up.home / "airflow" / "logs").rglob("*") if not path.is_symlink()]
    assert written and [path for path in written if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_nothing_survives_its_stop_even_without_its_watchdog(up: Up) -> None:
    up.family()
    pids = set(up.pids)
    up.kill("watchdog")
    done = up.command("stop")
    assert done.returncode == 0 and "scheduler" in done.stdout, done.stdout + done.stderr
    assert up.stack.running() == {}
    time.sleep(3)
    left = [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    home = str(up.home)
    assert [pid for pid in left if home in " ".join(psutil.Process(pid).environ().values())] == []


def test_a_component_that_dies_at_its_start_is_named_with_its_log_and_its_last_lines(up: Up) -> None:
    done = up.command("up", AIRFLOW__TRIGGERER__CAPACITY="many")
    assert done.returncode == 1
    log = str(up.home / "logs" / "triggerer.log")
    assert f"triggerer ended. The last lines of {log}:" in done.stderr and "many" in done.stderr, done.stderr
    assert "Airflow: http" not in done.stdout, "it does not say that all is well"
    assert "watchdog" not in up.stack.running()
