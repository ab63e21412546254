"""Asking: what every endpoint does alike: who asks, in which format, and reading for as long as whoever asked is there."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Annotated, Generic, TypeVar, cast
from urllib.parse import urlencode

import anyio
import anyio.to_thread
from fastapi import Depends, Request, Response

from dotbus.runtime.installation.installation import Installation
from historian.api.asked.pages import after_of
from historian.api.asked.times import Clock, Zone, shown_in
from historian.api.formats.json_page import Page, read_page
from historian.api.keys.caller import Caller
from historian.api.problems import Problem, Sort
from historian.api.questions.question import Question
from historian.api.reading import Reader, Reading, Stopped
from historian.api.settings import ApiSettings

T = TypeVar("T")
WAITING_PER_CONNECTION = 50
"""So many questions wait for each connection; one more is told to come again."""


@dataclass
class Context:
    """What the endpoints of one process share.

    Attributes:
        clock: UTC now.
        lanes: so many questions are read at once.
    """

    settings: ApiSettings
    installation: Installation
    reader: Reader
    clock: Callable[[], datetime]
    lanes: anyio.CapacityLimiter = field(init=False)

    def __post_init__(self) -> None:
        self.lanes = anyio.CapacityLimiter(self.settings.connections)


@dataclass(frozen=True)
class Asking:
    """One request: who asks, and how it is answered."""

    request: Request
    context: Context
    caller: Caller

    @property
    def environment(self) -> str:
        """Which CAISO is asked about: the installation's."""
        return str(self.context.installation.environment)

    def clock(self, zone: Zone | None) -> Clock:
        """What the times of the request are held against."""
        return Clock(self.context.clock(), zone)

    async def read(self, work: Callable[[Reading], T]) -> T:
        """Do something with a connection, in a thread. When who asked goes away, the statement is cancelled.

        Raises:
            Problem: of the database, or there are too many who ask.
        """
        lanes = self.context.lanes
        if lanes.statistics().tasks_waiting > WAITING_PER_CONNECTION * lanes.total_tokens:
            raise Problem(Sort.BUSY, "too many questions wait for the database; ask again later", retry_after_s=1)
        return await _while_there(self.request, _Work(self.context.reader, work), lanes)

    async def page(self, question: Question, limit: int, page: str | None, zone: Zone | None) -> Response:
        """A page of JSON, with the address of the next one."""
        after = after_of(question, page)
        told = await self.read(partial(read_page, question=question, limit=limit, after=after, shown=shown_in(zone)))
        return Response(told.body, media_type="application/json", headers=self._links(told))

    def _links(self, page: Page) -> Mapping[str, str]:
        if page.next is None:
            return {}
        others = [(name, value) for name, value in self.request.query_params.multi_items() if name != "page"]
        return {"Link": f'<{self.request.url.path}?{urlencode([*others, ("page", page.next)])}>; rel="next"'}


class _Work(Generic[T]):
    """Something that is done with a connection in one thread and may be stopped from another."""

    def __init__(self, reader: Reader, work: Callable[[Reading], T]) -> None:
        self._reader = reader
        self._work = work
        self._reading: Reading | None = None
        self._is_stopped = False

    def run(self) -> T:
        """Do it.

        Raises:
            Stopped: it was stopped before.
        """
        with self._reader.reading() as reading:
            self._reading = reading
            if self._is_stopped:
                raise Stopped
            return self._work(reading)

    def stop(self) -> None:
        """Cancel it, or let it not begin."""
        self._is_stopped = True
        if self._reading:
            self._reading.stop()


async def _while_there(request: Request, work: "_Work[T]", lanes: anyio.CapacityLimiter) -> T:
    doing = asyncio.ensure_future(anyio.to_thread.run_sync(work.run, limiter=lanes))
    leaving = asyncio.ensure_future(_until_gone(request))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            await anyio.to_thread.run_sync(work.stop)
        return await doing
    except Problem:
        if leaving.done():
            raise Stopped from None
        raise
    finally:
        leaving.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def asking(request: Request) -> Asking:
    """The request's context and caller."""
    context = cast("Context", request.app.state.context)
    client = request.client.host if request.client else ""
    return Asking(request, context, Caller(client))


Ask = Annotated[Asking, Depends(asking)]
"""What an endpoint asks for to have one."""
