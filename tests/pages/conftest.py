"""A real browser: Debian's Chromium, on the Airflow that the tests started.

Without a Chromium these tests are skipped and say so; `LEADS_TEST_BROWSER=1` makes that a failure. Screenshots go to
the test's own folder, or to `docs/` with `LEADS_TEST_SCREENSHOTS=1` (`make screenshots`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.airflow import ROOT
from tests.fixtures.real_airflow import RealAirflow

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Root in a container has no sandbox; a tests' browser has no reason to call its maker.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        message = "no Chromium on PATH (Debian: apt-get install chromium); the pages are not looked at"
        if os.environ.get("LEADS_TEST_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture
def page(chromium: str, real_airflow: RealAirflow) -> Iterator[Page]:
    """A page of Airflow's UI, logged in as the admin."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        tab = browser.new_page(viewport={"width": 1280, "height": 1000}, locale="en-GB", timezone_id="Europe/Amsterdam")
        tab.set_default_timeout(60_000)
        tab.goto(real_airflow.url)
        tab.fill("input[name=username]", "admin")
        tab.fill("input[name=password]", real_airflow.password)
        tab.click("button[type=submit]")
        tab.wait_for_url(lambda url: "/auth/login" not in url)
        yield tab
        browser.close()


@pytest.fixture
def screenshot(tmp_path: Path) -> Callable[[str], Path]:
    """The path a screenshot of that name goes to."""
    folder = ROOT / "docs" if os.environ.get("LEADS_TEST_SCREENSHOTS") else tmp_path
    return lambda name: folder / f"{name}.png"
