"""Unit ids 0 and 255, by which clients ask a device that has one unit."""

import pytest
from gateway_story import Gateway, installation
from prometheus_client import CollectorRegistry

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from modbus_gateway.map.draft import check_map
from modbus_gateway.metrics import GatewayMetrics
from modbus_gateway.wire.admission import Limits
from modbus_gateway.wire.identification import Identification
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.wire.pdu import Served
from modbus_gateway.wire.server import Server
from modbus_gateway.wire.writing import Client, NothingWritable

PLANT = {"profile": "plant", "unit_id": 11, "resources": ["SOLAR"]}
ASKER = Client("192.0.2.1")
HEADER = bytes.fromhex("0300000001")


def served(**modbus: object) -> Server:
    gateway = Gateway(**modbus)
    gateway.render(0)
    called, metrics = Identification.of("1", "sierra"), GatewayMetrics(CollectorRegistry())
    what = Served(gateway.map.units, gateway.images.look, NothingWritable(), called, gateway.map.aliases)
    return Server(what, Limits(), metrics, lambda: 0.0)


def mistakes(**modbus: object) -> dict[str, str]:
    with pytest.raises(ConfigurationRefused) as refused:
        check_map(InstallationFile(installation(**modbus), "plant.toml"))
    return {mistake.key: mistake.reason for mistake in refused.value.mistakes}


@pytest.mark.parametrize("unit_id", [0, 255, 11])
def test_units_0_and_255_answer_as_the_one_that_the_map_names(unit_id):
    assert served(block=[PLANT], alias_of=11).reply(unit_id, HEADER, ASKER) == bytes.fromhex("03020001")


@pytest.mark.parametrize("unit_id", [0, 255, 1])
def test_without_a_word_they_are_no_unit(unit_id):
    assert served(block=[PLANT]).reply(unit_id, HEADER, ASKER) == bytes((0x83, Refusal.NO_SUCH_UNIT))


def test_a_unit_that_is_0_itself_may_have_255_for_an_alias():
    server = served(block=[{**PLANT, "unit_id": 0}], alias_of=0)
    assert server.reply(255, HEADER, ASKER) == server.reply(0, HEADER, ASKER) == bytes.fromhex("03020001")


def test_an_alias_of_nobody_and_one_whose_name_is_taken_are_mistakes():
    assert mistakes(block=[PLANT], alias_of=12) == {"modbus.alias_of": "12 is no unit of this map"}
    assert (
        "unit 0 of this map would not be told from it"
        in (mistakes(block=[PLANT, {**PLANT, "unit_id": 0}], alias_of=11)["modbus.alias_of"])
    )
