"""The first thing that runs on a fresh checkout: which Python it takes, and what it hands to pip and uv."""

import re
import stat
import sys
from pathlib import Path

import pytest

from tools import environment


def fake_python(folder: Path, name: str, *, works: bool) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\nexit {0 if works else 1}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 14, 0)])
def test_an_unfit_python_looks_for_a_fit_one(
    version: tuple[int, int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(environment.EnvironmentBuildError, match=r"Python 3\.11 to 3\.13 is needed"):
        environment.fitting_python()
    fake_python(tmp_path, "python3.13", works=False)  # pyenv puts such shims on PATH
    fit = fake_python(tmp_path, "python3.12", works=True)
    assert environment.fitting_python() == str(fit)


def test_this_python_is_taken_when_it_fits() -> None:
    assert environment.fitting_python() == sys.executable


def test_uv_is_installed_by_the_lock() -> None:
    lines = environment.pinned_uv().splitlines()
    assert re.fullmatch(r"uv==[\d.]+ \\", lines[0])
    assert all(line.strip().startswith("--hash=sha256:") for line in lines[1:])
    assert len(lines) > 2


@pytest.mark.parametrize("home", [None, "", "/nonexistent"])
def test_without_a_home_the_caches_stay_in_the_checkout(home: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "HOME"):
        monkeypatch.delenv(name, raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    assert environment.settings()["UV_CACHE_DIR"].startswith(str(environment.REPOSITORY))


def test_nothing_is_done_when_the_locks_have_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = tmp_path / ".locked"
    stamp.write_text(environment.digest())
    monkeypatch.setattr(environment, "STAMP", stamp)
    assert environment.build() is False


def test_a_failed_step_says_so_and_shows_the_end_of_its_output() -> None:
    with pytest.raises(environment.EnvironmentBuildError, match=r"(?s)^a step failed:\nwhy\n.*next attempt"):
        environment.run([sys.executable, "-c", "print('why'); raise SystemExit(1)"], "a step")
