"""The site of docs/: what a reader opens is whole, and what is broken never gets that far."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from mkdocs.config import load_config
from mkdocs.structure.files import Files

from tools import REPOSITORY, docs_site

# Builds the whole site, several times: not for each save.
pytestmark = pytest.mark.usefixtures("starts_services")
PAGES = [*sorted((REPOSITORY / "docs").rglob("*.md")), *(REPOSITORY / name for name in docs_site.OF_THE_ROOT)]


def build(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """The site in folder/site, of the repository's pages and those that are given."""
    pages = folder / "docs"
    shutil.copytree(REPOSITORY / "docs", pages)
    for name, text in more.items():
        (pages / f"{name}.md").write_text(text)
    settings = folder / "mkdocs.yml"
    settings.write_text(
        f"INHERIT: {REPOSITORY / 'mkdocs.yml'}\ndocs_dir: {pages}\nsite_dir: {folder / 'site'}\n"
        f"hooks: [{REPOSITORY / 'tools' / 'docs_site.py'}]\n"
    )
    command = [sys.executable, "-m", "mkdocs", "build", "--config-file", str(settings)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    made = build(folder)
    assert made.returncode == 0, made.stdout + made.stderr
    return folder / "site"


def made_of(page: Path) -> Path:
    """Where a page of the repository is in the site."""
    path = page.relative_to(REPOSITORY / "docs") if page.parent != REPOSITORY else Path(page.name)
    return path.with_name(path.name.replace("README", "index")).with_suffix(".html")


class Page(HTMLParser):
    """What a page loads by itself, and how many items of lists its article has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.items = 0
        self.in_article = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.in_article |= tag == "article"
        self.items += tag == "li" and self.in_article
        if tag in {"script", "img", "iframe"}:
            self.loaded.append(given.get("src") or "")
        if tag == "link" and given.get("rel") != "canonical":
            self.loaded.append(given.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self.in_article &= tag != "article"


def test_every_page_is_there_and_can_be_reached_by_name(site: Path) -> None:
    home = (site / "index.html").read_text()
    for page in PAGES:
        made = made_of(page)
        assert (site / made).exists() and (made == Path("index.html") or f'href="{made}"' in home)


def test_no_page_asks_another_server_for_anything(site: Path) -> None:
    for path in site.rglob("*.html"):
        loaded = Page(path.read_text()).loaded
        assert loaded and not [each for each in loaded if each.startswith(("http:", "https:", "//"))], path.name
    assert not [each for each in site.rglob("*.css") if re.search(r"url\(.?https?:", each.read_text())]


def test_what_draws_the_diagrams_is_loaded_before_the_theme_would_fetch_it(site: Path) -> None:
    for name in ("architecture.html", "tables.html"):
        page = (site / name).read_text()
        assert '<pre class="mermaid"><code>' in page and 'src="mermaid.tiny.js"' in page
    assert (site / "mermaid.tiny.js").stat().st_size > 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_a_list_on_github_is_a_list_here(site: Path, page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    written = len(re.findall(r"^(?:- |\d+\. )", text, flags=re.MULTILINE))
    assert Page((site / made_of(page)).read_text()).items == written


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("# One\n\n[elsewhere](nowhere.md)\n", "nowhere.md"),
        ("# One\n\n[elsewhere](runbook.md#no-such-section)\n", "no-such-section"),
        ("# One\n\n![a picture](no_picture.png)\n", "no_picture.png"),
        ("# One\n\nIn no part of the navigation.\n", "not included in the"),
    ],
)
def test_a_broken_link_anchor_picture_or_place_stops_the_build(tmp_path: Path, text: str, complaint: str) -> None:
    made = build(tmp_path, zz_broken=text)
    assert made.returncode != 0 and complaint in made.stdout + made.stderr


def test_links_lead_from_a_page_of_docs_to_one_of_the_root_and_back() -> None:
    assert docs_site.links_within("[a](../SECURITY.md#roles)", "runbook.md") == "[a](SECURITY.md#roles)"
    assert docs_site.links_within("[a](../../CHANGELOG.md)", "decisions/01.md") == "[a](../CHANGELOG.md)"
    assert docs_site.links_within("[a](docs/tables.md)", "SECURITY.md") == "[a](tables.md)"


def test_without_the_registry_the_site_is_built_and_asks_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9")
    monkeypatch.setattr(docs_site, "DIAGRAMS_FOLDER", tmp_path / "mermaid")
    config = load_config(str(REPOSITORY / "mkdocs.yml"))
    config.plugins._current_plugin = None
    found = docs_site.on_files(Files([]), config).get_file_from_path("mermaid.tiny.js")
    assert found is not None and "window.mermaid" in found.content_string
