"""Streamed: an answer that is sent while it is read from the database, with the same memory however long it is.

A thread asks and writes; the event loop sends. Between them are a few pieces, so that who reads slowly slows the database down
and fills nothing. Three things end it before its end, and each frees the connection and the statement at once: who asked goes
away, or takes nothing for a while, or the database gives no more. What was begun is then broken off, which HTTP/1.1 shows as a
body without its last chunk, gzip and zstd as data without an end, Arrow without its mark and Parquet without a footer.
"""

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import Final

import anyio
import anyio.to_thread
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from dotbus.runtime.logs import get_logger
from historian.api.exchange.while_there import end, until_gone
from historian.api.formats.sink import ReaderGone, Sink
from historian.api.problems import Problem, Sort
from historian.api.reading import Stopped
from historian.api.streaming import Interruption

PIECES_BETWEEN: Final = 2
TAKES_NOTHING_S: Final = 60.0
"""Who takes no piece for so long holds a connection of the database for nothing."""
HEAD_ALONE: Final = "dotbus.head_alone"
"""In the scope of a question by HEAD, which is answered as one by GET: nothing is read for a body that nobody is sent."""
LOOK_EVERY_S: Final = 0.5
ENDS_WITHIN_S: Final = 5.0
_OLD: Final = (
    "HTTP/1.0 cannot show that a stream was broken off; ask with HTTP/1.1 (nginx: proxy_http_version 1.1), or for JSON"
)

_STANDS_STILL: Final = "its session of the database does not answer; ask again, which is answered by another"

Writing = Callable[[Sink, Interruption], None]
"""Writes the whole answer into a sink, in a thread."""


CUT: Final = "dotbus.cut"
"""In the state of a request: what closes its connection without a last chunk. A server without it prints what was raised."""


class StreamCut(Exception):
    """The answer ends before its end. The connection is closed without the last chunk.

    Attributes:
        at_once: nobody takes what is on its way, so that it is thrown away.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        super().__init__("an answer was broken off, as was logged before")
        self.at_once = at_once


class StreamedAnswer(Response):
    """An answer that a thread writes.

    Args:
        writing: writes it.
        writers: so many threads write at once.
        media_type, headers: as of any response.
        place: is held while it is sent; to enter it may raise a problem.
        went_away: is called when who asked goes away.
        go_on: is called again and again while nothing comes; it raises a problem when nothing will.
        takes_nothing_s: as long as who asked may take nothing.
        comes_within_s: as long as the next piece may take to come: longer than the database lets any statement take.
    """

    def __init__(
        self,
        writing: Writing,
        writers: anyio.CapacityLimiter,
        *,
        media_type: str,
        headers: Mapping[str, str],
        place: AbstractContextManager[None] | None = None,
        went_away: Callable[[], None] = lambda: None,
        go_on: Callable[[], None] = lambda: None,
        takes_nothing_s: float = TAKES_NOTHING_S,
        comes_within_s: float = math.inf,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({**headers, "Content-Type": media_type})
        self._writing = writing
        self._writers = writers
        self._place = place or nullcontext()
        self._went_away = went_away
        self._go_on = go_on
        self._takes_nothing_s = takes_nothing_s
        self._comes_within_s = comes_within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it.

        Raises:
            StreamCut: it was begun and is broken off, and the server has no other way to close the connection.
            Problem: nothing was sent yet, and nothing will be.
            Stopped: nothing was sent yet, and nobody waits for it any more.
        """
        if scope["method"] == "HEAD" or HEAD_ALONE in scope:
            await send(self._start())
            await send(_LAST)
            return
        if scope["http_version"] == "1.0":
            raise Problem(Sort.OLD_HTTP, _OLD)
        try:
            with self._place:
                await self._stream(receive, send)
        except StreamCut as cut:
            close = scope.get("state", {}).get(CUT)
            if close is None:
                raise
            close(at_once=cut.at_once)
            await until_gone(receive)  # else the server would say that an answer is not whole

    async def _stream(self, receive: Receive, send: Send) -> None:
        between, interruption = _Between(self._go_on, self._comes_within_s), Interruption()
        write = partial(self._write, between, interruption)
        written = asyncio.ensure_future(anyio.to_thread.run_sync(write, limiter=self._writers, abandon_on_cancel=True))
        gone = asyncio.create_task(until_gone(receive))
        try:
            await self._send(between, gone, send)
        finally:
            gone.cancel()
            between.close()
            # A driver that waits for a frozen database hears nothing: it ends when that goes on.
            await asyncio.wait({asyncio.ensure_future(end(written, interruption.give))}, timeout=ENDS_WITHIN_S)
            written.cancel()  # its place among those that write is free

    async def _send(self, between: "_Between", gone: asyncio.Task[None], send: Send) -> None:
        try:
            piece = await between.next(gone)
        except ReaderGone as error:
            self._went_away()
            raise Stopped from error
        await send(self._start())
        with _broken_off(self._went_away):
            while piece is not None:
                await asyncio.wait_for(send(_body(piece)), self._takes_nothing_s)
                piece = await between.next(gone)
            await send(_LAST)

    def _start(self) -> Message:
        return {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}

    def _write(self, between: "_Between", interruption: Interruption) -> None:
        """In the thread."""
        with suppress(ReaderGone, Stopped):
            try:
                self._writing(between.put, interruption)
            except (ReaderGone, Stopped):
                raise
            except Exception as error:  # noqa: BLE001  # it is raised again where the answer is sent
                between.put(error)
            else:
                between.put(None)


