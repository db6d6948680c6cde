"""One form for hosts and page paths, for what `channel_sources` names and for what a report says alike.

Reports spell one page in many ways. Two spellings of the same page become equal here, and nothing else does: language
prefixes (`/nl/`) and AMP pages stay pages of their own. The database has twins of `host` and `path`,
`private.source_host` and `private.source_path`; a test holds them equal.
"""

from __future__ import annotations

import ipaddress
import re

# No company serves its site from these: copies, caches, a developer's machine.
_COPIES = (".translate.goog", ".googleusercontent.com", ".local", ".localhost")
_PAGE_OF_A_FOLDER = ("index.html", "index.htm", "index.php")
_TOKEN = re.compile(rb"%([0-9A-Fa-f]{2})|(.)", re.DOTALL)
# Decoded, these would end the path or a part of it, or start another escape.
_MEANS_SOMETHING = b"/?#%\\"


def host(text: str) -> str:
    """A host in lower case, without port, trailing dots and `www.`: `WWW.Vakwerk.nl.:443` is `vakwerk.nl`."""
    name = re.sub(r":[0-9]*$", "", text.strip(" ").lower()).rstrip(".")
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            return name
    rest = name.removeprefix("www.")
    return rest if "." in rest else name


def path(text: str) -> str:
    """A page's path without query and fragment, in one spelling; never with a slash at its end, save for `/`.

    ASCII capitals are lowered; a percent-encoded printable character is that character, save for those that would
    change what the path says (`%2F` is no slash), and everything else is percent-encoded UTF-8 in lower case; empty
    and dot segments and a trailing `index.html` are left out.
    """
    raw = text.partition("#")[0].partition("?")[0].encode("utf-8", "surrogatepass")
    plain = b"".join(map(_octet, _TOKEN.finditer(raw))).decode("ascii")
    segments: list[str] = []
    for segment in plain.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    if segments and segments[-1] in _PAGE_OF_A_FOLDER:
        segments.pop()
    return "/" + "/".join(segments)


def _octet(token: re.Match[bytes]) -> bytes:
    is_escape = token[1] is not None
    value = int(token[1], 16) if is_escape else token[2][0]
    is_printable = 0x20 < value < 0x7F
    if is_printable and not (is_escape and value in _MEANS_SOMETHING) and (is_escape or value != ord("%")):
        return bytes((value,)).lower()
    return b"%%%02x" % value


def page(url: str) -> str:
    """Host and path of a URL (`https://…` or `//…`) as one text: `vakwerk.nl/schilder/utrecht`; a root is `vakwerk.nl`.

    The path is cut off by hand: `urlsplit` refuses addresses that visitors do type.
    """
    _, _, rest = url.partition("//")
    end = re.search(r"[/?#]", rest)
    at = end.start() if end else len(rest)
    return join(rest[:at].rpartition("@")[2], rest[at:])


def join(host_name: str, page_path: str) -> str:
    """Host and path, each normalised, as one text without a slash at its end."""
    return host(host_name) + path(page_path).rstrip("/")


def is_copy(host_name: str) -> bool:
    """Whether a normalised host can be nobody's site: a translation or cache of it, an address, a developer's machine,
    or no host at all.
    """
    if "." not in host_name or host_name.endswith(_COPIES):
        return True
    try:
        ipaddress.ip_address(host_name.strip("[]"))
    except ValueError:
        return False
    return True
