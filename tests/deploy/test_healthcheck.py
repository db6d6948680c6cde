"""The health check of the image, per component."""

import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tools import REPOSITORY

SCRIPT = REPOSITORY / "deploy" / "healthcheck.sh"
PORT_OF = {
    "api-server": "AIRFLOW__API__PORT",
    "scheduler": "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT",
}


class Component(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        known = self.path in ("/health", "/api/v2/monitor/health")
        self.send_response(type(self).status if known else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def component() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Component)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def check(command: str, **environment: str) -> int:
    asked = ["bash", str(SCRIPT), command]
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", **environment}
    return subprocess.run(asked, env=env, capture_output=True, check=False).returncode


@pytest.mark.parametrize("name", PORT_OF)
def test_it_asks_the_component_that_runs(name: str, component: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    port = {PORT_OF[name]: str(component.server_port)}
    command = f"/usr/bin/dumb-init -- /entrypoint {name}"
    assert check(command, **port) == 0
    monkeypatch.setattr(Component, "status", 503)
    assert check(command, **port) != 0
    component.server_close()


@pytest.mark.parametrize("name", PORT_OF)
def test_a_component_that_does_not_answer_is_not_healthy(name: str) -> None:
    assert check(name, **{PORT_OF[name]: "1"}) != 0


def test_a_command_that_ends_by_itself_is_not_asked() -> None:
    assert check("airflow version") == 0


def test_airflow_knows_the_commands_that_are_asked() -> None:
    from airflow.cli.cli_parser import get_parser

    asked = re.findall(r"exec airflow (jobs check .*?) ;;", SCRIPT.read_text())
    kinds = [get_parser().parse_args(command.split()).job_type for command in asked]
    assert kinds == ["DagProcessorJob", "TriggererJob"]
