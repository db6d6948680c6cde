"""Throw-away keys, kept in the sandbox's folder: a CA, a server certificate for the loopback, a service account."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@dataclass(frozen=True)
class Keys:
    """``ca``: file with the CA certificate; ``server_key`` and ``server_chain``: PEM; ``account_key``: PEM (RSA)."""

    ca: Path
    server_key: bytes
    server_chain: bytes
    account_key: str

    def service_account(self, token_uri: str) -> str:
        """The JSON key file of a service account; google-auth really signs with it and posts to ``token_uri``."""
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "sandbox",
                "private_key_id": "sandbox",
                "private_key": self.account_key,
                "client_email": "sandbox@sandbox.iam.gserviceaccount.com",
                "client_id": "1",
                "token_uri": token_uri,
            }
        )


def _write_private(path: Path, content: bytes) -> None:
    """Whole or not at all, and readable by the owner alone."""
    partial = path.with_suffix(".partial")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    partial.replace(path)


def load_or_make(folder: Path) -> Keys:
    """The keys in ``folder``, made when absent. The certificates are valid from 2000 to 3000, at any time of the tests'
    clock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ca, server_key, server_chain, account_key = (
        folder / name for name in ("ca.pem", "loopback.key.pem", "loopback.pem", "account.key.pem")
    )
    if not account_key.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _write_private(account_key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    if not server_chain.exists():
        authority = trustme.CA(organization_name="lead demand sandbox")
        server = authority.issue_cert("localhost", "127.0.0.1")
        # The server's certificate comes last: it is what tells a complete set from an interrupted one.
        _write_private(ca, authority.cert_pem.bytes())
        _write_private(server_key, server.private_key_pem.bytes())
        _write_private(server_chain, b"".join(pem.bytes() for pem in server.cert_chain_pems))
    return Keys(ca, server_key.read_bytes(), server_chain.read_bytes(), account_key.read_text())
