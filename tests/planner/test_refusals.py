"""The table of refusals is complete."""

from __future__ import annotations

import pytest

from lead_demand.planner.refusals import Refusal, refusal_of


def test_every_refusal_says_what_it_means_and_what_to_do() -> None:
    for refusal in Refusal:
        assert refusal.value == refusal.name.lower()
        assert refusal.meaning.endswith(".")
        assert refusal.what_to_do.endswith(".")


def test_a_refusal_is_found_by_its_code_and_an_unknown_code_is_an_error() -> None:
    assert refusal_of("not_approved") is Refusal.NOT_APPROVED
    with pytest.raises(KeyError):
        refusal_of("no_such_refusal")
