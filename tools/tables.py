"""The tables and their keys, read from the migrations: docs/tables.md, written and checked by tools.docs.

The reader follows `create table`, `alter table`, unique indexes and table comments of schema `public`, in the order of
the migrations. It knows the forms that the migrations use and no more: a statement that it cannot place raises
`NotUnderstood` with its file, because a picture that leaves a table out unnoticed is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools import REPOSITORY

MIGRATIONS = REPOSITORY / "include" / "migrations"
# One lexical unit: a comment, a string, a body in dollar quotes, a sign that structures, or any other character.
UNIT = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|[();,]|.", re.DOTALL)
# Statements that change no table, key or foreign key.
OTHER = re.compile(
    r"(set local|comment on|grant|revoke|do|create schema|create type"
    r"|(create|create or replace) (function|view)|create (constraint )?trigger|(create|alter|drop) policy"
    r"|(alter|drop) function|create temporary table|insert into|update|delete from) "
)
OTHER_ACTION = re.compile(
    r"validate constraint|(enable|force) row level security|alter column \w+ (set|drop) default|owner to"
)
HIDDEN_DDL = re.compile(r"\b(create|alter|drop)\s+table\b", re.IGNORECASE)


class NotUnderstood(Exception):
    """A statement of a migration is of a form that this reader does not know."""


@dataclass(frozen=True)
class Column:
    """A column; `kind` is its SQL type without precision."""

    name: str
    kind: str
    required: bool


@dataclass(frozen=True)
class Key:
    """A primary key, unique constraint or unique index; `where` is the condition of a partial index."""

    columns: tuple[str, ...]
    primary: bool = False
    where: str = ""


@dataclass(frozen=True)
class ForeignKey:
    columns: tuple[str, ...]
    table: str


@dataclass
class Table:
    """One table; `ours` is false where the company made it and the migrations only extend it."""

    name: str
    ours: bool = True
    meaning: str = ""
    columns: dict[str, Column] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    foreign_keys: dict[str, ForeignKey] = field(default_factory=dict)

    @property
    def primary(self) -> tuple[str, ...]:
        """The columns of the primary key; empty where the migrations define none."""
        return next((key.columns for key in self.keys.values() if key.primary), ())

    def flags(self, column: str) -> list[str]:
        """PK, FK and UK, as Mermaid writes them. A partial or composite unique key does not make a column unique."""
        referring = {name for key in self.foreign_keys.values() for name in key.columns}
        unique = {key.columns for key in self.keys.values() if not key.primary and not key.where}
        marks = {"PK": column in self.primary, "FK": column in referring, "UK": (column,) in unique}
        return [mark for mark, holds in marks.items() if holds]


def statements(text: str) -> Iterator[str]:
    """Each statement without comments, with single blanks; strings and dollar-quoted bodies stay as they are."""
    parts: list[str] = []
    for unit in UNIT.finditer(text):
        said = " " if unit[0].isspace() or unit[0].startswith(("--", "/*")) else unit[0]
        if said == ";":
            yield "".join(parts).strip()
            parts = []
        elif said != " " or parts[-1:] not in ([], [" "]):
            parts.append(said)
    if rest := "".join(parts).strip():
        yield rest


def split(text: str) -> list[str]:
    """The parts between commas that lie outside parentheses and strings."""
    parts, depth = [""], 0
    for unit in UNIT.finditer(text):
        depth += {"(": 1, ")": -1}.get(unit[0], 0)
        if unit[0] == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += unit[0]
    return [part.strip() for part in parts if part.strip()]


def read(folder: Path = MIGRATIONS) -> dict[str, Table]:
    """Every table of schema `public`, by name, as the migrations leave it. Raises NotUnderstood."""
    tables: dict[str, Table] = {}
    for path in sorted(folder.glob("*.sql")):
        for statement in statements(path.read_text()):
            try:
                _apply(tables, statement)
            except NotUnderstood as error:
                raise NotUnderstood(
                    f"{path.name}: {error}. docs/tables.md was not written: teach tools/tables.py this form."
                ) from None
    return tables


def _apply(tables: dict[str, Table], statement: str) -> None:
    # What is quoted may hold anything; the keywords stand before it.
    head = statement[:200]
    if found := re.fullmatch(r"comment on table public\.(\w+) is (.+)", statement, re.DOTALL):
        _table(tables, found[1]).meaning = _string(found[2])
    elif found := re.fullmatch(r"create table public\.(\w+) \((.*)\)", statement, re.DOTALL):
        table = tables[found[1]] = Table(found[1])
        for item in split(found[2]):
            _define(table, item)
    elif found := re.fullmatch(r"alter table (?:only )?public\.(\w+) (.+)", statement, re.DOTALL):
        table = tables.setdefault(found[1], Table(found[1], ours=False))
        for action in split(found[2]):
            _alter(table, action)
    elif found := re.fullmatch(r"drop table (?:if exists )?public\.(\w+)", statement):
        del tables[found[1]]
    elif found := re.fullmatch(
        r"create unique index (?:concurrently )?(\w+) on public\.(\w+) \((.*)\)(?: where (.+))?", statement, re.DOTALL
    ):
        _table(tables, found[2]).keys[found[1]] = Key(tuple(split(found[3])), where=found[4] or "")
    elif found := re.fullmatch(r"drop index (?:concurrently )?(?:if exists )?public\.(\w+)", statement):
        for table in tables.values():
            table.keys.pop(found[1], None)
    elif re.match(r"create index ", head):
        pass
    elif not OTHER.match(head):
        raise NotUnderstood(f"unknown statement: {head}")
    elif HIDDEN_DDL.search(statement):
        raise NotUnderstood(f"a body that creates, alters or drops a table: {head}")


def _table(tables: dict[str, Table], name: str) -> Table:
    if name not in tables:
        raise NotUnderstood(f"table {name} was not created before it is used")
    return tables[name]


def _define(table: Table, item: str) -> None:
    """One item of `create table`: a constraint or a column."""
    if item.startswith("constraint "):
        _constrain(table, item)
    elif re.match(r"(primary key|unique|foreign key|check|exclude|like)\b", item):
        _constrain(table, f"constraint {table.name}_{'pkey' if item.startswith('primary') else 'unnamed'} {item}")
    else:
        _column(table, item)


def _column(table: Table, item: str) -> None:
    found = re.match(r"(\w+) (double precision|\w+)(?:\([\d, ]+\))?(\[\])?(?: (.*))?$", item, re.DOTALL)
    if not found:
        raise NotUnderstood(f"unknown column of {table.name}: {item}")
    name, kind, array, rest = found[1], found[2], found[3] or "", found[4] or ""
    primary = "primary key" in rest
    table.columns[name] = Column(name, kind + array, primary or "not null" in rest or "as identity" in rest)
    if primary:
        table.keys[f"{table.name}_pkey"] = Key((name,), primary=True)
    elif re.search(r"\bunique\b", rest):
        table.keys[f"{table.name}_{name}_key"] = Key((name,))
    if refers := re.search(r"\breferences public\.(\w+)", rest):
        table.foreign_keys[f"{table.name}_{name}_fkey"] = ForeignKey((name,), refers[1])
    elif "references" in rest:
        raise NotUnderstood(f"a foreign key to another schema in {table.name}: {item}")


def _constrain(table: Table, item: str) -> None:
    """A named table constraint; checks are no part of the picture."""
    found = re.match(r"constraint (\w+) (primary key|unique|foreign key|check)\b(?: nulls not distinct)? ?\(", item)
    if not found:
        raise NotUnderstood(f"unknown constraint of {table.name}: {item}")
    name, kind = found[1], found[2]
    if kind == "check":
        return
    columns = tuple(split(item[found.end() : item.index(")", found.end())]))
    if kind != "foreign key":
        table.keys[name] = Key(columns, primary=kind == "primary key")
        for column in columns if kind == "primary key" else ():
            table.columns[column] = Column(column, table.columns[column].kind, required=True)
    elif refers := re.search(r"\breferences public\.(\w+)", item):
        table.foreign_keys[name] = ForeignKey(columns, refers[1])
    else:
        raise NotUnderstood(f"a foreign key to another schema in {table.name}: {item}")


def _alter(table: Table, action: str) -> None:
    if found := re.match(r"add column (?:if not exists )?(.+)", action, re.DOTALL):
        _column(table, found[1])
    elif found := re.match(r"add (constraint .+)", action, re.DOTALL):
        _constrain(table, found[1])
    elif found := re.match(r"drop constraint (?:if exists )?(\w+)$", action):
        table.keys.pop(found[1], None)
        table.foreign_keys.pop(found[1], None)
    elif found := re.match(r"drop column (?:if exists )?(\w+)$", action):
        del table.columns[found[1]]
    elif found := re.match(r"alter column (\w+) (set|drop) not null$", action):
        old = table.columns[found[1]]
        table.columns[found[1]] = Column(old.name, old.kind, required=found[2] == "set")
    elif not OTHER_ACTION.match(action):
        raise NotUnderstood(f"unknown change of {table.name}: {action}")


def _string(literal: str) -> str:
    """The text of one SQL string, or of several that continue one another."""
    return "".join(re.findall(r"'((?:[^']|'')*)'", literal)).replace("''", "'")


def diagram(tables: dict[str, Table]) -> str:
    """The tables as a Mermaid erDiagram: the columns of their keys, and one line per foreign key."""
    lines = ["erDiagram", "    direction LR"]
    for table in tables.values():
        keyed = {name for key in table.keys.values() for name in key.columns}
        keyed |= {name for key in table.foreign_keys.values() for name in key.columns}
        lines.append(f"    {table.name} {{")
        for column in table.columns.values():
            if column.name in keyed:
                words = [column.kind.replace(" ", "_"), column.name, ", ".join(table.flags(column.name))]
                lines.append("        " + " ".join(words).rstrip())
        lines.append("    }")
    for table in tables.values():
        for key in table.foreign_keys.values():
            one = "||" if all(table.columns[name].required for name in key.columns) else "|o"
            many = "o|" if key.columns == table.primary else "o{"
            lines.append(f'    {key.table} {one}--{many} {table.name} : "{", ".join(key.columns)}"')
    return "\n".join(lines)


def page() -> str:
    """The picture, then one row per table: what it holds and what is unique in it."""
    tables = dict(sorted(read().items()))
    rows = []
    for table in tables.values():
        unique = [f"`{', '.join(table.primary)}`"] if table.primary else []
        for key in table.keys.values():
            if not key.primary:
                unique.append(f"`{', '.join(key.columns)}`" + (f" where `{key.where}`" if key.where else ""))
        meaning = table.meaning if table.ours else "The company's own table; the migrations add columns to it."
        rows.append(f"| `{table.name}` | {meaning} | {'; '.join(unique)} |")
    return (
        "# The tables\n\n"
        "Read from `include/migrations`. The picture shows the columns of keys and foreign keys; a line ends in a\n"
        "circle where no row has to refer, or the reference may be NULL. Each column's meaning is its comment in the\n"
        "database (`\\d+ lead_segment_plans` in `make psql`). `channel`, `account` and `external_id` have no table of\n"
        "their own: they are the names that a source uses.\n\n"
        f"```mermaid\n{diagram(tables)}\n```\n\n"
        "| table | what it holds | unique (the primary key first) |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )
