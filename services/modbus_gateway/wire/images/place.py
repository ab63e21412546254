"""Place: the registers of one unit that speak of one subject.

They are written in one go, so that a value and its quality are of one moment. What time alone moves
is kept as it moves, and written when somebody asks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from dotbus.contracts.quality import Reason
from dotbus.judging.clock_steps import Moment
from dotbus.judging.vouching import JUST_AFTER
from dotbus.readings.motion import Motion
from dotbus.readings.reading import Named, Read, Reading
from dotbus.runtime.installation.modbus import OnBad, RegisterType, Table
from dotbus.setpoints.ramp import Ramp
from modbus_gateway.map.form import Form
from modbus_gateway.values.readings import doubted
from modbus_gateway.wire.images.encode import encode_shown
from modbus_gateway.wire.images.image import Stretch
from modbus_gateway.wire.images.spots import Pattern, Spot


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
        pattern: what it writes.
        start: at which address.
        stretches: of the unit.
        hold_at_most_s: how long a value that is bad by now may be shown.

    Attributes:
        moves: whether anything in it moves.
        written_at_s: when that was written last.
    """

    def __init__(self, pattern: Pattern, start: int, stretches: list[Stretch], hold_at_most_s: float) -> None:
        self._read: Read | None = None
        self.moves = False
        self.written_at_s = 0.0
        self._pattern = pattern
        self._spots = pattern.spots
        self._start = start
        self._judged_read: Read | None = None
        self._opposed: frozenset[int] = frozenset()
        self._written: list[Reading | None] = [None] * len(pattern.spots)
        self._stretches = stretches
        self._hold_at_most_s = hold_at_most_s
        self._moving: dict[int, Motion] = {}
        self._bad_since_s: dict[int, float] = {}
        for spot in pattern.spots:
            self._put(spot, spot.nothing)

    @property
    def holds(self) -> bool:
        """Whether anything in it is held while it is bad."""
        return self._pattern.holds

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
            is_held = spot.holds and reading.quality.is_bad
            if reading == before and reading.motion is None and not is_held:  # most of what is read says what it said before
                continue
            if is_held:
                held_until_s.append(self._hold(number, moved.get(number), good_until, now))
            else:
                if reading.motion is not None and not reading.quality.is_bad:
                    self._moving[number] = reading.motion
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
                for stretch, offset in spot.where:
                    table = self._stretches[stretch].table
                    yield Standing(whose, spot.quantity.name, spot.form, table, self._start + offset), stretch, number

    def _words(self, at: Standing, stretch: int) -> bytes:
        return self._stretches[stretch].words(at.address, at.form.registers)

    def _as_shown(self, read: Read) -> Read:
        """As the registers can show it: what speaks against a value where it is shown speaks against its quality there."""
        found = {number: reasons for number, spot in self._pattern.judged if (reasons := self._against(number, spot, read))}
        self._judged_read, self._opposed = read, frozenset(found)
        if not found:
            return read
        named, sooner_stale = read.named, dict(read.sooner_stale)
        for number, reasons in found.items():
            spot = self._spots[number]
            named = doubted(named, spot.quantity, reasons)
            if spot.stale_after_s is not None:
                sooner_stale[spot.stale_after_s] = doubted(sooner_stale[spot.stale_after_s], spot.quantity, reasons)
        return replace(read, named=named, sooner_stale=sooner_stale)

    def _against(self, number: int, spot: Spot, read: Read) -> frozenset[Reason]:
        """What speaks against the value of a spot where it is shown. Mostly it is one that nothing spoke against before."""
        before = self._judged_read
        if before is not None and spot.stale_after_s is None and number not in self._opposed:
            name = spot.quantity.name
            if read.named[name] == before.named[name]:
                return frozenset()
        return spot.against(read)

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
        for stretch, offset in spot.where:
            self._stretches[stretch].write(self._start + offset, words, spot.nothing)
