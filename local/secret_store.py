"""The secrets of one checkout, drawn once and kept for their owner's eyes only."""

import base64
import fcntl
import json
import secrets
from pathlib import Path

from local import private


class SecretStore:
    """What `secrets.json` in a local home holds, by name; made when first asked for."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._known: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        """One of fernet_key, jwt_secret, api_secret_key, admin_password, lead_pipeline_password."""
        if not self._known:
            private.protect(self._home)
            path = self._home / "secrets.json"
            with open(self._home / "secrets.lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._known = json.loads(path.read_text()) if path.exists() else {}
                if not self._known:
                    self._known = _drawn()
                    private.write_private(path, json.dumps(self._known, indent=2) + "\n")
        return self._known[name]


def _drawn() -> dict[str, str]:
    return {
        "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "jwt_secret": secrets.token_urlsafe(48),
        "api_secret_key": secrets.token_urlsafe(32),
        "admin_password": secrets.token_urlsafe(12),
        "lead_pipeline_password": secrets.token_urlsafe(24),
    }
