"""A channel of a company's own, which is free and comes as a file: one module and one entry, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from lead_demand.channels.pull import pull
from lead_demand.errors import SourceRefused, SourceUnavailable
from lead_demand.runs.day import Window
from tests.channels.added.conftest import HERE, LISTING, PUBLISHER, YESTERDAY, Company

WEEK = Window(YESTERDAY - timedelta(days=6), YESTERDAY)
DAYS = [str(WEEK.first + timedelta(days=number)) for number in range(7)]
ROOT = Path(__file__).resolve().parents[3]


def publish(company: Company, *rows: str, days: list[str] = DAYS) -> None:
    """The publisher's file: 10 clicks and 20 visits on each day, and these rows."""
    lines = ["listing,date,clicks,visits", *(f"{LISTING},{day},10,20" for day in days), *rows]
    (company.files / f"{PUBLISHER}.csv").write_text("\n".join(lines) + "\n")


def pulled(company: Company) -> dict[str, tuple[int, int]]:
    """Pull the week, and give what is then kept: day -> clicks and visits."""
    pull("local_directory", PUBLISHER, WEEK, "a run")
    return {str(row["date"]): (row["clicks"], row["visits"]) for row in company.metrics("local_directory")}


def test_a_file_of_figures_per_day_is_pulled_into_the_metrics(company: Company) -> None:
    publish(company)
    assert pulled(company) == dict.fromkeys(DAYS, (10, 20))
    assert company.db.fetch("select * from pipeline_findings") == []
    (fetch,) = company.db.fetch("select * from channel_fetches where channel = 'local_directory'")
    assert (fetch["account"], fetch["date_from"], fetch["date_to"]) == (PUBLISHER, WEEK.first, WEEK.last)


def test_what_is_wrong_in_a_file_is_a_finding_and_leaves_the_other_days(company: Company) -> None:
    publish(company, f"{LISTING},{DAYS[2]},10,20", "timmerlieden/utrecht,2020-01-01,5,5", days=[*DAYS[:6]])
    text = (company.files / f"{PUBLISHER}.csv").read_text()
    (company.files / f"{PUBLISHER}.csv").write_text(text.replace(f"{DAYS[4]},10,", f"{DAYS[4]},veel,"))
    kept = dict.fromkeys([day for day in DAYS[:6] if day not in (DAYS[2], DAYS[4])], (10, 20))
    assert pulled(company) == kept
    (impossible, *_) = [row for row in company.findings("impossible_metric") if str(row["date"]) == DAYS[4]]
    assert "clicks=veel" in impossible["detail"] and impossible["segment_id"] == company.segment
    assert [str(row["date"]) for row in company.findings("duplicate_row")] == [DAYS[2]]
    assert [str(row["date"]) for row in company.findings("day_without_rows")] == [DAYS[6]]

    publish(company)
    assert pulled(company) == dict.fromkeys(DAYS, (10, 20))
    assert not any(map(company.findings, ("impossible_metric", "duplicate_row", "day_without_rows")))


def test_a_file_that_is_missing_is_waited_for_and_one_in_another_form_needs_a_person(company: Company) -> None:
    with pytest.raises(SourceUnavailable, match=r"gouden-gids\.csv is not there yet"):
        pulled(company)
    (company.files / f"{PUBLISHER}.csv").write_text("advertentie;datum\n")
    with pytest.raises(SourceRefused, match="Ask the publisher"):
        pulled(company)
    assert company.metrics("local_directory") == []


@pytest.mark.usefixtures("airflow_metadata")
def test_lead_stats_pulls_what_the_import_path_adds() -> None:
    listed = (
        "from airflow.dag_processing.dagbag import DagBag; bag = DagBag(dag_folder='dags/lead_stats.py');"
        "print(bag.import_errors, *bag.dags['lead_stats'].task_ids, sep='\\n')"
    )
    paths = ":".join(map(str, [HERE, ROOT / "plugins"]))
    found = subprocess.run(
        [sys.executable, "-c", listed],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ) | {"PYTHONPATH": paths},
    ).stdout
    assert "{}" in found
    assert {"pull_channels.pull_local_directory", "pull_channels.pull_regional_ads"} <= set(found.split())
