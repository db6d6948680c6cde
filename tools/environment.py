"""Build `.venv` from the two locks. Runs on any Python 3, before anything is installed.

    python3 tools/environment.py

A `.venv` without its stamp was left by a run that was killed, and is made again from nothing. When only the locks
have changed, the packages that differ are exchanged. Standard library only, and nothing newer than Python 3.6, so
that an unfit interpreter can say what is wrong. `uv venv` and `uv pip sync` alone would do it where uv is installed; a
fresh machine has python3 and make, and this brings the locked uv to it by its hash.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, Sequence  # noqa: UP035

OLDEST, NEWEST = (3, 11), (3, 13)  # what the locks were resolved for
REPOSITORY = Path(__file__).resolve().parent.parent
VENV = REPOSITORY / ".venv"
STAMP = VENV / ".locked"
LOCKS = [REPOSITORY / "requirements.txt", REPOSITORY / "requirements-dev.txt"]


class EnvironmentBuildError(RuntimeError):
    """The environment could not be built. The message says what to do."""


def digest() -> str:
    """What the environment is made from; equal digests mean that there is nothing to do."""
    content = b"\0".join(lock.read_bytes() for lock in LOCKS)
    return hashlib.sha256(content).hexdigest()


def fitting_python() -> str:
    """The interpreter to build with: this one, or the first on PATH whose version the locks know."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return sys.executable
    question = f"import sys; sys.exit(not {OLDEST} <= sys.version_info[:2] <= {NEWEST})"
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and subprocess.run([found, "-c", question], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return found
    raise EnvironmentBuildError(
        f"Python 3.{OLDEST[1]} to 3.{NEWEST[1]} is needed; this one is {sys.version.split()[0]}, and no python3.13, "
        "python3.12 or python3.11 is on PATH. Nothing was changed. Install one of them and run the same command again."
    )


def run(command: Sequence[object], what: str) -> None:
    """Run one step and show its output only when it fails."""
    started = time.monotonic()
    print(f"  {what} ...", end="", flush=True)
    done = subprocess.run(
        [str(part) for part in command],
        cwd=str(REPOSITORY), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        env=settings(),
    )  # fmt: skip
    print(f" {time.monotonic() - started:.0f} s", flush=True)
    if done.returncode:
        tail = "\n".join(done.stdout.decode(errors="replace").strip().splitlines()[-15:])
        raise EnvironmentBuildError(
            f"{what} failed:\n{tail}\nThe half-made .venv is made again by the next attempt. "
            "If the package index cannot be reached, check the network or set UV_DEFAULT_INDEX and PIP_INDEX_URL."
        )


def settings() -> Dict[str, str]:  # noqa: UP006
    """The environment of pip and uv: works without a home folder, and whatever pip's own configuration says."""
    values = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "PYTHONPATH")}
    values.update(PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_DISABLE_PIP_VERSION_CHECK="1", UV_NO_PROGRESS="1")
    if "PIP_INDEX_URL" in values:  # uv has its own name for it
        values.setdefault("UV_DEFAULT_INDEX", values["PIP_INDEX_URL"])
    home = values.get("HOME", "")
    if not (home and os.access(home, os.W_OK)):
        values.setdefault("UV_CACHE_DIR", str(REPOSITORY / ".local" / "cache" / "uv"))
        values.setdefault("PIP_CACHE_DIR", str(REPOSITORY / ".local" / "cache" / "pip"))
    return values


def pinned_uv() -> str:
    """The lock's own lines for uv: pip installs it by hash, and uv everything else."""
    found = re.search(r"^uv==.*?(?=^\S|\Z)", LOCKS[1].read_text(), re.MULTILINE | re.DOTALL)
    if not found:
        raise EnvironmentBuildError("requirements-dev.txt does not lock uv. Nothing was changed. Run `make lock`.")
    return "".join(line + "\n" for line in found.group().splitlines() if not line.lstrip().startswith("#"))


def build() -> bool:
    """Make or refresh `.venv`; returns False when there was nothing to do."""
    wanted = digest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        os.utime(str(STAMP))
        return False
    python = VENV / "bin" / "python"
    if not STAMP.exists():
        chosen = fitting_python()
        try:
            subprocess.run([chosen, "-c", "import ensurepip, venv"], check=True, stderr=subprocess.DEVNULL)
        except subprocess.CalledProcessError:
            raise EnvironmentBuildError(
                f"{chosen} cannot make virtual environments: its module ensurepip is missing. "
                "Nothing was changed. On Debian and Ubuntu: apt install python3-venv"
            ) from None
        print("Building .venv from the locks (once; about 1.5 GB)", flush=True)
        if VENV.exists():
            shutil.rmtree(str(VENV))
        run([chosen, "-m", "venv", VENV], "Python environment")
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as lock:
            lock.write(pinned_uv())
            lock.flush()
            run(
                [python, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", lock.name],
                "uv",
            )
    else:
        print("The locks have changed: refreshing .venv", flush=True)
        STAMP.unlink()
    sync = [python, "-m", "uv", "pip", "sync", "--quiet", "--require-hashes", "--python", python]
    run([*sync, *LOCKS], "packages")
    STAMP.write_text(wanted)
    return True


def main() -> int:
    """One build at a time; a second one waits and then finds the work done."""
    local = REPOSITORY / ".local"
    try:
        local.mkdir(mode=0o711, exist_ok=True)  # what lies in it is closed by whoever writes it
        with open(str(local / "environment.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            build()
    except EnvironmentBuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
