"""What runs on one machine: PostgreSQL, the sandbox and Airflow as detached processes, and a morning."""

import os
import sys
from pathlib import Path

from tools import REPOSITORY

# The product's library lies where Airflow looks for plugins.
if (_plugins := str(REPOSITORY / "plugins")) not in sys.path:
    sys.path.insert(0, _plugins)


class LocalError(RuntimeError):
    """What was asked for could not be done on this machine. The message says what to do."""


def local_home() -> Path:
    """The folder of everything that a local run leaves behind: `.local`, or where LEAD_DEMAND_HOME points."""
    return Path(os.environ.get("LEAD_DEMAND_HOME") or REPOSITORY / ".local").resolve()
