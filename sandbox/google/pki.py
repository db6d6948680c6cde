"""Throw-away keys, kept in the sandbox's folder: a CA, a server certificate for the loopback, a service account."""

from __future__ import annotations

import ipaddress
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_LIFE, _RENEW_BEFORE = timedelta(days=365), timedelta(days=30)
_CA, _HOST = "lead demand sandbox CA", "localhost"


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


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _certificate(
    name: str, key: ec.EllipticCurvePublicKey, signer: ec.EllipticCurvePrivateKey, is_ca: bool
) -> x509.Certificate:
    now = datetime.now(UTC)

    def common_name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(common_name(name))
        .issuer_name(common_name(_CA))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if not is_ca:
        names = [x509.DNSName(_HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _write_private(path: Path, content: bytes) -> None:
    """Whole or not at all, and readable by the owner alone."""
    partial = path.with_suffix(".partial")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    partial.replace(path)


def _is_fresh(certificate: Path) -> bool:
    if not certificate.exists():
        return False
    made, now = x509.load_pem_x509_certificate(certificate.read_bytes()), datetime.now(UTC)
    return made.not_valid_before_utc <= now and made.not_valid_after_utc > now + _RENEW_BEFORE


def load_or_make(folder: Path) -> Keys:
    """The keys in ``folder``; made when absent, and the certificates again in the last month of their year, or where
    the clock was set back to before it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ca, server_key, server_chain, account_key = (
        folder / name for name in ("ca.pem", "server.key.pem", "server.pem", "account.key.pem")
    )
    if not account_key.exists():
        _write_private(account_key, _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    if not (_is_fresh(server_chain) and ca.exists() and server_key.exists()):
        signer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        # The server certificate comes last: it is what tells a complete set from an interrupted one.
        server_chain.unlink(missing_ok=True)
        _write_private(ca, _certificate(_CA, signer.public_key(), signer, is_ca=True).public_bytes(Encoding.PEM))
        _write_private(server_key, _pem(key))
        leaf = _certificate(_HOST, key.public_key(), signer, is_ca=False)
        _write_private(server_chain, leaf.public_bytes(Encoding.PEM))
    return Keys(ca, server_key.read_bytes(), server_chain.read_bytes(), account_key.read_text())
