import asyncio
import struct
import threading

import pytest
from gateway_story import at, dot, installation, interval, status

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Environment
from dotbus.contracts.topics import Subject
from dotbus.runtime.installation.modbus import Table
from dotbus.testing.bus import FakeBus
from modbus_gateway.map.draft import read_map
from modbus_gateway.service import WAITING_MANY, Service
from modbus_gateway.wire.images.current_image import CurrentImage

SECONDS = 5.0
BURST = 5


class Screen:
    """What a server would show now, and a way to wait for it."""

    def __init__(self, images: CurrentImage) -> None:
        self.images = images
        self.turned = 0

    def note_turn(self) -> None:
        self.turned += 1

    def quality(self) -> bytes:
        content = self.images.look(11).read_registers(Table.HOLDING, 100, 2)
        assert isinstance(content, bytes)
        return content

    def megawatts(self) -> float:
        content = self.images.look(11).read_registers(Table.HOLDING, 102, 2)
        assert isinstance(content, bytes)
        return struct.unpack(">f", content)[0]

    async def shows(self, quality: str) -> None:
        async with asyncio.timeout(SECONDS):
            while self.quality().hex(" ", 2) != quality:  # noqa: ASYNC110  # the screen has no event: it is a server's
                await asyncio.sleep(0)


class Story:
    """A service with a bus that the test speaks on from another thread, as paho does."""

    def __init__(self, render_s: float) -> None:
        place = installation(block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}])
        self.topics = place.topics
        register_map, self.now_s = read_map(place), 0.0
        images = CurrentImage(register_map, place.topics, wall=lambda: at(self.now_s), monotonic_s=lambda: self.now_s)
        self.bus, self.screen, self.outcomes = FakeBus(), Screen(images), list[str]()
        self.service = Service(
            register_map,
            place.topics,
            images,
            clock=lambda: at(self.now_s),
            render_s=render_s,
            turned=self.screen.note_turn,
            delivered=self.outcomes.append,
        )
        self.service.follow(self.bus)

    async def deliver(self, topic: str, payload: bytes) -> None:
        await asyncio.to_thread(self.bus.deliver, topic, payload, received_at=at(self.now_s))

    async def deliver_dot(self) -> None:
        """A DOT of an ingest that is there and whose clock is ours."""
        await self.deliver(self.topics.service("ads_ingest", "a"), encode(status(self.now_s)))
        await self.deliver(self.topics.dot("sierra", "SOLAR"), encode(dot(interval(0, 10))))


def tell(story, *, render_s: float) -> Story:
    """Run the service while a coroutine tells its story."""
    told = Story(render_s)

    async def run() -> None:
        stop = threading.Event()
        serving = asyncio.create_task(told.service.run(stop, told.bus.start))
        while told.screen.turned == 0:  # noqa: ASYNC110  # the first image comes with the first turn of the loop
            await asyncio.sleep(0)
        try:
            await story(told)
        finally:
            stop.set()
            told.bus.turn(connected=False)
            await asyncio.wait_for(serving, SECONDS)

    asyncio.run(run())
    return told


def test_what_arrives_is_shown_without_waiting_for_the_next_turn():
    async def story(told: Story) -> None:
        await told.screen.shows("0000 0001")
        await told.deliver_dot()
        await told.screen.shows("00c0 0000")

    told = tell(story, render_s=3600)
    assert told.bus.acknowledged == [told.topics.service("ads_ingest", "a"), told.topics.dot("sierra", "SOLAR")]


def test_what_arrives_is_rendered_though_nobody_asks():
    """What a bad value is held from is what was shown last, not what somebody happened to read."""

    async def story(told: Story) -> None:
        await told.deliver_dot()
        images, topic = told.screen.images, told.topics.dot("sierra", "SOLAR")
        async with asyncio.timeout(SECONDS):
            while images.next_outdated() or not images.received.statements(topic):  # noqa: ASYNC110  # as above
                await asyncio.sleep(0)

    tell(story, render_s=3600)


