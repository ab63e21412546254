"""Refusing: what no endpoint could answer is told before one is looked for, for every path; and a problem as an answer."""

from typing import Final
from urllib.parse import parse_qsl

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from historian.api.problems import MEDIA_TYPE, Problem, Sort, clipped

_NUL: Final = "\0"
_HOLDS_NUL: Final = "U+0000 is in it, which no text of the database holds; say it without %00"


class Refusing:
    """Lets no U+0000 in, neither in the path nor in a name or a word of the query: no question has one in its answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and (where := _where_nul_is(scope["path"], scope["query_string"])):
            answer = problem_response(Problem(Sort.BAD_PARAMETER, f"{where}: {_HOLDS_NUL}"))
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def problem_response(problem: Problem) -> Response:
    """A problem as an answer."""
    body = msgspec.json.encode(problem.document())
    return Response(body, problem.sort.status, problem.headers(), MEDIA_TYPE)


def _where_nul_is(path: str, query: bytes) -> str | None:
    """The path, or the parameter of a query that has it; None when it is nowhere."""
    if _NUL in path:
        return f"the path {clipped(path)}"
    if b"%00" not in query and b"\0" not in query:
        return None
    said = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return next((clipped(name) for name, word in said if _NUL in name + word), None)
