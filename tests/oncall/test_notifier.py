"""Messages to people: each reaches who its tag names, and one that cannot be sent says why and fails nothing."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta

import pytest

from lead_demand.oncall import notifier
from lead_demand.runs import day
from local.ports import free_port
from tests.fixtures.mailbox import MARKETING, ON_CALL, PASSWORD, Mailbox
from tests.fixtures.morning import Morning

pytestmark = pytest.mark.usefixtures("airflow_metadata")
CONNECTION = f"AIRFLOW_CONN_{notifier.CONNECTION.upper()}"


def services(*paths_and_tags: tuple[str, str]) -> str:
    config = [{"path": path, "tag": [tag]} for path, tag in paths_and_tags]
    return json.dumps({"conn_type": "apprise", "extra": {"config": config}})


@pytest.mark.parametrize(("audience", "reader"), [("alerts", ON_CALL), ("digest", MARKETING)])
def test_a_message_reaches_who_its_tag_names(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, audience: notifier.Audience, reader: str
) -> None:
    mailbox.take()
    monkeypatch.setenv(CONNECTION, mailbox.connection)
    assert notifier.send(audience, "€ 12 → € 14", ["first", "", f"a line with {PASSWORD} in it"]) is None
    (mail,) = mailbox.wait()
    assert (mail.to, mail.subject) == (reader, "€ 12 → € 14")
    assert "first" in mail.text and PASSWORD not in mail.text, "what the connection keeps secret is masked"


@pytest.mark.parametrize(
    ("connection", "why"),
    [
        (None, "there is no connection lead_demand_alerts"),
        (services(("json://127.0.0.1:1", "digest")), "has no service tagged alerts"),
        (services((f"json://127.0.0.1:{free_port()}", "alerts")), "did not take it"),
        ('{"conn_type": "apprise", "extra": {"confg": []}}', "is not usable (KeyError)"),
    ],
    ids=["no connection", "nobody tagged", "nobody listens", "misspelt"],
)
def test_what_cannot_be_sent_says_why(monkeypatch: pytest.MonkeyPatch, connection: str | None, why: str) -> None:
    monkeypatch.delenv(CONNECTION, raising=False)
    if connection:
        monkeypatch.setenv(CONNECTION, connection)
    assert why in (notifier.send("alerts", "subject", ["line"]) or "sent")


def test_a_digest_that_nobody_can_get_is_in_the_log_once_and_fails_nothing(
    morning: Morning, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(CONNECTION, raising=False)
    caplog.set_level(logging.INFO, logger="lead_demand")
    run = morning.run("lead_digest")
    assert run.tasks == {"check_deadline": "failed", "send_digest": "success", "alert_on_call": "success"}
    said = [line for record in caplog.records if "no connection lead_demand_alerts" in (line := record.getMessage())]
    assert all(line.startswith("Not sent, because there is no connection") for line in said)
    assert len([line for line in said if "Budgets of" in line]) == 1 and len(said) == len(set(said))


def test_a_digest_of_an_earlier_day_is_skipped_and_calls_nobody(morning: Morning) -> None:
    """Unpaused before 08:00, or after an outage, Airflow starts the run that was due yesterday."""
    late = morning.run("lead_digest", run_type="scheduled", day=day.today() - timedelta(days=2))
    assert late.state == "success" and set(late.tasks.values()) == {"skipped"}
    again = morning.run("lead_digest", due=datetime.now(day.AMSTERDAM) - timedelta(days=1))
    assert set(again.tasks.values()) == {"failed"}, "a person who asks for it is answered"


# Addresses as people write them: sound but nobody listens, malformed, of an unknown scheme, split by a blank.
SECRET = "Zq7Planted9Secret"
ADDRESSES = {
    "tokens in the path": f"jsons://127.0.0.1:{{port}}/services/T0/{SECRET}A/{SECRET}B",
    "login": f"json://robot:{SECRET}%2F1@127.0.0.1:{{port}}/",
    "query": f"json://127.0.0.1:{{port}}/?pass={SECRET}&-token={SECRET}2",
    "header": f"json://127.0.0.1:{{port}}/?+X-Token={SECRET}",
    "token as host": f"slack://{SECRET}",
    "unknown scheme": f"slck://{SECRET}A/{SECRET}B/{SECRET}C/#alerts",
    "no scheme": SECRET,
    "blank": f"slack://T0123ABCD/B0123ABCD/{SECRET} {SECRET}2",
    "port that is no number": f"json://robot:{SECRET}@127.0.0.1:{SECRET}/x",
    "password with a slash": f"mailto://robot:{SECRET}/{SECRET}2@mail.invalid",
    "bracket": f"json://[{SECRET}/x?token={SECRET}",
}


@pytest.mark.parametrize("written", ADDRESSES.values(), ids=ADDRESSES)
def test_no_log_and_no_reason_holds_a_secret_of_an_address_that_fails(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, written: str
) -> None:
    caplog.set_level(logging.DEBUG)  # also what the libraries of the library say of each request
    monkeypatch.setenv(CONNECTION, services((written.format(port=free_port()), "alerts")))
    why_not = notifier.send("alerts", "subject", [f"a line with {SECRET} in it"])
    logged = [record.getMessage() for record in caplog.records] + [str(record.exc_info) for record in caplog.records]
    assert [record for record in caplog.records if record.name.startswith(("apprise", "urllib3"))], "the library spoke"
    for text in (why_not or "", *logged, *capfd.readouterr()):
        assert SECRET.lower() not in text.lower()
    assert "did not take it" in (why_not or "") or "address 1" in (why_not or "")


def test_an_address_that_cannot_be_read_is_named_although_the_others_took_the_message(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.take()
    found = json.loads(mailbox.connection)
    found["extra"]["config"].insert(0, {"path": f"slck://{SECRET}", "tag": ["alerts"]})
    monkeypatch.setenv(CONNECTION, json.dumps(found))
    assert notifier.send("alerts", "subject", ["line"]) is None
    assert len(mailbox.wait()) == 1
    assert "address 1 of the connection lead_demand_alerts cannot be read" in caplog.text
