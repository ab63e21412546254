"""Intervals and points: what an event says of the time that it holds for. Pure.

What CAISO leaves open is decided here, each decision beside its function and in the README of ads_ingest.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from dotbus.contracts.instruction_kinds import lasting
from dotbus.contracts.instruction_states import Holding, Standing
from dotbus.contracts.instruction_times import (
    DOT_INSTRUCTION,
    is_binding,
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
from dotbus.contracts.schedules import DOT_BATCH_TYPES

SUPPLEMENTAL = "SUPP"

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


def _once(details: Iterable[InstructionDetail]) -> Iterator[InstructionDetail]:
    """Segments without those that are the same again, under their number."""
    told: set[tuple[int, str | None, float | None]] = set()
    for each in details:
        key = None if each.seg_no is None else (each.seg_no, each.service_type, each.segment_mw)
        if key not in told:
            yield each
        if key:
            told.add(key)


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
