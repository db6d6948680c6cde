"""What of a local run nobody else may see: its folders and files, and the environment of its processes.

A process gets the variables that it needs, by name. A secret of the shell that ran `make` (AWS_SECRET_ACCESS_KEY,
GITHUB_TOKEN) is in the environment of no service, where every task, and any program of the same account, could read it.
"""

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tools import REPOSITORY

UMASK = 0o077
KEEP = "LEAD_DEMAND_KEEP"  # names of more variables to hand on, separated by commas: a person's way out

# What every program may need.
SYSTEM = (
    "PATH",  # to find programs
    "HOME", "USER", "LOGNAME", "TMPDIR",  # whose files these are, and where temporary ones go
    "LANG", "LANGUAGE", "LC_*", "TZ",  # words, dates, times
    "LD_LIBRARY_PATH",  # a Python that is not the system's
    "LD_PRELOAD", "FAKETIME*", "NO_FAKE_STAT",  # the tests' clock
)  # fmt: skip
# What a Python program of ours needs besides.
PYTHON = (
    "PYTHON*", "VIRTUAL_ENV",  # the interpreter, and the tests' clock, which comes by PYTHONPATH
    "OPENBLAS_*", "OMP_NUM_THREADS",  # how numpy computes on this processor
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",  # whom to trust,
    "HTTPLIB2_CA_CERTS", "GRPC_*",  # the Google clients too
    "http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "LEAD_DEMAND_*", "SANDBOX_*",  # where everything lives, what the sandbox is like
)  # fmt: skip
# Airflow itself: its settings and connections, the messages' among them.
AIRFLOW = ("AIRFLOW*", "_AIRFLOW_*", "LEADS_*")
# With the company's own database and accounts: libpq's settings, and the key file that Google's clients look for.
REAL = ("PG*", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CONFIG")
# A program that a person types into.
TERMINAL = ("TERM", "COLORTERM", "COLUMNS", "LINES", "PAGER", "LESS", "EDITOR", "VISUAL", "PSQL*", "INPUTRC", "XDG_*")


def environment(environ: Mapping[str, str], *allowed: str) -> dict[str, str]:
    """Of the variables of a process those that one of the names allows (`*` at its end: any that begins so), and those
    that LEAD_DEMAND_KEEP names.
    """
    names = {*allowed, *(name.strip() for name in environ.get(KEEP, "").split(",") if name.strip())}
    starts = tuple(name[:-1] for name in names if name.endswith("*"))
    return {name: value for name, value in environ.items() if name in names or (starts and name.startswith(starts))}


def folder(path: Path, *, passable: bool = False) -> Path:
    """Make a folder that only its owner can look into, an existing one included; `passable` lets others through to
    what they may see by its own mode.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(PermissionError):  # it is somebody else's; who needs it will say so
        path.chmod(0o711 if passable else 0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner can read it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(name, path)


def protect(home: Path) -> None:
    """Take away from others what a local run keeps in its folder, also what an earlier one left open.

    As root the PostgreSQL server runs as another account and passes through to its data; then nobody else can look into
    the folder either. A folder of the user's own that was there before keeps its mode; what we keep in it does not.
    """
    passable = os.geteuid() == 0
    if home == REPOSITORY / ".local" or not home.exists():
        folder(home, passable=passable)
    for name in ("airflow", "cache", "drill", "logs", "run", "sandbox"):
        if (home / name).is_dir():
            folder(home / name)
    if (home / "postgres").is_dir():
        folder(home / "postgres", passable=passable)
    for path in [*home.glob("secrets.*"), *home.glob("postgres/*.log"), *home.glob("postgres/cluster.json")]:
        with suppress(PermissionError):
            path.chmod(0o600)
