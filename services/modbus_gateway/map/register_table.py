"""Register table: docs/registers.md, made from the code. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from dotbus.contracts.quality import BIT_OF, LEVEL_OF
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import Profile, RegisterType, Table
from modbus_gateway.map.draft import read_map
from modbus_gateway.map.layouts import (
    CLASSIC_RESOURCES,
    MAP_VERSION,
    PLANT_HEADER,
    PLANT_RESOURCE,
    PLANT_STRIDE,
    lay_out,
)
from modbus_gateway.map.quantities import QUANTITIES, Scope
from modbus_gateway.map.register_map import Cell

_INTRODUCTION: Final = """\
# Registers

This page is generated from the code by `make docs`. Addresses are protocol addresses, from 0: holding register 40001 of a
SCADA package is address 0, discrete input 10001 is address 0 of the other table.

Functions 03 and 04 read the same holding registers, 01 and 02 the same discrete inputs. Every write is refused with
exception 01. Function 43/14 names the gateway and its version.

## How values are written

| type | registers | "no value" |
| --- | --- | --- |
| float32 | 2 | NaN (0x7FC00000) |
| uint16 | 1 | 0xFFFF |
| int16 | 1 | 0x8000 |
| uint32 | 2 | 0xFFFFFFFF |
| int32 | 2 | 0x80000000 |
| bit | 1 discrete input | 0 |

Word order `big` (ABCD) puts the high word first, `little` (CDAB) the low word; inside a word the high byte is always first.
12.5 is [0x4148, 0x0000] as big and [0x0000, 0x4148] as little. Times are seconds since 1970-01-01 UTC.

"No value" stands where there is nothing to show and nothing is wrong: no next DOT yet, no SUPP segment. While the quality of a
value is bad its registers show what `on_bad` chose: `hold` what they showed before (at first "no value"), for `hold_at_most_s`
and then "no value"; `value` the `bad_value` of the block or point, scaled like a value (megawatts and prices; everything else
"no value"); `nan` "no value"; `exception` nothing: each request that touches one is refused with exception 04. A flag in a
discrete input falls to 0 at once, except with `exception`. Uncertain values are shown. Quality, reasons, ages and the header
are never bad themselves.

Megawatts and prices may have a `scale`, nothing else: their registers show the value times it, an integer rounded half away
from zero. It is at least 1 for an integer, which would lose the value otherwise, at least 0.000001 for float32, at most 1e9,
or the negative of such a number. Times and `map_hash` need uint32 or int32: no other type keeps every digit. A value that its
registers cannot carry (400 MW times 100 in an int16) is `invalid`, and so bad, for its quality and reasons registers at the
same unit id too.

A number that stands in place of a bad value must be told from a good one. So a `[[modbus.point]]` that holds, or whose
`bad_value` could be real, must have its quality at the same unit id, or the check refuses it: the quantity that the table
of quantities names beside it, of the same resource or price, or the reasons for it. For the latest DOP `trajectory_fresh`
or `trajectories_fresh` serves as well, for the latest published price `lmp_fresh`. A `bad_value` could be real unless what
its registers show, scaled and rounded, lies outside what they show of the resource's pmin_mw and pmax_mw (SUPP and prices
have no limits, so any could be), is neither 1 nor 0 for a flag, or not above 0 for a time.

Registers of a block that no value uses are reserved and read 0xFFFF, reserved discrete inputs 0. Addresses outside every block
answer exception 02, a unit id that is not configured 0B, an impossible count 03. What is shown was true
within the last two seconds, and not past the end of an interval or of a limit: a request that waited longer is answered by
registers made anew.
"""

_CHANGES: Final = """\
## When the configuration changes

SCADA reads addresses and knows no names, so what stands at one must not change unnoticed.

- A block's `resources` gives each resource its place, `""` leaves one free: its registers are reserved, and `resource_count`
  does not count it. To take a resource out write `""` in its place; a new one goes there or to the end. A block without
  `resources` has them in the file's order, and taking one out moves those after it.
