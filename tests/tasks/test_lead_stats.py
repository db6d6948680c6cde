"""The tasks of lead_stats in Airflow: what its report names as the cause."""

from __future__ import annotations

import logging

import pytest

from lead_demand.tasks.lead_stats import announce_day, report
from tests.fixtures.morning import Morning

REPORT, ANNOUNCE = report.function.__name__, announce_day.function.__name__


def test_leads_that_could_not_be_attributed_are_the_cause_that_the_report_gives(
    morning: Morning, caplog: pytest.LogCaptureFixture
) -> None:
    morning.db.fetch("delete from lead_generation_stats where date = lead_today() - 1")
    morning.db.fetch("delete from channel_metrics where date = lead_today() - 1 and channel = 'leads'")
    morning.db.fetch("alter table leads rename column region to area")
    caplog.set_level(logging.INFO)
    run = morning.run("lead_stats")
    assert (run.tasks["attribute_leads"], run.tasks[REPORT], run.tasks[ANNOUNCE]) == (
        "failed",
        "failed",
        "upstream_failed",
    )
    assert "Failed before this report: attribute_leads" in caplog.text
    assert "Read the log of attribute_leads; this task needs no repair of its own." in caplog.text
    assert "That follows from what failed before it: attribute_leads." in caplog.text
