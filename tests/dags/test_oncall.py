"""What people get to read of a morning: the end of a failed log, one alert, the digest, and never a secret.

In a real Airflow, for the alert is sent by the DAG processor.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from lead_demand.runs import day
from tests.fixtures.airflow import Run
from tests.fixtures.mailbox import MARKETING, ON_CALL, PASSWORD, TOKEN, Mail, Mailbox
from tests.fixtures.morning import Morning
from tests.fixtures.real_airflow import RealAirflow

LABELS = ["What happened", "What was not changed", "Retried automatically", "What to do"]


class Inbox:
    """What the runs of one test have sent. Alerts of earlier tests' runs, which may come late, are left out."""

    def __init__(self, airflow: RealAirflow, mailbox: Mailbox) -> None:
        self._airflow, self._mailbox = airflow, mailbox
        self._runs: list[str] = []

    def after(self, dag_id: str, run: Run) -> list[Mail]:
        """What came since the last call, once Airflow has done with the end of that run: nothing more comes of it."""
        self._airflow.hear(dag_id, run)
        self._runs.append(run.run_id)
        return [mail for mail in self._mailbox.take() if mail.to != ON_CALL or self._is_ours(mail)]

    def _is_ours(self, mail: Mail) -> bool:
        return any(f"Run {run_id}." in mail.text for run_id in self._runs)


@pytest.fixture
def inbox(real_airflow: RealAirflow, real_morning: Morning, mailbox: Mailbox) -> Inbox:
    """The mail of a morning on which nothing was reported yet and nothing runs."""
    api = real_airflow.api
    if api.dags()["lead_digest"]["is_paused"]:
        # Airflow starts the run of the last 08:00 at once; its messages would mix with those of the test. After 08:00
        # it fails, for nothing is decided, and before it is yesterday's, which has nothing to say.
        api.set_paused("lead_digest", False)
        for due in real_airflow.catch_up("lead_digest"):
            run = real_airflow.wait("lead_digest", due["dag_run_id"])
            real_airflow.hear("lead_digest", run)
    mailbox.take()
    real_airflow.forget()
    return Inbox(real_airflow, mailbox)


def four_lines(log: list[str]) -> dict[str, str]:
    """The last four lines of a log by their labels."""
    found = dict(line.split(": ", 1) for line in log[-4:])
    assert list(found) == LABELS, log[-6:]
    return found


def secrets_of(airflow: RealAirflow) -> dict[str, str]:
    """Every secret in the connections that this Airflow was given, and those of Airflow itself."""
    environment = airflow.stack.airflow_environment()
    found = {"mail": PASSWORD, "mail in an address": urllib.parse.quote(PASSWORD, safe=""), "token": TOKEN}
    found["database"] = urllib.parse.urlsplit(environment["AIRFLOW_CONN_LEADS_DB"]).password or ""
    for name, value in environment.items():
        if name.startswith("AIRFLOW_CONN_"):
            # Of a key its first line that is not the same in every key.
            keys = re.findall(r"BEGIN PRIVATE KEY-----(?:\\+n|\s)+[^\\\s]{28}([^\\\s]{30})", value)
            found |= {f"{name} {number}": key for number, key in enumerate(keys)}
    for name in ("FERNET_KEY", "SIMPLE_AUTH_MANAGER_PASSWORDS"):
        found |= {key: value for key, value in environment.items() if key.endswith(name)}
    return found


def texts_below(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text(errors="replace") for path in folder.rglob("*.log") if path.is_file()}


