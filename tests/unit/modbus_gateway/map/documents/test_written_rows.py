"""What SCADA writes, as the map's document and its tags have it."""

import csv
import io
import json

import pytest
from gateway_story import installation
from typer.testing import CliRunner

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.modbus import Table
from dotbus.runtime.process import command_line
from modbus_gateway.map.documents.rows import Access, Row, in_order
from modbus_gateway.map.documents.tags import as_ignition, as_kepware
from modbus_gateway.map.documents.written_rows import written_rows
from modbus_gateway.map.draft import check_draft
from modbus_gateway.map.writable import ANSWER_REGISTERS, COMMIT_REGISTERS, PLACE_REGISTERS, Writables
from modbus_gateway.map.written_layout import ANSWER_STATUS, ANSWER_WRITTEN, COMMIT_STATUS, COMMIT_WRITTEN, PLACE_LINES, Line
from modbus_gateway.map_commands import add_map_commands
from modbus_gateway.writes.requests import Slots

UNIT = 11
ACTUAL = {"unit_id": UNIT, "address": 100, "resource": "BESS", "point": "actual_mw", "min": -60.0, "max": 60.0}
WRITES = {
    "allow_writes_from": ["10.20.0.0/24"],
    "write": [
        {**ACTUAL, "quality": True, "expires_after_s": 5.0},
        {**ACTUAL, "address": 110, "point": "available_mw", "type": "int16", "scale": 10.0, "commit": True},
        {"unit_id": UNIT, "table": "coil", "address": 5, "resource": "BESS", "point": "breaker_closed", "roles": ["operator"]},
        {"unit_id": UNIT, "table": "coil", "address": 6, "resource": "BESS", "point": "agc_on", "quality": True},
    ],
    "commit": [{"unit_id": UNIT, "address": 200, "watchdog_s": 60.0}],
    "answer": [{"unit_id": UNIT, "address": 300, "resource": "BESS", "places": 2}],
}


@pytest.fixture
def rows() -> list[Row]:
    return in_order(written_rows(writables()))


def writables() -> Writables:
    return check_draft(InstallationFile(installation(**WRITES), "dotbus.toml")).writables


def test_every_address_that_takes_writes_has_a_row_that_says_so(rows: list[Row]):
    slots = Slots(writables())
    taken = {(slot.place.table, slot.place.start, slot.place.length) for slot in slots._at.values()}
    assert {(Table(row.table), row.address, row.registers) for row in rows if row.access == Access.WRITE} == taken


def test_what_is_written_is_told_with_its_limits_its_time_who_may_and_what_it_reads(rows: list[Row]):
    actual = next(row for row in rows if row.called == "written actual_mw")
    assert (actual.min, actual.max, actual.expires_after_s, actual.counts_in, actual.bad_shows) == (
        -60.0,
        60.0,
        5.0,
        "MW",
        "NaN",
    )
    assert "written by any role that may write, and from 10.20.0.0/24 without a certificate" in actual.meaning
    staged = next(row for row in rows if row.called == "written available_mw")
    assert (staged.bad_shows, staged.scale, "once the commit register" in staged.meaning) == ("0x8000", 10.0, True)
    breaker = next(row for row in rows if row.called == "written breaker_closed")
    assert "written by role operator;" in breaker.meaning


def test_the_quality_behind_a_value_is_read(rows: list[Row]):
    found = [(row.called, row.table, row.address, row.type, row.access) for row in rows if row.shows == "quality"]
    assert found == [
        ("written actual_mw quality", "holding", 102, "uint16", "read"),
        ("written agc_on quality", "coil", 7, "bit", "read"),
    ]


@pytest.mark.parametrize(
    ("lines", "registers"),
    [
        ((*COMMIT_WRITTEN, *COMMIT_STATUS), COMMIT_REGISTERS),
        (ANSWER_WRITTEN, ANSWER_REGISTERS),
        ((*ANSWER_WRITTEN, *ANSWER_STATUS), 37),
        (PLACE_LINES, PLACE_REGISTERS),
    ],
)
def test_the_lines_of_a_block_follow_each_other_without_a_hole(lines: tuple[Line, ...], registers: int):
    assert [line.start for line in lines] == [0, *(line.end for line in lines[:-1])]
    assert lines[-1].end == registers


def test_tags_of_what_is_written_take_writes_and_no_others_do(rows: list[Row]):
    written = [row.access == Access.WRITE for row in rows]
    assert [tag["Client Access"] == "R/W" for tag in csv.DictReader(io.StringIO(as_kepware(rows)))] == written
    (unit,) = json.loads(as_ignition(rows, "plant"))["tags"]
    tags = {tag["opcItemPath"]: tag["readOnly"] for folder in unit["tags"] for tag in folder["tags"]}
    assert len(tags) == len(rows)
    assert tags["ns=1;s=[plant]11.HRF101"] is False
    assert tags["ns=1;s=[plant]11.HRUS103"] is True
    assert tags["ns=1;s=[plant]11.C6"] is False


TOML = """environment = "production"
[[plant]]
name = "sierra"
resource = [{ id = "BESS" }]
[modbus]
allow_writes_from = ["127.0.0.1"]
[[modbus.write]]
unit_id = 3
address = 100
resource = "BESS"
point = "actual_mw"
expires_after_s = 5.0
"""


def test_the_map_of_a_unit_that_only_takes_writes_is_printed(tmp_path):
    app = command_line("test")
    add_map_commands(app)
    (tmp_path / "dotbus.toml").write_text(TOML)
    done = CliRunner().invoke(app, ["map", "--unit", "3", "--config", str(tmp_path / "dotbus.toml"), "--format", "json"])
    assert [(row["point"], row["address"], row["access"]) for row in json.loads(done.output)] == [("actual_mw", 100, "write")]
