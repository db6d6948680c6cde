"""The routes of the page, mounted by Airflow's API server below `/lead-demand`.

All of them only read. Each needs a session of Airflow and the right to read runs of `lead_budgets`; what it may see of
the database is what the connection `leads_db` may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from lead_demand.runs import day
from lead_demand.ui import answers, files, filters, guard, log_csv
from lead_demand.ui.asgi import App
from lead_demand.ui.filters import Action, BadParameter, Cursor, Day, Days, Group, Kind, Sort, Status, Text
from lead_demand.ui.reading import DatabaseDown, LeadsReader


def log_filters(
    q: Text = None,
    kind: Kind = None,
    who: Text = None,
    status: Status = None,
    first: Annotated[Day, Query(alias="from")] = None,
    last: Annotated[Day, Query(alias="to")] = None,
    after: Cursor = None,
) -> dict[str, Any]:
    """What the log is filtered by, as its statements bind it."""
    since, until = filters.span(first, last)
    if kind in ("change", "increase", "decrease"):  # one that took effect, unless another state is asked for
        kind, status = "plan" if kind == "change" else kind, status or "success"
    given = {"q": q, "kind": kind, "who": who, "status": status}
    chosen = {name: value or None for name, value in given.items()}
    return chosen | {"from": since, "to": until} | filters.log_key(after)


LogFilters = Annotated[dict[str, Any], Depends(log_filters)]


def serve() -> App:
    """The page as it is mounted."""
    return guard.SecurityHeaders(guard.Gate(make_app(LeadsReader())))


def make_app(reader: LeadsReader) -> FastAPI:
    """The routes, without what stands before them."""
    app = FastAPI(
        dependencies=[Depends(guard.may_look)],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    _add_errors(app)
    _add_files(app, files.read_all())
    _add_answers(app, reader)
    _add_log(app, reader)
    return app


def _add_files(app: FastAPI, found: dict[str, files.StaticFile]) -> None:
    @app.get("/page")
    def page() -> Response:
        return _file(files.PAGE, guard.NO_STORE)

    @app.get("/static/{path:path}")
    def static(path: str, request: Request) -> Response:
        # A new version is seen at once, and an old one is not sent twice.
        headers = {"Cache-Control": "private, no-cache"}
        if path in found and request.headers.get("if-none-match") == found[path].etag:
            return Response(status_code=304, headers=headers | {"ETag": found[path].etag})
        return _file(path, headers)

    def _file(path: str, headers: dict[str, str]) -> Response:
        if path not in found:
            raise HTTPException(404)
        file = found[path]
        return Response(file.content, media_type=file.media_type, headers=headers | {"ETag": file.etag})


def _add_answers(app: FastAPI, reader: LeadsReader) -> None:
    @app.get("/api/today")
    def today(
        of_day: Annotated[Day, Query(alias="day")] = None,
        q: Text = None,
        branch: Text = None,
        region: Text = None,
        action: Action = None,
        reason: Text = None,
        sort: Sort = "gap",
        group: Group = None,
        after: Cursor = None,
    ) -> Response:
        key = filters.row_key(after)
        if after and not group:
            raise BadParameter("group", "the list that `after` is of")
        lists = {"q": q, "branch": branch, "region": region, "action": action, "reason": reason, "group": group}
        asked = {name: value or None for name, value in lists.items()} | {"sort": sort} | key
        wanted = filters.chosen_day(of_day)
        return _answer(reader, lambda connection: answers.today(connection, wanted, asked))

    @app.get("/api/segment/{code}")
    def segment(code: str, of_day: Annotated[Day, Query(alias="day")] = None, days: Days = 90) -> Response:
        if "\x00" in code:
            raise answers.NoSuchSegment(code)
        wanted = filters.chosen_day(of_day)
        return _answer(reader, lambda connection: answers.segment(connection, code, wanted, days))

    @app.get("/api/health")
    def health() -> Response:
        return _answer(reader, answers.health)

    @app.get("/api/reasons")
    def reasons() -> Response:
        return _json(answers.reasons())


def _add_log(app: FastAPI, reader: LeadsReader) -> None:
    @app.get("/api/log")
    def log(asked: LogFilters) -> Response:
        return _answer(reader, lambda connection: answers.log(connection, asked))

    @app.get("/api/log.csv")
    def log_file(asked: LogFilters) -> Response:
        parts = log_csv.parts(reader, asked)
        # The first rows are read before anything is sent, so that a database that is down can still be said.
        begun = [next(parts), next(parts, "")]
        return StreamingResponse(
            _encoded(chain(begun, parts)),
            media_type="text/csv; charset=utf-8",
            headers=guard.NO_STORE
            | {"Content-Disposition": f'attachment; filename="lead-demand-log-{day.today()}.csv"'},
        )


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> Response:
        if error.status_code in guard.TOLD:
            as_page = request.url.path.endswith("/page")
            return guard.refusal(error.status_code, as_page=as_page)
        return JSONResponse({"error": "not_found"}, error.status_code, headers=guard.NO_STORE)

    @app.exception_handler(RequestValidationError)
    def malformed(_: Request, error: RequestValidationError) -> Response:
        # What was given is not repeated.
        wrong = [{"parameter": str(found["loc"][-1]), "why": found["msg"]} for found in error.errors()]
        return JSONResponse({"error": "bad_parameter", "detail": wrong}, 422, headers=guard.NO_STORE)

    @app.exception_handler(BadParameter)
    def bad(_: Request, error: BadParameter) -> Response:
        wrong = [{"parameter": error.name, "why": error.why}]
        return JSONResponse({"error": "bad_parameter", "detail": wrong}, 422, headers=guard.NO_STORE)

    @app.exception_handler(answers.NoSuchSegment)
    def unknown(_: Request, __: answers.NoSuchSegment) -> Response:
        return JSONResponse({"error": "no_such_segment"}, 404, headers=guard.NO_STORE)

    @app.exception_handler(DatabaseDown)
    def down(_: Request, __: DatabaseDown) -> Response:
        return guard.database_down()


def _answer(reader: LeadsReader, ask: Callable[[Any], str]) -> Response:
    with reader.read() as connection:
        return _json(ask(connection))


def _json(text: str) -> Response:
    return Response(text, media_type="application/json", headers=guard.NO_STORE)


def _encoded(parts: Iterator[str]) -> Iterator[bytes]:
    return (part.encode() for part in parts)
