"""Every register of a map from scratch at one time: what the gateway's, written piece by piece, must equal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dotbus.contracts.quality import Reason
from dotbus.contracts.topics import Topics
from dotbus.judging.received import Received
from dotbus.readings.alarms import read_alarms
from dotbus.readings.instructions import read_instructions
from dotbus.readings.prices import read_price
from dotbus.readings.reading import Named, Reading
from dotbus.readings.resources import read_resource
from dotbus.readings.subjects import AlarmsOf, Member, PriceAt
from dotbus.runtime.installation.modbus import OnBad, RegisterType
from modbus_gateway.map.register_map import Cell, RegisterMap, StateField
from modbus_gateway.values.field_readings import read_field
from modbus_gateway.values.fitting import against
from modbus_gateway.values.readings import doubted, read_gateway, read_plant, read_together
from modbus_gateway.values.subjects import (
    GatewayItself,
    InstructionsOf,
    PlantAt,
    ResourceAt,
    Subject,
    UnitItself,
    subject_of,
    with_stale_time,
)
from modbus_gateway.wire.images.encode import encode_bit, encode_reading

Words = bytes | bool | None
"""What a cell shows: the bytes of its registers, a bit, or an exception."""


@dataclass(frozen=True)
class FullImage:
    """What each cell shows, by unit, table and address, and since when (by a clock never set) held ones are bad."""

    shown: Mapping[tuple[int, str, int], Words] = field(default_factory=dict)
    bad_since_s: Mapping[tuple[int, str, int], float] = field(default_factory=dict)


def full_image(
    register_map: RegisterMap, received: Received, topics: Topics, now: datetime, now_s: float, before: FullImage
) -> FullImage:
    """Everything, read and encoded anew.

    Args:
        now_s: the same time by the clock that cannot be set.
        before: what was shown last, which bad values with `on_bad = "hold"` are held from.
    """
    shown: dict[tuple[int, str, int], Words] = {}
    bad_since_s: dict[tuple[int, str, int], float] = {}
    read: dict[Subject, Named] = {}
    for unit_id in register_map.units:
        readings = _Readings(register_map, received, topics, now, unit_id, read)
        for span in register_map.spans:
            for cell in span.cells if span.unit_id == unit_id else ():
                key, reading = (unit_id, span.table.value, cell.address), readings.of(cell)
                if cell.form.type is RegisterType.BIT:
                    shown[key] = encode_bit(reading, cell.form)
                    continue
                held = cell.form.no_value
                if reading.quality.is_bad and cell.form.on_bad is OnBad.HOLD:
                    bad_since_s[key] = before.bad_since_s.get(key, now_s)
                    if now_s - bad_since_s[key] <= register_map.judging.hold_at_most_s:
                        shown_before = before.shown.get(key)
                        held = shown_before if isinstance(shown_before, bytes) and shown_before else held
                shown[key] = encode_reading(reading, cell.form, held)
    return FullImage(shown, bad_since_s)


class _Readings:
    """What the registers of one unit can show of what is read at a time."""

    def __init__(
        self,
        register_map: RegisterMap,
        received: Received,
        topics: Topics,
        now: datetime,
        unit_id: int,
        read: dict[Subject, Named],
    ) -> None:
        self._map, self._received, self._topics, self._now, self._unit_id = register_map, received, topics, now, unit_id
        self._of_all_units = read
        cells = [cell for span in register_map.spans if span.unit_id == unit_id for cell in span.cells]
        self._named: dict[Subject, Named] = {}
        for cell, reasons in [(cell, self._against(cell)) for cell in cells if cell.quantity.told_by]:
            for alike in (cell, cell.judged_alike) if reasons else ():
                key = _key(alike, unit_id)
                self._named[key] = doubted(self._named[key], cell.quantity, reasons)
                if cell.stale_after_s is None:
                    break

    def _against(self, cell: Cell) -> frozenset[Reason]:
        reading = self.of(cell)
        reasons = against(reading, cell.form, cell.limits)
        return reasons | (set(reading.quality.reasons) - set(self.of(cell.judged_alike).quality.reasons))

    def of(self, cell: Cell) -> Reading:
        return self._of(_key(cell, self._unit_id))[cell.quantity.name]

    def _of(self, subject: Subject) -> Named:
        match subject:
            case PlantAt(_, about):
                return read_plant([self._of(member) for member in about.members], [self._of(price) for price in about.prices])
            case ResourceAt(_, about):
                instructions = [self._of(InstructionsOf(member)) for member in about.members]
                resources, prices = ([self._of(each) for each in each_of] for each_of in (about.members, about.prices))
                return read_together(resources, instructions, prices)
            case UnitItself(unit_id):
                return {"map_hash": Reading(self._map.hashes.get(unit_id))}
            case _ if subject not in self._named:
                if subject not in self._of_all_units:
                    self._of_all_units[subject] = self._read(subject)
                self._named[subject] = self._of_all_units[subject]
        return self._named[subject]

    def _read(self, subject: Subject) -> Named:
        about = self._received, self._topics, self._map.judging, self._now
        match subject:
            case Member():
                return read_resource(subject, *about).named
            case InstructionsOf(member):
                return read_instructions(member, *about).named
            case PriceAt():
                return read_price(subject, *about).named
            case StateField():
                return read_field(subject, *about).named
            case AlarmsOf():
                return read_alarms(subject, self._received, self._topics, self._now).named
            case GatewayItself():
                return read_gateway(self._received, self._map.judging, self._now)
        raise AssertionError(subject)


def _key(cell: Cell, unit_id: int) -> Subject:
    """What a cell is read from, with its own stale time if it has one."""
    subject = subject_of(cell, unit_id)
    return subject if cell.stale_after_s is None else with_stale_time(subject, cell.stale_after_s)
