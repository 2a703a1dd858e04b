"""The management API under /api/v1: an ordinary FastAPI application, described by OpenAPI 3.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from paribus.errors import AccessError, Conflict, InputError, ParibusError
from paribus.server import arrivals, collaboration, documents, experiments, features, flag_actions, keys
from paribus.server.credentials import Door
from paribus.server.live import Live
from paribus.server.openapi import describe
from paribus.server.problem import TITLE, TYPE, problem, problem_headers, status_of
from paribus.server.watch import Watches

if TYPE_CHECKING:
    from collections.abc import Callable

    from paribus.app.feature_run import Runs

PREFIX = "/api/v1"
PROBLEM = "application/problem+json"
log = structlog.get_logger("paribus.server")


def management(live: Live, door: Door, watches: Watches, runs: Runs) -> FastAPI:
    """The application; its routes read `live`, `door`, `watches` and `runs` from `app.state`."""
    api = routes()
    api.state.live = live
    api.state.door = door
    api.state.watches = watches
    api.state.runs = runs
    return api


def routes() -> FastAPI:
    """The application before it is connected to an installation; enough to describe it."""
    from paribus import __version__

    api = FastAPI(
        title="Paribus",
        version=__version__,
        summary="Feature flags, events and experiments.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    api.add_api_route(f"{PREFIX}/openapi.json", _openapi, methods=["GET"], include_in_schema=False)
    for router in (
        flag_actions.router,
        keys.router,
        arrivals.router,
        experiments.router,
        features.steps,
        features.router,
        features.artifacts,
        collaboration.router,
        collaboration.learned,
        documents.router,
    ):
        api.include_router(router, prefix=PREFIX)
    api.add_exception_handler(ParibusError, _paribus)  # type: ignore[arg-type]
    api.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]
    api.add_exception_handler(HTTPException, _http)  # type: ignore[arg-type]
    api.add_exception_handler(Exception, _unexpected)
    api.openapi = describe(api)  # type: ignore[method-assign]
    return api


async def _openapi(request: Request) -> JSONResponse:
    document: Callable[[], dict[str, Any]] = request.app.openapi
    return JSONResponse(document())


async def _paribus(request: Request, error: ParibusError) -> Response:
    status = status_of(error)
    if isinstance(error, Conflict) and "if-match" in request.headers:
        status = 412
    return _answer(problem(error, status=status), problem_headers(error, status))


async def _unexpected(request: Request, error: Exception) -> Response:
    what = ParibusError("something went wrong inside", fix="the server's log has it under this answer's X-Request-Id")
    return _answer(problem(what), [])


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    if tuple(first["loc"]) == ("path", "collection"):
        return await _http(request, HTTPException(404, "nothing is here"))
    where = ".".join(str(part) for part in first["loc"])
    what = InputError(str(first["msg"]), where=where, rule=str(first["type"]))
    fields = problem(what) | {"errors": [_plain(each) for each in error.errors()[:20]]}
    return _answer(fields, [])


async def _http(request: Request, error: HTTPException) -> Response:
    status = error.status_code
    if status in {401, 403}:
        what: ParibusError = AccessError(str(error.detail), authenticated=status == 403)
        return _answer(problem(what), problem_headers(what, status))
    fields = {"type": "about:blank", "title": TITLE.get(status, str(error.detail)), "status": status}
    fields |= {"detail": f"{request.method} {request.url.path}: {error.detail}", "code": "http"}
    headers = [(name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items()]
    return _answer(fields, headers)


def _plain(error: Any) -> dict[str, str]:
    return {
        "where": ".".join(str(part) for part in error["loc"]),
        "what": str(error["msg"]),
        "rule": str(error["type"]),
    }


def _answer(fields: dict[str, Any], headers: list[tuple[bytes, bytes]]) -> Response:
    answer = JSONResponse(fields, status_code=int(fields["status"]), media_type=PROBLEM)
    for name, value in headers:
        answer.headers[name.decode()] = value.decode()
    return answer


__all__ = ["PREFIX", "TYPE", "management"]
