"""What the codes of reasons, refusals and findings have in common."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Code(StrEnum):
    """A table of codes that are stored and shown to people.

    Each member is its code (a `str`) and carries `meaning` and `what_to_do` (one sentence each). A table whose members
    carry more has an `__init__` of its own.
    """

    meaning: str
    what_to_do: str

    def __new__(cls, code: str, *_: object) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        return member

    def __init__(self, _code: str, meaning: str, what_to_do: str) -> None:
        self.meaning = meaning
        self.what_to_do = what_to_do
