"""What a large query of numbers becomes on its way into memory."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import psycopg
import pytest

from lead_demand.database import sql
from tests.fixtures.postgres import LeadsDatabase

ROWS = """
select s.segment_id, d.date, d.spend, d.leads
from (values ('a'), ('b'), ('c')) as s (segment_id)
cross join (values
    ('2026-03-28'::date, 12.340000::numeric, 3), ('2026-03-29', null, 0), ('2026-03-30', 0.1, null)
) as d (date, spend, leads)
where d.date >= %(first)s::date
order by 1, 2
"""


def read(db: LeadsDatabase, first: str) -> tuple[pd.DataFrame, list[tuple[Any, ...]]]:
    with psycopg.connect(db.pipeline_url) as connection:
        return sql.read_numbers(connection, ROWS, {"first": first}), connection.execute(
            ROWS, {"first": first}
        ).fetchall()


@pytest.mark.parametrize("at_once", [2, 3, 100])
def test_every_row_arrives_in_order_and_unknown_stays_unknown(
    leads_db: LeadsDatabase, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(sql, "_ROWS_AT_ONCE", at_once)
    frame, rows = read(leads_db, "2026-03-01")
    found = [
        (segment, when.date(), *(None if pd.isna(cell) else cell for cell in cells))
        for segment, when, *cells in frame.itertuples(index=False)
    ]
    assert found == [
        (segment, when, *(None if cell is None else float(cell) for cell in cells)) for segment, when, *cells in rows
    ]
    assert len(found) == 9
    assert found[1][1:] == (date(2026, 3, 29), None, 0.0)


def test_no_row_gives_the_same_columns(leads_db: LeadsDatabase) -> None:
    full, _ = read(leads_db, "2026-03-01")
    empty, _ = read(leads_db, "2027-01-01")
    assert len(empty) == 0
    assert list(empty.columns) == list(full.columns)
    assert [str(kind) for kind in empty.dtypes] == [str(kind) for kind in full.dtypes]