- `map_hash` is a number from 1 to 2147483646 over all that the readers of its unit id rely on: which stretches are served, and
  for every address the quantity (and that it is of the hourly schedule, when the resource follows that, and for `must_follow`
  that the resource is variable), whose it is (resource,
  or market and node), type, word order, scale and `on_bad`. **Write it
  down at commissioning; when it differs, the map moved.** A change elsewhere leaves it alone: other units, limits, names
  of plants, the order of plants and resources where `resources` gives the places. A later version of dotbus that puts
  a quantity where registers were reserved changes it, too, and the changelog says so.
- `dotbus check --config NEW.toml --against OLD.toml` tells each address that would say something else, where what stood
  there went, each unit's `map_hash` before and after, and a change of `accept_environments`. It ends with 0 when nothing
  moves, with 3 when something does.
"""

_QUALITY: Final = """\
## Quality and reasons

A quality register shows OPC's number: 192 good, 64 uncertain, 0 bad. A reasons register has a bit for each reason.
"""

_CLASSIC: Final = f"""\
## Profile classic

The map that this project's predecessors served. Little word order and `hold` unless the block says otherwise; at most
{CLASSIC_RESOURCES} resources; i is a resource's place, counted from 0. SUPP and the active price are neither held nor
replaced by `bad_value`: past their interval they show "no value", because no flag of this map would tell that it is over.
Discrete input 2 is 0 as soon as one of the trajectories whose DOPs it shows is bad, for instance because no new one came for
`trajectory_stale_after_s`.
"""

_PLANT: Final = f"""\
## Profile plant

Version {MAP_VERSION}. Big word order and `nan` unless the block says otherwise. The header takes the first {PLANT_STRIDE}
registers, each place the next {PLANT_STRIDE}: the first resource begins at {PLANT_STRIDE}, the second at
{2 * PLANT_STRIDE}. One request can read a whole one. Quantities may be added where registers are reserved; none moves within a
version.
"""

_POINTS: Final = """\
## Quantities

Any of these can stand anywhere with a `[[modbus.point]]`. A quantity of the gateway or the unit needs no name, a plant
quantity `plant`, a resource quantity `resource`, a price quantity `node` or `resource`, and `market` (RTM when it is not
given). Flags ("1 or 0") may be discrete inputs. The column quality names the quantity that tells how good a value is; what
has none is never bad itself.
"""


def render_markdown(installation: Installation, faults: str = "") -> str:
    """The whole page: both profiles, every quantity, and the table of an example installation.

    Args:
        installation: the example.
        faults: what each fault shows, a text of whoever saw it.
    """
    return "\n".join(
        [
            _INTRODUCTION,
            _CHANGES,
            _QUALITY,
            _table(("bit", "mask", "reason", "level"), _reasons()),
            _CLASSIC,
            _table(("table", "address", "quantity", "type", "unit", "meaning"), _classic()),
            _PLANT,
            "### Header\n",
            _table(("address", "quantity", "type", "unit", "meaning"), _addressed(PLANT_HEADER)),
            "### Each resource, from its first register\n",
            _table(("address", "quantity", "type", "unit", "meaning"), _addressed(PLANT_RESOURCE)),
            *([faults] if faults else []),
            _POINTS,
            _table(("quantity", "about", "type", "unit", "quality", "meaning"), _quantities()),
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
        kind = RegisterType.BIT if slot.table is Table.DISCRETE else quantity.type
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
        case Scope.PLANT:
            return ", ".join(dict.fromkeys(member.plant for member in about.members))
        case Scope.RESOURCE:
            return about.members[0].resource.id
        case Scope.PRICE:
            return f"{about.prices[0].market.value} {about.prices[0].node}"


def _code(name: str) -> str:
    return f"`{name}`"


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(str(entry) for entry in line)} |\n" for line in lines)
