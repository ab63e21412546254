"""Gateways: those that speak on the bus, this one among them, as it hears them."""

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from dotbus.contracts.codec import UndecodableMessage, decode_as
from dotbus.contracts.messages import ServiceStatus
from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.runtime.namesake import Namesake
from dotbus.runtime.presence import Identity
from modbus_gateway.beside.echo import Echo
from modbus_gateway.beside.pair import Ours, Pair, State


class Gateways:
    """Hears the gateways, and has this one step back when another one uses its name and came before it.

    Args:
        bus: not started yet.
        topics: of the installation.
        identity: who we are.
        step_back: has nothing served any more; called in the loop, once.
        shown: told what this one is beside the others, and until when what came from the bus is not too old, by `monotonic_s`;
            called in the loop.
        say_again: has our status said at once.
        in_turn: has something done in the loop, once all that came from the bus before has been taken.
        monotonic_s: seconds that never go back, and go on while the machine sleeps.
        clock: the wall clock.

    Attributes:
        has_stepped_back: whether this one serves nothing any more. It lasts until the process ends.
    """

    def __init__(
        self,
        bus: Bus,
        topics: Topics,
        identity: Identity,
        step_back: Callable[[], None],
        shown: Callable[[State, float], None],
        say_again: Callable[[], None],
        *,
        in_turn: Callable[[Callable[[], None]], None],
        monotonic_s: Callable[[], float],
        clock: Callable[[], datetime],
    ) -> None:
        self._bus = bus
        self._topics = topics
        self._identity = identity
        self._step_back = step_back
        self._shown = shown
        self._say_again = say_again
        self._monotonic_s = monotonic_s
        self._pair = Pair(Ours(identity.source, identity.started_at, identity.environment, {}))
        self._echo = Echo()
        self._connected = False
        self._active_since_s = math.inf
        self._clock = clock
        self._in_turn = in_turn
        self._namesake = Namesake(identity.started_at)
        self.has_stepped_back = False
        self._log = get_logger("beside")
        bus.subscribe([topics.every_instance(identity.service)], self._on_delivery)
        bus.on_connection(self._on_connection)
        bus.on_namesake(lambda: in_turn(self._take_drop))

    @property
    def complaints(self) -> tuple[str, ...]:
        """What is wrong with who is beside us; any thread may ask."""
        complaint = self._namesake.complaint(self._identity.source, self._clock())
        return (complaint,) if complaint else ()

    @property
    def state(self) -> State:
        """What this one is beside the others; any thread may ask, also one that goes on before the loop does after a stop."""
        return State.UNKNOWN if self._monotonic_s() > self._echo.holds_until_s else self._pair.state

    def serve(self, map_hashes: Mapping[int, int]) -> None:
        """Registers by these hashes are served from now on. Who serves others is not beside us."""
        hashes = {str(unit_id): number for unit_id, number in map_hashes.items()}
        self._pair = replace(self._pair, ours=replace(self._pair.ours, map_hashes=hashes))

    @property
    def map_hashes(self) -> Mapping[str, int]:
        """Of each unit that is served."""
        return self._pair.ours.map_hashes

    def saying(self, status: ServiceStatus) -> None:
        """Our own status is said next, by another thread."""
        now_s = self._monotonic_s()  # as of now: what it stands behind, when it comes back, was at the broker by then
        self._in_turn(lambda: self._echo.said(status.time, now_s))

    def refused(self) -> None:
        """The broker refused it, in the same thread."""
        self._in_turn(self._echo.refused)

    def look_round(self) -> None:
        """Time has passed. To be called now and then, in the loop."""
        now_s = self._monotonic_s()
        self._echo.look(now_s)
        hears = self._connected and now_s <= self._echo.holds_until_s
        before, self._pair = self._pair, self._pair.at(now_s, hears=hears)
        if before.state is not self._pair.state:
            self._log.info("beside other gateways", state=self._pair.state.word, others=sorted(self._pair.others))
            self._active_since_s = now_s
            self._say_again()
        self._shown(self._to_read, self._echo.holds_until_s)

    @property
    def _to_read(self) -> State:
        """What SCADA is told. Who takes the place of another one has first to have all that this one may have had."""
        is_active = self._pair.state is State.ACTIVE
        return State.STANDBY if is_active and not self._echo.covers(self._active_since_s) else self._pair.state

    def _on_connection(self, connected: bool) -> None:  # noqa: FBT001  # a listener's one argument
        """In the bus's thread."""
        now_s = self._monotonic_s()
        self._in_turn(lambda: self._turn(now_s, connected=connected))

    def _turn(self, at_s: float, *, connected: bool) -> None:
        self._connected = connected
        self._echo.begin(at_s) if connected else self._echo.end()
        self._pair = self._pair.at(self._monotonic_s(), hears=False)  # it begins to listen anew
        self.look_round()

    def _on_delivery(self, delivery: Delivery) -> None:
        """In the bus's thread. Each is believed about itself only; what is no status is passed over."""
        delivery.ack()
        try:
            status = decode_as(delivery.payload, ServiceStatus)
        except UndecodableMessage:
            return
        if delivery.topic == self._topics.service(self._identity.service, status.instance):
            self._in_turn(lambda: self._take(status, is_live=not delivery.retained))

    def _take(self, status: ServiceStatus, *, is_live: bool) -> None:
        if status.instance == self._identity.instance:
            if status.started_at == self._identity.started_at:
                self._echo.heard(status.time)
            self._look(self._namesake.heard(status, self._clock()))
        else:
            self._pair = self._pair.heard(status, self._monotonic_s(), is_live=is_live)
        self.look_round()

    def _take_drop(self) -> None:
        self._look(self._namesake.dropped())

    def _look(self, after: Namesake) -> None:
        before, self._namesake = self._namesake, after
        told = after.complaint(self._identity.source, self._clock())
        if told and not before.complaint(self._identity.source, self._clock()):
            self._log.error("another process used our name at the broker, and steps back", detail=told)
        if after.steps_back and not self.has_stepped_back:
            self.has_stepped_back = True
            self._log.error(
                "another process uses our name and started before us: we step back, and serve nothing until restarted",
                other_started_at=str(after.other_at),
                next="give this one its own INSTANCE, then restart it",
            )
            self._step_back()
            asyncio.get_running_loop().run_in_executor(None, self._bus.stop)
