"""Loaded by every Python process of `make clock`, before anything else: sleeping, under libfaketime.

Python sleeps until a moment of the monotonic clock. libfaketime 0.9.10 leaves that clock alone, as it is asked to, but
moves the moment all the same, so that the kernel refuses it (EINVAL) or sleeps for years. A wait for nothing on
`select` takes a number of seconds, which needs no moving.
"""

import select
import time


def _sleep(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = _sleep
