"""What the browser gets from npm is exactly what was pinned, or nothing is put in place."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from tools import REPOSITORY, browser_packages
from tools.browser_packages import UPLOT, Package, PackageError, RegistryUnreachable


def archive(licence: str = "MIT", **files: str) -> bytes:
    content = {"package.json": json.dumps({"license": licence}), **files}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in content.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def package(of: bytes) -> Package:
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(of).digest()).decode()
    return replace(UPLOT, integrity=integrity, files=("LICENSE",))


def test_the_files_of_a_package_are_put_in_place_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = archive(LICENSE="text")
    pinned = package(made)
    monkeypatch.setattr(browser_packages, "download", lambda _: made)
    assert browser_packages.put(pinned, tmp_path / "vendor")
    assert (tmp_path / "vendor" / "LICENSE").read_text() == "text"
    monkeypatch.setattr(browser_packages, "download", lambda _: pytest.fail("asked again"))
    assert not browser_packages.put(pinned, tmp_path / "vendor")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (archive(LICENSE="changed"), "not what was pinned"),
        (b"no archive at all", "not what was pinned"),
    ],
)
def test_an_archive_with_another_hash_changes_nothing(given: bytes, complaint: str, tmp_path: Path) -> None:
    folder = tmp_path / "vendor"
    browser_packages.unpack(package(archive(LICENSE="text")), archive(LICENSE="text"), folder)
    with pytest.raises(PackageError, match=complaint):
        browser_packages.unpack(package(archive(LICENSE="newer")), given, folder)
    assert (folder / "LICENSE").read_text() == "text"
    assert [path.name for path in tmp_path.iterdir()] == ["vendor"]


def test_a_licence_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    made = archive("GPL-3.0", LICENSE="text")
    with pytest.raises(PackageError, match=r"licence is GPL-3\.0"):
        browser_packages.unpack(package(made), made, tmp_path / "vendor")
    assert not (tmp_path / "vendor").exists()


def test_a_registry_that_does_not_answer_is_told_from_a_wrong_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9")
    with pytest.raises(RegistryUnreachable):
        browser_packages.put(UPLOT, tmp_path / "vendor")
    assert browser_packages.main(["uplot", str(tmp_path / "vendor")]) == browser_packages.UNREACHABLE
    assert "Nothing was changed" in capsys.readouterr().err
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "file:///etc")
    assert browser_packages.main(["uplot", str(tmp_path / "vendor")]) == 1


def test_make_and_the_image_put_it_where_the_page_looks_for_it() -> None:
    folder = "plugins/lead_demand/ui/static/vendor"
    assert f"CHART_FOLDER := {folder}" in (REPOSITORY / "Makefile").read_text()
    assert f"uplot /opt/airflow/{folder}" in (REPOSITORY / "Dockerfile").read_text()
    assert f"/{folder}/" in (REPOSITORY / ".gitignore").read_text()
    chart = (REPOSITORY / "plugins/lead_demand/ui/static/js/views/chart.js").read_text()
    for name in UPLOT.files[:2]:
        assert f"static/vendor/{Path(name).name}" in chart
