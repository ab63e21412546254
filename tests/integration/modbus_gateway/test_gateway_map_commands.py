"""What `modbus-gateway map` and `read` say of registers, against a gateway that serves them."""

import asyncio
import shlex
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from gateway_serving import DEADLINE_S, Serving
from gateway_story import Gateway, dot, installation, interval, status

from launcher.look.registers import Registers
from modbus_gateway.map.documents.live import live_table
from modbus_gateway.map.documents.live_cells import read_cells
from modbus_gateway.map.documents.rows import rows_of
from modbus_gateway.map.documents.tags import mbpoll_line
from modbus_gateway.wire.admission import Limits
from modbus_gateway.wire.client import Client, NoAnswer

pytestmark = pytest.mark.integration

DOT = {"quantity": "dot_mw", "resource": "SOLAR", "unit_id": 20}
FIELD = {"topic": "dot", "path": "intervals[0].instruction_uid", "resource": "SOLAR", "unit_id": 20, "length": 8}
MODBUS = {
    "block": [{"profile": "classic", "unit_id": 1}, {"profile": "plant", "unit_id": 11, "resources": ["SOLAR"]}],
    "point": [
        {**DOT, "address": 0, "table": "input", "type": "int16", "scale": 10.0, "offset": 5.0},
        {**DOT, "address": 4, "type": "float64"},
        {**DOT, "address": 8, "type": "float32", "word_order": "little", "byte_order": "little"},
        {**DOT, "address": 12, "type": "int32", "on_bad": "exception"},
        {**FIELD, "address": 20},
        {**FIELD, "address": 30, "byte_order": "little", "table": "input"},
        {"quantity": "broker_connected", "unit_id": 20, "address": 3, "table": "coil"},
        {"quantity": "broker_connected", "unit_id": 20, "address": 3, "table": "discrete"},
        {"quantity": "broker_connected", "unit_id": 20, "address": 40, "type": "bool"},
    ],
}


@pytest.fixture
def gateway() -> Gateway:
    heard = Gateway(**MODBUS)
    heard.hear(status(0), dot(interval(0, 12.5)))
    return heard


@pytest.fixture
def serving(gateway: Gateway) -> Iterator[Serving]:
    running = Serving(asyncio.new_event_loop(), gateway.map.units, gateway.render(7).images.look, Limits())
    yield running
    running.close()


def test_each_command_line_for_mbpoll_runs_as_it_is(gateway: Gateway, serving: Serving):
    assert shutil.which("mbpoll"), "the package mbpoll is needed: apt-get install mbpoll, brew install mbpoll"
    shown = {}
    for row in rows_of(gateway.map, installation(**MODBUS)):
        line = mbpoll_line(row, "127.0.0.1", serving.port) or ""
        ran = subprocess.run(shlex.split(line, comments=True), capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        assert ran.returncode == 0, (line, ran.stderr)
        shown[row.unit_id, row.table, row.address] = " ".join(ran.stdout.split())
    assert "[103]: 12.5" in shown[11, "holding", 102]
    assert "[103]: 12.5" in shown[11, "input", 102]
    assert "[1]: 130" in shown[20, "input", 0]
    assert "[4]: 1" in shown[20, "coil", 3]


def test_read_decodes_every_value_with_its_quality_and_age(gateway: Gateway, serving: Serving):
    with Client("127.0.0.1", serving.port) as client:
        read = list(client.read(gateway.map))
    assert len(read) == sum(len(span.cells) for span in gateway.map.spans)
    dots = [one.value for one in read if one.unit_id == 20 and one.cell.quantity.name == "dot_mw"]
    assert sorted(dots) == [12.5, 12.5, 12.5, 13]
    assert [one.value for one in read if one.cell.about.fields] == ["instruction 0"] * 2
    line = next(line for line in live_table(list(read_cells(read))).splitlines() if " 40103 " in line)
    assert line.split() == ["11", "40103", "dot_mw", "SOLAR", "12.5", "MW", "192", "good", "none", "7", "s"]


def test_one_register_that_refuses_leaves_the_others_readable(serving: Serving):
    silent = Gateway(**MODBUS)
    serving.images = silent.render(7).images.look
    with Client("127.0.0.1", serving.port) as client:
        read = list(client.read(silent.map, 20))
    refused = [one for one in read if one.exception]
    assert [(one.cell.address, one.exception, one.content) for one in refused] == [(12, 4, None)]
    assert len(read) == len(MODBUS["point"])


def test_a_unit_that_is_not_served_is_told_by_its_exception_and_nobody_in_words(serving: Serving):
    with Client("127.0.0.1", serving.port) as client:
        assert client.ask(99, next(iter(Gateway(**MODBUS).map.spans)).table, 0, 1) == 0x0B
    with pytest.raises(NoAnswer, match="no Modbus connection"):
        Client("127.0.0.1", 1)


def test_dotbus_registers_reads_texts_coils_and_input_registers(gateway: Gateway, serving: Serving):
    registers = Registers("127.0.0.1", serving.port, gateway.map)
    try:
        shown = {(one.unit_id, one.table.value, one.cell.address): one for one in registers.read()}
    finally:
        registers.close()
    assert shown[20, "holding", 20].text == shown[20, "input", 30].text == "instruction 0"
    assert [shown[20, *place].value for place in (("input", 0), ("holding", 4), ("holding", 8), ("coil", 3))] == [12.5] * 3 + [
        1
    ]
