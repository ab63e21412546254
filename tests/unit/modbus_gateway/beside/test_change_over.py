"""A SCADA that reads the gateway that shows 1, and changes when it does no more, sees no value go back.

Two gateways, each with all that it decides by, on connections over which everything comes in the order in which the broker had
it, but as late as may be. They are killed and stopped, and lose the broker; nothing is lost on a connection that stands.
"""

import struct
from collections import deque

from gateway_story import Gateway, at, dot, interval, status
from hypothesis import given, settings
from hypothesis import strategies as st

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Dot, Environment, ServiceStatus
from dotbus.contracts.topics import Topics
from dotbus.runtime.presence import Identity
from dotbus.testing.bus import FakeBus
from modbus_gateway.beside.gateways import Gateways
from modbus_gateway.beside.pair import State

GOOD, ACTIVE = 192, 1
LOOK_S, HEARTBEAT_S = 0.5, 5.0
PHASES_S = (0.0, 3.5)
"""When each says its heartbeat."""
TOPICS = Topics()
Message = Dot | ServiceStatus


class Site:
    """One gateway from its start to its end, and what is on its way to it."""

    def __init__(self, name: str, now_s: float) -> None:
        self.now_s, self.is_stopped, self.connected, self.pokes = now_s, False, False, False
        self.way = deque[tuple[Message, bool]]()
        self.identity = Identity("modbus_gateway", name, Environment.PRODUCTION, at(now_s))
        self.gateway = Gateway(block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}])
        self.gateway.images.turn(connected=False)
        self.bus = FakeBus()
        self.beside = Gateways(
            self.bus,
            TOPICS,
            self.identity,
            lambda: None,
            self.gateway.images.stand,
            self.poke,
            in_turn=lambda act: act(),
            monotonic_s=lambda: self.now_s,
            clock=lambda: at(self.now_s),
        )
        self.beside.serve(self.gateway.map.hashes)

    def poke(self) -> None:
        self.pokes = True

    def at(self, now_s: float) -> "Site":
        self.now_s = self.gateway.now_s = now_s
        return self

    def deliver(self, count: int) -> None:
        for _ in range(min(count, len(self.way))):
            message, retained = self.way.popleft()
            if isinstance(message, ServiceStatus) and message.service == "modbus_gateway":
                self.bus.deliver(TOPICS.service(message.service, message.instance), encode(message), retained=retained)
            else:
                self.gateway.hear(message, at_s=self.now_s, retained=retained)

    def turn(self, *, connected: bool) -> None:
        self.connected = connected
        self.way.clear()
        self.gateway.images.turn(connected=connected)
        self.bus.turn(connected=connected)

    def read(self) -> tuple[int, float | None]:
        """The state of redundancy, and the DOT if it is good."""
        (state,) = self.gateway.words(self.now_s, 11, 12, 1)
        quality, _, *megawatts = self.gateway.words(self.now_s, 11, 100, 4)
        return state, struct.unpack(">f", struct.pack(">HH", *megawatts))[0] if quality == GOOD else None