def test_who_asks_is_answered_between_any_two_pieces_of_work():
    """However much came at once: the loop turns after each thing that is written anew."""
    order = list[str]()

    async def story(told: Story) -> None:
        images = told.screen.images
        renew = images.renew
        images.renew = lambda subject: (order.append("written"), renew(subject))  # type: ignore[method-assign]
        asyncio.get_running_loop().call_soon(ask)
        images.turn(connected=False)
        while images.next_outdated():  # noqa: ASYNC110  # as above
            await asyncio.sleep(0)

    def ask() -> None:
        order.append("asked")
        if order.count("asked") < BURST:
            asyncio.get_running_loop().call_soon(ask)

    tell(story, render_s=0.01)
    assert "written written" not in " ".join(order[: order.index("written") + BURST])


def test_who_asks_is_answered_between_any_two_messages_however_many_came_at_once():
    order = list[str]()

    async def story(told: Story) -> None:
        images, loop = told.screen.images, asyncio.get_running_loop()
        take = images.take
        images.take = lambda arrival: (order.append("taken"), take(arrival))  # type: ignore[method-assign]
        for _ in range(BURST):  # in one go: the loop does not turn meanwhile
            told.bus.deliver(told.topics.dot("sierra", "SOLAR"), encode(dot(interval(0, 10))), received_at=at(0))
        loop.call_soon(ask)
        async with asyncio.timeout(SECONDS):
            while order.count("taken") < BURST:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0)

    def ask() -> None:
        order.append("asked")
        if order.count("taken") < BURST:
            asyncio.get_running_loop().call_soon(ask)

    tell(story, render_s=3600)
    assert "taken taken" not in " ".join(order)


@pytest.mark.parametrize(("resources", "in_turns"), [(1, True), (WAITING_MANY, False)])
def test_what_a_message_is_about_is_written_before_the_next_is_taken_unless_many_came_at_once(resources, in_turns):
    """Else who asks for the header of a plant would wait for all of its resources that messages speak of."""
    order = list[str]()

    async def story(told: Story) -> None:
        images = told.screen.images
        while images.next_outdated():  # noqa: ASYNC110  # as above
            await asyncio.sleep(0)
        take, renew = images.take, images.renew
        images.take = lambda arrival: (order.append("taken"), take(arrival))  # type: ignore[method-assign]
        images.renew = lambda subject: (order.append("written"), renew(subject))  # type: ignore[method-assign]
        for number in range(resources * BURST):
            name = ("SOLAR", "BESS")[number % 2]
            said = encode(dot(interval(0, number), resource=name, said_s=number / 1000))
            told.bus.deliver(told.topics.dot("sierra", name), said, received_at=at(0))
        async with asyncio.timeout(SECONDS):
            while order.count("taken") < resources * BURST:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0)

    tell(story, render_s=3600)
    assert ("taken taken" not in " ".join(order)) is in_turns


def test_a_message_that_cannot_be_read_ends_nothing():
    async def story(told: Story) -> None:
        take, images = told.screen.images.take, told.screen.images
        images.take = lambda _arrival: (_ for _ in ()).throw(RuntimeError("no such thing"))  # type: ignore[method-assign]
        await told.deliver_dot()
        async with asyncio.timeout(SECONDS):
            while len(told.outcomes) < len(told.bus.acknowledged):  # noqa: ASYNC110  # as above
                await asyncio.sleep(0)
        images.take = take  # type: ignore[method-assign]
        await told.deliver_dot()
        await told.screen.shows("00c0 0000")

    tell(story, render_s=3600)


def test_another_map_is_followed_by_what_it_shows_and_by_nothing_else():
    """Services come last: a heartbeat confirms the states that came before it."""
    told = Story(0.01)
    place = installation(block=[{"profile": "plant", "unit_id": 12, "plants": ["delta"]}])
    register_map = read_map(place)
    images = CurrentImage(register_map, place.topics, wall=lambda: at(0), monotonic_s=lambda: 0.0)

    told.service.change_map(register_map, images)()

    assert set(told.bus.asked_for) == set(register_map.filters(told.topics))
    assert told.bus.asked_for[-1] == told.topics.every(Subject.SERVICE)
    assert told.service.images is images


