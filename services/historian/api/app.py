"""The application: every endpoint, and how a problem is told."""

from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import version as version_of
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from dotbus.runtime.logs import get_logger
from historian.api.answers import days, dots, moments, plants, prices, told
from historian.api.answers.context import Context
from historian.api.answers.documented import PROBLEM_SCHEMA
from historian.api.answers.formatted import Suffixed
from historian.api.answers.measured import Measured
from historian.api.problems import MEDIA_TYPE, Problem, Sort, clipped
from historian.api.reading import Stopped

ROUTERS = (prices.router, plants.router, told.router, dots.router, moments.router, days.router)
OPENAPI = "/v1/openapi.json"
_SUMMARY = "What CAISO told, what was asked of plants and what power was worth. Every question is a GET, and changes nothing."
_CLIENT_CLOSED = 499
"""nginx's status for a client that went away; nobody reads it."""


def build_app(context: Context) -> FastAPI:
    """The application of one process."""
    app = FastAPI(
        title="dotbus",
        summary=_SUMMARY,
        version=version_of("dotbus"),
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.context = context
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Measured, context=context)
    app.add_middleware(Suffixed, but=(OPENAPI, "/charts"))
    if context.settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=context.settings.origins,
            allow_methods=["GET"],
            allow_headers=["Authorization"],
            expose_headers=["Link", "Retry-After"],
        )
    app.add_exception_handler(Problem, _tell_problem)
    app.add_exception_handler(RequestValidationError, _tell_parameters)
    app.add_exception_handler(HTTPException, _tell_path)
    app.add_exception_handler(Stopped, _tell_nobody)
    app.add_exception_handler(Exception, _tell_fault)
    _document_problems(app)
    return app


def _document_problems(app: FastAPI) -> None:
    made = app.openapi

    def documented() -> dict[str, Any]:
        document = made()
        document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
        return document

    app.openapi = documented  # type: ignore[method-assign]  # as FastAPI's manual says


def problem_response(problem: Problem) -> Response:
    """A problem as an answer."""
    body = msgspec.json.encode(problem.document())
    return Response(body, problem.sort.status, problem.headers(), MEDIA_TYPE)


async def _tell_problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    return problem_response(error)


async def _tell_parameters(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    known = [parameter.name for parameter in _parameters(request)]
    return problem_response(Problem(Sort.BAD_PARAMETER, "; ".join(_said(one, known) for one in error.errors())))


def _parameters(request: Request) -> Sequence[Any]:
    from fastapi.dependencies.utils import get_flat_params  # noqa: PLC0415

    dependant = getattr(request.scope.get("route"), "dependant", None)
    return get_flat_params(dependant) if dependant else ()


def _said(error: dict[str, Any], known: Sequence[str]) -> str:
    name = ".".join(str(part) for part in error["loc"][1:] if not isinstance(part, int))
    if error["type"] == "extra_forbidden":
        near = get_close_matches(name, known, n=1)
        return f"{clipped(name)} is no parameter of this question" + (f"; did you mean {near[0]}?" if near else "")
    return f"{clipped(name)}: {error['msg'].removeprefix('Value error, ')}"


async def _tell_path(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    sorts = {404: Sort.UNKNOWN_PATH, 405: Sort.WRONG_METHOD}
    detail = f"{request.method} {clipped(request.url.path)} is not answered here; {OPENAPI} has all that is"
    return problem_response(Problem(sorts.get(error.status_code, Sort.BAD_PARAMETER), detail))


async def _tell_nobody(_request: Request, _error: Exception) -> Response:
    return Response(status_code=_CLIENT_CLOSED)


async def _tell_fault(request: Request, error: Exception) -> Response:
    get_logger("api").error("failed", path=request.url.path, cause=repr(error))
    return problem_response(Problem(Sort.FAILED, "it was logged; the same question may fail again"))
