"""What partners do to their figures, as the sandbox plays it."""

from __future__ import annotations

import re

from sandbox import partners


def test_every_shape_is_listed_on_its_page() -> None:
    table = (partners.__doc__ or "").split("================ ")[2]
    assert set(re.findall(r"^([a-z_]+) +\S", table, flags=re.MULTILINE)) == set(partners._SHAPES)
