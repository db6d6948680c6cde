"""What people are sent and asked, from the templates in `include/messages`, which are edited without knowing the code.

The first line that a template gives is the subject, the rest the text. Whatever a template inserts is made safe on its
way in, so that no name from outside ends a line or a cell, or begins a link, whoever edits the template. A name that a
template misspells is an error and never an empty place.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from lead_demand.errors import MessageBroken
from lead_demand.runs.day import AMSTERDAM
from lead_demand.text import euros, markdown, plain

MESSAGES = Path(__file__).resolve().parents[2] / "include" / "messages"


class Message(NamedTuple):
    """What a template gave."""

    subject: str
    lines: list[str]


def render(name: str, values: dict[str, Any], folder: Path = MESSAGES) -> Message:
    """A message in plain lines: a name from outside stays within its line. Raises MessageBroken, which names the file
    and the line.
    """
    return _render(name, values, folder, _line)


def render_markdown(name: str, values: dict[str, Any], folder: Path = MESSAGES) -> Message:
    """Likewise in Markdown: a name from outside stays within its cell of a table, too, and is no link."""
    return _render(name, values, folder, markdown)


def _render(name: str, values: dict[str, Any], folder: Path, safe: Callable[[str], str]) -> Message:
    try:
        text = _environment(folder, safe).get_template(name).render(values)
    except jinja2.TemplateNotFound as error:
        raise MessageBroken(f"There is no {_shown(folder, error.name or name)}.") from error
    except jinja2.TemplateSyntaxError as error:
        raise MessageBroken(f"{_shown(folder, error.name or name)}, line {error.lineno}: {error.message}") from error
    except Exception as error:  # whatever a filter or an expression of the template raises
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent == folder]
        where = f", line {frames[-1].lineno}" if frames else ""
        raise MessageBroken(f"{_shown(folder, name)}{where}: {type(error).__name__}: {error}") from error
    subject, _, body = text.strip().partition("\n")
    if not subject:
        raise MessageBroken(f"{_shown(folder, name)}, line 1: it gives no text, and its first line is the subject.")
    return Message(subject.strip(), [line.rstrip() for line in body.strip("\n").splitlines()])


def _shown(folder: Path, name: object) -> str:
    return f"include/messages/{name}" if folder == MESSAGES else str(folder / str(name))


@cache
def _environment(folder: Path, safe: Callable[[str], str]) -> jinja2.Environment:
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # no HTML; `finalize` makes safe what is inserted
        finalize=lambda value: _inserted(value, safe),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        euros=euros,
        signed_euros=lambda amount: f"{'-' if amount < 0 else '+'}{euros(abs(amount))}",
        leads=lambda number: None if number is None else f"{number:.1f}",
        signed=lambda number: f"{number:+.1f}",
        whole=lambda number: "not known" if number is None else f"{number:.0f}",
        clock=lambda moment: _local(moment, "%H:%M"),
        day=lambda moment: _local(moment, "%d %b"),
        day_and_clock=lambda moment: _local(moment, "%d %b %H:%M"),
    )
    return environment


def _inserted(value: object, safe: Callable[[str], str]) -> object:
    if value is None:
        return "–"
    return safe(value) if isinstance(value, str) else value


def _line(text: str) -> str:
    return plain(text, keep_blanks=True)


def _local(moment: datetime, form: str) -> str:
    return f"{moment.astimezone(AMSTERDAM):{form}}"
