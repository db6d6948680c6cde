"""What is secret in the address of a service that takes messages, and texts without it.

Airflow masks the password of a connection. An Apprise address has its tokens anywhere: as its login, its host, in its
path (`slack://TokenA/TokenB/TokenC`), its query (`?token=`), a header (`?+X-Token=`). Nothing here needs a well-formed
address: one that is malformed is hidden like any other.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

HIDDEN = "***"
# Shorter words stand everywhere: hiding them would spoil a text, and no service has such tokens.
SHORTEST = 3
# From this length on a part is handed to Airflow, which hides it in every log of the process. It ignores shorter ones.
SHORTEST_EVERYWHERE = 5
SEPARATORS = re.compile(r"[/?&=:;@#,+\s\"'<>\\]+")
HOST_NAME = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,24}|\d{1,3}(?:\.\d{1,3}){3}|localhost")
# Values of these names in a query, and these words of a path, are no secret: they would be hidden in sound messages.
PUBLIC_NAMES = frozenset(
    {"bcc", "cc", "footer", "format", "from", "image", "lang", "method", "mode", "name", "overflow"}
    | {"priority", "retry", "smtp", "store", "to", "tz", "verify", "wait"}
)
PUBLIC_WORDS = frozenset(["alerts", "digest", "hooks", "incoming", "notify", "services", "webhook", "webhooks"])


def parts(address: str) -> list[str]:
    """Everything of an address that could be a secret, as it is written and as it is sent, longest first.

    Of `slack://A/B/C`: the whole, `A/B/C`, `B/C`, and each of the three. The scheme is no part.
    """
    scheme, divided, rest = address.partition("://")
    if not divided:
        scheme, rest = "", address
    found = {address, address.strip(), rest}
    location = rest.split("?", 1)[0]
    found |= {location[cut.end() :] for cut in SEPARATORS.finditer(location)}
    found |= set(SEPARATORS.split(rest))
    login = location.rpartition("@")[0]
    found |= {login, login.partition(":")[2]}
    if login:  # as it is sent in a header
        found.add(base64.b64encode(unquote(login).encode()).decode())
    for part in list(found):
        found |= {unquote(part), unquote_plus(part), quote(part, safe=""), *SEPARATORS.split(unquote(part))}
    return sorted(
        {part for part in found if len(part) >= SHORTEST and part != scheme}, key=lambda part: (-len(part), part)
    )


def secrets(address: str) -> list[str]:
    """Of the parts of an address those to hide in every log of a process: without its host, its recipients and its
    settings, which other messages speak of too.
    """
    rest = address.split("://", 1)[-1]
    location, _, query = rest.partition("?")
    public = set(PUBLIC_WORDS)
    authority = re.split(r"[/#]", location, maxsplit=1)[0].rpartition("@")[2]
    host = authority.partition(":")[0]
    if HOST_NAME.fullmatch(host):
        public |= {host, authority}
    public |= {word.lstrip("#@") for word in location.split("/")[1:] if word.startswith(("#", "@"))}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        public.add(name)
        if name in PUBLIC_NAMES:
            public |= {pair, value, unquote(value), *SEPARATORS.split(unquote(value))}
    return [part for part in parts(address) if len(part) >= SHORTEST_EVERYWHERE and part not in public]


def hiding(addresses: Iterable[str]) -> Callable[[str], str]:
    """A function that takes every part of these addresses out of a text, whatever its case."""
    found = sorted({part for address in addresses for part in parts(address)}, key=lambda part: (-len(part), part))
    if not found:
        return lambda text: text
    pattern = re.compile("|".join(map(re.escape, found)), re.IGNORECASE)
    return lambda text: pattern.sub(HIDDEN, text)


@contextmanager
def hidden_in_logs(addresses: Iterable[str]) -> Iterator[None]:
    """While in it, no record of any logger of this process holds a part of these addresses.

    A library reports an address that it cannot read, and its own libraries the path of each request: the records are
    made without them, because a handler at the end of the way may not be ours. A traceback is replaced by the kind of
    its error.
    """
    hide, make = hiding(addresses), logging.getLogRecordFactory()

    def make_without(*arguments: Any, **options: Any) -> logging.LogRecord:
        record = make(*arguments, **options)
        try:
            text = record.getMessage()
        except Exception:  # the caller's arguments do not fit its format
            text = "(a message that cannot be read)"
        error = record.exc_info[1] if record.exc_info else None
        record.msg = hide(text) + (f" ({type(error).__name__})" if error else "")
        record.args, record.exc_info, record.exc_text, record.stack_info = (), None, None, None
        return record

    logging.setLogRecordFactory(make_without)
    try:
        yield
    finally:
        logging.setLogRecordFactory(make)
