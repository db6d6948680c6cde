"""`--every-case` runs the whole matrix, `--every-morning` the whole drill, and each prints one line a case; without
them only the representative cases run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from lead_demand.budgets import protocol
from tests.faults import points

CASE = "::test_the_log_tells_the_truth["
MORNING = "::test_a_person_is_called_once_and_the_log_leads_back["


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-case", action="store_true", help="the whole matrix of faults, one line a case")
    parser.addoption("--every-morning", action="store_true", help="the whole drill, one line a case")


def every_case(config: pytest.Config) -> bool:
    return bool(config.getoption("--every-case", default=False))


def every_morning(config: pytest.Config) -> bool:
    return bool(config.getoption("--every-morning", default=False))


class Lines:
    """One line a case, and last the count of cases and contradictions."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._failed: set[str] = set()
        self.cases = self.contradictions = 0

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        # The line below stands in for pytest's dot.
        return (report.outcome, "", "") if CASE in report.nodeid and report.when == "call" else None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if CASE not in report.nodeid:
            return
        if report.failed:
            self._failed.add(report.nodeid)
        if report.when == "teardown":
            self.cases += 1
            bad = report.nodeid in self._failed
            self.contradictions += bad
            name = report.nodeid.partition("[")[2].rstrip("]")
            terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
            terminal.write_line(f"{'CONTRADICTION' if bad else 'true':13} {name}")

    def pytest_unconfigure(self) -> None:
        print(f"{self.cases} cases, {self.contradictions} contradictions")


class MorningLines:
    """One line a case of the drill, and last how many recovered and how often somebody was called."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._failed: set[str] = set()
        self._why: list[str] = []
        self.cases = self.recovered = self.alerts = 0

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        return (report.outcome, "", "") if MORNING in report.nodeid and report.when == "call" else None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if MORNING not in report.nodeid:
            return
        if report.failed:
            self._failed.add(report.nodeid)
            self._why += [line[2:].strip() for line in report.longreprtext.splitlines() if line.startswith("E ")][:12]
        if report.when == "teardown":
            alerts = int(dict(report.user_properties).get("alerts", 0))  # type: ignore[arg-type]
            bad = report.nodeid in self._failed
            self.cases += 1
            self.recovered += not bad
            self.alerts += alerts
            name = report.nodeid.partition("[")[2].rstrip("]")
            terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
            terminal.write_line(f"{'NOT RECOVERED' if bad else 'recovered':13} {name}: {alerts} alert(s)")
            for line in self._why:
                terminal.write_line(f"{'':13} {line[:1000]}")
            self._why.clear()

    def pytest_unconfigure(self) -> None:
        print(f"{self.cases} cases, {self.recovered} recovered, {self.alerts} alerts")


def pytest_configure(config: pytest.Config) -> None:
    # Several processes may run the cases; the one that hears of them all prints the lines.
    if every_case(config) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Lines(config), "fault-lines")
    if every_morning(config) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(MorningLines(config), "drill-lines")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found: list[Any] | None = getattr(metafunc.module, "CASES", None)
    if "case" in metafunc.fixturenames and found is not None:
        whole = every_morning if MORNING in f"::{metafunc.function.__name__}[" else every_case
        chosen = found if whole(metafunc.config) else [case for case in found if case.short]
        metafunc.parametrize("case", chosen, ids=str)


@dataclass
class Strikes:
    """What happens at which point, once each, in the order given."""

    waiting: list[tuple[tuple[str, str], Any]] = field(default_factory=list)

    def at(self, step: str, point: str, effect: Any) -> None:
        self.waiting.append(((step, point), effect))

    def reach(self, point: str, step: str) -> None:
        if self.waiting and self.waiting[0][0] == (step, point):
            self.waiting.pop(0)[1]()


@contextmanager
def wrapped_protocol() -> Iterator[Strikes]:
    """The protocol of this process, wrapped; waiting is cut short."""

    armed = Strikes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "SETTLE_DELAYS", (0.05, 0.05))
        points.install(armed.reach, patch.setattr)
        yield armed


@pytest.fixture
def strikes() -> Iterator[Strikes]:
    """The same for one test."""
    with wrapped_protocol() as armed:
        yield armed


CLIENT_SECONDS = 3.0


@pytest.fixture
def impatient_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client waits three seconds for an answer, so that a slow one can be waited out by a test."""
    from lead_demand.channels.google_ads.hook import GoogleAdsBudgetHook

    rows, set_amounts = GoogleAdsBudgetHook.rows, GoogleAdsBudgetHook.set_amounts
    monkeypatch.setattr(
        GoogleAdsBudgetHook,
        "rows",
        lambda self, account, query, timeout=0: rows(self, account, query, CLIENT_SECONDS),
    )
    monkeypatch.setattr(
        GoogleAdsBudgetHook,
        "set_amounts",
        lambda self, account, amounts, **options: set_amounts(
            self, account, amounts, **options | {"timeout": CLIENT_SECONDS}
        ),
    )
