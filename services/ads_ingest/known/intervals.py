"""Intervals and points: what an event says of the time that it holds for. Pure.

What CAISO leaves open is decided here, each decision beside its function and in this service's README.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from dotbus.contracts.instruction_kinds import lasting
from dotbus.contracts.instruction_states import Answer, Holding, Standing, answer_to, is_nothing_by_status
from dotbus.contracts.instruction_times import (
    DOT_INSTRUCTION,
    is_binding,
    misfit_of,
    standing_of,
    times_of,
    usual_end,
)
from dotbus.contracts.messages import (
    Dispatch,
    DispatchBatchHeader,
    DotInterval,
    DotSegment,
    Instruction,
    InstructionDetail,
    TrajectoryBatch,
    TrajectoryBatchHeader,
    TrajectoryPoint,
)
from dotbus.contracts.schedules import DOT_BATCH_TYPES, BatchType

SUPPLEMENTAL = "SUPP"
HUNDREDTH_MW = 0.01
"""As CAISO rounds megawatts."""

_DECISIVE_OF_BATCH = frozenset({"batchStatus", "batchType", "startTime", "revisionNo", "batchReceived"})
_DECISIVE_OF_TRAJECTORY = frozenset({"batchReceived"})
_DECISIVE_OF_INSTRUCTION = frozenset(
    {"startTime", "endTime", "dot", "instructionType", "statusCode", "revisionNumber", "minAccept"}
    | {"acceptDot", "reasonCode", "oprAcceptDot", "oprReasonCode"}
)
_DECISIVE_OF_OTHERS = _DECISIVE_OF_INSTRUCTION | {"awardMW", "clearedMW", "selfSchedMW", "bidDelay"}
_DECISIVE_OF_SEGMENT = frozenset({"mw", "serviceType"})
_DECISIVE_OF_DOP = frozenset({"dop", "targetTime", "sequenceNumber"})
"""What decides what holds and when, by CAISO's names: the text of one that is not of its type is kept in `extra`."""

_FOLLOW_FLAGS = frozenset({"followdot", "followdotflag", "dotfollowflag", "operatinginstructionflag"})
_YES = frozenset({"y", "yes", "true", "1"})
_NO = frozenset({"n", "no", "false", "0"})


def dot_intervals(dispatch: Dispatch) -> tuple[DotInterval, ...]:
    """The DOTs of a batch that hold or will, those in doubt among them as far as they have megawatts.

    None when it was cancelled or is advisory (bindingFlag N).
    """
    intervals = (_interval(instruction, held, dispatch) for instruction, held in _standing(dispatch))
    return tuple(interval for interval in intervals if interval)


def is_undecided(dispatch: Dispatch) -> bool:
    """Whether CAISO has not decided what holds of a DOT of this resource."""
    return any(held.standing is Standing.IN_DOUBT for _instruction, held in _standing(dispatch))


def unreadable_of(dispatch: Dispatch) -> list[str]:
    """What of a batch nobody can read for a resource: a text of an instruction, as a time without its zone, and misfit times.

    And what contradicts itself: an instruction that is told in two ways, or names another batch than the one that it is in.
    """
    header = dispatch.batch
    found = [f"batch: {text}" for text in _unreadable(header.extra, _DECISIVE_OF_BATCH)]
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


def unreadable_in(header: DispatchBatchHeader, instruction: Instruction) -> list[str]:
    """What of one instruction nobody can read, so that what is said of it may not be what CAISO instructs."""
    is_dot = _may_be_dot(header, instruction)
    found = _unreadable(instruction.extra, _DECISIVE_OF_INSTRUCTION if is_dot else _DECISIVE_OF_OTHERS)
    if instruction.batch_uid not in (None, header.batch_uid):
        found.append(f"it names batch {(instruction.batch_uid or '')[:40]!r}")
    if is_dot:
        found += [text for part in instruction.details for text in _unreadable(part.extra, _DECISIVE_OF_SEGMENT)]
        found += _contradicting_segments(instruction.details)
    if not _may_hold(header, instruction):
        return found
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
    """Whether an instruction is a DOT, or nobody can read that it is none."""
    is_of_type = header.batch_type in DOT_BATCH_TYPES or "batchType" in header.extra
    return is_of_type and instruction.instruction_type in (DOT_INSTRUCTION, None)


def _may_hold(header: DispatchBatchHeader, instruction: Instruction) -> bool:
    """Whether it matters when an instruction holds: what was cancelled may have been cut short before it began."""
    is_nothing = is_nothing_by_status(header.batch_status) or is_nothing_by_status(instruction.status_code)
    return is_binding(header.binding_flag) and not is_nothing


def unreadable_points_of(batch: TrajectoryBatch) -> list[str]:
    """The same of a resource's trajectory."""
    found = [f"batch: {text}" for text in _unreadable(batch.batch.extra, _DECISIVE_OF_TRAJECTORY)]
    found += [f"DOP {dop.dop_uid}: {text}" for dop in batch.dops for text in _unreadable(dop.extra, _DECISIVE_OF_DOP)]
    if not is_binding(batch.batch.binding_flag):
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


def _once(details: Iterable[InstructionDetail]) -> Iterator[InstructionDetail]:
    """Segments without those that are the same again, under their number."""
    told: set[tuple[int, str | None, float | None]] = set()
    for each in details:
        key = None if each.seg_no is None else (each.seg_no, each.service_type, each.segment_mw)
        if key not in told:
            yield each
        if key:
            told.add(key)


