"""The example metrics and alerts: a real query-exporter serves them from a real database, and Prometheus's own tool
says which alert fires when.

promtool comes with Debian's `prometheus`. Without it its two tests are skipped and say so; `LEADS_TEST_PROMTOOL=1`
makes that a failure.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
import pytest

from lead_demand.database import sql
from lead_demand.runs.day import AMSTERDAM
from local.ports import free_port
from sandbox.company.load import load
from tests.fixtures.claims import decide
from tests.fixtures.postgres import LeadsDatabase
from tests.fixtures.programs import debian_program
from tests.fixtures.sandbox import Sandbox
from tools import REPOSITORY, lint_monitoring

LOGIN = re.findall(r"```sql\n(.*?)```", (REPOSITORY / "docs" / "metrics.md").read_text(), re.DOTALL)[0]


@pytest.fixture
def company(leads_db: LeadsDatabase, sandbox: Sandbox) -> Iterator[LeadsDatabase]:
    """The sandbox's company as of this morning, with the login that docs/metrics.md makes."""
    sandbox.reset()
    load(leads_db.owner_url, sandbox.control, days=1)
    with leads_db.connect() as owner:
        owner.execute(LOGIN)
    yield leads_db
    with leads_db.connect() as owner:
        owner.execute("drop role lead_monitor")
    sandbox.reset()


def monitor(database: LeadsDatabase) -> str:
    """The address of that login."""
    parts = urlsplit(database.owner_url)
    return urlunsplit(parts._replace(netloc=f"lead_monitor:…@{parts.hostname}:{parts.port}"))


def served(database: LeadsDatabase) -> dict[str, float]:
    """What query-exporter serves, once every query was answered: series without the name of the database -> value."""
    port = free_port()
    command = [
        Path(sys.executable).with_name("query-exporter"),
        "--config",
        lint_monitoring.EXPORTER,
        "--port",
        str(port),
    ]
    address = monitor(database).replace("postgresql://", "postgresql+psycopg://")
    environment = os.environ | {lint_monitoring.ADDRESS: address}
    wanted = set(lint_monitoring.exporter()["queries"])
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        deadline = time.monotonic() + 60
        text = ""
        while time.monotonic() < deadline:
            try:
                text = httpx.get(f"http://localhost:{port}/metrics").text
            except httpx.TransportError:
                assert process.poll() is None, process.stdout.read() if process.stdout else ""
            done = set(re.findall(r'^queries_total{.*query="(\w+)".*status="(?:success)".*} [1-9]', text, re.MULTILINE))
            failed = re.findall(r'^queries_total{.*status="(?:error|timeout)".*} [1-9].*', text, re.MULTILINE)
            assert not failed, failed
            if done == wanted:
                break
            time.sleep(0.3)
        else:
            pytest.fail(f"Not answered: {sorted(wanted - done)}\n{text}")
    finally:
        process.terminate()
        process.wait(10)
    found = re.findall(r"^(lead_\w+){(.*)} (\S+)$", text, flags=re.MULTILINE)
    series = {}
    for name, labels, value in found:
        rest = ",".join(sorted(each for each in labels.split(",") if not each.startswith("database=")))
        series[f"{name}{{{rest}}}" if rest else name] = float(value)
    return series


def test_every_query_is_served_from_the_database_as_the_login_that_is_advised(company: LeadsDatabase) -> None:
    segment = company.value("select id from lead_segments where code = 'schilder_utrecht'")
    decide(company, segment, 50, 50)
    company.fetch(
        "insert into pipeline_findings (name, level, detail) values ('source_without_segment', 'stop', 'Seen.')"
    )
    found = served(company)
    active = company.value("select count(*) from lead_segments where is_active")
    undecided = company.fetch(sql.render("lead_digest/select_undecided.sql"), {"channel": "google_ads"})[0]["undecided"]
    assert {name.partition("{")[0] for name in found} >= lint_monitoring.exporter()["metrics"].keys() - {
        "lead_changes_today",  # nothing was changed
        "lead_segments_held_for",  # this hold has no reason
    }
    assert (found["lead_segments_active"], found["lead_segments_undecided"]) == (active, undecided) == (12, 11)
    assert found['lead_segments_held{blocked="false"}'] == 1 and found['lead_segments_held{blocked="true"}'] == 0
    assert found['lead_channel_days_behind{account="leads_db",channel="leads"}'] == 7
    assert found['lead_findings_open{level="stop"}'] == 1
    now = datetime.now(AMSTERDAM)
    assert abs(found["lead_day_seconds"] - (now.hour * 3600 + now.minute * 60 + now.second)) < 90
    assert (found["lead_kill_switch"], found["lead_changes_pending"]) == (0, 0)


