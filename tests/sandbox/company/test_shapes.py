"""What partners do to their figures, and forms to the table of leads, as the sandbox plays it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sandbox.company import forms, partners


@pytest.mark.parametrize("page", [partners, forms], ids=["partners", "forms"])
def test_every_shape_is_listed_on_its_page(page: Any) -> None:
    table = re.split("^==.*\n", page.__doc__, flags=re.MULTILINE)[2]
    assert set(re.findall(r"^([a-z_]+) +\S", table, flags=re.MULTILINE)) == set(page._SHAPES)
