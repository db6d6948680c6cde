"""Build the Dockerfile from a base image that is named by its content, not by a tag that can move.

    python3 tools/image.py [--tag NAME]

`FROM name:tag@sha256:…` in the Dockerfile is built as it is. While the digest is missing, the tag is pulled, the digest
that the registry gave is written into the Dockerfile, and nothing is built: what came is to be looked at and committed
first. Without an engine (docker or podman) nothing is changed. Standard library only: it needs no `.venv`.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FROM = re.compile(r"^FROM (?P<name>[\w./-]+):(?P<tag>[\w.-]+)(?:@(?P<digest>sha256:[0-9a-f]{64}))?$", re.MULTILINE)


class ImageError(RuntimeError):
    """The image was not built. The message says what to do."""


def engine() -> str:
    """The program that builds images, and whose service answers."""
    for name in ("docker", "podman"):
        program = shutil.which(name)
        if program and subprocess.run([program, "info"], capture_output=True, check=False).returncode == 0:
            return program
    raise ImageError(
        "No image was built: neither docker nor podman answers here. Nothing was changed. Run it where one does."
    )


def digest_of(program: str, name: str, tag: str) -> str:
    """Pull the tag; returns the digest of the image that it names now, for every platform it was built for."""
    pulled = subprocess.run([program, "pull", f"{name}:{tag}"], capture_output=True, text=True, check=False)
    if pulled.returncode:
        raise ImageError(f"{name}:{tag} could not be pulled: {pulled.stderr.strip()}. Nothing was changed.")
    asked = [program, "image", "inspect", "--format", "{{json .RepoDigests}}", f"{name}:{tag}"]
    known = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    for each in known or ():
        found = re.fullmatch(rf"(?:[\w.-]+/)*{re.escape(name)}@(sha256:[0-9a-f]{{64}})", each)
        if found:
            return found[1]
    raise ImageError(f"{program} names no digest of {name}:{tag}: {known}. Nothing was changed.")


def build(dockerfile: Path, tag: str) -> str:
    """Build, or write the missing digest down; returns what was done. Raises ImageError."""
    text = dockerfile.read_text()
    base = FROM.search(text)
    if not base:
        raise ImageError(f"{dockerfile} has no line FROM name:tag. Nothing was changed.")
    program = engine()
    if not base["digest"]:
        digest = digest_of(program, base["name"], base["tag"])
        dockerfile.write_text(f"{text[: base.end()]}@{digest}{text[base.end() :]}")
        return (
            f"{base[0]}@{digest} is written into {dockerfile.name}. Look at it, commit it, and run this again to build."
        )
    built = subprocess.run([program, "build", "--tag", tag, str(dockerfile.parent)], check=False)
    if built.returncode:
        raise ImageError(f"The image was not built; {program} says why above.")
    return f"{tag} is built from {base['name']}@{base['digest']}."


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 tools/image.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tag", default="lead-demand", help="the name of the image")
    try:
        print(build(REPOSITORY / "Dockerfile", parser.parse_args().tag))
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
