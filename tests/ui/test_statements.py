"""Every figure comes from a file of `include/sql/ui`, and every file of it is a figure of the page."""

from __future__ import annotations

from typing import Any

import pytest

from lead_demand.database import sql
from tests.ui.conftest import Served
from tests.ui.story import APPLIED


def test_each_statement_of_the_page_is_asked_by_some_answer(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    render = sql.render

    def recorded(name: str, **names: Any) -> Any:
        asked.add(name)
        return render(name, **names)

    monkeypatch.setattr(sql, "render", recorded)
    for path in ("api/today", f"api/segment/{APPLIED}", "api/log", "api/log.csv", "api/health"):
        assert served.get(path).status_code == 200
    there = {f"ui/{path.name}" for path in (sql.SQL_FOLDER / "ui").glob("*.sql")}
    assert there and there == {name for name in asked if name.startswith("ui/")}
    assert asked - there == {"begin.sql"}, "nothing else is read"
