"""ADS over HTTP: the two SOAP services and their WSDL, and the faults that were ordered."""

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from simulators.ads.documents import Style, compressed, dispatch_response, trajectory_response
from simulators.ads.soap import CONTENT_TYPE, Answer, Call, SoapFault, answer_envelope, fault_envelope, parse_call
from simulators.ads.wsdl import API_SERVICE, RESPONSE_SERVICE, Service, wsdl
from simulators.broken_replies import CutReply, DripReply, HeldReply, OversizedReply
from simulators.faults import Faults

_MOST_REQUEST_BYTES = 1_000_000
_VERSIONS = ("v6", "v7")
_BOMB_MB = 200
_WRONG_DATE = timedelta(seconds=60)


class _Answering(Protocol):
    def answer(self, call: Call, client: str) -> Answer: ...


@dataclass(frozen=True)
class AdsEndpoints:
    """What the application serves and how its faults behave."""

    api: _Answering
    response: _Answering
    style: Style
    faults: Faults
    clock: Callable[[], datetime]
    stopping: asyncio.Event
    hold_s: float
    oversized_bytes: int


def ads_app(endpoints: AdsEndpoints) -> ASGIApp:
    """The ADS application: both services at /ADS/API(Response)WebService/v6 and v7, which speak alike."""
    pairs = (("APIWebService", API_SERVICE, endpoints.api), ("APIResponseWebService", RESPONSE_SERVICE, endpoints.response))
    routes = [
        Route(f"/ADS/{name}/{version}", _endpoint(service, answering, endpoints), methods=["GET", "POST"])
        for name, service, answering in pairs
        for version in _VERSIONS
    ]
    return Starlette(routes=routes)


def _endpoint(service: Service, answering: _Answering, endpoints: AdsEndpoints) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> ASGIApp:
        if request.method != "POST":
            return _description(service, request)
        try:
            call = parse_call(await _body(request))
        except SoapFault as fault:
            return _fault(fault)
        injected = endpoints.faults.take("ads", call.operation)
        if injected == "timeout":
            return HeldReply(endpoints.hold_s, endpoints.stopping)
        if injected in _INSTEAD:
            return _INSTEAD[injected](call, endpoints)
        return _disturbed(_answer(answering, call, request.state.client_common_name), injected, endpoints)

    return endpoint


def _answer(answering: _Answering, call: Call, client: str) -> Response:
    try:
        return Response(answer_envelope(call.operation, answering.answer(call, client)), media_type=CONTENT_TYPE)
    except SoapFault as fault:
        return _fault(fault)


def _fault(fault: SoapFault) -> Response:
    return Response(fault_envelope(fault), status_code=500, media_type=CONTENT_TYPE)


def _instead(answer: Callable[[AdsEndpoints], Answer]) -> Callable[[Call, AdsEndpoints], Response]:
    def reply(call: Call, endpoints: AdsEndpoints) -> Response:
        return Response(answer_envelope(call.operation, answer(endpoints)), media_type=CONTENT_TYPE)

    return reply


_INSTEAD: dict[str, Callable[[Call, AdsEndpoints], Response]] = {
    "soap_fault": lambda _call, _: _fault(SoapFault("ADS API is temporarily unavailable", ours=True)),
    "http_500": lambda _call, _: Response("<html><body>Internal Server Error</body></html>", 500, media_type="text/html"),
    "http_503": lambda _call, _: Response("<html><body>Service Unavailable</body></html>", 503, media_type="text/html"),
    "empty_list": lambda call, endpoints: Response(
        answer_envelope(call.operation, dispatch_response((), endpoints.style).decode()), media_type=CONTENT_TYPE
    ),
    "empty_trajectory": _instead(lambda endpoints: compressed(trajectory_response((), endpoints.style))),
    "wrong_gzip": _instead(lambda _: b"\x1f\x8b\x08\x00 this was never compressed"),
    "bomb": _instead(lambda _: gzip.compress(bytes(_BOMB_MB * 1_000_000), compresslevel=1)),
}


def _disturbed(reply: Response, injected: str | None, endpoints: AdsEndpoints) -> ASGIApp:
    match injected:
        case "cut":
            return CutReply(reply)
        case "drip":
            return DripReply(reply, endpoints.stopping)
        case "wrong_date":
            reply.headers["date"] = format_datetime(endpoints.clock() + _WRONG_DATE, usegmt=True)
            return reply
        case "oversized":
            return OversizedReply(reply, endpoints.oversized_bytes, endpoints.stopping)
        case "malformed":
            return Response(bytes(reply.body).replace(b"</", b"<", 1), media_type=CONTENT_TYPE)
        case _:
            return reply


def _description(service: Service, request: Request) -> Response:
    if "wsdl" not in {name.lower() for name in request.query_params}:
        raise HTTPException(405, "Only POST, and GET of ?wsdl")
    return Response(wsdl(service, str(request.url.replace(query=""))), media_type=CONTENT_TYPE)


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_REQUEST_BYTES:
            raise SoapFault(f"The request is larger than {_MOST_REQUEST_BYTES} bytes")
    return body
