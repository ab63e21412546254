import struct

from gateway_story import at, dot, installation, interval, status

from dotbus.judging.arrivals import Arrival
from dotbus.readings.subjects import Member
from dotbus.runtime.installation.modbus import Table
from modbus_gateway.map.draft import read_map
from modbus_gateway.values.subjects import Whole
from modbus_gateway.wire.images.current_image import CurrentImage

UNCERTAIN = bytes([0, 64])
GOOD = bytes([0, 192])
ACTIVE = 1


class Clocks:
    """A wall clock that can be set, and one that cannot."""

    def __init__(self) -> None:
        self.now_s = self.ahead_s = 0.0
        self.place = installation(block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}])
        self.images = self.image()
        self.images.turn(connected=True)

    def image(self) -> CurrentImage:
        return CurrentImage(
            read_map(self.place), self.place.topics, wall=lambda: at(self.now_s + self.ahead_s), monotonic_s=lambda: self.now_s
        )

    def change_map(self) -> None:
        images = self.image()
        images.take_over(self.images)
        self.images = images

    def heartbeat(self) -> Arrival:
        """One that comes at once, with the time that our clock shows."""
        said = status(self.now_s)
        arrived, topic = at(self.now_s + self.ahead_s), self.place.topics.service("ads_ingest", "a")
        return Arrival(topic, arrived, retained=False, said=said, source="ads_ingest/a")

    def hear_dots(self) -> None:
        state = dot(interval(0, 40), interval(300, 55))
        self.images.take(self.heartbeat())
        self.images.take(Arrival(self.place.topics.dot("sierra", "SOLAR"), at(0), retained=False, said=state))

    def quality(self) -> bytes:
        return self.read(100)

    def stands(self) -> tuple[int, int, bytes]:
        """Redundancy state, whether the broker is heard, and how good a DOT is."""
        return self.read(12)[1], self.read(5)[1], self.quality()

    def read(self, address: int) -> bytes:
        content = self.images.look(11).read_registers(Table.HOLDING, address, 1)
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
    """A unit for each plant, and a clock that stands unless it is moved."""

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
        self.images.turn(connected=True)
        self.written()

    def written(self) -> list[str]:
        """Write all that is outdated. Gives what was, in its order."""
        found = []
        while subject := self.images.next_outdated():
            self.images.renew(subject)
            found.append(type(subject.about).__name__ if isinstance(subject.about, Whole) else _name(subject.about))
        return found

    def hear_dot(self, *, resource: str = "SOLAR") -> None:
        said = dot(interval(0, 40), interval(300, 55), resource=resource, said_s=self.now_s)
        topic = self.place.topics.dot(said.plant, resource)
        self.images.take(Arrival(topic, at(self.now_s), retained=False, said=said))

    def hear_status(self, *, online: bool = True) -> None:
        said, topic = status(self.now_s, online=online), self.place.topics.service("ads_ingest", "a")
        self.images.take(Arrival(topic, at(self.now_s), retained=False, said=said, source="ads_ingest/a"))

    def read(self, unit_id: int, address: int, count: int) -> bytes:
        image = self.images.look(unit_id)
        assert image
        content = image.read_registers(Table.HOLDING, address, count)
        assert isinstance(content, bytes)
        return content


def _name(about: object) -> str:
    return about.resource.id if isinstance(about, Member) else type(about).__name__


def test_a_state_outdates_what_it_is_about_and_the_plant_when_that_shows_it_and_nothing_else():
    units = TwoUnits()
    units.hear_status()
    units.written()
    units.hear_dot()
    assert units.written() == ["SOLAR", "PlantAt", "ResourceAt"]
    units.hear_dot()
    assert units.written() == ["SOLAR"], "the plant shows the same as before"


def test_what_came_is_in_the_next_answer_and_no_more_was_written_for_it():
    units = TwoUnits()
    units.hear_status()
    units.hear_dot()
    units.hear_dot(resource="HYDRO")
    before = units.images.age_s
    assert units.read(11, 102, 2) == struct.pack(">f", 40.0)
    assert "SOLAR" not in (waiting := units.written())
    assert "HYDRO" in waiting
    assert before == 0


def test_a_heartbeat_outdates_nothing_while_it_only_says_again_that_all_is_well():
    units = TwoUnits()
    units.hear_status()
    units.hear_dot()
    units.written()
    for _ in range(3):
        units.now_s += 5
        units.hear_status()
        assert units.written() == []
    units.hear_status(online=False)
    assert units.written() == ["GatewayItself", "SOLAR", "PlantAt", "ResourceAt"], "HYDRO never heard of it"


def test_what_heartbeats_showed_counts_as_long_as_the_last_one_says():
    units = TwoUnits()
    units.hear_status()
    units.hear_dot()
    units.now_s = 30
    units.hear_status()
    units.written()
    units.now_s = 85
    units.hear_dot()
    units.written()
    units.now_s = 120.5
    assert units.written() == ["GatewayItself"], "CAISO was heard last at 30, our clocks agreed"


def test_the_broker_outdates_all():
    units = TwoUnits()
    units.images.turn(connected=False)
    prices, units_shown, gateway, plants = 2, 2, 1, 1
    assert len(units.written()) >= 4 + prices + units_shown + gateway + plants


def test_what_moves_is_worked_out_for_who_asks_and_for_nobody_else():
    units = TwoUnits()
    units.hear_status()
    units.hear_dot()
    units.written()
    ages = []
    for now_s in (10.0, 10.4, 10.5):
        units.now_s = now_s
        ages.append(units.read(11, 113, 1)[1])
        assert units.written() == []
    assert ages == [10, 10, 10]
    units.now_s = 12.4
    assert units.read(11, 113, 1)[1] == 12
    units.now_s = 12.8
    assert units.read(11, 1, 1) == int(at(12).timestamp() % 65535).to_bytes(2, "big"), "another one, as it is now"


def test_age_is_that_of_what_waits_longest():
    units = TwoUnits()
    units.hear_dot()
    units.now_s = 2.0
    units.hear_dot(resource="HYDRO")
    assert units.images.age_s == 2.0
    units.written()
    assert units.images.age_s == 0


def test_a_unit_that_is_not_served_has_no_image():
    assert TwoUnits().images.look(13) is None


def test_whoever_asks_after_the_time_is_over_until_which_what_came_holds_is_shown_that_it_is():
    clocks = Clocks()
    clocks.hear_dots()
    clocks.images.stand(ACTIVE, 11.0)
    clocks.now_s = 11.0
    assert clocks.stands() == (ACTIVE, 1, GOOD)
    clocks.now_s = 11.1  # nothing has turned, and nobody has looked round
    assert clocks.stands() == (0, 0, UNCERTAIN)
    clocks.images.take(clocks.heartbeat())  # one that waited shows nothing of what waits behind it
    assert clocks.stands() == (0, 0, UNCERTAIN)
    clocks.images.stand(ACTIVE, 22.0)
    assert clocks.stands() == (ACTIVE, 1, GOOD)


def test_another_map_holds_no_longer_than_the_one_before():
    clocks = Clocks()
    clocks.hear_dots()
    clocks.images.stand(ACTIVE, 11.0)
    clocks.change_map()
    assert clocks.stands() == (ACTIVE, 1, GOOD)
    clocks.now_s = 11.1
    assert clocks.stands() == (0, 0, UNCERTAIN)
