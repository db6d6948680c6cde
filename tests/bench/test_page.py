"""`make bench-page` measures every answer of the page; whether an aim is met is not for this size to say."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from bench.page.__main__ import MOST_BYTES, MOST_OVER_MS, asked, report
from tools import REPOSITORY


@pytest.mark.usefixtures("starts_services")
def test_every_answer_is_measured_beside_its_statements() -> None:
    command = [sys.executable, "-m", "bench.page", "--quick"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=600)
    measured = re.findall(
        r"^\| `([^`]+)` \| \d+ ms \| \d+ ms \| \d+ kB \| (?:met|not met) \|", done.stdout, re.MULTILINE
    )
    assert measured == [answer.path for answer in asked()], done.stderr[-3000:]


def test_an_answer_that_is_too_slow_or_too_large_is_called_so() -> None:
    rows = [("a", 9.0, 10.0, 9), ("b", 9.0, MOST_OVER_MS + 1.0, 9), ("c", 9.0, 10.0, MOST_BYTES + 1)]
    said = [line.split("|")[-2].strip() for line in report(rows, 1, 1, "18").splitlines() if line.startswith("| `")]
    assert said == ["met", "not met", "not met"]
