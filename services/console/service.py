"""Service: bus messages to the picture, and the picture to every open page, once a second.

The bus's thread only hands messages over; they are read, and everything else is done, in the event loop.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Final

from console.following import Following, ResourceKey
from console.picture.measured import Measures
from console.picture.picture import Picture
from console.picture.trends import ShownTrend
from console.web.streams import Streams
from dotbus.judging.clock_steps import Moment
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery

EVERY_S: Final = 1.0
SOONER_S: Final = 0.2
"""After a message, so that what CAISO changes is seen at once; not more often than so."""
WAITING_MOST: Final = 5000
ROOM_WITHIN_S: Final = 1.0
MEASURED_WITHIN_S: Final = 2.0

_Came = Delivery | bool


class Service:
    """Keeps the picture up to date, and tells it.

    Args:
        following: where what came is kept.
        picture: what is shown of it.
        streams: of the open pages.
        now: the moment on both clocks.
        looked: told how long each look took, seconds, for metrics.
        look_at_people: ends what whoever has signed in may see no more.

    Attributes:
        looked_at_s: when it was looked last, by the clock that cannot be set. While that goes on the loop turns.
    """

    def __init__(
        self,
        following: Following,
        picture: Picture,
        streams: Streams,
        now: Callable[[], Moment],
        looked: Callable[[float], None] = lambda _s: None,
        look_at_people: Callable[[], None] | None = None,
    ) -> None:
        self._following = following
        self._picture = picture
        self._streams = streams
        self._now = now
        self._looked = looked
        self._look_at_people = look_at_people
        self.looked_at_s = time.monotonic()
        self._waiting = deque[_Came]()
        self._has_room = threading.Event()
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._log = get_logger("service")

    def follow(self, bus: Bus) -> None:
        """Subscribe. Call before the bus is started."""
        bus.subscribe(self._following.filters(), self.on_delivery)
        bus.on_connection(self._hand_over)

    def on_delivery(self, delivery: Delivery) -> None:
        """Take a message over, in the bus's thread. Nothing is kept here: the broker has each state still."""
        self._hand_over(delivery)
        delivery.ack()
        if len(self._waiting) >= WAITING_MOST:
            self._has_room.clear()
            self._has_room.wait(ROOM_WITHIN_S)

    def _hand_over(self, what: _Came) -> None:
        self._waiting.append(what)
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._changed.set)

    async def run(self, stop: threading.Event) -> None:
        """Look once a second, and soon after a message, until told to stop; then end every stream."""
        self._loop = asyncio.get_running_loop()
        try:
            while not stop.is_set():
                self.look()
                await asyncio.sleep(SOONER_S)
                timer = self._loop.call_later(EVERY_S - SOONER_S, self._changed.set)
                await self._changed.wait()
                timer.cancel()
        finally:
            self._loop = None
            self._streams.end()

    def trend(self, key: ResourceKey, hours: float) -> ShownTrend | None:
        """A resource's trend as of now."""
        return self._picture.trend(key, hours, self._now().wall)

    def measured(self) -> Measures | None:
        """What programs are told now, for another thread; None while the loop does not turn: what it knows would look fresh."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return None
        asked = asyncio.run_coroutine_threadsafe(self._measure(), loop)
        try:
            return asked.result(MEASURED_WITHIN_S)
        except (TimeoutError, CancelledError):
            asked.cancel()
            return None

    async def _measure(self) -> Measures:
        return self._picture.measure(self._now().wall)

    def look(self) -> None:
        """Take what came, and tell every page what changed by it and by time."""
        self.looked_at_s = time.monotonic()
        self._changed.clear()
        if self._look_at_people:
            self._look_at_people()
        self._take_waiting()
        moment = self._now()
        self._following.look_at_clock(moment)
        changed = self._picture.look(moment.wall)
        self._streams.tell(self._picture.parts, changed, moment)
        self._looked(time.monotonic() - self.looked_at_s)

    def _take_waiting(self) -> None:
        for _ in range(len(self._waiting)):
            came = self._waiting.popleft()
            if isinstance(came, bool):
                self._following.turn(connected=came, at=self._now().wall)
                continue
            try:
                self._following.take(came)
            except Exception:  # noqa: BLE001  # nobody's message may end what shows all others
                self._log.exception("a message could not be read", topic=came.topic)
        self._has_room.set()