def test_what_waits_while_the_map_changes_is_taken_by_the_rules_of_the_one_in_force_then():
    """And the broker says it again to who asks anew."""

    async def story(told: Story) -> None:
        stage = installation(
            block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}], accept_environments=["production", "stage"]
        )
        production = installation(block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}])
        for place, is_taken in ((stage, True), (production, False)):
            register_map = read_map(place)
            images = CurrentImage(register_map, told.topics, wall=lambda: at(0), monotonic_s=lambda: 0.0)
            said = encode(dot(interval(0, 10), environment=Environment.STAGE))
            told.bus.deliver(told.topics.dot("sierra", "SOLAR"), said, received_at=at(0))
            asked = len(told.bus.asked_for)
            told.service.change_map(register_map, images)()
            assert len(told.bus.asked_for) == asked + len(register_map.filters(told.topics))
            told.bus.asked_for[asked:] = []
            await asyncio.sleep(0.01)
            assert bool(images.received.statements(told.topics.dot("sierra", "SOLAR"))) is is_taken

    tell(story, render_s=3600)


def test_time_alone_changes_what_is_shown():
    async def story(told: Story) -> None:
        await told.deliver_dot()
        await told.screen.shows("00c0 0000")
        told.now_s = 91
        await told.screen.shows("0000 0002")

    tell(story, render_s=0.01)


def test_every_delivery_is_acknowledged_and_counted_whatever_it_says():
    async def story(told: Story) -> None:
        await told.deliver(told.topics.dot("sierra", "SOLAR"), b"{")
        await told.deliver(told.topics.dot("sierra", "SOLAR"), b"")
        await told.deliver(told.topics.service("historian", "a"), encode(status(0, service="historian")))
        await told.deliver(told.topics.service("ads_ingest", "a"), encode(status(0)))
        async with asyncio.timeout(SECONDS):
            while len(told.outcomes) < len(told.bus.acknowledged):  # noqa: ASYNC110  # as above
                await asyncio.sleep(0)

    told = tell(story, render_s=3600)
    assert told.outcomes == ["undecodable", "taken", "not ours", "taken"]
    assert len(told.bus.acknowledged) == 4


def test_the_ingests_are_told_as_upstreams():
    async def story(told: Story) -> None:
        assert [(upstream.name, upstream.ok) for upstream in told.service.upstreams] == [
            ("ads_ingest", False),
            ("lmp_ingest", False),
        ]
        await told.deliver_dot()
        async with asyncio.timeout(SECONDS):
            while [upstream.ok for upstream in told.service.upstreams] != [True, False]:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0)

    tell(story, render_s=3600)


def test_a_lost_broker_is_shown():
    async def story(told: Story) -> None:
        await told.deliver_dot()
        await told.screen.shows("00c0 0000")
        await asyncio.to_thread(told.bus.turn, connected=False)
        await told.screen.shows("0040 0020")

    tell(story, render_s=3600)


def test_a_failure_to_render_ends_the_service_loudly():
    told = Story(render_s=0.01)
    told.screen.images.renew = lambda _subject: (_ for _ in ()).throw(RuntimeError("no image"))  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="no image"):
        asyncio.run(told.service.run(threading.Event(), told.bus.start))


def test_what_is_to_be_done_in_its_turn_is_done_once_all_that_came_before_was_taken():
    shown = list[float]()

    async def story(told: Story) -> None:
        status_topic, dot_topic = told.topics.service("ads_ingest", "a"), told.topics.dot("sierra", "SOLAR")
        done = asyncio.Event()
        told.bus.deliver(status_topic, encode(status(told.now_s)), received_at=at(0))
        for megawatts in range(BURST):
            told.bus.deliver(dot_topic, encode(dot(interval(0, megawatts), said_s=megawatts / 10)), received_at=at(0))
            told.service.in_turn(lambda: shown.append(told.screen.megawatts()))
        told.service.in_turn(done.set)
        await asyncio.wait_for(done.wait(), SECONDS)

    tell(story, render_s=3600)
    assert shown == [float(megawatts) for megawatts in range(BURST)]