def _unreadable(extra: Mapping[str, str], decisive: frozenset[str]) -> list[str]:
    if not extra:  # of nearly all
        return []
    return [f"{name} is {text[:40]!r}" for name, text in extra.items() if name in decisive]


def _standing(dispatch: Dispatch) -> Iterator[tuple[Instruction, Holding]]:
    """The DOT instructions of a batch in their newest revisions, each with what holds of it."""
    header = dispatch.batch
    if header.batch_type not in DOT_BATCH_TYPES or not is_binding(header.binding_flag):
        return
    for instruction in newest_of(dispatch.instructions):
        if held := standing_of(header, instruction):
            yield instruction, held


def newest_of(instructions: Iterable[Instruction]) -> Iterable[Instruction]:
    """Of several that one batch has under one UID the newest; of equals the last."""
    newest: dict[str, Instruction] = {}
    for instruction in instructions:
        known = newest.get(instruction.instruction_uid)
        if known is None or (instruction.revision_number or 0) >= (known.revision_number or 0):
            newest[instruction.instruction_uid] = instruction
    return newest.values()


def tells_age(header: DispatchBatchHeader | TrajectoryBatchHeader) -> bool:
    """Whether CAISO says how old a batch is."""
    return header.batch_received_at is not None or header.batch_sent_at is not None


def received_at(header_received: datetime | None, header_sent: datetime | None, latest: datetime) -> datetime:
    """When a batch came into ADS: as it says, else when it was sent, else the latest that it can have been.

    That is when we heard of it, or when what it instructs begins if that is sooner: an old batch that is fetched today is old.
    """
    return header_received or header_sent or latest


def _interval(instruction: Instruction, held: Holding, dispatch: Dispatch) -> DotInterval | None:
    header = dispatch.batch
    times = times_of(header, instruction)
    if times is None or held.dot_mw is None or held.standing is Standing.NOT_IN_FORCE:
        return None
    segments = tuple(
        DotSegment(service_type=part.service_type, segment_mw=part.segment_mw)
        for part in _once(instruction.details)
        if part.service_type is not None and part.segment_mw is not None
    )
    supplemental = [part.segment_mw for part in segments if part.service_type.upper() == SUPPLEMENTAL]
    supp_mw = sum(supplemental) if supplemental else None
    return DotInterval(
        interval_start=times.interval_start,
        interval_end=times.interval_end,
        target_at=times.target_at,
        dot_mw=held.dot_mw,
        supp_mw=supp_mw,
        must_follow=must_follow(instruction, supp_mw),
        segments=segments,
        batch_uid=header.batch_uid,
        batch_type=header.batch_type,
        instruction_uid=instruction.instruction_uid,
        revision_no=header.revision_no,
        batch_received_at=received_at(header.batch_received_at, header.batch_sent_at, min(dispatch.time, times.interval_start)),
    )


def must_follow(instruction: Instruction, supp_mw: float | None) -> bool | None:
    """Whether CAISO instructs a variable resource to follow this DOT: its flag, else whether SUPP is below zero.

    The schema that we have (v7) has no such flag. Later ones are said to, under names that we could not verify; the few likely
    ones are looked for among the unknown elements. A flag that says neither yes nor no counts as none.
    """
    for name, text in instruction.extra.items():
        if name.lower() in _FOLLOW_FLAGS and text.lower() in _YES | _NO:
            return text.lower() in _YES
    return None if supp_mw is None else supp_mw < 0


def trajectory_points(batch: TrajectoryBatch) -> tuple[TrajectoryPoint, ...]:
    """The points of a batch that have a time and megawatts, none when it is advisory."""
    header = batch.batch
    if not is_binding(header.binding_flag):
        return ()
    timed = [(dop, dop.target_at, dop.dop_mw) for dop in batch.dops]
    first = min((target_at for _dop, target_at, dop_mw in timed if target_at and dop_mw is not None), default=batch.time)
    received = received_at(header.batch_received_at, header.batch_sent_at, min(batch.time, first))
    return tuple(
        TrajectoryPoint(
            target_at=target_at,
            dop_mw=dop_mw,
            batch_received_at=received,
            sequence_number=dop.sequence_number,
            batch_uid=header.batch_uid,
            configuration_id=dop.configuration_id,
        )
        for dop, target_at, dop_mw in timed
        if target_at is not None and dop_mw is not None
    )


def open_until(header: DispatchBatchHeader, instructions: Iterable[Instruction] = ()) -> datetime | None:
    """When the last that a batch instructs is over, None when it names no time."""
    ends = [end for _start, end in _spans(header, instructions)]
    if header.start_at is not None and not ends:
        ends.append(usual_end(header.batch_type, header.start_at))
    return max(ends, default=None)


def open_from(header: DispatchBatchHeader, instructions: Iterable[Instruction]) -> datetime | None:
    """When the first that a batch instructs begins, None when it names no time."""
    starts = [start for start, _end in _spans(header, instructions)]
    return min([*starts, *([header.start_at] if header.start_at else [])], default=None)


def _spans(header: DispatchBatchHeader, instructions: Iterable[Instruction]) -> Iterator[tuple[datetime, datetime]]:
    """From when until when each thing that a batch instructs lasts, as far as it tells that."""
    for instruction in instructions:
        if times := times_of(header, instruction):
            yield times.interval_start, times.interval_end
        if instruction.instruction_type != DOT_INSTRUCTION and (lasts := lasting(header, instruction)):
            yield lasts.start_at, lasts.shown_until
