"""A unit's image: its registers and bits, brought up to date as far as they are asked for."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Protocol

from dotbus.judging.clock_steps import Moment
from dotbus.runtime.installation.modbus import Table
from modbus_gateway.values.subjects import called
from modbus_gateway.wire.images.image import Area, Refusal
from modbus_gateway.wire.images.place import Held, Place, Standing
from modbus_gateway.wire.images.shown_subject import ShownSubject


class Keeper(Protocol):
    """Who knows what is outdated."""

    def now(self) -> Moment:
        """The time on our clocks, after what turned by now was outdated."""
        ...

    def bring(self, subject: ShownSubject, now: Moment) -> None:
        """Bring a subject up to date."""
        ...


class UnitImage:
    """The registers of one unit.

    Args:
        keeper: who brings them up to date.
        areas: what each table serves, in the order of addresses.
        written: who writes it, by the numbers that the stretches know: a subject and its place in this unit.
        render_s: how old what moves may be.
    """

    def __init__(
        self,
        keeper: Keeper,
        areas: Mapping[Table, Sequence[Area]],
        written: Sequence[tuple[ShownSubject, Place]],
        render_s: float,
    ) -> None:
        self._keeper = keeper
        self._areas = areas
        self._starts = {table: [area.start for area in of_table] for table, of_table in areas.items()}
        self._subjects = [subject for subject, _ in written]
        self._places = [place for _, place in written]
        self._render_s = render_s

    def held(self) -> Mapping[Standing, Held]:
        """What is held while it is bad, as it is shown now."""
        found: dict[Standing, Held] = {}
        for subject, place in zip(self._subjects, self._places, strict=True):
            if place.holds:
                self._keeper.bring(subject, now := self._keeper.now())
                place.move(now)
                found.update(place.held(called(subject.about)))
        return found

    def hold_on(self, held: Mapping[Standing, Held]) -> None:
        """Go on holding what another image of the unit held."""
        for subject, place in zip(self._subjects, self._places, strict=True):
            place.hold_on(called(subject.about), held)

    def read_registers(self, table: Table, address: int, count: int) -> bytes | Refusal:
        """The bytes of `count` registers, or why there are none."""
        number = bisect_right(self._starts.get(table, ()), address) - 1
        if number < 0 or address + count > (area := self._areas[table][number]).start + area.length:
            return Refusal.ADDRESS
        stretch, now = area.stretch, self._keeper.now()
        first = address - stretch.start
        for writer in stretch.written_by(first, count):
            subject, place = self._subjects[writer], self._places[writer]
            is_old = now.monotonic_s - place.written_at_s >= self._render_s
            if subject.needs(is_old=is_old):
                self._keeper.bring(subject, now)
            elif is_old and place.moves:
                place.move(now)
        return stretch.cut(first, count)

    def read_bits(self, table: Table, address: int, count: int) -> bytes | Refusal:
        """`count` bits, packed as a reply carries them, or why there are none."""
        return self.read_registers(table, address, count)
