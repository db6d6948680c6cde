"""The base image is named by its digest; an engine stands in here, for none runs on every machine."""

from pathlib import Path

import pytest

from tools import image

DIGEST = "sha256:" + "ab" * 32
ENGINE = """#!/bin/sh
echo "$@" >> {log}
case "$1 $2" in
    "image inspect") echo '["docker.io/apache/airflow@{digest}"]' ;;
esac
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the engine was asked, one call per line."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(ENGINE.format(log=tmp_path / "asked", digest=DIGEST))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path / "asked"


def test_a_missing_digest_is_written_down_and_nothing_is_built_yet(tmp_path: Path, asked: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("# the image\nFROM apache/airflow:3.3.2-python3.12\n\nCOPY dags /opt\n")
    assert "commit it" in image.build(dockerfile, "ours")
    written = f"# the image\nFROM apache/airflow:3.3.2-python3.12@{DIGEST}\n\nCOPY dags /opt\n"
    assert dockerfile.read_text() == written
    assert "build" not in asked.read_text()
    assert f"is built from apache/airflow@{DIGEST}" in image.build(dockerfile, "ours")
    assert dockerfile.read_text() == written
    assert asked.read_text().splitlines()[-1] == f"build --tag ours {tmp_path}"


def test_without_an_engine_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM apache/airflow:3.3.2-python3.12\n")
    with pytest.raises(image.ImageError, match="Nothing was changed"):
        image.build(dockerfile, "ours")
    assert dockerfile.read_text() == "FROM apache/airflow:3.3.2-python3.12\n"


def test_the_dockerfile_of_this_repository_is_understood() -> None:
    base = image.FROM.search((image.REPOSITORY / "Dockerfile").read_text())
    assert base is not None and base["name"] == "apache/airflow"