def test_that_login_reads_no_lead_and_writes_nothing(company: LeadsDatabase) -> None:
    with closing(psycopg.connect(monitor(company), autocommit=True)) as session:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("select id from leads")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.execute("update orchestration_settings set kill_switch = false")
        session.execute("set default_transaction_read_only = off")
        assert session.execute("update orchestration_settings set kill_switch = true").rowcount == 0


@pytest.mark.usefixtures("starts_services")
def test_the_examples_agree_with_each_other_and_with_airflow() -> None:
    assert lint_monitoring.problems() == []


@pytest.mark.usefixtures("starts_services")
@pytest.mark.parametrize(
    ("was", "broken", "complaint"),
    [
        (
            "lead_segments_undecided > 0 and",
            "lead_segments_undecidd > 0 and",
            "lead_segments_undecidd, which nothing gives",
        ),
        (
            "airflow_scheduler_heartbeat_total",
            "airflow_scheduler_heartbeat",
            "airflow_scheduler_heartbeat, which nothing",
        ),
        ("lead_kill_switch == 1", "lead_kill_switch == 1)", "KillSwitchOn is no PromQL"),
    ],
)
def test_a_query_that_would_never_fire_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was: str, broken: str, complaint: str
) -> None:
    text = lint_monitoring.ALERTS.read_text()
    assert was in text
    changed = tmp_path / "alerts.yaml"
    changed.write_text(text.replace(was, broken))
    monkeypatch.setattr(lint_monitoring, "ALERTS", changed)
    assert any(complaint in problem for problem in lint_monitoring.problems())


@pytest.mark.usefixtures("starts_services")
def test_a_configuration_that_query_exporter_refuses_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "query-exporter.yaml"
    changed.write_text(lint_monitoring.EXPORTER.read_text().replace("type: gauge", "type: gage", 1))
    monkeypatch.setattr(lint_monitoring, "EXPORTER", changed)
    assert any("query-exporter refuses" in problem for problem in lint_monitoring.problems())


def promtool(*arguments: str) -> None:
    """Run Prometheus's own checker in the folder of the examples."""
    program = debian_program(
        "promtool", package="prometheus", needed="LEADS_TEST_PROMTOOL", without="the rules are not played"
    )
    ran = subprocess.run([program, *arguments], cwd=lint_monitoring.FOLDER, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_prometheus_accepts_the_rules() -> None:
    promtool("check", "rules", "alerts.yaml")


def test_alerts_fire_when_they_should_and_only_then() -> None:
    promtool("test", "rules", "alerts_test.yaml")


def test_each_alert_says_what_to_do_and_is_described() -> None:
    page = (REPOSITORY / "docs" / "metrics.md").read_text()
    alerts = re.findall(r"- alert: (\w+)", lint_monitoring.ALERTS.read_text())
    assert len(alerts) == 12
    assert all(f"`{alert}`" in page for alert in alerts)
    text = lint_monitoring.ALERTS.read_text()
    assert text.count("summary:") == text.count("action:") == len(alerts)
    anchors = set(re.findall(r"docs/runbook\.md#([\w-]+)", text))
    headings = re.findall(r"^###? (.+)$", (REPOSITORY / "docs" / "runbook.md").read_text(), flags=re.MULTILINE)
    assert anchors and anchors <= {heading.lower().replace(" ", "-") for heading in headings}


def test_each_metric_is_described() -> None:
    page = (REPOSITORY / "docs" / "metrics.md").read_text()
    assert [name for name in lint_monitoring.exporter()["metrics"] if f"`{name}" not in page] == []
