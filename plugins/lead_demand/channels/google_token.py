"""What it means that Google gave no access token: the same for every API of it."""

from __future__ import annotations

from google.auth.exceptions import GoogleAuthError, TransportError


def no_token(error: GoogleAuthError) -> tuple[str, bool]:
    """What was said, and whether another try may help: only a broken line to the token server heals."""
    # The library says it in words first, then gives the token server's answer.
    said = str(error.args[0]) if error.args else str(error)
    return said, isinstance(error, TransportError) or bool(getattr(error, "retryable", False))
