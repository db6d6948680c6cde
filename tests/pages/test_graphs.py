"""The graphs of the README, as Airflow's own pages draw them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.real_airflow import RealAirflow

if TYPE_CHECKING:
    from playwright.sync_api import Page

# The frame and buttons of the graph are no part of the picture.
HIDDEN = ".react-flow__minimap, .react-flow__controls, .react-flow__panel { display: none !important }"


# Slow, and about the README alone.
@pytest.mark.skipif(not os.environ.get("LEADS_TEST_SCREENSHOTS"), reason="the graphs are drawn by make screenshots")
@pytest.mark.parametrize("dag_id", ["lead_stats", "lead_budgets"])
def test_the_graph_shows_every_task_by_its_name(
    dag_id: str, dagbag: Any, real_airflow: RealAirflow, page: Page, screenshot: Callable[[str], Path]
) -> None:
    page.set_viewport_size({"width": 2400, "height": 1000})
    page.goto(f"{real_airflow.url}/dags/{dag_id}")
    page.get_by_label("Show Graph").click()
    nodes = page.locator(".react-flow__node")
    nodes.first.wait_for()
    if any("." in task.task_id for task in dagbag.dags[dag_id].tasks):
        page.get_by_label("Expand all task groups").click()
    for task in dagbag.dags[dag_id].tasks:
        nodes.get_by_text(task.label, exact=False).first.wait_for()
    page.locator(".react-flow__controls-fitview").click()
    page.wait_for_timeout(1_000)  # the view glides to its place
    page.add_style_tag(content=HIDDEN)
    boxes = [box for box in (node.bounding_box() for node in nodes.all()) if box]
    left, top = min(box["x"] for box in boxes) - 20, min(box["y"] for box in boxes) - 20
    right = max(box["x"] + box["width"] for box in boxes) + 20
    bottom = max(box["y"] + box["height"] for box in boxes) + 20
    page.screenshot(path=screenshot(dag_id), clip={"x": left, "y": top, "width": right - left, "height": bottom - top})
