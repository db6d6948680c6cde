"""`make bench` runs, and judges every aim that it is asked about; whether an aim is met is not for this size to say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.pipeline import report
from bench.pipeline.measure import SCALES, Figure, Findings

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.usefixtures("starts_services")
def test_the_statements_are_measured_beside_their_limits_and_every_aim_is_judged() -> None:
    command = [sys.executable, "-m", "bench.pipeline", "--quick", "--only", "abcd"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=3600)
    assert done.returncode == 0, done.stderr[-3000:]
    judged = re.findall(r"^\| ([a-f]) \| .*\*\*(met|not met)\*\*", done.stdout, re.MULTILINE)
    assert {section for section, _ in judged} == set("abcd")
    rewritten = next(line for line in done.stdout.splitlines() if "rows rewritten by a second run" in line)
    assert "| 0 rows |" in rewritten and "**met**" in rewritten
    assert "row by row" in done.stdout and "executemany" in done.stdout and "to_sql" in done.stdout


def test_an_aim_that_is_missed_is_called_so() -> None:
    figures = [
        Figure("a", "written", 80, "rows/s", 100, "COPY", 0.8, at_least=0.75),
        Figure("a", "written slowly", 70, "rows/s", 100, "COPY", 0.7, at_least=0.75),
        Figure("b", "rows rewritten", 1, "rows", at_most=0),
        Figure("d", "call by call", 7, "s", 1, "set-based", 7.0),
    ]
    page = report.markdown(Findings(figures), SCALES["small"], 1)
    assert [figure.verdict for figure in figures] == ["met", "not met", "not met", ""]
    assert "1 of 3 aims are met" in page
