"""What Airflow imports by name from its settings, as Airflow itself does it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import REPOSITORY

CELERY = """
import sys
from airflow.providers.celery.executors.celery_executor import app
assert app.conf.task_acks_late and "pandas" not in sys.modules
app.loader.import_default_modules()
print("pandas" in sys.modules, "lead_demand.planner" in sys.modules, "google.ads.googleads.v26" in sys.modules)
"""
METADATA = """
from airflow import settings
settings.initialize()
sync, asynchronous = settings._get_connect_args("sync"), settings._get_connect_args("async")
print(sync.get("prepare_threshold", "absent"), sorted(asynchronous))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An AIRFLOW_HOME with the image's config folder."""
    (tmp_path / "config").symlink_to(REPOSITORY / "config")
    return tmp_path


def python(code: str, home: Path, **settings: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    environment = {
        **kept,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_a_worker_loads_what_tasks_need_before_it_forks_and_the_scheduler_does_not(home: Path) -> None:
    loaded = python(
        CELERY,
        home,
        CELERY__BROKER_URL="redis://127.0.0.1:1/0",
        CELERY__RESULT_BACKEND="redis://127.0.0.1:1/1",
        CELERY__CELERY_CONFIG_OPTIONS="celery_worker.CONFIG",
    )
    assert loaded == "True True True"


def test_airflow_finds_the_settings_of_a_pooler(home: Path) -> None:
    told = python(
        METADATA,
        home,
        DATABASE__SQL_ALCHEMY_CONNECT_ARGS="metadata_pooler.SYNC",
        DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC="metadata_pooler.ASYNC",
    )
    assert told == "None ['prepared_statement_cache_size', 'prepared_statement_name_func', 'statement_cache_size']"
