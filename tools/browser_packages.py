"""Put the JavaScript that the browser gets from npm in place, each package by its hash.

    python3 tools/browser_packages.py uplot FOLDER

uPlot draws the chart of a segment and lies in the page's `static/vendor/`, ignored by git; axe-core looks for barriers
in the pages that the tests open; mermaid draws the diagrams of the documentation's site. The npm registry gives one
archive per version; it is compared with the hash below before anything is unpacked. Standard library only, for the
Dockerfile runs it alone.
`NPM_CONFIG_REGISTRY` names another registry. Exit code 3: no registry answered, nothing was changed.
"""

import base64
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REGISTRY = "https://registry.npmjs.org"
STAMP = ".package"
UNREACHABLE = 3
SECONDS = 30.0
LARGEST = 8 * 2**20  # bytes of an archive


class PackageError(RuntimeError):
    """The package is not in place. The message says what to do."""


class RegistryUnreachable(PackageError):
    """No answer, so nothing was changed."""


@dataclass(frozen=True)
class Package:
    """One version of one package; `integrity` is npm's own hash of its archive, `files` what is unpacked."""

    name: str
    version: str
    integrity: str
    licence: str
    files: tuple[str, ...]
    where: str

    @property
    def path(self) -> str:
        """Of the archive, below the registry's address."""
        return f"{self.name}/-/{self.name.rpartition('/')[2]}-{self.version}.tgz"


UPLOT = Package(
    "uplot",
    "1.6.32",
    "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
    "MIT",
    ("dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE"),
    "the page",
)
AXE = Package(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    "MPL-2.0",
    ("axe.min.js", "LICENSE"),
    "tests",
)
MERMAID = Package(
    "@mermaid-js/tiny",
    "11.17.2",
    "sha512-PmFr1c5cSfNf5AngLLR98DrbvR4U5KeD7I+hQkGqG5w5Veu3QT4dG0qu9f99cpn/sKj2XxRBK0q7EL6hr9NY/A==",
    "MIT",
    ("dist/mermaid.tiny.js", "LICENSE"),
    "the site of docs/",
)
PACKAGES = {package.name: package for package in (UPLOT, AXE, MERMAID)}


def registry() -> str:
    """The address of the registry, as npm's own setting names it."""
    return (os.environ.get("NPM_CONFIG_REGISTRY") or REGISTRY).rstrip("/")


def download(package: Package) -> bytes:
    """The archive of a package. Raises RegistryUnreachable."""
    address = f"{registry()}/{package.path}"
    if not address.startswith(("https://", "http://")):
        raise PackageError(f"{registry()} is not the address of a registry. Correct NPM_CONFIG_REGISTRY.")
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:  # noqa: S310
            return bytes(answer.read(LARGEST))
    except (urllib.error.URLError, OSError) as error:
        raise RegistryUnreachable(
            f"{package.name} {package.version} could not be fetched from {registry()}: {error}. Nothing was changed. "
            "Check the network, or set NPM_CONFIG_REGISTRY."
        ) from error


def unpack(package: Package, archive: bytes, folder: Path) -> None:
    """Compare the archive with the hash, and put the package's files into a folder. Raises PackageError."""
    algorithm, _, wanted = package.integrity.partition("-")
    found = base64.b64encode(hashlib.new(algorithm, archive).digest()).decode()
    if found != wanted:
        raise PackageError(
            f"{package.name} {package.version} is not what was pinned: its {algorithm} is {found}. Nothing was changed."
            " Do not use that registry before somebody knows why."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".package-", dir=folder.parent))
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            described = json.loads(_content(tar, "package.json"))
            if described.get("license") != package.licence:
                raise PackageError(f"{package.name} says that its licence is {described.get('license')}.")
            for name in package.files:
                (fresh / Path(name).name).write_bytes(_content(tar, name))
        (fresh / STAMP).write_text(package.integrity)
        fresh.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.extractfile(f"package/{name}")
    if member is None:
        raise PackageError(f"The archive has no file {name}.")
    return member.read()


def put(package: Package, folder: Path) -> bool:
    """Put a package in place; returns False where it was already. Raises PackageError."""
    stamp = folder / STAMP
    if stamp.exists() and stamp.read_text() == package.integrity:
        os.utime(stamp)
        return False
    unpack(package, download(package), folder)
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 2 or given[0] not in PACKAGES:
        print(f"usage: browser_packages.py {{{','.join(PACKAGES)}}} FOLDER", file=sys.stderr)
        return 2
    try:
        put(PACKAGES[given[0]], Path(given[1]))
    except RegistryUnreachable as error:
        print(error, file=sys.stderr)
        return UNREACHABLE
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
