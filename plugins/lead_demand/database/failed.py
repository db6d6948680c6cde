"""Which statement an error of the database belongs to: its file, the adapter in it, and the table.

The driver knows none of them. They are found only once a statement has failed, by the comment that each file begins
with, so that no statement carries more than its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from lead_demand.database import sql

ADAPTERS = "sources/"
# Of an error's own words, the first that names a table; a column may be named by the alias of its table.
_NAMED = (
    re.compile(r'relation "(?:public\.)?([\w.]+)"'),
    re.compile(r"for (?:table|view|sequence) (?:public\.)?([\w.]+)"),
    re.compile(r"column (\w+)\.\w+ does not exist"),
)
_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)
_WRITES = re.compile(r"\b(?:insert into|update|delete from)\s+(?!of\b|set\b)(?:public\.)?([a-z_][\w.]*)")
_READS = re.compile(r"\b(?:from|join)\s+(?:public\.)?([a-z_][\w.]*)")
_STEPS = re.compile(r"\b(\w+)(?: \([\w, ]+\))? as (?:not )?(?:materialized )?\(")


@dataclass(frozen=True)
class Failed:
    """A statement that failed.

    :param file: below `include/sql`.
    :param adapter: likewise, of the adapter in it whose line the database names; "" where it names none.
    :param table: the table that the database names, else the one that the statement writes or reads first; "" where
        none is known.
    """

    file: str
    adapter: str
    table: str

    def __str__(self) -> str:
        where = f"include/sql/{self.adapter} in include/sql/{self.file}" if self.adapter else f"include/sql/{self.file}"
        return f"{where}, table {self.table}" if self.table else where


@contextmanager
def named(statement: object) -> Iterator[None]:
    """While a statement runs: an error of the database takes along which one it was, for `failed`."""
    try:
        yield
    except psycopg.Error as error:
        if isinstance(statement, str) and failed(error) is None:
            error.__dict__["failed"] = _find(statement, error)
        raise


def failed(error: BaseException) -> Failed | None:
    """The statement of an error, where it is one of `include/sql`."""
    found = error.__dict__.get("failed")
    return found if isinstance(found, Failed) else None


def _find(statement: str, error: psycopg.Error) -> Failed | None:
    places = {
        file: (at, at + len(header))
        for path in sql.SQL_FOLDER.rglob("*.sql")
        if (header := _header(path.read_text())) and (at := statement.find(header)) >= 0
        for file in [path.relative_to(sql.SQL_FOLDER).as_posix()]
    }
    if not places:
        return None
    file = min(places, key=places.__getitem__)
    adapters = {name: place for name, place in places.items() if name.startswith(ADAPTERS)}
    return Failed(file, _adapter(statement, error, adapters), _table(statement, error))


def _header(text: str) -> str:
    """The comment that a file begins with, which is its own."""
    lines = text.splitlines()
    end = next((number for number, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return "\n".join(line for line in lines[:end] if not line.startswith("-- noqa"))


def _adapter(statement: str, error: psycopg.Error, adapters: dict[str, tuple[int, int]]) -> str:
    """The adapter that the place lies in which the database names: it stands in parentheses, as a table."""
    at = _place(statement, error)
    for name, (_, header_end) in adapters.items():
        depth, end = 1, header_end
        while end < len(statement) and depth:
            depth += {"(": 1, ")": -1}.get(statement[end], 0)
            end += 1
        if header_end <= at < end:
            return name
    return ""


def _place(statement: str, error: psycopg.Error) -> int:
    """Where the line begins that the database names; -1 where it names none. A line, for the driver rewrites the
    placeholders of values: what the database counts are other characters.
    """
    line = _LINE.search(str(error))
    return sum(map(len, statement.splitlines(keepends=True)[: int(line[1]) - 1])) if line else -1


def _table(statement: str, error: psycopg.Error) -> str:
    code = re.sub(r"--.*|'(?:[^'\n]|'')*'", "", statement)
    steps = set(_STEPS.findall(code))
    if error.diag.table_name:
        return error.diag.table_name
    for said in (error.diag.message_primary or "", error.diag.context or ""):
        for pattern in _NAMED:
            if found := pattern.search(said):
                alias = re.search(rf"\b(?:from|join|update|into)\s+(?:public\.)?([\w.]+) as {found[1]}\b", code)
                return alias[1] if alias else found[1]
    # A column without the name of its table: of the table that is read next.
    at = _place(code, error)
    patterns = (_WRITES, _READS) if at < 0 else (_READS,)
    read = (name for pattern in patterns for name in pattern.findall(code, max(at, 0)))
    return next((name for name in read if name not in steps), "")
