"""The software bill of materials names what is locked, with what a scanner needs to look it up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import REPOSITORY, sbom

# A program reads each lock for ten seconds: not for each save.
pytestmark = pytest.mark.usefixtures("starts_services")


@pytest.fixture(scope="module", params=sbom.LOCKS)
def bill(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return request.param, json.loads(sbom.bill_of(request.param))


def test_every_locked_package_is_in_it_with_version_address_and_hash(bill: tuple[str, dict[str, Any]]) -> None:
    name, made = bill
    lines = (REPOSITORY / sbom.LOCKS[name]).read_text().splitlines()
    locked = [Requirement(line.rstrip("\\ ")) for line in lines if line[:1].isalnum()]
    wanted = {(canonicalize_name(each.name), str(each.specifier).removeprefix("==")) for each in locked}
    found = {(canonicalize_name(each["name"]), each["version"]): each for each in made["components"]}
    assert len(wanted) > 100 and wanted <= found.keys()
    for package, version in wanted:
        component = found[package, version]
        assert component["purl"] == f"pkg:pypi/{package}@{version}"
        assert component["externalReferences"][0]["hashes"], package


def test_production_names_the_library_of_the_page_and_tools_do_not(bill: tuple[str, dict[str, Any]]) -> None:
    name, made = bill
    assert ("pkg:npm/uplot@1.6.32" in {each["purl"] for each in made["components"]}) is (name == "production")


def test_licences_are_those_of_the_packages(bill: tuple[str, dict[str, Any]]) -> None:
    name, made = bill
    licences = {each["name"]: each["licenses"][0]["license"] for each in made["components"] if "licenses" in each}
    package, licence = {"production": ("psycopg", "LGPL-3.0-only"), "tools": ("ruff", "MIT")}[name]
    assert licences[package] == {"name": licence}


def test_nothing_in_it_differs_from_one_making_to_the_next(bill: tuple[str, dict[str, Any]]) -> None:
    _, made = bill
    assert "serialNumber" not in made and "timestamp" not in made["metadata"]


def test_a_bill_that_breaks_the_schema_is_not_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sbom, "components", lambda lock: ({"bomFormat": "none", "components": []}, []))
    with pytest.raises(ValueError, match="Nothing was written"):
        sbom.bill_of("tools")
