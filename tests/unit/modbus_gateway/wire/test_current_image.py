from gateway_story import at, dot, installation, interval, status

from modbus_gateway.map.draft import read_map
from modbus_gateway.state.arrivals import Arrival
from modbus_gateway.wire.current_image import CurrentImage
from modbus_gateway.wire.image import HOLDS_MOST

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
        self.images.turn(connected=True)

    def heartbeat(self) -> Arrival:
        """One that comes at once, with the time that our clock shows."""
        said = status(self.now_s)
        return Arrival(self.place.topics.service("ads_ingest", "a"), at(self.now_s + self.ahead_s), retained=False, said=said)

    def hear_dots(self) -> None:
        state = dot(interval(0, 40), interval(300, 55))
        self.images.take(self.heartbeat())
        self.images.take(Arrival(self.place.topics.dot("sierra", "SOLAR"), at(0), retained=False, said=state))

    def quality(self) -> bytes:
        content = self.images.look(11).read_registers(11, 100, 1)
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


class TwoUnits:
    """A unit for each plant, and a clock that stands."""

    def __init__(self) -> None:
        blocks = [{"profile": "plant", "unit_id": unit, "plants": [plant]} for unit, plant in ((11, "sierra"), (12, "delta"))]
        self.place, self.now_s = installation(block=blocks), 0.0
        self.images = CurrentImage(
            read_map(self.place),
            self.place.topics,
            wall=lambda: at(self.now_s),
            monotonic_s=lambda: self.now_s,
            render_s=0.5,
        )
        for unit_id in self.images.due():
            self.images.renew(unit_id)

    def hear_dot(self) -> None:
        topic = self.place.topics.dot("sierra", "SOLAR")
        self.images.take(Arrival(topic, at(self.now_s), retained=False, said=dot(interval(0, 40))))

    def hear_status(self) -> None:
        said = status(self.now_s)
        self.images.take(Arrival(self.place.topics.service("ads_ingest", "a"), at(self.now_s), retained=False, said=said))


def test_a_state_outdates_the_images_that_show_it_and_no_other():
    units = TwoUnits()
    shown = units.images.look(12)
    units.hear_dot()
    assert units.images.due() == [11]
    assert units.images.look(12) is shown


def test_what_came_is_in_the_next_answer():
    units = TwoUnits()
    before = units.images.look(11)
    units.hear_dot()
    assert units.images.look(11) is not before
    assert not units.images.due()


def test_a_status_and_the_broker_outdate_every_image():
    units = TwoUnits()
    units.hear_status()
    assert units.images.due() == [11, 12]
    assert units.images.look(11)
    units.images.turn(connected=True)
    assert units.images.due() == [11, 12]


def test_an_image_is_due_when_it_holds_no_longer():
    units = TwoUnits()
    assert units.images.hold_for_s() == HOLDS_MOST.total_seconds()
    units.now_s = 1.0
    units.images.renew(12)
    units.now_s = 2.0
    assert units.images.due() == [11]
    assert units.images.age_s == 2.0


def test_who_asks_gets_no_image_that_is_older_than_allowed():
    units = TwoUnits()
    before = units.images.look(11)
    units.now_s = 0.4
    assert units.images.look(11) is before
    units.now_s = 0.5
    assert units.images.look(11) is not before
    assert not units.images.due()


def test_a_unit_that_is_not_served_has_no_image():
    assert TwoUnits().images.look(13) is None
