"""The image cannot be built here; what its steps rest on can be checked."""

import re
from fnmatch import fnmatch

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import REPOSITORY

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
IMAGE = re.search(
    r"^FROM apache/airflow:slim-(?P<airflow>[\d.]+)-python(?P<python>[\d.]+)(?:@sha256:[0-9a-f]{64})?$",
    DOCKERFILE,
    re.MULTILINE,
)


def locked() -> list[tuple[Requirement, list[str]]]:
    """Each entry of the lock with its hashes."""
    text = (REPOSITORY / "requirements.txt").read_text()
    entries = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    split = [entry.split(" --hash=") for entry in entries if entry.strip()]
    return [(Requirement(first.strip()), [rest.strip() for rest in hashes]) for first, *hashes in split]


def test_the_image_is_the_version_that_the_lock_holds() -> None:
    assert IMAGE is not None
    versions = {canonicalize_name(entry.name): str(entry.specifier) for entry, _ in locked()}
    assert versions["apache-airflow"] == f"=={IMAGE['airflow']}"


def test_every_locked_package_is_pinned_once_and_hashed_for_the_image() -> None:
    assert IMAGE is not None
    python = IMAGE["python"]
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    wanted = [(entry, hashes) for entry, hashes in locked() if not entry.marker or entry.marker.evaluate(environment)]
    names = [canonicalize_name(entry.name) for entry, _ in wanted]
    assert len(names) == len(set(names)) > 100
    for entry, hashes in wanted:
        assert [specifier.operator for specifier in entry.specifier] == ["=="], entry
        assert hashes, entry
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), entry


@pytest.mark.parametrize("source", re.findall(r"^COPY (?:--\S+ )*(\S+) \S+$", DOCKERFILE, re.MULTILINE))
def test_what_is_copied_exists_and_reaches_the_build(source: str) -> None:
    assert (REPOSITORY / source).exists()
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    ignored = [line for line in lines if line and not line.startswith(("#", "!"))]
    assert f"!{source}" in lines
    assert not any(fnmatch(source, pattern) for pattern in ignored if pattern != "*")


def test_nothing_else_reaches_the_build() -> None:
    copied = set(re.findall(r"^COPY (?:--\S+ )*(\S+) \S+$", DOCKERFILE, re.MULTILINE))
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == copied


def test_the_image_ends_as_a_user_that_is_not_root() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["50000"]
    assert DOCKERFILE.rstrip().endswith("USER 50000")


def test_the_base_that_the_label_names_is_the_base() -> None:
    assert IMAGE is not None
    label = re.search(r'org\.opencontainers\.image\.base\.name="docker\.io/(\S+)"', DOCKERFILE)
    assert label is not None
    assert label[1] == IMAGE[0].removeprefix("FROM ").partition("@")[0]


def test_the_version_of_google_ads_that_is_used_stays() -> None:
    from lead_demand.channels.google_ads.hook import API_VERSION

    removed = re.findall(r'"\$ads/(v\d+)"', DOCKERFILE)
    assert len(removed) == 3
    assert API_VERSION not in removed
