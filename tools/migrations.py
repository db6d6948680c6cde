"""The files of include/migrations: their names, what kind of statement each is, and whether two texts are the same."""

import re
from dataclasses import dataclass
from pathlib import Path

from tools import REPOSITORY

MIGRATIONS = REPOSITORY / "include" / "migrations"

FILE_NAME = re.compile(r"(?P<version>\d{14})_(?P<name>[a-z0-9_]+)\.sql")
COMMENT = re.compile(r"--[^\n]*")
CONCURRENTLY = re.compile(r"\b(create\s+(unique\s+)?index|drop\s+index|reindex\s+\w+)\s+concurrently\b", re.I)
CREATE_CONCURRENTLY = re.compile(r"\bcreate\s+(unique\s+)?index\s+concurrently\b", re.I)
CONCURRENT_INDEX = re.compile(
    r"create\s+(?P<unique>unique\s+)?index\s+concurrently\s+(?P<name>\w+)\s+"
    r"on\s+(?P<schema>\w+)\.(?P<rest>[^;]+);?",
    re.I,
)

# One piece of SQL when two texts are compared: between pieces blanks mean nothing, inside a quoted one they do.
PIECE = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?\*/)"
    r"|[eE]'(?:[^'\\]|\\.|'')*'"
    r"|'(?:[^']|'')*'"
    r'|"(?:[^"]|"")*"'
    r"|(?P<dollars>\$(?:[A-Za-z_]\w*)?\$).*?(?P=dollars)"
    r"|[\w$]+(?:\.[\w$]+)*"
    r"|[+\-*/<>=~!@#%^&|`?:]+?(?=--|/\*|[^+\-*/<>=~!@#%^&|`?:]|\Z)"
    r"|\S",
    re.S,
)


class MigrationError(RuntimeError):
    """The database and the folder do not fit, or a file failed. The message says what to do next."""


@dataclass(frozen=True)
class Migration:
    """One file of the folder."""

    version: str
    name: str
    text: str

    @property
    def label(self) -> str:
        return f"{self.version}_{self.name}"

    @property
    def statement(self) -> str:
        """The text without comments."""
        return COMMENT.sub("", self.text).strip()

    @property
    def is_concurrent(self) -> bool:
        return CONCURRENTLY.search(self.statement) is not None


def read_folder(folder: Path = MIGRATIONS) -> list[Migration]:
    """The migrations of a folder by version. Raises MigrationError for a file that cannot be applied."""
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        match = FILE_NAME.fullmatch(path.name)
        if not match:
            raise MigrationError(
                f"{path.name} is not named <14 digits>_<name>.sql. Nothing was applied. "
                f"Rename the file, or move it away."
            )
        migration = Migration(match["version"], match["name"], path.read_text(encoding="utf-8"))
        if found and found[-1].version == migration.version:
            raise MigrationError(
                f"{found[-1].label} and {migration.label} have the same version. Nothing was applied. "
                f"Give the newer one a later version."
            )
        if migration.is_concurrent and ";" in migration.statement.rstrip(";"):
            raise MigrationError(
                f"{migration.label} has a CONCURRENTLY beside other statements. Nothing was applied. "
                f"Give it a file of its own: it cannot run in the transaction that keeps the others whole."
            )
        if CREATE_CONCURRENTLY.search(migration.statement) and not CONCURRENT_INDEX.fullmatch(migration.statement):
            raise MigrationError(
                f"{migration.label} makes an index in a form that no second run could repair. Nothing was applied. "
                f"Write it as: create index concurrently <name> on <schema>.<table> (...), without IF NOT EXISTS."
            )
        found.append(migration)
    if not found:
        raise MigrationError(f"There is no migration in {folder}. Nothing was applied. Check the path.")
    return found


def pieces(text: str) -> list[str]:
    """The text in pieces that must be the same. The CLI stores split statements, we the whole file: they are equal but
    for the blanks between pieces and in comments, and for where a semicolon stands alone.
    """
    found: list[str] = []
    for match in PIECE.finditer(text.replace("\r\n", "\n")):
        piece = " ".join(match[0].split()) if match["comment"] else match[0]
        if piece != ";" or (found and found[-1] != ";"):
            found.append(piece)
    return found[:-1] if found[-1:] == [";"] else found
