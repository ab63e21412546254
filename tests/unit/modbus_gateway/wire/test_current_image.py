from gateway_story import at, dot, installation, interval, status

from modbus_gateway.map.draft import read_map
from modbus_gateway.state.arrivals import Arrival
from modbus_gateway.wire.current_image import CurrentImage

UNCERTAIN = bytes([0, 64])
GOOD = bytes([0, 192])


class Clocks:
    """A wall clock that can be set, and one that cannot."""

    def __init__(self) -> None:
        self.now_s = self.ahead_s = 0.0
        self.place = installation(block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}])
        self.images = CurrentImage(
            read_map(self.place), self.place.topics, wall=lambda: at(self.now_s + self.ahead_s), monotonic_s=lambda: self.now_s
        )
        self.images.received.turn(connected=True)

    def heartbeat(self) -> Arrival:
        """One that comes at once, with the time that our clock shows."""
        said = status(self.now_s)
        return Arrival(self.place.topics.service("ads_ingest", "a"), at(self.now_s + self.ahead_s), retained=False, said=said)

    def hear_dots(self) -> None:
        state = dot(interval(0, 40), interval(300, 55))
        self.images.take(self.heartbeat())
        self.images.take(Arrival(self.place.topics.dot("sierra", "SOLAR"), at(0), retained=False, said=state))

    def quality(self) -> bytes:
        content = self.images.renew().read_registers(11, 100, 1)
        assert isinstance(content, bytes)
        return content


def test_a_heartbeat_that_waited_while_our_clock_was_set_does_not_compare_it_with_the_one_before():
    clocks = Clocks()
    clocks.hear_dots()
    assert clocks.quality() == GOOD
    waits, clocks.ahead_s = clocks.heartbeat(), 70.0
    assert clocks.quality() == UNCERTAIN  # a client reads before the message is taken
    clocks.images.take(waits)
    assert clocks.quality() == UNCERTAIN


def test_a_step_is_seen_by_what_arrives_too_and_told_once():
    clocks = Clocks()
    clocks.hear_dots()
    clocks.ahead_s = 70.0
    clocks.images.take(clocks.heartbeat())  # of a source whose clock was not set: 70 s behind ours now
    assert clocks.quality() == UNCERTAIN
    clocks.ahead_s = 0.0
    clocks.images.take(clocks.heartbeat())
    assert clocks.quality() == GOOD
