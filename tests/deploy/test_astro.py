"""The Astro project that docs/deploy.md makes, and its example of local connections."""

import re
import shutil
import subprocess
from pathlib import Path

import yaml
from packaging.requirements import Requirement

from tools import REPOSITORY

PARTS = ("dags", "plugins", "include", "config")


def test_the_commands_of_the_page_make_a_project_without_an_airflow_of_its_own(tmp_path: Path) -> None:
    here = tmp_path / "lead-demand"
    for part in PARTS:
        shutil.copytree(REPOSITORY / part, here / part, ignore=shutil.ignore_patterns("__pycache__", "vendor"))
    for file in ("requirements.in", "packages.txt", "airflow_settings.example.yaml"):
        shutil.copy(REPOSITORY / file, here / file)
    page = (REPOSITORY / "docs" / "deploy.md").read_text()
    block = re.search(r"^```\n(mkdir -p \.\./lead-demand-astro.*?)```$", page, re.MULTILINE | re.DOTALL)
    assert block is not None
    subprocess.run(["bash", "-euo", "pipefail", "-c", block[1]], cwd=here, check=True)
    project = tmp_path / "lead-demand-astro"
    assert {*PARTS, "Dockerfile", "requirements.txt", "packages.txt"} <= {path.name for path in project.iterdir()}
    lines = [line.partition("#")[0].strip() for line in (project / "requirements.txt").read_text().splitlines()]
    names = {Requirement(line).name for line in lines if line}
    # What Runtime brings, in its own versions.
    assert names.isdisjoint({"apache-airflow", "celery", "statsd", "apache-airflow-providers-celery"})
    assert {"apache-airflow-providers-google", "apache-airflow-providers-postgres", "pandas"} <= names


def test_the_example_of_local_connections_has_them_all_and_no_secret() -> None:
    example = yaml.safe_load((REPOSITORY / "airflow_settings.example.yaml").read_text())["airflow"]
    described = re.findall(r"^\s*\| `(\w+)` \|", (REPOSITORY / "docs/production.md").read_text(), re.MULTILINE)
    assert [each["conn_id"] for each in example["connections"]] == [
        "leads_db", "google_cloud_default", "google_ads_default", "google_reporting", "lead_demand_alerts"
    ]  # fmt: skip
    assert {each["conn_id"] for each in example["connections"]} == set(described)
    assert all(each.get("conn_password") is None for each in example["connections"])


def test_no_package_of_the_system_is_asked_for() -> None:
    assert (REPOSITORY / "packages.txt").read_text() == ""
