"""Instructions: those of a resource that can be answered, each with a number that SCADA can write. Pure.

A number is made of what CAISO said, so it is the same after a restart and at any gateway, and another one as soon as CAISO
changes the instruction: nobody accepts another one than was on the screen.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dotbus.contracts.messages import Instructions, KnownInstruction
from dotbus.contracts.quality import Level
from dotbus.judging.judge import judge_state
from dotbus.judging.received import Received
from modbus_gateway.map.writable import AnswerBlock

_PLACE: Final = struct.Struct(">IHHfII")
_NO_NUMBER: Final = 0xFFFF_FFFF
_NOT_SAID: Final = 0xFFFF
_LARGEST_INT32: Final = 0x7FFF_FFFF


@dataclass(frozen=True)
class Open:
    """An instruction that can be answered, by its number."""

    number: int
    instruction: KnownInstruction


@dataclass(frozen=True)
class Listed:
    """What can be answered of a resource, in the order of their starts, and how good that is. A bad list is empty."""

    level: Level
    open: tuple[Open, ...] = ()

    def by_number(self, number: int) -> KnownInstruction | None:
        """The instruction of a number; None when there is none any more."""
        return next((one.instruction for one in self.open if one.number == number), None)


def list_open(received: Received, topic: str, stale_after_s: float, now: datetime) -> Listed:
    """What can be answered, by the best source that says it.

    Args:
        received: what came until now.
        topic: of the resource's instructions.
        stale_after_s: how long CAISO's word counts.
        now: the gateway's clock.
    """
    known = judge_state(received, topic, Instructions, stale_after_s, now)
    if not known.parts:
        return Listed(known.whole.quality().level)
    best = known.parts[-1]
    level = best.quality().level
    if level is Level.BAD:
        return Listed(level)
    return Listed(level, tuple(Open(number_of(one), one) for one in best.said.instructions if is_open(one, now)))


def is_open(instruction: KnownInstruction, now: datetime) -> bool:
    """Whether CAISO takes an answer to it now, as far as is known here."""
    answer = instruction.answer
    return answer is not None and answer.is_open and (answer.open_until is None or now < answer.open_until)


def number_of(instruction: KnownInstruction) -> int:
    """From 1 to 2147483646, so that it fits int32 and uint32 and is never "no value"."""
    said = (
        instruction.batch_uid,
        instruction.instruction_uid,
        instruction.revision_no,
        instruction.revision_number,
        instruction.instructed_mw,
        instruction.start_at.isoformat(),
    )
    digest = hashlib.sha256("\t".join(map(str, said)).encode()).digest()
    return 1 + int.from_bytes(digest[:8]) % (_LARGEST_INT32 - 1)


def place_registers(listed: Listed, answer: AnswerBlock) -> bytes:
    """The registers of the places, see docs/registers.md."""
    shown: Sequence[Open | None] = [*listed.open[: answer.places], *[None] * (answer.places - len(listed.open))]
    return b"".join(_place(one) for one in shown)


def _place(one: Open | None) -> bytes:
    if one is None:
        return _PLACE.pack(_NO_NUMBER, _NOT_SAID, _NOT_SAID, float("nan"), _NO_NUMBER, _NO_NUMBER)
    said, answer = one.instruction, one.instruction.answer
    megawatts = float("nan") if said.instructed_mw is None else said.instructed_mw
    until = answer.open_until if answer else None
    kinds = [
        _NOT_SAID if kind is None or not 0 <= kind < _NOT_SAID else kind for kind in (said.instruction_type, said.batch_type)
    ]
    return _PLACE.pack(one.number, *kinds, megawatts, _epoch(said.start_at), _NO_NUMBER if until is None else _epoch(until))


def _epoch(at: datetime) -> int:
    return min(max(int(at.timestamp()), 0), _NO_NUMBER - 1)
