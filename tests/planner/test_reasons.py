"""The table of reasons is complete."""

from __future__ import annotations

import json

from lead_demand.planner.reasons import Reason, phrase


def test_every_reason_says_what_it_means_and_what_to_do() -> None:
    for reason in Reason:
        assert reason.value == reason.name.lower()
        assert reason.meaning.endswith(".")
        assert reason.what_to_do.endswith(".")
        assert not reason.phrase.endswith(".")


def test_a_reason_is_its_code() -> None:
    assert json.dumps([Reason.AT_CAP]) == '["at_cap"]'
    assert Reason("at_cap") is Reason.AT_CAP


def test_a_code_from_elsewhere_is_shown_as_it_is() -> None:
    assert phrase("paused_by_finance") == "paused by finance"
