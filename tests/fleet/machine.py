"""A Celery worker as if it had a machine to itself: copied into the worker's own home, and started there.

    python -m machine celery worker …

On one machine two workers share every port. So each has a loopback address of its own (FLEET_ADDRESS), which it names
as its host and on which its log server listens; nothing else of Airflow is replaced.
"""

import os
import sys
from typing import Any


def address() -> str:
    """`[core] hostname_callable`: where the API server finds this worker's logs."""
    return os.environ["FLEET_ADDRESS"]


def run() -> None:
    """Be Airflow's command line."""
    import uvicorn
    from airflow.__main__ import main

    serve = uvicorn.run

    def serve_here(app: Any, **options: Any) -> None:
        serve(app, **options | {"host": address()})

    uvicorn.run = serve_here
    main()


if __name__ == "__main__":
    sys.argv[:] = ["airflow", *sys.argv[1:]]
    run()
