"""Requests: what one write request is about, cut into whole values. Pure.

A value that takes several registers is written by one request or not at all: half of an old and half of a new one is neither.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from dotbus.runtime.installation.modbus import Table
from modbus_gateway.map.writable import AnswerBlock, CommitBlock, Place, WritablePoint, Writables, Writers


class Part(Enum):
    """What a value that is written is for."""

    POINT = auto()
    SEQUENCE = auto()
    HEARTBEAT = auto()
    NUMBER = auto()
    ACTION = auto()
    REASON = auto()
    MEGAWATTS = auto()
    ANSWER = auto()


_OF_COMMIT = ((Part.SEQUENCE, 0, 1), (Part.HEARTBEAT, 1, 1))
_OF_ANSWER = ((Part.NUMBER, 0, 2), (Part.ACTION, 2, 1), (Part.REASON, 3, 1), (Part.MEGAWATTS, 4, 2), (Part.ANSWER, 6, 1))
"""Each with its first register and how many it takes."""
Owner = WritablePoint | CommitBlock | AnswerBlock


@dataclass(frozen=True)
class Slot:
    """Registers (or a coil) that take one value."""

    part: Part
    place: Place
    owner: Owner

    @property
    def writers(self) -> Writers:
        """Who may write it."""
        return self.owner.writers


@dataclass(frozen=True)
class Piece:
    """One value that is written, two bytes for each address."""

    slot: Slot
    words: bytes


@dataclass(frozen=True)
class Cut:
    """A request that is not made of whole values.

    Attributes:
        touched: of which it writes some register.
        reason: what is wrong with it, in words.
    """

    touched: tuple[Slot, ...]
    reason: str


class Slots:
    """All that is written at one unit."""

    def __init__(self, of_unit: Writables) -> None:
        slots = list(_slots(of_unit))
        self._at = {(slot.place.table, address): slot for slot in slots for address in range(slot.place.start, slot.place.end)}

    def cut(self, table: Table, start: int, words: bytes) -> tuple[Piece, ...] | Cut:
        """The values that a request writes.

        Args:
            table: that it writes to.
            start: its first address.
            words: two bytes for each address, a coil's 0 or 1.
        """
        pieces: list[Piece] = []
        address, end = start, start + len(words) // 2
        while address < end:
            slot = self._at.get((table, address))
            if slot is None:
                return Cut(self._touched(table, start, end), f"address {address} takes no writes")
            if slot.place.start != address or slot.place.end > end:
                told = f"addresses {slot.place.start} to {slot.place.end - 1} are one value, which one request must write whole"
                return Cut(self._touched(table, start, end), told)
            first = 2 * (address - start)
            pieces.append(Piece(slot, words[first : first + 2 * slot.place.length]))
            address = slot.place.end
        return tuple(pieces)

    def _touched(self, table: Table, start: int, end: int) -> tuple[Slot, ...]:
        found = (self._at.get((table, address)) for address in range(start, end))
        return tuple(dict.fromkeys(slot for slot in found if slot))


def _slots(of_unit: Writables) -> Iterator[Slot]:
    for point in of_unit.points:
        yield Slot(Part.POINT, point.place, point)
    for commit in of_unit.commits:
        for part, first, length in _OF_COMMIT:
            yield Slot(part, _within(commit.place, first, length), commit)
    for answer in of_unit.answers:
        for part, first, length in _OF_ANSWER:
            yield Slot(part, _within(answer.place, first, length), answer)


def _within(place: Place, first: int, length: int) -> Place:
    return Place(place.unit_id, place.table, place.start + first, length)
