"""The page in a real browser, on Airflow's own API server and a leads database that has lived a month.

lived        session: that database: one morning that was really decided, thirty before it
browsed      module: what the tests of this folder look at: the server, the database, what is open in Airflow
browser      module: Debian's Chromium
open_page    function: opens an address of the page in a fresh context; whatever goes wrong in it fails the test
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.embedded_postgres import EmbeddedPostgres
from tests.faults.plain import run_lead_budgets
from tests.fixtures.airflow import use_database
from tests.fixtures.browser import OPTIONS
from tests.fixtures.postgres import LeadsDatabase
from tests.fixtures.sandbox import Sandbox
from tests.ui.conftest import Served
from tools.browser_packages import AXE, UPLOT, RegistryUnreachable, put
from tools.docs import DOCS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

RUN = "asset_triggered__{day}T05:03:40+00:00"
VENDOR = DOCS.parent / "plugins" / "lead_demand" / "ui" / "static" / "vendor"
AXE_FOLDER = DOCS.parent / ".local" / "browser_packages" / "axe-core"
# Rules of WCAG 2.0 to 2.2, level A and AA, and axe's own best practice.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SECONDS = 60_000  # milliseconds: only what hangs takes as long
# A click on a link changes the address at once; the page hears of it later.
SETTLED = """timeout => new Promise(resolve => {
  const end = performance.now() + timeout;
  const look = () => {
    const isThere = document.documentElement.dataset.shown === location.hash;
    if (isThere && !document.querySelector("main[aria-busy]")) resolve(true);
    else if (performance.now() > end) resolve(false);
    else setTimeout(look, 10);
  };
  look();
})"""


@dataclass
class Opened:
    """One tab with the page, and what went wrong in it. `allow`: parts of errors that the test provokes."""

    tab: Page
    url: str
    errors: list[str] = field(default_factory=list)
    allow: tuple[str, ...] = ()

    def hear(self, kind: str, text: str, source: str) -> None:
        """A line of the console, and which file wrote it."""
        if kind in ("error", "warning"):
            self.errors.append(f"{text} ({source})")

    def show(self, address: str) -> Locator:
        """Go to an address of the page (`#/log`, `page?run=…`) and wait for it; returns its heading."""
        target = address if address.startswith("page") else f"page{address}"
        if self.tab.url.split("#")[0] == f"{self.url}/lead-demand/{target.split('#')[0]}":
            self.tab.evaluate("address => { location.hash = address }", target.split("#")[1])
        else:
            self.tab.goto(f"{self.url}/lead-demand/{target}")
        return self.settled()

    def settled(self) -> Locator:
        """Wait until what the address asks for stands there, and no answer is outstanding."""
        assert self.tab.evaluate(SETTLED, SECONDS), f"{self.tab.url} is not shown"
        heading = self.tab.locator("main h1").first
        heading.wait_for()
        return heading

    def barriers(self) -> list[str]:
        """What axe-core finds, one line each."""
        self.tab.evaluate((AXE_FOLDER / "axe.min.js").read_text())
        found = self.tab.evaluate("tags => axe.run({ runOnly: tags })", RULES)
        return [
            f"{each['id']}: {node['target']} {node.get('failureSummary', '')}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    def width(self) -> int:
        """How wide the content is, in CSS pixels."""
        return int(self.tab.evaluate("document.documentElement.scrollWidth"))

    def check(self) -> None:
        """Nothing was written to the console, and no policy was violated."""
        wrong = [error for error in self.errors if not any(part in error for part in self.allow)]
        assert not wrong, wrong


@dataclass(frozen=True)
class Browsed:
    """The server, its database, today's run of lead_budgets."""

    served: Served
    database: LeadsDatabase
    run_id: str

    @property
    def url(self) -> str:
        return self.served.url

    def codes(self, condition: str) -> list[str]:
        """Segments whose decision of today meets an SQL condition on `d` (decision) and `s` (segment)."""
        rows = self.database.fetch(
            "select s.code from lead_segments s join budget_decisions d on s.id = d.segment_id "
            f"where d.decision_date = lead_today() and ({condition}) order by s.code"
        )
        return [row["code"] for row in rows]


