"""What a checkout needs to run on one machine: the database, the services, and one morning from start to end."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def local_home() -> Path:
    """The folder of everything that a local run leaves behind: `.local`, or where LEAD_DEMAND_HOME points."""
    return Path(os.environ.get("LEAD_DEMAND_HOME") or REPOSITORY / ".local").resolve()
