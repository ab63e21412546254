"""Live cells: what is read of registers that show CAISO's values and the gateway's own, with their quality and age. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dotbus.contracts.quality import Level
from dotbus.runtime.installation.modbus import Table
from modbus_gateway.map.documents.live import Age, Reading, decode, reasons_of, refusal, said
from modbus_gateway.map.quantities import Scope
from modbus_gateway.map.register_map import About, Cell

_AGES: Final = {
    "instructions": "instructions_age_s",
    "dot": "dot_age_s",
    "trajectory": "trajectory_age_s",
    "latest_dop": "trajectory_age_s",
    "lmp": "lmp_age_s",
    "alarms": "alarms_age_s",
}
"""The quantity that tells how old others are, by the quantity whose quality they have."""


@dataclass(frozen=True)
class ReadCell:
    """A cell and the bytes of its registers; of a bit one byte, 1 or 0. None where the gateway refused, with its exception."""

    unit_id: int
    table: Table
    cell: Cell
    content: bytes | None
    exception: int | None = None

    @property
    def value(self) -> float | str | None:
        """What it says, unscaled; None for "no value"."""
        return None if self.content is None else decode(self.content, self.cell.form)


_Known = Mapping[tuple[int, str, About], ReadCell]


def read_cells(read: Sequence[ReadCell]) -> Iterator[Reading]:
    """A reading of each."""
    known = {(one.unit_id, one.cell.quantity.name, one.cell.judged_alike.about): one for one in read}
    for one in read:
        quantity, value = one.cell.quantity, one.value
        level, reasons = (_beside(one, name, known) for name in (quantity.told_by[:2] or (None, None)))
        yield Reading(
            unit_id=one.unit_id,
            table=one.table,
            address=one.cell.address,
            what=quantity.name,
            whose=_whose(one.cell),
            content=one.content,
            exception=one.exception,
            value=value,
            unit=quantity.unit,
            said=refusal(one.exception) if one.content is None else said(value, quantity.unit),
            quality=Level(int(level)) if level in set(Level) else None,
            why=() if reasons is None else reasons_of(reasons),
            age=_age(one, known),
        )


def _whose(cell: Cell) -> str:
    """The plant of what is a plant's or its alarms, the resources or the price of all else; empty for the gateway's own."""
    if cell.quantity.scope in (Scope.PLANT, Scope.ALARMS):
        return ", ".join(cell.about.plants)
    return str(cell.about)


def _beside(one: ReadCell, name: str | None, known: _Known) -> float | None:
    """The number of another quantity of the same subject at the same unit."""
    found = known.get((one.unit_id, name, one.cell.judged_alike.about)) if name else None
    return found.value if found and isinstance(found.value, int | float) else None


def _age(one: ReadCell, known: _Known) -> Age:
    quality = one.cell.quantity.quality
    name = next((age for begin, age in _AGES.items() if quality.startswith(begin)), _AGES["dot"] if quality else None)
    age_s = _beside(one, name, known)
    return Age(age_s, age_s)
