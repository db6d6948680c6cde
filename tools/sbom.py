"""The software bill of materials of the locks, in CycloneDX.

    python -m tools.sbom [--folder .local/sbom]

One file per lock: production.cdx.json is what the image adds to its base, tools.cdx.json what a checkout adds for tests
and lints. Each package has its version, its address (purl), the hashes of the lock and the licence that its own
metadata name; production has the chart library of the page as well. The same locks give the same files. What the base
image brings (the operating system, Python, packages that are in no lock) is not in them: ask a scanner of images.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TypedDict

from tools import REPOSITORY
from tools.browser_packages import UPLOT
from tools.licences import licence_of

LOCKS = {"production": "requirements.txt", "tools": "requirements-dev.txt"}
SPEC = "1.6"


class Component(TypedDict, total=False):
    """What is used here of a component of CycloneDX."""

    type: str
    name: str
    version: str
    purl: str
    description: str
    licenses: list[dict[str, dict[str, str]]]


def components(lock: Path) -> tuple[dict[str, object], list[Component]]:
    """The bill of a lock as cyclonedx-py makes it, and its components with their licences."""
    program = Path(sys.executable).with_name("cyclonedx-py")
    command: list[Path | str] = [
        program,
        "requirements",
        lock,
        "--sv",
        SPEC,
        "--of",
        "JSON",
        "--output-reproducible",
        "--no-validate",
    ]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    bill: dict[str, object] = json.loads(made)
    found: list[Component] = bill["components"]  # type: ignore[assignment]
    for each in found:
        each.pop("description", None)  # the line of the lock once more
        try:
            licence = licence_of(metadata.distribution(each["name"]))
        except metadata.PackageNotFoundError:  # of another system or version of Python
            continue
        if licence:
            each["licenses"] = [{"license": {"name": licence}}]
    return bill, found


def bill_of(name: str) -> str:
    """The bill of one lock as JSON. Raises ValueError where it does not fit the schema of CycloneDX."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    bill, found = components(REPOSITORY / LOCKS[name])
    if name == "production":
        purl = f"pkg:npm/{UPLOT.name}@{UPLOT.version}"
        licences = [{"license": {"id": UPLOT.licence}}]
        found.append(
            {"type": "library", "name": UPLOT.name, "version": UPLOT.version, "purl": purl, "licenses": licences}
        )
    text = json.dumps(bill, indent=2) + "\n"
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(
            f"{LOCKS[name]} gives a bill that does not fit CycloneDX {SPEC}: {wrong}. Nothing was written."
        )
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=REPOSITORY / ".local" / "sbom")
    folder: Path = parser.parse_args().folder
    bills = {name: bill_of(name) for name in LOCKS}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in bills.items():
        path = folder / f"{name}.cdx.json"
        path.write_text(text)
        print(f"{path}: {len(json.loads(text)['components'])} components")
    return 0


if __name__ == "__main__":
    sys.exit(main())
