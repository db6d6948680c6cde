"""The audit of the locks: by severity, and never green because nobody answered."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local.ports import free_port
from tools import audit

# As OSV writes them: GitHub rates, the Python Packaging Authority does not; both tell of the same hole.
RATED: dict[str, Any] = {
    "id": "GHSA-aaaa", "aliases": ["CVE-2026-1"], "summary": "Escapes the sandbox",
    "database_specific": {"severity": "MODERATE"},
    "affected": [{"package": {"name": "jinja2"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "9.9"}]}]}],
}  # fmt: skip
UNRATED: dict[str, Any] = {"id": "PYSEC-1", "aliases": ["CVE-2026-1"]}
KNOWN: dict[str, list[dict[str, Any]]] = {}


class Osv(BaseHTTPRequestHandler):
    """OSV's two calls."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/v1/querybatch":
            found = [KNOWN.get(query["package"]["name"], []) for query in asked["queries"]]
            answer: dict[str, Any] = {"results": [{"vulns": [{"id": r["id"]} for r in f]} if f else {} for f in found]}
        else:
            answer = {"vulns": KNOWN.get(asked["package"]["name"], [])}
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    KNOWN.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Osv)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_without_an_answer_it_says_not_audited_and_is_neither_good_nor_bad(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(["--url", f"http://127.0.0.1:{free_port()}"]) == 3
    captured = capsys.readouterr()
    assert captured.err.startswith("not audited: http://127.0.0.1:") and "ConnectError" in captured.err
    assert captured.err.count("\n") == 1 and captured.out == ""


def test_nothing_known_is_good_and_counts_every_package_of_both_locks(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.main(["--url", url]) == 0
    packages = audit.locked()
    assert {"apache-airflow", "pytest"} <= set(packages)
    assert f"{len(packages)} packages audited: 0 finding(s)" in capsys.readouterr().out


@pytest.mark.parametrize(("level", "code"), [("low", 1), ("moderate", 1), ("high", 0), ("critical", 0)])
def test_the_severity_decides(url: str, level: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    KNOWN["jinja2"] = [UNRATED, RATED]
    assert audit.main(["--url", url, "--level", level]) == code
    said = capsys.readouterr().out
    assert "CVE-2026-1, GHSA-aaaa, PYSEC-1: Escapes the sandbox (fixed in 9.9)" in said, "two records, one finding"
    assert ": 1 finding(s)" in said


def test_what_nobody_has_rated_counts_as_the_worst(url: str) -> None:
    KNOWN["jinja2"] = [UNRATED]
    assert audit.main(["--url", url, "--level", "critical"]) == 1
    KNOWN["jinja2"] = [UNRATED | {"withdrawn": "2026-01-01T00:00:00Z"}]
    assert audit.main(["--url", url, "--level", "critical"]) == 0, "a record that was taken back is none"


def test_an_answer_that_cannot_be_read_is_no_answer(url: str) -> None:
    with pytest.raises(audit.NotAuditedError):
        audit.audit({"jinja2": "3"}, url + "/v1/query?")
