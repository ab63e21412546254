"""Shown: the registers of what is written, as clients read them: what was taken, how good that is, and what became of a commit.

Each register that is written reads back what was taken, and "no value" once that counts no more. What is staged reads nowhere
but in how many values wait: it is not in force, and a screen that showed it would say that it is.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from dotbus.contracts.messages import PointValue
from dotbus.runtime.installation.modbus import Table
from modbus_gateway.map.addressing import DIGIT
from modbus_gateway.map.writable import AnswerBlock, CommitBlock, Place, WritablePoint, Writables, show_words
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.wire.tables import Tables
from modbus_gateway.writes.telemetry import quality_of
from modbus_gateway.writes.unit import Now, UnitState, counts, is_silent

NOT_SAID: Final = 0xFFFF
_MOST: Final = 0xFFFE

Look = Callable[[], tuple[UnitState, Now]]
Answering = Callable[[AnswerBlock], bytes]


class WrittenTables:
    """The tables of a unit at which something is written, before those that show CAISO's values.

    Args:
        read: the others, as they are now.
        of_unit: what is written there.
        look: the state of the unit now.
        answering: the registers of an answer block.
    """

    def __init__(self, read: Tables, of_unit: Writables, look: Look, answering: Answering) -> None:
        self.read = read
        self._look = look
        self._unit = of_unit
        self._answering = answering
        self._runs = {table: _runs(of_unit, table) for table in (Table.HOLDING, Table.COIL)}
        self._starts = {table: [run[0].place.start for run in runs] for table, runs in self._runs.items()}

    def read_registers(self, table: Table, address: int, count: int) -> bytes | Refusal:
        """As `Tables`."""
        run = self._run(table, address)
        if run is None:
            return self.read.read_registers(table, address, count)
        first = 2 * (address - run[0].place.start)
        content = b"".join(self._registers(run))
        return content[first : first + 2 * count] if first + 2 * count <= len(content) else Refusal.ADDRESS

    def read_bits(self, table: Table, address: int, count: int) -> bytes | Refusal:
        """As `Tables`."""
        run = self._run(table, address)
        if run is None:
            return self.read.read_bits(table, address, count)
        first, bits = address - run[0].place.start, list(self._bits(run))
        if first + count > len(bits):
            return Refusal.ADDRESS
        packed = sum(1 << i for i, bit in enumerate(bits[first : first + count]) if bit)
        return packed.to_bytes((count + 7) // 8, "little")

    def _run(self, table: Table, address: int) -> "list[_Shown] | None":
        starts = self._starts.get(table)
        at = bisect_right(starts, address) - 1 if starts else -1
        if at < 0:
            return None
        run = self._runs[table][at]
        return run if address < run[-1].end else None

    def _registers(self, run: "list[_Shown]") -> Iterable[bytes]:
        state, now = self._look()
        for shown in run:
            match shown.owner:
                case WritablePoint() as point:
                    yield show_words(_value(state, point, now), point.form)
                    if point.has_quality:
                        yield quality_of(state, point, now).level.to_bytes(2)
                case CommitBlock():
                    yield commit_registers(state, self._unit, now)
                case AnswerBlock() as answer:
                    yield self._answering(answer)

    def _bits(self, run: "list[_Shown]") -> Iterable[bool]:
        state, now = self._look()
        for shown in run:
            if isinstance(shown.owner, WritablePoint):
                yield bool(_value(state, shown.owner, now))
                if shown.owner.has_quality:
                    yield counts(state, shown.owner, now)


class _Shown:
    """Something that stands at a place."""

    def __init__(self, owner: WritablePoint | CommitBlock | AnswerBlock) -> None:
        self.owner = owner
        self.place: Place = owner.place
        self.end = owner.place.end + (isinstance(owner, WritablePoint) and owner.has_quality)


def written_tables(
    read: Callable[[int], Tables | None],
    writables: Writables,
    look: Callable[[int], tuple[UnitState, Now]],
    answering: Answering,
) -> Callable[[int], Tables | None]:
    """The tables of a unit with what is written at it. They are made once for each of those that are read."""
    made: dict[int, WrittenTables] = {}
    units: Mapping[int, Writables] = writables.by_unit

    def tables(unit_id: int) -> Tables | None:
        found, of_unit = read(unit_id), units.get(unit_id)
        if found is None or of_unit is None:
            return found
        if unit_id not in made:
            made[unit_id] = WrittenTables(found, of_unit, lambda: look(unit_id), answering)
        made[unit_id].read = found
        return made[unit_id]

    return tables


def commit_registers(state: UnitState, of_unit: Writables, now: Now) -> bytes:
    """The registers of a commit, see docs/registers.md."""
    staging, heard_s, wrong = state.staging, state.heard_s, state.wrong
    has_watchdog = of_unit.commits[0].watchdog_s is not None
    good = sum(counts(state, point, now) for point in of_unit.points)
    numbers = [
        state.answered,
        state.heartbeat or 0,
        state.answered,
        state.result,
        DIGIT[wrong.place.table] if wrong else NOT_SAID,
        wrong.place.start if wrong else NOT_SAID,
        len(staging.words) if staging else 0,
        _whole(staging.until_s - now.seconds) if staging else NOT_SAID,
        (not is_silent(state, of_unit, now)) if has_watchdog else NOT_SAID,
        NOT_SAID if heard_s is None else _whole(now.seconds - heard_s),
        good,
        len(of_unit.points),
    ]
    return b"".join(int(number).to_bytes(2) for number in numbers)


def _value(state: UnitState, point: WritablePoint, now: Now) -> PointValue:
    return state.value(point) if counts(state, point, now) else None


def _whole(seconds: float) -> int:
    return min(max(math.ceil(seconds), 0), _MOST)


def _runs(of_unit: Writables, table: Table) -> list[list[_Shown]]:
    """What stands beside each other without a hole is read by one request."""
    runs: list[list[_Shown]] = []
    owners = [owner for owners in (of_unit.points, of_unit.commits, of_unit.answers) for owner in owners]
    for shown in sorted(map(_Shown, owners), key=lambda one: one.place.start):
        if shown.place.table is not table:
            continue
        if runs and runs[-1][-1].end == shown.place.start:
            runs[-1].append(shown)
        else:
            runs.append([shown])
    return runs
