"""The application: the pages, their parts, the stream, and who may have them."""

import asyncio
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from console.access.people import Access, Person
from console.access.user_access import UserAccess
from console.following import ResourceKey
from console.picture.picture import View
from console.picture.trends import KEPT, ShownTrend
from console.web.assets import assets, page
from console.web.commands import Commands
from console.web.events import Events
from console.web.replies import NO_SUCH, SAFE, access_of, packed_reply, page_visit_of, refused, visit_of
from console.web.sign_in import PATH, SignIn, session, to_sign_in
from console.web.streams import Streams, TooManyPages

HOURS_MOST: Final = KEPT.total_seconds() / 3600
TRENDS_AT_ONCE: Final = 2
"""That are made: one of a day takes a hundredth of a second, in which no page is told anything."""
TrendOf = Callable[[ResourceKey, float], ShownTrend | None]


def build_app(streams: Streams, access: Access, trend: TrendOf, commands: Commands) -> Starlette:
    """The application of one process.

    Args:
        streams: of the open pages.
        access: who may see them.
        trend: a resource's trend of some hours; None of one that was never heard of.
        commands: what whoever may operate can ask for.
    """
    app = Starlette(
        routes=[
            Route("/", _page),
            Route("/plants/{plant:path}", _page),  # in a plant's name may stand what has a meaning in an address
            Route("/session", session),
            Route("/events", _events),
            Route("/trends", _trend),
            Route("/static/{name:path}", _static),
            *commands.routes(),
            *(_signing_in(access) if isinstance(access, UserAccess) else ()),
        ],
        exception_handlers={HTTPException: refused},
    )
    app.state.streams, app.state.access, app.state.trend = streams, access, trend
    app.state.trends_at_once = asyncio.Semaphore(TRENDS_AT_ONCE)
    return app


def _signing_in(access: UserAccess) -> list[Route]:
    form = SignIn(access)
    return [
        Route(PATH, form.form),
        Route(PATH, form.take, methods=["POST"]),
        Route("/sign-out", form.leave, methods=["POST"]),
    ]


async def _page(request: Request) -> Response:
    try:
        person = page_visit_of(request).person
    except HTTPException:
        if access_of(request).signs_in:
            return to_sign_in(request)
        raise
    plant = request.path_params.get("plant")
    if plant == "":
        raise HTTPException(404, NO_SUCH)
    if plant is None and person.plant is not None:
        return RedirectResponse(f"/plants/{quote(person.plant, safe='')}", 303, SAFE)
    _require(person, plant)
    content = page(has_charts=plant is not None)
    return Response(content, headers={**SAFE, "Cache-Control": "no-cache"}, media_type="text/html; charset=utf-8")


async def _static(request: Request) -> Response:
    asset = assets().get(request.path_params["name"])
    if asset is None:
        return PlainTextResponse("there is no such part\n", 404, SAFE)
    headers = {**SAFE, "Cache-Control": "no-cache", "ETag": asset.tag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == asset.tag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=asset.media_type)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


async def _events(request: Request) -> Response:
    visit = visit_of(request)
    plant = request.query_params.get("plant")
    _require(visit.person, plant)
    streams: Streams = request.app.state.streams
    view = View(plant or visit.person.plant, is_alone=visit.person.plant is not None)
    events = streams.follow(view, visit.session, visit.person.name)
    try:
        first = await anext(events)
    except TooManyPages:
        return PlainTextResponse("too many pages are open\n", 503, {**SAFE, "Retry-After": "10"})
    return Events(first, events)


async def _trend(request: Request) -> Response:
    person = visit_of(request).person
    plant, resource = (request.query_params.get(name, "") for name in ("plant", "resource"))
    _require(person, plant)
    try:
        hours = float(request.query_params.get("hours", "1"))
    except ValueError:
        hours = 0.0
    if not 0 < hours <= HOURS_MOST:
        return PlainTextResponse(f"hours must be above 0 and at most {HOURS_MOST:.0f}\n", 400, SAFE)
    trend: TrendOf = request.app.state.trend
    async with request.app.state.trends_at_once:
        shown = trend((plant, resource), hours)
        if shown is None:
            raise HTTPException(404, NO_SUCH)
        return await packed_reply(await asyncio.to_thread(msgspec.json.encode, shown), request)


def _require(person: Person, plant: str | None) -> None:
    """Refuse what is another plant's as if it were not there."""
    if plant is not None and not person.may_see(plant):
        raise HTTPException(404, NO_SUCH)
