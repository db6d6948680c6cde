"""What Airflow's official chart says of the Helm values that this repository sets: deploy/helm/schema.json.

    python -m tools.chart CHART      a folder, or an archive as `helm pull` brings it

No package registry has the chart, so `make lint` holds the values to this excerpt of its schema: the type of each key
that is set, and that there is no other. A key that is set anew is refused until this was run with the chart at hand.
The chart's own schema accepts unknown keys at the top and below `workers.celery` without a word; so each key is also
looked up in the chart's own values.
"""

from __future__ import annotations

import argparse
import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tools import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "helm"
VALUES = (FOLDER / "values.yaml", FOLDER / "values-kubernetes.yaml")
SCHEMA = FOLDER / "schema.json"
# Below these the chart takes whatever Kubernetes or Airflow knows.
FREE = {"resources", "jobAnnotations", "config"}


class ChartError(RuntimeError):
    """A key that the chart does not have; the message names it."""


def merged(base: object, other: object) -> object:
    """As Helm lays one file of values over another."""
    if not (isinstance(base, dict) and isinstance(other, dict)):
        return other
    return {name: merged(base[name], other[name]) if name in base and name in other else {**base, **other}[name]
            for name in {**base, **other}}  # fmt: skip


def excerpt(values: object, schema: dict[str, Any], known: object, path: str = "") -> dict[str, Any]:
    """The part of the chart's schema that is about these values, closed to other keys. Raises ChartError."""
    if not isinstance(values, dict) or path.rpartition(".")[2] in FREE:
        return {key: schema[key] for key in ("type", "enum") if key in schema}
    properties = {}
    for name, value in values.items():
        if not isinstance(known, dict) or name not in known:
            raise ChartError(f"The chart has no key {path}.{name}. Nothing was written.".replace(" .", " "))
        of_key = schema.get("properties", {}).get(name, {})
        properties[name] = excerpt(value, of_key, known[name], f"{path}.{name}")
    return {"type": "object", "additionalProperties": False, "properties": properties}


def schema_of(chart: Path) -> str:
    """The text of deploy/helm/schema.json. Raises ChartError."""
    base, kubernetes = (yaml.safe_load(file.read_text()) for file in VALUES)
    schema = json.loads((chart / "values.schema.json").read_text())
    version = yaml.safe_load((chart / "Chart.yaml").read_text())["version"]
    known = yaml.safe_load((chart / "values.yaml").read_text())
    found = excerpt(merged(base, kubernetes), schema, known)
    return json.dumps({"description": f"Of the chart {version}; written by tools/chart.py", **found}, indent=1) + "\n"


def unpacked(chart: Path, folder: Path) -> Path:
    """The folder of the chart; an archive is unpacked first."""
    if chart.is_dir():
        return chart
    with tarfile.open(chart) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.glob("*/Chart.yaml")).parent


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.chart", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("chart", type=Path, help="a folder, or an archive (.tgz)")
    chart = parser.parse_args().chart
    try:
        with tempfile.TemporaryDirectory() as folder:
            SCHEMA.write_text(schema_of(unpacked(chart, Path(folder))))
    except ChartError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
