"""Taking: what the wire writes: judged by who writes it, kept as an event, and then taken. What is not kept does not hold."""

import math
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from dotbus.contracts.messages import PointWritten, Telemetry
from dotbus.runtime.installation.modbus import Table
from dotbus.runtime.installation.modbus_writes import is_within
from dotbus.runtime.logs import get_logger
from dotbus.runtime.presence import Identity
from modbus_gateway.map.writable import AnswerBlock, WritablePoint, Writables, Writers
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.wire.writing import Client
from modbus_gateway.writes.answering import Answering, written_command
from modbus_gateway.writes.gathering import Gathering
from modbus_gateway.writes.requests import Cut, Owner, Piece, Slot, Slots
from modbus_gateway.writes.steps import write
from modbus_gateway.writes.telemetry import telemetry_of
from modbus_gateway.writes.unit import Now, Step, UnitState, Written, lapse, refused

_BIT: Final = (b"\0\0", b"\0\1")
STOPPED_AFTER_S: Final = 2.0
"""Nothing else keeps the loop that serves from turning for so long; the same that `beside.echo` goes by."""
WAITED_FOR_S: Final = 1.0
"""How long after a stop a write may be one that waited for its end with the system: all that did are read by then."""
Keep = Callable[[Sequence[PointWritten]], None]
"""Puts events where they are not lost, or raises sqlite3.Error."""


def may_write(writers: Writers, client: Client) -> bool:
    """Whether a client is one of those who may write something."""
    if client.subject is None:
        return is_within(client.address, writers.networks)
    return client.may_write and (writers.roles is None or client.role in writers.roles)


