"""ADS over HTTP: the two SOAP services and their WSDL, and the faults that were ordered."""

import asyncio
from collections.abc import Callable, Mapping
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

from simulators.ads.documents import VERSIONS, Style, compressed, dispatch_response, trajectory_response
from simulators.ads.ledger import UnknownBatch
from simulators.ads.operations import Arrangement, Question
from simulators.ads.soap import CONTENT_TYPE, Answer, SoapFault, answer_envelope, fault_envelope, parse_call
from simulators.ads.wsdl import API_SERVICE, RESPONSE_SERVICE, Service, wsdl
from simulators.broken_replies import CutReply, DripHeadersReply, DripReply, HeldReply, OversizedReply, gzip_bomb
from simulators.faults import Asked, Faults

_MOST_REQUEST_BYTES = 1_000_000
_BOMB_MB = 200
_WRONG_DATE = timedelta(seconds=60)


class _Answering(Protocol):
    def answer(self, question: Question) -> Answer: ...


@dataclass(frozen=True)
class AdsEndpoints:
    """What the application serves and how its faults behave."""

    api: _Answering
    response: _Answering
    surprises: bool
    faults: Faults
    clock: Callable[[], datetime]
    stopping: asyncio.Event
    hold_s: float
    oversized_bytes: int


def ads_app(endpoints: AdsEndpoints) -> ASGIApp:
    """The ADS application: both services at /ADS/API(Response)WebService/v6 to v8."""
    pairs = (("APIWebService", API_SERVICE, endpoints.api), ("APIResponseWebService", RESPONSE_SERVICE, endpoints.response))
    routes = [
        Route(f"/ADS/{name}/{version}", _endpoint(service, answering, version, endpoints), methods=["GET", "POST"])
        for name, service, answering in pairs
        for version in VERSIONS
    ]
    return Starlette(routes=routes)


def _endpoint(service: Service, answering: _Answering, version: str, endpoints: AdsEndpoints) -> Callable[[Request], object]:
    style = Style(version, endpoints.surprises)

    async def endpoint(request: Request) -> ASGIApp:
        if request.method != "POST":
            return _description(service, request)
        try:
            call = parse_call(await _body(request))
        except SoapFault as fault:
            return _fault(fault)
        client = request.state.client_common_name
        uid = call.parameters.get("batchUID", "").strip()
        injected = endpoints.faults.take(Asked("ads", call.operation, uid, client))
        arrangement = _ARRANGEMENTS.get(injected, Arrangement.IN_ORDER)
        question = Question(call, client, style, arrangement, arrives=injected in (None, *_ARRANGEMENTS, "wrong_date"))
        if injected == "timeout":
            return HeldReply(endpoints.hold_s, endpoints.stopping)
        if instead := _INSTEAD.get(injected or ""):
            return instead(question)
        return _disturbed(_answer(answering, question), injected, endpoints)

    return endpoint


def _answer(answering: _Answering, question: Question) -> Response:
    try:
        return _envelope(question, answering.answer(question))
    except SoapFault as fault:
        return _fault(fault)


def _envelope(question: Question, answer: Answer) -> Response:
    return Response(answer_envelope(question.call.operation, answer), media_type=CONTENT_TYPE)


def _fault(fault: SoapFault) -> Response:
    return Response(fault_envelope(fault), status_code=500, media_type=CONTENT_TYPE)


_ARRANGEMENTS: Mapping[str | None, Arrangement] = {
    "doubled_list": Arrangement.DOUBLED,
    "reversed_list": Arrangement.REVERSED,
}
_INSTEAD: Mapping[str, Callable[[Question], Response]] = {
    "soap_fault": lambda _: _fault(SoapFault("ADS API is temporarily unavailable", ours=True)),
    "busy": lambda _: _fault(SoapFault("ADS is busy", ours=True)),
    "unknown_cursor": lambda question: _fault(SoapFault(str(UnknownBatch(question.call.parameters.get("batchUID", ""))))),
    "http_500": lambda _: Response("<html><body>Internal Server Error</body></html>", 500, media_type="text/html"),
    "http_503": lambda _: Response("<html><body>Service Unavailable</body></html>", 503, media_type="text/html"),
    "empty_list": lambda question: _envelope(question, dispatch_response((), question.style).decode()),
    "empty_trajectory": lambda question: _envelope(question, compressed(trajectory_response((), question.style))),
    "wrong_gzip": lambda question: _envelope(question, b"\x1f\x8b\x08\x00 this was never compressed"),
    "bomb": lambda question: _envelope(question, gzip_bomb(_BOMB_MB)),
}


def _disturbed(reply: Response, injected: str | None, endpoints: AdsEndpoints) -> ASGIApp:
    disturb = _DISTURBED.get(injected or "")
    return disturb(reply, endpoints) if disturb else reply


def _with_wrong_date(reply: Response, endpoints: AdsEndpoints) -> Response:
    reply.headers["date"] = format_datetime(endpoints.clock() + _WRONG_DATE, usegmt=True)
    return reply


def _malformed(reply: Response, _: AdsEndpoints) -> Response:
    return Response(bytes(reply.body).replace(b"</", b"<", 1), media_type=CONTENT_TYPE)


_DISTURBED: Mapping[str, Callable[[Response, AdsEndpoints], ASGIApp]] = {
    "cut": lambda reply, _: CutReply(reply),
    "drip": lambda reply, endpoints: DripReply(reply, endpoints.stopping),
    "drip_headers": lambda reply, endpoints: DripHeadersReply(reply, endpoints.stopping),
    "malformed": _malformed,
    "oversized": lambda reply, endpoints: OversizedReply(reply, endpoints.oversized_bytes, endpoints.stopping),
    "wrong_date": _with_wrong_date,
}


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
