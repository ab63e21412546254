"""Place: the registers of one unit that speak of one subject.

They are written in one go, so that a value and its quality are of one moment. What time alone moves
is kept as it moves, and written when somebody asks.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from dotbus.contracts.quality import Reason
from dotbus.runtime.installation.modbus import OnBad, RegisterType, Table
from dotbus.setpoints.ramp import Ramp
from modbus_gateway.map.form import Form, carries
from modbus_gateway.map.quantities import Quantity
from modbus_gateway.map.register_map import Cell, Limits
from modbus_gateway.state.clock_steps import Moment
from modbus_gateway.state.vouching import JUST_AFTER
from modbus_gateway.values.motion import Motion
from modbus_gateway.values.reading import Named, Read, Reading, against
from modbus_gateway.values.readings import doubted
from modbus_gateway.wire.encode import encode_shown, nothing_shown
from modbus_gateway.wire.image import Stretch


@dataclass(frozen=True)
class Spot:
    """A quantity in one form, with limits and a stale time of its own, if it has them, and where a unit shows it so.

    Attributes:
        where: stretches by number, and addresses in them.
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


def spots_of(cells: Iterable[tuple[int, Cell]]) -> tuple[Spot, ...]:
    """The spots of cells, each with the number of its stretch."""
    found: defaultdict[tuple[str, Form, Limits, float | None], list[tuple[int, Cell]]] = defaultdict(list)
    for stretch, cell in cells:
        found[cell.quantity.name, cell.form, cell.limits, cell.stale_after_s].append((stretch, cell))
    return tuple(
        Spot(alike[0][1].quantity, form, limits, stale_after_s, tuple((stretch, cell.address) for stretch, cell in alike))
        for (_, form, limits, stale_after_s), alike in found.items()
    )


@dataclass(frozen=True)
class Standing:
    """A value that is held while it is bad: what it is of what, in which form, and where it stands in its unit."""

    whose: str
    quantity: str
    form: Form
    table: Table
    address: int


class Held(NamedTuple):
    """What is shown of it, and since when it is bad, by the clock that cannot be set; None while it is not."""

    words: bytes
    bad_since_s: float | None


