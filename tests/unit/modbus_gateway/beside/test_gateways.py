"""A gateway that was stopped, with the machine or without, and goes on: what it says and takes for itself, in which order."""

from collections import deque
from collections.abc import Callable

from gateway_story import at

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Environment
from dotbus.contracts.quality import HEARTBEAT_S
from dotbus.contracts.topics import Topics
from dotbus.runtime.presence import Identity
from dotbus.testing.bus import FakeBus
from modbus_gateway.beside.echo import HOLDS_FOR_S, STOPPED_AFTER_S
from modbus_gateway.beside.gateways import Gateways
from modbus_gateway.beside.pair import LISTENS_S, State

IDENTITY = Identity("modbus_gateway", "a", Environment.PRODUCTION, at(0))


class Story:
    """Gateways whose loop turns when the test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.waiting = deque[Callable[[], None]]()
        self.shown: list[tuple[State, float]] = []
        self.bus, self.topics = FakeBus(), Topics()
        self.gateways = Gateways(
            self.bus,
            self.topics,
            IDENTITY,
            lambda: None,
            lambda state, until_s: self.shown.append((state, until_s)),
            lambda: None,
            in_turn=self.waiting.append,
            monotonic_s=lambda: self.now_s,
            clock=lambda: at(self.now_s),
        )
        self.bus.start()

    def turn(self) -> None:
        while self.waiting:
            self.waiting.popleft()()

    def say(self) -> bytes:
        """Our heartbeat; what comes back of it."""
        status = IDENTITY.status(at(self.now_s))
        self.gateways.saying(status)
        return encode(status)

    def come_back(self, payload: bytes) -> None:
        self.bus.deliver(self.topics.service("modbus_gateway", "a"), payload)

    def heartbeat(self) -> None:
        self.come_back(self.say())
        self.turn()

    def active(self) -> None:
        self.listen()
        self.heartbeat()
        assert self.shown[-1][0] is State.ACTIVE

    def listen(self) -> None:
        while self.now_s < LISTENS_S + 1:
            if self.now_s % HEARTBEAT_S == 0:
                self.heartbeat()
            self.gateways.look_round()
            self.now_s += 0.5
        assert self.gateways.state is State.ACTIVE


def test_it_is_the_one_to_read_only_once_what_it_said_as_the_active_one_came_back():
    """Behind it all comes that the one before it may have shown."""
    story = Story()
    story.turn()
    before = story.say()
    story.listen()
    assert story.shown[-1][0] is State.STANDBY
    assert story.gateways.state.word == "active", "as the others are told at once"
    story.come_back(before)
    story.turn()
    assert story.shown[-1][0] is State.STANDBY
    story.heartbeat()
    assert story.shown[-1][0] is State.ACTIVE


def test_where_the_broker_does_not_take_what_it_says_it_is_the_one_to_read_at_once():
    story = Story()
    story.turn()
    story.say()
    story.gateways.refused()
    story.turn()
    while story.now_s < LISTENS_S + 1:
        story.gateways.look_round()
        story.now_s += 0.5
    assert story.shown[-1][0] is State.ACTIVE


def test_after_a_stop_it_is_active_for_nobody_though_nothing_has_looked_round_yet():
    story = Story()
    story.turn()
    story.active()
    story.now_s += STOPPED_AFTER_S + 1
    assert story.gateways.state is State.UNKNOWN
    story.gateways.look_round()
    state, until_s = story.shown[-1]
    assert state is State.UNKNOWN
    assert until_s < story.now_s


def test_a_heartbeat_counts_from_when_it_was_said_however_late_the_loop_learns_of_it():
    story = Story()
    story.turn()
    story.active()
    said_s, payload = story.now_s, story.say()
    story.now_s += 1.5
    story.come_back(payload)
    story.turn()
    for _ in range(20):
        story.now_s += 0.5
        story.gateways.look_round()
    assert story.shown[-1][1] == said_s + HOLDS_FOR_S


def test_one_that_goes_on_after_a_stop_is_what_it_was_only_once_what_it_says_then_came_back():
    story = Story()
    story.turn()
    story.active()
    before = story.say()
    story.now_s += 4
    story.come_back(before)
    story.turn()
    assert story.shown[-1][1] < story.now_s
    story.heartbeat()
    assert story.shown[-1][1] == story.now_s + STOPPED_AFTER_S


def test_nothing_holds_once_a_connection_is_lost_and_what_the_broker_says_on_the_next_one_does():
    story = Story()
    story.turn()
    story.active()
    story.now_s += 4  # stopped; what waited is read first, then that the broker has hung up
    story.bus.turn(connected=False)
    story.turn()
    assert story.shown[-1][1] < story.now_s
    story.bus.turn(connected=True)
    story.turn()
    assert story.shown[-1] == (State.UNKNOWN, story.now_s + STOPPED_AFTER_S)


def test_what_our_heartbeat_stands_behind_is_taken_before_it():
    story = Story()
    story.turn()
    before = list(story.shown)
    story.come_back(story.say())
    assert story.shown == before  # it waits for its turn behind all that came before
    story.turn()
    assert story.shown != before
