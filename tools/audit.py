"""Known vulnerabilities of the locked packages, as OSV (https://osv.dev) knows them.

    python -m tools.audit [--level low|moderate|high|critical] [--url URL]

Exits with 0 when nothing at or above the level is known, 1 when something is, and 3 when nobody could be asked: "not
audited" is neither. pip-audit and `uv audit` tell no severity, so neither can decide by it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from packaging.requirements import Requirement

from tools import REPOSITORY

LOCKS = ("requirements.txt", "requirements-dev.txt")
SERVICE = "https://api.osv.dev"
LEVELS = ("low", "moderate", "high", "critical")
CALL_SECONDS = 20.0


class NotAuditedError(RuntimeError):
    """The service gave no answer, or none that can be read. The message says why."""


@dataclass(frozen=True)
class Finding:
    """One vulnerability of one locked package; `level` is "unknown" where nobody has rated it."""

    package: str
    version: str
    names: tuple[str, ...]
    level: str
    fixed: tuple[str, ...]
    summary: str


def locked(names: Sequence[str] = LOCKS) -> dict[str, str]:
    """Package -> version, of every entry of the locks, whatever its marker says."""
    found = {}
    for name in names:
        for line in (REPOSITORY / name).read_text().splitlines():
            if line[:1].isalnum():
                entry = Requirement(line.rstrip("\\ "))
                found[entry.name] = next(iter(entry.specifier)).version
    return found


def audit(packages: dict[str, str], url: str = SERVICE) -> list[Finding]:
    """What is known of these versions, one finding an advisory and package. Raises NotAuditedError."""
    with httpx.Client(base_url=url, timeout=CALL_SECONDS) as client:
        try:
            found = {name: _advisories(client, name, version) for name, version in _affected(client, packages)}
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            kind = type(error).__name__
            raise NotAuditedError(f"{url} gave no answer that can be read ({kind}: {error})") from error
    return [finding for name, records in found.items() for finding in _merged(name, packages[name], records)]


def _affected(client: httpx.Client, packages: dict[str, str]) -> Iterator[tuple[str, str]]:
    entries = sorted(packages.items())
    for first in range(0, len(entries), 500):
        batch = entries[first : first + 500]
        queries = [{"package": {"name": n, "ecosystem": "PyPI"}, "version": version} for n, version in batch]
        answers = client.post("/v1/querybatch", json={"queries": queries}).raise_for_status().json()["results"]
        yield from (entry for entry, answer in zip(batch, answers, strict=True) if answer.get("vulns"))


def _advisories(client: httpx.Client, name: str, version: str) -> list[dict[str, Any]]:
    question: dict[str, Any] = {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
    found: list[dict[str, Any]] = []
    while True:
        answer = client.post("/v1/query", json=question).raise_for_status().json()
        found += [record for record in answer.get("vulns", []) if not record.get("withdrawn")]
        if not answer.get("next_page_token"):
            return found
        question["page_token"] = answer["next_page_token"]


def _merged(package: str, version: str, records: list[dict[str, Any]]) -> Iterator[Finding]:
    """Records that name each other are one vulnerability, with the worst of their ratings."""
    groups: list[tuple[set[str], list[dict[str, Any]]]] = []
    for record in records:
        names, members = {record["id"], *record.get("aliases", [])}, [record]
        apart = []
        for group in groups:
            if group[0] & names:
                names, members = names | group[0], group[1] + members
            else:
                apart.append(group)
        groups = [*apart, (names, members)]
    for names, members in groups:
        levels = [_level(record) for record in members]
        rated = [level for level in levels if level in LEVELS]
        fixes = {
            event["fixed"]
            for record in members
            for affected in record.get("affected", [])
            if affected.get("package", {}).get("name", "").lower() == package
            for span in affected.get("ranges", [])
            if span.get("type") == "ECOSYSTEM"
            for event in span.get("events", [])
            if "fixed" in event
        }
        summary = next((record["summary"] for record in members if record.get("summary")), "")
        level = max(rated, key=LEVELS.index) if rated else "unknown"
        yield Finding(package, version, tuple(sorted(names)), level, tuple(sorted(fixes)), summary)


def _level(record: dict[str, Any]) -> str:
    level = str(record.get("database_specific", {}).get("severity", "")).lower()
    return "moderate" if level == "medium" else level


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.audit", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--level", choices=LEVELS, default="high", help="from which severity on it fails")
    parser.add_argument("--url", default=SERVICE, help="another service that speaks OSV's form")
    options = parser.parse_args(arguments)
    packages = locked()
    try:
        found = audit(packages, options.url)
    except NotAuditedError as error:
        print(
            f"not audited: {error}. Whether the {len(packages)} locked packages have known vulnerabilities was not "
            f"learnt. Run `make audit` where {options.url} is reached.",
            file=sys.stderr,
        )
        return 3
    # What nobody has rated counts as the worst.
    serious = [each for each in found if each.level not in LEVELS[: LEVELS.index(options.level)]]
    for each in sorted(found, key=lambda each: (each not in serious, each.package)):
        fix = f"fixed in {', '.join(each.fixed)}" if each.fixed else "no fix is known"
        print(f"{each.level:<9}{each.package} {each.version}: {', '.join(each.names)}: {each.summary} ({fix})")
    print(f"{len(packages)} packages audited: {len(found)} finding(s), {len(serious)} of them {options.level} or worse")
    return 1 if serious else 0


if __name__ == "__main__":
    sys.exit(main())