class _Between:
    """Pieces on their way from a thread to the event loop. None is the end, and a fault is why there is none."""

    def __init__(self, go_on: Callable[[], None], comes_within_s: float) -> None:
        self._go_on = go_on
        self._comes_within_s = comes_within_s
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(PIECES_BETWEEN)
        self._closed = False

    def put(self, piece: bytes | Exception | None) -> None:
        """Called in the thread: returns when there is room.

        Raises:
            ReaderGone: nothing is taken any more.
        """
        if not self._closed:
            asyncio.run_coroutine_threadsafe(self._pieces.put(piece), self._loop).result()
        if self._closed:
            raise ReaderGone

    async def next(self, gone: asyncio.Task[None]) -> bytes | None:
        """The next piece.

        Raises:
            ReaderGone: who asked went away before it came.
            Problem: it will not come.
            Exception: what befell the thread.
        """
        taken, until_s = asyncio.create_task(self._pieces.get()), self._loop.time() + self._comes_within_s
        try:
            while not taken.done() and not gone.done():
                self._go_on()
                if self._loop.time() > until_s:
                    raise Problem(Sort.DATABASE_AWAY, _STANDS_STILL, retry_after_s=1)
                await asyncio.wait((taken, gone), return_when=asyncio.FIRST_COMPLETED, timeout=LOOK_EVERY_S)
            if gone.done():
                raise ReaderGone
            piece = taken.result()
        finally:
            taken.cancel()
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        """Nothing is taken any more: let go whoever waits to put something."""
        self._closed = True
        while not self._pieces.empty():
            self._pieces.get_nowait()


@contextmanager
def _broken_off(went_away: Callable[[], None]) -> Iterator[None]:
    """What goes wrong from here on cannot be told as a problem any more: the answer is cut, and the log says why."""
    try:
        yield
    except ReaderGone:
        went_away()
    except TimeoutError as error:
        get_logger("api").info("an answer was broken off: nothing of it was taken any more")
        raise StreamCut(at_once=True) from error
    except asyncio.CancelledError as error:
        get_logger("api").info("an answer was broken off: the API ends")
        raise StreamCut(at_once=True) from error
    except Exception as error:
        get_logger("api").warning("an answer was broken off", cause=str(error.__cause__ or error))
        raise StreamCut from error


_LAST: Final[Message] = {"type": "http.response.body", "body": b""}


def _body(piece: bytes) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": True}