def test_a_bad_and_a_good_morning_reach_people_as_one_alert_and_one_digest_without_any_secret(
    real_airflow: RealAirflow, real_morning: Morning, inbox: Inbox
) -> None:
    # One account refuses us: one task fails for good, and the report with it.
    real_morning.sandbox.fault("permission", "SearchStream", times=50, customer="2345678901")
    bad = real_airflow.run("lead_budgets")
    (alert,) = inbox.after("lead_budgets", bad)
    assert bad.state == "failed" and bad.tasks["report"] == "failed"
    last = four_lines(real_airflow.log("lead_budgets", bad.run_id, "read_budgets", map_index=1))
    assert "USER_PERMISSION_DENIED" in last["What happened"]
    assert last["Retried automatically"] == "no: a retry would not change it."
    assert last["What to do"].endswith("Then start a new run of lead_budgets. See docs/runbook.md#sourcerefused")
    report = real_airflow.log("lead_budgets", bad.run_id, "report")
    assert report[0].startswith(f"{day.today()}: ") and "read_budgets" in four_lines(report)["What happened"]

    assert alert.to == ON_CALL
    assert alert.subject == "lead_budgets failed: read_budgets 2345678901 (SourceRefused)"
    assert "failed for the first time" in alert.text and "It needs a person" in alert.text
    assert [f"{label}: {last[label]}" in alert.text for label in LABELS] == [True] * 4
    assert re.search(r"^Log: http://\S+/tasks/read_budgets/mapped/1\?try_number=1$", alert.text, re.MULTILINE)
    assert "UpstreamFailed" not in alert.text, "what only follows from another failure is no news"

    # The next run meets an outage that is over by its second try: nobody is called.
    real_morning.sandbox.request("DELETE", "/faults")
    real_morning.sandbox.fault("auth_expired", "SearchStream", times=1, customer="1234567890")
    good = real_airflow.run("lead_budgets")
    assert (good.state, good.tries["read_budgets[0]"]) == ("success", 2)
    assert inbox.after("lead_budgets", good) == []
    first_try = four_lines(real_airflow.log("lead_budgets", good.run_id, "read_budgets", map_index=0, try_number=1))
    assert re.fullmatch(
        rf"yes: try 2 of 4 starts at \d\d:\d\d on {day.today()} \(Europe/Amsterdam\)\.",
        first_try["Retried automatically"],
    )
    digest_run = real_airflow.run("lead_digest")
    mails = inbox.after("lead_digest", digest_run)
    (digest,) = [mail for mail in mails if mail.to == MARKETING]
    (warning,) = [mail for mail in mails if mail.to == ON_CALL]
    assert digest_run.state == "success"
    assert "finding(s) need a person" in warning.subject, "two campaigns share one budget, whoever reads what"
    assert all(f"{label}: " in warning.text for label in LABELS)
    decided = real_morning.decisions()
    changed = [code for code, row in decided.items() if row["action"] != "hold"]
    assert f"Budgets of {day.today()}: {len(changed)} change(s) made, " in digest.subject
    changes, waiting, freshness = re.split(r"WAITING FOR A PERSON|FRESHNESS", digest.text)
    assert changed and all(code in changes and decided[code]["sentence"] in changes for code in changed)
    assert re.search(r"stukadoor_noord_brabant\b.* held: ", waiting), "nobody knows what its partners can take"
    assert set(re.findall(r"^(\w+)  ", freshness, re.MULTILINE)) >= {"google_ads", "leads", "search_console", "ga4"}

    secrets = secrets_of(real_airflow)
    assert len(secrets) >= 5 and all(len(secret) > 8 for secret in secrets.values())
    written = texts_below(real_airflow.stack.home)
    assert any("task_id=read_budgets" in path for path in written), "the logs of the tasks are among them"
    written |= {f"mail {mail.subject}": f"{mail.subject}\n{mail.text}" for mail in (alert, digest)}
    written["findings"] = json.dumps(real_morning.db.fetch("select * from pipeline_findings"), default=str)
    written["the alert's memory"] = json.dumps(_variables(real_airflow))
    found = [(where, name) for where, text in written.items() for name, secret in secrets.items() if secret in text]
    assert found == []


@pytest.mark.long
def test_a_morning_without_a_decision_calls_once_whatever_else_fails(
    real_airflow: RealAirflow, real_morning: Morning, inbox: Inbox
) -> None:
    missed = real_airflow.run("lead_digest")
    mails = inbox.after("lead_digest", missed)
    (alert,) = [mail for mail in mails if mail.to == ON_CALL and " failed" in mail.subject]
    assert missed.tasks == {"check_deadline": "failed", "send_digest": "success", "alert_on_call": "success"}
    assert "12 of 12 active segments have no decision" in alert.text or "DeadlineMissed" in alert.subject
    assert any("not decided today: " in mail.text for mail in mails if mail.to == MARKETING)

    real_morning.db.fetch("revoke insert on budget_decisions from lead_pipeline")
    for again in ("lead_budgets failed: ", "lead_budgets failed again: "):
        failed = real_airflow.run("lead_budgets")
        assert failed.tasks["plan_budgets"] == "failed"
        (alert,) = inbox.after("lead_budgets", failed)
        assert alert.subject == f"{again}plan_budgets (DatabaseRefused)"
    assert "2 runs in a row since" in alert.text
    late = real_airflow.run("lead_digest")
    assert late.tasks["check_deadline"] == "failed"
    assert {mail.to for mail in inbox.after("lead_digest", late)} == {MARKETING}, "it was reported this morning already"
    last = four_lines(real_airflow.log("lead_digest", late.run_id, "check_deadline"))
    assert "Reported already: lead_budgets failed (DatabaseRefused)" in last["What happened"]
    assert last["What to do"].startswith("Read the alert of lead_budgets"), "what is to be done stands there"


@pytest.mark.long
def test_a_failure_after_which_the_day_went_on_does_not_silence_the_deadline(
    real_airflow: RealAirflow, real_morning: Morning, inbox: Inbox
) -> None:
    real_morning.sandbox.fault("permission", "SearchStream", times=50, customer="2345678901")
    failed = real_airflow.run("lead_budgets")
    assert failed.tasks["plan_budgets"] == "success"
    (alert,) = inbox.after("lead_budgets", failed)
    assert "SourceRefused" in alert.subject
    real_morning.db.fetch("insert into lead_segments (code, branch, region) values ('nieuw_hier', 'nieuw', 'hier')")
    missed = real_airflow.run("lead_digest")
    (alert,) = [mail for mail in inbox.after("lead_digest", missed) if mail.to == ON_CALL and " failed" in mail.subject]
    assert "DeadlineMissed" in alert.subject and "start a new run of lead_budgets" in alert.text


def _variables(airflow: RealAirflow) -> list[Any]:
    return list(airflow.api.pages("/variables", "variables"))
