"""What is measured is what runs: a server under measurement is configured as the product asks for it."""

import importlib.util
from pathlib import Path

from dotbus.runtime.installation.installation import Installation
from modbus_gateway.map.draft import read_map

BENCH = Path(__file__).parents[2] / "bench"


def test_the_server_under_measurement_has_a_map():
    spec = importlib.util.spec_from_file_location("our_server", BENCH / "modbus" / "our_server.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert read_map(Installation.model_validate(module.INSTALLATION)).units == {1}
