"""The address of a database that a person gave: whether it can be read, and what may be printed of an error with it.

An address that cannot be read is never shown: where its parts end is exactly what is not known, and one is a password.
The driver's own messages quote it whole, or take a piece of the password for a host.
"""

import json
import re
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

# A reserved character in the password moves the border between password, host and port.
URI = re.compile(
    r"\w+://(?:[^:@/?#\[\]\s]*(?::[^@/?#\[\]\s]*)?@)?"
    r"(?:[^@/?#\[\]\s]|\[[0-9A-Fa-f:.]+\])*(?:/[^@?#\s]*)?(?:\?[^@#\s]*)?"
)
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
LIBPQ = ("sslmode", "sslrootcert", "sslcert", "sslkey", "options", "application_name")


class AddressError(ValueError):
    """An address cannot be read. The message does not quote it."""


def check(address: str, name: str) -> None:
    """Raises AddressError, which calls the address `name`, unless libpq and Airflow read it in one and the same way."""
    is_uri = "://" in address.partition("=")[0]
    if is_uri and not URI.fullmatch(address):
        raise _unreadable(name, "one of @ / ? # [ ] or a blank stands in it unescaped, or more than once")
    if is_uri and BAD_ESCAPE.search(address):
        raise _unreadable(name, "a % in it is not followed by two hexadecimal digits")
    try:
        ports = str(conninfo_to_dict(address).get("port") or "")
    except psycopg.Error:
        raise _unreadable(name, "PostgreSQL's own library does not understand it") from None
    _check_ports(ports, name)


def connection(written: str, name: str) -> str:
    """An Airflow connection, a URI or JSON, as libpq reads it. Raises AddressError."""
    if not written.lstrip().startswith("{"):
        return _of_uri(written, name)
    try:
        fields = json.loads(written)
        extra = fields.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        parts = {"host": "host", "port": "port", "user": "login", "password": "password", "dbname": "schema"}
        known = {ours: str(fields[key]) for ours, key in parts.items() if fields.get(key)}
        options = _libpq(extra)
    except (ValueError, AttributeError):
        raise AddressError(
            f"{name} is not the JSON of a connection. It is not shown: it may hold a password."
        ) from None
    _check_ports(known.get("port", ""), name)
    return make_conninfo("", **known, **options)


def _of_uri(written: str, name: str) -> str:
    if not URI.fullmatch(written) or BAD_ESCAPE.search(written):
        raise _unreadable(name, "a reserved character in it is not percent-encoded")
    try:
        uri = urlsplit(written)
        port = uri.port
    except ValueError:
        raise _unreadable(name, "its port is not a number") from None
    known = {
        "host": uri.hostname,
        "port": port,
        "user": unquote(uri.username or ""),
        "password": unquote(uri.password or ""),
        "dbname": uri.path.lstrip("/"),
    }
    given = {ours: str(value) for ours, value in known.items() if value}
    return make_conninfo("", **given, **_libpq(dict(parse_qsl(uri.query))))


def told(error: BaseException, address: str) -> str:
    """The text of an error of the driver, without the password of the address that it is about."""
    try:
        password = str(conninfo_to_dict(address).get("password") or "")
    except psycopg.Error:
        return f"{type(error).__name__}; its text may quote the address, and is not shown"
    text = str(error).strip()
    found = re.search(r"://[^:@/?#]*:([^@/?#]*)@", address)
    for secret in (password, found[1] if found else ""):
        text = text.replace(secret, "***") if secret else text
    return text


def _check_ports(ports: str, name: str) -> None:
    if any(not port.isascii() or not port.isdigit() or int(port) > 65535 for port in ports.split(",") if port):
        raise _unreadable(name, "its port is not a number, or too high")


def _libpq(extra: dict[str, object]) -> dict[str, str]:
    """Of a connection's extras, those that are for the server."""
    return {option: str(extra[option]) for option in LIBPQ if extra.get(option)}


def _unreadable(name: str, why: str) -> AddressError:
    return AddressError(
        f"{name} cannot be read: {why}. Nothing was changed. It is not shown here, because it may hold a password. "
        "Write it as postgresql://user:password@host:5432/database, and percent-encode what is reserved in the "
        "password: @ is %40, / is %2F, ? is %3F, # is %23, % is %25."
    )
