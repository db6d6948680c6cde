"""Pages of Airflow itself, in a real browser, on the Airflow that the tests started."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.browser import OPTIONS
from tests.fixtures.real_airflow import RealAirflow

if TYPE_CHECKING:
    from playwright.sync_api import Page


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
