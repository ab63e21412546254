"""A SCADA that reads two gateways in turns: none shows as good what is older than what is in flight.

Each has its own connection, over which everything comes in the order in which the broker had it, its own heartbeats among it,
but as late as may be. The broker may be restarted, connections may be lost, gateways killed, stopped for a while, and the clock
of each set.
"""

import struct
from collections import deque

from gateway_story import Gateway, at, dot, interval, status
from hypothesis import given, settings
from hypothesis import strategies as st

from dotbus.contracts.messages import Dot, ServiceStatus
from modbus_gateway.beside.echo import HOLDS_FOR_S, Echo
from modbus_gateway.wire.images.current_image import CurrentImage

GOOD = 192
LOOK_S, HEARTBEAT_S = 0.5, 5.0
IN_FLIGHT_S = HOLDS_FOR_S
"""What came to the broker longer ago is shown by every gateway whose value is good."""


SHIFTS_S = (0.0, -0.4, -0.6, 0.6, -1.9, 1.9, -2.5, 2.5, -30.0, 30.0, 400.0, 0.0)
"""By how much a clock is set, seconds: too little to be noticed, within what is taken for agreement, and beyond."""


class Stepped(Gateway):
    """A gateway whose wall clock may be another one than that of the world."""

    def __init__(self, **modbus: object) -> None:
        super().__init__(**modbus)
        self.shift_s = 0.0
        wall = lambda: at(self.now_s + self.shift_s)  # noqa: E731  # a clock
        self.images = CurrentImage(self.map, self.topics, wall=wall, monotonic_s=lambda: self.now_s, render_s=0)


class Site:
    """One gateway, and what is on its way to it."""

    def __init__(self, now_s: float) -> None:
        self.gateway = Stepped(block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}])
        self.gateway.images.turn(connected=False)
        self.gateway.now_s = now_s
        self.echo = Echo()
        self.way: deque[tuple[Dot | ServiceStatus | float, bool]] = deque()
        self.connected = self.is_stopped = False
        self.shown_most = 0.0

    def deliver(self, now_s: float) -> None:
        message, retained = self.way.popleft()
        if isinstance(message, float):
            self.echo.heard(at(message))
            self.look(now_s)
        else:
            self.gateway.hear(message, at_s=now_s, retained=retained)

    def deliver_some(self, now_s: float, count: int) -> None:
        for _ in range(min(count, len(self.way))):
            self.deliver(now_s)

    def turn(self, now_s: float, *, connected: bool) -> None:
        self.gateway.now_s = now_s
        self.connected = connected
        self.echo.begin(now_s) if connected else self.echo.end()
        self.way.clear()
        self.look(now_s)
        self.gateway.images.turn(connected=connected)

    def look(self, now_s: float) -> None:
        self.gateway.now_s = now_s
        self.echo.look(now_s)
        self.gateway.images.stand(0, self.echo.holds_until_s)

    def good(self, now_s: float) -> float | None:
        words = self.gateway.words(now_s, 11, 100, 4)
        return struct.unpack(">f", struct.pack(">HH", *words[2:4]))[0] if words[0] == GOOD else None


