"""Which failed task of a run is its cause."""

from __future__ import annotations

from typing import Any

import pytest

from lead_demand.runs.task_ids import CHANGE_BUDGETS
from lead_demand.runs.this_run import failed_tasks, instance_of


@pytest.mark.parametrize(
    ("failed", "cause"),
    [
        ({"attribute_leads", "check_stats.check_every_segment_has_a_row"}, "attribute_leads"),
        ({"pull_channels.pull_leads", "check_stats.check_every_segment_has_a_row"}, "pull_channels.pull_leads"),
        (
            {"pull_channels.pull_google_ads_1", "announce_day", "check_stats.record_sums"},
            "pull_channels.pull_google_ads_1",
        ),
        ({"update_lead_gap", "upsert_lead_generation_stats"}, "upsert_lead_generation_stats"),
    ],
)
def test_the_earliest_task_that_failed_is_the_cause_whatever_its_name(
    dagbag: Any, failed: set[str], cause: str
) -> None:
    states = dict.fromkeys(sorted(failed), "failed") | {"report": "running", "pull_channels.pull_ga4_0": "success"}
    assert failed_tasks(dagbag.dags["lead_stats"], states)[0] == cause
    assert set(failed_tasks(dagbag.dags["lead_stats"], states)) == failed


def test_a_mapped_instance_belongs_to_its_task_and_another_name_to_none() -> None:
    tasks = {"pull_ga4", "read_budgets"}
    assert instance_of("read_budgets_12", tasks) == "read_budgets"
    assert instance_of("pull_ga4", tasks) == "pull_ga4"
    assert instance_of("pull_ga4_0", tasks) == "pull_ga4"
    assert instance_of("pull_ga", tasks) is None
    assert instance_of("report_late", {"report"}) is None


def test_the_tasks_that_change_budgets_are_tasks_of_the_dags(dagbag: Any) -> None:
    assert {task for dag in dagbag.dags.values() for task in dag.task_ids} >= CHANGE_BUDGETS