@pytest.fixture(scope="session")
def lived(
    postgres_cluster: EmbeddedPostgres, dawn_template: str, lead_stats_steps: Callable[..., None], sandbox: Sandbox
) -> tuple[LeadsDatabase, str]:
    """The database and the id of today's run in it."""
    from lead_demand import database as leads
    from lead_demand.backtest.run import run
    from lead_demand.channels.registry import STEERED
    from lead_demand.database import sql
    from lead_demand.runs import day

    postgres_cluster.create_database("lived", template=dawn_template)
    found = LeadsDatabase("lived", postgres_cluster.url("lived"))
    sandbox.reset()
    yesterday, run_id = day.latest_whole_day(), RUN.format(day=day.today())
    with pytest.MonkeyPatch.context() as patch:
        use_database(patch, found)
        lead_stats_steps(day.Window(yesterday, yesterday))
        assert run_lead_budgets().state == "success"
        with found.connect() as owner:
            for statement in (Path(__file__).parent / "lived.sql").read_text().split(";\n"):
                if statement.strip():
                    owner.execute(statement, {"run": run_id} if "%(run)s" in statement else None)
        month = {"first": yesterday.replace(day=1), "last": yesterday}
        with leads.connect() as connection:
            connection.execute(sql.render("lead_stats/upsert_outcome_weeks.sql"), month)
        month_of_budgets = "(select round(31 * sum(amount)) from channel_budgets)"
        found.fetch(f"update orchestration_settings set monthly_budget = {month_of_budgets}, approval_threshold = 20")
        found.fetch("update lead_segment_channels set max_daily_budget = max_daily_budget + 5 where is_automated")
        for name, tried in {"cooldown_days": 0, "dead_band": 0.5}.items():
            run(STEERED, f"manual__{name}", changes={name: tried})
    return found, run_id


@pytest.fixture(scope="session")
def packages() -> None:
    """The chart library and axe-core are in place."""
    try:
        put(UPLOT, VENDOR)
        put(AXE, AXE_FOLDER)
    except RegistryUnreachable as error:
        (pytest.fail if os.environ.get("LEADS_TEST_BROWSER") else pytest.skip)(str(error))


@pytest.fixture(scope="module")
def browsed(
    chromium: str, packages: None, lived: tuple[LeadsDatabase, str], page_server: Served, dagbag: Any
) -> Iterator[Browsed]:
    database, run_id = lived
    _tell_airflow(dagbag, run_id)
    with pytest.MonkeyPatch.context() as patch:
        use_database(patch, database)
        yield Browsed(page_server, database, run_id)


def _tell_airflow(dagbag: Any, run_id: str) -> None:
    """The DAGs, and the run that the page links to, are in Airflow's own tables."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import sync_bag_to_db
    from airflow.models.dagrun import DagRun
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(dagbag, "dags-folder", None)
    if DagRun.find(run_id=run_id):
        return
    import pendulum
    from airflow.models.serialized_dag import SerializedDagModel

    now = pendulum.now("UTC")
    dag = SerializedDagModel.get_dag("lead_budgets")
    assert dag
    dag.create_dagrun(
        run_id=run_id,
        logical_date=None,
        run_after=now,
        run_type=DagRunType.ASSET_TRIGGERED,
        triggered_by=DagRunTriggeredByType.TEST,
        state=DagRunState.SUCCESS,
    )


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser, browsed: Browsed) -> Iterator[Callable[..., Opened]]:
    """`open_page(who="reader", width=1280, **context options)`; every tab is checked at the end."""
    with ExitStack() as closing:
        opened: list[Opened] = []

        def open_one(who: str | None = "reader", width: int = 1280, **options: Any) -> Opened:
            defaults = {
                "locale": "en-GB",
                "timezone_id": "Europe/Amsterdam",
                "viewport": {"width": width, "height": 900},
            }
            context = browser.new_context(**(defaults | options))
            closing.callback(context.close)
            context.set_default_timeout(SECONDS)
            sign_in(context, browsed, who)
            one = Opened(context.new_page(), browsed.url)
            one.tab.on("console", lambda said: one.hear(said.type, said.text, said.location["url"]))
            one.tab.on("pageerror", lambda error: one.errors.append(str(error)))
            opened.append(one)
            return one

        yield open_one
        for one in opened:
            one.check()


def sign_in(context: BrowserContext, browsed: Browsed, who: str | None) -> None:
    """The session's cookie, as Airflow's own login sets it; nobody's where `who` is None."""
    if who:
        context.add_cookies([{"name": "_token", "value": browsed.served.tokens[who], "url": browsed.url}])
