"""OASIS over HTTP: SingleZip and GroupZip, the rate limit, and the faults that were ordered."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from simulators.broken_replies import CutReply, HeldReply, OversizedReply
from simulators.faults import Asked, Faults
from simulators.oasis.atlas import LISTS, list_reply
from simulators.oasis.errors import THROTTLE_PAGE, ErrorCode, QueryRefused
from simulators.oasis.files import Publisher, Reply, named_error_reply, refused_reply, rewritten, zip_of
from simulators.oasis.prices import CorrectedPrices
from simulators.oasis.queries import Query, parse_group, parse_single
from simulators.oasis.recordings import recorded_reply

_ZIP = "application/x-zip-compressed"
_TOO_MANY_REQUESTS = 429
_BOMB_MB = 200


class RateLimit:
    """One request in `spacing_s` from each address, measured from start to start. A refused request does not count."""

    def __init__(self, spacing_s: float) -> None:
        self._spacing = timedelta(seconds=spacing_s)
        self._last: dict[str, datetime] = {}

    def admits(self, address: str, now: datetime) -> bool:
        """Whether a request that begins now may be answered."""
        last = self._last.get(address)
        if last is not None and now - last < self._spacing:
            return False
        self._last[address] = now
        return True


class GroupQueue:
    """GroupZip makes its files in the background: a cold request is told to come again, after `delay_s` there is a reply."""

    def __init__(self, delay_s: float) -> None:
        self._delay = timedelta(seconds=delay_s)
        self._asked: dict[Query, datetime] = {}

    def is_ready(self, query: Query, now: datetime) -> bool:
        """Whether the files of a query are made; the first question for them begins their making."""
        return now - self._asked.setdefault(query, now) >= self._delay


@dataclass(frozen=True)
class OasisEndpoints:
    """What the application serves and how its faults behave."""

    publisher: Publisher
    prices: CorrectedPrices
    clock: Callable[[], datetime]
    limit: RateLimit
    groups: GroupQueue
    faults: Faults
    stopping: asyncio.Event
    hold_s: float
    oversized_bytes: int


def oasis_app(endpoints: OasisEndpoints) -> ASGIApp:
    """The OASIS application: /oasisapi/SingleZip and /oasisapi/GroupZip."""

    async def single(request: Request) -> ASGIApp:
        return await _serve(request, _single_reply, endpoints)

    async def group(request: Request) -> ASGIApp:
        return await _serve(request, _group_reply, endpoints)

    return Starlette(routes=[Route("/oasisapi/SingleZip", single), Route("/oasisapi/GroupZip", group)])


_Answer = Callable[[Mapping[str, str], OasisEndpoints, str | None], Reply]


async def _serve(request: Request, answer: _Answer, endpoints: OasisEndpoints) -> ASGIApp:
    if not endpoints.limit.admits(request.client.host if request.client else "", endpoints.clock()):
        return Response(THROTTLE_PAGE, _TOO_MANY_REQUESTS, media_type="text/html")
    injected = endpoints.faults.take(Asked("oasis"))
    if injected == "timeout":
        return HeldReply(endpoints.hold_s, endpoints.stopping)
    if injected in _INSTEAD:
        status, page = _INSTEAD[injected]
        return Response(page, status, media_type="text/html")
    reply = await run_in_threadpool(answer, dict(request.query_params), endpoints, injected)
    return _disturbed(_sent(reply), injected, endpoints)


def _single_reply(parameters: Mapping[str, str], endpoints: OasisEndpoints, injected: str | None) -> Reply:
    now = endpoints.clock()
    recorded = recorded_reply(parameters)
    if recorded and injected not in (*_ERRORS, *_MISREAD, *_SPOILT, "bomb"):
        return recorded
    try:
        if parameters.get("queryname") in LISTS:
            return list_reply(parameters, endpoints.publisher.nodes, now)
        query = parse_single(parameters)
    except QueryRefused as refused:
        return refused_reply(refused, now)
    return _published(query, endpoints, injected, now)


def _group_reply(parameters: Mapping[str, str], endpoints: OasisEndpoints, injected: str | None) -> Reply:
    now = endpoints.clock()
    try:
        query = parse_group(parameters)
    except QueryRefused as refused:
        return refused_reply(refused, now)
    if not endpoints.groups.is_ready(query, now):
        return named_error_reply(ErrorCode.GROUP_ZIP_PROCESSING, query, now)
    return _published(query, endpoints, injected, now)


_INSTEAD = {
    "throttle": (_TOO_MANY_REQUESTS, THROTTLE_PAGE),
    "throttle_200": (200, THROTTLE_PAGE),
    "http_503": (503, b"<html><body>Service Unavailable</body></html>"),
    "not_zip": (200, b"<html><body>OASIS is down for maintenance.</body></html>"),
}
_ONE_DAY = timedelta(days=1)
_MISREAD: dict[str, Callable[[Query], Query]] = {
    "wrong_day": lambda query: replace(query, start=query.start - _ONE_DAY, end=query.end - _ONE_DAY),
    "no_node": lambda query: replace(query, nodes=query.nodes[1:]),
}
"""Replies to another question than was asked."""


def _header_only(member: str) -> str:
    return member.partition("\n")[0] + "\n"


def _with_nan(member: str) -> str:
    """Every LMP is no number; its components are. Only for CSV."""
    header, *rows = member.splitlines()
    names = header.split(",")
    kind, price = names.index("LMP_TYPE"), next(names.index(name) for name in ("MW", "VALUE", "PRC") if name in names)
    cells = [row.split(",") for row in rows]
    spoilt = [[*row[:price], "NaN", *row[price + 1 :]] if row[kind] == "LMP" else row for row in cells]
    return "\n".join([header, *(",".join(row) for row in spoilt)]) + "\n"


_SPOILT = {"header_only": _header_only, "nan": _with_nan}
_ERRORS = {"error_1000": ErrorCode.NO_DATA, "error_1015": ErrorCode.GROUP_ZIP_PROCESSING}


def _published(query: Query, endpoints: OasisEndpoints, injected: str | None, now: datetime) -> Reply:
    if injected in _ERRORS:
        return named_error_reply(_ERRORS[injected], query, now)
    misread = _MISREAD.get(injected or "")
    publisher = endpoints.publisher
    if injected == "old_prices":
        publisher = replace(publisher, prices=endpoints.prices.lagging(now))
    reply = publisher.reply(misread(query) if misread else query, now)
    if injected in _SPOILT:
        return rewritten(reply, _SPOILT[injected], now)
    if injected == "bomb":
        return Reply(reply.filename, zip_of({reply.filename.replace("_csv.zip", ".csv"): bytes(_BOMB_MB * 1_000_000)}, now))
    return reply


def _sent(reply: Reply) -> Response:
    disposition = {"content-disposition": f"inline; filename={reply.filename};"}
    return Response(reply.content, media_type=_ZIP, headers=disposition)


def _disturbed(reply: Response, injected: str | None, endpoints: OasisEndpoints) -> ASGIApp:
    match injected:
        case "cut":
            return CutReply(reply)
        case "oversized":
            return OversizedReply(reply, endpoints.oversized_bytes, endpoints.stopping)
        case _:
            return reply
