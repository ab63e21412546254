"""Registers that SCADA writes, as they are read back: what was taken, whether it counts, and why not."""

import pytest
from write_story import ACTUAL, COMMIT, CONFIRMED, SCADA, SECOND, SWITCH, UNIT, Plant, point

from dotbus.contracts.quality import Level
from modbus_gateway.map.documents.live import Reading, live_table
from modbus_gateway.map.documents.live_written import ReadWritten, read_written
from modbus_gateway.map.documents.written_rows import written_cells
from modbus_gateway.map.form import Form, encode_value
from modbus_gateway.map.written_layout import ACTIONS, OUTCOMES, REFUSED_BY, RESULTS, Line
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.writes.answers import ACTIONS as TAKEN_ACTIONS
from modbus_gateway.writes.answers import REFUSED_BY as SAID_REFUSED_BY
from modbus_gateway.writes.answers import Outcome
from modbus_gateway.writes.shown import WrittenTables
from modbus_gateway.writes.unit import Result


class Nothing:
    """Where nothing is read."""

    def read_registers(self, _table, _address, _count):
        return Refusal.ADDRESS

    read_bits = read_registers


@pytest.fixture
def plant() -> Plant:
    return Plant()


def read(plant: Plant) -> dict[str, Reading]:
    """Every written register as a client reads it, by what it is."""
    tables = WrittenTables(Nothing(), plant.writables, lambda: plant.taking.state(UNIT), lambda _block: b"")
    found = []
    for cell in written_cells(plant.writables):
        ask = tables.read_bits if cell.table.has_bits else tables.read_registers
        content = ask(cell.table, cell.address, cell.form.registers)
        assert isinstance(content, bytes)
        found.append(ReadWritten(cell, content))
    return {one.what: one for one in read_written(found)}


def write(plant: Plant, name: str, value: float) -> Refusal | None:
    known = point(name)
    words = encode_value(value, known.form)
    return plant.taking.write_registers(UNIT, known.place.start, words, SCADA)


def test_what_was_taken_is_told_with_its_unit_its_quality_and_how_old_it_is_at_the_most(plant: Plant):
    write(plant, "actual_mw", 48.2)
    plant.clock.seconds += 7
    told = read(plant)["written actual_mw"]
    assert (told.value, told.said, told.whose, told.address) == (48.2, "48.2 MW", "BESS", ACTUAL)
    assert (told.quality, told.why) == (Level.GOOD, ())
    assert (told.age.least_s, told.age.most_s) == (6, 30)


def test_what_nobody_wrote_is_bad_and_was_never_received(plant: Plant):
    told = read(plant)["written actual_mw"]
    assert (told.value, told.quality, told.why) == (None, Level.BAD, ("never_received",))


def test_what_was_not_written_for_too_long_is_stale_or_was_never_received(plant: Plant):
    write(plant, "actual_mw", 48.2)
    plant.clock.seconds += 31
    told = read(plant)["written actual_mw"]
    assert (told.value, told.quality, told.why) == (None, Level.BAD, ("stale or never_received",))


def test_the_quality_of_a_switch_is_that_of_the_coil_behind_it(plant: Plant):
    assert read(plant)["written agc_on"].quality is Level.BAD
    plant.taking.write_bits(UNIT, SWITCH, (False,), SCADA)
    told = read(plant)["written agc_on"]
    assert (told.value, told.quality) == (0, Level.GOOD)


def test_what_is_staged_is_told_beside_the_value_that_waits(plant: Plant):
    write(plant, "available_mw", 30.0)
    told = read(plant)
    assert told["written available_mw"].why[-1] == "1 staged at its unit"
    assert told["commit staged_for_s"].said == "20 s"


def test_a_commit_that_was_refused_names_the_point_and_what_it_takes(plant: Plant):
    write(plant, "available_mw", 30.0)
    write(plant, "reserve_mw", 70.0)
    plant.taking.write_registers(UNIT, COMMIT, (1).to_bytes(2), SCADA)
    told = read(plant)["commit result"]
    assert told.said == "5 a value beyond its limits"
    assert told.why == (f"4{SECOND + 1:04} reserve_mw of BESS takes to 60 MW",)
    assert read(plant)["commit wrong_table"].said == "4 holding register"


def test_a_commit_that_was_taken_says_so_and_names_nobody(plant: Plant):
    write(plant, "available_mw", 30.0)
    plant.taking.write_registers(UNIT, COMMIT, (1).to_bytes(2), SCADA)
    told = read(plant)
    assert (told["commit result"].said, told["commit result"].why) == ("1 taken", ())
    assert told["commit wrong_table"].said == "none"
    assert told["commit watchdog"].said == "1 SCADA writes"
    assert told["written available_mw"].value == 30.0
    assert told["written available_mw"].address == CONFIRMED


def test_people_see_all_of_it_in_the_table_of_what_is_read(plant: Plant):
    write(plant, "actual_mw", 48.2)
    lines = live_table(list(read(plant).values())).splitlines()
    (line,) = [line for line in lines if " written actual_mw " in line and " quality" not in line]
    assert line.split() == [
        "1",
        "40101",
        "written",
        "actual_mw",
        "BESS",
        "48.2",
        "MW",
        "192",
        "good",
        "none",
        "0",
        "to",
        "30",
        "s",
    ]


def test_the_words_of_the_layout_are_those_that_the_gateway_means_by_its_numbers():
    assert [result.value for result in Result] == list(RESULTS)
    assert [outcome.value for outcome in Outcome] == list(OUTCOMES)
    assert {number: word.split(" (")[0] for number, word in ACTIONS.items()} == TAKEN_ACTIONS
    words = [word.split(" (")[0] for number, word in REFUSED_BY.items() if number != 255]
    assert words == ["nothing", *SAID_REFUSED_BY[1:]]
    assert list(REFUSED_BY)[:-1] == list(range(len(SAID_REFUSED_BY)))


def test_a_line_tells_what_each_of_its_numbers_stands_for():
    assert Line(0, "x", "x", Form(Line(0, "", "").form.type), codes={0: "off", None: "none"}).meaning == "x: 0 off, 0xFFFF none"
