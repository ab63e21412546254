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
from simulators.oasis.disturbances import CONTENTS, ERRORS, MAINTENANCE_PAGE, MAINTENANCE_PATH, PAGES, ZIPS, Page
from simulators.oasis.errors import ErrorCode, QueryRefused
from simulators.oasis.files import Publisher, Reply, named_error_reply, refused_reply
from simulators.oasis.prices import CorrectedPrices
from simulators.oasis.queries import Query, parse_group, parse_single
from simulators.oasis.recordings import recorded_reply

_ZIP = "application/x-zip-compressed"


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
    """The OASIS application: /oasisapi/SingleZip and /oasisapi/GroupZip, and the page of its maintenance."""

    async def single(request: Request) -> ASGIApp:
        return await _serve(request, _single_reply, endpoints)

    async def group(request: Request) -> ASGIApp:
        return await _serve(request, _group_reply, endpoints)

    async def maintenance(_request: Request) -> Response:
        return _page(Page(200, MAINTENANCE_PAGE))

    paths = {"/oasisapi/SingleZip": single, "/oasisapi/GroupZip": group, MAINTENANCE_PATH: maintenance}
    return Starlette(routes=[Route(path, answer) for path, answer in paths.items()])


_Answer = Callable[[Mapping[str, str], OasisEndpoints, str, datetime], Reply]


async def _serve(request: Request, answer: _Answer, endpoints: OasisEndpoints) -> ASGIApp:
    if not endpoints.limit.admits(request.client.host if request.client else "", endpoints.clock()):
        return _page(PAGES["throttle"])
    injected = endpoints.faults.take(Asked("oasis", _operation(request.query_params))) or ""
    if injected == "timeout":
        return HeldReply(endpoints.hold_s, endpoints.stopping)
    if injected in PAGES:
        return _page(PAGES[injected])
    now = endpoints.clock()
    reply = await run_in_threadpool(_reply, answer, dict(request.query_params), endpoints, injected, now)
    return _disturbed(_sent(reply), injected, endpoints)


def _operation(parameters: Mapping[str, str]) -> str:
    """The report or the group that a request asks for."""
    return parameters.get("queryname") or parameters.get("groupid") or ""


def _reply(answer: _Answer, parameters: Mapping[str, str], endpoints: OasisEndpoints, injected: str, now: datetime) -> Reply:
    reply = answer(parameters, endpoints, injected, now)
    return ZIPS[injected](reply, now) if injected in ZIPS else reply


def _single_reply(parameters: Mapping[str, str], endpoints: OasisEndpoints, injected: str, now: datetime) -> Reply:
    recorded = recorded_reply(parameters)
    if recorded and injected not in (*ERRORS, *CONTENTS):
        return recorded
    try:
        if parameters.get("queryname") in LISTS:
            return list_reply(parameters, endpoints.publisher.nodes, now)
        query = parse_single(parameters)
    except QueryRefused as refused:
        return refused_reply(refused, now)
    return _published(query, endpoints, injected, now)


def _group_reply(parameters: Mapping[str, str], endpoints: OasisEndpoints, injected: str, now: datetime) -> Reply:
    try:
        query = parse_group(parameters)
    except QueryRefused as refused:
        return refused_reply(refused, now)
    if not endpoints.groups.is_ready(query, now):
        return named_error_reply(ErrorCode.GROUP_ZIP_PROCESSING, query, now)
    return _published(query, endpoints, injected, now)


def _published(query: Query, endpoints: OasisEndpoints, injected: str, now: datetime) -> Reply:
    if injected in ERRORS:
        return named_error_reply(ERRORS[injected], query, now)
    publisher = endpoints.publisher
    if injected == "old_prices":
        publisher = replace(publisher, prices=endpoints.prices.lagging(now))
    if injected not in CONTENTS:
        return publisher.reply(query, now)
    change = CONTENTS[injected]
    return publisher.reply(query, now, lambda content: change(content, publisher))


def _page(page: Page) -> Response:
    headers = {"location": page.location} if page.location else {}
    return Response(page.content, page.status, headers, media_type="text/html")


def _sent(reply: Reply) -> Response:
    disposition = {"content-disposition": f"inline; filename={reply.filename};"}
    return Response(reply.content, media_type=_ZIP, headers=disposition)


def _disturbed(reply: Response, injected: str, endpoints: OasisEndpoints) -> ASGIApp:
    match injected:
        case "cut":
            return CutReply(reply)
        case "oversized":
            return OversizedReply(reply, endpoints.oversized_bytes, endpoints.stopping)
        case _:
            return reply
