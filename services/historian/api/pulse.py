"""Pulse: whether the database answers at all, and an end for whoever waits for one that does not.

A database that is frozen, or a network that swallows what is sent, closes no connection and refuses none: whoever waits for it
waits for ever, and so does the driver. So one connection asks for nothing every second; when even that is not answered, the
sockets of all others are shut, and every call that waits for them comes back at once with a fault. Where one session alone
stands still, all that tells is that a call takes longer than the database lets any take: then its socket alone is shut.
"""

import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ
from psycopg2.extensions import connection as PsycopgConnection  # noqa: N812  # the driver's class

from dotbus.runtime.logs import get_logger

EVERY_S: Final = 1.0
WITHIN_S: Final = 5.0
"""A machine that has much to do answers within it; nobody is told later than after both together."""
END_WITHIN_S: Final = 1.0


class Wires:
    """The sockets of connections, each by a handle of its own: a number that another file has by now is never shut."""

    def __init__(self) -> None:
        self._handles: dict[int, socket.socket] = {}
        self._lock = threading.Lock()

    def add(self, driver: PsycopgConnection) -> None:
        """Note a connection."""
        handle = socket.socket(fileno=socket.dup(driver.fileno()))
        with self._lock:
            self._handles[id(driver)] = handle

    def remove(self, driver: PsycopgConnection) -> None:
        """It is closed."""
        with self._lock:
            handle = self._handles.pop(id(driver), None)
        if handle:
            handle.close()

    def cut(self) -> None:
        """Shut them all."""
        with self._lock:
            for handle in self._handles.values():
                _shut(handle)

    def cut_one(self, driver: PsycopgConnection) -> None:
        """Shut that of one connection."""
        with self._lock:
            if handle := self._handles.get(id(driver)):
                _shut(handle)


def _shut(handle: socket.socket) -> None:
    with suppress(OSError):  # it is shut already
        handle.shutdown(socket.SHUT_RDWR)


class Waits:
    """Calls that wait for a session, each until when it may.

    Args:
        cut: ends whatever waits for a connection.
        monotonic: seconds that no clock change touches.
    """

    def __init__(self, cut: Callable[[PsycopgConnection], None], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._cut = cut
        self._monotonic = monotonic
        self._until_s: dict[int, tuple[PsycopgConnection, float]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def bounded(self, driver: PsycopgConnection, within_s: float) -> Iterator[None]:
        """Wait for it here, and no longer: then the driver's call fails as of a connection that is gone."""
        with self._lock:
            self._until_s[id(driver)] = driver, self._monotonic() + within_s
        try:
            yield
        finally:
            with self._lock:  # whoever has the connection next is not cut for this
                del self._until_s[id(driver)]

    def end_overdue(self) -> None:
        """Cut those that wait too long."""
        with self._lock:
            now_s = self._monotonic()
            overdue = [driver for driver, until_s in self._until_s.values() if until_s < now_s]
            for driver in overdue:
                self._cut(driver)
        if overdue:
            said = "sessions of the database do not answer: whoever waits for them is told so"
            get_logger("api").warning(said, sessions=len(overdue))


class Pulse:
    """Asks for nothing again and again, in a thread of its own.

    Args:
        connect: begins a connection whose calls wait for nothing (psycopg2's `async`).
        lost: is called when no answer comes in time.
        beat: is called each time.
        monotonic: seconds that no clock change touches.
    """

    def __init__(
        self,
        connect: Callable[[], PsycopgConnection],
        lost: Callable[[], None],
        beat: Callable[[], None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._lost = lost
        self._beat = beat
        self._monotonic = monotonic
        self._connection: PsycopgConnection | None = None
        self.is_lost = False

    @contextmanager
    def felt(self) -> Iterator[None]:
        """Ask meanwhile."""
        stop = threading.Event()
        thread = threading.Thread(target=self._feel, args=(stop,), name="pulse", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(END_WITHIN_S)

    def _feel(self, stop: threading.Event) -> None:
        while not stop.is_set():
            is_lost = not self._is_answered()
            if is_lost != self.is_lost:
                self.is_lost = is_lost
                said = (
                    "the database does not answer: whoever waits for it is told so" if is_lost else "the database answers again"
                )
                get_logger("api").warning(said)
            if is_lost:
                self._lost()
            self._beat()
            stop.wait(EVERY_S)
        self._close()

    def _is_answered(self) -> bool:
        """Whether anything comes in time, were it a refusal: who asks a question is told of that by itself."""
        until_s = self._monotonic() + WITHIN_S
        try:
            self._ask(until_s)
        except TimeoutError:
            self._close()
            return False
        except psycopg2.Error:
            self._close()
        except Exception as error:  # noqa: BLE001  # a thread that ended while the database was lost would have it lost for ever
            get_logger("api").error("the database was asked for nothing, and that failed", cause=repr(error))
            self._close()
        return True

    def _ask(self, until_s: float) -> None:
        if self._connection is None:
            self._connection = self._connect()
            self._wait(self._connection, until_s)
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            self._wait(self._connection, until_s)

    def _wait(self, connection: PsycopgConnection, until_s: float) -> None:
        while (state := connection.poll()) != POLL_OK:
            left_s = until_s - self._monotonic()
            with selectors.DefaultSelector() as waiting:
                waiting.register(connection, selectors.EVENT_READ if state == POLL_READ else selectors.EVENT_WRITE)
                if left_s <= 0 or not waiting.select(left_s):
                    raise TimeoutError

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
