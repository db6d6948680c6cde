"""The one file that Airflow's plugin loader sees: it registers what the library offers to Airflow itself."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from lead_demand.budgets.answer_check import AnswerCheck
from lead_demand.runs.timetable import DayAfterTimetable
from lead_demand.ui import mount


class LeadDemandPlugin(AirflowPlugin):
    name = "lead_demand"
    timetables = [DayAfterTimetable]  # noqa: RUF012  (Airflow reads a plain class attribute)
    fastapi_apps = [  # noqa: RUF012
        {"app": mount.Page(), "url_prefix": mount.PREFIX, "name": "the morning page"}
    ]
    external_views = mount.VIEWS
    fastapi_root_middlewares = [  # noqa: RUF012
        {"name": "answers, one at a time and as their form allows", "middleware": AnswerCheck}
    ]