class Taking:
    """Takes writes, as `Writing` of the wire. Safe to use from several threads.

    Args:
        writables: of the map.
        identity: who tells of it.
        keep: where events go.
        clock: the time.
        taken: called after each write.
        answering: takes what is written to answer instructions; None where the map has none.
        count: told the outcome of each write of a point: `taken`, or what refused it.
    """

    is_offered: Final = True

    def __init__(
        self,
        writables: Writables,
        identity: Identity,
        keep: Keep,
        clock: Callable[[], Now],
        taken: Callable[[], None] = lambda: None,
        answering: Answering | None = None,
        count: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self._units: Mapping[int, Writables] = writables.by_unit
        self._slots = {unit_id: Slots(of_unit) for unit_id, of_unit in self._units.items()}
        declared: tuple[Owner, ...] = (*writables.points, *writables.commits, *writables.answers)
        self._networks = tuple({network for one in declared for network in one.writers.networks})
        self._states = {unit_id: UnitState() for unit_id in self._units}
        self._identity = identity
        self._keep = keep
        self._clock = clock
        self._taken = taken
        self._answering = answering
        self._count = count
        self._gathering = Gathering(identity)
        self._keeps = True
        self._turned_s, self._resumed_s = math.inf, -math.inf
        self._lock = threading.RLock()
        self._log = get_logger("writes")

    def write_registers(self, unit_id: int, address: int, words: bytes, client: Client) -> Refusal | None:
        """Holding registers from an address on."""
        return self._write(unit_id, Table.HOLDING, address, words, client)

    def write_bits(self, unit_id: int, address: int, bits: tuple[bool, ...], client: Client) -> Refusal | None:
        """Coils from an address on."""
        return self._write(unit_id, Table.COIL, address, b"".join(_BIT[bit] for bit in bits), client)

    def state(self, unit_id: int) -> tuple[UnitState, Now]:
        """What a unit knows now, and when that is."""
        with self._lock:
            now = self._clock()
            self._lapse(unit_id, now)
            return self._states[unit_id], now

    def turned(self) -> None:
        """The loop that serves goes on; to be called more often than in `STOPPED_AFTER_S`, before the first write too."""
        with self._lock:
            now_s = self._clock().seconds
            self._look_for_stop(now_s)
            self._turned_s = now_s

    def telemetry(self) -> Iterator[Telemetry]:
        """What is to be said of each point now."""
        for unit_id, of_unit in self._units.items():
            state, now = self.state(unit_id)
            for point in of_unit.points:
                yield telemetry_of(state, point, self._identity, now)

    def look(self, *, last: bool = False) -> None:
        """Tell what was gathered for long enough; at the end all of it."""
        with self._lock:
            now = self._clock()
            events = self._gathering.due(now, all_of_it=last)
            if not events or self._is_kept(events):
                self._gathering.tell(now, all_of_it=last)

    def _write(self, unit_id: int, table: Table, address: int, words: bytes, client: Client) -> Refusal | None:
        if (slots := self._slots.get(unit_id)) is None:
            return Refusal.ADDRESS if self._is_writer(client) else Refusal.FUNCTION
        with self._lock:
            now = self._clock()
            self._lapse(unit_id, now)
            pieces = slots.cut(table, address, words)
            step = self._step(unit_id, pieces, client, now)
            if not self._happened(step.written, now) and step.refusal is None:
                self._states[unit_id] = step.unkept or self._states[unit_id]
                return Refusal.FAILURE
            self._states[unit_id] = step.state
        self._taken()
        return step.refusal

    def _look_for_stop(self, now_s: float) -> None:
        """Whoever comes first after a stop of the process, of its machine or of the loop sees it."""
        if now_s - self._turned_s > STOPPED_AFTER_S:
            self._turned_s = self._resumed_s = now_s

    def _is_writer(self, client: Client) -> bool:
        """Whether a client may write anything at all. Who may not learns nothing of what could be written where."""
        return client.may_write if client.subject is not None else is_within(client.address, self._networks)

    def _step(self, unit_id: int, pieces: tuple[Piece, ...] | Cut, client: Client, now: Now) -> Step:
        state = self._states[unit_id]
        whole, wrong = ((), pieces.reason) if isinstance(pieces, Cut) else (pieces, "")
        touched: list[tuple[Slot, bytes | None]] = [(piece.slot, piece.words) for piece in whole]
        if isinstance(pieces, Cut):
            touched = [(slot, None) for slot in pieces.touched]
        if why := self._why_not([slot for slot, _words in touched], wrong, client, now):
            refused_by, told, refusal = why
            return Step(state, _refuse(state, touched, client, refused_by, told), refusal)
        if self._answering and _answers(slot for slot, _words in touched):
            keep = partial(self._happened, now=now)
            return Step(state, refusal=self._answering.write(whole, client, now, keep))
        return write(state, self._units[unit_id], whole, client, now)

    def _why_not(self, touched: Sequence[Slot], wrong: str, client: Client, now: Now) -> tuple[str, str, Refusal] | None:
        """What refuses a request whatever its values are, and why in words; None when nothing does."""
        if not self._is_writer(client) or any(not may_write(slot.writers, client) for slot in touched):
            return "role", "who wrote it may not", Refusal.FUNCTION
        if wrong:
            return "point", wrong, Refusal.ADDRESS
        if _answers(touched) and len({slot.owner for slot in touched}) > 1:
            return "point", "what answers an instruction is written by a request of its own", Refusal.ADDRESS
        self._look_for_stop(now.seconds)
        if now.seconds - self._resumed_s < WAITED_FOR_S:
            told = "the gateway was stopped, and this may have waited meanwhile; nobody knows how old it is"
            return "fault", told, Refusal.FAILURE
        return None

    def _lapse(self, unit_id: int, now: Now) -> None:
        """Let time act. That it did is true whether or not it can be kept."""
        step = lapse(self._states[unit_id], self._units[unit_id], now)
        self._states[unit_id] = step.state
        self._happened(step.written, now)

    def _happened(self, written: Sequence[Written], now: Now) -> bool:
        """Keep what is to be told at once, and gather the rest. Returns whether it is kept, as far as it is to be."""
        untold = self._gathering.untold(written) if self._keeps else written  # what is gathered could not be kept either
        is_kept = not untold or self._is_kept([self._gathering.event(one, now) for one in untold])
        for one in written:
            self._count(one.refused_by or ("taken" if is_kept else "fault"))
        if is_kept:
            self._gathering.note(written, untold, now)
        return is_kept

    def _is_kept(self, events: Sequence[PointWritten]) -> bool:
        try:
            self._keep(events)
        except sqlite3.Error as error:
            if self._keeps:
                self._log.error("writes cannot be kept, and are refused until they can be", cause=str(error))
            self._keeps = False
        else:
            self._keeps = True
        return self._keeps


def _answers(touched: Iterable[Slot]) -> bool:
    return any(isinstance(slot.owner, AnswerBlock) for slot in touched)


def _refuse(
    state: UnitState, touched: Sequence[tuple[Slot, bytes | None]], client: Client, refused_by: str, why: str
) -> tuple[Written, ...]:
    found: dict[object, Written] = {}
    for slot, words in touched:
        match slot.owner:
            case WritablePoint() as point:
                found[point] = refused(state, point, client, words, refused_by, why)
            case AnswerBlock() as block:
                found[block] = written_command(block, "answer", None, client, refused_by, why)
    return tuple(found.values())
