"""The files that the browser gets: those that lie in `static/` when the page is first served, and no others."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

STATIC = Path(__file__).parent / "static"
PAGE = "index.html"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class StaticFile:
    """A file as it is sent; `etag` changes with its content."""

    content: bytes
    media_type: str
    etag: str


def read_all(folder: Path = STATIC) -> dict[str, StaticFile]:
    """Path below the folder -> file, of every file with a known ending."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in TYPES:
            content = path.read_bytes()
            etag = f'"{sha256(content).hexdigest()[:32]}"'
            found[path.relative_to(folder).as_posix()] = StaticFile(content, TYPES[path.suffix], etag)
    return found
