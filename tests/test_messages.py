"""The texts in include/messages: what marketing may write, and what a mistake in them says."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from lead_demand import messages
from lead_demand.errors import MessageBroken


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, text: str) -> str:
    (folder / "text.md.j2").write_text(text)
    return "text.md.j2"


def test_the_first_line_is_the_subject_and_the_rest_the_text(folder: Path) -> None:
    name = write(
        folder, "{# What this is. #}\nAbout {{ what }}\n\n{% for n in [1, 2] %}\n- {{ n }}\n{% endfor %}\nEnd.\n"
    )
    assert messages.render(name, {"what": "leads"}, folder) == ("About leads", ["- 1", "- 2", "End."])


@pytest.mark.parametrize(
    ("template", "line", "said"),
    [
        ("Subject\n\n{{ sumary }}\n", 3, "'sumary' is undefined"),
        ("Subject\n{% for row in rows %}\n{{ row.name }}\n", 3, "Unexpected end of template"),
        ("Subject\n\n\n{{ summary | eurs }}\n", 4, "No filter named 'eurs'"),
        ("Subject\n{{ summary + 1 }}\n", 2, "TypeError"),
        ("Subject\n{% for row in rows %}\n{{ row.nam }}\n{% endfor %}\n", 3, "has no attribute 'nam'"),
        ("Subject\n{{ summary.__class__.__mro__ }}\n", 2, "unsafe"),
        ("\n{# nothing else #}\n", 1, "it gives no text"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_its_line(folder: Path, template: str, line: int, said: str) -> None:
    name = write(folder, template)
    with pytest.raises(MessageBroken) as broken:
        messages.render(name, {"summary": "x", "rows": [{"name": "y"}]}, folder)
    assert broken.value.facts.happened.startswith(f"{folder / name}, line {line}: ")
    assert said in broken.value.facts.happened
    assert "No message was sent" in broken.value.facts.unchanged


def test_a_template_that_is_gone_is_named() -> None:
    with pytest.raises(MessageBroken, match=r"There is no include/messages/gone\.md\.j2\."):
        messages.render("gone.md.j2", {})


OUTSIDE = "evil](https://x.example)\n| cell | <b>[link](y)\x1b[31m"


def test_a_name_from_outside_begins_no_line_and_moves_no_cursor(folder: Path) -> None:
    name = write(folder, "Subject\n- {{ name }}, and {{ unknown }}\n")
    _, lines = messages.render(name, {"name": OUTSIDE, "unknown": None}, folder)
    assert lines == ["- evil](https://x.example) | cell | <b>[link](y), and –"]


def test_a_name_from_outside_ends_no_cell_and_is_no_link_in_markdown(folder: Path) -> None:
    name = write(folder, "Subject\n| {{ name }} | {{ names | join(', ') }} |\n")
    _, (row,) = messages.render_markdown(name, {"name": OUTSIDE, "names": ["[a]", "b|c"]}, folder)
    assert row.count("|") == 3 and "[" not in row and "<" not in row


def test_amounts_and_moments_are_written_as_people_read_them(folder: Path) -> None:
    name = write(
        folder,
        "Subject\n{{ a | euros }} {{ a | signed_euros }} {{ b | signed_euros }} {{ n | leads }} "
        "{{ none | leads }} {{ n | signed }} {{ n | whole }} {{ none | whole }} {{ at | clock }} {{ at | day }} "
        "{{ at | day_and_clock }}\n",
    )
    values = {"a": Decimal("1.5"), "b": Decimal(-2), "n": Decimal("6.75"), "none": None}
    _, (line,) = messages.render(name, values | {"at": datetime(2026, 11, 26, 23, 30, tzinfo=UTC)}, folder)
    assert line == "€1.50 +€1.50 -€2.00 6.8 – +6.8 7 not known 00:30 27 Nov 27 Nov 00:30"
