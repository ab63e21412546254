"""Which of several gateways is the one to prefer: all of them agree as soon as they have heard each other, and it stays so."""

from dataclasses import replace

import msgspec
from gateway_story import at, status
from hypothesis import given, settings
from hypothesis import strategies as st

from dotbus.contracts.messages import Environment, ServiceStatus
from modbus_gateway.beside.pair import GONE_AFTER_S, LISTENS_S, Ours, Pair, State

MAP = {"11": 7}
LOOK_S = 0.5
HEARTBEAT_S = 5.0


def ours(instance: str, started_s: float, map_hashes: dict[str, int] | None = None) -> Ours:
    return Ours(f"modbus_gateway/{instance}", at(started_s), Environment.PRODUCTION, map_hashes or MAP)


def said(instance: str, started_s: float, state: State, **changed: object) -> ServiceStatus:
    of_pair = {"started_at": at(started_s), "upstreams": (), "map_hashes": MAP, "redundancy": state.word}
    return status(0, service="modbus_gateway", instance=instance, **{**of_pair, **changed})


def listening(instance: str = "b", started_s: float = 10) -> Pair:
    return Pair(ours(instance, started_s)).at(0, hears=True)


def test_one_that_is_alone_is_active_once_it_has_listened():
    pair = listening()
    assert pair.state is State.UNKNOWN
    assert pair.at(LISTENS_S - 0.1, hears=True).state is State.UNKNOWN
    assert pair.at(LISTENS_S, hears=True).state is State.ACTIVE


def test_of_two_that_begin_to_listen_at_once_the_one_that_started_first_speaks_first_and_never_both_are_active():
    undecided = said("a", 0, State.UNKNOWN)
    pair = listening().heard(undecided, 1, is_live=True).heard(undecided, 6, is_live=True)
    assert pair.at(LISTENS_S, hears=True).state is State.UNKNOWN
    assert pair.heard(said("a", 0, State.ACTIVE), 8, is_live=True).at(8, hears=True).state is State.STANDBY
    assert listening().heard(said("c", 20, State.UNKNOWN), 6, is_live=True).at(LISTENS_S, hears=True).state is State.ACTIVE


def test_one_that_never_tells_what_it_is_is_not_waited_for_longer_than_until_its_next_heartbeat():
    pair = listening()
    for heard_s in (1, 6, 11):
        pair = pair.heard(said("a", 0, State.UNKNOWN), heard_s, is_live=True)
    assert pair.at(LISTENS_S + HEARTBEAT_S, hears=True).state is State.ACTIVE


def test_who_is_active_stays_so_when_one_comes_that_started_before():
    active = listening().at(LISTENS_S, hears=True).heard(said("a", 0, State.STANDBY), 8, is_live=True)
    assert active.at(9, hears=True).state is State.ACTIVE


def test_of_two_that_are_active_the_one_that_started_first_stays_so_then_the_name_counts():
    active = listening().at(LISTENS_S, hears=True)
    assert active.heard(said("a", 0, State.ACTIVE), 8, is_live=True).at(8, hears=True).state is State.STANDBY
    assert active.heard(said("a", 20, State.ACTIVE), 8, is_live=True).at(8, hears=True).state is State.ACTIVE
    assert active.heard(said("a", 10, State.ACTIVE), 8, is_live=True).at(8, hears=True).state is State.STANDBY
    assert active.heard(said("c", 10, State.ACTIVE), 8, is_live=True).at(8, hears=True).state is State.ACTIVE


def test_a_standby_becomes_active_when_the_active_one_goes_or_says_nothing_more():
    standby = listening().heard(said("a", 0, State.ACTIVE), 7, is_live=True).at(LISTENS_S, hears=True)
    assert standby.state is State.STANDBY
    gone = standby.heard(said("a", 0, State.ACTIVE, online=False), 8, is_live=True)
    assert gone.at(8, hears=True).state is State.ACTIVE
    assert standby.at(7 + GONE_AFTER_S, hears=True).state is State.STANDBY
    assert standby.at(7 + GONE_AFTER_S + 0.1, hears=True).state is State.ACTIVE


def test_what_the_broker_kept_of_one_does_not_make_it_be_there():
    pair = listening().heard(said("a", 0, State.ACTIVE), 1, is_live=False)
    assert pair.at(LISTENS_S, hears=True).state is State.ACTIVE


def test_one_that_serves_another_map_or_environment_is_not_beside_us():
    for other in (said("a", 0, State.ACTIVE, map_hashes={"11": 8}), said("a", 0, State.ACTIVE, environment=Environment.STAGE)):
        pair = listening().heard(other, 7, is_live=True)
        assert pair.at(LISTENS_S, hears=True).state is State.ACTIVE


def test_one_that_does_not_hear_the_bus_claims_nothing_and_listens_anew_afterwards():
    active = listening().at(LISTENS_S, hears=True)
    deaf = active.at(20, hears=False)
    assert deaf.state is State.UNKNOWN
    back = deaf.at(21, hears=True)
    assert back.at(22, hears=True).state is State.UNKNOWN
    assert back.at(21 + LISTENS_S, hears=True).state is State.ACTIVE


@settings(max_examples=150, deadline=None)
@given(
    starts=st.lists(st.integers(0, 3), min_size=2, max_size=4),
    events=st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.floats(0, 20)), max_size=12),
)
def test_whatever_came_before_exactly_one_of_those_that_hear_the_bus_is_active_in_the_end_and_stays_so(
    starts: list[int], events: list[tuple[int, bool, float]]
):
    world = World(starts)
    for number, hears, for_s in events:
        world.hears[number % len(starts)] = hears
        world.go_on(for_s)
    world.hears[0] = True
    world.go_on(3 * LISTENS_S + GONE_AFTER_S)
    before = [pair.state for pair in world.pairs]
    assert before.count(State.ACTIVE) == 1
    assert all((state is State.UNKNOWN) != hears for state, hears in zip(before, world.hears, strict=True))
    world.go_on(60)
    assert [pair.state for pair in world.pairs] == before


class World:
    """Gateways that say their status every five seconds, and when it changes; who does not hear is not heard either."""

    def __init__(self, starts: list[int]) -> None:
        self.now_s = 0.0
        self.pairs = [Pair(ours(f"g{i}", start)) for i, start in enumerate(starts)]
        self.hears = [True] * len(starts)
        self._said_s = [0.7 * i for i in range(len(starts))]

    def go_on(self, for_s: float) -> None:
        until_s = self.now_s + for_s
        while self.now_s < until_s:
            self.now_s += LOOK_S
            for i, pair in enumerate(self.pairs):
                self.pairs[i] = pair.at(self.now_s, hears=self.hears[i])
                if self.now_s - self._said_s[i] >= HEARTBEAT_S or self.pairs[i].state is not pair.state:
                    self._say(i)

    def _say(self, i: int) -> None:
        self._said_s[i] = self.now_s
        own = self.pairs[i].ours
        told = said(own.source.partition("/")[2], 0, self.pairs[i].state)
        told = msgspec.structs.replace(told, started_at=own.started_at)
        for j, pair in enumerate(self.pairs):
            if j != i and self.hears[i] and self.hears[j]:
                self.pairs[j] = pair.heard(told, self.now_s, is_live=True)


def test_other_registers_are_another_group_from_the_reload_on():
    standby = listening().heard(said("a", 0, State.ACTIVE), 7, is_live=True).at(LISTENS_S, hears=True)
    other = replace(standby, ours=ours("b", 10, {"11": 8}))
    assert other.at(8, hears=True).state is State.ACTIVE
