"""The page of licences: what is copyleft or unknown stands out, and needs a reason."""

import sys
from importlib import metadata
from pathlib import Path

import pytest

from tools import docs, licences


@pytest.mark.parametrize(
    ("fields", "licence", "kind"),
    [
        ("License-Expression: MIT", "MIT", "permissive"),
        ("License-Expression: MIT OR GPL-2.0-only", "MIT OR GPL-2.0-only", "permissive"),
        ("License-Expression: MIT AND LGPL-3.0-only", "MIT AND LGPL-3.0-only", "copyleft"),
        ("Classifier: License :: OSI Approved :: BSD License", "BSD License", "permissive"),
        (
            "Classifier: License :: OSI Approved :: GNU Affero General Public License v3",
            "GNU Affero General Public License v3",
            "copyleft",
        ),
        ("License: Apache 2.0\n        and a long text", "Apache 2.0", "permissive"),
        ("License: as you like", "as you like", "unknown"),
        ("Summary: nothing said", "", "unknown"),
    ],
)
def test_a_licence_is_read_and_its_kind_is_told(tmp_path: Path, fields: str, licence: str, kind: str) -> None:
    folder = tmp_path / "thing-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: thing\nVersion: 1\n{fields}\n")
    found = licences.licence_of(metadata.Distribution.at(folder))
    assert (found, licences.Package("thing", found, "production").kind) == (licence, kind)


def test_every_package_that_every_system_installs_is_listed_once_for_production_or_tools() -> None:
    names, others = licences.locked()
    assert (names["psycopg"], names["pytest"], names["numpy"]) == ("production", "tools and tests", "production")
    assert "pyyaml-ft" in others, "of one version of Python only"
    assert not set(others) & set(names)


def test_the_check_fails_where_a_copyleft_licence_has_no_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(licences, "locked", lambda: ({"psycopg": "production", "jinja2": "production"}, []))
    monkeypatch.setattr(docs, "DOCS", tmp_path)
    for reviewed, code in (({"psycopg": "a reason"}, 0), ({}, 1)):
        monkeypatch.setattr(licences, "REVIEWED", reviewed)
        monkeypatch.setattr(sys, "argv", ["docs"])
        assert docs.main() == 0
        page = (tmp_path / "LICENCES.md").read_text()
        assert "2 packages" in page and "1 are copyleft" in page
        assert "| uplot | 1.6.32 | MIT | the page |" in page
        monkeypatch.setattr(sys, "argv", ["docs", "--check"])
        assert docs.main() == code
    assert "NOT REVIEWED" in capsys.readouterr().out
