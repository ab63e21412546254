"""Formatted: in which format an answer is given, and everything that is not a page of JSON."""

import re
from collections.abc import Mapping
from typing import Final

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from historian.api.exchange.context import Context
from historian.api.exchange.parameters import PageParameters
from historian.api.exchange.streamed import HEAD_ALONE, StreamedAnswer
from historian.api.formats.compression import packed
from historian.api.formats.negotiation import MEDIA_TYPES, VARY, Coding, Format, choose_coding, choose_format, split_suffix
from historian.api.formats.sink import Sink
from historian.api.formats.writing import write_answer
from historian.api.keys.caller import Caller
from historian.api.pulse import WITHIN_S
from historian.api.questions.question import Question, all_of, page_of
from historian.api.reading import problem_of
from historian.api.request.pages import after_of
from historian.api.request.times import Zone
from historian.api.streaming import Interruption, StreamFailed

PACKED_FROM_BYTES: Final = 1000
"""What fits into a packet does not come sooner for being smaller."""
_ASKED_BY_SUFFIX: Final = "dotbus.format"


class Suffixed:
    """Takes the suffix off a path, so that `/v1/prices.csv` is the question `/v1/prices`."""

    def __init__(self, app: ASGIApp, but: tuple[str, ...]) -> None:
        self._app = app
        self._but = but

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and not scope["path"].startswith(self._but):
            path, form = split_suffix(scope["path"])
            scope = {**scope, "path": path, _ASKED_BY_SUFFIX: form}
        await self._app(scope, receive, send)


class Headed:
    """Has HEAD answered wherever GET is, as RFC 9110 wants it. The server sends the head alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET", HEAD_ALONE: True}
        await self._app(scope, receive, send)


def format_of(request: Request) -> Format:
    """The format that a request is answered in: that of its suffix, else the one that it likes best.

    Raises:
        Problem: it takes none that there is.
    """
    return request.scope.get(_ASKED_BY_SUFFIX) or choose_format(request.headers.get("accept"))


def json_answer(request: Request, body: bytes, headers: Mapping[str, str]) -> Response:
    """JSON, packed when who asks likes that."""
    coding = (
        choose_coding(request.headers.get("accept-encoding"), Format.JSON) if len(body) >= PACKED_FROM_BYTES else Coding.NONE
    )
    pieces: list[bytes] = []
    sink, end = packed(pieces.append, coding)
    sink(body)
    end()
    said = {**headers, **_headers(coding)}
    return Response(b"".join(pieces), media_type=MEDIA_TYPES[Format.JSON], headers=said)


def streamed_answer(
    request: Request, context: Context, caller: Caller, question: Question, form: Format, asked: PageParameters
) -> Response:
    """All rows of a question in a stream; only some where `limit` or `page` says so."""
    coding = choose_coding(request.headers.get("accept-encoding"), form)
    wanted, zone = _part(question, asked), asked.tz or Zone.UTC

    def write(sink: Sink, interruption: Interruption) -> None:
        try:
            write_answer(context.streaming, wanted, sink, form, zone=zone, coding=coding, interruption=interruption)
        except StreamFailed as error:
            raise problem_of(error.state) from error

    return StreamedAnswer(
        write,
        context.writers,
        media_type=MEDIA_TYPES[form],
        headers={**_headers(coding), "Content-Disposition": f'attachment; filename="{_name(request)}.{form}"'},
        place=context.streams.one(caller.name),
        went_away=context.meters.cancelled.inc,
        go_on=context.reader.require_pulse,
        comes_within_s=context.settings.stream_timeout_s + WITHIN_S,
    )


def _part(question: Question, asked: PageParameters) -> Question:
    if not asked.model_fields_set & {"limit", "page"}:
        return all_of(question)
    return page_of(question, asked.limit, after_of(question, asked.page))


def _headers(coding: Coding) -> dict[str, str]:
    return {"Vary": VARY} if coding is Coding.NONE else {"Vary": VARY, "Content-Encoding": str(coding)}


def _name(request: Request) -> str:
    """A file's name of a path, of letters that every system takes."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", request.url.path).strip("-").removeprefix("v1-") or "answer"
