"""Instruction times: the interval that an instruction holds for, when its megawatts are to be reached, and how it stands. Pure.

What CAISO leaves open is decided here, for the states on the bus and for the database alike.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from dotbus.contracts.instruction_states import Holding, Standing, holding
from dotbus.contracts.messages import DispatchBatchHeader, Instruction
from dotbus.contracts.schedules import DOT_BATCH_TYPES, BatchType

DOT_INSTRUCTION = 0

_LENGTH: Mapping[int, timedelta] = {BatchType.HOURLY: timedelta(hours=1)}
_USUAL_LENGTH = timedelta(minutes=5)
_TARGET_WITHIN = timedelta(hours=1)
"""How far ahead of its batch a five-minute or hourly DOT may name its target when it names no end."""
_YES = frozenset({"y", "yes", "true", "1"})
_NO = frozenset({"n", "no", "false", "0"})


class InstructionTimes(msgspec.Struct, frozen=True, gc=False):
    """The interval, and the target within it."""

    interval_start: datetime
    interval_end: datetime
    target_at: datetime


def times_of(header: DispatchBatchHeader, instruction: Instruction) -> InstructionTimes | None:
    """The times of an instruction; None when CAISO names no start, or one at the end of all time.

    The interval begins with the batch. It ends with the instruction's endTime; else twice as far as its target, which is the
    middle; else after the length of its batch type. An out-of-sequence DOT that names neither is in force for five minutes: too
    short is seen, too long is followed.
    """
    start = header.start_at or instruction.start_at
    if start is None:
        return None
    try:
        end = _end(header, instruction, start)
        return InstructionTimes(start, end, _target(instruction, start, end))
    except OverflowError:
        return None


def misfit_of(header: DispatchBatchHeader, instruction: Instruction) -> str | None:
    """What contradicts itself in the times of an instruction, so that nobody can tell when it holds; None when they fit.

    An end before its start; and of a DOT, which lasts for a while, an end that is its start. The startTime of a DOT
    is its target within the interval that begins with its batch (section 6): so a target outside, too, or an end that is hours
    away though its type lasts an hour at the most. What `times_of` gives then is a guess.
    """
    end, target = instruction.end_at, instruction.start_at
    start, is_dot = header.start_at or target, instruction.instruction_type in {DOT_INSTRUCTION, None}
    if header.batch_type not in DOT_BATCH_TYPES or not is_dot:
        start, is_dot = target or start, False
    if start is not None and end is not None and (end < start or (target is not None and end < target)):
        return f"endTime is {end.isoformat()}, before its start"
    if is_dot and end is not None and end == start:
        return f"endTime is {end.isoformat()}, which is its start"
    if start is target or start is None:
        return None
    is_short = header.batch_type in {BatchType.FIVE_MINUTE, BatchType.HOURLY}
    if is_short and end is not None and end - start > 2 * _TARGET_WITHIN:
        return f"endTime is {end.isoformat()}, hours after its start"
    if target is not None and (target < start or (is_short and target - start > _TARGET_WITHIN)):
        return f"startTime is {target.isoformat()}, outside of its interval"
    return None


def standing_of(header: DispatchBatchHeader, instruction: Instruction) -> Holding | None:
    """What holds of a DOT; None of what is no DOT. An advisory one (bindingFlag N) is not in force."""
    if header.batch_type not in DOT_BATCH_TYPES or instruction.instruction_type != DOT_INSTRUCTION:
        return None
    if not is_binding(header.binding_flag):
        return Holding(Standing.NOT_IN_FORCE)
    return holding(header.batch_type, header.batch_status, instruction)


def is_binding(flag: str | None) -> bool:
    """False only when CAISO says so: an advisory batch is no instruction. CAISO's own sample leaves the flag out."""
    return flag is None or flag.lower() not in _NO


def tells_binding(flag: str | None) -> bool:
    """Whether a flag is a known word, or none: what another one means nobody can tell."""
    return flag is None or flag.lower() in _YES | _NO


def usual_end(batch_type: int | None, start: datetime) -> datetime:
    """When an interval of a type of batch is over that names no end."""
    return start + _LENGTH.get(batch_type or BatchType.FIVE_MINUTE, _USUAL_LENGTH)


def _end(header: DispatchBatchHeader, instruction: Instruction, start: datetime) -> datetime:
    if instruction.end_at is not None and instruction.end_at > start:
        return instruction.end_at
    if instruction.start_at is not None and instruction.start_at > start:
        return start + 2 * (instruction.start_at - start)
    return usual_end(header.batch_type, start)


def _target(instruction: Instruction, start: datetime, end: datetime) -> datetime:
    if instruction.start_at is not None and start < instruction.start_at < end:
        return instruction.start_at
    return start + (end - start) / 2
