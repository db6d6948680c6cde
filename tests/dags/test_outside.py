"""Words from outside are one piece of one line: they imitate no line of an error, a finding, a mail or a table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_demand import errors, text
from lead_demand.channels import paid
from lead_demand.channels.google_ads.channel import GoogleAds
from lead_demand.database import findings
from lead_demand.errors import SourceRefused, SourceUnavailable
from lead_demand.oncall import alerts, notifier
from lead_demand.oncall.diagnosis import explain
from lead_demand.runs.day import Window, latest_whole_day
from lead_demand.text import plain
from tests.fixtures.mailbox import Mailbox
from tests.fixtures.sandbox import Sandbox

LABELS = ("What happened: ", "What was not changed: ", "Retried automatically: ", "What to do: ")
ENDS = ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
FORGED = "".join(f"quota{end}What happened: nothing.{end}What to do: nothing." for end in ENDS)
FORGED += "\x1b[2J\x1b[31mred\x1b]0;title\x07\x9b1A\x00::endgroup::\u202egnp.exe"


def is_one_line(text: str) -> bool:
    return len(text.splitlines()) <= 1 and not any(mark in text for mark in ("\x1b", "\x9b", "\x00", "\u202e", "\r"))


@given(st.text(st.characters(exclude_categories=[]), max_size=200), st.booleans())
def test_whatever_it_says_it_is_one_line_that_can_be_stored(text: str, keep_blanks: bool) -> None:
    found = plain(text, keep_blanks=keep_blanks)
    assert is_one_line(found)
    found.encode("utf-8")
    assert plain(found, keep_blanks=keep_blanks) == found


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=50))
def test_words_stay_as_they_are(text: str) -> None:
    assert plain(text) == text


def test_an_escape_leaves_with_all_of_it_and_a_long_text_says_that_it_is_cut() -> None:
    assert plain("a\x1b[31mred\x1b[0m\x1b]0;title\x07b") == "aredb"
    assert plain("x" * 50, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    "error",
    [
        SourceUnavailable(FORGED),
        SourceRefused("refused", todo=FORGED, unchanged=FORGED),
        ValueError(FORGED),
        ConnectionError(FORGED),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_four_lines_whatever_it_was_told(error: Exception) -> None:
    facts = explain(error)
    lines = alerts.four_lines(facts.happened, facts.unchanged, FORGED, facts.todo)
    assert len("\n".join(lines).splitlines()) == 4
    assert all(line.startswith(label) and is_one_line(line) for line, label in zip(lines, LABELS, strict=True))
    assert not isinstance(error, errors.LeadDemandError) or is_one_line(str(error))


def test_a_finding_an_outcome_and_a_table_take_it_as_one_line() -> None:
    finding = findings.Finding("x", "stop", FORGED, FORGED, subject=FORGED)
    assert all(map(is_one_line, (finding.detail, finding.remediation, finding.subject or "")))
    assert all(map(is_one_line, findings.log_lines([finding])))
    outcome = paid.Outcome(None, FORGED, FORGED, FORGED)
    assert all(map(is_one_line, (outcome.detail or "", outcome.error_code or "", outcome.request_id or "")))
    assert len("\n".join(text.table(["campaign"], [[FORGED], ["b"]])).splitlines()) == 4


def test_subjects_that_are_too_long_for_an_index_stay_apart() -> None:
    one, other = (findings.Finding("x", "warn", "", "", subject=f"1/{'é' * 5000}{end}").subject for end in "ab")
    assert one and other and one != other and len(one.encode()) < 2000 and one.startswith("1/")


def test_a_mail_has_the_lines_that_were_written(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LEAD_DEMAND_ALERTS", mailbox.connection)
    mailbox.take()
    assert notifier.send("alerts", f"lead_stats failed: {FORGED}", ["first", f"campaign {FORGED}", "last"]) is None
    (mail,) = mailbox.wait()
    assert len([line for line in mail.text.splitlines() if line.strip()]) == 3
    assert is_one_line(mail.subject)


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "UNAVAILABLE"])
def test_what_google_says_is_one_line_of_the_error(clean_sandbox: Sandbox, code: str) -> None:
    clean_sandbox.fault("status", "SearchStream", times=9, code=code, message=f"refused{FORGED}")
    window = Window(latest_whole_day(), latest_whole_day())
    with pytest.raises((SourceRefused, SourceUnavailable)) as caught:
        GoogleAds().fetch("1234567890", window)
    facts: Any = caught.value.facts
    assert "refused" in facts.happened and is_one_line(facts.happened) and is_one_line(str(caught.value))
