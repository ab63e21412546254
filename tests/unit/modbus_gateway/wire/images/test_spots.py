from dataclasses import replace

from gateway_story import installation

from modbus_gateway.map.draft import read_map
from modbus_gateway.map.register_map import Cell, Limits
from modbus_gateway.wire.images.spots import Patterns

BLOCKS = [{"profile": "plant", "unit_id": 11, "address": 0}, {"profile": "plant", "unit_id": 12, "address": 300}]
PLACE = installation(block=BLOCKS)


def cells_of(resource: str, unit_id: int) -> list[tuple[int, Cell]]:
    spans = read_map(PLACE).by_unit[unit_id].spans
    return [(0, cell) for span in spans for cell in span.cells if resource in [one.resource.id for one in cell.about.members]]


def test_what_is_laid_out_alike_is_kept_once_wherever_it_begins():
    span = read_map(PLACE).by_unit[11].spans[0]
    of_places = [[(0, cell) for cell in span.cells if cell.address // 100 == place] for place in (1, 2)]
    patterns = Patterns()
    (first, start), (second, other_start) = map(patterns.of, of_places)
    assert first is second
    assert (start, other_start) == (100, 200)


def test_what_differs_in_anything_that_is_written_is_another_pattern():
    cells = cells_of("SOLAR", 11)
    number, cell = cells[0]
    patterns = Patterns()
    pattern, _ = patterns.of(cells)
    others = [
        [(number, replace(cell, limits=Limits(0, 1))), *cells[1:]],
        [(number, replace(cell, form=replace(cell.form, scale=2.0))), *cells[1:]],
        [(number + 1, cell), *cells[1:]],
        [(number, replace(cell, quantity=cells[1][1].quantity)), *cells[1:]],
        [(number, replace(cell, about=cell.about.with_stale_time(7.0))), *cells[1:]],
        [*cells[:-1], (0, replace(cells[-1][1], address=cells[-1][1].address + 1))],
        cells[1:],
    ]
    assert all(patterns.of(other)[0] is not pattern for other in others)
    assert patterns.of(cells)[0] is pattern
