"""The workflow of GitHub Actions: the same as `.ci/run`, from actions that cannot move."""

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

from tools import REPOSITORY
from tools.chart import SCHEMA, VALUES

WORKFLOW = REPOSITORY / ".github" / "workflows" / "ci.yml"


def test_it_runs_what_ci_runs() -> None:
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    assert [step.get("run") for step in jobs["test"]["steps"]].count(".ci/run") == 1
    assert (REPOSITORY / ".ci" / "run").exists()


def test_every_action_is_named_by_its_commit() -> None:
    used = re.findall(r"uses: (\S+)", WORKFLOW.read_text())
    assert len(used) >= 4
    assert [each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each)] == []


def test_it_may_read_and_nothing_else() -> None:
    assert yaml.safe_load(WORKFLOW.read_text())["permissions"] == {"contents": "read"}


def test_the_chart_is_one_version_everywhere() -> None:
    version = yaml.safe_load(WORKFLOW.read_text())["env"]["CHART_VERSION"]
    assert f"Of the chart {version};" in json.loads(SCHEMA.read_text())["description"]
    assert f"--version {version} " in VALUES[0].read_text()


def test_lint_finds_an_expression_that_means_nothing(tmp_path: Path) -> None:
    wrong = tmp_path / "ci.yml"
    wrong.write_text(WORKFLOW.read_text().replace("${{ github.ref }}", "${{ github.reff }}"))
    program = Path(sys.executable).with_name("actionlint")
    found = subprocess.run([program, wrong], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "reff" in found.stdout
