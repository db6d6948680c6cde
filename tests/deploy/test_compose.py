"""The Compose file, as Docker Compose itself reads it."""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tools import REPOSITORY, deployment
from tools.deployment import COMPOSE, EXAMPLE, compose, variables

REQUIRED = sorted(name for name, default in variables().items() if default is None)
FILLED = {name: f"value_of_{name}" for name in REQUIRED}
AIRFLOW = {"airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer", "airflow-worker"}
# What only those need that speak to the metadata database, or sign and check the tokens of tasks.
METADATA = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
}


@cache
def read() -> dict[str, Any]:
    """The file as Compose understands it, its variables filled in."""
    done = compose(FILLED, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services


def example() -> dict[str, str]:
    """The variables of .env.example with what stands behind them."""
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_it_has_every_component_of_airflow_and_what_they_need() -> None:
    assert set(read()) == {*AIRFLOW, "airflow-init", "postgres", "redis"}
    commands = {name: service["command"] for name, service in read().items() if name in AIRFLOW}
    assert commands == {
        "airflow-apiserver": ["api-server"],
        "airflow-scheduler": ["scheduler"],
        "airflow-dag-processor": ["dag-processor"],
        "airflow-triggerer": ["triggerer"],
        "airflow-worker": ["celery", "worker"],
    }
    assert {service["image"] for name, service in read().items() if name.startswith("airflow-")} == {"lead-demand"}


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_a_missing_secret_stops_the_start_and_is_named(name: str, how: str) -> None:
    values = {**FILLED, name: ""} if how == "empty" else {key: value for key, value in FILLED.items() if key != name}
    done = compose(values, "--quiet")
    assert done.returncode != 0
    assert f"required variable {name} is missing a value" in done.stderr


def test_no_secret_has_a_default() -> None:
    secret = {name for name in variables() if re.search("PASSWORD|KEY|SECRET|CONN", name)}
    assert secret - set(REQUIRED) == {"AIRFLOW_CONN_LEAD_DEMAND_ALERTS"}
    assert len(secret) > 5
    assert {name: value for name, value in example().items() if name in secret and value} == {}


def test_every_variable_is_described_with_its_default() -> None:
    assert example() == {name: default or "" for name, default in variables().items()}


def test_a_copy_of_the_example_starts_nothing() -> None:
    done = compose(example(), "--quiet")
    assert done.returncode != 0
    assert "is missing a value" in done.stderr


def test_git_ignores_what_holds_the_secrets() -> None:
    ignored = (REPOSITORY / ".gitignore").read_text().splitlines()
    assert {"/.env", "/airflow_settings.yaml"} <= set(ignored)


def test_a_worker_has_no_login_at_the_metadata_database() -> None:
    worker = read()["airflow-worker"]["environment"]
    assert METADATA.isdisjoint(worker)
    assert not [name for name, value in worker.items() if "value_of_POSTGRES_PASSWORD" in value]
    # Unset, it would be the metadata database.
    assert worker["AIRFLOW__CELERY__RESULT_BACKEND"].startswith("celery_results.PatientRedis+redis://")
    # The image waits for a metadata database otherwise.
    assert worker["CONNECTION_CHECK_MAX_COUNT"] == "0"


@pytest.mark.parametrize("name", sorted(AIRFLOW - {"airflow-worker"}))
def test_the_others_share_the_keys_of_the_metadata_database(name: str) -> None:
    others = {key: read()[name]["environment"][key] for key in METADATA}
    assert others == {key: read()["airflow-scheduler"]["environment"][key] for key in METADATA}


@pytest.mark.parametrize("name", sorted(AIRFLOW))
def test_logs_of_workers_can_be_read_because_all_share_one_key(name: str) -> None:
    assert read()[name]["environment"]["AIRFLOW__API__SECRET_KEY"] == "value_of_AIRFLOW_API_SECRET_KEY"
    assert [each["target"] for each in read()[name]["volumes"]] == ["/opt/airflow/logs"]


def test_connections_are_where_they_are_used_and_nowhere_else() -> None:
    given = {
        name: {key for key in service.get("environment", {}) if key.startswith("AIRFLOW_CONN_")}
        for name, service in read().items()
    }
    described = set(re.findall(r"^\s*\| `(\w+)` \|", (REPOSITORY / "docs/production.md").read_text(), re.MULTILINE))
    assert len(described) == 5
    assert {name: found for name, found in given.items() if found} == {
        "airflow-worker": {f"AIRFLOW_CONN_{connection.upper()}" for connection in described},
        "airflow-apiserver": {"AIRFLOW_CONN_LEADS_DB"},
        "airflow-dag-processor": {"AIRFLOW_CONN_LEAD_DEMAND_ALERTS"},
    }


def test_only_the_ui_can_be_reached_and_only_from_this_machine() -> None:
    ports = {name: service["ports"] for name, service in read().items() if "ports" in service}
    assert [(name, each["host_ip"], each["published"]) for name, found in ports.items() for each in found] == [
        ("airflow-apiserver", "127.0.0.1", "8080")
    ]


def test_what_serves_is_watched_and_started_again() -> None:
    for name, service in read().items():
        if name == "airflow-init":
            assert service["restart"] == "no"
        else:
            assert service["restart"] == "always", name
            # Without a test of its own it is the image's.
            assert service["healthcheck"]["retries"] == 5
            assert ("test" in service["healthcheck"]) == (name not in AIRFLOW)


def test_nothing_starts_before_the_metadata_is_migrated() -> None:
    for name in AIRFLOW:
        waits = read()[name]["depends_on"]
        assert waits["airflow-init"]["condition"] == "service_completed_successfully"
        assert waits["postgres"]["condition"] == waits["redis"]["condition"] == "service_healthy"


def test_no_container_of_airflow_runs_as_root_or_gains_rights() -> None:
    for name, service in read().items():
        if name.startswith("airflow-"):
            assert "user" not in service, "the image's own user is not root"
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]


