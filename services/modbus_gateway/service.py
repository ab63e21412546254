"""Service: bus messages to the images that the server reads from.

Messages are decoded in the bus's thread and handed to the event loop. There the image of each unit that shows what arrived is
rendered anew, and each as soon as time itself changes what it says: an interval ends, or something grows stale.
"""

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

from dotbus.contracts.messages import Upstream
from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.state.arrivals import Arrival, Problem, read_delivery
from modbus_gateway.state.hearing import hear_ingests, needed_services
from modbus_gateway.wire.current_image import CurrentImage

QUIET_S: Final = 0.02
GATHERED_MOST_S: Final = 0.2
"""How long nothing arrives before what was outdated is rendered again, and for how long that is waited for.

Who asks for it meanwhile does not wait: what is outdated is never shown, but rendered when it is asked for."""


class Service:
    """Keeps the image up to date.

    Args:
        register_map: what is served.
        topics: of this installation.
        images: where what came is kept, and rendered from.
        clock: the wall clock.
        render_s: how often to look when nothing arrives and nothing turns.
        turned: called after each round of images.
        delivered: told the outcome of each delivery, for metrics.

    Attributes:
        upstreams: how the ingests are heard, as of the latest round of images. Replaced as a whole: any thread may read it.
    """

    def __init__(
        self,
        register_map: RegisterMap,
        topics: Topics,
        images: CurrentImage,
        *,
        clock: Callable[[], datetime],
        render_s: float,
        turned: Callable[[], None] = lambda: None,
        delivered: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self._map = register_map
        self._topics = topics
        self._images = images
        self._clock = clock
        self._render_s = render_s
        self._turned = turned
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
        """Render until `stop` is set; `started` is called once the first image is shown and messages may come."""
        self._loop = asyncio.get_running_loop()
        await self._render()
        started()
        while not stop.is_set():
            await self._something_new()
            await self._render()

    async def _render(self) -> None:
        for unit_id in self._images.due():
            self._images.renew(unit_id)
            await asyncio.sleep(0)  # who asks meanwhile waits for one unit, not for all
        self.upstreams = hear_ingests(self._images.received, self._needed, self._clock())
        self._turned()

    async def _something_new(self) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), min(self._render_s, self._images.hold_for_s()))
        except TimeoutError:
            await asyncio.sleep(0)  # also when something is always due
            return
        await self._gather()

    async def _gather(self) -> None:
        """Wait until nothing more arrives: what is rendered amid a burst is outdated by the next message of it."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + GATHERED_MOST_S
        while self._changed.is_set() and loop.time() < until_s:
            self._changed.clear()
            await asyncio.sleep(QUIET_S)

    def _take(self, arrival: Arrival) -> None:
        if isinstance(arrival.said, Problem) and self._images.received.problem(arrival.topic) is not arrival.said:
            self._log.warning("message not used", topic=arrival.topic, problem=str(arrival.said), detail=arrival.detail)
        self._images.take(arrival)
        self._changed.set()

    def _turn(self, *, connected: bool) -> None:
        self._images.turn(connected=connected)
        self._changed.set()

    def _in_loop(self, act: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act)
