"""The example metrics, alerts and dashboard of deploy/monitoring agree with each other and with Airflow.

    python -m tools.lint_monitoring

query-exporter reads its own configuration; each query of an alert or a panel is parsed as PromQL; and it asks only for
metrics that the configuration serves, or that the installed Airflow emits under that name by OpenTelemetry. A metric
that exists under no name is what an alert never fires for. What Prometheus itself says of the rules, and which alert
fires when, is `promtool test rules`, in tests/deploy: Debian's package has it, PyPI has not. Grafana's JSON has no
checker in a registry: only its queries are looked at.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import promql_parser
import yaml

from tools import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "monitoring"
EXPORTER, ALERTS, DASHBOARD = (
    FOLDER / name for name in ("query-exporter.yaml", "alerts.yaml", "grafana-dashboard.json")
)
ADDRESS = "LEADS_MONITOR_URL"
# How Prometheus names what OpenTelemetry sends: dots are underscores, and a counter ends so.
PREFIX, COUNTER = "airflow_", "_total"


class Query(NamedTuple):
    """One query and the alert or panel that it is of."""

    where: str
    expression: str


class _Loader(yaml.SafeLoader):
    """The configuration of query-exporter as data, the address left out."""


_Loader.add_constructor("!env", lambda loader, node: "")


def exporter() -> dict[str, dict[str, dict[str, object]]]:
    """The configuration of query-exporter."""
    configuration: dict[str, dict[str, dict[str, object]]] = yaml.load(EXPORTER.read_text(), _Loader)  # noqa: S506
    return configuration


def queries() -> Iterator[Query]:
    """Every PromQL query of the alerts and of the dashboard."""
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            yield Query(rule["alert"], rule["expr"])
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield Query(panel["title"], target["expr"])


def of_airflow() -> set[str]:
    """The metrics of the installed Airflow whose names hold no variable, as Prometheus names them."""
    spec = find_spec("airflow")  # found and not imported, which takes seconds
    folder = Path(spec.origin if spec and spec.origin else "airflow").parent
    template = folder / "_shared" / "observability" / "metrics" / "metrics_template.yaml"
    found = yaml.safe_load(template.read_text())["metrics"]
    return {
        PREFIX + re.sub(r"\W", "_", each["name"]) + COUNTER * (each["type"] == "counter")
        for each in found
        if "{" not in each["name"]
    }


def problems() -> list[str]:
    """What does not agree, one sentence each."""
    found = []
    program = Path(sys.executable).with_name("query-exporter")
    environment = os.environ | {ADDRESS: "postgresql+psycopg://nobody@localhost/nothing"}
    command: list[Path | str] = [program, "--config", EXPORTER, "--check-only"]
    check = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if check.returncode:
        found.append(f"query-exporter refuses {EXPORTER.name}: {(check.stdout + check.stderr).strip()}")
    known = set(exporter()["metrics"]) | of_airflow()
    for where, expression in queries():
        try:
            promql_parser.parse(expression)
        except ValueError as error:
            found.append(f"{where} is no PromQL: {error}")
            continue
        named = set(re.findall(r"\b(?:lead|airflow)_\w+", re.sub(r'"[^"]*"', "", expression)))
        found += [f"{where} asks for {name}, which nothing gives." for name in sorted(named - known)]
    return found


def main() -> int:
    found = problems()
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
