"""Replies: what every answer says besides its content, who asks, and whether they may change something."""

import asyncio
import gzip
import hmac
from typing import Any, Final

import msgspec
from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response

from console.access.people import Access, Asking, Visit
from dotbus.web.connections import ANSWERED

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
SAFE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
NOT_KEPT: Final = {**SAFE, "Cache-Control": "no-store"}
NOT_FOR_YOU: Final = "The console is opened here by this machine's own name: localhost or 127.0.0.1, with its port.\n"
SIGN_IN_FIRST: Final = "sign in first\n"
NO_SUCH: Final = "there is no such thing, or it is not for you\n"
NO_PAGE_OF_OURS: Final = "only a page of this console may ask this\n"
CSRF_HEADER: Final = "x-csrf-token"
BODY_MOST: Final = 8192
PACKED_SO_MUCH: Final = 5


def access_of(connection: HTTPConnection) -> Access:
    """Who knows people."""
    access: Access = connection.app.state.access
    return access


def visit_of(request: Request) -> Visit:
    """Who asks, from a page of ours or without one: another site cannot have a browser fill this console with its questions.

    Raises:
        HTTPException: as `page_visit_of`, and 403 where another site's page asks.
    """
    if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise HTTPException(403, NO_PAGE_OF_OURS)
    return page_visit_of(request)


def page_visit_of(request: Request) -> Visit:
    """Who asks for a page, to which other sites may lead.

    Raises:
        HTTPException: nobody who may see anything (401 where they can sign in, else 403).
    """
    access = access_of(request)
    visit = access.who(Asking(address_of(request), request.headers, token_of(request)))
    if visit is None:
        raise HTTPException(401, SIGN_IN_FIRST) if access.signs_in else HTTPException(403, NOT_FOR_YOU)
    setattr(request.state, ANSWERED, True)
    return visit


def changing_visit_of(request: Request) -> Visit:
    """Who asks for a change, from a page of ours.

    Raises:
        HTTPException: as `visit_of`, and 403 where no page of ours asks.
    """
    visit = visit_of(request)
    if not hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode(), visit.csrf.encode()):
        raise HTTPException(403, f"the header {CSRF_HEADER} is not that of this session: load the page again\n")
    return visit


async def body_of(request: Request) -> bytes:
    """What was sent.

    Raises:
        HTTPException: it is larger than anything that a page of ours sends (413), or whoever sends it is gone (400).
    """
    found = bytearray()
    try:
        async for part in request.stream():
            found += part
            if len(found) > BODY_MOST:
                raise HTTPException(413, f"at most {BODY_MOST} bytes are taken\n")
    except ClientDisconnect as error:
        raise HTTPException(400, "not all of it came\n") from error
    return bytes(found)


def address_of(request: Request) -> str:
    """The network address of who connects."""
    return request.client.host if request.client else ""


def token_of(request: Request) -> str | None:
    """The session that they say is theirs."""
    return request.cookies.get(cookie_name(request.url))


def cookie_name(url: URL) -> str:
    """Of the session. The port is in it: to a browser all ports of a machine share their cookies.

    With TLS a browser takes one of this beginning from this machine alone, and for all of it.
    """
    beginning = "__Host-" if url.scheme == "https" else ""
    return f"{beginning}dotbus-session-{url.port or url.scheme}"


def json_reply(content: Any) -> Response:  # noqa: ANN401  # whatever is told
    """A struct or a mapping, told and not kept."""
    return Response(msgspec.json.encode(content), headers=NOT_KEPT, media_type="application/json")


async def packed_reply(content: bytes, request: Request) -> Response:
    """JSON that may be long and holds no secret, packed beside the loop for whoever takes it so."""
    headers = {**NOT_KEPT, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        content = await asyncio.to_thread(gzip.compress, content, compresslevel=PACKED_SO_MUCH)
        headers["Content-Encoding"] = "gzip"
    return Response(content, headers=headers, media_type="application/json")


async def refused(_request: Request, error: Exception) -> Response:
    """An exception of ours as what it means to who asked."""
    if not isinstance(error, HTTPException):
        raise error
    return PlainTextResponse(error.detail, error.status_code, {**NOT_KEPT, **(error.headers or {})})
