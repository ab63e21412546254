"""The gateway: the product's decoding, `Received` and `CurrentImage`, without its socket and threads."""

from model.bus import Line, Packet
from model.clocks import Monotonic, PartClock, TrueTime
from model.forking import LIVE

from dotbus.contracts.topics import Topics
from dotbus.judging.alarm_summaries import AlarmSummaries
from dotbus.judging.arrivals import Arrival, read_delivery
from dotbus.judging.received import Received
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import Table
from dotbus.runtime.mqtt.messages import Delivery
from modbus_gateway.map.draft import read_map
from modbus_gateway.state.source_watch import SourceWatch
from modbus_gateway.state.wakes import Wakes
from modbus_gateway.wire.images.current_image import CurrentImage
from modbus_gateway.wire.images.image import Area, Refusal, Stretch
from modbus_gateway.wire.images.place import Place
from modbus_gateway.wire.images.shown_subject import ShownSubject
from modbus_gateway.wire.images.unit_image import UnitImage
from modbus_gateway.wire.tables import Tables


class Shown:
    """What clients of every unit read at one moment."""

    def __init__(self, images: dict[int, Tables]) -> None:
        self._images = images

    def read_registers(self, unit_id: int, address: int, count: int) -> bytes | Refusal:
        return self._images[unit_id].read_registers(Table.HOLDING, address, count)

    def read_bits(self, unit_id: int, address: int, count: int) -> bytes | Refusal:
        return self._images[unit_id].read_bits(Table.DISCRETE, address, count)


class Gateway:
    """Takes messages, and shows registers to whoever reads them.

    Attributes:
        inbox: what came and was stamped by our clock, and waits while the event loop is held up (`busy`).
        taken: how many messages were taken.
    """

    def __init__(self, installation: Installation, true: TrueTime) -> None:
        self.topics: Topics = installation.topics
        self.map = read_map(installation)
        self.clock = PartClock(true)
        self.monotonic_s = Monotonic(true)
        self.line = Line()
        self.images: CurrentImage | None = None
        self.inbox: list[Arrival] = []
        self.busy = False
        self.taken = 0

    def start(self) -> None:
        """A process begins, and knows nothing."""
        self.images = CurrentImage(self.map, self.topics, wall=self.clock, monotonic_s=self.monotonic_s)

    def kill(self) -> None:
        self.images, self.inbox, self.busy = None, [], False
        self.line.breaks()

    def turn(self, *, connected: bool) -> None:
        """The connection to the broker came or went."""
        if self.images:
            self.images.turn(connected=connected)

    def hear(self, packets: list[Packet]) -> None:
        """Packets come: stamped at once, taken when the event loop has time."""
        for packet in packets:
            delivery = Delivery(packet.topic, packet.payload, packet.retained, self.clock())
            arrival = read_delivery(delivery, self.topics, self.map.judging.accept_environments)
            if arrival is not None and self.images:
                self.inbox.append(arrival)
        if not self.busy:
            self.take_inbox()

    def take_inbox(self) -> None:
        """The event loop takes what came."""
        self.busy = False
        for arrival in self.inbox:
            self.images.take(arrival)
            self.taken += 1
        self.inbox = []

    def look(self) -> Shown:
        """What a client reads now."""
        return Shown({unit_id: self.images.look(unit_id) for unit_id in self.map.units})


LIVE |= {Gateway, CurrentImage, UnitImage, Received, AlarmSummaries, ShownSubject, Place, Area, Stretch, SourceWatch, Wakes}
