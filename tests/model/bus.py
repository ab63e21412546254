"""The broker and the lines to it, as plain data.

A line that is held keeps what was sent until it is let go: in order, the last first, or never when its connection breaks.
"""

from dataclasses import dataclass

from model.forking import LIVE


@dataclass(frozen=True)
class Packet:
    """A message on its way. An empty payload makes the broker forget what it retains."""

    topic: str
    payload: bytes
    retained: bool = False


class Line:
    """One connection's one direction."""

    def __init__(self) -> None:
        self.held = False
        self.waiting: list[Packet] = []

    def send(self, packets: list[Packet]) -> list[Packet]:
        """Put packets on the line. Returns what comes out at the other end."""
        self.waiting += packets
        return [] if self.held else self.let_go()

    def let_go(self) -> list[Packet]:
        """All that waits, in its order."""
        self.held = False
        out, self.waiting = self.waiting, []
        return out

    def take(self, place: int) -> list[Packet]:
        """One of what waits: the first (0), or the last (-1) before all others."""
        return [self.waiting.pop(place)] if self.waiting else []

    def breaks(self) -> None:
        """The connection is gone, and what was on it."""
        self.held, self.waiting = False, []


class Broker:
    """What it retains. `saved` is what it had on disk at some time, which is what a broker that is killed comes back with."""

    def __init__(self) -> None:
        self.runs = True
        self.retained: dict[str, bytes] = {}
        self.saved: dict[str, bytes] = {}

    def take(self, packet: Packet) -> None:
        """Retain a state, or forget one."""
        self.retained.pop(packet.topic, None)
        if packet.payload:
            self.retained[packet.topic] = packet.payload

    def save(self) -> None:
        """What is retained goes to disk."""
        self.saved = dict(self.retained)


LIVE |= {Line, Broker}
