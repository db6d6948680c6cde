"""What runs on one machine: PostgreSQL, the sandbox and Airflow as detached processes, and a morning."""

import os
from pathlib import Path

from tools import REPOSITORY


class LocalError(RuntimeError):
    """What was asked for could not be done on this machine. The message says what to do."""


def local_home() -> Path:
    """The folder of everything that a local run leaves behind: `.local`, or where LEAD_DEMAND_HOME points."""
    return Path(os.environ.get("LEAD_DEMAND_HOME") or REPOSITORY / ".local").resolve()
