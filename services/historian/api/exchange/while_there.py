"""While there: a question is asked of the database for as long as whoever asked is there, and no longer."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import anyio
import anyio.to_thread
from fastapi import Request
from starlette.types import Receive

from historian.api.meters import Meters
from historian.api.problems import Problem
from historian.api.reading import Reader, Reading, Stopped

STOP_AGAIN_S: Final = 0.5
T = TypeVar("T")


class Work(Generic[T]):
    """Something that is done with a connection in one thread and may be stopped from another."""

    def __init__(self, reader: Reader, do: Callable[[Reading], T]) -> None:
        self._reader = reader
        self._do = do
        self._reading: Reading | None = None
        self._is_stopped = False

    def run(self) -> T:
        """Do it.

        Raises:
            Problem: the database is away, or took too long.
            Stopped: it was stopped before it began.
        """
        with self._reader.reading() as reading:
            self._reading = reading
            if self._is_stopped:
                raise Stopped
            return self._do(reading)

    def let_stop(self) -> None:
        """Go no further than the statement that is asked now."""
        self._is_stopped = True
        if self._reading:
            self._reading.let_stop()

    def stop(self) -> None:
        """Cancel it, or let it not begin."""
        self._is_stopped = True
        if self._reading:
            self._reading.stop()


async def while_there(request: Request, work: Work[T], lanes: anyio.CapacityLimiter, meters: Meters) -> T:
    """What the work comes to. When whoever asked goes away, its statement is cancelled.

    Raises:
        Problem: of the database.
        Stopped: who asked has gone.
    """
    doing = asyncio.ensure_future(anyio.to_thread.run_sync(work.run, limiter=lanes))
    leaving = asyncio.ensure_future(until_gone(request.receive))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        work.let_stop()
        meters.cancelled.inc()
        await end(doing, work.stop)
        raise Stopped from doing.exception()
    finally:
        leaving.cancel()
        if not doing.done():  # the server ends, and waits for no database that does not hear it
            threading.Thread(target=work.stop, name="stop", daemon=True).start()
            doing.add_done_callback(_passed_over)


def _passed_over(doing: "asyncio.Future[T]") -> None:
    """Nobody waits for it any more, nor for what went wrong with it."""
    if not doing.cancelled() and isinstance(doing.exception(), Problem | Stopped | None):
        return


async def end(doing: "asyncio.Future[Any]", stop: Callable[[], object]) -> None:
    """Returns when what is done in a thread is over, which is told to stop again and again.

    A word that comes between two statements ends none, and a database that does not hear one holds nobody up.
    """
    while not doing.done():
        telling = asyncio.ensure_future(anyio.to_thread.run_sync(stop, abandon_on_cancel=True))
        await asyncio.wait({doing, telling}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({doing}, timeout=STOP_AGAIN_S)


async def until_gone(receive: Receive) -> None:
    """Returns when who asked has gone away; what came of a body meanwhile is passed over."""
    while (await receive())["type"] != "http.disconnect":
        pass
