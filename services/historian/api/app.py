"""The application: every endpoint, and how a problem is told."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import version as version_of
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from dotbus.runtime.logs import get_logger
from historian.api.endpoints import charts, days, dots, moments, nodes, plants, predecessor, prices, told, upkeep
from historian.api.exchange.context import Context
from historian.api.exchange.documented import PROBLEM_SCHEMA
from historian.api.exchange.formatted import Headed, Suffixed
from historian.api.exchange.measured import Measured
from historian.api.exchange.refusing import Refusing, problem_response
from historian.api.problems import Problem, Sort, clipped
from historian.api.reading import Stopped

ROUTERS = (
    prices.router,
    nodes.router,
    plants.router,
    told.router,
    dots.router,
    moments.router,
    days.router,
    upkeep.router,
    predecessor.router,
    charts.router,
)
OPENAPI = "/v1/openapi.json"
_SUMMARY = "What CAISO told, what was asked of plants and what power was worth. Every question is a GET, and changes nothing."
MISTAKES_TOLD: Final = 10
"""Of one request; the others are counted."""
_CLIENT_CLOSED = 499
"""nginx's status for a client that went away; nobody reads it."""


def build_app(context: Context) -> FastAPI:
    """The application of one process."""
    app = described_app()
    app.state.context = context
    app.add_middleware(Refusing)
    app.add_middleware(Measured, context=context)
    app.add_middleware(Headed)
    app.add_middleware(Suffixed, but=(OPENAPI, "/charts", "/lmp/"))
    if context.settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=context.settings.origins,
            allow_methods=["GET"],
            allow_headers=["Authorization"],
            expose_headers=["Link", "Retry-After"],
        )
    for kind, tell in _TOLD.items():
        app.add_exception_handler(kind, tell)
    return app


def described_app() -> FastAPI:
    """Every endpoint with what the OpenAPI document says of it, and nothing behind."""
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
    for router in ROUTERS:
        app.include_router(router)
    make = app.openapi

    def document() -> dict[str, Any]:
        made = make()
        components = made.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        made["security"] = [{"key": []}]
        return made

    app.openapi = document  # type: ignore[method-assign]  # as FastAPI's manual says
    return app


def openapi_json() -> str:
    """schemas/openapi.json."""
    return msgspec.json.format(msgspec.json.encode(described_app().openapi()), indent=2).decode() + "\n"


async def _tell_problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    return problem_response(error)


async def _tell_parameters(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    known = [parameter.name for parameter in _parameters(request)]
    return problem_response(Problem(Sort.BAD_PARAMETER, mistakes_told(error.errors(), known)))


def mistakes_told(errors: Sequence[Mapping[str, Any]], known: Sequence[str]) -> str:
    """What is wrong with parameters, and how many more are: each near name takes time, and who asks chooses how many."""
    said = [_said(one, known) for one in errors[:MISTAKES_TOLD]]
    more = len(errors) - len(said)
    return "; ".join([*said, f"and {more} more"] if more else said)


def _parameters(request: Request) -> Sequence[Any]:
    from fastapi.dependencies.utils import get_flat_params  # noqa: PLC0415

    dependant = getattr(request.scope.get("route"), "dependant", None)
    return get_flat_params(dependant) if dependant else ()


def _said(error: Mapping[str, Any], known: Sequence[str]) -> str:
    name = ".".join(str(part) for part in error["loc"][1:] if not isinstance(part, int))
    if error["type"] == "extra_forbidden":
        near = get_close_matches(name[:80], known, n=1)
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


_TOLD = {
    Problem: _tell_problem,
    RequestValidationError: _tell_parameters,
    HTTPException: _tell_path,
    Stopped: _tell_nobody,
    Exception: _tell_fault,
}
