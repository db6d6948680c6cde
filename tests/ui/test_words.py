"""The page speaks two languages, and says the same in both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lead_demand.planner.reasons import Reason
from lead_demand.planner.refusals import Refusal

STATIC = Path(__file__).resolve().parents[2] / "plugins" / "lead_demand" / "ui" / "static"
FORMS = {"one", "other"}
# What the catalogue of English leaves to the server, which has these words already.
FROM_SERVER = "reasons"


def catalogue(language: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((STATIC / "words" / f"{language}.json").read_text())
    return found


def entries(words: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key -> text, or the forms of a text by number."""
    for key, value in words.items():
        if isinstance(value, dict) and not set(value) <= FORMS:
            yield from entries(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def placeholders(text: Any) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", json.dumps(text)))


def test_both_languages_have_the_same_words_with_the_same_values() -> None:
    english, dutch = dict(entries(catalogue("en"))), dict(entries(catalogue("nl")))
    dutch = {key: text for key, text in dutch.items() if not key.startswith(f"{FROM_SERVER}.")}
    assert english.keys() == dutch.keys()
    assert {key: placeholders(text) for key, text in english.items()} == {
        key: placeholders(text) for key, text in dutch.items()
    }


@pytest.mark.parametrize("language", ["en", "nl"])
def test_no_text_is_empty_and_each_number_has_its_form(language: str) -> None:
    for key, text in entries(catalogue(language)):
        forms = text.values() if isinstance(text, dict) else [text]
        assert not isinstance(text, dict) or set(text) == FORMS, key
        assert all(form.strip() for form in forms), key


def test_every_reason_and_refusal_is_explained_in_dutch() -> None:
    explained = catalogue("nl")[FROM_SERVER]
    assert set(explained) == {*map(str, Reason), *map(str, Refusal)}
    for code, words in explained.items():
        assert set(words) == {"phrase", "meaning", "todo"}, code


def test_every_word_that_the_page_asks_for_is_there() -> None:
    words = dict(entries(catalogue("en")))
    sections = set(catalogue("en"))
    asked = {
        key
        for module in (STATIC / "js").rglob("*.js")
        for key in re.findall(r'"([a-z_]+(?:\.[a-z_0-9]+)+)"', module.read_text())
        if key.split(".")[0] in sections
    }
    assert len(asked) > 150
    assert asked <= words.keys(), sorted(asked - words.keys())
