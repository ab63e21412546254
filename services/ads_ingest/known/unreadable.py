"""Unreadable: what of an event nobody can read, or what contradicts itself, so that it may not be what CAISO instructs. Pure.

Whom it speaks against is in the batch's record (`open_batch`); that it does is told and the document quarantined.
"""

from collections.abc import Iterable, Mapping

import msgspec

from dotbus.contracts.instruction_kinds import InstructionKind, kind_of
from dotbus.contracts.instruction_states import Answer, answer_to, is_nothing_by_status
from dotbus.contracts.instruction_times import is_binding, misfit_of, tells_binding
from dotbus.contracts.messages import Dispatch, DispatchBatchHeader, Instruction, InstructionDetail, TrajectoryBatch
from dotbus.contracts.schedules import DOT_BATCH_TYPES, BatchType

HUNDREDTH_MW = 0.01
"""As CAISO rounds megawatts."""

_DECISIVE_OF_BATCH = frozenset({"batchStatus", "batchType", "startTime", "revisionNo", "batchReceived", "bindingFlag"})
_DECISIVE_OF_HOURLY = _DECISIVE_OF_BATCH | {"batchExpires"}
"""Until when it can be answered, too."""
_REQUIRED_OF_BATCH = {
    "batchStatus": "batch_status",
    "batchReceived": "batch_received_at",
    "batchType": "batch_type",
    "startTime": "start_at",
    "revisionNo": "revision_no",
}
_REQUIRED_OF_INSTRUCTION = {
    "instructionType": "instruction_type",
    "revisionNumber": "revision_number",
    "statusCode": "status_code",
}
"""What CAISO's schema requires and its samples have, of what decides, and where it is in a message."""
_DECISIVE_OF_TRAJECTORY = frozenset({"batchReceived", "bindingFlag"})
_DECISIVE_OF_INSTRUCTION = frozenset(
    {"startTime", "endTime", "dot", "instructionType", "statusCode", "revisionNumber", "minAccept"}
    | {"acceptDot", "acceptStatus", "reasonCode", "oprAcceptDot", "oprAcceptStatus", "oprReasonCode"}
    | {"batchUID", "oosEnergyCode", "asType", "configurationId", "transitionFromConfigId", "transitionToConfigId"}
)
_DECISIVE_OF_OTHERS = _DECISIVE_OF_INSTRUCTION | {"awardMW", "clearedMW", "selfSchedMW", "bidDelay", "rmrTestRequestor"}
_MAY_BE_DOT = frozenset({InstructionKind.DOT, InstructionKind.OTHER})
_DECISIVE_OF_SEGMENT = frozenset({"mw", "serviceType"})
_DECISIVE_OF_DOP = frozenset({"dop", "targetTime", "sequenceNumber", "configurationId"})
"""What decides what holds and when, by CAISO's names: one that is not of its type, or has elements in it, is in `extra`."""


def unreadable_of(dispatch: Dispatch) -> list[str]:
    """What of a batch nobody can read for a resource: a text of an instruction, as a time without its zone, and misfit times.

    And what contradicts itself: an instruction that is told in two ways, or names another batch than the one that it is in.
    """
    header = dispatch.batch
    found = [f"batch: {text}" for text in unreadable_in_header(header)]
    found += _contradictions(dispatch.instructions)
    for instruction in dispatch.instructions:
        found += [f"instruction {instruction.instruction_uid}: {text}" for text in unreadable_in(header, instruction)]
    return found


def is_dot_unreadable(dispatch: Dispatch) -> bool:
    """Whether some of that is of the batch itself or of what may be a DOT."""
    dots, _others = _dots_and_others(dispatch)
    return bool(unreadable_of(msgspec.structs.replace(dispatch, instructions=dots)))


def is_other_unreadable(dispatch: Dispatch) -> bool:
    """Whether some of that is of an instruction that is no DOT, so that it says nothing against one."""
    _dots, others = _dots_and_others(dispatch)
    return bool(_contradictions(others)) or any(unreadable_in(dispatch.batch, each) for each in others)


def _dots_and_others(dispatch: Dispatch) -> tuple[tuple[Instruction, ...], tuple[Instruction, ...]]:
    """What may be a DOT, with all that is told under its UID, and everything else."""
    uids = {each.instruction_uid for each in dispatch.instructions if _may_be_dot(dispatch.batch, each)}
    dots = tuple(each for each in dispatch.instructions if each.instruction_uid in uids)
    return dots, tuple(each for each in dispatch.instructions if each.instruction_uid not in uids)


def unreadable_in_header(header: DispatchBatchHeader) -> list[str]:
    """What of a batch's header nobody can read, and so of all that it instructs."""
    found = _unreadable(header.extra, _DECISIVE_OF_HOURLY if header.batch_type == BatchType.HOURLY else _DECISIVE_OF_BATCH)
    if not tells_binding(header.binding_flag):
        found.append(f"bindingFlag is {(header.binding_flag or '')[:40]!r}")
    if is_binding(header.binding_flag) and not is_nothing_by_status(header.batch_status):
        found += _missing(header, _REQUIRED_OF_BATCH)
    return found


