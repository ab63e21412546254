"""Display: what the registers of one resource show at one moment, in the columns of the fault table."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dotbus.contracts.quality import BIT_OF, Level, Reason
from dotbus.runtime.schedule import utc_now
from launcher.documents.fault_table import COLUMNS, FLAGS, HELD
from launcher.look.registers import GatewaySilent, Registers, Shown

SILENT = "no answer"


@dataclass(frozen=True)
class Column:
    """One quality with its reasons, and what its value register shows beside it."""

    level: str
    reasons: frozenset[Reason] = frozenset()
    value: float | None = None

    @property
    def shows(self) -> str:
        """What stands in the value register, in the words of the table."""
        if self.value is None:
            return "no value"
        return "held" if self.level == "bad" else "the value"


@dataclass(frozen=True)
class Display:
    """Everything at one moment.

    Attributes:
        began, ended: when the reading began and ended, by the wall clock.
        at_s: the same end on a clock that never goes back.
        flags: the classic map's discrete inputs by their number, -1 while nobody answers.
        held: the classic registers beside them by their number.
        shown: every register of the resource, its price and the header, by quantity.
    """

    began: datetime
    ended: datetime
    at_s: float
    columns: Mapping[str, Column]
    flags: Mapping[str, int]
    held: Mapping[str, float | None] = field(default_factory=dict)
    shown: Mapping[str, Shown] = field(default_factory=dict)

    def reasons(self, column: str) -> frozenset[Reason]:
        """Why a column is less than good."""
        return self.columns[column].reasons

    @property
    def is_good(self) -> bool:
        """Whether everything is good and every flag says so."""
        return all(column.level == "good" for column in self.columns.values()) and all(bit == 1 for bit in self.flags.values())

    @property
    def is_silent(self) -> bool:
        """Whether nobody answered."""
        return not self.shown


def look(registers: Registers, units: tuple[int, int], about: Callable[[list[Shown]], dict[str, Shown]]) -> Display:
    """Read the registers once.

    Args:
        registers: of the gateway.
        units: of the classic map and of the plant profile.
        about: picks what belongs to the resource.
    """
    began = utc_now()
    try:
        entries = registers.read(frozenset(units))
    except GatewaySilent:
        silent = {name: Column(SILENT) for name in COLUMNS}
        return Display(began, utc_now(), time.monotonic(), silent, dict.fromkeys(FLAGS, -1))
    classic = {entry.quantity: entry for entry in entries if entry.unit_id == units[0]}
    plant = about([entry for entry in entries if entry.unit_id == units[1]])
    return Display(
        began,
        utc_now(),
        time.monotonic(),
        {name: _column(plant, name, quantity) for name, (_, quantity) in COLUMNS.items()},
        {number: int(classic[quantity].value or 0) for number, quantity in FLAGS.items()},
        {number: classic[quantity].value for number, quantity in HELD.items()},
        plant,
    )


def _column(plant: Mapping[str, Shown], name: str, quantity: str) -> Column:
    quality, bits = plant[f"{name}_quality"].value, int(plant[f"{name}_reasons"].value or 0)
    level = SILENT if quality is None else Level(int(quality)).name.lower()
    value = plant[quantity].value if quantity else None
    return Column(level, reasons_of(bits), None if value is None or math.isnan(value) else value)


def reasons_of(bits: int) -> frozenset[Reason]:
    """The reasons that a register's bits name."""
    return frozenset(reason for reason in Reason if bits >> BIT_OF[reason] & 1)
