"""What becomes of a write: by whom, of what, and how long it counts."""

import sqlite3
import struct

import pytest
from write_story import (
    ACTUAL,
    COMMIT,
    CONFIRMED,
    HEARTBEAT,
    OPERATOR,
    OTHER,
    SCADA,
    SECOND,
    STRANGER,
    SWITCH,
    UNIT,
    VIEWER,
    WRITES,
    Plant,
    writables,
)

from modbus_gateway.beside import echo
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.writes.taking import STOPPED_AFTER_S, WAITED_FOR_S
from modbus_gateway.writes.unit import Result


def mw(value: float) -> bytes:
    return struct.pack(">f", value)


def word(number: int) -> bytes:
    return number.to_bytes(2)


@pytest.fixture
def plant() -> Plant:
    return Plant()


def said(plant: Plant) -> dict[str, tuple[object, int, tuple[str, ...]]]:
    return {one.point: (one.value, one.quality, one.reasons) for one in plant.taking.telemetry()}


def write(plant: Plant, address: int, words: bytes, client=SCADA) -> Refusal | None:
    return plant.taking.write_registers(UNIT, address, words, client)


def state(plant: Plant):
    return plant.taking.state(UNIT)[0]


def outcomes(plant: Plant) -> list[tuple[str, str, str | None]]:
    return [(one.point, one.outcome, one.refused_by) for one in plant.events]


def test_before_anything_is_written_each_point_is_bad_and_has_no_value(plant):
    assert set(said(plant).values()) == {(None, 0, ("never_received",))}


def test_a_write_is_taken_at_once_and_kept_with_who_wrote_it(plant):
    assert write(plant, ACTUAL, mw(48.5)) is None
    (event,) = plant.events
    assert (event.point, event.old_value, event.new_value, event.outcome) == ("actual_mw", None, 48.5, "taken")
    assert (event.written_by, event.written_from, event.unit) == (None, "10.0.0.5", "MW")
    assert said(plant)["actual_mw"] == (48.5, 192, ())


def test_who_has_a_certificate_is_named_by_its_subject(plant):
    assert write(plant, ACTUAL, mw(1), OPERATOR) is None
    assert (plant.events[0].written_by, plant.events[0].written_from) == ("CN=operator", "192.168.1.2")


@pytest.mark.parametrize("client", [STRANGER, VIEWER])
def test_a_client_that_may_not_write_is_told_that_there_is_no_such_function(plant, client):
    assert write(plant, ACTUAL, mw(1), client) is Refusal.FUNCTION
    assert outcomes(plant) == [("actual_mw", "refused", "role")]
    assert said(plant)["actual_mw"][0] is None


@pytest.mark.parametrize("client", [STRANGER, VIEWER])
def test_a_client_that_may_write_nothing_learns_nothing_of_what_could_be_written_where(plant, client):
    assert {write(plant, address, word(1), client) for address in (ACTUAL, ACTUAL + 1, 5000)} == {Refusal.FUNCTION}
    assert plant.taking.write_registers(77, 0, word(1), client) is Refusal.FUNCTION


def test_a_point_that_names_roles_takes_nothing_from_any_other():
    plant = Plant(writables(writes=[{**WRITES[0], "roles": ["engineer"]}]))
    assert write(plant, ACTUAL, mw(1), OPERATOR) is Refusal.FUNCTION
    assert write(plant, ACTUAL, mw(1), SCADA) is Refusal.FUNCTION


def test_what_is_refused_by_role_at_one_address_of_a_request_is_refused_at_all():
    plant = Plant(
        writables(writes=[WRITES[0] | {"quality": False}, {**WRITES[1], "address": ACTUAL + 2, "roles": ["engineer"]}])
    )
    assert write(plant, ACTUAL, mw(1) + mw(2), SCADA) is Refusal.FUNCTION
    assert all(value is None for value, *_ in said(plant).values())


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (ACTUAL, mw(1)[:2]),
        (ACTUAL + 1, mw(1)[2:]),
        (ACTUAL - 1, word(0) + mw(1)),
        (ACTUAL, mw(1) + word(192)),
        (COMMIT, word(1) + word(2) + word(3)),
    ],
)
def test_a_value_is_written_whole_and_nothing_beside_it(plant, address, words):
    assert write(plant, address, words) is Refusal.ADDRESS
    assert {event.refused_by for event in plant.events} <= {"point"}
    assert all(value is None for value, *_ in said(plant).values())


