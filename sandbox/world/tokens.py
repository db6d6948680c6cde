"""Access tokens: any is good, but those that were made to die early."""

from __future__ import annotations

import threading
from itertools import count
from time import monotonic


class Tokens:
    """Makes them, and knows which have died."""

    def __init__(self) -> None:
        self._lock, self._numbers, self._dying = threading.Lock(), count(1), dict[str, float]()

    def new(self, seconds: float | None = None) -> str:
        """An access token; one that dies early is refused after that many seconds."""
        with self._lock:
            token = f"sandbox-token-{next(self._numbers)}"
            if seconds is not None:
                self._dying[token] = monotonic() + seconds
            return token

    def is_expired(self, token: str) -> bool:
        """Is this token one that was made to die early, and has it?"""
        return monotonic() > self._dying.get(token, float("inf"))
