"""sqlfluff over every SQL file, with psycopg's placeholders understood.

    python -m tools.lint_sql [path ...]

A file that was in order is not parsed again until it, what it includes, the rules, sqlfluff or this program change.

sqlfluff renders either Jinja or `%(name)s`, and the files of this repository have both. So each placeholder is replaced
by a string literal of the same length before the file is linted; every line and column reported stays right.
"""

import hashlib
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path

from sqlfluff.core import FluffConfig, Linter

from tools import REPOSITORY

CACHE = REPOSITORY / ".local" / "cache" / "lint_sql"  # an empty file for each text that was in order
FOLDERS = ("include", "local", "sandbox", "docs")
INCLUDE = re.compile(r"\{%-?\s*include\s+'([^']+)'")
INCLUDED_FROM = REPOSITORY / "include" / "sql"
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def as_literals(text: str) -> str:
    """The text with each placeholder as a literal of the same length, and `%%` as the one operator it becomes."""
    return PLACEHOLDER.sub(lambda found: f"'{found[1]}__'", text).replace("%%", "% ")


@cache
def linter() -> Linter:
    """The linter with the rules of this repository, made once per process."""
    return Linter(config=FluffConfig.from_path(str(REPOSITORY / "include")))


def violations(path: Path) -> list[str]:
    """One line for each fault of a file."""
    linted = linter().lint_string(as_literals(path.read_text()), fname=str(path))
    name = path.relative_to(REPOSITORY)
    return [
        f"{name}:{fault.line_no}:{fault.line_pos}: {fault.rule_code()} {fault.desc()}"
        for fault in linted.get_violations()
    ]


def included(path: Path) -> set[Path]:
    """The files whose text stands in this one when it is rendered, at any depth."""
    below = {INCLUDED_FROM / name for name in INCLUDE.findall(path.read_text())}
    return {file for name in below if name.exists() for file in {name, *included(name)}}


def mark(path: Path) -> Path:
    """The file in CACHE that says that this text, with what it includes, is in order under these rules."""
    known = hashlib.sha256(f"{version('sqlfluff')} {path.relative_to(REPOSITORY)}".encode())
    for part in (Path(__file__), REPOSITORY / ".sqlfluff", path, *sorted(included(path))):
        known.update(hashlib.sha256(part.read_bytes()).digest())
    return CACHE / known.hexdigest()


def look_alikes() -> list[str]:
    """One line for each statement that begins like another one: in PostgreSQL's log nobody could tell them apart.
    What other files include is no statement of its own, and is left out of the lint.
    """
    beginnings: dict[str, list[str]] = {}
    for path in sorted(INCLUDED_FROM.rglob("*.sql")):
        line = path.read_text().partition("\n")[0]
        if not line.startswith("-- noqa"):
            beginnings.setdefault(line, []).append(str(path.relative_to(REPOSITORY)))
    return [f"{' and '.join(paths)} begin with the same line" for paths in beginnings.values() if len(paths) > 1]


def main(arguments: Sequence[str]) -> int:
    """Lint the paths given, else every SQL file; exits with 1 when there is a fault."""
    given = [Path(argument).resolve() for argument in arguments]
    paths = given or sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.sql"))
    todo = [path for path in paths if not mark(path).exists()]
    found: list[str] = []
    CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ProcessPoolExecutor() as pool:
        for path, faults in zip(todo, pool.map(violations, todo), strict=True):
            found += faults
            if not faults:
                mark(path).touch()
    found += look_alikes()
    print("\n".join(found) if found else f"{len(paths)} SQL files are in order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