def test_where_nothing_is_written_is_no_address():
    plant = Plant()
    assert write(plant, 5000, word(1)) is Refusal.ADDRESS
    assert plant.taking.write_registers(77, 0, word(1), SCADA) is Refusal.ADDRESS
    assert plant.events == []


@pytest.mark.parametrize(
    ("value", "by"), [(60.5, "limits"), (-60.5, "limits"), (float("nan"), "value"), (float("inf"), "value")]
)
def test_what_is_beyond_limits_or_no_number_is_refused_and_leaves_the_value_before(plant, value, by):
    write(plant, ACTUAL, mw(10))
    assert write(plant, ACTUAL, mw(value)) is Refusal.COUNT
    assert outcomes(plant)[1:] == [("actual_mw", "refused", by)]
    assert said(plant)["actual_mw"] == (10, 192, ())


def test_a_coil_is_written_and_told_as_on_or_off(plant):
    assert plant.taking.write_bits(UNIT, SWITCH, (True,), SCADA) is None
    assert said(plant)["agc_on"] == (True, 192, ())


def test_what_cannot_be_kept_is_not_taken(plant):
    plant.fails = sqlite3.OperationalError("database or disk is full")
    assert write(plant, ACTUAL, mw(10)) is Refusal.FAILURE
    assert said(plant)["actual_mw"][0] is None
    plant.fails = None
    assert write(plant, ACTUAL, mw(10)) is None


def test_while_nothing_can_be_kept_no_write_is_gathered_either(plant):
    write(plant, ACTUAL, mw(10))
    plant.fails = sqlite3.OperationalError("disk I/O error")
    write(plant, ACTUAL, mw(99))  # another outcome, which cannot be kept
    assert write(plant, ACTUAL, mw(11)) is Refusal.FAILURE
    assert said(plant)["actual_mw"][0] == 10


def test_a_value_that_is_not_written_again_in_time_is_stale(plant):
    write(plant, ACTUAL, mw(10))
    plant.clock.seconds += 30
    assert said(plant)["actual_mw"] == (10, 192, ())
    plant.clock.seconds += 0.1
    assert said(plant)["actual_mw"] == (10, 0, ("stale",))
    write(plant, ACTUAL, mw(10))
    assert said(plant)["actual_mw"] == (10, 192, ())


def test_what_a_silent_scada_wrote_counts_no_more_until_it_is_written_again(plant):
    plant.taking.write_bits(UNIT, SWITCH, (True,), SCADA)
    plant.clock.seconds += 60.1
    assert said(plant)["agc_on"] == (True, 0, ("stale",))
    write(plant, HEARTBEAT, word(1))
    assert said(plant)["agc_on"] == (True, 0, ("stale",))
    plant.taking.write_bits(UNIT, SWITCH, (True,), SCADA)
    assert said(plant)["agc_on"] == (True, 192, ())


def test_a_counter_that_goes_on_feeds_the_watchdog_and_one_that_stands_still_does_not(plant):
    plant.taking.write_bits(UNIT, SWITCH, (True,), SCADA)
    for beat in range(4):
        plant.clock.seconds += 40
        assert write(plant, HEARTBEAT, word(beat)) is None
    assert said(plant)["agc_on"] == (True, 192, ())
    for _ in range(2):
        plant.clock.seconds += 40
        write(plant, HEARTBEAT, word(3))
    assert said(plant)["agc_on"] == (True, 0, ("stale",))


def test_a_refused_write_feeds_no_watchdog(plant):
    plant.taking.write_bits(UNIT, SWITCH, (True,), SCADA)
    plant.clock.seconds += 40
    write(plant, ACTUAL, mw(99))
    write(plant, HEARTBEAT, word(7), STRANGER)
    plant.clock.seconds += 21
    assert said(plant)["agc_on"][1] == 0


