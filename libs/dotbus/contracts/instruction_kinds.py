"""Instruction kinds: what CAISO asks with an instruction, in a plain word, and from when until when that is shown. Pure.

Sources: batchType and instructionType of the ADS API specification v7, section 6, and batch types 10 and 12 as vendors of ADS
clients name them. A number that nobody here knows is `other`, with its number beside it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from dotbus.contracts.instruction_times import DOT_INSTRUCTION, times_of
from dotbus.contracts.messages import DispatchBatchHeader, Instruction
from dotbus.contracts.schedules import BatchType


class InstructionKind(StrEnum):
    """What an instruction is."""

    DOT = "dot"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    FIXED = "fixed"
    START_UP = "start-up"
    SHUT_DOWN = "shut-down"
    TRANSITION = "transition"
    COMMITMENT = "commitment"
    AS_AWARD = "as-award"
    FLEX_RAMP_AWARD = "flex-ramp-award"
    AS_TEST = "as-test"
    OTHER = "other"


_BY_BATCH_FIRST: Mapping[int | None, InstructionKind] = {
    BatchType.FLEX_RAMP_AWARD: InstructionKind.FLEX_RAMP_AWARD,
    BatchType.AS_TEST: InstructionKind.AS_TEST,
}
_BY_INSTRUCTION: Mapping[int | None, InstructionKind] = {
    0: InstructionKind.DOT,
    1: InstructionKind.MINIMUM,
    2: InstructionKind.MAXIMUM,
    3: InstructionKind.FIXED,
    4: InstructionKind.START_UP,
    5: InstructionKind.SHUT_DOWN,
    6: InstructionKind.AS_AWARD,
    7: InstructionKind.TRANSITION,
}
_BY_BATCH: Mapping[int | None, InstructionKind] = {
    BatchType.COMMITMENT: InstructionKind.COMMITMENT,
    BatchType.AS_AWARD: InstructionKind.AS_AWARD,
    BatchType.HOURLY_AS_AWARD: InstructionKind.AS_AWARD,
}
_UNTOLD_LENGTH = timedelta(hours=1)
"""How long that is shown which changes what a unit is, and names no end: long enough to be seen by whoever has to act on it."""
_UNTOLD = frozenset(
    {
        InstructionKind.START_UP,
        InstructionKind.SHUT_DOWN,
        InstructionKind.TRANSITION,
        InstructionKind.COMMITMENT,
        InstructionKind.OTHER,
    }
)


def kind_of(batch_type: int | None, instruction_type: int | None) -> InstructionKind:
    """What an instruction is: by its own type, but for awards and tests that only their batch tells from others.

    A DOT in a batch of commitments or awards is what its batch is: such a batch carries no target.
    """
    if batch_type in _BY_BATCH_FIRST:
        return _BY_BATCH_FIRST[batch_type]
    if instruction_type in {None, DOT_INSTRUCTION} and batch_type in _BY_BATCH:
        return _BY_BATCH[batch_type]
    return _BY_INSTRUCTION.get(instruction_type, InstructionKind.OTHER)


class Lasting(msgspec.Struct, frozen=True, gc=False):
    """From when an instruction holds, until when as far as CAISO says, and until when it is shown."""

    start_at: datetime
    end_at: datetime | None
    shown_until: datetime


def lasting(header: DispatchBatchHeader, instruction: Instruction) -> Lasting | None:
    """The times of an instruction; None when CAISO names no start, or one at the end of all time.

    A DOT has the interval of its batch. Everything else begins at its own startTime, else with its batch, and ends at its
    endTime. Without one it is shown as long as a DOT of its batch would hold, and what changes a unit's state for an hour.
    """
    kind = kind_of(header.batch_type, instruction.instruction_type)
    times = times_of(header, instruction)
    start = instruction.start_at or header.start_at
    if times is None or start is None:
        return None
    if kind is InstructionKind.DOT:
        return Lasting(times.interval_start, times.interval_end, times.interval_end)
    if instruction.end_at is not None and instruction.end_at > start:
        return Lasting(start, instruction.end_at, instruction.end_at)
    try:
        return Lasting(start, None, start + (_UNTOLD_LENGTH if kind in _UNTOLD else _usual_length(header.batch_type)))
    except OverflowError:
        return None


def _usual_length(batch_type: int | None) -> timedelta:
    return timedelta(hours=1) if batch_type in {BatchType.HOURLY, BatchType.HOURLY_AS_AWARD} else timedelta(minutes=5)
