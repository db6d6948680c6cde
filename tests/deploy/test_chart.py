"""The Helm values. `LEADS_TEST_CHART` names Airflow's official chart, which no registry has; helm renders it."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import REPOSITORY
from tools.chart import FOLDER, SCHEMA, VALUES, ChartError, excerpt, merged, schema_of, unpacked

CHART = os.environ.get("LEADS_TEST_CHART")
COMPONENTS = {"api-server", "scheduler", "dag-processor", "triggerer", "worker"}
with_the_chart = pytest.mark.skipif(
    not (CHART and shutil.which("helm")), reason="LEADS_TEST_CHART names no chart, or there is no helm"
)


def values(*files: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in files:
        found = merged(found, yaml.safe_load(file.read_text()))
    return found


def names_of_secrets(of: dict[str, Any]) -> set[str]:
    return set(
        re.findall(
            r"lead-demand-(?:keys|metadata|result-backend|broker|redis|connections|pgbouncer|admin)\b", yaml.dump(of)
        )
    )


@cache
def rendered(*files: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """(kind, name) -> object."""
    assert CHART is not None
    command = ["helm", "template", "lead-demand", CHART, "--namespace", "lead-demand", "--kube-version", "1.33"]
    for file in files:
        command += ["--values", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    objects = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def containers(of: dict[str, Any]) -> list[dict[str, Any]]:
    pod = of["spec"]["template"]["spec"]
    return [*pod.get("initContainers", []), *pod["containers"]]


def lint(*files: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("check-jsonschema")
    return subprocess.run([program, "--schemafile", SCHEMA, *files], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("  celery:\n    # A morning", "  celery:\n    replcas: 2\n    # A morning"),
        ("apiServer:", "apiServr:"),
        ("executor: CeleryExecutor", "executor: 5"),
        ("enabled: true", "enabled: sometimes"),
    ],
)
def test_lint_refuses_what_the_chart_would_accept_without_a_word(right: str, wrong: str, tmp_path: Path) -> None:
    assert lint(*VALUES).returncode == 0
    broken = tmp_path / "values.yaml"
    text = VALUES[0].read_text()
    assert right in text
    broken.write_text(text.replace(right, wrong, 1))
    assert lint(broken).returncode == 1


def test_a_key_that_the_chart_does_not_have_is_named() -> None:
    with pytest.raises(ChartError, match=r"workers\.celery\.replcas"):
        excerpt({"workers": {"celery": {"replcas": 2}}}, {}, {"workers": {"celery": {"replicas": 1}}})


def test_no_secret_is_written_down() -> None:
    takes_a_secret = {"pass", "password", "fernetKey", "apiSecretKey", "jwtSecret", "brokerUrl", "metadataConnection"}
    for file in VALUES:
        assert takes_a_secret.isdisjoint(re.findall(r"[\w.]+(?=:)", file.read_text()))


def test_every_secret_is_described() -> None:
    documented = (REPOSITORY / "docs/deploy.md").read_text()
    names = names_of_secrets(values(*VALUES))
    assert len(names) == 8
    for name in names:
        assert f"`{name}`" in documented


def test_the_settings_by_name_are_modules_of_the_image() -> None:
    config = values(*VALUES)["config"]
    named = [
        config["database"]["sql_alchemy_connect_args"],
        config["database"]["sql_alchemy_connect_args_async"],
        config["celery"]["celery_config_options"],
    ]
    for name in named:
        module, _, attribute = name.rpartition(".")
        assert re.search(rf"^{attribute}\b", (REPOSITORY / f"config/{module}.py").read_text(), re.MULTILINE)


def test_the_pooler_of_the_metadata_needs_what_the_drivers_are_told() -> None:
    ini = (FOLDER / "pgbouncer.ini").read_text()
    assert "pool_mode = transaction" in ini
    assert values(VALUES[0])["pgbouncer"]["configSecretName"] == "lead-demand-pgbouncer"


@with_the_chart
def test_the_schema_that_lint_uses_is_that_of_the_chart(tmp_path: Path) -> None:
    assert CHART is not None
    assert SCHEMA.read_text() == schema_of(unpacked(Path(CHART), tmp_path))


@with_the_chart
def test_celery_renders_every_component_from_this_image() -> None:
    objects = rendered(VALUES[0])
    deployed = {name for kind, name in objects if kind in ("Deployment", "StatefulSet")}
    assert {f"lead-demand-{name}" for name in COMPONENTS} | {"lead-demand-redis", "lead-demand-pgbouncer"} <= deployed
    for name in COMPONENTS:
        for container in containers(objects["Deployment", f"lead-demand-{name}"]):
            assert container["image"] == "lead-demand:latest"
    limits = containers(objects["Deployment", "lead-demand-worker"])[-1]["resources"]["limits"]
    assert limits == values(VALUES[0])["workers"]["celery"]["resources"]["limits"]


@with_the_chart
def test_keda_asks_for_a_worker_per_four_tasks() -> None:
    scaled = rendered(VALUES[0])["ScaledObject", "lead-demand-worker"]["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (1, 3)
    assert scaled["scaleTargetRef"]["kind"] == "Deployment"
    assert "COUNT(*)::decimal / 4" in scaled["triggers"][0]["metadata"]["query"]


@with_the_chart
@pytest.mark.parametrize("files", [VALUES[:1], VALUES], ids=["celery", "kubernetes"])
def test_no_secret_is_made_by_the_chart(files: tuple[Path, ...]) -> None:
    objects = rendered(*files)
    assert [name for kind, name in objects if kind == "Secret"] == []


@with_the_chart
@pytest.mark.parametrize("files", [VALUES[:1], VALUES], ids=["celery", "kubernetes"])
def test_migrations_go_past_the_pooler_and_are_no_hooks(files: tuple[Path, ...]) -> None:
    objects = rendered(*files)
    job = objects["Job", "lead-demand-run-airflow-migrations"]
    assert not [key for key in job["metadata"].get("annotations", {}) if key.startswith("helm.sh/")]
    (container,) = containers(job)
    direct = next(each for each in container["env"] if each["name"] == "METADATA_DIRECT")
    assert direct["valueFrom"]["secretKeyRef"] == {"name": "lead-demand-metadata", "key": "direct"}
    assert 'SQL_ALCHEMY_CONN="$METADATA_DIRECT"' in container["args"][-1]


@with_the_chart
def test_the_first_user_has_a_password_of_a_secret() -> None:
    (container,) = containers(rendered(VALUES[0])["Job", "lead-demand-create-user"])
    assert "admin@example.com" in container["args"][-1]
    assert '--password "$ADMIN_PASSWORD"' in container["args"][-1]


@with_the_chart
@pytest.mark.parametrize("files", [VALUES[:1], VALUES], ids=["celery", "kubernetes"])
def test_airflow_is_told_how_to_connect_and_what_to_load(files: tuple[Path, ...]) -> None:
    cfg = rendered(*files)["ConfigMap", "lead-demand-config"]["data"]["airflow.cfg"]
    for line in (
        "sql_alchemy_connect_args = metadata_pooler.SYNC",
        "sql_alchemy_connect_args_async = metadata_pooler.ASYNC",
        "celery_config_options = celery_worker.CONFIG",
        "default_timezone = Europe/Amsterdam",
        "worker_concurrency = 4",
        "visibility_timeout = 86400",
    ):
        assert line in cfg


@with_the_chart
def test_kubernetes_starts_a_pod_per_task_from_this_image() -> None:
    objects = rendered(*VALUES)
    names = {name for kind, name in objects if kind in ("Deployment", "StatefulSet")}
    assert not names & {"lead-demand-worker", "lead-demand-redis"}
    assert ("ScaledObject", "lead-demand-worker") not in objects
    pod = yaml.safe_load(objects["ConfigMap", "lead-demand-config"]["data"]["pod_template_file.yaml"])
    (container,) = pod["spec"]["containers"]
    assert container["image"] == "lead-demand:latest"
    assert container["resources"]["limits"] == {"memory": "1Gi"}
    assert container["envFrom"] == [{"secretRef": {"name": "lead-demand-connections"}}]
    # A pod speaks to the API, with a token that it cannot sign itself.
    assert "AIRFLOW__API_AUTH__JWT_SECRET" not in {each["name"] for each in container["env"]}
