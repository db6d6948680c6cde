"""Reading the leads database for somebody who waits, so that a database that is down or slow costs the API server next
to nothing: no request waits long, and after a failed login none waits at all for some seconds.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from lead_demand import database

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger("lead_demand")

CONNECT_SECONDS = 2  # libpq waits no shorter
ANSWER_SECONDS = 8.0
# How much longer than its own limit a server may take to say that it was reached.
GRACE_SECONDS = 2.0
# After a failed login: how long requests are answered without a try.
REMEMBER_SECONDS = 5.0


class DatabaseDown(Exception):
    """The leads database could not be reached, or did not answer in time; the log says why."""


class LeadsReader:
    """Reads of the leads database, each in a transaction of its own that may not write."""

    def __init__(self) -> None:
        self._down_until = 0.0

    @contextmanager
    def read(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection for one answer. Raises DatabaseDown, also for what fails while it is used."""
        import psycopg

        if time.monotonic() < self._down_until:
            raise DatabaseDown
        try:
            connection = database.connect_to_read(ANSWER_SECONDS, CONNECT_SECONDS)
        except Exception as error:  # Airflow has many ways to say that a connection is not there
            self._down_until = time.monotonic() + REMEMBER_SECONDS
            log.warning("The page cannot reach the leads database (%s): %s", type(error).__name__, error)
            raise DatabaseDown from error
        try:
            with _limited(connection):
                yield connection
        except psycopg.Error as error:
            if connection.broken:
                self._down_until = time.monotonic() + REMEMBER_SECONDS
            log.warning("The leads database did not answer the page (%s): %s", type(error).__name__, error)
            raise DatabaseDown from error
        finally:
            connection.close()


@contextmanager
def _limited(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Cut the connection when its time is over: a server that hangs ends no statement by itself, and a network that
    lost it says nothing.
    """
    lock, is_over = threading.Lock(), False

    def cut() -> None:
        with lock, suppress(OSError):
            if not is_over:
                with socket.socket(fileno=os.dup(connection.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(ANSWER_SECONDS + GRACE_SECONDS, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            is_over = True
