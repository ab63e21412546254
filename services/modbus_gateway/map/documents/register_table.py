"""Register table: docs/registers.md, made from the code. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from dotbus.contracts.alarms import CODE_OF
from dotbus.contracts.quality import BIT_OF, LEVEL_OF
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import Profile, RegisterType
from modbus_gateway.map.documents import register_text as text
from modbus_gateway.map.documents.write_text import WRITES
from modbus_gateway.map.draft import read_map
from modbus_gateway.map.layouts import PLANT_HEADER, PLANT_RESOURCE, lay_out
from modbus_gateway.map.quantities import QUANTITIES, Scope
from modbus_gateway.map.register_map import Cell


def render_markdown(installation: Installation, faults: str = "") -> str:
    """The whole page: both profiles, every quantity, and the table of an example installation.

    Args:
        installation: the example.
        faults: what each fault shows, a text of whoever saw it.
    """
    return "\n".join(
        [
            text.INTRODUCTION,
            text.COMMANDS,
            text.CHANGES,
            text.QUALITY,
            _table(("bit", "mask", "reason", "level"), _reasons()),
            text.CLASSIC,
            _table(("table", "address", "quantity", "type", "unit", "meaning"), _classic()),
            text.PLANT,
            "### Header\n",
            _table(("address", "quantity", "type", "unit", "meaning"), _addressed(PLANT_HEADER)),
            "### Each resource, from its first register\n",
            _table(("address", "quantity", "type", "unit", "meaning"), _addressed(PLANT_RESOURCE)),
            text.ALARMS,
            _table(("code", "rule"), ((code, _code(rule.value)) for rule, code in CODE_OF.items())),
            *([faults] if faults else []),
            text.POINTS,
            _table(("quantity", "about", "type", "unit", "quality", "meaning"), _quantities()),
            text.FIELDS,
            WRITES,
            "## The example configuration\n",
            "Every register of `config/dotbus.example.toml`.\n",
            _table(("unit", "table", "address", "quantity", "of", "type", "words", "on_bad"), _every_cell(installation)),
        ]
    )


def _reasons() -> Iterable[Sequence[object]]:
    return ((bit, f"0x{1 << bit:04X}", reason.value, LEVEL_OF[reason].name.lower()) for reason, bit in BIT_OF.items())


def _classic() -> Iterable[Sequence[object]]:
    for slot in lay_out(Profile.CLASSIC, 1).slots:
        quantity = QUANTITIES[slot.quantity]
        address = f"0x{slot.address:02X}" if slot.resource is None else f"0x{slot.address:02X} + 2i"
        kind = RegisterType.BIT if slot.table.has_bits else quantity.type
        yield slot.table.value, address, _code(quantity.name), kind.value, quantity.unit, quantity.meaning


def _addressed(layout: Mapping[int, str]) -> Iterable[Sequence[object]]:
    for address, name in layout.items():
        quantity = QUANTITIES[name]
        yield address, _code(name), quantity.type.value, quantity.unit, quantity.meaning


def _quantities() -> Iterable[Sequence[object]]:
    for q in QUANTITIES.values():
        yield _code(q.name), q.scope.value, q.type.value, q.unit, _code(q.quality) if q.quality else "", q.meaning


def _every_cell(installation: Installation) -> Iterable[Sequence[object]]:
    for span in read_map(installation).spans:
        for cell in sorted(span.cells, key=lambda cell: cell.address):
            form = cell.form
            words = form.word_order.value if form.registers > 1 else ""
            where = (span.unit_id, span.table.value, cell.address, _code(cell.quantity.name))
            yield *where, _about(cell), form.type.value, words, form.on_bad.value


def _about(cell: Cell) -> str:
    about = cell.about
    match cell.quantity.scope:
        case Scope.GATEWAY:
            return "the gateway"
        case Scope.UNIT:
            return "the unit"
        case Scope.PLANT | Scope.ALARMS:
            return ", ".join(about.plants)
        case Scope.RESOURCE | Scope.TOGETHER:
            return about.members[0].resource.id
        case Scope.STATE:
            return str(about)
        case Scope.PRICE:
            return f"{about.prices[0].market.value} {about.prices[0].node}"


def _code(name: str) -> str:
    return f"`{name}`"


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(str(entry) for entry in line)} |\n" for line in lines)
