"""Service: bus messages to the images that the server reads from.

Messages are decoded in the bus's thread and handed to the event loop. There what each of them is about is written anew, and so
is each thing as soon as time itself changes what may be said of it: an interval ends, or something grows stale. One thing at a
time, and between any two whoever asks is answered.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime

from dotbus.contracts.messages import Upstream
from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.state.arrivals import Arrival, Problem, read_delivery
from modbus_gateway.state.hearing import hear_ingests, needed_services
from modbus_gateway.wire.current_image import CurrentImage


class Service:
    """Keeps the image up to date.

    Args:
        register_map: what is served.
        topics: of this installation.
        images: where what came is kept, and rendered from.
        clock: the wall clock.
        render_s: how often to look when nothing arrives and nothing turns.
        monotonic_s: seconds that never go back.
        turned: called that often at least.
        delivered: told the outcome of each delivery, for metrics.

    Attributes:
        turned_at_s: when it was looked round last, by the clock that cannot be set. While that goes on the loop turns.
        upstreams: how the ingests are heard, as of the last look. Replaced as a whole: any thread may read it.
    """

    def __init__(
        self,
        register_map: RegisterMap,
        topics: Topics,
        images: CurrentImage,
        *,
        clock: Callable[[], datetime],
        render_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
        turned: Callable[[], None] = lambda: None,
        delivered: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self._map = register_map
        self._topics = topics
        self._images = images
        self._clock = clock
        self._render_s = render_s
        self._turned = turned
        self._monotonic_s = monotonic_s
        self.turned_at_s = monotonic_s()
        self._is_heard = False
        self._delivered = delivered
        self._needed = needed_services(register_map)
        self.upstreams: tuple[Upstream, ...] = hear_ingests(images.received, self._needed, clock())
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._log = get_logger("service")

    def follow(self, bus: Bus) -> None:
        """Subscribe to what the map shows. Call before the bus is started."""
        bus.subscribe(self._map.filters(self._topics), self.on_delivery)
        bus.on_connection(self.on_connection)

    def on_delivery(self, delivery: Delivery) -> None:
        """Take a message, in the bus's thread. A state needs no safekeeping: the broker has it still."""
        arrival = read_delivery(delivery, self._topics, self._map.judging.accept_environments)
        if arrival is None:
            self._delivered("not ours")
        else:
            self._delivered(str(arrival.said) if isinstance(arrival.said, Problem) else "taken")
            self._in_loop(lambda: self._take(arrival))
        delivery.ack()

    def on_connection(self, connected: bool) -> None:  # noqa: FBT001  # a listener's one argument
        """Learn, in the bus's thread, that the broker is there or not."""
        self._in_loop(lambda: self._turn(connected=connected))

    async def run(self, stop: threading.Event, started: Callable[[], None]) -> None:
        """Write what is outdated until `stop` is set; `started` is called once messages may come.

        Registers need not be written before: who asks for one has it written first.
        """
        self._loop = asyncio.get_running_loop()
        self._look_round()
        started()
        while not stop.is_set():
            is_busy = await self._write_next()
            if self._is_heard or self._monotonic_s() - self.turned_at_s >= self._render_s:
                self._look_round()
            if not is_busy:
                await self._something_new()

    async def _write_next(self) -> bool:
        """Write one thing anew, then let requests in. False when nothing is outdated."""
        subject = self._images.next_outdated()
        if subject is None:
            return False
        self._images.renew(subject)
        await asyncio.sleep(0)
        return True

    def _look_round(self) -> None:
        self._is_heard, self.turned_at_s = False, self._monotonic_s()
        self.upstreams = hear_ingests(self._images.received, self._needed, self._clock())
        self._turned()

    async def _something_new(self) -> None:
        """Wait until something came, or turns, or it is time to look round."""
        turns_in_s = self._images.turns_in_s()
        wait_s = self._render_s if turns_in_s is None else min(self._render_s, turns_in_s)
        timer = asyncio.get_running_loop().call_later(wait_s, self._changed.set)
        await self._changed.wait()
        timer.cancel()
        self._changed.clear()

    def _take(self, arrival: Arrival) -> None:
        if isinstance(arrival.said, Problem) and self._images.received.problem(arrival.topic) is not arrival.said:
            self._log.warning("message not used", topic=arrival.topic, problem=str(arrival.said), detail=arrival.detail)
        self._images.take(arrival)
        self._is_heard = self._is_heard or bool(arrival.source)
        self._changed.set()

    def _turn(self, *, connected: bool) -> None:
        self._images.turn(connected=connected)
        self._is_heard = True
        self._changed.set()

    def _in_loop(self, act: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act)