def test_staged_values_are_taken_together_by_their_sequence_number(plant):
    assert write(plant, CONFIRMED, mw(50)) is None
    assert write(plant, SECOND, word(125)) is None
    assert [said(plant)[name][0] for name in ("available_mw", "reserve_mw")] == [None, None]
    assert plant.events == []
    assert write(plant, COMMIT, word(7)) is None
    assert [said(plant)[name][0] for name in ("available_mw", "reserve_mw")] == [50, 12.5]
    assert outcomes(plant) == [("available_mw", "taken", None), ("reserve_mw", "taken", None)]
    assert (state(plant).answered, state(plant).result) == (7, Result.TAKEN)


def test_one_request_may_stage_and_confirm():
    plant = Plant(writables(writes=[{**WRITES[1], "address": COMMIT - 2}]))
    assert write(plant, COMMIT - 2, mw(50) + word(1) + word(9)) is None
    assert said(plant)["available_mw"][0] == 50
    assert state(plant).heartbeat == 9


@pytest.mark.parametrize(
    ("wrong", "result"), [(mw(61), Result.LIMITS), (mw(-1), Result.LIMITS), (mw(float("nan")), Result.NO_VALUE)]
)
def test_one_wrong_value_refuses_all_that_were_staged_and_is_named(plant, wrong, result):
    write(plant, SECOND, word(125))
    write(plant, CONFIRMED, wrong)
    assert write(plant, COMMIT, word(1)) is Refusal.COUNT
    assert (state(plant).answered, state(plant).result, state(plant).staging) == (1, result, None)
    assert state(plant).wrong.point == "available_mw"
    assert {(name, by) for name, _, by in outcomes(plant)} == {
        ("reserve_mw", "commit"),
        ("available_mw", "limits" if result is Result.LIMITS else "value"),
    }
    assert said(plant)["reserve_mw"][0] is None


def test_the_same_number_again_is_answered_as_before_so_that_a_lost_reply_does_no_harm(plant):
    write(plant, CONFIRMED, mw(50))
    assert [write(plant, COMMIT, word(7)) for _ in range(2)] == [None, None]
    assert len(plant.events) == 1
    write(plant, CONFIRMED, mw(99))
    assert [write(plant, COMMIT, word(8)) for _ in range(2)] == [Refusal.COUNT, Refusal.COUNT]
    assert state(plant).result is Result.LIMITS


@pytest.mark.parametrize("sequence", [0, 7])
def test_a_number_that_is_none_or_was_answered_confirms_nothing_new(plant, sequence):
    write(plant, CONFIRMED, mw(50))
    write(plant, COMMIT, word(7))
    write(plant, CONFIRMED, mw(40))
    assert write(plant, COMMIT, word(sequence)) is Refusal.COUNT
    assert (state(plant).result, said(plant)["available_mw"][0]) == (Result.SEQUENCE, 50)
    assert write(plant, COMMIT, word(8)) is None
    assert said(plant)["available_mw"][0] == 40


def test_a_commit_of_nothing_is_refused_and_says_so(plant):
    assert write(plant, COMMIT, word(3)) is Refusal.COUNT
    assert (state(plant).answered, state(plant).result) == (3, Result.NOTHING_STAGED)


def test_what_is_not_confirmed_in_time_is_gone_and_told(plant):
    write(plant, CONFIRMED, mw(50))
    plant.clock.seconds += 15
    write(plant, SECOND, word(1))  # does not put it off
    plant.clock.seconds += 5
    assert (state(plant).result, state(plant).staging) == (Result.TOO_LATE, None)
    assert write(plant, COMMIT, word(3)) is Refusal.COUNT
    assert state(plant).result is Result.TOO_LATE
    assert {by for _, _, by in outcomes(plant)} == {"commit"}


def test_a_commit_of_nothing_says_once_that_what_was_staged_ended_and_then_that_nothing_was(plant):
    write(plant, CONFIRMED, mw(50))
    plant.clock.seconds += 20
    results = []
    for number in (3, 4):
        write(plant, COMMIT, word(number))
        results.append(state(plant).result)
    assert results == [Result.TOO_LATE, Result.NOTHING_STAGED]


