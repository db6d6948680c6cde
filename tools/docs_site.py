"""What docs/ needs to be a site: hooks of MkDocs, named in mkdocs.yml.

    make docs        .local/site, to be opened or served as it is

The pages lie where GitHub shows them, and are written for it. So the pages of the repository's root join the site,
links between the two folders are followed, and a list may begin right after a paragraph. The program that draws the
diagrams comes from npm by its hash, as the page's chart does: no page of the site asks another server for anything.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from tools import REPOSITORY, browser_packages

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

# The pages outside docs/ that are part of it.
OF_THE_ROOT = ("SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")
DIAGRAMS = browser_packages.MERMAID
DIAGRAMS_FOLDER = REPOSITORY / ".local" / "mermaid"
_FENCE = re.compile(r"^ *(```|~~~)")
_ITEM = re.compile(r"^(- |\d+\. )")

log = logging.getLogger("mkdocs.hooks.docs_site")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root and, where npm's registry can be reached, what draws the diagrams."""
    from mkdocs.structure.files import File

    for name in OF_THE_ROOT:
        files.append(File.generated(config, name, abs_src_path=str(REPOSITORY / name)))
    (script,) = (name for name in DIAGRAMS.files if name.endswith(".js"))
    script = script.rpartition("/")[2]
    try:
        browser_packages.put(DIAGRAMS, DIAGRAMS_FOLDER)
    except browser_packages.RegistryUnreachable as error:
        log.info("%s The site shows its diagrams as text.", error)
        files.append(File.generated(config, script, content="window.mermaid = { initialize() {}, render() {} };\n"))
    else:
        files.append(File.generated(config, script, abs_src_path=str(DIAGRAMS_FOLDER / script)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The text as MkDocs reads it: links within the site, and an empty line before each list."""
    return lists_apart(links_within(markdown, page.file.src_uri))


def links_within(markdown: str, src_uri: str) -> str:
    """The text with its links between docs/ and the root as links of one folder."""
    if src_uri in OF_THE_ROOT:
        return re.sub(r"\]\(docs/", "](", markdown)
    to_root = "|".join(re.escape(name) for name in OF_THE_ROOT)
    return re.sub(rf"\]\(((?:\.\./)*)\.\./({to_root})\b", r"](\1\2", markdown)


def lists_apart(markdown: str) -> str:
    """The text with an empty line before each list that follows a paragraph: GitHub needs none, MkDocs' parser does."""
    lines: list[str] = []
    in_code = in_list = False
    for line in markdown.splitlines():
        in_code ^= bool(_FENCE.match(line))
        if not line.strip():
            in_list = False
        elif _ITEM.match(line) and not in_code:
            if not in_list and lines and lines[-1].strip():
                lines.append("")
            in_list = True
        lines.append(line)
    return "\n".join(lines) + "\n"
