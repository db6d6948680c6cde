"""The steps of the Dockerfile in their order, on a clean Python: what can be known of the image without an engine.

Not played: the base image, its entrypoint and its user. Long, because pip downloads every package. `LEADS_TEST_PYTHON`
names an interpreter of the image's version where uv finds none; without one it is this Python.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import REPOSITORY

DOCKERFILE = REPOSITORY / "Dockerfile"
# The Google provider's modules that need what is left out.
WITHOUT_RAY = {
    f"airflow.providers.google.cloud.{kind}.{name}"
    for kind in ("hooks", "operators")
    for name in ("ray", "vertex_ai.ray")
}
IMPORT_ALL = """
import importlib, pkgutil
import airflow.providers.google as provider
for module in pkgutil.walk_packages(provider.__path__, provider.__name__ + "."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        print(module.name, error.name)
    except Exception:
        pass  # another provider, or a library that the provider itself calls optional
"""


def instructions() -> Iterator[tuple[str, str]]:
    """(COPY, RUN or ENV, the rest of its line), continued lines joined."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, rest = line.partition(" ")
        if word in ("COPY", "RUN", "ENV"):
            yield word, rest


class Replay:
    """A folder in place of the image's root, with a virtual environment in place of its Python."""

    def __init__(self, root: Path, version: str) -> None:
        self.root = root
        uv = [sys.executable, "-m", "uv"]
        found = subprocess.run([*uv, "python", "find", version], capture_output=True, text=True, check=False)
        python = os.environ.get("LEADS_TEST_PYTHON") or found.stdout.strip() or sys.executable
        subprocess.run([*uv, "venv", "--quiet", "--seed", "--python", python, root / "venv"], check=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
        self.environment = {
            **kept,
            "PATH": f"{root / 'venv/bin'}:/usr/bin:/bin",
            "AIRFLOW_HOME": str(root / "opt/airflow"),
        }
        self.copied: list[str] = []

    def below_root(self, text: str) -> str:
        """The same command with each place that was copied to, or below Airflow's home, in the folder."""
        places = "|".join(re.escape(place) for place in (*self.copied, "/opt/airflow"))
        return re.sub(rf"(?<![\w.])({places})", lambda found: f"{self.root}{found[1]}", text)

    def step(self, word: str, rest: str) -> None:
        if word == "COPY":
            source, target = [part for part in rest.split() if not part.startswith("--")]
            place = self.root / target.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            ignored = shutil.ignore_patterns("__pycache__", "vendor")
            origin = REPOSITORY / source
            shutil.copytree(origin, place, ignore=ignored) if origin.is_dir() else shutil.copy(origin, place)
            self.copied.append(target)
        elif word == "ENV":
            self.environment.update(re.findall(r"(\w+)=(\S+)", rest))
        else:
            self.run("bash", "-euo", "pipefail", "-c", self.below_root(rest))

    def run(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout


@pytest.mark.long
def test_the_steps_of_the_dockerfile_make_an_airflow_that_reads_the_dags(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    base = re.search(r"-python([\d.]+)", DOCKERFILE.read_text())
    assert base is not None
    image = Replay(tmp_path, base[1])
    request.addfinalizer(lambda: shutil.rmtree(tmp_path / "venv"))  # two gigabytes, and pytest keeps three of each
    for word, rest in instructions():
        image.step(word, rest)
    assert "3.3.2" in image.run("airflow", "version")
    assert list((tmp_path / "opt/airflow/plugins/lead_demand/ui/static/vendor").glob("*.js"))
    # As the containers are told, by Compose and by the chart.
    image.environment.update(
        AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS="celery_worker.CONFIG",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC="metadata_pooler.ASYNC",
        AIRFLOW__CELERY__BROKER_URL="redis://127.0.0.1:1/0",
        AIRFLOW__CELERY__RESULT_BACKEND="redis://127.0.0.1:1/1",
    )
    image.run("airflow", "db", "migrate")
    dags = image.run("airflow", "dags", "list", "--local", "--output", "plain")
    assert {path.stem for path in (REPOSITORY / "dags").glob("*.py")} <= set(
        re.findall(r"^lead_\w+", dags, re.MULTILINE)
    )
    loaded = "from airflow.providers.celery.executors.celery_executor import app; app.loader.import_default_modules(); "
    assert "True" in image.run("python", "-c", f"{loaded} import sys; print('lead_demand.planner' in sys.modules)")
    # What is left out breaks nothing of the Google provider but what is about Ray itself.
    missing = dict(line.split() for line in image.run("python", "-c", IMPORT_ALL).splitlines() if line.count(" ") == 1)
    ours = {module for module, name in missing.items() if re.match(r"ray|litellm|google\.", name)}
    assert ours <= WITHOUT_RAY
