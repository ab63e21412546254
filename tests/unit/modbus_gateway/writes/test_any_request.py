"""Whatever one request writes, across values and commits that stand side by side: all of it or nothing, and all is told."""

import struct
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from write_story import OPERATOR, OTHER, SCADA, STRANGER, UNIT, VIEWER, Plant, writables

from modbus_gateway.wire.writing import Client
from modbus_gateway.writes.unit import Result, UnitState

FIRST = 100
WRITES = (
    {"address": 100, "point": "actual_mw", "min": -60, "max": 60},
    {"address": 102, "point": "available_mw", "min": 0, "max": 60, "commit": True},
)
COMMITS = ({"unit_id": UNIT, "address": 104, "watchdog_s": 60, "commit_within_s": 20},)
PLACES = {"actual_mw": (100, 2), "available_mw": (102, 2), "sequence": (104, 1), "heartbeat": (105, 1)}
LAST = 106
WORDS = {
    "actual_mw": st.sampled_from([struct.pack(">f", value) for value in (-60, 0.5, 61, float("nan"))]),
    "available_mw": st.sampled_from([struct.pack(">f", value) for value in (0, 47.5, -1, float("inf"))]),
    "sequence": st.integers(0, 3).map(lambda number: number.to_bytes(2)),
    "heartbeat": st.integers(0, 2).map(lambda number: number.to_bytes(2)),
}
CLIENTS = st.sampled_from([SCADA, SCADA, OTHER, OPERATOR, STRANGER, VIEWER])


@st.composite
def requests(draw: st.DrawFn) -> tuple[int, bytes]:
    """From any register of what is written to any other one, each with a word that it may have."""
    words = b"".join(draw(WORDS[name]) for name in PLACES)
    begin = draw(st.integers(FIRST, LAST - 1))
    end = draw(st.integers(begin + 1, LAST))
    return begin, words[2 * (begin - FIRST) : 2 * (end - FIRST)]


STEPS = st.lists(st.tuples(CLIENTS, requests(), st.sampled_from([0.0, 1.0, 19.0, 61.0])), max_size=12)


def touched(start: int, words: bytes) -> set[str]:
    """The points of which a request writes a register."""
    end = start + len(words) // 2
    return {name for name, (at, length) in PLACES.items() if name.endswith("_mw") and at < end and start < at + length}


def told(plant: Plant) -> Counter[tuple[str, str]]:
    """How many writes of each point were taken and refused, by all that was ever said of it."""
    plant.taking.look(last=True)
    count: Counter[tuple[str, str]] = Counter()
    for event in plant.events:
        count[event.point, event.outcome] += event.writes
    return count


def state(plant: Plant) -> UnitState:
    return plant.taking.state(UNIT)[0]


def ask(plant: Plant, client: Client, start: int, words: bytes) -> bool:
    return plant.taking.write_registers(UNIT, start, words, client) is None


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_a_request_is_taken_whole_or_changes_no_value_and_each_point_of_it_is_told(steps):
    plant = Plant(writables(writes=WRITES, commits=COMMITS))
    for client, (start, words), seconds in steps:
        plant.clock.seconds += seconds
        before, said = state(plant), told(plant)
        is_taken = ask(plant, client, start, words)
        after, news = state(plant), told(plant) - said
        points = touched(start, words)
        if not is_taken:
            assert after.taken == before.taken
            assert {name for name, outcome in news if outcome == "refused"} >= points
            assert not [one for one in news if one[1] == "taken"]
            assert all(number == 1 for number in news.values())
            continue
        at_once = points - {"available_mw"}
        confirmed = {key[1] for key in after.taken if after.taken[key].at.seconds == plant.clock.seconds}
        assert {name for name, outcome in news if outcome == "taken"} >= at_once
        assert {name for name, _ in news} <= confirmed
        assert ("available_mw" in points) <= ("available_mw" in confirmed or after.staging is not None)


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_only_a_value_that_is_taken_or_staged_or_a_counter_that_goes_on_feeds_the_watchdog(steps):
    plant = Plant(writables(writes=WRITES, commits=COMMITS))
    for client, (start, words), seconds in steps:
        plant.clock.seconds += seconds
        before, said = state(plant), told(plant)
        is_taken = ask(plant, client, start, words)
        after = state(plant)
        is_alive = bool(touched(start, words)) or after.heartbeat != before.heartbeat or bool(told(plant) - said)
        assert (after.heard_s != before.heard_s) <= (is_taken and is_alive)


def test_a_number_of_a_commit_that_is_only_repeated_shows_nobody_alive():
    plant = Plant(writables(writes=WRITES, commits=COMMITS))
    assert ask(plant, SCADA, 102, struct.pack(">f", 47.5))
    assert ask(plant, SCADA, 104, b"\0\7")
    for _ in range(3):
        plant.clock.seconds += 30
        assert ask(plant, SCADA, 104, b"\0\7"), "a reply that was lost does no harm"
    assert [one.quality for one in plant.taking.telemetry() if one.point == "available_mw"] == [0]


def test_0_is_no_number_to_answer_and_leaves_the_one_that_was():
    plant = Plant(writables(writes=WRITES, commits=COMMITS))
    ask(plant, SCADA, 102, struct.pack(">f", 47.5))
    ask(plant, SCADA, 104, b"\0\7")
    assert not ask(plant, SCADA, 104, b"\0\0")
    assert (state(plant).answered, state(plant).result) == (7, Result.SEQUENCE)
    assert ask(plant, SCADA, 104, b"\0\7")
    assert (state(plant).answered, state(plant).result) == (7, Result.TAKEN)
