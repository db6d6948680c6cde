"""Text from outside on its way into a message: an API's error, a campaign's name, a partner's or a form's words.

A message here is lines whose beginnings mean something (the four lines of an error, a finding, a row of a table). Text
from outside is one piece of one line: it can begin no other, move no cursor and hide nothing.
"""

from __future__ import annotations

import re

# What moves a terminal's cursor or changes its colours.
_ESCAPE = re.compile(
    "\x1b(?:\\[[0-?]*[ -/]*[@-~]|[\\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)?|[@-Z\\\\-_])|\x9b[0-?]*[ -/]*[@-~]"
)
# Control characters, ends of lines in any script, marks that change the direction or are not seen, half characters.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# Airflow folds a log from one of these to the next.
_FOLD = re.compile("::(end)?group::", re.IGNORECASE)


def plain(text: object, most: int | None = None, *, keep_blanks: bool = False) -> str:
    """The text as one line that can be shown and stored anywhere.

    :param most: characters at most; what is longer ends with `…`.
    :param keep_blanks: for a line whose blanks align columns.
    """
    found = _FOLD.sub(" ", _UNSEEN.sub(" ", _ESCAPE.sub("", str(text))))
    if not keep_blanks:
        found = " ".join(found.split())
    return found if most is None or len(found) <= most else f"{found[: most - 1]}…"
