"""Who gets the page, what it is sent with, and what a request may not ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_demand.ui import files, guard
from tests.ui.conftest import Served
from tests.ui.story import APPLIED

ANSWERS = ("api/today", f"api/segment/{APPLIED}", "api/log", "api/log.csv", "api/health", "api/reasons")
ROUTES = ("page", "static/css/app.css", *ANSWERS)


@pytest.mark.parametrize("path", ANSWERS)
def test_a_script_without_a_session_is_told_so(served: Served, path: str) -> None:
    answer = served.get(path, None)
    assert (answer.status_code, answer.json()) == (401, {"error": "signed_out"})


@pytest.mark.parametrize("path", ANSWERS)
def test_whoever_may_not_read_runs_of_lead_budgets_sees_nothing(served: Served, path: str) -> None:
    answer = served.get(path, "stranger")
    assert (answer.status_code, answer.json()) == (403, {"error": "forbidden"})


@pytest.mark.parametrize(
    ("who", "status", "todo"), [(None, 401, "Sign in to Airflow"), ("stranger", 403, "read access")]
)
def test_the_page_itself_tells_a_person_what_to_do(served: Served, who: str | None, status: int, todo: str) -> None:
    answer = served.get("page", who)
    assert answer.status_code == status and todo in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert "<script" not in answer.text


def test_no_file_is_sent_to_whoever_may_not_see_the_page(served: Served) -> None:
    for path in files.read_all():
        assert served.get(f"static/{path}", None).status_code == 401
        assert served.get(f"static/{path}", "stranger").status_code == 403


@pytest.mark.parametrize("who", [None, "reader"])
def test_every_answer_has_the_headers_that_bind_the_browser(served: Served, who: str | None) -> None:
    for path in (*ROUTES, "no/such/route", "api/today?sort=x", "api/segment/nobody"):
        headers = served.get(path, who).headers
        assert headers["content-security-policy"] == guard.POLICY, path
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin"), path
    assert "unsafe" not in guard.POLICY and "http" not in guard.POLICY


@pytest.mark.parametrize("path", ANSWERS)
def test_no_browser_keeps_an_answer(served: Served, path: str) -> None:
    answer = served.get(path)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


def test_the_page_and_each_of_its_files_are_sent_as_they_are(served: Served) -> None:
    found = files.read_all()
    assert found[files.PAGE].content == served.get("page").content
    assert {".js", ".css"} <= {Path(name).suffix for name in found}
    for path, file in found.items():
        answer = served.get(f"static/{path}")
        assert (answer.status_code, answer.content) == (200, file.content)
        assert answer.headers["content-type"] == file.media_type
        again = served.get(f"static/{path}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["static/../app.py", "static/%2e%2e/app.py", "static/..%2fapp.py", "static//etc/passwd", "static/"]
)
def test_nothing_outside_the_folder_is_a_file(served: Served, path: str) -> None:
    assert served.get(path).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "api/today?day=2999-01-01",
        "api/today?day=1900-01-01",
        "api/today?day=yesterday",
        "api/today?sort=luck",
        "api/today?group=everything",
        "api/today?action=double",
        "api/today?after=xyz&group=held",
        "api/today?after=WzAsICIxIiwgImEiXQ",
        "api/today?q=%00",
        f"api/today?q={'x' * 101}",
        "api/log?from=2026-02-30",
        "api/log?from=2026-03-02&to=2026-03-01",
        "api/log?kind=rumour",
        "api/log?after=bm8",
        f"api/segment/{APPLIED}?days=0",
        f"api/segment/{APPLIED}?days=100000",
    ],
)
def test_a_parameter_that_makes_no_sense_is_named_and_not_repeated(served: Served, path: str) -> None:
    answer = served.get(path)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"] == "bad_parameter" and answer.json()["detail"][0]["parameter"]
    given = path.rpartition("=")[2]
    assert len(given) < 4 or given not in answer.text


@pytest.mark.parametrize("code", ["nobody", "S00", "'; drop table leads; --", "%00", "a%2Fb"])
def test_an_unknown_segment_is_not_found(served: Served, code: str) -> None:
    answer = served.get(f"api/segment/{code}")
    assert answer.status_code == 404


def test_the_page_only_reads(served: Served) -> None:
    import httpx

    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = httpx.request(
            method, f"{served.url}/lead-demand/api/today", cookies={"_token": served.tokens["reader"]}
        )
        assert answer.status_code == 405


def test_airflow_shows_it_in_its_navigation_and_on_both_dags(served: Served) -> None:
    answer = served.get("/api/v2/plugins", "reader")
    views = [
        (view["destination"], view["url_route"])
        for plugin in answer.json()["plugins"]
        if plugin["name"] == "lead_demand"
        for view in plugin["external_views"]
    ]
    assert sorted(views) == [("dag", "leads-dag"), ("dag_run", "leads-run"), ("nav", "leads")]
