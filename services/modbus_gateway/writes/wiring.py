"""Wiring of what SCADA writes: the outbox of its events, who delivers them, and who says what was taken."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime

from dotbus.contracts.messages import PointWritten
from dotbus.contracts.topics import Topics
from dotbus.judging.received import Received
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.outbox.courier import Courier
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.presence import Identity
from modbus_gateway.map.writable import AnswerBlock, Writables
from modbus_gateway.wire.tables import Tables
from modbus_gateway.writes.answering import Answering
from modbus_gateway.writes.instructions import Listed, list_open
from modbus_gateway.writes.shown import written_tables
from modbus_gateway.writes.taking import Taking
from modbus_gateway.writes.telemetry import Saying
from modbus_gateway.writes.unit import Now


class Writes:
    """All that a gateway has for writes. Make it before the bus starts.

    Args:
        writables: of the map.
        identity: who speaks; its instance is the plant.
        topics: of the installation.
        bus: the connection to the broker.
        client_id: of that connection.
        outbox: of the gateway.
        received: what came from the bus, until now.
        stale_after_s: how long CAISO's word counts, by the map in force.
        wall: the wall clock.
        monotonic_s: seconds that never go back.
        count: told the outcome of each write.

    Attributes:
        writing: takes what clients write.
    """

    def __init__(
        self,
        writables: Writables,
        identity: Identity,
        topics: Topics,
        bus: Bus,
        client_id: str,
        outbox: Outbox,
        received: Callable[[], Received],
        *,
        stale_after_s: Callable[[], float],
        wall: Callable[[], datetime],
        monotonic_s: Callable[[], float],
        count: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self._writables = writables
        self._topics = topics
        self._outbox = outbox
        self._wall = wall
        self._received = received
        self._stale_after_s = stale_after_s
        self._courier = Courier(bus, outbox, topics, identity, clock=wall)
        self._monotonic_s = monotonic_s
        self._answering = Answering(writables.answers, bus, client_id, identity, topics, self._listed)
        self.writing = Taking(
            writables, identity, self._keep, self._now, taken=self._wake, answering=self._answering, count=count
        )
        self._saying = Saying(bus, topics, self.writing.telemetry, self.writing.look)

    @property
    def follows(self) -> list[str]:
        """The topics of states that are needed besides those of the map."""
        return [self._topics.instructions(block.plant, block.resource_id) for block in self._writables.answers]

    @property
    def outbox(self) -> Outbox:
        """Of the events."""
        return self._outbox

    @property
    def is_alive(self) -> bool:
        """Whether all of it still works, or did not begin yet; when not, only a restart can help."""
        return self._saying.is_alive and self._courier.is_alive and self._answering.is_alive

    @property
    def is_ready(self) -> bool:
        """Whether the broker has what was said before: until then a heartbeat would confirm it."""
        return self._courier.settled and self._courier.caught_up

    def tables(self, read: Callable[[int], Tables | None]) -> Callable[[int], Tables | None]:
        """The tables of a unit with what is written at it."""
        return written_tables(read, self._writables, self.writing.state, self._answers)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Deliver and say meanwhile. At the end nothing that was gathered stays untold."""
        with ExitStack() as running:
            self._courier.start()
            running.callback(self._courier.stop)
            self._saying.start()
            running.callback(lambda: self.writing.look(last=True))
            running.callback(self._saying.stop)
            self._answering.start()
            running.callback(self._answering.stop)
            yield

    def _now(self) -> Now:
        return Now(self._wall(), self._monotonic_s())

    def _wake(self) -> None:
        self._saying.wake()

    def _keep(self, events: Sequence[PointWritten]) -> None:
        self._outbox.commit(
            self._wall(), events=[(self._topics.write(event.plant, event.resource_id), event) for event in events]
        )
        self._courier.wake()

    def _answers(self, block: AnswerBlock) -> bytes:
        return self._answering.registers(block, self._now())

    def _listed(self, block: AnswerBlock) -> Listed:
        topic = self._topics.instructions(block.plant, block.resource_id)
        return list_open(self._received(), topic, self._stale_after_s(), self._wall())
