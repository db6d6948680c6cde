"""The SQL files of `include/sql`, rendered outside a templated operator exactly as Airflow renders them inside one."""

from __future__ import annotations

import json
from array import array
from functools import cache
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import jinja2

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    import psycopg
    from psycopg.types.json import Jsonb

INCLUDE = Path(__file__).resolve().parents[3] / "include"
SQL_FOLDER = INCLUDE / "sql"
GAQL_FOLDER = INCLUDE / "gaql"

LEADS_CONNECTION = "leads_db"
# Of `numbers_in_parts`: how many rows there are at a time, and what is no number.
_ROWS_AT_ONCE = 50_000
_KEYS = ("segment_id", "date")


@cache
def _environment(folder: Path) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701  (SQL, not HTML; values are bound, never rendered)
    )


def render(name: str, **names: Any) -> LiteralString:
    """The text of `include/sql/<name>`. `names` are identifiers and fragments only: values are bound by the driver."""
    return _environment(SQL_FOLDER).get_template(name).render(**names)


def render_gaql(name: str, **names: Any) -> str:
    """The text of `include/gaql/<name>`; the Google Ads query language has no bound values, so `names` are dates,
    numbers and fields.
    """
    return _environment(GAQL_FOLDER).get_template(name).render(**names)


def read_rows(
    connection: psycopg.Connection[Any], statement: LiteralString, values: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The rows of a query by its own column names."""
    cursor = connection.execute(statement, values)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def as_json(value: object) -> Jsonb:
    """A value of a jsonb parameter, mostly rows for `jsonb_to_recordset`: dates in ISO form, amounts exactly."""
    from psycopg.types.json import Jsonb

    return Jsonb(value, dumps=lambda value: json.dumps(value, default=str))


def read_frame(
    connection: psycopg.Connection[Any], statement: LiteralString, values: dict[str, Any] | None = None
) -> pd.DataFrame:
    """The rows of a query with its own column names; numeric stays Decimal, dates stay dates, NULL stays None."""
    import pandas as pd

    cursor = connection.execute(statement, values)
    columns = [column.name for column in cursor.description or ()]
    return pd.DataFrame(cursor.fetchall(), columns=columns, dtype=object)


def numbers_in_parts(
    connection: psycopg.Connection[Any], statement: LiteralString, values: dict[str, Any] | None = None
) -> Iterator[pd.DataFrame]:
    """The rows of a large query, which gives `segment_id`, `date` and numbers, some at a time: a million of them would
    be a tenth of a gigabyte.

    Each part has `segment_id` as category, `date` as datetime64, every other column as float64 with NaN for NULL: for
    estimates, never for an amount that is set. There is at least one, which may be empty. Raises ValueError where
    another column is no number.
    """
    import pandas as pd

    query = f"copy (\n{statement}\n) to stdout (format csv, header)"
    with connection.cursor() as cursor, cursor.copy(query, values) as copy:
        rows = iter(copy)  # COPY sends them one by one, the names first
        columns = bytes(next(rows)).decode().strip().split(",")
        dtypes = dict.fromkeys(columns, "float64") | dict.fromkeys(_KEYS, "category")
        is_first = True
        while (text := b"".join(islice(rows, _ROWS_AT_ONCE))) or is_first:
            part = pd.read_csv(BytesIO(text), names=columns, dtype=dtypes)
            date = part["date"].cat
            days = pd.to_datetime(date.categories.astype(str)).as_unit("us")
            yield part.assign(date=days.take(date.codes.to_numpy()))
            is_first = False


def read_numbers(
    connection: psycopg.Connection[Any], statement: LiteralString, values: dict[str, Any] | None = None
) -> pd.DataFrame:
    """All parts of `numbers_in_parts` as one frame, at 8 bytes per number."""
    import numpy as np
    import pandas as pd
    from pandas.api.types import union_categoricals

    ids: list[Any] = []
    cells: dict[str, array[float]] = {}
    dates: list[Any] = []
    for part in numbers_in_parts(connection, statement, values):
        ids.append(part["segment_id"])
        dates.append(part["date"].to_numpy())
        for column in part.columns.drop(list(_KEYS)):
            # They grow where they lie.
            cells.setdefault(column, array("d")).frombytes(part[column].to_numpy().tobytes())
    keys = {"segment_id": union_categoricals(ids), "date": np.concatenate(dates)}
    return pd.DataFrame(keys | {column: np.frombuffer(found) for column, found in cells.items()}, copy=False)


def join_whole_sets(connection: psycopg.Connection[Any]) -> None:
    """Let the rest of the transaction join by hash or merge, whatever statistics there are."""
    connection.execute(render("join_whole_sets.sql"))


def copy_frame(connection: psycopg.Connection[Any], table: str, frame: pd.DataFrame) -> None:
    """COPY a frame into a table (usually temporary) with the same column names, in the frame's order."""
    from io import StringIO

    from psycopg import sql

    buffer = StringIO()
    frame.to_csv(buffer, index=False, header=False)
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(buffer.getvalue())
