"""Events: a stream to one page over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from console.web.replies import NOT_KEPT
from dotbus.runtime.logs import get_logger

STUCK_AFTER_S: Final = 30.0
"""A page that takes nothing for so long is let go; its browser asks again when it can."""


class Events(Response):
    """Server-sent events, each sent as it comes, until the page goes, takes nothing any more, or the stream ends."""

    media_type = "text/event-stream"

    def __init__(self, first: bytes, events: AsyncIterator[bytes]) -> None:
        super().__init__(headers={**NOT_KEPT, "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._first = first
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # as every response
        """Send them."""
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_left(receive))
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, leaving):
            task.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            await _send_within(send, self._first)
            async for event in self._events:
                await _send_within(send, event)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            get_logger("stream").warning("a page takes nothing any more and is let go", after_s=STUCK_AFTER_S)
        finally:
            close: Callable[[], Awaitable[None]] | None = getattr(self._events, "aclose", None)
            if close is not None:
                await close()


async def _send_within(send: Send, event: bytes) -> None:
    await asyncio.wait_for(send({"type": "http.response.body", "body": event, "more_body": True}), STUCK_AFTER_S)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
