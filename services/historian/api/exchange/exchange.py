"""Exchange: what every endpoint does alike: who asks, how often, and how it is answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar, cast
from urllib.parse import urlencode

import anyio.to_thread
from fastapi import Depends, Request, Response

from dotbus.runtime.settings.addresses import is_this_machine
from dotbus.web.connections import ANSWERED
from historian.api.exchange.context import Context
from historian.api.exchange.formatted import format_of, json_answer, streamed_answer
from historian.api.exchange.parameters import PageParameters, require_said_once
from historian.api.exchange.while_there import Work, while_there
from historian.api.formats.json_page import Page, read_page
from historian.api.formats.negotiation import Format
from historian.api.keys.caller import Caller
from historian.api.keys.keyring import key_in
from historian.api.problems import Problem, Sort
from historian.api.questions.question import Question
from historian.api.reading import Reading
from historian.api.request.pages import after_of
from historian.api.request.times import Clock, Zone, shown_in

T = TypeVar("T")
WAITING_PER_CONNECTION = 50
"""So many questions wait for each connection; one more is told to come again."""
_FOREIGN = "without keys only this machine may ask, by its own name or address: somebody else's name for it is not answered"


@dataclass(frozen=True)
class Exchange:
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

    async def read(self, do: Callable[[Reading], T]) -> T:
        """Do something with a connection, in a thread. When who asked goes away, the statement is cancelled.

        Raises:
            Problem: of the database, or there are too many who ask.
        """
        lanes = self.context.lanes
        if lanes.statistics().tasks_waiting > WAITING_PER_CONNECTION * lanes.total_tokens:
            raise Problem(Sort.BUSY, "too many questions wait for the database; ask again later", retry_after_s=1)
        return await while_there(self.request, Work(self.context.reader, do), lanes, self.context.meters)

    async def answer(self, question: Question, asked: PageParameters) -> Response:
        """The rows of a question in the format that is asked for: a page of JSON, or a stream of all of them."""
        if self.is_streamed:
            return self.stream(question, asked)
        after = after_of(question, asked.page)
        page = partial(read_page, question=question, limit=asked.limit, after=after, shown=shown_in(asked.tz))
        told = await self.read(page)
        return self.tell(told)

    @property
    def is_streamed(self) -> bool:
        """Whether all rows are asked for in a stream, and no page of JSON.

        Raises:
            Problem: no format that there is is taken.
        """
        return format_of(self.request) is not Format.JSON

    def stream(self, question: Question, asked: PageParameters) -> Response:
        """All rows of a question in the format that is asked for."""
        return streamed_answer(self.request, self.context, self.caller, question, format_of(self.request), asked)

    def tell(self, page: Page) -> Response:
        """A page of JSON that was made already."""
        return json_answer(self.request, page.body, self.links(page.next))

    def links(self, following: str | None) -> Mapping[str, str]:
        """Where the next page is, as a header says it."""
        if following is None:
            return {}
        others = [(name, value) for name, value in self.request.query_params.multi_items() if name != "page"]
        return {"Link": f'<{self.request.url.path}?{urlencode([*others, ("page", following)])}>; rel="next"'}


async def exchange_of(request: Request) -> Exchange:
    """The request with its caller, who may ask now.

    Raises:
        Problem: it says no valid key, asks too often, or says something twice of which there is one.
    """
    context = cast("Context", request.app.state.context)
    caller = await _caller(request, context)
    context.rate.take(caller.name, context.monotonic())
    require_said_once(request)
    setattr(request.state, ANSWERED, True)
    return Exchange(request, context, caller)


async def _caller(request: Request, context: Context) -> Caller:
    address = request.client.host if request.client else ""
    if context.settings.without_keys:
        # A page in a browser may call this machine by a name of its own and then read what is answered.
        if not is_this_machine(request.url.hostname or ""):
            raise Problem(Sort.FOREIGN_HOST, _FOREIGN)
        return Caller(address)
    key, now_s = key_in(request.headers.get("authorization")), context.monotonic()
    if known := context.keyring.remembered(key, now_s):
        return known
    return await _looked_up(context, key, address, now_s)


async def _looked_up(context: Context, key: str, address: str, now_s: float) -> Caller:
    """Whose a key is that is not remembered. An address that tries many has them looked up one by one: a right one passes."""
    hasty = context.lookups.refusal(address, now_s)
    limiter = context.one_by_one if hasty else context.lanes
    try:
        return await anyio.to_thread.run_sync(context.keyring.ask, key, now_s, limiter=limiter)
    except Problem as problem:
        if hasty and problem.sort is Sort.KEY_REFUSED:
            raise hasty from problem
        raise


Ask = Annotated[Exchange, Depends(exchange_of)]
"""What an endpoint asks for to have one."""
