"""Nothing stale or wrong reads as good: every way in which a small world can go on, to a depth (docs/proof.md)."""

import os

import pytest
from model.actions import ALL
from model.explore import explore, replay
from model.forking import fork, key_of
from model.invariant import GOOD, Bench, is_ramp
from model.scenarios import SCENARIOS
from model.world import World

DEEPER = int(os.environ.get("DOTBUS_MODEL_DEEPER", "0"))
"""How many actions more than usual."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_register_reads_good_that_is_stale_or_wrong(name):
    scenario = SCENARIOS[name]
    explored = explore(scenario.begin(), scenario.actions, scenario.depth + DEEPER)
    assert not explored.found, "\n".join(map(str, explored.found))
    assert explored.states > 100, "an exploration that goes nowhere shows nothing"


def test_exploring_a_world_does_not_change_it():
    start = SCENARIOS["everything"].begin()
    before = key_of(start)
    assert not explore(start, ALL, 1).found
    assert key_of(start) == before == key_of(fork(start))


def test_an_undisturbed_world_shows_all_as_good():
    """Else the invariant would hold of a gateway that never says good."""
    world = World.begun()
    assert world.look() == []
    bench = Bench(world.gateway.look(), world.said, world.now_s)
    assert [bench.word(2, address) for address in (100, 120, 140, 150, 250, 170, 180)] == [GOOD] * 7
    assert bench.bits(1)[:6] == [True, False, True, False, True, True], "but for the DOT of BESS, which has none"
    assert (bench.float32(2, 102), bench.float32(2, 142), bench.cdab(1, 0), bench.cdab(1, 0x32)) == (40, 20, 53, 35)
    assert (bench.word(3, 0), bench.int16(3, 1)) == (GOOD, 4000)
    assert bench.word(4, 0) != GOOD, "40 MW times 1000 is no int16"


def test_one_trace_is_told_the_same_way_each_time():
    scenario = SCENARIOS["one line"]
    once, again = (explore(scenario.begin(), scenario.actions, 2) for _ in range(2))
    assert once == again


def test_a_clock_behind_by_as_much_as_every_message_is_late_is_not_told_from_a_right_one():
    """The one thing that is left out of the worlds above, because no one-way message can tell: docs/proof.md."""
    world = World.begun(ads=("a",), oasis=())
    for name in ("the gateway is killed", "a's line is held", "a asks and speaks", "60 s pass", "10 s pass"):
        assert not ALL[name].happen(world)
    world.gateway.clock.ahead_s = -70.0
    world.start_gateway()
    assert not world.look()
    world.deliver(world.ingests["a"].line.take(0))  # a heartbeat of 70 s ago
    assert [violation.shows for violation in world.look() if violation.register == "dot_mw"] == [(40.0, 0.0)]


def test_a_ramp_does_not_begin_at_a_dot_that_caiso_cancelled():
    """A cancel that CAISO said while it was not heard, of an interval that was over when it was heard again."""
    world = World.begun(ads=("a",), oasis=())
    trace = ("CAISO cancels the DOT in force", "a hears CAISO no more", "60 s pass", "a hears CAISO again", "60 s pass")
    for name in trace:
        ALL[name].happen(world)
    bench = Bench(world.gateway.look(), world.said, world.now_s)
    assert bench.word(2, 120) != GOOD or is_ramp(bench, bench.float32(2, 122))


def test_a_cancelled_dot_is_no_longer_good_than_its_limit():
    """A state that is said anew between two questions for the revision is dated later than what it knows of that."""
    trace = (
        *("60 s pass", "CAISO cancels the DOT in force", "10 s pass", "10 s pass", "CAISO sends the DOT after the next"),
        *("a asks and speaks", "the gateway's line is held", "60 s pass", "60 s pass"),
    )
    assert not replay(World.begun(ads=("a",), oasis=()), ALL, trace)
