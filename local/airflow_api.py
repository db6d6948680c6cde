"""The few calls to Airflow's REST API that a morning on one machine needs."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx

from local import LocalError

ACTIVE = ("queued", "running")


class AirflowApiError(LocalError):
    """Airflow refused a request, or did not answer."""


class AirflowApi:
    """A client of one Airflow API server, logged in as its admin."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._credentials = {"username": user, "password": password}
        # No proxy of the user's may stand between this process and its own machine.
        self._client = httpx.Client(base_url=url, timeout=120, trust_env=False)

    def is_up(self) -> bool:
        """Does the API server answer?"""
        try:
            return self._client.get("/api/v2/version", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def health(self) -> dict[str, dict[str, Any]]:
        """What Airflow says of its database and of each component: `status`, and the time of its last heartbeat."""
        return dict(self.request("GET", "/monitor/health"))

    def request(self, method: str, path: str, **arguments: Any) -> Any:  # noqa: ANN401 - decoded JSON
        """One call below /api/v2, logging in first or again when needed; returns the decoded JSON body."""
        for attempt in (1, 2, 3):
            try:
                if "authorization" not in self._client.headers:
                    answer = self._client.post("/auth/token", json=self._credentials)
                    answer.raise_for_status()
                    self._client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
                answer = self._client.request(method, f"/api/v2{path}", **arguments)
                if answer.status_code == httpx.codes.UNAUTHORIZED and attempt < 3:
                    del self._client.headers["authorization"]
                    continue
                answer.raise_for_status()
                return answer.json() if answer.content else None
            except httpx.TransportError as error:
                if attempt == 3 or method != "GET":  # only a read may be repeated blindly
                    raise AirflowApiError(f"Airflow's API did not answer {method} {path}: {error!r}") from error
                time.sleep(1)
            except httpx.HTTPStatusError as error:
                raise AirflowApiError(
                    f"Airflow refused {method} {error.request.url.path}: "
                    f"{error.response.status_code} {error.response.text[:500]}"
                ) from error
        raise AssertionError("unreachable")

    def pages(self, path: str, key: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Every item of a paged listing."""
        offset = 0
        while True:
            page = self.request("GET", path, params=parameters | {"limit": 100, "offset": offset})
            yield from page[key]
            offset += len(page[key])
            if not page[key] or offset >= page["total_entries"]:
                return

    def dags(self) -> dict[str, dict[str, Any]]:
        """DAG id -> the DAG, of every DAG that was parsed."""
        return {dag["dag_id"]: dag for dag in self.pages("/dags", "dags")}

    def import_errors(self) -> list[dict[str, Any]]:
        """Files that could not be parsed: `filename` and `stack_trace`."""
        return list(self.pages("/importErrors", "import_errors"))

    def set_paused(self, dag_id: str, paused: bool) -> None:
        """Pause a DAG or let it run."""
        self.request("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})

    def trigger(
        self,
        dag_id: str,
        conf: dict[str, Any] | None = None,
        due: datetime | None = None,
        run_id: str | None = None,
    ) -> str:
        """Start a manual run; returns its run id. Of several runs that wait, the one longest `due` starts first."""
        body: dict[str, Any] = {"logical_date": None, "conf": conf or {}}
        if run_id:
            body["dag_run_id"] = run_id
        if due:
            body["run_after"] = due.isoformat()
        return str(self.request("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run."""
        return dict(self.request("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))

    def runs(self, dag_id: str, **filters: Any) -> list[dict[str, Any]]:
        """The runs of a DAG, newest first."""
        return list(self.pages(f"/dags/{dag_id}/dagRuns", "dag_runs", order_by="-run_after", **filters))

    def is_caught_up(self, dag_id: str) -> bool:
        """Has the schedule of a DAG that is not paused started every run that is due by now?"""
        due = self.dags()[dag_id]["next_dagrun_run_after"]
        return due is not None and datetime.fromisoformat(due) > datetime.now(tz=UTC)

    def fail_run(self, dag_id: str, run_id: str) -> None:
        """Close a run as failed, its unfinished tasks with it."""
        self.request("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}", json={"state": "failed"})

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        return list(self.pages(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances"))

    def runs_started_by(self, dag_id: str, run_id: str) -> list[tuple[str, str]]:
        """(DAG id, run id) of the runs that this run's asset events have started."""
        events = self.pages("/assets/events", "asset_events", source_dag_id=dag_id, source_run_id=run_id)
        return [(run["dag_id"], run["run_id"]) for event in events for run in event["created_dagruns"]]

    def announced(self, dag_id: str, run_id: str) -> bool:
        """Has this run emitted an asset event?"""
        return any(self.pages("/assets/events", "asset_events", source_dag_id=dag_id, source_run_id=run_id))

    def log(self, task: dict[str, Any], *, frames: bool = False) -> list[str]:
        """The lines of a task's last try; tracebacks are shortened to the errors themselves, or with `frames` to the
        places they came from.
        """
        lines = []
        for entry in self._log(task):
            text = entry if isinstance(entry, str) else str(entry.get("event", ""))
            if not text.startswith("::"):  # folding marks of the UI
                lines += [*text.splitlines(), *_errors(entry, frames)]
            if text == "Worker startup parse complete":  # what the task itself says begins here
                lines.clear()
        return lines

    def error(self, task: dict[str, Any]) -> str:
        """The error that ended a task's last try, or an empty string."""
        return next((error for entry in reversed(self._log(task)) for error in _errors(entry)), "")

    def _log(self, task: dict[str, Any]) -> list[str | dict[str, Any]]:
        path = f"/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}/logs/"
        answer = self.request(
            "GET",
            f"{path}{max(task['try_number'], 1)}",
            params={"map_index": task["map_index"], "full_content": True},
            headers={"accept": "application/json"},
        )
        return list(answer["content"])


def _errors(entry: str | dict[str, Any], frames: bool = False) -> list[str]:
    details = [] if isinstance(entry, str) else entry.get("error_detail") or []
    lines = []
    for detail in details:
        for frame in (detail.get("frames") or []) if frames else ():
            lines.append(f"  {frame.get('filename')}:{frame.get('lineno')} in {frame.get('name')}")
        lines.append(f"{detail.get('exc_type')}: {detail.get('exc_value')}")
    return lines
