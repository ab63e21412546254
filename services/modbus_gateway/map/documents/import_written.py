"""Import written: the rows of a CSV table about what SCADA writes, as the tables of dotbus.toml that make them. Pure.

A row for each register is what people read; a table of the file makes several. The value of a point, the sequence number of a
commit and the instruction's number of an answer are where a table is; what follows from it has to stand where it puts it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from pydantic import ValidationError

from dotbus.runtime.installation.modbus import Aspect, Table
from dotbus.runtime.installation.modbus_writes import Answer, Commit, Writable, Write
from dotbus.runtime.settings.mistakes import Mistake, did_you_mean, mistakes_of
from modbus_gateway.map.writable import PLACE_REGISTERS, form_of, place_of
from modbus_gateway.map.written_layout import (
    ANSWER_STATUS,
    ANSWER_WRITTEN,
    COMMIT_STATUS,
    COMMIT_WRITTEN,
    PLACE_LINES,
    PLACES_AT,
)

PARTS: Final[Mapping[str, type[Writable]]] = {"write": Write, "commit": Commit, "answer": Answer}
_FIRST: Final = {"commit": COMMIT_WRITTEN[0].name, "answer": ANSWER_WRITTEN[0].name}
"""The value of a block that its table is at."""

_SAID_OTHERWISE: Final = {"write": {"plant"}, "commit": {"point", "type"}, "answer": {"plant", "point", "type"}}
"""Columns of the row that a table is at which its keys say already."""
_Block = tuple[str, int, str, str]
"""Which table a row follows from: its part, unit, resource and point."""


class WrittenLines:
    """Collects the rows of what SCADA writes.

    Args:
        where: the file.

    Attributes:
        tables: those that were made, each with the key of its list.
    """

    def __init__(self, where: str) -> None:
        self.tables: list[tuple[str, dict[str, object]]] = []
        self._where = where
        self._made: defaultdict[_Block, list[Writable]] = defaultdict(list)
        self._following: list[tuple[_Block, str, Mapping[str, object], int]] = []

    def check(
        self,
        part: str,
        values: Mapping[str, object],
        told: Collection[str],
        line: int,
        taken: dict[tuple[int, Table, int], int],
    ) -> list[Mistake]:
        """Take a row, and tell what is wrong with it besides the keys that were told already.

        Args:
            part: the key of its table.
            values: of the row, as TOML has them, without what could not be read.
            told: keys of which it was told what is wrong.
            line: of the row.
            taken: the lines of the registers that stand before it; those of its table are added.
        """
        if part not in PARTS:
            return [Mistake(self._where, "part", f"{part[:20]!r} is none of {', '.join(PARTS)}{did_you_mean(part, PARTS)}")]
        name = str(values.get("point", ""))
        is_head = values.get("shows") != Aspect.QUALITY if part == "write" else name == _FIRST[part]
        if not is_head:
            self._follow(part, name, values, line)
            return []
        table = {key: value for key, value in values.items() if key not in _SAID_OTHERWISE[part]}
        try:
            made = PARTS[part].model_validate(table)
        except ValidationError as error:
            return [one for one in mistakes_of(error, self._where, PARTS[part]) if one.key not in told]
        self._made[_block(part, values)].append(made)
        self.tables.append((part, table))
        return [] if told else self._overlap(made, line, taken)

    def strays(self) -> Iterator[Mistake]:
        """Rows that stand where no table of the file puts them."""
        for block, name, values, line in self._following:
            made = self._made.get(block, [])
            places = [one.address + place for one in made if (place := _place_in(one, name)) is not None]
            head = "the value of its point" if block[0] == "write" else f"its {_FIRST[block[0]]!r}"
            if not made:
                yield Mistake(self._where, "part", f"is of a {block[0]} that has no line: {head} is missing", line, block[2])
            elif not places:
                told = (
                    "its point has no quality: say true in the column quality" if block[0] == "write" else "is no value of it"
                )
                yield Mistake(self._where, "point", told, line, block[2])
            elif (address := values.get("address")) is not None and address not in places:
                where = f"is {address}, and by {head} it is {' or '.join(map(str, places))}"
                yield Mistake(self._where, "address", f"{where} (from 0): it stands where its table puts it", line, block[2])

    def _follow(self, part: str, name: str, values: Mapping[str, object], line: int) -> None:
        self._following.append((_block(part, values), name, values, line))

    def _overlap(self, made: Writable, line: int, taken: dict[tuple[int, Table, int], int]) -> list[Mistake]:
        if isinstance(made, Write) and not made.table.has_bits and form_of(made).type.value in ("bit", "string"):
            return []  # what it takes is not known; the check of the file tells why
        place = place_of(made)
        places = [(place.unit_id, place.table, address) for address in range(place.start, place.end)]
        before = next((taken[one] for one in places if one in taken), None)
        taken |= dict.fromkeys(places, line)
        return [] if before is None else [Mistake(self._where, "address", f"overlaps with what line {before} has there")]


def _block(part: str, values: Mapping[str, object]) -> _Block:
    unit_id, resource = values.get("unit_id", -1), str(values.get("resource", ""))
    return part, unit_id if isinstance(unit_id, int) else -1, resource, str(values.get("point", "")) if part == "write" else ""


def _place_in(made: Writable, name: str) -> int | None:
    """How many registers behind its first a value of a table stands; None where it has none of that name."""
    match made:
        case Write():
            return form_of(made).registers if made.quality else None
        case Commit():
            return {line.name: line.start for line in (*COMMIT_WRITTEN, *COMMIT_STATUS)}.get(name)
        case Answer():
            known = {line.name: line.start for line in (*ANSWER_WRITTEN, *ANSWER_STATUS)}
            for i in range(made.places):
                first = PLACES_AT + i * PLACE_REGISTERS
                known |= {f"place {i + 1} {line.name}": first + line.start for line in PLACE_LINES}
            return known.get(name)
    return None