def test_a_running_task_may_end_when_its_worker_is_stopped() -> None:
    worker = read()["airflow-worker"]
    assert worker["environment"]["DUMB_INIT_SETSID"] == "0"
    assert worker["stop_grace_period"] == "10m0s"


def test_dags_begin_paused() -> None:
    for name in AIRFLOW:
        assert read()[name]["environment"]["AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"] == "true"


def test_a_key_in_a_connection_arrives_as_it_is() -> None:
    key = {"type": "service_account", "private_key": "-----BEGIN $KEY-----\nab${c}+/=\n", "client_email": "a@b.c"}
    connection = json.dumps({"conn_type": "google_cloud_platform", "extra": {"keyfile_dict": json.dumps(key)}})
    done = compose({**FILLED, "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": f"'{connection}'"}, "--format", "json")
    environment = json.loads(done.stdout)["services"]["airflow-worker"]["environment"]
    # `config` doubles each $, so that its output can be read again.
    assert environment["AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT"].replace("$$", "$") == connection


def test_the_forms_of_connections_in_the_example_are_what_airflow_reads() -> None:
    from airflow.sdk import Connection

    forms = re.findall(r"^# (AIRFLOW_CONN_\w+)='(.*)'$", EXAMPLE.read_text(), re.MULTILINE)
    assert [name for name, _ in forms] == [
        name for name in example() if name in REQUIRED and name.startswith("AIRFLOW_CONN_")
    ]
    for name, form in forms:
        connection = Connection.from_json(form, conn_id=name.removeprefix("AIRFLOW_CONN_").lower())
        assert connection.conn_type in {"postgres", "google_cloud_platform", "google_ads"}
    leads = Connection.from_json(dict(forms)["AIRFLOW_CONN_LEADS_DB"], conn_id="leads_db")
    assert leads.extra_dejson["prepare_threshold"] is None


def test_the_schema_of_compose_finds_a_misspelt_key(tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yaml"
    broken.write_text(COMPOSE.read_text().replace("    command: celery worker", "    comand: celery worker"))
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [program, "--builtin-schema", "vendor.compose-spec", broken]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 1
    assert "comand" in checked.stdout


def test_lint_fails_on_what_compose_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "docker-compose.yaml"
    broken.write_text(COMPOSE.read_text().replace("  - logs:/opt", "  - log:/opt"))
    monkeypatch.setattr(deployment, "COMPOSE", broken)
    assert deployment.main() == 1
