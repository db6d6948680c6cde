"""`make bench-page` measures every answer of the page; whether an aim is met is not for this size to say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from bench.page.__main__ import MOST_BYTES, MOST_OVER_MS, MOST_SECONDS, VIEWS, asked, report
from tools import REPOSITORY


@pytest.mark.usefixtures("starts_services")
def test_every_answer_is_measured_beside_its_statements() -> None:
    command = [sys.executable, "-m", "bench.page", "--quick"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=600)
    measured = re.findall(
        r"^\| `([^`]+)` \| \d+ ms \| \d+ ms \| \d+ kB \| (?:met|not met) \|", done.stdout, re.MULTILINE
    )
    assert measured == [answer.path for answer in asked()], done.stderr[-3000:]
    readable = re.findall(r"^\| ([^|`]+) \| \d+\.\d\d s \| (?:met|not met) \|", done.stdout, re.MULTILINE)
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    assert readable == (list(VIEWS) if browser else [])


def test_an_answer_that_is_too_slow_or_too_large_is_called_so() -> None:
    rows = [("a", 9.0, 10.0, 9), ("b", 9.0, MOST_OVER_MS + 1.0, 9), ("c", 9.0, 10.0, MOST_BYTES + 1)]
    views = [("A", MOST_SECONDS), ("B", MOST_SECONDS + 0.01)]
    verdicts = re.findall(r"^\| (`?\w`?) \|.*\| (met|not met) \|$", report(rows, views, 1, 1, "18"), re.MULTILINE)
    assert verdicts == [("`a`", "met"), ("`b`", "not met"), ("`c`", "not met"), ("A", "met"), ("B", "not met")]