def unreadable_in(header: DispatchBatchHeader, instruction: Instruction) -> list[str]:
    """What of one instruction nobody can read, so that what is said of it may not be what CAISO instructs."""
    is_dot = _may_be_dot(header, instruction)
    found = _unreadable(instruction.extra, _DECISIVE_OF_INSTRUCTION if is_dot else _DECISIVE_OF_OTHERS)
    if instruction.batch_uid not in (None, header.batch_uid):
        found.append(f"it names batch {(instruction.batch_uid or '')[:40]!r}")
    if is_dot:
        found += [text for part in instruction.details for text in _unreadable(part.extra, _DECISIVE_OF_SEGMENT)]
        found += _contradicting_segments(instruction.details)
    return found + _lacking(header, instruction) if _may_hold(header, instruction) else found


def _lacking(header: DispatchBatchHeader, instruction: Instruction) -> list[str]:
    """What an instruction that may hold lacks: an element, a type that anybody knows, times that fit."""
    found = _missing(instruction, _REQUIRED_OF_INSTRUCTION)
    kind, is_of_dots = kind_of(header.batch_type, instruction.instruction_type), header.batch_type in DOT_BATCH_TYPES
    if kind is InstructionKind.OTHER and instruction.instruction_type is not None:
        found.append(f"instructionType is {instruction.instruction_type}, which nobody knows")
    if kind is InstructionKind.DOT and is_of_dots:
        found += _missing(instruction, {"dot": "dot_mw"})
    misfits = (misfit_of(header, instruction), _accepted_outside(header, instruction))
    return [*found, *(misfit for misfit in misfits if misfit)]


def _accepted_outside(header: DispatchBatchHeader, instruction: Instruction) -> str | None:
    """That more was accepted than is instructed, or the other way round: CAISO takes nothing but 0 to the hourly DOT (3.3)."""
    said = (instruction.opr_accept_dot_mw, instruction.accept_dot_mw)
    accepted_mw = next((mw for mw in said if mw is not None), None)
    dot_mw = instruction.dot_mw
    if header.batch_type != BatchType.HOURLY or accepted_mw is None or dot_mw is None:
        return None
    if answer_to(header.batch_type, instruction) not in (Answer.ACCEPTED, Answer.PARTLY):
        return None  # what was declined goes back to its Hour Ahead schedule, which may be any megawatts
    is_inside = min(dot_mw, 0.0) - HUNDREDTH_MW <= accepted_mw <= max(dot_mw, 0.0) + HUNDREDTH_MW
    return None if is_inside else f"{accepted_mw:g} MW are accepted of {dot_mw:g} MW"


def _may_be_dot(header: DispatchBatchHeader, instruction: Instruction) -> bool:
    """Whether an instruction is a DOT, or nobody can tell that it is none."""
    is_of_type = header.batch_type in DOT_BATCH_TYPES or header.batch_type is None
    return is_of_type and kind_of(header.batch_type, instruction.instruction_type) in _MAY_BE_DOT


def _may_hold(header: DispatchBatchHeader, instruction: Instruction) -> bool:
    """Whether it matters when an instruction holds: what was cancelled may have been cut short before it began."""
    is_nothing = is_nothing_by_status(header.batch_status) or is_nothing_by_status(instruction.status_code)
    return is_binding(header.binding_flag) and not is_nothing


def unreadable_points_of(batch: TrajectoryBatch) -> list[str]:
    """The same of a resource's trajectory."""
    flag = batch.batch.binding_flag
    found = [f"batch: {text}" for text in _unreadable(batch.batch.extra, _DECISIVE_OF_TRAJECTORY)]
    found += [] if tells_binding(flag) else [f"batch: bindingFlag is {(flag or '')[:40]!r}"]
    found += [f"DOP {dop.dop_uid}: {text}" for dop in batch.dops for text in _unreadable(dop.extra, _DECISIVE_OF_DOP)]
    if not is_binding(flag):
        return found
    for dop in batch.dops:
        for name, value in (("dop", dop.dop_mw), ("targetTime", dop.target_at)):
            if value is None and name not in dop.extra:  # the schema has both in every point
                found.append(f"DOP {dop.dop_uid}: {name} is missing")
    return found


def _contradictions(instructions: Iterable[Instruction]) -> list[str]:
    """Instructions that a batch has under one UID in one revision and that differ: nobody can tell which is meant."""
    first: dict[tuple[str, int], Instruction] = {}
    keyed = (((each.instruction_uid, each.revision_number or 0), each) for each in instructions)
    return [f"instruction {key[0]}: said twice, and not the same" for key, each in keyed if first.setdefault(key, each) != each]


def _contradicting_segments(details: Iterable[InstructionDetail]) -> list[str]:
    """Segments that an instruction has under one number and service type and that differ. None has to have a number."""
    first: dict[tuple[int, str | None], float | None] = {}
    keyed = (((each.seg_no, each.service_type), each.segment_mw) for each in details if each.seg_no is not None)
    return [f"segment {key[0]} is told twice" for key, mw in keyed if first.setdefault(key, mw) != mw]


def _missing(told: DispatchBatchHeader | Instruction, required: Mapping[str, str]) -> list[str]:
    return [f"{name} is missing" for name, field in required.items() if getattr(told, field) is None and name not in told.extra]


def _unreadable(extra: Mapping[str, str], decisive: frozenset[str]) -> list[str]:
    if not extra:  # of nearly all
        return []
    return [f"{name} is {text[:40]!r}" for name, text in extra.items() if name in decisive]
