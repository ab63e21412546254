"""What is told of writes: the first at once, those alike within a minute in one event, and nothing twice or never."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from write_story import ACTUAL, IDENTITY, SCADA, STRANGER, UNIT, Clock, Plant, point

from modbus_gateway.wire.writing import Client
from modbus_gateway.writes.gathering import KINDS_MOST, TOLD_EVERY_S, Gathering
from modbus_gateway.writes.unit import Written


def write(plant: Plant, value: float, client: Client = SCADA) -> None:
    plant.taking.write_registers(UNIT, ACTUAL, struct.pack(">f", value), client)


@pytest.fixture
def plant() -> Plant:
    return Plant()


def test_a_measurement_of_each_second_is_two_events_in_its_first_minute_and_one_in_each_that_follows(plant):
    for second in range(180):
        write(plant, second % 50)
        plant.taking.look()
        plant.clock.seconds += 1
    plant.taking.look()
    assert [event.writes for event in plant.events] == [1, 60, 60, 59]
    assert sum(event.writes for event in plant.events) == 180


def test_several_in_one_event_say_the_value_before_the_first_and_the_last(plant):
    for value in (1, 2, 3):
        write(plant, value)
        plant.clock.seconds += 1
    plant.clock.seconds += 60
    plant.taking.look()
    assert [(event.old_value, event.new_value, event.writes) for event in plant.events] == [(None, 1, 1), (1, 3, 2)]
    assert (plant.events[1].written_at - plant.events[0].written_at).total_seconds() == 2


def test_another_outcome_reason_or_client_is_told_at_once(plant):
    write(plant, 1)
    write(plant, 99)
    write(plant, float("nan"))
    write(plant, 1, STRANGER)
    write(plant, 1, Client("10.0.0.9", may_write=True))
    assert len(plant.events) == 5


def test_at_the_end_nothing_stays_untold(plant):
    for value in (1, 2, 3):
        write(plant, value)
    plant.taking.look(last=True)
    assert sum(event.writes for event in plant.events) == 3


def test_what_could_not_be_told_is_told_later(plant):
    write(plant, 1)
    write(plant, 2)
    plant.clock.seconds += TOLD_EVERY_S
    plant.fails = __import__("sqlite3").OperationalError("full")
    plant.taking.look()
    plant.fails = None
    plant.taking.look()
    assert [event.writes for event in plant.events] == [1, 1]


def test_each_event_has_an_id_of_its_own(plant):
    write(plant, 1)
    write(plant, 99)
    assert len({event.id for event in plant.events}) == 2


def test_a_crowd_of_addresses_fills_nothing_and_bars_no_write_that_is_taken():
    gathering, now = Gathering(IDENTITY), Clock()()
    for number in range(2 * KINDS_MOST):
        refused = Written(point("actual_mw"), Client(f"10.{number}"), None, None, "role", "no")
        told = gathering.untold([refused])
        assert bool(told) == (number < KINDS_MOST)
        gathering.note([refused], told, now)
    taken = Written(point("actual_mw"), SCADA, None, 1.0, None, "taken")
    assert gathering.untold([taken]) == [taken]


@given(pauses=st.lists(st.floats(0, 40), max_size=60))
def test_every_write_is_told_exactly_once(pauses):
    plant = Plant()
    for pause in pauses:
        write(plant, 1)
        plant.clock.seconds += pause
        plant.taking.look()
    plant.taking.look(last=True)
    assert sum(event.writes for event in plant.events) == len(pauses)
