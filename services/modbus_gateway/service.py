"""Service: bus messages to the images that the server reads from.

Messages are read in the event loop, whose thread answers whoever asks: the bus's thread only takes them over, so that it hardly
ever has the interpreter while somebody waits. What each of them is about is written anew, and so is each thing as soon as time
itself changes what may be said of it: an interval ends, or something grows stale. One thing at a time, a message or what is
written, and between any two whoever asks is answered.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from dotbus.contracts.messages import Environment, Upstream
from dotbus.contracts.topics import Topics
from dotbus.judging.arrivals import ALARMS, INGESTS, Problem, read_delivery
from dotbus.judging.hearing import hear_ingests
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.wire.images.current_image import CurrentImage

WAITING_MANY: Final = 25
"""So many wait only when a whole batch is said, or as a connection begins. Then they are taken first: each thing is written
once for all, and whoever asks for one of them has it written then. A thousand a second come in smaller parts."""
WAITING_MOST: Final = 1000
"""Messages that may wait for their turn; more are left with the system, and so with the broker."""
ROOM_WITHIN_S: Final = 1.0
"""How long the bus's thread waits for room at most: it keeps the connection, too."""

_TELL_OF_SOURCES: Final = (*INGESTS, ALARMS)
_Came = Delivery | bool | Callable[[], None]
"""A message, that the connection came or went, or what is to be done after them."""


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
        self._needed = register_map.services
        self._followed = frozenset(register_map.states(topics))
        self._bus: Bus | None = None
        self._also: frozenset[str] = frozenset()
        self.upstreams: tuple[Upstream, ...] = hear_ingests(images.received, self._needed, clock())
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._waiting = deque[_Came]()
        self._is_told = False
        self._has_taken = False
        self._has_room = threading.Event()
        self._log = get_logger("service")

    def follow(self, bus: Bus, also: Sequence[str] = ()) -> None:
        """Subscribe to what the map shows, and to other states, whatever a map shows. Call before the bus is started."""
        self._bus, self._also = bus, frozenset(also)
        bus.subscribe([*also, *self._map.filters(self._topics)], self.on_delivery)
        bus.on_connection(self.on_connection)

    @property
    def stale_after_s(self) -> float:
        """How long CAISO's word counts, by the map in force."""
        return self._map.judging.stale_after_s

    @property
    def images(self) -> CurrentImage:
        """What is served now."""
        return self._images

    def change_map(self, register_map: RegisterMap, images: CurrentImage) -> Callable[[], None]:
        """Go on with another map and its image, in the loop's thread, from one request to the next.

        Returns:
            Asks the broker for what it shows and no more for what it does not. It may wait, so it is for another thread.
        """
        before, self._map = self._map, register_map
        images.take_over(self._images, self._also)
        self._images, self._needed = images, register_map.services
        self._followed = frozenset(register_map.states(self._topics))
        self._is_heard = True
        self._changed.set()
        return lambda: self._ask_for_others(before, register_map)

    def _ask_for_others(self, before: RegisterMap, after: RegisterMap) -> None:
        """Services come last again. Where other environments count everything is asked for: the broker says it once more."""
        if self._bus is None:
            return
        known, wanted = before.filters(self._topics), after.filters(self._topics)
        is_new = set(wanted) - set(known if _accepted(before) == _accepted(after) else ())
        self._bus.unsubscribe([one for one in known if one not in wanted and one not in self._also], self.on_delivery)
        self._bus.subscribe([one for one in wanted if one in is_new or one == wanted[-1]], self.on_delivery)

    def on_delivery(self, delivery: Delivery) -> None:
        """Take a message over, in the bus's thread. A state needs no safekeeping: the broker has it still."""
        self._hand_over(delivery)
        delivery.ack()
        if len(self._waiting) >= WAITING_MOST and self._loop is not None:
            self._has_room.clear()
            self._has_room.wait(ROOM_WITHIN_S)

    def on_connection(self, connected: bool) -> None:  # noqa: FBT001  # a listener's one argument
        """Learn, in the bus's thread, that the broker is there or not."""
        self._hand_over(connected)

    def in_turn(self, act: Callable[[], None]) -> None:
        """Have something done in the loop's thread once all that came before has been taken; any thread may ask."""
        self._hand_over(act)

    def _hand_over(self, what: _Came) -> None:
        self._waiting.append(what)
        loop = self._loop  # gone once nobody takes anything any more
        if loop is not None and not self._is_told and not loop.is_closed():
            self._is_told = True
            loop.call_soon_threadsafe(self._changed.set)

    async def run(self, stop: threading.Event, started: Callable[[], None]) -> None:
        """Write what is outdated until `stop` is set; `started` is called once messages may come.

        Registers need not be written before: who asks for one has it written first.
        """
        self._loop = asyncio.get_running_loop()
        self._look_round()
        started()
        try:
            await self._work(stop)
        finally:
            self._loop = None
            self._has_room.set()

    async def _work(self, stop: threading.Event) -> None:
        while not stop.is_set():
            is_busy = self._do_next()
            if self._is_heard or self._monotonic_s() - self.turned_at_s >= self._render_s:
                self._look_round()
            if is_busy:
                await asyncio.sleep(0)  # let requests in
            else:
                await self._something_new()

    def _do_next(self) -> bool:
        """Take what came first, or write one thing anew, in turns. False when there is nothing to do.

        So of what messages outdate little is left when somebody asks, who waits for all of it that he asks for: the header of
        a plant for each of its resources.
        """
        self._is_told = False  # first: what is handed over from now on tells again
        waiting = len(self._waiting)
        subject = self._images.next_outdated() if not waiting or (self._has_taken and waiting < WAITING_MANY) else None
        self._has_taken = subject is None
        if subject:
            self._images.renew(subject)
        elif waiting:
            self._take(self._waiting.popleft())
            if waiting <= WAITING_MOST:
                self._has_room.set()
        return bool(subject or waiting)

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

    def _take(self, what: _Came) -> None:
        if isinstance(what, bool):
            self._images.turn(connected=what)
            self._is_heard = True
            return
        try:
            if isinstance(what, Delivery):
                self._read(what)
            else:
                what()
        except Exception:  # noqa: BLE001  # nobody's message may end what serves all others
            self._log.exception("a message could not be read", topic=getattr(what, "topic", None))

    def _read(self, delivery: Delivery) -> None:
        arrival = read_delivery(delivery, self._topics, self._map.judging.accept_environments, _TELL_OF_SOURCES)
        if arrival is None:
            self._delivered("not ours")
            return
        if not (arrival.source or arrival.topic in self._followed or arrival.topic in self._also):
            return  # of a map before; and it would come again, were it shown again
        self._delivered(str(arrival.said) if isinstance(arrival.said, Problem) else "taken")
        if isinstance(arrival.said, Problem) and self._images.received.problem(arrival.topic) is not arrival.said:
            self._log.warning("message not used", topic=arrival.topic, problem=str(arrival.said), detail=arrival.detail)
        self._images.take(arrival)
        self._is_heard = self._is_heard or bool(arrival.source)

    def stand(self, redundancy_state: int, holds_until_s: float) -> None:
        """What we are beside other gateways, and until when what came is not too old; in the loop's thread."""
        self._images.stand(redundancy_state, holds_until_s)
        self._changed.set()


def _accepted(register_map: RegisterMap) -> frozenset[Environment]:
    return frozenset(register_map.judging.accept_environments)