class World:
    """A broker, an ingest that says a higher DOT each time, and two gateways."""

    def __init__(self) -> None:
        self.now_s, self.megawatts = 0.0, 0
        self.said_at: list[float] = []
        self.state: Dot | None = None
        self.status: ServiceStatus | None = None
        self.sites = [Site(0.0), Site(0.0)]
        self.good_reads = 0
        for site in self.sites:
            self.connect(site)
        self.heartbeats()

    def say(self) -> None:
        self.megawatts += 1
        self.said_at.append(self.now_s)
        self.state = dot(interval(-60, self.megawatts, length_s=100_000), said_s=self.now_s)
        self._send(self.state)

    def heartbeats(self) -> None:
        self.status = status(self.now_s)
        self._send(self.status)
        for site in self.sites:
            if site.connected and not site.is_stopped:
                site.echo.said(at(self.now_s), self.now_s)
                site.way.append((self.now_s, False))

    def _send(self, message: Dot | ServiceStatus) -> None:
        for site in self.sites:
            if site.connected:
                site.way.append((message, False))

    def connect(self, site: Site) -> None:
        site.turn(self.now_s, connected=True)
        site.way.extend((kept, True) for kept in (self.state, self.status) if kept)

    def wait(self, steps: int) -> None:
        for _ in range(steps):
            self.now_s += LOOK_S
            if self.now_s % HEARTBEAT_S == 0:
                self.heartbeats()
            for site in self.sites:
                if not site.is_stopped:
                    site.look(self.now_s)
            self.read()

    def read(self) -> None:
        least = sum(at_s < self.now_s - IN_FLIGHT_S for at_s in self.said_at)
        for site in (one for one in self.sites if not one.is_stopped):
            shown = site.good(self.now_s)
            if shown is not None:
                self.good_reads += 1
                assert shown >= least, (self.now_s, shown, least)
                assert shown >= site.shown_most, (self.now_s, shown, site.shown_most)
                site.shown_most = shown

    def starve(self, number: int, steps: int) -> None:
        self.say()
        for _ in range(steps):
            self.wait(1)
            self.act("deliver", 1 - number, 100)

    def stop(self, number: int, steps: int) -> None:
        """Frozen meanwhile: what comes waits with the system, and the first thing that it does after is to answer."""
        self.sites[number].is_stopped = True
        self.starve(number, steps)
        self.sites[number].is_stopped = False

    def restart(self) -> None:
        for site in self.sites:
            site.turn(self.now_s, connected=False)
            self.connect(site)

    def act(self, action: str, number: int, count: int) -> None:
        site = self.sites[number]
        match action:
            case "say":
                self.say()
            case "deliver":
                site.deliver_some(self.now_s, count)
            case "wait":
                self.wait(count)
            case "starve":  # one hears nothing for a while, the other one everything
                self.starve(number, 2 * count)
            case "stop":
                self.stop(number, 4 * count)
            case "clock":
                site.gateway.shift_s = SHIFTS_S[count % len(SHIFTS_S)]
            case "turn":
                self.connect(site) if not site.connected else site.turn(self.now_s, connected=False)
            case "kill":
                self.sites[number] = Site(self.now_s)
                self.connect(self.sites[number])
            case "restart broker":
                self.restart()
        self.read()


ACTIONS = st.sampled_from(["say", "say", *["deliver"] * 4, "wait", "starve", "stop", "turn", "kill", "restart broker", "clock"])
STEPS = st.lists(st.tuples(ACTIONS, st.integers(0, 1), st.integers(1, 12)), max_size=60)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_no_good_value_is_older_than_what_is_in_flight(steps: list[tuple[str, int, int]]):
    world = World()
    world.say()
    for number in (0, 1):
        world.act("deliver", number, 100)
    for step in steps:
        world.act(*step)


def test_where_everything_comes_in_time_both_are_good_and_show_the_same():
    world = World()
    for _ in range(40):
        world.say()
        for number in (0, 1):
            world.act("deliver", number, 100)
        assert [site.good(world.now_s) for site in world.sites] == [world.megawatts] * 2
        world.wait(1)
        for number in (0, 1):
            world.act("deliver", number, 100)
    assert world.good_reads > 80


def test_one_to_which_nothing_comes_any_more_is_good_no_longer_than_that():
    world = World()
    world.say()
    for number in (0, 1):
        world.act("deliver", number, 100)
    for _ in range(24):
        world.wait(1)
        world.act("deliver", 0, 100)
    world.say()
    world.act("deliver", 0, 100)
    assert world.sites[0].good(world.now_s) == 2
    assert world.sites[1].good(world.now_s) is None
    world.act("deliver", 1, 100)
    world.wait(1)
    assert world.sites[1].good(world.now_s) == 2


def test_one_that_was_stopped_answers_nothing_good_before_all_that_waited_came_in():
    world = World()
    world.say()
    for number in (0, 1):
        world.act("deliver", number, 100)
    world.stop(1, 40)
    waits = len(world.sites[1].way)
    assert waits > 2
    assert world.sites[1].good(world.now_s) is None
    world.sites[1].look(world.now_s)
    world.heartbeats()
    for _ in range(waits):
        world.act("deliver", 1, 1)
        world.sites[1].look(world.now_s)
        assert world.sites[1].good(world.now_s) is None
    world.act("deliver", 1, 100)
    world.sites[1].look(world.now_s)
    assert world.sites[1].good(world.now_s) == world.megawatts