def test_a_number_that_was_taken_is_told_as_taken_whatever_was_tried_or_ended_since(plant):
    write(plant, CONFIRMED, mw(50))
    write(plant, COMMIT, word(7))
    write(plant, CONFIRMED, mw(40), OTHER)
    assert write(plant, COMMIT, word(7), OTHER) is Refusal.COUNT
    plant.clock.seconds += 20
    assert (state(plant).answered, state(plant).result) == (7, Result.TOO_LATE)
    assert write(plant, COMMIT, word(7)) is None
    assert (state(plant).answered, state(plant).result) == (7, Result.TAKEN)


def test_the_result_of_a_commit_that_could_not_be_kept_stands_beside_its_own_number(plant):
    write(plant, CONFIRMED, mw(50))
    write(plant, COMMIT, word(5))
    write(plant, SECOND, word(125))
    plant.fails = sqlite3.OperationalError("database or disk is full")
    assert write(plant, COMMIT, word(6)) is Refusal.FAILURE
    assert (state(plant).answered, state(plant).result) == (6, Result.NOT_KEPT)
    plant.fails = None
    assert write(plant, COMMIT, word(6)) is None
    assert (state(plant).answered, state(plant).result) == (6, Result.TAKEN)


def test_what_is_beyond_a_limit_is_told_with_the_digits_by_which_it_is(plant):
    write(plant, ACTUAL, mw(60.000004))
    assert plant.events[-1].detail == "60.000004 MW is above 60"


def test_nobody_confirms_or_adds_to_what_another_client_staged(plant):
    write(plant, CONFIRMED, mw(50))
    assert write(plant, COMMIT, word(3), OTHER) is Refusal.FAILURE
    assert write(plant, SECOND, word(3), OTHER) is Refusal.FAILURE
    assert write(plant, COMMIT, word(3)) is None
    assert said(plant)["available_mw"][0] == 50


def test_a_commit_that_cannot_be_kept_takes_nothing_and_may_be_tried_again(plant):
    write(plant, CONFIRMED, mw(50))
    plant.fails = sqlite3.OperationalError("database or disk is full")
    assert write(plant, COMMIT, word(3)) is Refusal.FAILURE
    assert (state(plant).result, said(plant)["available_mw"][0]) == (Result.NOT_KEPT, None)
    plant.fails = None
    assert write(plant, COMMIT, word(3)) is None
    assert said(plant)["available_mw"][0] == 50


def test_each_write_is_counted_by_its_outcome(plant):
    write(plant, ACTUAL, mw(1))
    write(plant, ACTUAL, mw(99))
    write(plant, ACTUAL, mw(99), STRANGER)
    assert plant.counted == ["taken", "limits", "role"]


def test_a_write_that_may_have_waited_while_the_gateway_was_stopped_is_refused_and_told(plant):
    plant.taking.turned()
    write(plant, ACTUAL, mw(10))
    plant.clock.seconds += 8
    assert write(plant, ACTUAL, mw(11)) is Refusal.FAILURE, "though nobody but the client knows that time has passed"
    plant.taking.turned()
    assert write(plant, ACTUAL, mw(12)) is Refusal.FAILURE, "more may have waited"
    plant.clock.seconds += WAITED_FOR_S
    plant.taking.turned()
    assert write(plant, ACTUAL, mw(13)) is None
    assert outcomes(plant) == [("actual_mw", "taken", None), ("actual_mw", "refused", "fault")]


def test_a_stop_is_the_same_for_what_is_written_as_for_what_is_read():
    assert STOPPED_AFTER_S == echo.STOPPED_AFTER_S


def test_where_the_gateway_goes_on_each_write_is_taken_however_seldom_they_come(plant):
    for _ in range(60):
        plant.taking.turned()
        plant.clock.seconds += STOPPED_AFTER_S
        assert write(plant, ACTUAL, mw(10)) is None


@pytest.mark.parametrize("client", [STRANGER, VIEWER])
def test_who_may_not_write_learns_nothing_of_a_stop(plant, client):
    plant.taking.turned()
    plant.clock.seconds += 8
    assert write(plant, ACTUAL, mw(1), client) is Refusal.FUNCTION