class Place:
    """Writes what is read of a subject into the stretches of one unit.

    Args:
        spots: what it writes.
        stretches: of the unit.
        hold_at_most_s: how long a value that is bad by now may be shown.

    Attributes:
        moves: whether anything in it moves.
        written_at_s: when that was written last.
        holds: whether anything in it is held while it is bad.
    """

    def __init__(self, spots: tuple[Spot, ...], stretches: list[Stretch], hold_at_most_s: float) -> None:
        self._read: Read | None = None
        self.moves = False
        self.written_at_s = 0.0
        self._spots = spots
        self._judged = tuple(spot for spot in spots if spot.is_judged)
        self._written: list[Reading | None] = [None] * len(spots)
        self._stretches = stretches
        self._hold_at_most_s = hold_at_most_s
        self._moving: dict[int, Motion] = {}
        self._bad_since_s: dict[int, float] = {}
        self.holds = any(spot.form.on_bad is OnBad.HOLD for spot in spots)
        for spot in spots:
            self._put(spot, spot.nothing)

    def write(self, read: Read, good_until: Moment, now: Moment) -> datetime | None:
        """Write what was read.

        Args:
            read: every quantity of the subject.
            good_until: when what was written last ceased to be true. A bad value with `on_bad = "hold"` is held from then.
            now: when it was read.

        Returns:
            When time alone next changes what it shows, but for values in motion; None when never.
        """
        self._read = shown = self._as_shown(read)
        moved, self._moving, held_until_s = self._moving, {}, []
        for number, spot in enumerate(self._spots):
            reading, before = spot.of(shown), self._written[number]
            if spot.holds and reading.quality.is_bad:
                held_until_s.append(self._hold(number, moved.get(number), good_until, now))
            elif reading.motion is not None and not reading.quality.is_bad:
                self._moving[number] = reading.motion
                self._bad_since_s.pop(number, None)
                self._put(spot, encode_shown(reading, spot.form))
            elif reading != before or number in moved:  # most of what is read says what it said before
                self._bad_since_s.pop(number, None)
                self._put(spot, encode_shown(reading, spot.form))
            self._written[number] = reading
        self.moves, self.written_at_s = bool(self._moving), now.monotonic_s
        ends_s = [until_s - now.monotonic_s for until_s in held_until_s if until_s >= now.monotonic_s]
        return now.wall + timedelta(seconds=min(ends_s)) + JUST_AFTER if ends_s else None

    @property
    def shown(self) -> Named:
        """What was read, as the registers can show it: where a value does not fit, it is not good."""
        return self._read.named if self._read else {}

    def is_restless(self) -> bool:
        """Whether something in motion may come across what its registers can show or its own limits before its motion ends."""
        ramps = ((self._spots[number], motion) for number, motion in self._moving.items() if isinstance(motion, Ramp))
        return any(spot.is_judged and not (spot.keeps(motion.begin_mw) and spot.keeps(motion.end_mw)) for spot, motion in ramps)

    def move(self, now: Moment) -> None:
        """Write what moves as it is now."""
        for number, motion in self._moving.items():
            self._move(number, motion, now.wall)
        self.written_at_s = now.monotonic_s

    def held(self, whose: str) -> Mapping[Standing, Held]:
        """What is held here while it is bad."""
        return {
            at: Held(self._words(at, stretch), self._bad_since_s.get(number)) for at, stretch, number in self._holding(whose)
        }

    def hold_on(self, whose: str, held: Mapping[Standing, Held]) -> None:
        """Go on with what was held of the same where it stands."""
        for at, stretch, number in self._holding(whose):
            if known := held.get(at):
                self._stretches[stretch].write(at.address, known.words, at.form.no_value)
                if known.bad_since_s is not None:
                    self._bad_since_s[number] = known.bad_since_s

    def _holding(self, whose: str) -> Iterator[tuple[Standing, int, int]]:
        for number, spot in enumerate(self._spots):
            if spot.form.on_bad is OnBad.HOLD and spot.form.type is not RegisterType.BIT:
                for stretch, address in spot.where:
                    table = self._stretches[stretch].table
                    yield Standing(whose, spot.quantity.name, spot.form, table, address), stretch, number

    def _words(self, at: Standing, stretch: int) -> bytes:
        return self._stretches[stretch].words(at.address, at.form.registers)

    def _as_shown(self, read: Read) -> Read:
        """As the registers can show it: what speaks against a value where it is shown speaks against its quality there."""
        found = [(spot, reasons) for spot in self._judged if (reasons := spot.against(read))]
        if not found:
            return read
        named, sooner_stale = read.named, dict(read.sooner_stale)
        for spot, reasons in found:
            named = doubted(named, spot.quantity, reasons)
            if spot.stale_after_s is not None:
                sooner_stale[spot.stale_after_s] = doubted(sooner_stale[spot.stale_after_s], spot.quantity, reasons)
        return replace(read, named=named, sooner_stale=sooner_stale)

    def _hold(self, number: int, motion: Motion | None, good_until: Moment, now: Moment) -> float:
        """Show what was shown last, until that was held long enough. Gives when that is."""
        spot = self._spots[number]
        if motion is not None:
            self._move(number, motion, good_until.wall)
        until_s = self._bad_since_s.setdefault(number, good_until.monotonic_s) + self._hold_at_most_s
        if now.monotonic_s > until_s:
            self._put(spot, spot.form.no_value)
        return until_s

    def _move(self, number: int, motion: Motion, at: datetime) -> None:
        spot = self._spots[number]
        self._put(spot, encode_shown(Reading(motion.at(at)), spot.form))

    def _put(self, spot: Spot, words: bytes | None) -> None:
        for stretch, address in spot.where:
            self._stretches[stretch].write(address, words, spot.nothing)
