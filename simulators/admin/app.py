"""The administrative requests over HTTP: JSON in, JSON out, 400 with the reason for what cannot be done."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

Query = Mapping[str, str]
Read = Callable[[Query], object]
Order = Callable[[bytes], object]


class Refused(Exception):
    """An order or a question that cannot be carried out, and why."""


def order(says: type[S], act: Callable[[S], object]) -> Order:
    """An order that a request may give: what its body says, and what is done."""

    def carried_out(body: bytes) -> object:
        try:
            said = msgspec.json.decode(body, type=says)
        except msgspec.MsgspecError as error:
            raise Refused(f"the body is no such order: {error}") from error
        return act(said)

    return carried_out


def admin_app(reads: Mapping[str, Read], orders: Mapping[str, Order]) -> ASGIApp:
    """The administrative application: what can be read, and what can be ordered, by path."""
    return Starlette(
        routes=[
            *(Route(path, _reading(read), methods=["GET"]) for path, read in reads.items()),
            *(Route(path, _ordering(ordered), methods=["POST"]) for path, ordered in orders.items()),
        ]
    )


def named(query: Query, name: str) -> str:
    """A parameter of a question.

    Raises:
        Refused: it is missing.
    """
    try:
        return query[name]
    except KeyError:
        raise Refused(f"the parameter {name} is missing") from None


def _reading(read: Read) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> JSONResponse:
        return _outcome(read, dict(request.query_params))

    return endpoint


def _ordering(ordered: Order) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> JSONResponse:
        return _outcome(ordered, await request.body())

    return endpoint


def _outcome(act: Callable[[T], object], argument: T) -> JSONResponse:
    try:
        return JSONResponse(act(argument))
    except Refused as refused:
        return JSONResponse({"error": str(refused)}, 400)
