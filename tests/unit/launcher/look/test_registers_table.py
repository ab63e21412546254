"""`dotbus registers` puts what a unit shows of one thing into one table."""

from io import StringIO

from gateway_story import installation
from rich.console import Console

from launcher.look.registers_table import registers_table
from modbus_gateway.map.documents.live_cells import ReadCell, read_cells
from modbus_gateway.map.draft import read_map


def printed(**modbus: object) -> list[str]:
    """What is printed of a map that shows no value yet."""
    spans = read_map(installation(**modbus)).spans
    shown = read_cells([ReadCell(span.unit_id, span.table, cell, None, 4) for span in spans for cell in span.cells])
    console = Console(file=StringIO(), width=80)
    console.print(registers_table(list(shown)))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_two_resources_with_one_node_have_a_table_of_its_prices_each():
    lines = printed(block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}])
    assert lines.count("unit 11  SOLAR") == lines.count("unit 11  BESS") == 1
    prices = [lines[i + 1 : lines.index("", i)] for i, line in enumerate(lines) if line == "unit 11  RTM NODE1"]
    quantities = [[line.split()[1] for line in table] for table in prices]
    assert len(quantities) == 2
    assert quantities[0] == quantities[1]
    assert len(quantities[0]) == len(set(quantities[0])) > 5


def test_two_blocks_at_one_unit_have_a_table_of_the_gateways_own_values_each():
    lines = printed(
        block=[
            {"profile": "plant", "unit_id": 1, "plants": ["sierra"]},
            {"profile": "plant", "unit_id": 1, "plants": ["delta"], "address": 300},
        ]
    )
    assert lines.count("unit 1  gateway") == 2
