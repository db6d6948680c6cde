"""``python -m sandbox --home DIR``: serve the sandbox until SIGTERM or SIGINT.

Writes DIR/ready.json once both servers answer: ``{"pid", "control", "env"}``, where ``env`` holds the Airflow
Connections and the CA that make the real Google clients come here. State, keys and ports are kept in DIR.
"""

from __future__ import annotations

import argparse
import fcntl
import gc
import json
import os
import signal
import sys
from pathlib import Path

from sandbox.google import pki, web
from sandbox.world import catalogue
from sandbox.world.state import State

_SCOPES = "https://www.googleapis.com/auth/webmasters.readonly,https://www.googleapis.com/auth/analytics.readonly"


def _environment(keys: pki.Keys, ads_port: int, http_port: int) -> dict[str, str]:
    """The environment in which unmodified Google clients and Airflow hooks reach this sandbox."""
    account = keys.service_account(f"http://127.0.0.1:{http_port}/token")
    connections = {
        "GOOGLE_CLOUD_DEFAULT": ("google_cloud_platform", {"keyfile_dict": account, "project": "sandbox"}),
        "GOOGLE_ADS_DEFAULT": (
            "google_ads",
            {
                "google_ads_client": {
                    "json_key_file_path": "from google_cloud_default",  # the hook wants some text here
                    "impersonated_email": catalogue.PIPELINE_USER,
                    "login_customer_id": catalogue.MANAGER,
                    "use_proto_plus": True,
                    "endpoint": f"localhost:{ads_port}",
                }
            },
        ),
        "GOOGLE_REPORTING": (
            "google_cloud_platform",
            {
                "keyfile_dict": account,
                "project": "sandbox",
                "scope": _SCOPES,
                "api_endpoint": f"http://127.0.0.1:{http_port}",
            },
        ),
    }
    env = {
        f"AIRFLOW_CONN_{name}": json.dumps({"conn_type": kind, "extra": extra})
        for name, (kind, extra) in connections.items()
    }
    return env | {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(keys.ca)}


def _write(path: Path, content: object) -> None:
    """Whole or not at all: somebody is waiting for this file to appear."""
    partial = path.with_suffix(".partial")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file)
    partial.replace(path)


def serve(home: Path, seed: int | None, segments: int | None) -> None:
    """Run until SIGTERM or SIGINT. Raises SystemExit when another sandbox has ``home``, or it holds another world."""
    home.mkdir(parents=True, exist_ok=True)
    lock = open(home / "lock", "w")  # noqa: SIM115 - held for the life of the process
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit(f"Another sandbox serves {home}. Nothing was started; stop it first, or use it.") from None
    ready, remembered = home / "ready.json", home / "ports.json"
    ready.unlink(missing_ok=True)
    try:
        state = State(home, seed, segments)
    except ValueError as e:
        raise SystemExit(str(e)) from None

    from sandbox.google.ads import (
        AdsServer,  # seconds of imports: only once it is certain that there is something to serve
    )

    keys = pki.load_or_make(home / "keys")
    ports = json.loads(remembered.read_text()) if remembered.exists() else {"ads": 0, "http": 0}
    ads = AdsServer(state)
    try:
        grpc_server, ads_port = ads.serve(keys.server_key, keys.server_chain, ports["ads"])
    except RuntimeError:  # somebody else took it meanwhile
        grpc_server, ads_port = ads.serve(keys.server_key, keys.server_chain)
    try:
        http_server = web.serve(state, ports["http"])
    except OSError:
        http_server = web.serve(state)
    http_port = http_server.server_address[1]

    # What was built so far stays, and rows of answers hold no cycles: collecting would cost a third of every answer.
    gc.freeze()
    gc.set_threshold(100_000)

    _write(remembered, {"ads": ads_port, "http": http_port})
    control = f"http://127.0.0.1:{http_port}{web.CONTROL}"
    _write(ready, {"pid": os.getpid(), "control": control, "env": _environment(keys, ads_port, http_port)})
    sys.stdout.write(f"Sandbox of {home}: today is {state.today()}, Google Ads on port {ads_port}, control {control}\n")
    sys.stdout.flush()

    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    ready.unlink(missing_ok=True)
    grpc_server.stop(grace=1).wait()
    http_server.shutdown()
    state.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="Serve the sandbox until SIGTERM.")
    parser.add_argument("--home", type=Path, required=True, help="folder of its state, keys and ready.json")
    home = parser.parse_args().home.resolve()
    # Before any thread starts, so that no thread of gRPC takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    seed, segments = os.environ.get("SANDBOX_SEED"), os.environ.get("SANDBOX_SEGMENTS")
    serve(home, int(seed) if seed else None, int(segments) if segments else None)


if __name__ == "__main__":
    main()
