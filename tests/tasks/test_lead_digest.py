"""The tasks of lead_digest in Airflow: who is sent what of a morning, and how urgent it is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from lead_demand.oncall import notifier
from lead_demand.planner.reasons import Reason
from lead_demand.runs import day
from lead_demand.tasks.lead_digest import alert_on_call, check_deadline, send_digest
from tests.fixtures.morning import Morning

TASKS = {task.function.__name__ for task in (alert_on_call, check_deadline, send_digest)}


class Desk:
    """A service that takes messages as Apprise sends them: `type`, `title` and `message`, by the tag they came by."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, Any]]] = []
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                desk.taken.append((self.path.strip("/"), json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def connection(self) -> str:
        url = f"json://127.0.0.1:{self.server.server_port}"
        config = [{"path": f"{url}/{tag}", "tag": [tag]} for tag in ("alerts", "digest")]
        return json.dumps({"conn_type": "apprise", "extra": {"config": config}})

    def take(self) -> list[tuple[str, str, str]]:
        """Tag, severity and subject of what came since the last call."""
        taken, self.taken[:] = list(self.taken), []
        self.texts = {body["title"]: body["message"] for _, body in taken}
        return sorted((tag, body["type"], body["title"]) for tag, body in taken)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    made = Desk()
    monkeypatch.setenv(f"AIRFLOW_CONN_{notifier.CONNECTION.upper()}", made.connection)
    yield made
    made.server.shutdown()


def hold(morning: Morning, reason: str, but: int = 0) -> None:
    """Every active segment but some is held for that reason, and those for none that needs a person."""
    morning.db.restore(
        "insert into budget_decisions (segment_id, action, is_blocked, reasons, sentence, old_budget, new_budget) "
        "select id, 'hold', place > %s, case when place > %s then array[%s] else array['within_dead_band'] end, "
        "'Held.', 50, 50 from (select id, row_number() over (order by code) as place from lead_segments "
        "where is_active) as segments",
        [but, but, reason],
    )


@pytest.mark.parametrize(("but", "severity"), [(0, "failure"), (2, "warning")])
def test_one_reason_that_holds_most_segments_and_a_finding_that_stops_are_one_alert_each(
    morning: Morning, desk: Desk, but: int, severity: str
) -> None:
    morning.db.fetch("update pipeline_findings set level = 'info' where level = 'stop'")
    hold(morning, "missing_capacity", but)
    run = morning.run("lead_digest")
    assert run.tasks == dict.fromkeys(TASKS, "success")
    alert, digest = desk.take()
    assert alert[:2] == ("alerts", severity) and digest[:2] == ("digest", "info")
    assert alert[2] == f"{12 - but} of 12 segments hold for one reason: the partners' capacity is not known"
    assert f"Run {run.run_id}." in desk.texts[alert[2]]
    (line,) = [line for line in desk.texts[digest[2]].splitlines() if Reason.MISSING_CAPACITY.what_to_do in line]
    assert line.startswith("- Marketing operations: ")

    morning.db.fetch("delete from pipeline_findings")
    morning.db.fetch(
        "insert into pipeline_findings (name, level, subject, detail, remediation) "
        "values ('campaign_not_found', 'stop', '1/77', 'There is no campaign 77.', 'Correct channel_sources.')"
    )
    morning.run("lead_digest")
    told = {(severity, title.partition(":")[0]) for tag, severity, title in desk.take() if tag == "alerts"}
    assert told == {
        ("warning", "1 finding(s) need a person"),
        (severity, f"{12 - but} of 12 segments hold for one reason"),
    }


def test_a_run_of_a_past_morning_skips_whether_it_was_unpaused_late_or_backfilled(morning: Morning, desk: Desk) -> None:
    for kind in ("scheduled", "backfill"):
        run = morning.run("lead_digest", run_type=kind, day=day.today() - timedelta(days=3))
        assert (run.state, run.tasks) == ("success", dict.fromkeys(TASKS, "skipped"))
    assert desk.take() == []