class World:
    """A broker, an ingest that says a higher DOT each time, two gateways and a SCADA."""

    def __init__(self) -> None:
        self.now_s, self.megawatts = 0.0, 0
        self.kept: dict[str, Message] = {}
        self.sites: list[Site | None] = [None, None]
        self.reads: int | None = None
        self.seen = 0.0
        self.say()
        for number in (0, 1):
            self.start(number)
            self.run(20)

    def say(self) -> None:
        self.megawatts += 1
        self.publish("dot", dot(interval(-60, self.megawatts, length_s=100_000), said_s=self.now_s))

    def publish(self, topic: str, message: Message) -> None:
        self.kept[topic] = message
        for site in self.sites:
            if site and site.connected:
                site.way.append((message, False))

    def start(self, number: int) -> None:
        site = self.sites[number] = Site("ab"[number], self.now_s)
        self.connect(site)

    def connect(self, site: Site) -> None:
        site.at(self.now_s).turn(connected=True)
        site.way.extend((kept, True) for kept in self.kept.values())

    def speak(self, site: Site) -> None:
        """What the gateway says of itself."""
        site.pokes = False
        if site.connected:
            own, hashes = site.beside.state.word, site.beside.map_hashes
            said = site.identity.status(at(self.now_s), map_hashes=hashes, redundancy=own)
            site.beside.saying(said)
            self.publish(site.identity.source, said)

    def end(self, number: int) -> None:
        """Killed: the broker says its last will."""
        if site := self.sites[number]:
            self.sites[number] = None
            self.publish(site.identity.source, site.identity.status(at(self.now_s), online=False))

    def run(self, steps: int, *, late: int | None = None) -> None:
        """Time passes, and what is said comes in at once, but at one of both not at all."""
        for _ in range(steps):
            self.now_s += LOOK_S
            if self.now_s % HEARTBEAT_S == 0:
                self.publish("ingest", status(self.now_s))
            for number, site in enumerate(self.sites):
                if site and not site.is_stopped:
                    if (self.now_s - PHASES_S[number]) % HEARTBEAT_S == 0 or site.pokes:
                        self.speak(site.at(self.now_s))
                    if number != late:
                        site.at(self.now_s).deliver(1000)
                    site.at(self.now_s).beside.look_round()
            self.scada()

    def scada(self) -> None:
        """Stays with the one that it reads while that shows 1, else goes to another that does."""
        shown = {number: site.at(self.now_s).read() for number, site in enumerate(self.sites) if site and not site.is_stopped}
        active = [number for number, (state, _) in shown.items() if state == ACTIVE]
        if self.reads not in active:
            self.reads = active[0] if active else None
        if self.reads is not None and (megawatts := shown[self.reads][1]) is not None:
            assert megawatts >= self.seen, (self.now_s, self.reads, megawatts, self.seen)
            self.seen = megawatts

    def until(self, phase_s: float) -> None:
        """Goes on until so long after a heartbeat of the first."""
        while self.now_s % HEARTBEAT_S != phase_s:
            self.run(1)

    def fall_silent(self, number: int, count: int) -> None:
        """One says nothing more, while what comes to the other one is late by as much as it does not notice."""
        self.run(count % 4, late=1 - number)
        other = self.sites[1 - number]
        for _ in range(24):
            is_late = other and other.beside.state is not State.UNKNOWN
            self.run(1, late=1 - number if is_late else None)
        self.run(9)

    def act(self, action: str, number: int, count: int) -> None:
        site = self.sites[number]
        self.run(count % 10)
        self.say()
        match action:
            case "late":
                self.run(count, late=number)
            case "kill":
                self.end(number)
                self.run(count, late=1 - number)
                self.start(number)
            case "vanish":  # with its machine: the broker waits for it still, and says no last will
                self.sites[number] = None
                self.fall_silent(number, count)
                self.start(number)
            case "stop" if site:
                site.is_stopped = True
                self.fall_silent(number, count)
                site.is_stopped = False
                self.scada()
            case "restart broker":
                for each in (one for one in self.sites if one):
                    each.at(self.now_s).turn(connected=False)
                self.run(count % 3)
                for each in (one for one in self.sites if one):
                    self.connect(each)
                self.run(2 * count, late=number)
            case "lose" if site:
                site.at(self.now_s).turn(connected=False)
                self.publish(site.identity.source, site.identity.status(at(self.now_s), online=False))
                self.run(count, late=1 - number)
                self.connect(site)
        self.run(count % 4)
        self.say()


ACTIONS = st.sampled_from(["late", "kill", "vanish", "stop", "lose", "restart broker"])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(ACTIONS, st.integers(0, 1), st.integers(1, 12)), max_size=25))
def test_a_scada_that_reads_the_one_that_shows_1_sees_no_value_go_back(steps):
    world = World()
    assert [site.at(world.now_s).beside.state for site in world.sites if site] == [State.ACTIVE, State.STANDBY]
    for step in steps:
        world.act(*step)


def test_the_one_that_takes_over_is_read_once_all_that_was_on_its_way_has_come():
    """The active one vanishes just before its next heartbeat, while nothing has come to the other one since its own."""
    world = World()
    world.until(PHASES_S[1])
    for _ in range(2):
        world.say()
        world.run(1, late=1)
    world.sites[0] = None
    while (second := world.sites[1]) and second.beside.state is State.STANDBY:
        world.run(1, late=1)
    assert second.beside.state is State.ACTIVE
    assert second.way, "what the first one showed is still on its way"
    world.run(2)
    assert world.reads == 1
    assert world.seen == world.megawatts
