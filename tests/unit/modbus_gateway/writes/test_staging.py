"""Staging, whatever is written in whatever order: all that is staged is taken, or nothing, and only by who staged it."""

import math
import sqlite3
import struct

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from write_story import ACTUAL, COMMIT, CONFIRMED, OTHER, SCADA, SECOND, UNIT, Plant

from modbus_gateway.map.writable import NoValue, read_words
from modbus_gateway.writes.unit import Result

CLIENTS = st.sampled_from([SCADA, OTHER])
NUMBERS = st.one_of(st.floats(width=32), st.floats(-70, 70, width=32))


def as_float32(value: object) -> bytes:
    """What is equal of two decimals that are one float32."""
    return struct.pack(">f", value + 0.0)  # type: ignore[operator]  # -0 is 0


class Staging(RuleBasedStateMachine):
    """A model beside the real one: what is staged by whom, what was taken, and until when each counts."""

    def __init__(self) -> None:
        super().__init__()
        self.plant = Plant()
        self.staged: dict[str, float | None] = {}
        self.by: object = None
        self.until_s = 0.0
        self.taken: dict[str, float] = {}
        self.answered = 0

    @property
    def now_s(self) -> float:
        return self.plant.clock.seconds

    def expire(self) -> None:
        if self.staged and self.now_s >= self.until_s:
            self.staged, self.by = {}, None

    def stage(self, client: object, name: str, value: float | None) -> bool:
        self.expire()
        if self.staged and self.by != client:
            return False
        if not self.staged:
            self.by, self.until_s = client, self.now_s + 20
        self.staged[name] = value
        return True

    @rule(client=CLIENTS, value=NUMBERS)
    def stage_a_float(self, client, value):
        reply = self.plant.taking.write_registers(UNIT, CONFIRMED, struct.pack(">f", value), client)
        is_right = math.isfinite(value) and 0 <= value <= 60
        assert (reply is None) == self.stage(client, "available_mw", value if is_right else None)

    @rule(client=CLIENTS, number=st.integers(0, 0xFFFF))
    def stage_an_integer(self, client, number):
        words = number.to_bytes(2)
        point = next(one for one in self.plant.writables.points if one.point == "reserve_mw")
        value = read_words(words, point.form)
        is_right = not isinstance(value, NoValue) and value <= 60
        reply = self.plant.taking.write_registers(UNIT, SECOND, words, client)
        assert (reply is None) == self.stage(client, "reserve_mw", float(value) if is_right else None)

    @rule(client=CLIENTS, sequence=st.integers(0, 4), fails=st.booleans())
    def commit(self, client, sequence, fails):
        self.expire()
        before = self.plant.taking.state(UNIT)[0]
        self.plant.fails = sqlite3.OperationalError("full") if fails else None
        reply = self.plant.taking.write_registers(UNIT, COMMIT, sequence.to_bytes(2), client)
        self.plant.fails = None
        if not self.staged:
            repeats = sequence == self.answered != 0 and before.outcome is Result.TAKEN
            assert (reply is None) == repeats
            self.answered = sequence or self.answered  # 0 is no number to answer
            return
        was_answered = sequence == self.answered and before.outcome is not Result.NOT_KEPT
        if self.by != client or sequence == 0 or was_answered:
            assert reply is not None
            return
        if None in self.staged.values():
            assert reply is not None
            self.answered, self.staged, self.by = sequence, {}, None
            return
        if reply is None:
            self.taken |= {name: value for name, value in self.staged.items() if value is not None}
            self.answered, self.staged, self.by = sequence, {}, None
        else:
            assert fails
            self.answered = sequence

    @rule(value=st.floats(-60, 60, width=32))
    def write_at_once(self, value):
        assert self.plant.taking.write_registers(UNIT, ACTUAL, struct.pack(">f", value), SCADA) is None
        self.taken["actual_mw"] = value

    @rule(seconds=st.floats(0, 25))
    def wait(self, seconds):
        self.plant.clock.seconds += seconds

    @precondition(lambda self: self.taken)
    @rule()
    def fall_silent(self):
        self.plant.clock.seconds += 61
        assert all(one.quality == 0 for one in self.plant.taking.telemetry())

    @invariant()
    def what_is_taken_is_what_was_confirmed_and_no_more(self):
        state, _now = self.plant.taking.state(UNIT)
        assert {key[1]: as_float32(taken.value) for key, taken in state.taken.items()} == {
            name: as_float32(value) for name, value in self.taken.items()
        }

    @invariant()
    def what_is_staged_is_known_by_its_number(self):
        state, _now = self.plant.taking.state(UNIT)
        self.expire()
        assert set(self.staged) == ({key[1] for key in state.staging.words} if state.staging else set())
        assert state.answered == self.answered

    @invariant()
    def what_was_never_written_again_is_never_good_for_longer_than_it_counts(self):
        state, now = self.plant.taking.state(UNIT)
        for one in self.plant.taking.telemetry():
            taken = state.taken.get((one.resource_id, one.point))
            if one.quality == 192:
                assert taken
                assert state.heard_s is not None
                assert now.seconds - state.heard_s <= 60
                assert one.point != "actual_mw" or now.seconds - taken.at.seconds <= 30


Staging.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestStaging = Staging.TestCase
