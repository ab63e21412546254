"""Spots: what stands where in a place, apart from where the place begins: a thousand resources share one pattern. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from dotbus.contracts.quality import Reason
from dotbus.readings.reading import Read, Reading
from dotbus.runtime.installation.modbus import OnBad, RegisterType
from modbus_gateway.map.form import Form, carries
from modbus_gateway.map.quantities import Quantity
from modbus_gateway.map.register_map import Cell, Limits
from modbus_gateway.values.fitting import against
from modbus_gateway.wire.images.encode import nothing_shown


@dataclass(frozen=True)
class Spot:
    """A quantity in one form, with limits and a stale time of its own, if it has them, and where a unit shows it so.

    Attributes:
        where: stretches by number, and addresses in them, counted from the first one of its place.
    """

    quantity: Quantity
    form: Form
    limits: Limits
    stale_after_s: float | None
    where: tuple[tuple[int, int], ...]

    @cached_property
    def holds(self) -> bool:
        """Whether what was shown before is shown in place of what is bad. A bit falls to 0 at once: it cannot say more."""
        return self.form.on_bad is OnBad.HOLD and self.form.type is not RegisterType.BIT

    @cached_property
    def is_judged(self) -> bool:
        """Whether it lowers a quality when its value does not fit."""
        return self.quantity.told_by != ()

    def of(self, read: Read) -> Reading:
        """What it shows of what was read."""
        named = read.named if self.stale_after_s is None else read.sooner_stale[self.stale_after_s]
        return named[self.quantity.name]

    def against(self, read: Read) -> frozenset[Reason]:
        """What speaks against its value where it is shown, beyond what does anywhere."""
        reading = self.of(read)
        reasons = against(reading, self.form, self.limits)
        if self.stale_after_s is None:
            return reasons
        return reasons.union(set(reading.quality.reasons) - set(read.named[self.quantity.name].quality.reasons))

    def keeps(self, value_mw: float) -> bool:
        """Whether nothing would speak against a value."""
        return carries(self.form, value_mw) and self.limits.allow(value_mw)

    @cached_property
    def nothing(self) -> bytes:
        """What it shows where there is nothing to show."""
        return nothing_shown(self.form)


@dataclass(frozen=True)
class Pattern:
    """The spots of places that differ by where they begin alone."""

    spots: tuple[Spot, ...]

    @cached_property
    def judged(self) -> tuple[tuple[int, Spot], ...]:
        """Those whose values are to be judged where they are shown, with their numbers."""
        return tuple((number, spot) for number, spot in enumerate(self.spots) if spot.is_judged)

    @cached_property
    def holds(self) -> bool:
        """Whether anything of it is held while it is bad."""
        return any(spot.form.on_bad is OnBad.HOLD for spot in self.spots)


class Patterns:
    """Each pattern once: a thousand resources mostly have one."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[object, ...], ...], tuple[Pattern, tuple[Cell, ...]]] = {}

    def of(self, cells: Sequence[tuple[int, Cell]]) -> tuple[Pattern, int]:
        """The pattern of cells, each with the number of its stretch, and the address that it begins at."""
        start = min((cell.address for _, cell in cells), default=0)
        looks = tuple(_look(stretch, cell, start) for stretch, cell in cells)
        if looks not in self._known:  # with its cells: whoever goes by the identity of a form must have it stay there
            self._known[looks] = Pattern(_spots_of(cells, start)), tuple(cell for _, cell in cells)
        return self._known[looks][0], start


def _look(stretch: int, cell: Cell, start: int) -> tuple[object, ...]:
    """What cells must have alike. A form is looked at as one thing: there is one of each for all cells of a block."""
    return cell.quantity.name, id(cell.form), cell.limits, cell.stale_after_s, stretch, cell.address - start


def _spots_of(cells: Iterable[tuple[int, Cell]], start: int) -> tuple[Spot, ...]:
    found: defaultdict[tuple[str, Form, Limits, float | None], list[tuple[int, Cell]]] = defaultdict(list)
    for stretch, cell in cells:
        found[cell.quantity.name, cell.form, cell.limits, cell.stale_after_s].append((stretch, cell))
    return tuple(
        Spot(
            alike[0][1].quantity, form, limits, stale_after_s, tuple((stretch, cell.address - start) for stretch, cell in alike)
        )
        for (_, form, limits, stale_after_s), alike in found.items()
    )


def _where(alike: Iterable[tuple[int, Cell]], start: int) -> tuple[tuple[int, int], ...]:
    return tuple((stretch, cell.address - start) for stretch, cell in alike)
